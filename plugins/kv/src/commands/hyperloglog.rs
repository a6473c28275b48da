//! HyperLogLog: PFADD, PFCOUNT, PFMERGE.

use hotshell_plugin_api::collections::Bytes;

use super::range::bytes_mut;
use crate::cx::{Cx, Outcome, is};
use crate::errors;
use crate::flags::{Flags, READ, WRITE, WRITE_FAST};
use crate::hll;
use crate::notify;
use crate::reply::Reply;
use crate::table::{ALL_KEYS, Level, NO_KEYS, ONE_KEY, rows, v};
use crate::value::{Kind, Value};

rows! { HyperLogLog:
    "pfadd", -2, WRITE_FAST, ONE_KEY, v(2, 8), pfadd,
        "O(1) to add every element.",
        "Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.";
    "pfcount", -2, READ, ALL_KEYS, v(2, 8), pfcount,
        "O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.",
        "Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s).";
    "pfmerge", -2, WRITE, ALL_KEYS, v(2, 8), pfmerge,
        "O(N) to merge N HyperLogLogs, but with high constant times.",
        "Merges one or more HyperLogLog values into a single key.";
    "pfdebug", -3, WRITE.or(Flags::ADMIN), (2, 2, 1), Level::of(2, 8, 9), pfdebug,
        "N/A", "Shows, or changes, how a HyperLogLog is kept: for tests.";
    "pfdebug", 3, WRITE.or(Flags::ADMIN), (2, 2, 1), v(5, 0), pfdebug,
        "N/A", "Shows, or changes, how a HyperLogLog is kept: for tests.";
    "pfselftest", 1, Flags::ADMIN, NO_KEYS, Level::of(2, 8, 9), pfselftest,
        "N/A", "Tests HyperLogLogs.";
}

const NOT_HLL: &str = "WRONGTYPE Key is not a valid HyperLogLog string value.";

/// The key's bytes to change; a missing key gets an empty HyperLogLog. Whether it is new.
fn open<'a>(cx: &'a mut Cx<'_>, key: &[u8]) -> Result<(&'a mut Bytes, bool), &'static str> {
    let new = check(cx, key)?;
    if new {
        cx.put(key, Value::raw(hll::empty()));
    }
    Ok((bytes_mut(cx, key)?.ok_or(errors::NO_SUCH_KEY)?, new))
}

/// Whether the key is free.
fn check(cx: &mut Cx<'_>, key: &[u8]) -> Result<bool, &'static str> {
    match cx.find(key, Kind::String)?.0 {
        None => Ok(true),
        Some(Value::Str(_, bytes)) if hll::is_valid(bytes) => Ok(false),
        Some(_) => Err(NOT_HLL),
    }
}

fn pfadd(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let most = cx.state.settings.hll_sparse_bytes;
    let (bytes, mut changed) = open(cx, args[1])?;
    for text in &args[2..] {
        let (n, to) = hll::place(text);
        changed |= hll::raise_to(bytes, n, to, most)?;
    }
    if changed {
        hll::forget_estimate(bytes);
        cx.event(args[1], notify::STRING, "pfadd");
    }
    cx.out.int(i64::from(changed));
    Ok(())
}

/// The highest registers of all keys, and whether one of them is dense.
fn merged(cx: &mut Cx<'_>, keys: &[&[u8]]) -> Result<(Vec<u8>, bool), &'static str> {
    let (mut all, mut dense) = (vec![0; hll::REGISTERS], false);
    for key in keys {
        check(cx, key)?;
        if let (Some(Value::Str(_, bytes)), _) = cx.find(key, Kind::String)? {
            dense |= hll::is_dense(bytes);
            for (high, value) in all.iter_mut().zip(hll::registers(bytes)?) {
                *high = value.max(*high);
            }
        }
    }
    Ok((all, dense))
}

fn pfcount(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let count = match args[1..] {
        [key] if !check(cx, key)? => count_one(cx, key)?,
        ref keys => hll::count(&merged(cx, keys)?.0),
    };
    cx.out.int(count as i64);
    Ok(())
}

/// The estimate of one key, which is kept in it. That is a change of the key, as in Redis.
fn count_one(cx: &mut Cx<'_>, key: &[u8]) -> Result<u64, &'static str> {
    let bytes = bytes_mut(cx, key)?.ok_or(errors::NO_SUCH_KEY)?;
    if let Some(count) = hll::estimate(bytes) {
        return Ok(count);
    }
    let count = hll::count(&hll::registers(bytes)?);
    hll::keep_estimate(bytes, count);
    cx.touch(key);
    Ok(count)
}

fn pfmerge(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    let most = cx.state.settings.hll_sparse_bytes;
    let (all, dense) = merged(cx, &args[1..])?;
    // The target is looked up once more, to be changed.
    cx.mark.begin(false);
    let (bytes, _) = open(cx, args[1])?;
    if dense {
        hll::make_dense(bytes)?;
    }
    for (n, &value) in all.iter().enumerate().filter(|(_, value)| **value > 0) {
        hll::raise_to(bytes, n, value, most)?;
    }
    hll::forget_estimate(bytes);
    cx.event(args[1], notify::STRING, "pfadd");
    cx.out.ok();
    Ok(())
}

fn pfdebug(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (word, key) = (args[1], args[2]);
    if check(cx, key)? {
        return Err("ERR The specified key does not exist");
    }
    let known = ["decode", "encoding", "getreg", "todense"].iter().any(|known| is(word, known));
    if known && args.len() > 3 {
        let word = String::from_utf8_lossy(word);
        return cx.error(&format!("ERR Wrong number of arguments for the '{word}' subcommand"));
    }
    let bytes = bytes_mut(cx, key)?.ok_or(errors::NO_SUCH_KEY)?;
    let sparse = !hll::is_dense(bytes);
    match word {
        _ if is(word, "decode") && !sparse => return Err("ERR HLL encoding is not sparse"),
        _ if is(word, "decode") => {
            let text = hll::runs(bytes);
            cx.out.bulk(text.as_bytes());
        }
        _ if is(word, "encoding") => cx.out.simple(if sparse { "sparse" } else { "dense" }),
        _ if is(word, "getreg") => {
            hll::make_dense(bytes)?;
            let registers = hll::registers(bytes)?;
            cx.dirty |= sparse;
            cx.out.array(registers.len());
            registers.iter().for_each(|&value| cx.out.int(i64::from(value)));
        }
        _ if is(word, "todense") => {
            hll::make_dense(bytes)?;
            cx.dirty |= sparse;
            cx.out.int(i64::from(sparse));
        }
        _ => {
            let word = String::from_utf8_lossy(word);
            return cx.error(&format!("ERR Unknown PFDEBUG subcommand '{word}'"));
        }
    }
    Ok(())
}

fn pfselftest(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    hll::self_test()?;
    cx.out.ok();
    Ok(())
}
