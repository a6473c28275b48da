//! SET and its older forms.

use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{WRITE, WRITE_FAST};
use crate::keyspace::Put;
use crate::notify;
use crate::number::Digits;
use crate::reply::Reply;
use crate::table::{ONE_KEY, rows, v};

rows! { String:
    "set", -3, WRITE, ONE_KEY, v(1, 0), set,
        "O(1)", "Sets the string value of a key, ignoring its type.";
    "setnx", 3, WRITE_FAST, ONE_KEY, v(1, 0), setnx,
        "O(1)", "Set the string value of a key only when the key doesn't exist.";
    "setex", 4, WRITE, ONE_KEY, v(2, 0), setex,
        "O(1)", "Sets the string value and expiration time of a key.";
    "psetex", 4, WRITE, ONE_KEY, v(2, 6), psetex,
        "O(1)", "Sets both string value and expiration time in milliseconds of a key.";
    "getset", 3, WRITE_FAST, ONE_KEY, v(1, 0), getset,
        "O(1)", "Returns the previous string value of a key after setting it to a new value.";
}

/// The options of SET and GETEX.
#[derive(Default)]
pub struct Options<'a> {
    only_new: bool,
    only_old: bool,
    get: bool,
    /// Leave the time to live as it is.
    pub keep_ttl: bool,
    /// Take the time to live away (GETEX).
    pub persist: bool,
    /// A time, in the unit.
    pub time: Option<(&'a [u8], Unit)>,
}

/// How a time is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Seconds, otherwise milliseconds.
    pub seconds: bool,
    /// Since the epoch, otherwise from now.
    pub absolute: bool,
}

const EX: Unit = Unit { seconds: true, absolute: false };
const PX: Unit = Unit { seconds: false, absolute: false };
const EXAT: Unit = Unit { seconds: true, absolute: true };
const PXAT: Unit = Unit { seconds: false, absolute: true };

/// Reads options; `getex` chooses those of GETEX.
pub fn options<'a>(
    cx: &Cx<'_>,
    args: &[&'a [u8]],
    getex: bool,
) -> Result<Options<'a>, &'static str> {
    let mut options = Options::default();
    let mut rest = args;
    while let Some((&word, more)) = rest.split_first() {
        rest = more;
        // The same unit twice is fine: the last one counts.
        let free = |unit| {
            let same = options.time.is_none_or(|(_, other)| other == unit);
            same && !options.keep_ttl && !options.persist
        };
        if !getex && is(word, "nx") && !options.only_old {
            options.only_new = true;
        } else if !getex && is(word, "xx") && !options.only_new {
            options.only_old = true;
        } else if !getex && is(word, "get") && cx.has(v(6, 2)) {
            options.get = true;
        } else if !getex && is(word, "keepttl") && options.time.is_none() && cx.has(v(6, 0)) {
            options.keep_ttl = true;
        } else if getex && is(word, "persist") && options.time.is_none() {
            options.persist = true;
        } else if let (Some(unit), Some((&time, more))) =
            (unit(cx, word).filter(|&u| free(u)), more.split_first())
        {
            options.time = Some((time, unit));
            rest = more;
        } else {
            return Err(errors::SYNTAX);
        }
    }
    Ok(options)
}

fn unit(cx: &Cx<'_>, word: &[u8]) -> Option<Unit> {
    let at = cx.has(v(6, 2));
    match () {
        () if is(word, "ex") => Some(EX),
        () if is(word, "px") => Some(PX),
        () if at && is(word, "exat") => Some(EXAT),
        () if at && is(word, "pxat") => Some(PXAT),
        () => None,
    }
}

/// The end of a time to live in milliseconds since the epoch; `None` when it is not above zero or does
/// not fit.
fn deadline(now: u64, n: i64, unit: Unit) -> Option<u64> {
    if n <= 0 {
        return None;
    }
    let ms = if unit.seconds { n.checked_mul(1000)? } else { n };
    let at = if unit.absolute { ms } else { ms.checked_add(now as i64)? };
    Some(at as u64)
}

