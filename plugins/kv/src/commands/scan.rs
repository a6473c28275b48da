//! KEYS and SCAN.

use hotshell_plugin_api::collections::Bytes;

use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::READ;
use crate::glob;
use crate::number::{self, Digits};
use crate::reply::Reply;
use crate::table::{NO_KEYS, rows, v};

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

/// The options of SCAN and its like.
#[derive(Debug)]
pub struct Options<'a> {
    pattern: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    /// About how many are wanted.
    pub count: usize,
}

impl<'a> Options<'a> {
    /// Reads them; `kinds`: whether TYPE is one.
    ///
    /// # Errors
    /// When they are none.
    pub fn read(args: &[&'a [u8]], kinds: bool) -> Result<Self, &'static str> {
        let mut all = Self { pattern: None, kind: None, count: 10 };
        let (options, rest) = args.as_chunks::<2>();
        for [word, value] in options {
            if is(word, "count") {
                let count = int(value)?;
                all.count = usize::try_from(count).ok().filter(|&n| n > 0).ok_or(errors::SYNTAX)?;
            } else if is(word, "match") {
                all.pattern = Some(*value).filter(|p| *p != b"*");
            } else if is(word, "type") && kinds {
                all.kind = Some(*value);
            } else {
                return Err(errors::SYNTAX);
            }
        }
        if rest.is_empty() { Ok(all) } else { Err(errors::SYNTAX) }
    }

    /// Whether a name is wanted.
    pub fn wants(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name, false))
    }
}

/// Reads a cursor.
///
/// # Errors
/// When it is none.
pub fn cursor(text: &[u8]) -> Result<u64, &'static str> {
    number::parse_cursor(text).ok_or(errors::CURSOR)
}

fn scan(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let cursor = cursor(args[1])?;
    let options = Options::read(&args[2..], cx.has(v(6, 0)))?;
    let mut found: Vec<Bytes> = Vec::new();
    let space = cx.state.db(cx.session.db);
    let next = space.keys.scan(cursor, options.count, |key, _| {
        if options.wants(key) {
            found.push(key.clone());
        }
    });
    // A walk over all keys uses none of them: it would make them all look as hot as each other.
    found.retain(|key| match options.kind {
        Some(kind) => cx.peek(key).is_some_and(|value| is(kind, value.type_name())),
        None => {
            cx.refresh(key);
            cx.db().keys.contains_key(key)
        }
    });
    cx.out.array(2);
    cx.out.bulk(Digits::new().unsigned(next));
    cx.out.array(found.len());
    found.iter().for_each(|key| cx.out.bulk(key));
    Ok(())
}
