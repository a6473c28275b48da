//! GET and its relatives: whole strings, one or many.

use super::set::{end, expire_at, options, put_string, reply_string};
use crate::ahead;
use crate::cx::{Cx, Outcome};
use crate::errors;
use crate::flags::{READ_FAST, REMOVE_FAST, WRITE, WRITE_FAST};
use crate::notify;
use crate::number::Digits;
use crate::reply::Reply;
use crate::table::{ALL_KEYS, ONE_KEY, rows, v};
use crate::value::Value;

rows! { String:
    "get", 2, READ_FAST, ONE_KEY, v(1, 0), get,
        "O(1)", "Returns the string value of a key.";
    "getdel", 2, REMOVE_FAST, ONE_KEY, v(6, 2), getdel,
        "O(1)", "Returns the string value of a key after deleting the key.";
    "getex", -2, REMOVE_FAST, ONE_KEY, v(6, 2), getex,
        "O(1)", "Returns the string value of a key after setting its expiration time.";
    "mget", -2, READ_FAST, ALL_KEYS, v(1, 0), mget,
        "O(N) where N is the number of keys to retrieve.",
        "Atomically returns the string values of one or more keys.";
    "mset", -3, WRITE, (1, -1, 2), v(1, 0), mset,
        "O(N) where N is the number of keys to set.",
        "Atomically creates or modifies the string values of one or more keys.";
    "msetnx", -3, WRITE, (1, -1, 2), v(1, 0), msetnx,
        "O(N) where N is the number of keys to set.",
        "Atomically modifies the string values of one or more keys only when all keys don't exist.";
    "append", 3, WRITE_FAST, ONE_KEY, v(2, 0), super::range::append,
        "O(1)", "Appends a string to the value of a key. Creates the key if it doesn't exist.";
    "strlen", 2, READ_FAST, ONE_KEY, v(2, 2), super::range::strlen,
        "O(1)", "Returns the length of a string value.";
}

fn get(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (value, mut out) = cx.get_and_out(args[1]);
    match value {
        Some(Value::Str(_, bytes)) => out.bulk(bytes),
        Some(Value::Int(_, n)) => out.bulk_int(*n),
        Some(_) => return Err(errors::WRONG_TYPE),
        None => out.null(),
    }
    Ok(())
}

fn getdel(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    reply_string(cx, args[1])?;
    cx.delete(args[1]);
    Ok(())
}

fn getex(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    let key = args[1];
    let options = options(cx, &args[2..], true)?;
    let Some(value) = cx.get(key) else {
        cx.out.null();
        return Ok(());
    };
    if !matches!(value, Value::Int(..) | Value::Str(..)) {
        return Err(errors::WRONG_TYPE);
    }
    let at = match end(cx, &options, "getex") {
        Ok(at) => at,
        Err(text) => return text.map_or(Ok(()), Err),
    };
    reply_string(cx, key)?;
    if let Some(at) = at {
        expire_at(cx, key, at);
    } else if options.persist && cx.db().persist(key) {
        cx.event(key, notify::GENERIC, "persist");
    }
    Ok(())
}

fn mget(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.out.array(args.len() - 1);
    let mut digits = Digits::new();
    for batch in args[1..].chunks(ahead::BATCH) {
        ahead::fetch(&cx.db().keys, batch);
        for &key in batch {
            let (value, mut out) = cx.get_and_out(key);
            out.bulk_or_null(value.and_then(|value| value.text(&mut digits)));
        }
    }
    Ok(())
}

fn mset(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    set_pairs(cx, args, "mset", false)
}

fn msetnx(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    set_pairs(cx, args, "msetnx", true)
}

fn set_pairs(cx: &mut Cx<'_>, args: &[&[u8]], name: &str, only_new: bool) -> Outcome {
    let (pairs, rest) = args[1..].as_chunks::<2>();
    if !rest.is_empty() {
        if cx.has(v(7, 0)) {
            return cx.arity(name);
        }
        return Err("ERR wrong number of arguments for MSET");
    }
    if only_new && pairs.iter().any(|[key, _]| cx.get(key).is_some()) {
        cx.out.int(0);
        return Ok(());
    }
    for batch in pairs.chunks(ahead::BATCH) {
        let mut keys: [&[u8]; ahead::BATCH] = Default::default();
        keys.iter_mut().zip(batch).for_each(|(to, [key, _])| *to = key);
        ahead::fetch(&cx.db().keys, &keys[..batch.len()]);
        for [key, value] in batch {
            put_string(cx, key, value);
        }
    }
    if only_new {
        cx.out.int(1);
    } else {
        cx.out.ok();
    }
    Ok(())
}
