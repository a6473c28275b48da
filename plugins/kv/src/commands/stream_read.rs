//! Streams from an id on: XREAD, and XREADGROUP for a consumer of a group; both can wait.

use super::blocking::timeout_ms_of;
use super::stream::id;
use crate::blocking::{self, Wish};
use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{Flags, READ};
use crate::notify;
use crate::reading::{Whom, deliver, reply_entry, reply_id, reply_range};
use crate::reply::{Out, Reply};
use crate::state::Reading;
use crate::stream::{Id, Stream};
use crate::table::{NO_KEYS, rows, v};
use crate::value::{Kind, Value};

rows! { Stream:
    "xread", -4, READ.or(Flags::BLOCKING), NO_KEYS, v(5, 0), xread,
        "O(N) with N being the number of entries returned.",
        "Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message is available otherwise.";
    "xreadgroup", -7, Flags::WRITE.or(Flags::BLOCKING), NO_KEYS, v(5, 0), xreadgroup,
        "For each stream mentioned: O(M) with M being the number of elements returned.",
        "Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is available otherwise.";
}

/// Entries that a waiting client gets when it named no count.
const WAITING_COUNT: u64 = 1000;

/// Redis' text, of XREADGROUP too.
const UNBALANCED: &str =
    "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.";

/// A read request.
#[derive(Default)]
struct Request<'a> {
    block_ms: Option<u64>,
    count: usize,
    keys: &'a [&'a [u8]],
    ids: &'a [&'a [u8]],
    group: Option<(&'a [u8], &'a [u8])>,
    no_ack: bool,
}

