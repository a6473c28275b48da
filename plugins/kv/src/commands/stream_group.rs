//! Consumer groups: XGROUP, XACK, XPENDING.

use super::stream::{id, lower_edge, upper_edge};
use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{Flags, READ, REMOVE_FAST};
use crate::help;
use crate::notify;
use crate::reading::reply_id;
use crate::reply::Reply;
use crate::stream::{Group, Id, Pending, Stream, UNKNOWN};
use crate::table::{Keys, ONE_KEY, rows, subs, v};
use crate::value::{Kind, Value};

const SECOND: Keys = (2, 2, 1);

rows! { Stream:
    "xgroup", -2, Flags::WRITE, SECOND, v(5, 0), help::help,
        "Depends on subcommand.", "A container for consumer groups commands.", SUBS;
    "xack", -4, REMOVE_FAST, ONE_KEY, v(5, 0), xack,
        "O(1) for each message ID processed.",
        "Returns the number of messages that were successfully acknowledged by the consumer group member of a stream.";
    "xpending", -3, READ, ONE_KEY, v(5, 0), xpending,
        "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1).",
        "Returns the information and entries from a stream consumer group's pending entries list.";
}

subs! {
    "create", -5, v(5, 0), create;
    "createconsumer", 5, v(6, 2), create_consumer;
    "delconsumer", 5, v(5, 0), remove_consumer;
    "destroy", 4, v(5, 0), destroy;
    "help", 2, v(5, 0), help::help;
    "setid", -5, v(5, 0), set_id;
}

/// Which error a missing group is.
pub enum NoGroup {
    /// Of XPENDING, XCLAIM, XAUTOCLAIM.
    KeyOrGroup,
    /// Of XGROUP.
    ForKeyName,
}

/// The stream at a key with this group; `None` when the error is written already.
pub fn with_group<'a>(
    cx: &'a mut Cx<'_>,
    key: &[u8],
    name: &[u8],
    error: &NoGroup,
) -> Result<Option<&'a mut Stream>, &'static str> {
    let stream = cx.find_mut(key, Kind::Stream)?.and_then(Value::stream_mut);
    if !stream.is_some_and(|stream| stream.groups.contains_key(name)) {
        let (key, name) = (String::from_utf8_lossy(key), String::from_utf8_lossy(name));
        cx.error(&match error {
            NoGroup::KeyOrGroup => {
                format!("NOGROUP No such key '{key}' or consumer group '{name}'")
            }
            NoGroup::ForKeyName => {
                format!("NOGROUP No such consumer group '{name}' for key name '{key}'")
            }
        })?;
        return Ok(None);
    }
    Ok(cx.find_mut(key, Kind::Stream)?.and_then(Value::stream_mut))
}

/// What XGROUP CREATE and SETID say beside the id.
struct Options {
    make: bool,
    read: i64,
}

/// Reads them; `None` when the error is written already.
fn options(
    cx: &mut Cx<'_>,
    args: &[&[u8]],
    creates: bool,
) -> Result<Option<Options>, &'static str> {
    let mut all = Options { make: false, read: UNKNOWN };
    let mut rest = &args[5..];
    while let Some((&word, more)) = rest.split_first() {
        rest = more;
        match more {
            _ if creates && is(word, "mkstream") => all.make = true,
            [number, more @ ..] if is(word, "entriesread") => {
                all.read = int(number)?;
                if all.read < UNKNOWN {
                    return Err("ERR value for ENTRIESREAD must be positive or -1");
                }
                rest = more;
            }
            _ => {
                let word = String::from_utf8_lossy(args[1]).into_owned();
                cx.error(&format!(
                    "ERR unknown subcommand or wrong number of arguments for '{word}'. Try XGROUP HELP."
                ))?;
                return Ok(None);
            }
        }
    }
    Ok(Some(all))
}

const NO_STREAM: &str = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.";

fn create(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let Some(options) = options(cx, args, true)? else { return Ok(()) };
    let (key, name) = (args[2], args[3]);
    let stream = cx.find_mut(key, Kind::Stream)?.and_then(Value::stream_mut);
    let new = stream.is_none();
    if new && !options.make {
        return Err(NO_STREAM);
    }
    let last = match args[4] {
        b"$" => stream.map_or(Id::MIN, |stream| stream.last),
        text => id(text, 0)?,
    };
    let value = cx.find_or_put(key, Value::new_stream)?;
    let Some(stream) = value.stream_mut() else { return Ok(()) };
    if stream.groups.contains_key(name) {
        return Err("BUSYGROUP Consumer Group name already exists");
    }
    stream.groups.insert(name.into(), Group::at(last, options.read));
    // To those who WATCH a stream its groups do not count.
    if new {
        cx.touch(key);
    }
    cx.notify(notify::STREAM, "xgroup-create", key);
    cx.out.ok();
    Ok(())
}

/// The stream, which must be there, with the group, which must be in it; `None` when the error is
/// written already.
fn existing<'a>(
    cx: &'a mut Cx<'_>,
    args: &[&[u8]],
) -> Result<Option<&'a mut Stream>, &'static str> {
    cx.find_mut(args[2], Kind::Stream)?.ok_or(NO_STREAM)?;
    with_group(cx, args[2], args[3], &NoGroup::ForKeyName)
}

fn set_id(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let Some(options) = options(cx, args, false)? else { return Ok(()) };
    let Some(stream) = existing(cx, args)? else { return Ok(()) };
    let last = match args[4] {
        b"$" => stream.last,
        b"-" => Id::MIN,
        b"+" => Id::MAX,
        text => id(text, 0)?,
    };
    if let Some(group) = stream.groups.get_mut(args[3]) {
        (group.last, group.read) = (last, options.read);
    }
    cx.notify(notify::STREAM, "xgroup-setid", args[2]);
    cx.out.ok();
    Ok(())
}

