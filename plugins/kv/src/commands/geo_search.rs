//! What lies around a place: GEORADIUS, GEORADIUSBYMEMBER, their _RO forms, GEOSEARCH, GEOSEARCHSTORE.

use hotshell_plugin_api::collections::Bytes;

use super::geo::{place, place_of, reply_distance, reply_place, unit};
use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{READ, WRITE};
use crate::geo::{Place, Shape};
use crate::notify;
use crate::number;
use crate::reply::Reply;
use crate::table::{Keys, ONE_KEY, rows, v};
use crate::value::{Kind, Value};
use crate::zset;
use crate::zset_range::Span;

const TARGET_AND_SOURCE: Keys = (1, 2, 1);

rows! { Geo:
    "georadius", -6, WRITE, ONE_KEY, v(3, 2), georadius,
        "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        "Queries a geospatial index for members within a distance from a coordinate, optionally stores the result.";
    "georadius_ro", -6, READ, ONE_KEY, v(3, 2), georadius_ro,
        "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        "Returns members from a geospatial index that are within a distance from a coordinate.";
    "georadiusbymember", -5, WRITE, ONE_KEY, v(3, 2), by_member,
        "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        "Queries a geospatial index for members within a distance from a member, optionally stores the result.";
    "georadiusbymember_ro", -5, READ, ONE_KEY, v(3, 2), by_member_ro,
        "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        "Returns members from a geospatial index that are within a distance from a member.";
    "geosearch", -7, READ, ONE_KEY, v(6, 2), geosearch,
        "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape",
        "Queries a geospatial index for members inside an area of a box or a circle.";
    "geosearchstore", -8, WRITE, TARGET_AND_SOURCE, v(6, 2), geosearchstore,
        "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape",
        "Queries a geospatial index for members inside an area of a box or a circle, optionally stores the result.";
}

/// Which of the commands it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// GEORADIUS and GEORADIUSBYMEMBER; may store.
    Radius,
    /// Their _RO forms.
    ReadOnly,
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

impl Form {
    fn is_search(self) -> bool {
        matches!(self, Self::Search | Self::SearchStore)
    }
}

/// What is asked for.
#[derive(Debug, Default)]
struct Request<'a> {
    source: &'a [u8],
    target: Option<&'a [u8]>,
    /// Whether the source is there.
    exists: bool,
    center: Option<Place>,
    /// A center was named that the missing source does not have.
    from_member: bool,
    shape: Option<Shape>,
    /// Meters of the unit that distances are shown in.
    unit: f64,
    distances: bool,
    hashes: bool,
    places: bool,
    /// Stores distances, not places.
    store_distances: bool,
    order: Option<Order>,
    /// The most that is shown; 0: all.
    count: usize,
    /// Any will do, not the nearest.
    any: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Nearest,
    Farthest,
}

/// A member that was found.
#[derive(Debug)]
struct Hit {
    member: Bytes,
    score: f64,
    meters: f64,
    place: Place,
}

/// A length, which is no number or below zero at worst.
fn length(text: &[u8], no_number: &'static str) -> Result<f64, &'static str> {
    number::parse_f64(text).ok_or(no_number)
}

fn georadius(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    radius(cx, args, Form::Radius)
}

fn georadius_ro(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    radius(cx, args, Form::ReadOnly)
}

fn by_member(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    radius_by_member(cx, args, Form::Radius)
}

fn by_member_ro(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    radius_by_member(cx, args, Form::ReadOnly)
}

fn geosearch(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let request = Request { source: args[1], ..Request::default() };
    run(cx, args, 2, request, Form::Search)
}

fn geosearchstore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    let request = Request { source: args[2], target: Some(args[1]), ..Request::default() };
    run(cx, args, 3, request, Form::SearchStore)
}

fn radius(cx: &mut Cx<'_>, args: &[&[u8]], form: Form) -> Outcome {
    let exists = cx.find(args[1], Kind::Zset)?.0.is_some();
    if !exists && !cx.has(v(6, 2)) {
        cx.out.array(0);
        return Ok(());
    }
    let Some(center) = place(cx, [args[2], args[3]])? else { return Ok(()) };
    let mut request = Request { source: args[1], center: Some(center), ..Request::default() };
    read_radius(cx, &mut request, [args[4], args[5]])?;
    run(cx, args, 6, request, form)
}

