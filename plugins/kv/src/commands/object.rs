//! OBJECT and DEBUG, as far as they are about values.

use crate::cx::{Cx, Outcome, is};
use crate::errors;
use crate::flags::{Flags, READ};
use crate::reply::Reply;
use crate::table::{Keys, NO_KEYS, rows, v};

const SECOND: Keys = (2, 2, 1);

rows! { Generic:
    "object", -2, READ, SECOND, v(2, 2), object,
        "Depends on subcommand.", "A container for object introspection commands.";
    "debug", -2, Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE), NO_KEYS, v(1, 0), debug,
        "Depends on subcommand.", "A container for debugging commands.";
}

fn object(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let word = args[1];
    let known =
        ["encoding", "refcount", "idletime", "freq"].into_iter().find(|name| is(word, name));
    let Some(known) = known else { return cx.unknown_subcommand("object", word) };
    let &[_, _, key] = args else { return cx.arity(&format!("object|{known}")) };
    let value = cx.get(key).map(|value| value.encoding());
    match value {
        None if cx.has(v(5, 0)) => cx.out.null(),
        None => return Err(errors::NO_SUCH_KEY),
        Some(encoding) => match known {
            "encoding" => cx.out.bulk(encoding.as_bytes()),
            "refcount" => cx.out.int(1),
            "idletime" => cx.out.int(0),
            _ => {
                return Err(
                    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. \
                     Please note that when switching between policies at runtime LRU and LFU data \
                     will take some time to adjust.",
                );
            }
        },
    }
    Ok(())
}

fn debug(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    match *args {
        [_, word, ..] if is(word, "sleep") => {
            Err("ERR DEBUG SLEEP is not supported: a plugin must not block the server")
        }
        [_, word, key] if is(word, "object") => {
            let Some(value) = cx.get(key) else { return Err(errors::NO_SUCH_KEY) };
            let encoding = value.encoding();
            cx.out.simple(&format!(
                "Value at:0x0 refcount:1 encoding:{encoding} lru:0 lru_seconds_idle:0"
            ));
            Ok(())
        }
        _ => cx.unknown_subcommand("debug", args[1]),
    }
}
