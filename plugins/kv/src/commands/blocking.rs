//! Waiting for an element of the first list that has one: BLPOP, BRPOP, BRPOPLPUSH, BLMOVE.

use super::push_pop::{end, relay, take};
use crate::blocking::{self, Wish};
use crate::cx::{Cx, Outcome, int};
use crate::errors;
use crate::flags::Flags;
use crate::list::End;
use crate::number;
use crate::reply::Reply;
use crate::table::{Keys, rows, v};

const BLOCKING: Flags = Flags::WRITE.or(Flags::NOSCRIPT).or(Flags::BLOCKING);
const WAITS_TO_WRITE: Flags = BLOCKING.or(Flags::DENYOOM);
const TWO_KEYS: Keys = (1, 2, 1);
const ALL_BUT_LAST: Keys = (1, -2, 1);

rows! { List:
    "blpop", -3, BLOCKING, ALL_BUT_LAST, v(2, 0), blpop,
        "O(N) where N is the number of provided keys.",
        "Removes and returns the first element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.";
    "brpop", -3, BLOCKING, ALL_BUT_LAST, v(2, 0), brpop,
        "O(N) where N is the number of provided keys.",
        "Removes and returns the last element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.";
    "brpoplpush", 4, WAITS_TO_WRITE, TWO_KEYS, v(2, 2), brpoplpush,
        "O(1)",
        "Pops an element from a list, pushes it to another list and returns it. Block until an element is available otherwise. Deletes the list if the last element was popped.";
    "blmove", 6, WAITS_TO_WRITE, TWO_KEYS, v(6, 2), blmove,
        "O(1)",
        "Pops an element from a list, pushes it to another list and returns it. Blocks until an element is available otherwise. Deletes the list if the last element was moved.";
}

fn brpoplpush(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    move_or_wait(cx, args, End::Tail, End::Head)
}

fn blmove(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (from, to) = (end(args[3])?, end(args[4])?);
    move_or_wait(cx, args, from, to)
}

fn move_or_wait(cx: &mut Cx<'_>, args: &[&[u8]], from: End, to: End) -> Outcome {
    let (source, target) = (args[1], args[2]);
    let timeout_ms = timeout_ms(cx, args[args.len() - 1])?;
    if cx.list(source)?.is_some() || cx.in_exec {
        return relay(cx, source, target, from, to);
    }
    let until_ms = if timeout_ms == 0 { 0 } else { cx.now + timeout_ms };
    blocking::wait(cx, &[source], Wish::Move(from, target, to), until_ms);
    Ok(())
}

fn blpop(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    pop(cx, args, End::Head)
}

fn brpop(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    pop(cx, args, End::Tail)
}

fn pop(cx: &mut Cx<'_>, args: &[&[u8]], end: End) -> Outcome {
    let [_, keys @ .., timeout] = args else { return Err(errors::SYNTAX) };
    let timeout_ms = timeout_ms(cx, timeout)?;
    for &key in keys {
        if let Some(element) = take(cx, key, end)? {
            cx.out.array(2);
            cx.out.bulk(key);
            cx.out.bulk(&element);
            return Ok(());
        }
    }
    if cx.in_exec {
        cx.out.null_array();
        return Ok(());
    }
    let until_ms = if timeout_ms == 0 { 0 } else { cx.now + timeout_ms };
    blocking::wait(cx, keys, Wish::Elements(end, None), until_ms);
    Ok(())
}

/// A timeout in seconds, as milliseconds; 0 is for ever. Parts of seconds came with Redis 6.
pub(super) fn timeout_ms(cx: &Cx<'_>, text: &[u8]) -> Result<u64, &'static str> {
    let ms = if cx.has(v(6, 0)) {
        let seconds =
            number::parse_f64(text).ok_or("ERR timeout is not a float or out of range")?;
        let ms = (seconds * 1000.0).ceil();
        // Beyond 64 bits Redis' conversion comes out negative.
        if ms < i64::MAX as f64 { ms as i64 } else { -1 }
    } else {
        let seconds = int(text).map_err(|_| "ERR timeout is not an integer or out of range")?;
        seconds.saturating_mul(1000)
    };
    timeout_ms_of(cx, ms)
}

/// Checks a timeout in milliseconds.
pub(super) fn timeout_ms_of(cx: &Cx<'_>, ms: i64) -> Result<u64, &'static str> {
    if ms < 0 {
        return Err("ERR timeout is negative");
    }
    if ms > i64::MAX - cx.now as i64 {
        return Err("ERR timeout is out of range");
    }
    Ok(ms as u64)
}
