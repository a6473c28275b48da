//! Sets of sets: SINTER, SUNION, SDIFF, each with STORE, and SINTERCARD.

use crate::cx::{Cx, Outcome};
use crate::errors;
use crate::flags::{READ, WRITE};
use crate::notify;
use crate::number;
use crate::reply::Reply;
use crate::set;
use crate::table::{ALL_KEYS, Keys, rows, v};
use crate::value::{Kind, Value};

const COUNTED: Keys = (0, 0, 0);

rows! { Set:
    "sinter", -2, READ, ALL_KEYS, v(1, 0), sinter,
        "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        "Returns the intersect of multiple sets.";
    "sinterstore", -3, WRITE, ALL_KEYS, v(1, 0), sinterstore,
        "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        "Stores the intersect of multiple sets in a key.";
    "sintercard", -3, READ, COUNTED, v(7, 0), sintercard,
        "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        "Returns the number of members of the intersect of multiple sets.";
    "sunion", -2, READ, ALL_KEYS, v(1, 0), sunion,
        "O(N) where N is the total number of elements in all given sets.",
        "Returns the union of multiple sets.";
    "sunionstore", -3, WRITE, ALL_KEYS, v(1, 0), sunionstore,
        "O(N) where N is the total number of elements in all given sets.",
        "Stores the union of multiple sets in a key.";
    "sdiff", -2, READ, ALL_KEYS, v(1, 0), sdiff,
        "O(N) where N is the total number of elements in all given sets.",
        "Returns the difference of multiple sets.";
    "sdiffstore", -3, WRITE, ALL_KEYS, v(1, 0), sdiffstore,
        "O(N) where N is the total number of elements in all given sets.",
        "Stores the difference of multiple sets in a key.";
}

/// What is made of several sets.
type Make = fn(&mut Cx<'_>, &[&[u8]]) -> Result<Value, &'static str>;

fn sinter(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    reply(cx, &args[1..], intersection)
}

fn sinterstore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    store(cx, args, intersection, "sinterstore")
}

fn sunion(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    reply(cx, &args[1..], union)
}

fn sunionstore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    store(cx, args, union, "sunionstore")
}

fn sdiff(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    reply(cx, &args[1..], difference)
}

fn sdiffstore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    store(cx, args, difference, "sdiffstore")
}

fn reply(cx: &mut Cx<'_>, keys: &[&[u8]], make: Make) -> Outcome {
    let made = make(cx, keys)?;
    cx.out.set(made.len());
    made.each(|(member, _)| member.reply(&mut cx.out));
    Ok(())
}

fn store(cx: &mut Cx<'_>, args: &[&[u8]], make: Make, name: &str) -> Outcome {
    if cx.has(v(7, 0)) {
        cx.mark.looks();
    }
    let made = make(cx, &args[2..])?;
    let len = cx.store(args[1], made, notify::SET, name);
    cx.out.int(len as i64);
    Ok(())
}

/// The sets at keys.
fn sets<'a>(cx: &'a mut Cx<'_>, keys: &[&[u8]]) -> Result<Vec<Option<&'a Value>>, &'static str> {
    for key in keys {
        cx.find(key, Kind::Set)?;
    }
    let space = &cx.state.dbs[cx.session.db as usize].keys;
    Ok(keys.iter().map(|&key| space.get(key)).collect())
}

fn union(cx: &mut Cx<'_>, keys: &[&[u8]]) -> Result<Value, &'static str> {
    let limits = cx.state.settings.limits;
    let mut made = Value::set();
    for other in sets(cx, keys)?.into_iter().flatten() {
        other.each(|(member, _)| {
            set::add(&mut made, member, limits);
        });
    }
    Ok(made)
}

fn difference(cx: &mut Cx<'_>, keys: &[&[u8]]) -> Result<Value, &'static str> {
    let limits = cx.state.settings.limits;
    let sets = sets(cx, keys)?;
    let mut made = Value::set();
    if let Some(first) = sets[0] {
        first.each(|(member, _)| {
            if !sets[1..].iter().flatten().any(|other| set::has(other, member)) {
                set::add(&mut made, member, limits);
            }
        });
    }
    Ok(made)
}

fn intersection(cx: &mut Cx<'_>, keys: &[&[u8]]) -> Result<Value, &'static str> {
    intersect(cx, keys, usize::MAX)
}

/// Up to `limit` members that all sets have.
fn intersect(cx: &mut Cx<'_>, keys: &[&[u8]], limit: usize) -> Result<Value, &'static str> {
    let mut keys = keys;
    if !cx.has(v(7, 0)) {
        // Older versions did not look behind a set that is not there.
        for (n, key) in keys.iter().enumerate() {
            if cx.find(key, Kind::Set)?.0.is_none() {
                keys = &keys[..=n];
                break;
            }
        }
    }
    let limits = cx.state.settings.limits;
    let mut made = Value::set();
    let sets: Option<Vec<&Value>> = sets(cx, keys)?.into_iter().collect();
    let Some(mut sets) = sets else { return Ok(made) };
    sets.sort_by_key(|set| set.len());
    let mut count = 0;
    sets[0].each(|(member, _)| {
        if count < limit && sets[1..].iter().all(|other| set::has(other, member)) {
            set::add(&mut made, member, limits);
            count += 1;
        }
    });
    Ok(made)
}

fn sintercard(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let count = number::parse_i64(args[1]).filter(|&n| n > 0);
    let count = count.ok_or("ERR numkeys should be greater than 0")? as usize;
    let Some((keys, options)) = args[2..].split_at_checked(count) else {
        return Err("ERR Number of keys can't be greater than number of args");
    };
    let limit = limit(options)?;
    let made = intersect(cx, keys, limit)?;
    cx.out.int(made.len() as i64);
    Ok(())
}

/// The LIMIT of SINTERCARD and ZINTERCARD; 0 is none.
pub(super) fn limit(options: &[&[u8]]) -> Result<usize, &'static str> {
    let mut limit = 0;
    let (pairs, rest) = options.as_chunks::<2>();
    for [word, text] in pairs {
        if !crate::cx::is(word, "limit") {
            return Err(errors::SYNTAX);
        }
        let n = number::parse_i64(text).and_then(|n| usize::try_from(n).ok());
        limit = n.ok_or("ERR LIMIT can't be negative")?;
    }
    if !rest.is_empty() {
        return Err(errors::SYNTAX);
    }
    Ok(if limit == 0 { usize::MAX } else { limit })
}
