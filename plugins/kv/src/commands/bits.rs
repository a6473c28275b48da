//! Strings as bits: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP.

use hotshell_plugin_api::collections::Bytes;

use super::range::bytes_mut;
use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{READ, READ_FAST, WRITE};
use crate::notify;
use crate::number::{self, Digits};
use crate::reply::Reply;
use crate::table::{Keys, ONE_KEY, rows, v};
use crate::value::{Kind, Value};

/// BITOP's keys: the target and the sources.
const FROM_SECOND: Keys = (2, -1, 1);

rows! { Bitmap:
    "setbit", 4, WRITE, ONE_KEY, v(2, 2), setbit,
        "O(1)",
        "Sets or clears the bit at offset of the string value. Creates the key if it doesn't exist.";
    "getbit", 3, READ_FAST, ONE_KEY, v(2, 2), getbit,
        "O(1)", "Returns a bit value by offset.";
    "bitcount", -2, READ, ONE_KEY, v(2, 6), bitcount,
        "O(N)", "Counts the number of set bits (population counting) in a string.";
    "bitpos", -3, READ, ONE_KEY, v(2, 8), bitpos,
        "O(N)", "Finds the first set (1) or clear (0) bit in a string.";
    "bitop", -4, WRITE, FROM_SECOND, v(2, 6), bitop,
        "O(N)", "Performs bitwise operations on multiple strings, and stores the result.";
}

/// Bits of the longest string.
pub(super) fn most(cx: &Cx<'_>) -> u64 {
    (cx.state.settings.max_bulk as u64).saturating_mul(8)
}

/// A bit's place in a string.
fn offset(cx: &Cx<'_>, text: &[u8]) -> Result<usize, &'static str> {
    let n = number::parse_i64(text).and_then(|n| u64::try_from(n).ok()).filter(|&n| n < most(cx));
    n.map(|n| n as usize).ok_or("ERR bit offset is not an integer or out of range")
}

/// The string at a key as bytes to write to, at least `len` of them, and whether it was shorter.
///
/// # Errors
/// When it is no string.
pub(super) fn grown<'a>(
    cx: &'a mut Cx<'_>,
    key: &[u8],
    len: usize,
) -> Result<(&'a mut Bytes, bool), &'static str> {
    if cx.find_mut(key, Kind::String)?.is_none() {
        // BITFIELD may change nothing after all: whoever watches hears of what is written.
        cx.put_new(key, Value::raw(Bytes::new()));
    }
    let bytes = bytes_mut(cx, key)?.ok_or(errors::NO_SUCH_KEY)?;
    let shorter = bytes.len() < len;
    if shorter {
        bytes.resize(len, 0);
    }
    Ok((bytes, shorter))
}

fn setbit(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let at = offset(cx, args[2])?;
    let on = match number::parse_i64(args[3]) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err("ERR bit is not an integer or out of range"),
    };
    let (bytes, shorter) = grown(cx, args[1], at / 8 + 1)?;
    let (byte, mask) = (&mut bytes[at / 8], 0x80 >> (at % 8));
    let old = *byte & mask != 0;
    if on {
        *byte |= mask
    } else {
        *byte &= !mask
    }
    // Redis 4 tells of every write.
    if shorter || old != on || !cx.has(v(7, 0)) {
        cx.event(args[1], notify::STRING, "setbit");
    }
    cx.out.int(i64::from(old));
    Ok(())
}

fn getbit(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let at = offset(cx, args[2])?;
    let (value, mut out) = cx.find(args[1], Kind::String)?;
    let mut digits = Digits::new();
    let text = value.and_then(|value| value.text(&mut digits)).unwrap_or_default();
    let bit = text.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0);
    out.int(i64::from(bit));
    Ok(())
}

/// Bits from the first to the last one, both included; empty when the first is behind the last.
#[derive(Debug, Clone, Copy)]
struct Part {
    first: i64,
    last: i64,
}

/// The part of a string of `len` bytes that `start end [BYTE|BIT]` means.
fn part(len: usize, start: i64, end: i64, bits: bool) -> Option<Part> {
    let total = len as i64 * if bits { 8 } else { 1 };
    let from_end = |n: i64| if n < 0 { n.saturating_add(total).max(0) } else { n };
    let (start, end) = (from_end(start), from_end(end).min(total - 1));
    if start > end {
        return None;
    }
    let (first, last) = if bits { (start, end) } else { (start * 8, end * 8 + 7) };
    Some(Part { first, last })
}