impl<'a> Request<'a> {
    fn read(cx: &Cx<'_>, args: &'a [&'a [u8]], grouped: bool) -> Result<Self, &'static str> {
        let mut all = Self::default();
        let mut rest = &args[1..];
        while let Some((&word, more)) = rest.split_first() {
            rest = more;
            match more {
                [ms, more @ ..] if is(word, "block") => {
                    all.block_ms = Some(block_ms(cx, ms)?);
                    rest = more;
                }
                [count, more @ ..] if is(word, "count") => {
                    all.count = usize::try_from(int(count)?.max(0)).unwrap_or(usize::MAX);
                    rest = more;
                }
                [_, ..] if is(word, "streams") => {
                    if more.len() % 2 == 1 {
                        return Err(UNBALANCED);
                    }
                    (all.keys, all.ids) = more.split_at(more.len() / 2);
                    break;
                }
                [name, consumer, more @ ..] if is(word, "group") => {
                    if !grouped {
                        return Err(
                            "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
                        );
                    }
                    all.group = Some((name, consumer));
                    rest = more;
                }
                _ if is(word, "noack") => {
                    if !grouped {
                        return Err(
                            "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
                        );
                    }
                    all.no_ack = true;
                }
                _ => return Err(errors::SYNTAX),
            }
        }
        match (all.keys, all.group) {
            ([], _) => Err(errors::SYNTAX),
            (_, None) if grouped => Err("ERR Missing GROUP option for XREADGROUP"),
            _ => Ok(all),
        }
    }
}

/// BLOCK's time, in milliseconds.
fn block_ms(cx: &Cx<'_>, text: &[u8]) -> Result<u64, &'static str> {
    let ms = int(text).map_err(|_| "ERR timeout is not an integer or out of range")?;
    timeout_ms_of(cx, ms)
}

fn xread(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let request = Request::read(cx, args, false)?;
    read(cx, &request)
}

fn xreadgroup(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    let request = Request::read(cx, args, true)?;
    read(cx, &request)
}

fn read(cx: &mut Cx<'_>, request: &Request<'_>) -> Outcome {
    let mut ids = Vec::with_capacity(request.keys.len());
    for (&key, &text) in request.keys.iter().zip(request.ids) {
        match start(cx, request, key, text)? {
            Some(id) => ids.push(id),
            None => return Ok(()),
        }
    }
    let ready: Vec<(&[u8], Id)> = request
        .keys
        .iter()
        .copied()
        .zip(ids.iter().copied())
        .filter(|&(key, id)| {
            let stream = cx.state.dbs[cx.session.db as usize].keys.get(key).and_then(Value::stream);
            stream.is_some_and(|stream| has_more(stream, request.group.map(|(name, _)| name), id))
        })
        .collect();
    if !ready.is_empty() {
        cx.out.map_of_pairs(ready.len());
        for (key, id) in ready {
            serve(cx, request, key, id);
        }
        return Ok(());
    }
    match request.block_ms {
        Some(ms) if !cx.in_exec => {
            let group = request.group.map_or((&[][..], &[][..]), |group| group);
            let reading = Reading {
                ids: ids.into_iter().collect(),
                group: group.0.into(),
                consumer: group.1.into(),
                in_group: request.group.is_some(),
                no_ack: request.no_ack,
            };
            let count = if request.count > 0 { request.count as u64 } else { WAITING_COUNT };
            let until_ms = if ms == 0 { 0 } else { cx.now + ms };
            blocking::wait(cx, request.keys, Wish::Entries(reading, count), until_ms);
        }
        _ => cx.out.null_array(),
    }
    Ok(())
}

/// Behind which id a stream is read: [`Id::MAX`] in a group means what is new to it. `None` when the
/// error is written already.
fn start(
    cx: &mut Cx<'_>,
    request: &Request<'_>,
    key: &[u8],
    text: &[u8],
) -> Result<Option<Id>, &'static str> {
    let stream = cx.find_mut(key, Kind::Stream)?.and_then(Value::stream_mut);
    let last = stream.as_ref().map_or(Id::MIN, |stream| stream.last);
    if let Some((name, _)) = request.group
        && !stream.is_some_and(|stream| stream.groups.contains_key(name))
    {
        let (key, name) = (String::from_utf8_lossy(key), String::from_utf8_lossy(name));
        cx.error(&format!(
            "NOGROUP No such key '{key}' or consumer group '{name}' in XREADGROUP with GROUP option"
        ))?;
        return Ok(None);
    }
    match (text, request.group) {
        (b"$", Some(_)) => Err(
            "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
        ),
        (b"$", None) => Ok(Some(last)),
        (b">", Some(_)) => Ok(Some(Id::MAX)),
        (b">", None) => Err(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
        ),
        _ => id(text, 0).map(Some),
    }
}

/// Whether something can be read at once. History always can.
fn has_more(stream: &Stream, group: Option<&[u8]>, id: Id) -> bool {
    match group {
        None => !stream.is_empty() && stream.last_id() > id,
        Some(_) if id != Id::MAX => true,
        Some(name) => {
            let last = stream.groups.get(name).map(|group| group.last);
            !stream.is_empty() && last.is_some_and(|last| stream.last_id() > last)
        }
    }
}

/// Writes one stream's name and entries.
fn serve(cx: &mut Cx<'_>, request: &Request<'_>, key: &[u8], id: Id) {
    let now = cx.now;
    if !cx.out.is_resp3() {
        cx.out.array(2);
    }
    cx.out.bulk(key);
    let value = cx.state.dbs[cx.session.db as usize].keys.get_mut(key);
    let Some(stream) = value.and_then(Value::stream_mut) else { return };
    let Some((name, consumer)) = request.group else {
        let from = id.next().unwrap_or(Id::MAX);
        reply_range(&mut cx.out, stream, (from, Id::MAX), request.count, false);
        return;
    };
    let Some(group) = stream.groups.get_mut(name) else { return };
    let new = group.see(consumer, now);
    if id == Id::MAX {
        let whom = Whom { group: name, consumer, no_ack: request.no_ack };
        deliver(&mut cx.out, stream, &whom, request.count, now);
    } else {
        replay(&mut cx.out, stream, (name, consumer), id, request.count, now);
    }
    if new {
        cx.notify(notify::STREAM, "xgroup-createconsumer", key);
    }
}

/// Writes what a consumer has pending behind an id; entries that were removed come without fields.
fn replay(
    out: &mut Out<'_>,
    stream: &mut Stream,
    (name, consumer): (&[u8], &[u8]),
    id: Id,
    count: usize,
    now: u64,
) {
    let ids: Vec<Id> = stream
        .groups
        .get(name)
        .and_then(|group| group.consumers.get(consumer))
        .map(|consumer| {
            let from = id.next().unwrap_or(Id::MAX);
            let ids = consumer.pending.range(from..);
            ids.take(if count == 0 { usize::MAX } else { count }).copied().collect()
        })
        .unwrap_or_default();
    out.array(ids.len());
    for id in ids {
        let mut there = false;
        stream.each(id, id, false, |id, entry| {
            reply_entry(out, id, entry);
            there = true;
            false
        });
        let pending = stream.groups.get_mut(name).and_then(|group| group.pending.get_mut(&id));
        match pending {
            Some(pending) if there => {
                pending.delivered_ms = now;
                pending.deliveries += 1;
            }
            _ if there => {}
            _ => {
                out.array(2);
                reply_id(out, id);
                out.null_array();
            }
        }
    }
}
