//! Places on Earth as scores of a sorted set: 52 bits, longitude and latitude interleaved
//! (<https://en.wikipedia.org/wiki/Geohash>), so that what lies in one cell of a grid has scores in a row.
//!
//! A search looks into the cell of its center and the eight around it, at a grid so coarse that these
//! nine cover the shape, and measures what it finds.

/// Latitudes that the square grid holds, as EPSG:3857; longitudes are all.
const LATITUDES: Range = Range { min: -85.051_128_78, max: 85.051_128_78 };
const LONGITUDES: Range = Range { min: -180.0, max: 180.0 };
/// Latitudes of what others call a geohash.
const STANDARD_LATITUDES: Range = Range { min: -90.0, max: 90.0 };
/// Bits of each coordinate in a score.
pub const STEPS: u32 = 26;
/// Quadratic mean radius, meters.
const EARTH_RADIUS: f64 = 6_372_797.560_856;
/// Half the side of the square grid, meters.
const MERCATOR_MAX: f64 = 20_037_726.37;

#[derive(Debug, Clone, Copy)]
struct Range {
    min: f64,
    max: f64,
}

impl Range {
    fn holds(self, at: f64) -> bool {
        (self.min..=self.max).contains(&at)
    }

    /// The number of the part that `at` lies in, of `1 << steps` parts.
    fn part(self, at: f64, steps: u32) -> u32 {
        ((at - self.min) / (self.max - self.min) * (1u64 << steps) as f64) as u32
    }

    /// Such a part. Behind the last one that a number can tell comes the first, as in Redis.
    fn part_at(self, part: u32, steps: u32) -> Self {
        let width = self.max - self.min;
        let edge = |part: u32| self.min + f64::from(part) / (1u64 << steps) as f64 * width;
        Self { min: edge(part), max: edge(part.wrapping_add(1)) }
    }

    fn middle(self) -> f64 {
        f64::midpoint(self.min, self.max)
    }

    fn clamp(self, at: f64) -> f64 {
        at.clamp(self.min, self.max)
    }
}

/// A place, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// All within so many meters.
    Circle(f64),
    /// All within a rectangle of this width and height, meters.
    Box(f64, f64),
}

/// One cell of a grid of `1 << steps` by `1 << steps` cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    bits: u64,
    steps: u32,
}

