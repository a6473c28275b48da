//! Small sets of integers: sorted, in one block, as wide as the widest needs (Redis' intset).
//!
//! Layout: the width of a number in bytes (2, 4 or 8), then the numbers, ascending, little-endian.

use hotshell_plugin_api::collections::Bytes;

/// The numbers of a block.
#[derive(Debug, Clone, Copy)]
pub struct IntSet<'a>(&'a [u8]);

impl<'a> IntSet<'a> {
    /// Reads a block.
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn width(self) -> usize {
        self.0.first().map_or(2, |&width| width as usize)
    }

    /// How many numbers it has. O(1).
    pub fn len(self) -> usize {
        self.0.len().saturating_sub(1) / self.width()
    }

    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The number with `index` smaller ones.
    pub fn get(self, index: usize) -> Option<i64> {
        let (width, start) = (self.width(), 1 + index * self.width());
        let bytes = self.0.get(start..start + width)?;
        let mut wide = [if bytes[width - 1] & 0x80 != 0 { 0xff } else { 0 }; 8];
        wide[..width].copy_from_slice(bytes);
        Some(i64::from_le_bytes(wide))
    }

    /// The numbers, ascending.
    pub fn iter(self) -> impl Iterator<Item = i64> + 'a {
        (0..self.len()).map_while(move |index| self.get(index))
    }

    /// Where a number is, or would be. O(log n).
    fn search(self, n: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle) {
                Some(other) if other == n => return Ok(middle),
                Some(other) if other < n => low = middle + 1,
                _ => high = middle,
            }
        }
        Err(low)
    }

    /// Whether a number is in it. O(log n).
    pub fn contains(self, n: i64) -> bool {
        self.search(n).is_ok()
    }
}

/// The narrowest width for a number.
fn width_of(n: i64) -> usize {
    match n {
        -0x8000..=0x7fff => 2,
        -0x8000_0000..=0x7fff_ffff => 4,
        _ => 8,
    }
}

/// Adds a number; false when it was there already. O(n).
pub fn insert(bytes: &mut Bytes, n: i64) -> bool {
    let Err(index) = IntSet::of(bytes).search(n) else { return false };
    if bytes.is_empty() {
        bytes.push(2);
    }
    let width = width_of(n);
    if width > IntSet::of(bytes).width() {
        widen(bytes, width);
    }
    let width = IntSet::of(bytes).width();
    bytes.reserve_exact(width);
    bytes.insert_slice(1 + index * width, &n.to_le_bytes()[..width]);
    true
}

/// Removes a number; false when it was not there. O(n).
pub fn remove(bytes: &mut Bytes, n: i64) -> bool {
    let Ok(index) = IntSet::of(bytes).search(n) else { return false };
    let width = IntSet::of(bytes).width();
    let start = 1 + index * width;
    drop(bytes.drain(start..start + width));
    true
}

fn widen(bytes: &mut Bytes, width: usize) {
    let mut wide = Bytes::with_capacity(1 + IntSet::of(bytes).len() * width);
    wide.push(width as u8);
    for n in IntSet::of(bytes).iter() {
        wide.extend_from_slice(&n.to_le_bytes()[..width]);
    }
    *bytes = wide;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_sorted_and_the_width_grows() {
        let mut bytes = Bytes::new();
        for n in [5, -3, 70_000, i64::MIN, 5, i64::MAX, -70_000] {
            insert(&mut bytes, n);
        }
        let all: Vec<i64> = IntSet::of(&bytes).iter().collect();
        assert_eq!(all, [i64::MIN, -70_000, -3, 5, 70_000, i64::MAX]);
        assert!(IntSet::of(&bytes).contains(5) && !IntSet::of(&bytes).contains(4));
        assert!(remove(&mut bytes, 5) && !remove(&mut bytes, 5));
        assert_eq!(IntSet::of(&bytes).len(), 5);
    }
}
