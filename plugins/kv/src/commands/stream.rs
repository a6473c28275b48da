//! Streams by entry: XADD, XLEN, XRANGE, XREVRANGE, XDEL, XTRIM, XSETID; how ids are written.

use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{Flags, READ, READ_FAST, REMOVE_FAST, WRITE_FAST};
use crate::notify;
use crate::number;
use crate::reading::{reply_id, reply_range};
use crate::reply::Reply;
use crate::settings::Limits;
use crate::stream::{Bound, Id, Stream};
use crate::table::{ONE_KEY, rows, v};
use crate::value::{Kind, Value};

rows! { Stream:
    "xadd", -5, WRITE_FAST, ONE_KEY, v(5, 0), xadd,
        "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
        "Appends a new message to a stream. Creates the key if it doesn't exist.";
    "xlen", 2, READ_FAST, ONE_KEY, v(5, 0), xlen,
        "O(1)", "Return the number of messages in a stream.";
    "xrange", -4, READ, ONE_KEY, v(5, 0), xrange,
        "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
        "Returns the messages from a stream within a range of IDs.";
    "xrevrange", -4, READ, ONE_KEY, v(5, 0), xrevrange,
        "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
        "Returns the messages from a stream within a range of IDs in reverse order.";
    "xdel", -3, REMOVE_FAST, ONE_KEY, v(5, 0), xdel,
        "O(1) for each single item to delete in the stream, regardless of the stream size.",
        "Returns the number of messages after removing them from a stream.";
    "xtrim", -4, Flags::WRITE, ONE_KEY, v(5, 0), xtrim,
        "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.",
        "Deletes messages from the beginning of a stream.";
    "xsetid", -3, WRITE_FAST, ONE_KEY, v(5, 0), xsetid,
        "O(1)", "An internal command for replicating stream values.";
}

const INVALID_ID: &str = "ERR Invalid stream ID specified as stream command argument";
/// Longest text of an id that is looked at.
const ID_LEN: usize = 127;

/// An id as clients write it, with what a missing second number means.
///
/// # Errors
/// When it is none.
pub fn id(text: &[u8], missing: u64) -> Result<Id, &'static str> {
    let part = |text| unsigned(text).ok_or(INVALID_ID);
    if text.len() > ID_LEN {
        return Err(INVALID_ID);
    }
    match text.iter().position(|&b| b == b'-') {
        None => Ok(Id { ms: part(text)?, seq: missing }),
        Some(at) => Ok(Id { ms: part(&text[..at])?, seq: part(&text[at + 1..])? }),
    }
}

/// Reads half an id as C's `strtoull`, which takes spaces in front, and a sign.
fn unsigned(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    match text.strip_prefix(b"-") {
        Some(digits) if digits.first().is_some_and(u8::is_ascii_digit) => {
            number::parse_cursor(digits).map(u64::wrapping_neg)
        }
        _ => number::parse_cursor(text),
    }
}

/// An end of a range: an id, `-`, `+`, or `(` and an id, which is not part of it.
fn edge(text: &[u8], upper: bool) -> Result<Id, &'static str> {
    let missing = if upper { u64::MAX } else { 0 };
    match text {
        b"-" => Ok(Id::MIN),
        b"+" => Ok(Id::MAX),
        [b'(', rest @ ..] if !rest.is_empty() && upper => {
            id(rest, missing)?.previous().ok_or("ERR invalid end ID for the interval")
        }
        [b'(', rest @ ..] if !rest.is_empty() => {
            id(rest, missing)?.next().ok_or("ERR invalid start ID for the interval")
        }
        _ => id(text, missing),
    }
}

/// The lower end of a range.
///
/// # Errors
/// When it is none.
pub fn lower_edge(text: &[u8]) -> Result<Id, &'static str> {
    edge(text, false)
}

/// The upper end of a range.
///
/// # Errors
/// When it is none.
pub fn upper_edge(text: &[u8]) -> Result<Id, &'static str> {
    edge(text, true)
}

/// What XADD and XTRIM say about the length.
#[derive(Default)]
struct Options {
    bound: Option<Bound>,
    approximate: bool,
    limit: Option<u64>,
    only_old: bool,
}

