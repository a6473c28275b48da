//! Pending entries that go to another consumer: XCLAIM, XAUTOCLAIM.

use super::stream::{id, lower_edge};
use super::stream_group::{NoGroup, with_group};
use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{Flags, REMOVE_FAST};
use crate::notify;
use crate::reading::{reply_entry, reply_id};
use crate::reply::{Out, Reply};
use crate::stream::{Id, Stream};
use crate::table::{ONE_KEY, rows, v};
use crate::value::Value;

rows! { Stream:
    "xclaim", -6, Flags::WRITE.or(Flags::FAST), ONE_KEY, v(5, 0), xclaim,
        "O(log N) with N being the number of messages in the PEL of the consumer group.",
        "Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a consumer group member.";
    "xautoclaim", -6, REMOVE_FAST, ONE_KEY, v(6, 2), xautoclaim,
        "O(1) if COUNT is small.",
        "Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as consumer group member.";
}

/// Entries that XAUTOCLAIM looks at for each one that it may claim.
const ATTEMPTS: usize = 10;

/// How entries are claimed.
#[derive(Clone, Copy)]
struct Claim<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    idle_ms: u64,
    delivered_ms: u64,
    deliveries: Option<u64>,
    force: bool,
    only_ids: bool,
    now: u64,
}

/// What became of an entry.
enum Claimed {
    Yes,
    /// It is no longer in the stream, and no longer pending.
    Gone,
    No,
}

impl Claim<'_> {
    /// Claims one entry and writes it.
    fn one(&self, out: &mut Out<'_>, stream: &mut Stream, id: Id) -> Claimed {
        let there = stream.contains(id);
        let Some(group) = stream.groups.get_mut(self.group) else { return Claimed::No };
        if !there {
            return if group.acknowledge(id) { Claimed::Gone } else { Claimed::No };
        }
        match group.pending.get(&id) {
            None if !self.force => return Claimed::No,
            Some(old) if self.now.saturating_sub(old.delivered_ms) < self.idle_ms => {
                return Claimed::No;
            }
            None => {
                // As delivered once.
                group.pending.entry(id).or_default().deliveries = 1;
            }
            Some(_) => {}
        }
        group.see(self.consumer, self.now);
        let pending = group.assign(id, self.consumer);
        pending.delivered_ms = self.delivered_ms;
        match self.deliveries {
            Some(deliveries) => pending.deliveries = deliveries,
            None => pending.deliveries += u64::from(!self.only_ids),
        }
        if self.only_ids {
            reply_id(out, id);
        } else {
            stream.each(id, id, false, |id, entry| {
                reply_entry(out, id, entry);
                false
            });
        }
        Claimed::Yes
    }
}

/// The ids of XCLAIM, and its options.
struct Options {
    ids: Vec<Id>,
    delivered_ms: Option<i64>,
    deliveries: Option<u64>,
    last: Id,
    force: bool,
    only_ids: bool,
}