/// The end of the time to live that options ask for. `Err(None)` when the error is written already.
pub fn end(
    cx: &mut Cx<'_>,
    options: &Options<'_>,
    name: &str,
) -> Result<Option<u64>, Option<&'static str>> {
    let Some((time, unit)) = options.time else { return Ok(None) };
    let n = int(time)?;
    match deadline(cx.now, n, unit) {
        Some(at) => Ok(Some(at)),
        None => {
            let _ = invalid_time(cx, name);
            Err(None)
        }
    }
}

/// The error for a time to live that cannot be.
pub fn invalid_time(cx: &mut Cx<'_>, name: &str) -> Outcome {
    if cx.has(v(7, 0)) {
        return cx.error(&format!("ERR invalid expire time in '{name}' command"));
    }
    cx.error(&format!("ERR invalid expire time in {name}"))
}

fn set(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (key, value) = (args[1], args[2]);
    if args.len() > 3 {
        return set_with(cx, args);
    }
    put_string(cx, key, value);
    cx.out.ok();
    Ok(())
}

/// Sets a key to a string, without a time to live, and tells of it.
#[inline(always)]
pub(super) fn put_string(cx: &mut Cx<'_>, key: &[u8], value: &[u8]) {
    let access = cx.access_of_set(key);
    match cx.db().put_string(key, value, access) {
        Put::String => {}
        Put::Collection(old) => {
            cx.replaced(cx.session.db, key, &old);
            cx.bury(old);
        }
        Put::New => cx.notify(notify::NEW, "new", key),
    }
    cx.event(key, notify::STRING, "set");
}

#[inline(never)]
fn set_with(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (key, value) = (args[1], args[2]);
    let options = options(cx, &args[3..], false)?;
    if options.get && options.only_new && !cx.has(v(7, 0)) {
        return Err(errors::SYNTAX);
    }
    let at = match end(cx, &options, "set") {
        Ok(at) => at,
        Err(text) => return text.map_or(Ok(()), Err),
    };
    cx.refresh(key);
    if options.get {
        cx.mark.looks();
        reply_string(cx, key)?;
    }
    let exists = cx.db().keys.contains_key(key);
    if (options.only_new && exists) || (options.only_old && !exists) {
        // A use all the same.
        cx.get(key);
        if !options.get {
            cx.out.null();
        }
        return Ok(());
    }
    let kept = if options.keep_ttl { cx.db().expiry(key) } else { None };
    put_string(cx, key, value);
    if let Some(at) = at {
        expire_at(cx, key, at);
    } else if let Some(at) = kept {
        cx.set_expiry(key, at);
    }
    if !options.get {
        cx.out.ok();
    }
    Ok(())
}

/// Sets when a key ends; one whose time is over already goes at once.
pub fn expire_at(cx: &mut Cx<'_>, key: &[u8], at: u64) {
    if at <= cx.now {
        cx.delete(key);
    } else {
        cx.set_expiry(key, at);
        cx.event(key, notify::GENERIC, "expire");
    }
}

/// Replies with the string at a key, or null.
///
/// # Errors
/// When it is no string.
pub fn reply_string(cx: &mut Cx<'_>, key: &[u8]) -> Outcome {
    let mut digits = Digits::new();
    let (value, mut out) = cx.get_and_out(key);
    match value {
        None => out.null(),
        Some(value) => match value.text(&mut digits) {
            Some(text) => out.bulk(text),
            None => return Err(errors::WRONG_TYPE),
        },
    }
    Ok(())
}

fn setnx(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let new = cx.get(args[1]).is_none();
    if new {
        put_string(cx, args[1], args[2]);
    }
    cx.out.int(i64::from(new));
    Ok(())
}

fn setex(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    set_for(cx, args, EX, "setex")
}

fn psetex(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    set_for(cx, args, PX, "psetex")
}

fn set_for(cx: &mut Cx<'_>, args: &[&[u8]], unit: Unit, name: &str) -> Outcome {
    let Some(at) = deadline(cx.now, int(args[2])?, unit) else {
        return invalid_time(cx, name);
    };
    put_string(cx, args[1], args[3]);
    cx.set_expiry(args[1], at);
    cx.notify(notify::GENERIC, "expire", args[1]);
    cx.out.ok();
    Ok(())
}

fn getset(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    reply_string(cx, args[1])?;
    put_string(cx, args[1], args[2]);
    Ok(())
}
