//! Hashes: HSET, HSETNX, HMSET, HGET, HMGET, HGETALL, HDEL, HLEN, HEXISTS, HKEYS, HVALS, HSTRLEN.

use crate::cx::{Cx, Outcome};
use crate::flags::{READ, READ_FAST, REMOVE_FAST, WRITE_FAST};
use crate::hash;
use crate::members::Entry;
use crate::notify;
use crate::reply::Reply;
use crate::table::{ONE_KEY, rows, v};
use crate::value::{Kind, Value};

rows! { Hash:
    "hset", -4, WRITE_FAST, ONE_KEY, v(2, 0), hset,
        "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.",
        "Creates or modifies the value of a field in a hash.";
    "hmset", -4, WRITE_FAST, ONE_KEY, v(2, 0), hmset,
        "O(N) where N is the number of fields being set.", "Sets the values of multiple fields.";
    "hsetnx", 4, WRITE_FAST, ONE_KEY, v(2, 0), hsetnx,
        "O(1)", "Sets the value of a field in a hash only when the field doesn't exist.";
    "hget", 3, READ_FAST, ONE_KEY, v(2, 0), hget,
        "O(1)", "Returns the value of a field in a hash.";
    "hmget", -3, READ_FAST, ONE_KEY, v(2, 0), hmget,
        "O(N) where N is the number of fields being requested.",
        "Returns the values of all fields in a hash.";
    "hgetall", 2, READ, ONE_KEY, v(2, 0), hgetall,
        "O(N) where N is the size of the hash.", "Returns all fields and values in a hash.";
    "hkeys", 2, READ, ONE_KEY, v(2, 0), hkeys,
        "O(N) where N is the size of the hash.", "Returns all fields in a hash.";
    "hvals", 2, READ, ONE_KEY, v(2, 0), hvals,
        "O(N) where N is the size of the hash.", "Returns all values in a hash.";
    "hdel", -3, REMOVE_FAST, ONE_KEY, v(2, 0), hdel,
        "O(N) where N is the number of fields to be removed.",
        "Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain.";
    "hlen", 2, READ_FAST, ONE_KEY, v(2, 0), hlen,
        "O(1)", "Returns the number of fields in a hash.";
    "hexists", 3, READ_FAST, ONE_KEY, v(2, 0), hexists,
        "O(1)", "Determines whether a field exists in a hash.";
    "hstrlen", 3, READ_FAST, ONE_KEY, v(3, 2), hstrlen,
        "O(1)", "Returns the length of the value of a field.";
}

fn hset(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    if let Some(new) = set_pairs(cx, args, "hset")? {
        cx.out.int(new);
    }
    Ok(())
}

fn hmset(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    if set_pairs(cx, args, "hmset")?.is_some() {
        cx.out.ok();
    }
    Ok(())
}

/// Sets fields; how many are new. `None` when the error is written already.
fn set_pairs(cx: &mut Cx<'_>, args: &[&[u8]], name: &str) -> Result<Option<i64>, &'static str> {
    let (pairs, rest) = args[2..].as_chunks::<2>();
    if !rest.is_empty() {
        if cx.has(v(7, 0)) {
            cx.arity(name)?;
            return Ok(None);
        }
        return Err("ERR wrong number of arguments for HMSET");
    }
    let limits = cx.state.settings.limits;
    let new = cx.change_or_put(args[1], (Kind::Hash, Value::hash), |value| {
        hash::make_room(value, &args[2..], limits);
        pairs.iter().filter(|[field, text]| hash::set(value, field, text, limits)).count()
    })?;
    cx.event(args[1], notify::HASH, "hset");
    Ok(Some(new as i64))
}

fn hsetnx(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (limits, old) = (cx.state.settings.limits, !cx.has(v(7, 0)));
    let value = cx.find_or_put(args[1], Value::hash)?;
    let new = hash::get(value, args[2]).is_none();
    if !new && old {
        // Redis 4 makes room for what it does not set.
        hash::make_room(value, &args[2..], limits);
    }
    if new {
        hash::set(value, args[2], args[3], limits);
        cx.event(args[1], notify::HASH, "hset");
    }
    cx.out.int(i64::from(new));
    Ok(())
}

fn hget(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (value, mut out) = cx.find(args[1], Kind::Hash)?;
    out.bulk_or_null(value.and_then(|value| hash::get(value, args[2])));
    Ok(())
}

fn hmget(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (value, mut out) = cx.find(args[1], Kind::Hash)?;
    out.array(args.len() - 2);
    for field in &args[2..] {
        out.bulk_or_null(value.and_then(|value| hash::get(value, field)));
    }
    Ok(())
}

fn hgetall(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    reply_all(cx, args[1], 2, |(field, value)| [Some(field), value])
}

fn hkeys(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    reply_all(cx, args[1], 1, |(field, _)| [Some(field), None])
}

fn hvals(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    reply_all(cx, args[1], 1, |(_, value)| [value, None])
}

type Chosen<'a> = [Option<crate::element::Element<'a>>; 2];

/// Replies with `each` elements of every field and value.
fn reply_all(
    cx: &mut Cx<'_>,
    key: &[u8],
    each: usize,
    choose: impl for<'a> Fn(Entry<'a>) -> Chosen<'a>,
) -> Outcome {
    let (value, mut out) = cx.find(key, Kind::Hash)?;
    match (each, value.map_or(0, Value::len)) {
        (2, len) => out.map(len),
        (_, len) => out.array(len),
    }
    if let Some(value) = value {
        value.each(|entry| {
            choose(entry).into_iter().flatten().for_each(|element| element.reply(&mut out));
        });
    }
    Ok(())
}

fn hdel(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let removed = match cx.find_mut(args[1], Kind::Hash)? {
        None => 0,
        Some(value) => args[2..].iter().filter(|field| hash::remove(value, field)).count(),
    };
    if removed > 0 {
        cx.changed(args[1], notify::HASH, "hdel");
    }
    cx.out.int(removed as i64);
    Ok(())
}

fn hlen(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (value, mut out) = cx.find(args[1], Kind::Hash)?;
    out.int(value.map_or(0, Value::len) as i64);
    Ok(())
}

fn hexists(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (value, mut out) = cx.find(args[1], Kind::Hash)?;
    out.int(i64::from(value.is_some_and(|value| hash::get(value, args[2]).is_some())));
    Ok(())
}

fn hstrlen(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (value, mut out) = cx.find(args[1], Kind::Hash)?;
    let text = value.and_then(|value| hash::get(value, args[2]));
    out.int(text.map_or(0, <[u8]>::len) as i64);
    Ok(())
}