fn radius_by_member(cx: &mut Cx<'_>, args: &[&[u8]], form: Form) -> Outcome {
    let mut request = Request { source: args[1], ..Request::default() };
    if let Some(value) = cx.find(args[1], Kind::Zset)?.0 {
        request.center = Some(place_of(value, args[2], Place::of_score).ok_or(NO_MEMBER)?);
        read_radius(cx, &mut request, [args[3], args[4]])?;
    } else if !cx.has(v(6, 2)) {
        cx.out.array(0);
        return Ok(());
    }
    run(cx, args, 5, request, form)
}

const NO_MEMBER: &str = "ERR could not decode requested zset member";

fn read_radius(cx: &Cx<'_>, request: &mut Request<'_>, args: [&[u8]; 2]) -> Outcome {
    let radius = length(args[0], "ERR need numeric radius")?;
    if radius < 0.0 {
        return Err("ERR radius cannot be negative");
    }
    request.unit = unit(cx, args[1])?;
    request.shape = Some(Shape::Circle(radius * request.unit));
    Ok(())
}

fn read_box(cx: &Cx<'_>, request: &mut Request<'_>, args: [&[u8]; 3]) -> Outcome {
    let width = length(args[0], "ERR need numeric width")?;
    let height = length(args[1], "ERR need numeric height")?;
    if width < 0.0 || height < 0.0 {
        return Err("ERR height or width cannot be negative");
    }
    request.unit = unit(cx, args[2])?;
    request.shape = Some(Shape::Box(width * request.unit, height * request.unit));
    Ok(())
}

/// Reads one option of GEOSEARCH that says where; how many words it takes, `None` when it is none.
/// `Ok(Some(0))`: the error is written already.
fn read_where<'a>(
    cx: &mut Cx<'_>,
    request: &mut Request<'a>,
    words: &[&'a [u8]],
) -> Result<Option<usize>, &'static str> {
    let by_box = matches!(request.shape, Some(Shape::Box(..)));
    let by_radius = matches!(request.shape, Some(Shape::Circle(_)));
    Ok(Some(match *words {
        [word, member, ..]
            if is(word, "frommember") && (request.from_member || request.center.is_none()) =>
        {
            if let Some(value) = cx.find(request.source, Kind::Zset)?.0 {
                request.center = Some(place_of(value, member, Place::of_score).ok_or(NO_MEMBER)?);
            }
            request.from_member = true;
            2
        }
        [word, longitude, latitude, ..] if is(word, "fromlonlat") && !request.from_member => {
            request.center = place(cx, [longitude, latitude])?;
            if request.center.is_none() { 0 } else { 3 }
        }
        [word, radius, unit, ..] if is(word, "byradius") && !by_box => {
            read_radius(cx, request, [radius, unit])?;
            3
        }
        [word, width, height, unit, ..] if is(word, "bybox") && !by_radius => {
            read_box(cx, request, [width, height, unit])?;
            4
        }
        _ => return Ok(None),
    }))
}

/// Reads one option; how many words it takes.
fn read_option<'a>(
    cx: &mut Cx<'_>,
    request: &mut Request<'a>,
    words: &[&'a [u8]],
    form: Form,
) -> Result<usize, &'static str> {
    match *words {
        [word, ..] if is(word, "withdist") => request.distances = true,
        [word, ..] if is(word, "withhash") => request.hashes = true,
        [word, ..] if is(word, "withcoord") => request.places = true,
        [word, ..] if is(word, "any") && cx.has(v(6, 2)) => request.any = true,
        [word, ..] if is(word, "asc") => request.order = Some(Order::Nearest),
        [word, ..] if is(word, "desc") => request.order = Some(Order::Farthest),
        [word, count, ..] if is(word, "count") => {
            let count = int(count)?;
            if count <= 0 {
                return Err("ERR COUNT must be > 0");
            }
            request.count = count as usize;
            return Ok(2);
        }
        [word, key, ..] if form == Form::Radius && (is(word, "store") || is(word, "storedist")) => {
            request.target = Some(key);
            request.store_distances = is(word, "storedist");
            return Ok(2);
        }
        [word, ..] if form == Form::SearchStore && is(word, "storedist") => {
            request.store_distances = true;
        }
        _ if form.is_search() => {
            return read_where(cx, request, words)?.ok_or(errors::SYNTAX);
        }
        _ => return Err(errors::SYNTAX),
    }
    Ok(1)
}