/// The bits of a number, each with a 0 above it.
const fn spread(n: u32) -> u64 {
    let mut n = n as u64;
    n = (n | n << 16) & 0x0000_ffff_0000_ffff;
    n = (n | n << 8) & 0x00ff_00ff_00ff_00ff;
    n = (n | n << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    n = (n | n << 2) & 0x3333_3333_3333_3333;
    (n | n << 1) & 0x5555_5555_5555_5555
}

/// Every second bit of a number.
const fn gather(n: u64) -> u32 {
    let mut n = n & 0x5555_5555_5555_5555;
    n = (n | n >> 1) & 0x3333_3333_3333_3333;
    n = (n | n >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    n = (n | n >> 4) & 0x00ff_00ff_00ff_00ff;
    n = (n | n >> 8) & 0x0000_ffff_0000_ffff;
    (n | n >> 16) as u32
}

/// The bits of a score that need not come from GEOADD: below zero and too large as a CPU converts it.
fn bits_of(score: f64) -> u64 {
    const HALF: f64 = (1u64 << 63) as f64;
    match score {
        _ if score < HALF => score as i64 as u64,
        _ if score < 2.0 * HALF => score as u64,
        _ => 0,
    }
}

impl Place {
    /// A place that a score can hold.
    pub fn new(longitude: f64, latitude: f64) -> Option<Self> {
        (LONGITUDES.holds(longitude) && LATITUDES.holds(latitude))
            .then_some(Self { longitude, latitude })
    }

    /// Its score: an integer of 52 bits.
    pub fn score(self) -> u64 {
        self.cell(STEPS).bits
    }

    /// The place that a score stands for: the middle of its cell. A score that is no position stands for
    /// one at the edge.
    pub fn of_score(score: f64) -> Self {
        let Self { longitude, latitude } = Self::beyond(score);
        Self { longitude: LONGITUDES.clamp(longitude), latitude: LATITUDES.clamp(latitude) }
    }

    /// The same, but for scores that are no position: the grid goes on beyond the edges.
    pub fn beyond(score: f64) -> Self {
        let (longitude, latitude) = Cell { bits: bits_of(score), steps: STEPS }.sides();
        Self { longitude: longitude.middle(), latitude: latitude.middle() }
    }

    fn cell(self, steps: u32) -> Cell {
        let x = LONGITUDES.part(self.longitude, steps);
        let y = LATITUDES.part(self.latitude, steps);
        Cell { bits: spread(y) | spread(x) << 1, steps }
    }

    /// The geohash of eleven letters that other programs know. It needs 55 bits and gets 52.
    pub fn letters(self) -> [u8; 11] {
        const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let x = LONGITUDES.part(self.longitude, STEPS);
        let y = STANDARD_LATITUDES.part(self.latitude, STEPS);
        let bits = spread(y) | spread(x) << 1;
        let mut letters = [b'0'; 11];
        for (n, letter) in letters[..10].iter_mut().enumerate() {
            *letter = ALPHABET[(bits >> (47 - 5 * n)) as usize & 31];
        }
        letters
    }

    /// Meters to another place, along a great circle (haversine).
    pub fn distance(self, other: Self) -> f64 {
        let (a, b) = (self.latitude.to_radians(), other.latitude.to_radians());
        let u = ((b - a) / 2.0).sin();
        let v = ((other.longitude.to_radians() - self.longitude.to_radians()) / 2.0).sin();
        2.0 * EARTH_RADIUS * (u * u + a.cos() * b.cos() * v * v).sqrt().asin()
    }

    /// Meters to another place, when it lies in the shape around this one.
    pub fn distance_within(self, shape: Shape, other: Self) -> Option<f64> {
        let within = match shape {
            Shape::Circle(radius) => self.distance(other) <= radius,
            Shape::Box(width, height) => {
                let beside = Self { longitude: self.longitude, ..other };
                let above = Self { latitude: self.latitude, ..other };
                other.distance(beside) <= width / 2.0 && other.distance(above) <= height / 2.0
            }
        };
        within.then(|| self.distance(other))
    }

    /// The ranges of scores, upper ends excluded, in which everything in the shape around this place
    /// is: the cell in the middle, then those around it.
    pub fn cover(self, shape: Shape) -> Vec<(u64, u64)> {
        let bounds = self.bounds(shape);
        let mut steps = self.steps_for(shape);
        if steps > 1 && self.cell(steps).falls_short(&bounds) {
            steps -= 1;
        }
        let middle = self.cell(steps);
        let mut cells: Vec<Cell> = vec![middle];
        for (x, y) in AROUND {
            if steps < 2 || middle.needs(&bounds, x, y) {
                let cell = middle.beside(x, y);
                // Of a very large shape neighbours are one and the same.
                if cells.len() == 1 || cells.last() != Some(&cell) {
                    cells.push(cell);
                }
            }
        }
        cells.iter().map(|cell| cell.scores()).collect()
    }

    /// Longitudes and latitudes between which the shape lies.
    fn bounds(self, shape: Shape) -> (Range, Range) {
        let (width, height) = match shape {
            Shape::Circle(radius) => (radius, radius),
            Shape::Box(width, height) => (width / 2.0, height / 2.0),
        };
        let up = (height / EARTH_RADIUS).to_degrees();
        // A degree of longitude is shortest on the side of the nearer pole.
        let far = if self.latitude < 0.0 { self.latitude - up } else { self.latitude + up };
        let aside = (width / EARTH_RADIUS / far.to_radians().cos()).to_degrees();
        let around = |at: f64, by: f64| Range { min: at - by, max: at + by };
        (around(self.longitude, aside), around(self.latitude, up))
    }

    /// How fine a grid may be for its nine cells to cover the shape, but for edges.
    fn steps_for(self, shape: Shape) -> u32 {
        let mut meters = match shape {
            Shape::Circle(radius) => radius,
            Shape::Box(width, height) => (width / 2.0).hypot(height / 2.0),
        };
        if meters == 0.0 {
            return STEPS;
        }
        let mut steps = -1;
        while meters < MERCATOR_MAX {
            meters *= 2.0;
            steps += 1;
        }
        // Towards the poles cells are narrow.
        let latitude = self.latitude.abs();
        steps -= i32::from(latitude > 66.0) + i32::from(latitude > 80.0);
        steps.clamp(1, STEPS as i32) as u32
    }
}

/// The cells around one: columns to the east, rows to the north. The order is Redis'.
const AROUND: [(i32, i32); 8] =
    [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];

impl Cell {
    /// Its longitudes and latitudes.
    fn sides(self) -> (Range, Range) {
        let (x, y) = (gather(self.bits >> 1), gather(self.bits));
        (LONGITUDES.part_at(x, self.steps), LATITUDES.part_at(y, self.steps))
    }

    /// The cell so many columns to the east and rows to the north; the grid has no ends. A place at its
    /// upper edge lies in a column or row behind the last one, which only a move leads back from.
    fn beside(self, x: i32, y: i32) -> Self {
        let ends = (1u32 << self.steps) - 1;
        let moved = |at: u32, by: i32| match by {
            0 => at,
            _ => at.wrapping_add_signed(by) & ends,
        };
        let (x, y) = (moved(gather(self.bits >> 1), x), moved(gather(self.bits), y));
        Self { bits: spread(y) | spread(x) << 1, ..self }
    }

    /// Whether the cells around do not reach the bounds.
    fn falls_short(self, (longitudes, latitudes): &(Range, Range)) -> bool {
        self.beside(0, 1).sides().1.max < latitudes.max
            || self.beside(0, -1).sides().1.min > latitudes.min
            || self.beside(1, 0).sides().0.max < longitudes.max
            || self.beside(-1, 0).sides().0.min > longitudes.min
    }

    /// Whether the bounds reach into the cell so many columns and rows away.
    fn needs(self, (longitudes, latitudes): &(Range, Range), x: i32, y: i32) -> bool {
        let (own_longitudes, own_latitudes) = self.sides();
        let reaches = |own: Range, bounds: &Range, steps: i32| match steps {
            1 => own.max <= bounds.max,
            -1 => own.min >= bounds.min,
            _ => true,
        };
        reaches(own_longitudes, longitudes, x) && reaches(own_latitudes, latitudes, y)
    }

    /// The scores of all that is in it.
    fn scores(self) -> (u64, u64) {
        let finer = 2 * (STEPS - self.steps);
        (self.bits << finer, (self.bits + 1) << finer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PALERMO: Place = Place { longitude: 13.361_389, latitude: 38.115_556 };
    const CATANIA: Place = Place { longitude: 15.087_269, latitude: 37.502_669 };

    #[test]
    fn places_have_the_scores_and_letters_of_the_redis_documentation() {
        assert_eq!(PALERMO.score(), 3_479_099_956_230_698);
        assert_eq!(CATANIA.score(), 3_479_447_370_796_909);
        assert_eq!(&Place::of_score(3_479_099_956_230_698.0).letters(), b"sqc8b49rny0");
        assert_eq!(&Place::of_score(3_479_447_370_796_909.0).letters(), b"sqdtr74hyu0");
        let meters = Place::of_score(3_479_099_956_230_698.0)
            .distance(Place::of_score(3_479_447_370_796_909.0));
        assert_eq!(format!("{meters:.4}"), "166274.1516");
    }

    #[test]
    fn places_that_a_score_cannot_hold_are_none() {
        assert!(Place::new(180.0, 85.051_128_78).is_some());
        assert!(Place::new(180.1, 0.0).is_none());
        assert!(Place::new(0.0, -85.06).is_none());
        assert!(Place::new(f64::NAN, 0.0).is_none());
    }

    #[test]
    fn what_lies_in_a_shape_has_a_score_in_its_cover() {
        // A linear congruence: the same places each time.
        let mut state = 1u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let mut held = 0;
        for _ in 0..20_000 {
            let center =
                Place { longitude: next() * 360.0 - 180.0, latitude: next() * 160.0 - 80.0 };
            let radius = 10f64.powf(next() * 5.5);
            let shape = if next() < 0.5 {
                Shape::Circle(radius)
            } else {
                Shape::Box(radius, radius * next())
            };
            let near = |at: f64, spread: f64| at + (spread - 0.5) * radius / 40_000.0;
            let Some(other) =
                Place::new(near(center.longitude, next()), near(center.latitude, next()))
            else {
                continue;
            };
            // Across the date line Redis finds nothing either.
            let inside = center.distance_within(shape, other).is_some();
            if inside && (center.longitude - other.longitude).abs() < 90.0 {
                let score = other.score();
                let cover = center.cover(shape);
                let found = cover.iter().any(|&(from, to)| (from..to).contains(&score));
                assert!(found, "{other:?} is within {shape:?} of {center:?}");
                held += 1;
            }
        }
        assert!(held > 1000, "{held}");
    }
}
