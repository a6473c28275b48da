//! Places in sorted sets: GEOADD, GEOPOS, GEODIST, GEOHASH.

use crate::cx::{Cx, Outcome, is};
use crate::errors;
use crate::flags::{READ, WRITE};
use crate::geo::Place;
use crate::number;
use crate::reply::{Out, Reply};
use crate::table::{ONE_KEY, rows, v};
use crate::value::{Kind, Value};
use crate::zset;

rows! { Geo:
    "geoadd", -5, WRITE, ONE_KEY, v(3, 2), geoadd,
        "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        "Adds one or more members to a geospatial index. The key is created if it doesn't exist.";
    "geopos", -2, READ, ONE_KEY, v(3, 2), geopos,
        "O(1) for each member requested.",
        "Returns the longitude and latitude of members from a geospatial index.";
    "geodist", -4, READ, ONE_KEY, v(3, 2), geodist,
        "O(1)", "Returns the distance between two members of a geospatial index.";
    "geohash", -2, READ, ONE_KEY, v(3, 2), geohash,
        "O(1) for each member requested.",
        "Returns members from a geospatial index as geohash strings.";
}

/// Two arguments as longitude and latitude; `None` when the error is written already.
///
/// # Errors
/// When one is no number.
pub(super) fn place(cx: &mut Cx<'_>, args: [&[u8]; 2]) -> Result<Option<Place>, &'static str> {
    let degrees = |text| number::parse_f64(text).ok_or(errors::NOT_A_FLOAT);
    let (longitude, latitude) = (degrees(args[0])?, degrees(args[1])?);
    let place = Place::new(longitude, latitude);
    if place.is_none() {
        let text = format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
        cx.error(&text)?;
    }
    Ok(place)
}

/// Meters of a unit.
///
/// # Errors
/// When there is no such unit.
pub(super) fn unit(cx: &Cx<'_>, text: &[u8]) -> Result<f64, &'static str> {
    const UNITS: [(&str, f64); 4] = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    let any_case = cx.has(v(6, 2));
    let named = |name: &str| name.as_bytes() == text || (any_case && is(text, name));
    let found = UNITS.iter().find(|(name, _)| named(name)).map(|&(_, meters)| meters);
    found.ok_or(if any_case {
        "ERR unsupported unit provided. please use M, KM, FT, MI"
    } else {
        "ERR unsupported unit provided. please use m, km, ft, mi"
    })
}

/// Writes a distance, with four decimals.
pub(super) fn reply_distance(out: &mut Out<'_>, distance: f64) {
    out.bulk(format!("{distance:.4}").as_bytes());
}

/// Writes longitude and latitude, each with as many decimals as it has, up to 17.
pub(super) fn reply_place(out: &mut Out<'_>, place: Place) {
    out.array(2);
    for degrees in [place.longitude, place.latitude] {
        let text = format!("{degrees:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.').as_bytes();
        if out.is_resp3() {
            out.put(b",");
            out.put(text);
            out.put(b"\r\n");
        } else {
            out.bulk(text);
        }
    }
}

/// ZADD, with places in place of scores.
fn geoadd(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let option = |word: &&&[u8]| ["nx", "xx", "ch"].iter().any(|name| is(word, name));
    let options = match cx.has(v(6, 2)) {
        true => args[2..].iter().take_while(option).count(),
        false => 0,
    };
    let (options, places) = args[2..].split_at(options);
    let (places, rest) = places.as_chunks::<3>();
    let has = |name| options.iter().any(|word| is(word, name));
    if !rest.is_empty() || (has("nx") && has("xx")) {
        return Err(if cx.has(v(6, 2)) {
            errors::SYNTAX
        } else {
            "ERR syntax error. Try GEOADD key [x1] [y1] [name1] [x2] [y2] [name2] ... "
        });
    }
    let mut scores = Vec::with_capacity(places.len());
    for &[longitude, latitude, _] in places {
        let Some(place) = place(cx, [longitude, latitude])? else { return Ok(()) };
        scores.push(place.score().to_string());
    }
    let mut words: Vec<&[u8]> = vec![b"zadd", args[1]];
    words.extend(options);
    for (score, [_, _, member]) in scores.iter().zip(places) {
        words.extend([score.as_bytes(), member]);
    }
    super::zset::zadd(cx, &words)
}

/// How a score is read. To Redis 4 one that is no position lies beyond the edges.
fn places(cx: &Cx<'_>) -> fn(f64) -> Place {
    if cx.has(v(6, 0)) { Place::of_score } else { Place::beyond }
}

/// Where a member is.
pub(super) fn place_of(zset: &Value, member: &[u8], read: fn(f64) -> Place) -> Option<Place> {
    zset::score(zset, member).map(read)
}

fn geopos(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let read = places(cx);
    let (value, mut out) = cx.find(args[1], Kind::Zset)?;
    out.array(args.len() - 2);
    for member in &args[2..] {
        match value.and_then(|value| place_of(value, member, read)) {
            Some(place) => reply_place(&mut out, place),
            None => out.null_array(),
        }
    }
    Ok(())
}

fn geodist(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let meters = match *args {
        [_, _, _, _] => 1.0,
        [_, _, _, _, name] => unit(cx, name)?,
        _ => return Err(errors::SYNTAX),
    };
    let read = places(cx);
    let (value, mut out) = cx.find(args[1], Kind::Zset)?;
    let place = |member| value.and_then(|value| place_of(value, member, read));
    match (place(args[2]), place(args[3])) {
        (Some(from), Some(to)) => reply_distance(&mut out, from.distance(to) / meters),
        _ => out.null(),
    }
    Ok(())
}

fn geohash(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (value, mut out) = cx.find(args[1], Kind::Zset)?;
    out.array(args.len() - 2);
    for member in &args[2..] {
        let place = value.and_then(|value| place_of(value, member, Place::of_score));
        out.bulk_or_null(place.map(Place::letters).as_ref().map(|letters| &letters[..]));
    }
    Ok(())
}
