//! Times to live: EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, TTL, PTTL, EXPIRETIME, PEXPIRETIME, PERSIST.

use super::set::{expire_at, invalid_time};
use crate::cx::{Cx, Outcome, int, is};
use crate::flags::{READ_FAST, REMOVE_FAST};
use crate::notify;
use crate::reply::Reply;
use crate::table::{ONE_KEY, rows, v};

rows! { Generic:
    "expire", 3, REMOVE_FAST, ONE_KEY, v(1, 0), expire,
        "O(1)", "Sets the expiration time of a key in seconds.";
    "expire", -3, REMOVE_FAST, ONE_KEY, v(7, 0), expire,
        "O(1)", "Sets the expiration time of a key in seconds.";
    "pexpire", 3, REMOVE_FAST, ONE_KEY, v(2, 6), pexpire,
        "O(1)", "Sets the expiration time of a key in milliseconds.";
    "pexpire", -3, REMOVE_FAST, ONE_KEY, v(7, 0), pexpire,
        "O(1)", "Sets the expiration time of a key in milliseconds.";
    "expireat", 3, REMOVE_FAST, ONE_KEY, v(1, 2), expireat,
        "O(1)", "Sets the expiration time of a key to a Unix timestamp.";
    "expireat", -3, REMOVE_FAST, ONE_KEY, v(7, 0), expireat,
        "O(1)", "Sets the expiration time of a key to a Unix timestamp.";
    "pexpireat", 3, REMOVE_FAST, ONE_KEY, v(2, 6), pexpireat,
        "O(1)", "Sets the expiration time of a key to a Unix milliseconds timestamp.";
    "pexpireat", -3, REMOVE_FAST, ONE_KEY, v(7, 0), pexpireat,
        "O(1)", "Sets the expiration time of a key to a Unix milliseconds timestamp.";
    "ttl", 2, READ_FAST, ONE_KEY, v(1, 0), ttl,
        "O(1)", "Returns the expiration time in seconds of a key.";
    "pttl", 2, READ_FAST, ONE_KEY, v(2, 6), pttl,
        "O(1)", "Returns the expiration time in milliseconds of a key.";
    "expiretime", 2, READ_FAST, ONE_KEY, v(7, 0), expiretime,
        "O(1)", "Returns the expiration time of a key as a Unix timestamp.";
    "pexpiretime", 2, READ_FAST, ONE_KEY, v(7, 0), pexpiretime,
        "O(1)", "Returns the expiration time of a key as a Unix milliseconds timestamp.";
    "persist", 2, REMOVE_FAST, ONE_KEY, v(2, 2), persist,
        "O(1)", "Removes the expiration time of a key.";
}

fn expire(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    set_end(cx, args, true, false, "expire")
}

fn pexpire(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    set_end(cx, args, false, false, "pexpire")
}

fn expireat(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    set_end(cx, args, true, true, "expireat")
}

fn pexpireat(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    set_end(cx, args, false, true, "pexpireat")
}

/// Which ends are replaced.
#[derive(Default)]
struct When {
    none: bool,
    some: bool,
    later: bool,
    earlier: bool,
}

fn when(cx: &mut Cx<'_>, words: &[&[u8]]) -> Result<When, Option<&'static str>> {
    let mut when = When::default();
    for word in words {
        match () {
            () if is(word, "nx") => when.none = true,
            () if is(word, "xx") => when.some = true,
            () if is(word, "gt") => when.later = true,
            () if is(word, "lt") => when.earlier = true,
            () => {
                let word = String::from_utf8_lossy(word).into_owned();
                let _ = cx.error(&format!("ERR Unsupported option {word}"));
                return Err(None);
            }
        }
    }
    if when.none && (when.some || when.later || when.earlier) {
        return Err(Some("ERR NX and XX, GT or LT options at the same time are not compatible"));
    }
    if when.later && when.earlier {
        return Err(Some("ERR GT and LT options at the same time are not compatible"));
    }
    Ok(when)
}

fn set_end(cx: &mut Cx<'_>, args: &[&[u8]], seconds: bool, absolute: bool, name: &str) -> Outcome {
    let key = args[1];
    let when = match when(cx, &args[3..]) {
        Ok(when) => when,
        Err(text) => return text.map_or(Ok(()), Err),
    };
    let n = int(args[2])?;
    let ms = if seconds { n.checked_mul(1000) } else { Some(n) };
    let at = ms.and_then(|ms| if absolute { Some(ms) } else { ms.checked_add(cx.now as i64) });
    let at = match at {
        Some(at) => at,
        None if cx.has(v(7, 0)) => return invalid_time(cx, name),
        // Redis 4 did not look.
        None => n.wrapping_mul(if seconds { 1000 } else { 1 }).wrapping_add(cx.now as i64),
    };
    let at = at.max(0) as u64;
    if cx.get(key).is_none() {
        cx.out.int(0);
        return Ok(());
    }
    let old = cx.db().expiry(key);
    let refused = (when.none && old.is_some())
        || (when.some && old.is_none())
        || (when.later && old.is_none_or(|old| at <= old))
        || (when.earlier && old.is_some_and(|old| at >= old));
    if refused {
        cx.out.int(0);
        return Ok(());
    }
    expire_at(cx, key, at);
    cx.out.int(1);
    Ok(())
}

fn ttl(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    reply_end(cx, args[1], |at, now| (at - now + 500) / 1000)
}

fn pttl(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    reply_end(cx, args[1], |at, now| at - now)
}

fn expiretime(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    reply_end(cx, args[1], |at, _| (at + 500) / 1000)
}

fn pexpiretime(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    reply_end(cx, args[1], |at, _| at)
}

/// -2 without the key, -1 without an end, otherwise what `tell` makes of the end and the time.
fn reply_end(cx: &mut Cx<'_>, key: &[u8], tell: fn(u64, u64) -> u64) -> Outcome {
    let n = if cx.peek(key).is_none() {
        -2
    } else {
        let now = cx.now;
        cx.db().expiry(key).map_or(-1, |at| tell(at, now) as i64)
    };
    cx.out.int(n);
    Ok(())
}

fn persist(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let changed = cx.get(args[1]).is_some() && cx.db().persist(args[1]);
    if changed {
        // Redis 4 tells nobody.
        if cx.has(v(6, 0)) {
            cx.event(args[1], notify::GENERIC, "persist");
        }
        cx.dirty = true;
    }
    cx.out.int(i64::from(changed));
    Ok(())
}