/// Whether a range counts bits; `BYTE` and `BIT` came with Redis 7.
fn unit(cx: &Cx<'_>, word: Option<&&[u8]>) -> Result<bool, &'static str> {
    match word {
        None => Ok(false),
        Some(word) if cx.has(v(7, 0)) && is(word, "bit") => Ok(true),
        Some(word) if cx.has(v(7, 0)) && is(word, "byte") => Ok(false),
        Some(_) => Err(errors::SYNTAX),
    }
}

/// The byte at `index`, of which only the bits of the part are left.
fn masked(text: &[u8], index: usize, part: Part) -> u8 {
    let (first, last) = (index as i64 * 8, index as i64 * 8 + 7);
    let before = (part.first - first).clamp(0, 8) as u32;
    let behind = (last - part.last).clamp(0, 8) as u32;
    let mask = 0xffu8.checked_shr(before).unwrap_or(0) & 0xffu8.checked_shl(behind).unwrap_or(0);
    text[index] & mask
}

fn bitcount(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    if cx.find(args[1], Kind::String)?.0.is_none() {
        cx.out.int(0);
        return Ok(());
    }
    let range = match args[2..] {
        [] => None,
        [_, _, _] if !cx.has(v(7, 0)) => return Err(errors::SYNTAX),
        [start, end] | [start, end, _] => {
            let (start, end) = (int(start)?, int(end)?);
            // Unlike BITPOS, which moves both to the first bit.
            if start < 0 && end < 0 && start > end {
                cx.out.int(0);
                return Ok(());
            }
            Some((start, end, unit(cx, args.get(4))?))
        }
        _ => return Err(errors::SYNTAX),
    };
    let (value, mut out) = cx.find(args[1], Kind::String)?;
    let mut digits = Digits::new();
    let text = value.and_then(|value| value.text(&mut digits)).unwrap_or_default();
    let (start, end, bits) = range.unwrap_or((0, -1, false));
    let count = match part(text.len(), start, end, bits) {
        Some(part) => {
            let (first, last) = (part.first as usize / 8, part.last as usize / 8);
            let edges = if first == last { &[first][..] } else { &[first, last] };
            let edges = edges.iter().map(|&at| masked(text, at, part).count_ones());
            let whole = text.get(first + 1..last).unwrap_or_default();
            edges.sum::<u32>() as i64
                + whole.iter().map(|byte| i64::from(byte.count_ones())).sum::<i64>()
        }
        None => 0,
    };
    out.int(count);
    Ok(())
}

fn bitpos(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let on = match int(args[2])? {
        0 => false,
        1 => true,
        _ => return Err("ERR The bit argument must be 1 or 0."),
    };
    if cx.find(args[1], Kind::String)?.0.is_none() {
        cx.out.int(if on { -1 } else { 0 });
        return Ok(());
    }
    let (mut start, mut end, mut bits) = (0, -1, false);
    match args[3..] {
        [] => {}
        [from] => start = int(from)?,
        [_, _, _] if !cx.has(v(7, 0)) => return Err(errors::SYNTAX),
        [from, to] | [from, to, _] => {
            (start, bits) = (int(from)?, unit(cx, args.get(5))?);
            end = int(to)?;
        }
        _ => return Err(errors::SYNTAX),
    }
    let open = args.len() < 5;
    let (value, mut out) = cx.find(args[1], Kind::String)?;
    let mut digits = Digits::new();
    let text = value.and_then(|value| value.text(&mut digits)).unwrap_or_default();
    out.int(match part(text.len(), start, end, bits) {
        None => -1,
        Some(part) => match position(text, on, part) {
            Some(at) => at,
            // Without an end, zeros follow the string.
            None if !on && open => text.len() as i64 * 8,
            None => -1,
        },
    });
    Ok(())
}

/// The first bit of a part that is `on` or not.
fn position(text: &[u8], on: bool, part: Part) -> Option<i64> {
    let idle = if on { 0 } else { 0xff };
    let (first, last) = (part.first as usize / 8, part.last as usize / 8);
    let skipped = text[first + 1..=last].iter().take_while(|&&byte| byte == idle).count();
    let near = [first, first + 1 + skipped].into_iter().filter(|&at| at <= last);
    let bits = near.flat_map(|at| at as i64 * 8..at as i64 * 8 + 8);
    let inside = bits.filter(|bit| (part.first..=part.last).contains(bit));
    let is_on = |bit: &i64| text[*bit as usize / 8] & (0x80 >> (bit % 8)) != 0;
    inside.into_iter().find(|bit| is_on(bit) == on)
}

fn bitop(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    let join: fn(u8, u8) -> u8 = match args[1] {
        word if is(word, "and") => |a, b| a & b,
        word if is(word, "or") => |a, b| a | b,
        word if is(word, "xor") => |a, b| a ^ b,
        word if is(word, "not") => |_, b| !b,
        _ => return Err(errors::SYNTAX),
    };
    if is(args[1], "not") && args.len() != 4 {
        return Err("ERR BITOP NOT must be called with a single source key.");
    }
    for key in &args[3..] {
        cx.find(key, Kind::String)?;
    }
    let space = &cx.state.dbs[cx.session.db as usize].keys;
    let len_of = |key: &&[u8]| {
        space.get(*key).and_then(|value| value.text(&mut Digits::new()).map(<[u8]>::len))
    };
    let len = args[3..].iter().filter_map(len_of).max().unwrap_or(0);
    let mut made = Bytes::new();
    made.resize(len, 0);
    for (n, &key) in args[3..].iter().enumerate() {
        let mut digits = Digits::new();
        let text = space.get(key).and_then(|value| value.text(&mut digits)).unwrap_or_default();
        let first = n == 0 && !is(args[1], "not");
        for (at, byte) in made.iter_mut().enumerate() {
            let other = text.get(at).copied().unwrap_or(0);
            *byte = if first { other } else { join(*byte, other) };
        }
    }
    if len == 0 {
        cx.delete(args[2]);
    } else {
        cx.put(args[2], Value::raw(made));
        cx.notify(notify::STRING, "set", args[2]);
    }
    cx.out.int(len as i64);
    Ok(())
}
