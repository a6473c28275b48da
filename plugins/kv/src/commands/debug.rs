//! DEBUG, as far as test suites need it and a server that goes on can do it.

use hotshell_plugin_api::collections::Bytes;
use hotshell_plugin_api::ctx::Level;

use crate::access::Access;
use crate::blocking::{self, Wish};
use crate::cx::{Cx, Outcome, int, is};
use crate::digest::{self, Digest};
use crate::errors;
use crate::flags::Flags;
use crate::glob;
use crate::number::parse_f64;
use crate::old_errors;
use crate::pause;
use crate::rdb;
use crate::reply::Reply;
use crate::table::{NO_KEYS, rows, v};
use crate::value::Value;

rows! { Server:
    "debug", -1, Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE), NO_KEYS, v(1, 0), debug,
        "Depends on subcommand.", "A container for debugging commands.";
    "debug", -2, Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE), NO_KEYS, v(5, 0), debug,
        "Depends on subcommand.", "A container for debugging commands.";
}

/// Keys that DEBUG POPULATE makes at most, in one call.
const MOST_POPULATED: usize = 10_000_000;

/// What suites do around their tests and what changes nothing here: there is nothing to write and read
/// again, and no such inner life.
const NO_OPS: [&str; 6] = [
    "change-repl-id",
    "dict-resizing",
    "loadaof",
    "quicklist-packed-threshold",
    "reload",
    "replybuffer",
];

fn debug(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    match *args {
        [_, word] if is(word, "help") => help(cx),
        [_, word, seconds] if is(word, "sleep") => sleep(cx, seconds),
        [_, word] if is(word, "digest") => {
            cx.out.simple(&digest::of_all(cx.state).text());
            Ok(())
        }
        [_, word, ref keys @ ..] if is(word, "digest-value") => digest_values(cx, keys),
        [_, word, ref rest @ ..] if is(word, "populate") && (1..=3).contains(&rest.len()) => {
            populate(cx, rest)
        }
        [_, word, text] if is(word, "log") => {
            let text = format!("DEBUG LOG: {}", String::from_utf8_lossy(text));
            cx.shell.log(Level::Warn, &text);
            cx.out.ok();
            Ok(())
        }
        [_, word, ..] if NO_OPS.iter().any(|known| is(word, known)) => {
            cx.out.ok();
            Ok(())
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
            cx.state.lazy_expiry = int(number).unwrap_or(0) == 0;
            cx.shell.wake_at(cx.now);
            cx.out.ok();
            Ok(())
        }
        [_, word, pattern, text] if is(word, "stringmatch-len") => {
            let matches = glob::matches(pattern, text, false);
            cx.out.int(i64::from(matches));
            Ok(())
        }
        [_, word, kind] if is(word, "protocol") && cx.has(v(6, 0)) => protocol(cx, kind),
        _ if !cx.has(v(5, 0)) => old_errors::of_subcommand(cx, args),
        _ => unknown(cx, args[1]),
    }
}

/// DEBUG HELP: what there is.
fn help(cx: &mut Cx<'_>) -> Outcome {
    const SUBS: [&str; 11] = [
        "DIGEST",
        "DIGEST-VALUE <key> [<key> ...]",
        "ERROR <string>",
        "LOG <message>",
        "OBJECT <key>",
        "PANIC",
        "POPULATE <count> [<prefix>] [<size>]",
        "PROTOCOL <type>",
        "SET-ACTIVE-EXPIRE <0|1>",
        "SLEEP <seconds>",
        "STRINGMATCH-LEN <pattern> <string>",
    ];
    cx.out.array(SUBS.len() + 1);
    cx.out.simple("DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    SUBS.iter().for_each(|sub| cx.out.simple(sub));
    Ok(())
}

/// Answers nobody for some seconds, as a server that sleeps; the shell and its engine do not sleep.
fn sleep(cx: &mut Cx<'_>, seconds: &[u8]) -> Outcome {
    // As C's `strtod`: what is no number is 0.
    let ms = (parse_f64(seconds).unwrap_or(0.0).max(0.0) * 1000.0) as u64;
    if ms > 0 && !cx.in_exec {
        let until_ms = cx.now.saturating_add(ms);
        pause::begin(cx.state, cx.shell, until_ms, false);
        blocking::wait(cx, &[], Wish::Sleep, until_ms);
        return Ok(());
    }
    cx.out.ok();
    Ok(())
}

fn digest_values(cx: &mut Cx<'_>, keys: &[&[u8]]) -> Outcome {
    cx.out.array(keys.len());
    for key in keys {
        let digest = cx.peek(key).map_or_else(Digest::default, digest::of_value);
        cx.out.simple(&digest.text());
    }
    Ok(())
}

/// Makes keys, unless they are there: their number, what their names begin with, how long their values
/// are.
fn populate(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let positive = |text| {
        let number = int(text).ok().and_then(|n| usize::try_from(n).ok());
        number.ok_or(errors::NOT_POSITIVE)
    };
    let count = positive(args[0])?;
    if count > MOST_POPULATED {
        return cx.error(&format!("ERR DEBUG POPULATE makes at most {MOST_POPULATED} keys"));
    }
    let prefix = String::from_utf8_lossy(args.get(1).copied().unwrap_or(b"key")).into_owned();
    let size = args.get(2).map_or(Ok(0), |size| positive(size))?;
    for n in 0..count {
        let (key, mut value) = (format!("{prefix}:{n}"), format!("value:{n}").into_bytes());
        if cx.get(key.as_bytes()).is_some() {
            continue;
        }
        if size > 0 {
            value.resize(size, 0);
        }
        cx.put(key.as_bytes(), Value::raw(Bytes::from(value.as_slice())));
        cx.tell(&[b"SET", key.as_bytes(), &value]);
    }
    cx.out.ok();
    Ok(())
}

fn unknown(cx: &mut Cx<'_>, word: &[u8]) -> Outcome {
    let word = String::from_utf8_lossy(&word[..word.len().min(128)]).into_owned();
    cx.error(&format!(
        "ERR unknown subcommand or wrong number of arguments for '{word}'. Try DEBUG HELP."
    ))
}

fn object(cx: &mut Cx<'_>, key: &[u8]) -> Outcome {
    let level = cx.table.redis;
    let now = cx.now;
    let Some(value) = cx.peek(key) else { return Err(errors::NO_SUCH_KEY) };
    // Without the byte for the type, as Redis counts.
    let (encoding, bytes) = (value.encoding(level), rdb::length(value) - 1);
    let access = Access::of(value.head().access);
    let (lru, idle_s) = (access.bits(), access.idle_seconds(now));
    cx.out.simple(&format!(
        "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:{bytes} lru:{lru} \
         lru_seconds_idle:{idle_s}"
    ));
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
        "attrib" => out.bulk(b"Some real reply following the attribute"),
        "push" if resp3 => {
            out.push(2);
            out.bulk(b"server-cpu-usage");
            out.int(42);
            out.bulk(b"Some real reply following the push reply");
        }
        "push" => return Err("ERR RESP2 is not supported by this command"),
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
                "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            );
        }
    }
    Ok(())
}