impl Options {
    /// Reads `id.. option..`; `None` when the error is written already.
    fn read(cx: &mut Cx<'_>, args: &[&[u8]]) -> Result<Option<Self>, &'static str> {
        let ids: Vec<Id> = args.iter().map_while(|text| id(text, 0).ok()).collect();
        let mut rest = &args[ids.len()..];
        let mut all = Self {
            ids,
            delivered_ms: None,
            deliveries: None,
            last: Id::MIN,
            force: false,
            only_ids: false,
        };
        while let Some((&word, more)) = rest.split_first() {
            rest = more.get(1..).unwrap_or_default();
            match more {
                _ if is(word, "force") => (all.force, rest) = (true, more),
                _ if is(word, "justid") => (all.only_ids, rest) = (true, more),
                [ms, ..] if is(word, "idle") => {
                    let ms = int(ms).map_err(|_| "ERR Invalid IDLE option argument for XCLAIM")?;
                    all.delivered_ms = Some((cx.now as i64).wrapping_sub(ms));
                }
                [ms, ..] if is(word, "time") => {
                    let ms = int(ms).map_err(|_| "ERR Invalid TIME option argument for XCLAIM")?;
                    all.delivered_ms = Some(ms);
                }
                [n, ..] if is(word, "retrycount") => {
                    let n =
                        int(n).map_err(|_| "ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
                    all.deliveries = u64::try_from(n).ok();
                }
                [last, ..] if is(word, "lastid") => all.last = id(last, 0)?,
                _ => {
                    let word = String::from_utf8_lossy(word).into_owned();
                    cx.error(&format!("ERR Unrecognized XCLAIM option '{word}'"))?;
                    return Ok(None);
                }
            }
        }
        Ok(Some(all))
    }
}

fn xclaim(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    let key = args[1];
    if with_group(cx, key, args[2], &NoGroup::KeyOrGroup)?.is_none() {
        return Ok(());
    }
    let idle = int(args[4]).map_err(|_| "ERR Invalid min-idle-time argument for XCLAIM")?;
    let Some(options) = Options::read(cx, &args[5..])? else { return Ok(()) };
    let now = cx.now;
    // A time that cannot be is now: -1 is how Redis marks none.
    let delivered = options.delivered_ms.filter(|ms| (0..=now as i64).contains(ms));
    let claim = Claim {
        group: args[2],
        consumer: args[3],
        idle_ms: idle.max(0) as u64,
        delivered_ms: delivered.map_or(now, |ms| ms as u64),
        deliveries: options.deliveries,
        force: options.force,
        only_ids: options.only_ids,
        now,
    };
    let mark = begin(cx);
    let value = cx.state.dbs[cx.session.db as usize].keys.get_mut(key);
    let Some(stream) = value.and_then(Value::stream_mut) else { return Ok(()) };
    if let Some(group) = stream.groups.get_mut(args[2]) {
        group.last = group.last.max(options.last);
    }
    let known = consumers(stream, args[2]);
    let mut count = 0;
    for &id in &options.ids {
        count += usize::from(matches!(claim.one(&mut cx.out, stream, id), Claimed::Yes));
    }
    let new = consumers(stream, args[2]) != known;
    end(cx, mark, count);
    note(cx, key, new);
    Ok(())
}

fn consumers(stream: &Stream, group: &[u8]) -> usize {
    stream.groups.get(group).map_or(0, |group| group.consumers.len())
}

fn note(cx: &mut Cx<'_>, key: &[u8], new_consumer: bool) {
    if new_consumer {
        cx.notify(notify::STREAM, "xgroup-createconsumer", key);
    }
}

/// Remembers where an array begins whose length is not known yet.
fn begin(cx: &Cx<'_>) -> usize {
    cx.out.len()
}

/// Puts the head of the array in front of what was written since.
fn end(cx: &mut Cx<'_>, mark: usize, count: usize) {
    let body = cx.out.as_mut_slice()[mark..].to_vec();
    cx.out.truncate(mark);
    cx.out.array(count);
    cx.out.put(&body);
}

fn xautoclaim(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    let key = args[1];
    let idle = int(args[4]).map_err(|_| "ERR Invalid min-idle-time argument for XAUTOCLAIM")?;
    let from = lower_edge(args[5])?;
    let (mut count, mut only_ids) = (100, false);
    let mut rest = &args[6..];
    while let Some((&word, more)) = rest.split_first() {
        rest = more;
        match more {
            [number, more @ ..] if is(word, "count") => {
                let n = int(number).ok().filter(|n| (1..=i64::MAX / 16).contains(n));
                count = n.ok_or("ERR COUNT must be > 0")? as usize;
                rest = more;
            }
            _ if is(word, "justid") => only_ids = true,
            _ => return Err(errors::SYNTAX),
        }
    }
    if with_group(cx, key, args[2], &NoGroup::KeyOrGroup)?.is_none() {
        return Ok(());
    }
    let now = cx.now;
    let claim = Claim {
        group: args[2],
        consumer: args[3],
        idle_ms: idle.max(0) as u64,
        delivered_ms: now,
        deliveries: None,
        force: false,
        only_ids,
        now,
    };
    let mark = begin(cx);
    let value = cx.state.dbs[cx.session.db as usize].keys.get_mut(key);
    let Some(stream) = value.and_then(Value::stream_mut) else { return Ok(()) };
    let known = consumers(stream, args[2]);
    let looked_at = count.saturating_mul(ATTEMPTS);
    let pending = stream.groups.get(args[2]).map(|group| group.pending.range(from..));
    let ids: Vec<Id> = pending
        .into_iter()
        .flatten()
        .map(|(id, _)| *id)
        .take(looked_at.saturating_add(1))
        .collect();
    let (mut claimed, mut gone, mut at) = (0, Vec::new(), 0);
    while at < ids.len().min(looked_at) && claimed + gone.len() < count {
        match claim.one(&mut cx.out, stream, ids[at]) {
            Claimed::Yes => claimed += 1,
            Claimed::Gone => gone.push(ids[at]),
            Claimed::No => {}
        }
        at += 1;
    }
    let new = consumers(stream, args[2]) != known;
    end(cx, mark, claimed);
    let body = cx.out.as_mut_slice()[mark..].to_vec();
    cx.out.truncate(mark);
    cx.out.array(3);
    reply_id(&mut cx.out, ids.get(at).copied().unwrap_or(Id::MIN));
    cx.out.put(&body);
    cx.out.array(gone.len());
    gone.into_iter().for_each(|id| reply_id(&mut cx.out, id));
    note(cx, key, new);
    Ok(())
}
