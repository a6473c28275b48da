//! Numbers in hashes: HINCRBY, HINCRBYFLOAT.

use crate::cx::{Cx, Outcome, int};
use crate::errors;
use crate::extended::Extended;
use crate::flags::WRITE_FAST;
use crate::hash;
use crate::notify;
use crate::number::{self, Digits};
use crate::reply::Reply;
use crate::table::{ONE_KEY, rows, v};
use crate::value::{Kind, Value};

rows! { Hash:
    "hincrby", 4, WRITE_FAST, ONE_KEY, v(2, 0), hincrby,
        "O(1)",
        "Increments the integer value of a field in a hash by a number. Uses 0 as initial value if the field doesn't exist.";
    "hincrbyfloat", 4, WRITE_FAST, ONE_KEY, v(2, 6), hincrbyfloat,
        "O(1)",
        "Increments the floating point value of a field by a number. Uses 0 as initial value if the field doesn't exist.";
}

/// The text of a field.
fn old<'a>(cx: &'a mut Cx<'_>, key: &[u8], field: &[u8]) -> Result<Option<&'a [u8]>, &'static str> {
    Ok(cx.find_mut(key, Kind::Hash)?.and_then(|value| hash::get(value, field)))
}

fn hincrby(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (key, field) = (args[1], args[2]);
    let by = int(args[3])?;
    let old = match old(cx, key, field)? {
        None => 0,
        Some(text) => number::parse_i64(text).ok_or("ERR hash value is not an integer")?,
    };
    let n = old.checked_add(by).ok_or(errors::OVERFLOW)?;
    put(cx, key, field, Digits::new().signed(n), "hincrby")?;
    cx.out.int(n);
    Ok(())
}

fn hincrbyfloat(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (key, field) = (args[1], args[2]);
    let by = Extended::parse(args[3]).ok_or(errors::NOT_A_FLOAT)?;
    if !by.is_finite() && cx.has(v(7, 0)) {
        return Err("ERR value is NaN or Infinity");
    }
    // Redis 4 reads it with `strtold` alone.
    let reads_empty = !cx.has(v(7, 0));
    let old = match old(cx, key, field)? {
        None => Extended::ZERO,
        Some([]) if reads_empty => Extended::ZERO,
        Some(text) => Extended::parse(text).ok_or("ERR hash value is not a float")?,
    };
    let sum = old.plus(by).filter(Extended::is_finite).ok_or(errors::NOT_FINITE)?;
    let text = sum.to_text();
    put(cx, key, field, text.as_bytes(), "hincrbyfloat")?;
    cx.out.bulk(text.as_bytes());
    Ok(())
}

fn put(cx: &mut Cx<'_>, key: &[u8], field: &[u8], text: &[u8], event: &str) -> Outcome {
    let mut limits = cx.state.settings.limits;
    if !cx.has(v(7, 0)) {
        // Redis 4 looks at the number of fields only here.
        limits.hash_value = u64::MAX;
    }
    hash::set(cx.find_or_put(key, Value::hash)?, field, text, limits);
    cx.event(key, notify::HASH, event);
    Ok(())
}
