//! Parts of strings: GETRANGE, SETRANGE, APPEND, STRLEN.

use hotshell_plugin_api::collections::Bytes;

use crate::cx::{Cx, Outcome, int};
use crate::errors;
use crate::flags::{READ, WRITE};
use crate::notify;
use crate::number::Digits;
use crate::reply::Reply;
use crate::table::{ONE_KEY, rows, v};
use crate::value::{HEAD_RAW, Value};

rows! { String:
    "getrange", 4, READ, ONE_KEY, v(2, 4), getrange,
        "O(N) where N is the length of the returned string.",
        "Returns a substring of the string stored at a key.";
    "substr", 4, READ, ONE_KEY, v(1, 0), getrange,
        "O(N) where N is the length of the returned string.",
        "Returns a substring from a string value.";
    "setrange", 4, WRITE, ONE_KEY, v(2, 2), setrange,
        "O(1), not counting the time taken to copy the new string in place.",
        "Overwrites a part of a string value with another by an offset.";
}

/// The bytes at `start ..= end`, both from the end when negative; `None` when that is nothing.
pub fn slice_range(len: usize, start: i64, end: i64) -> Option<core::ops::Range<usize>> {
    let len = len as i64;
    if start < 0 && end < 0 && start > end {
        return None;
    }
    let from_end = |n: i64| if n < 0 { (n + len).max(0) } else { n };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    (start <= end && len > 0).then(|| start as usize..end as usize + 1)
}

fn getrange(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (start, end) = (int(args[2])?, int(args[3])?);
    cx.get(args[1]);
    let mut digits = Digits::new();
    let text = match cx.state.db(cx.session.db).keys.get(args[1]) {
        None => &[],
        Some(value) => value.text(&mut digits).ok_or(errors::WRONG_TYPE)?,
    };
    let part = slice_range(text.len(), start, end).map_or(&[][..], |range| &text[range]);
    cx.out.bulk(part);
    Ok(())
}

pub(super) fn strlen(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let mut digits = Digits::new();
    let len = match cx.get(args[1]) {
        None => 0,
        Some(value) => value.text(&mut digits).ok_or(errors::WRONG_TYPE)?.len(),
    };
    cx.out.int(len as i64);
    Ok(())
}

/// The string at a key as bytes that can be changed in place.
///
/// # Errors
/// When it is no string.
pub(super) fn bytes_mut<'a>(
    cx: &'a mut Cx<'_>,
    key: &[u8],
) -> Result<Option<&'a mut Bytes>, &'static str> {
    let Some(value) = cx.get_mut(key) else { return Ok(None) };
    if let Value::Int(head, n) = value {
        *value = Value::Str(*head, Bytes::from(Digits::new().signed(*n)));
    }
    match value {
        Value::Str(head, bytes) => {
            head.flags |= HEAD_RAW;
            Ok(Some(bytes))
        }
        _ => Err(errors::WRONG_TYPE),
    }
}

pub(super) fn append(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (key, tail) = (args[1], args[2]);
    let mut digits = Digits::new();
    let old = match cx.get(key) {
        None => None,
        Some(value) => Some(value.text(&mut digits).ok_or(errors::WRONG_TYPE)?.len()),
    };
    let len = match old {
        None => {
            cx.put(key, Value::string(tail));
            cx.notify(notify::STRING, "append", key);
            tail.len()
        }
        Some(old) if (old + tail.len()) as i64 > cx.state.settings.max_bulk => {
            return Err(too_long(cx));
        }
        Some(old) => {
            if let Some(bytes) = bytes_mut(cx, key)? {
                bytes.extend_from_slice(tail);
            }
            cx.event(key, notify::STRING, "append");
            old + tail.len()
        }
    };
    cx.out.int(len as i64);
    Ok(())
}

fn setrange(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (key, part) = (args[1], args[3]);
    let offset = int(args[2])?;
    if offset < 0 {
        return Err(errors::OFFSET);
    }
    let mut digits = Digits::new();
    let old = match cx.get(key) {
        None => None,
        Some(value) => Some(value.text(&mut digits).ok_or(errors::WRONG_TYPE)?.len()),
    };
    if part.is_empty() {
        cx.out.int(old.unwrap_or(0) as i64);
        return Ok(());
    }
    let end = offset.saturating_add(part.len() as i64);
    if end > cx.state.settings.max_bulk {
        return Err(too_long(cx));
    }
    let (offset, end) = (offset as usize, end as usize);
    if old.is_none() {
        cx.put(key, Value::raw(Bytes::new()));
    }
    let mut len = end;
    if let Some(bytes) = bytes_mut(cx, key)? {
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset..end].copy_from_slice(part);
        len = bytes.len();
    }
    cx.event(key, notify::STRING, "setrange");
    cx.out.int(len as i64);
    Ok(())
}

fn too_long(cx: &Cx<'_>) -> &'static str {
    if cx.has(v(7, 0)) { errors::TOO_LONG } else { errors::OLD_TOO_LONG }
}
