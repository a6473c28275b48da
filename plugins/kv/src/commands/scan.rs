//! KEYS and SCAN.

use hotshell_plugin_api::collections::Bytes;

use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::READ;
use crate::glob;
use crate::number::{self, Digits};
use crate::reply::Reply;
use crate::table::{NO_KEYS, rows, v};
use crate::value::Value;

rows! { Generic:
    "keys", 2, READ, NO_KEYS, v(1, 0), keys,
        "O(N) with N being the number of keys in the database, under the assumption that the key names in the database and the given pattern have limited length.",
        "Returns all key names that match a pattern.";
    "scan", -2, READ, NO_KEYS, v(2, 8), scan,
        "O(1) for every call. O(N) for a complete iteration.",
        "Iterates over the key names in the database.";
}

fn keys(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (pattern, now) = (args[1], cx.now);
    let space = cx.state.db(cx.session.db);
    let all = pattern == b"*";
    let found = space.keys.iter().filter(|(key, value)| {
        (all || glob::matches(pattern, key, false))
            && !(value.expires() && space.expires.get(&key[..]).is_some_and(|&at| at <= now))
    });
    let found: Vec<&Bytes> = found.map(|(key, _)| key).collect();
    cx.out.array(found.len());
    found.iter().for_each(|key| cx.out.bulk(key));
    Ok(())
}

fn scan(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let cursor = number::parse_cursor(args[1]).ok_or(errors::CURSOR)?;
    let (mut pattern, mut count, mut kind) = (None, 10, None);
    let (options, rest) = args[2..].as_chunks::<2>();
    for [word, value] in options {
        if is(word, "count") {
            count = int(value)?;
            if count < 1 {
                return Err(errors::SYNTAX);
            }
        } else if is(word, "match") {
            pattern = Some(*value).filter(|p| *p != b"*");
        } else if is(word, "type") && cx.has(v(6, 0)) {
            kind = Some(*value);
        } else {
            return Err(errors::SYNTAX);
        }
    }
    if !rest.is_empty() {
        return Err(errors::SYNTAX);
    }
    let wanted = |key: &Bytes, value: &Value| {
        pattern.is_none_or(|pattern| glob::matches(pattern, key, false))
            && kind.is_none_or(|kind| is(kind, value.type_name()))
    };
    let mut found: Vec<Bytes> = Vec::new();
    let space = cx.state.db(cx.session.db);
    let next = space.keys.scan(cursor, count as usize, |key, value| {
        if wanted(key, value) {
            found.push(key.clone());
        }
    });
    found.retain(|key| cx.get(key).is_some());
    cx.out.array(2);
    cx.out.bulk(Digits::new().unsigned(next));
    cx.out.array(found.len());
    found.iter().for_each(|key| cx.out.bulk(key));
    Ok(())
}