/// Reads the options from `at` on, searches, and answers or stores.
fn run<'a>(
    cx: &mut Cx<'_>,
    args: &[&'a [u8]],
    at: usize,
    mut request: Request<'a>,
    form: Form,
) -> Outcome {
    request.exists = cx.find(request.source, Kind::Zset)?.0.is_some();
    let mut words = &args[at..];
    while !words.is_empty() {
        match read_option(cx, &mut request, words, form)? {
            0 => return Ok(()),
            used => words = &words[used..],
        }
    }
    if let Some(text) = request.conflict(cx, args[0], form) {
        return cx.error(&text);
    }
    if !request.exists {
        return match request.target {
            Some(target) => {
                cx.delete(target);
                cx.out.int(0);
                Ok(())
            }
            None => {
                cx.out.array(0);
                Ok(())
            }
        };
    }
    let hits = search(cx, &request)?;
    match request.target {
        Some(target) => store(cx, &request, target, &hits, form),
        None => reply(cx, &request, &hits),
    }
    Ok(())
}

impl Request<'_> {
    /// The error of options that do not go together.
    fn conflict(&self, cx: &Cx<'_>, name: &[u8], form: Form) -> Option<String> {
        let name = String::from_utf8_lossy(name);
        if self.target.is_some() && (self.distances || self.hashes || self.places) {
            let what = match form {
                Form::SearchStore => "GEOSEARCHSTORE",
                _ => "STORE option in GEORADIUS",
            };
            let last = if cx.has(v(7, 0)) { "WITHCOORD" } else { "WITHCOORDS" };
            return Some(format!(
                "ERR {what} is not compatible with WITHDIST, WITHHASH and {last} options"
            ));
        }
        if form.is_search() && self.center.is_none() && !self.from_member {
            return Some(format!(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}"
            ));
        }
        if form.is_search() && self.shape.is_none() {
            return Some(format!(
                "ERR exactly one of BYRADIUS and BYBOX can be specified for {name}"
            ));
        }
        (self.any && self.count == 0)
            .then(|| "ERR the ANY argument requires COUNT argument".to_owned())
    }
}

/// What lies in the shape, in the order and number that was asked for.
fn search(cx: &mut Cx<'_>, request: &Request<'_>) -> Result<Vec<Hit>, &'static str> {
    let mut hits = Vec::new();
    let (Some(center), Some(shape)) = (request.center, request.shape) else { return Ok(hits) };
    let Some(value) = cx.find(request.source, Kind::Zset)?.0 else { return Ok(hits) };
    let enough = if request.any { request.count } else { usize::MAX };
    for (from, to) in center.cover(shape) {
        if hits.len() >= enough {
            break;
        }
        let ranks = Span::from_up_to(from as f64, to as f64).ranks(value, false);
        zset::each(value, ranks, false, |member, score| {
            let place = Place::of_score(score);
            if hits.len() < enough
                && let Some(meters) = center.distance_within(shape, place)
            {
                hits.push(Hit { member: member.into(), score, meters, place });
            }
        });
    }
    // Which ones COUNT leaves is only clear in an order.
    let nearest = (request.count > 0 && !request.any).then_some(Order::Nearest);
    match request.order.or(nearest) {
        Some(Order::Nearest) => hits.sort_by(|a, b| a.meters.total_cmp(&b.meters)),
        Some(Order::Farthest) => hits.sort_by(|a, b| b.meters.total_cmp(&a.meters)),
        None => {}
    }
    if request.count > 0 {
        hits.truncate(request.count);
    }
    Ok(hits)
}

fn reply(cx: &mut Cx<'_>, request: &Request<'_>, hits: &[Hit]) {
    let options = [request.distances, request.hashes, request.places];
    let options = options.iter().filter(|&&wanted| wanted).count();
    cx.out.array(hits.len());
    for hit in hits {
        if options > 0 {
            cx.out.array(1 + options);
        }
        cx.out.bulk(&hit.member);
        if request.distances {
            reply_distance(&mut cx.out, hit.meters / request.unit);
        }
        if request.hashes {
            cx.out.int(hit.score as i64);
        }
        if request.places {
            reply_place(&mut cx.out, hit.place);
        }
    }
}

fn store(cx: &mut Cx<'_>, request: &Request<'_>, target: &[u8], hits: &[Hit], form: Form) {
    let limits = cx.state.settings.limits;
    let mut value = Value::zset();
    for hit in hits {
        let score = if request.store_distances { hit.meters / request.unit } else { hit.score };
        zset::put(&mut value, &hit.member, score, limits);
    }
    let event = if form.is_search() { "geosearchstore" } else { "georadiusstore" };
    let stored = cx.store(target, value, notify::ZSET, event);
    cx.out.int(stored as i64);
}