fn destroy(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let value = cx.find_mut(args[2], Kind::Stream)?;
    let stream = value.and_then(Value::stream_mut).ok_or(NO_STREAM)?;
    let gone = stream.groups.remove(args[3]).is_some();
    if gone {
        cx.notify(notify::STREAM, "xgroup-destroy", args[2]);
        cx.signal(cx.session.db, args[2]);
    }
    cx.out.int(i64::from(gone));
    Ok(())
}

fn create_consumer(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let now = cx.now;
    let Some(stream) = existing(cx, args)? else { return Ok(()) };
    let group = stream.groups.get_mut(args[3]);
    let new = group
        .is_some_and(|group| !group.consumers.contains_key(args[4]) && group.see(args[4], now));
    if new {
        cx.notify(notify::STREAM, "xgroup-createconsumer", args[2]);
    }
    cx.out.int(i64::from(new));
    Ok(())
}

fn remove_consumer(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let Some(stream) = existing(cx, args)? else { return Ok(()) };
    let group = stream.groups.get_mut(args[3]);
    let group = group.filter(|group| group.consumers.contains_key(args[4]));
    let pending = group.map(|group| group.remove_consumer(args[4]));
    if pending.is_some() {
        cx.notify(notify::STREAM, "xgroup-delconsumer", args[2]);
    }
    cx.out.int(pending.unwrap_or(0) as i64);
    Ok(())
}

fn xack(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    let stream = cx.find_mut(args[1], Kind::Stream)?.and_then(Value::stream_mut);
    let mut done = 0;
    if let Some(group) = stream.and_then(|stream| stream.groups.get_mut(args[2])) {
        let ids: Result<Vec<Id>, _> = args[3..].iter().map(|text| id(text, 0)).collect();
        done = ids?.into_iter().filter(|&id| group.acknowledge(id)).count();
    }
    cx.out.int(done as i64);
    Ok(())
}

/// What XPENDING looks for.
struct Range<'a> {
    idle_ms: i64,
    count: usize,
    from: Id,
    to: Id,
    consumer: Option<&'a [u8]>,
}

impl<'a> Range<'a> {
    /// Reads `[IDLE ms] start end count [consumer]`.
    fn read(args: &[&'a [u8]]) -> Result<Self, &'static str> {
        let (idle_ms, rest) = match args {
            [word, ms, rest @ ..] if is(word, "idle") => (int(ms)?, rest),
            _ => (0, args),
        };
        let (&[from, to, count], rest) = rest.split_first_chunk::<3>().ok_or(errors::SYNTAX)?;
        let count = usize::try_from(int(count)?.max(0)).unwrap_or(usize::MAX);
        let (from, to) = (lower_edge(from)?, upper_edge(to)?);
        Ok(Self { idle_ms, count, from, to, consumer: rest.first().copied() })
    }

    fn wants(&self, pending: &Pending, now: u64) -> bool {
        self.idle_ms == 0 || now as i64 - pending.delivered_ms as i64 >= self.idle_ms
    }
}

fn xpending(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let range = match args.len() {
        3 => None,
        6..=9 => Some(Range::read(&args[3..])?),
        _ => return Err(errors::SYNTAX),
    };
    if with_group(cx, args[1], args[2], &NoGroup::KeyOrGroup)?.is_none() {
        return Ok(());
    }
    let now = cx.now;
    let (value, mut out) = cx.find(args[1], Kind::Stream)?;
    let group = value.and_then(Value::stream).and_then(|stream| stream.groups.get(args[2]));
    let Some(group) = group else { return Ok(()) };
    let Some(range) = range else {
        summary(&mut out, group);
        return Ok(());
    };
    let mut found: Vec<(Id, &Pending)> = Vec::new();
    let mut take = |id: &Id| {
        let pending = group.pending.get(id).filter(|pending| range.wants(pending, now));
        found.extend(pending.filter(|_| range.count > 0).map(|pending| (*id, pending)));
        found.len() < range.count
    };
    let _all = match range.consumer {
        None => group
            .pending
            .range(range.from..)
            .map(|(id, _)| id)
            .take_while(|id| **id <= range.to)
            .all(&mut take),
        Some(name) => {
            let ids =
                group.consumers.get(name).map(|consumer| consumer.pending.range(range.from..));
            ids.into_iter().flatten().take_while(|id| **id <= range.to).all(&mut take)
        }
    };
    out.array(found.len());
    for (id, pending) in found {
        out.array(4);
        reply_id(&mut out, id);
        out.bulk(&pending.consumer);
        out.int(now.saturating_sub(pending.delivered_ms) as i64);
        out.int(pending.deliveries as i64);
    }
    Ok(())
}

/// How much is pending, between which ids, and of whom.
fn summary(out: &mut crate::reply::Out<'_>, group: &Group) {
    out.array(4);
    out.int(group.pending.len() as i64);
    let ends = (group.pending.first_key_value(), group.pending.last_key_value());
    let (Some((first, _)), Some((last, _))) = ends else {
        out.null();
        out.null();
        out.null_array();
        return;
    };
    reply_id(out, *first);
    reply_id(out, *last);
    let busy = group.consumers.iter().filter(|(_, consumer)| !consumer.pending.is_empty());
    let busy: Vec<_> = busy.collect();
    out.array(busy.len());
    for (name, consumer) in busy {
        out.array(2);
        out.bulk(name);
        out.bulk_int(consumer.pending.len() as i64);
    }
}
