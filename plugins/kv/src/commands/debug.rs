//! DEBUG, as far as test suites need it and a server that goes on can do it.

use crate::cx::{Cx, Outcome, is};
use crate::errors;
use crate::flags::Flags;
use crate::glob;
use crate::reply::Reply;
use crate::table::{NO_KEYS, rows, v};

rows! { Server:
    "debug", -2, Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE), NO_KEYS, v(1, 0), debug,
        "Depends on subcommand.", "A container for debugging commands.";
}

fn debug(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    match *args {
        [_, word, ..] if is(word, "sleep") => {
            Err("ERR DEBUG SLEEP is not supported: a plugin must not block the server")
        }
        // Redis ends the process here; a plugin's panic costs one request.
        [_, word] if is(word, "panic") => panic!("called by DEBUG PANIC"),
        [_, word, text] if is(word, "error") => {
            let text = String::from_utf8_lossy(text).into_owned();
            cx.error(&text)
        }
        [_, word, key] if is(word, "object") => object(cx, key),
        [_, word, number] if is(word, "set-active-expire") => {
            // As C's `atoi`: what is no number is 0.
            cx.state.lazy_expiry = crate::cx::int(number).unwrap_or(0) == 0;
            cx.shell.wake_at(cx.now);
            cx.out.ok();
            Ok(())
        }
        // What they would write and read again is what is there.
        [_, word, ..] if is(word, "reload") || is(word, "loadaof") => {
            cx.out.ok();
            Ok(())
        }
        [_, word, pattern, text] if is(word, "stringmatch-len") => {
            let matches = glob::matches(pattern, text, false);
            cx.out.int(i64::from(matches));
            Ok(())
        }
        [_, word, kind] if is(word, "protocol") && cx.has(v(6, 0)) => protocol(cx, kind),
        _ => unknown(cx, args[1]),
    }
}

fn unknown(cx: &mut Cx<'_>, word: &[u8]) -> Outcome {
    let word = String::from_utf8_lossy(&word[..word.len().min(128)]).into_owned();
    cx.error(&format!(
        "ERR unknown subcommand or wrong number of arguments for '{word}'. Try DEBUG HELP."
    ))
}

fn object(cx: &mut Cx<'_>, key: &[u8]) -> Outcome {
    let level = cx.table.redis;
    let Some(value) = cx.peek(key) else { return Err(errors::NO_SUCH_KEY) };
    let encoding = value.encoding(level);
    cx.out.simple(&format!("Value at:0x0 refcount:1 encoding:{encoding} lru:0 lru_seconds_idle:0"));
    Ok(())
}

/// A reply of each type of RESP, for tests of clients.
#[allow(clippy::approx_constant, reason = "clients expect Redis' number")]
fn protocol(cx: &mut Cx<'_>, kind: &[u8]) -> Outcome {
    let resp3 = cx.out.is_resp3();
    let out = &mut cx.out;
    let numbers = |out: &mut crate::reply::Out<'_>| (0..3).for_each(|n| out.int(n));
    match String::from_utf8_lossy(kind).to_ascii_lowercase().as_str() {
        "string" => out.bulk(b"Hello World"),
        "integer" => out.int(12345),
        "double" => out.double(3.141),
        "null" => out.null(),
        "array" => {
            out.array(3);
            numbers(out);
        }
        "set" => {
            out.set(3);
            numbers(out);
        }
        "map" => {
            out.map(3);
            for n in 0..3 {
                out.int(n);
                out.truth(n == 1);
            }
        }
        "attrib" if resp3 => {
            out.put(b"|1\r\n");
            out.bulk(b"key-popularity");
            out.array(2);
            out.bulk(b"key:123");
            out.int(90);
            out.bulk(b"Some real reply following the attribute");
        }
        "attrib" => return Err("ERR RESP2 does not support attributes"),
        "push" if resp3 => {
            out.push(2);
            out.bulk(b"server-cpu-usage");
            out.int(42);
        }
        "push" => return Err("ERR RESP2 does not support push type"),
        "verbatim" => out.verbatim(b"This is a verbatim\nstring"),
        "true" => out.truth(true),
        "false" => out.truth(false),
        "bignum" => {
            let digits = b"1234567999999999999999999999999999999";
            if !resp3 {
                out.bulk(digits);
                return Ok(());
            }
            out.put(b"(");
            out.put(digits);
            out.put(b"\r\n");
        }
        _ => {
            return Err(
                "ERR Wrong protocol type name. Please use one of the following: string|integer|double|null|array|set|map|attrib|push|verbatim|true|false",
            );
        }
    }
    Ok(())
}