impl Options {
    /// Reads them; XADD's end before the id. Answers how many words they are.
    fn read(args: &[&[u8]], adds: bool) -> Result<(Self, usize), &'static str> {
        let mut all = Self::default();
        let mut rest = args;
        while let Some((&word, more)) = rest.split_first() {
            match more {
                _ if adds && word == b"*" => break,
                [_, ..] if is(word, "maxlen") || is(word, "minid") => {
                    rest = all.read_bound(word, more)?;
                    continue;
                }
                [limit, more @ ..] if is(word, "limit") => {
                    let limit = u64::try_from(int(limit)?);
                    all.limit = Some(limit.map_err(|_| "ERR The LIMIT argument must be >= 0.")?);
                    rest = more;
                    continue;
                }
                _ if adds && is(word, "nomkstream") => all.only_old = true,
                // An id that is none is told before options that do not go together.
                _ if adds => match New::read(word) {
                    Err(INVALID_ID) => return Err(INVALID_ID),
                    _ => break,
                },
                _ => return Err(errors::SYNTAX),
            }
            rest = more;
        }
        all.check(adds)?;
        Ok((all, args.len() - rest.len()))
    }

    /// Reads `[~|=] bound`; answers what is behind it.
    fn read_bound<'a, 'b>(
        &mut self,
        word: &[u8],
        more: &'a [&'b [u8]],
    ) -> Result<&'a [&'b [u8]], &'static str> {
        if self.bound.is_some() {
            return Err(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
            );
        }
        let (approximate, bound, more) = match more {
            [b"~", bound, more @ ..] => (true, bound, more),
            [b"=", bound, more @ ..] | [bound, more @ ..] => (false, bound, more),
            [] => return Err(errors::SYNTAX),
        };
        self.approximate = approximate;
        self.bound = Some(if is(word, "maxlen") {
            let len = u64::try_from(int(bound)?);
            Bound::Len(len.map_err(|_| "ERR The MAXLEN argument must be >= 0.")?)
        } else {
            Bound::From(id(bound, 0)?)
        });
        Ok(more)
    }

    fn check(&self, adds: bool) -> Outcome {
        match (self.bound, self.limit) {
            (None, Some(1..)) => {
                Err("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
            }
            (None, _) if !adds => {
                Err("ERR syntax error, XTRIM must be called with a trimming strategy")
            }
            (_, Some(_)) if !self.approximate => {
                Err("ERR syntax error, LIMIT cannot be used without the special ~ option")
            }
            _ => Ok(()),
        }
    }

    fn trim(&self, stream: &mut Stream, limits: Limits) -> u64 {
        let Some(bound) = self.bound else { return 0 };
        let usual = match limits.stream_entries {
            0 => BLOCKS * 100,
            entries => entries.saturating_mul(BLOCKS).min(MOST_TRIMMED),
        };
        let limit = self.limit.unwrap_or(usual);
        stream.trim(bound, self.approximate.then_some(limit))
    }
}

/// Whole blocks that `~` cuts off at most, unless LIMIT says so.
const BLOCKS: u64 = 100;
/// Entries that it cuts off at most then.
const MOST_TRIMMED: u64 = 1_000_000;

/// The id of a new entry.
enum New {
    Given(Id),
    /// The next one in this millisecond.
    Within(u64),
    Now,
}

impl New {
    fn read(text: &[u8]) -> Result<Self, &'static str> {
        match text {
            b"*" => Ok(Self::Now),
            [ms @ .., b'-', b'*'] => Ok(Self::Within(id(ms, 0)?.ms)),
            _ => match id(text, 0)? {
                id if id == Id::MIN => Err("ERR The ID specified in XADD must be greater than 0-0"),
                id => Ok(Self::Given(id)),
            },
        }
    }

    fn choose(&self, last: Id, now: u64) -> Option<Id> {
        let id = match *self {
            Self::Given(id) => id,
            Self::Within(ms) if ms == last.ms => Id { ms, seq: last.seq.checked_add(1)? },
            Self::Within(ms) => Id { ms, seq: 0 },
            Self::Now if now > last.ms => Id { ms: now, seq: 0 },
            Self::Now => last.next()?,
        };
        (id > last).then_some(id)
    }
}

