//! What clients get of streams: how ids and entries are written, and what a group notes when entries are
//! delivered to it.

use crate::number::Digits;
use crate::reply::{Out, Reply};
use crate::state::Reading;
use crate::stream::{Entry, Group, Id, Stream};

/// Writes an id.
pub fn reply_id(out: &mut Out<'_>, id: Id) {
    let (mut ms, mut seq) = (Digits::new(), Digits::new());
    out.bulk(&[ms.unsigned(id.ms), b"-", seq.unsigned(id.seq)].concat());
}

/// Writes an entry.
pub fn reply_entry(out: &mut Out<'_>, id: Id, entry: Entry<'_>) {
    out.array(2);
    reply_id(out, id);
    out.array(entry.len() * 2);
    for (name, value) in entry.pairs() {
        out.bulk(name);
        out.bulk(value);
    }
}

/// Writes the entries of a range, `count` at most (0: all); answers how many.
pub fn reply_range(
    out: &mut Out<'_>,
    stream: &Stream,
    (from, to): (Id, Id),
    count: usize,
    reverse: bool,
) -> usize {
    let mut found = Vec::new();
    stream.each(from, to, reverse, |id, entry| {
        found.push((id, entry));
        found.len() != count
    });
    out.array(found.len());
    found.iter().for_each(|&(id, entry)| reply_entry(out, id, entry));
    found.len()
}

/// To whom entries are delivered.
pub struct Whom<'a> {
    /// The group.
    pub group: &'a [u8],
    /// Its consumer.
    pub consumer: &'a [u8],
    /// Nothing becomes pending.
    pub no_ack: bool,
}

/// Writes what is new to a group, and notes that it is delivered when all is written.
pub fn deliver(out: &mut Out<'_>, stream: &mut Stream, whom: &Whom<'_>, count: usize, now: u64) {
    let Some(mut place) = stream.groups.get(whom.group).map(Group::place) else { return };
    let from = place.next().unwrap_or(Id::MAX);
    let mut found = Vec::new();
    stream.each(from, Id::MAX, false, |id, entry| {
        found.push((id, entry));
        found.len() != count
    });
    out.array(found.len());
    for &(id, entry) in &found {
        place.advance(stream, id);
        reply_entry(out, id, entry);
    }
    let ids: Vec<Id> = found.into_iter().map(|(id, _)| id).collect();
    let Some(group) = stream.groups.get_mut(whom.group) else { return };
    group.go_to(place);
    for id in ids.into_iter().filter(|_| !whom.no_ack) {
        let pending = group.assign(id, whom.consumer);
        (pending.delivered_ms, pending.deliveries) = (now, 1);
    }
}

/// Writes what a client that waited for a stream gets.
pub fn give(
    out: &mut Out<'_>,
    stream: &mut Stream,
    key: &[u8],
    (reading, from): (&Reading, Id),
    count: u64,
    now: u64,
) {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    out.map_of_pairs(1);
    if !out.is_resp3() {
        out.array(2);
    }
    out.bulk(key);
    if reading.in_group {
        let whom =
            Whom { group: &reading.group, consumer: &reading.consumer, no_ack: reading.no_ack };
        if let Some(group) = stream.groups.get_mut(&reading.group) {
            group.see(&reading.consumer, now);
        }
        deliver(out, stream, &whom, count, now);
    } else {
        let from = from.next().unwrap_or(Id::MAX);
        reply_range(out, stream, (from, Id::MAX), count, false);
    }
}