fn xadd(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (options, used) = Options::read(&args[2..], true)?;
    let Some((&word, fields)) = args[2 + used..].split_first() else {
        return cx.arity("xadd");
    };
    let (pairs, odd) = fields.as_chunks::<2>();
    if pairs.is_empty() || !odd.is_empty() {
        return cx.arity("xadd");
    }
    let (new, key, now, limits) = (New::read(word)?, args[1], cx.now, cx.state.settings.limits);
    let there = cx.find_mut(key, Kind::Stream)?.is_some();
    if !there && options.only_old {
        cx.out.null();
        return Ok(());
    }
    let Some(stream) = cx.find_or_put(key, Value::new_stream)?.stream_mut() else { return Ok(()) };
    if stream.last == Id::MAX {
        return Err("ERR The stream has exhausted the last possible ID, unable to add more items");
    }
    let id = new.choose(stream.last, now).ok_or(
        "ERR The ID specified in XADD is equal or smaller than the target stream top item",
    )?;
    stream.append(id, pairs, limits);
    let trimmed = options.trim(stream, limits);
    reply_id(&mut cx.out, id);
    cx.event(key, notify::STREAM, "xadd");
    if trimmed > 0 {
        cx.notify(notify::STREAM, "xtrim", key);
    }
    cx.signal(cx.session.db, key);
    Ok(())
}

fn xlen(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (value, mut out) = cx.find(args[1], Kind::Stream)?;
    out.int(value.and_then(Value::stream).map_or(0, Stream::len) as i64);
    Ok(())
}

fn xrange(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    range(cx, args, false)
}

fn xrevrange(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    range(cx, args, true)
}

fn range(cx: &mut Cx<'_>, args: &[&[u8]], reverse: bool) -> Outcome {
    let (from, to) = if reverse { (args[3], args[2]) } else { (args[2], args[3]) };
    let ids = (edge(from, false)?, edge(to, true)?);
    let mut count = None;
    let mut rest = &args[4..];
    while let [word, number, more @ ..] = rest {
        if !is(word, "count") {
            return Err(errors::SYNTAX);
        }
        count = Some(usize::try_from(int(number)?.max(0)).unwrap_or(usize::MAX));
        rest = more;
    }
    if !rest.is_empty() {
        return Err(errors::SYNTAX);
    }
    let (value, mut out) = cx.find(args[1], Kind::Stream)?;
    match (value.and_then(Value::stream), count) {
        (None, _) => out.array(0),
        (Some(_), Some(0)) => out.null_array(),
        (Some(stream), count) => {
            reply_range(&mut out, stream, ids, count.unwrap_or(0), reverse);
        }
    }
    Ok(())
}

fn xdel(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let mut removed = 0;
    if let Some(stream) = cx.find_mut(args[1], Kind::Stream)?.and_then(Value::stream_mut) {
        let ids: Result<Vec<Id>, _> = args[2..].iter().map(|text| id(text, 0)).collect();
        removed = ids?.into_iter().filter(|&id| stream.remove(id)).count();
    }
    if removed > 0 {
        cx.event(args[1], notify::STREAM, "xdel");
    }
    cx.out.int(removed as i64);
    Ok(())
}

fn xtrim(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (options, _) = Options::read(&args[2..], false)?;
    let limits = cx.state.settings.limits;
    let value = cx.find_mut(args[1], Kind::Stream)?;
    let trimmed =
        value.and_then(Value::stream_mut).map_or(0, |stream| options.trim(stream, limits));
    if trimmed > 0 {
        cx.event(args[1], notify::STREAM, "xtrim");
    }
    cx.out.int(trimmed as i64);
    Ok(())
}

fn xsetid(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let last = id(args[2], 0)?;
    let (mut added, mut deleted) = (None, Id::MIN);
    let mut rest = &args[3..];
    while let [word, value, more @ ..] = rest {
        rest = more;
        if is(word, "entriesadded") {
            let n = u64::try_from(int(value)?);
            added = Some(n.map_err(|_| "ERR entries_added must be positive")?);
        } else if is(word, "maxdeletedid") {
            deleted = id(value, 0)?;
            if last < deleted {
                return Err(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                );
            }
        } else {
            return Err(errors::SYNTAX);
        }
    }
    if !rest.is_empty() {
        return Err(errors::SYNTAX);
    }
    let stream = cx.find_mut(args[1], Kind::Stream)?.and_then(Value::stream_mut);
    let stream = stream.ok_or(errors::NO_SUCH_KEY)?;
    if !stream.is_empty() && last < stream.last_id() {
        return Err("ERR The ID specified in XSETID is smaller than the target stream top item");
    }
    if !stream.is_empty() && added.is_some_and(|added| stream.len() > added) {
        return Err(
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        );
    }
    stream.last = last;
    stream.added = added.unwrap_or(stream.added);
    if deleted != Id::MIN {
        stream.max_deleted = deleted;
    }
    cx.notify(notify::STREAM, "xsetid", args[1]);
    cx.out.ok();
    Ok(())
}
