//! Streams in payloads: their entries in listpacks, one a block, then what the stream and its groups
//! know.
//!
//! A listpack begins with the master entry: how many entries follow, how many of them are deleted, the
//! names of the first one's fields, and a 0. An entry is its flags, how far its id is from the block's
//! (two numbers), its fields, and how many items all of that is. Where the names are the master's, only
//! values are there.
//!
//! Redis leaves entries that were removed where they were, with a flag. A block here knows how many
//! there were, and the newest one's id: both decide what a stream does next, so they are written, as
//! entries without fields.

use hotshell_plugin_api::collections::Bytes;

use super::listpack::{self, Pack};
use super::read::{Input, Text};
use super::write::{length, text};
use crate::number;
use crate::stream::{Block, Consumer, Group, Id, Pending, Stream, UNKNOWN};
use crate::value::Value;

/// Flag of an entry that XDEL removed and that is skipped.
const DELETED: i64 = 1;
/// Flag of an entry whose names are the master's.
const SAME_NAMES: i64 = 2;
/// Removed entries of a block that are written at most. More there are only where
/// `stream-node-max-entries` sets no such limit, and then their number means nothing.
const MOST_REMOVED: u32 = 10_000;

/// The content of a payload as Redis 7.0 writes it.
pub fn write(out: &mut Vec<u8>, stream: &Stream) {
    length(out, stream.blocks());
    for (base, block) in stream.iter_blocks() {
        text(out, &id_bytes(base));
        text(out, &pack(base, block));
    }
    number(out, stream.len());
    for id in [stream.last, stream.first_id(), stream.max_deleted] {
        put_id(out, id);
    }
    number(out, stream.added);
    length(out, stream.groups.len());
    for (name, group) in &stream.groups {
        text(out, name);
        put_group(out, group);
    }
}

fn number(out: &mut Vec<u8>, n: u64) {
    length(out, n as usize);
}

fn put_id(out: &mut Vec<u8>, id: Id) {
    number(out, id.ms);
    number(out, id.seq);
}

/// An id in an order of bytes that is the order of ids.
fn id_bytes(id: Id) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}

fn pack(base: Id, block: &Block) -> Vec<u8> {
    let newest_removed = block.last(base) != Some(block.newest());
    let removed = block.removed().min(MOST_REMOVED);
    let mut pack = Pack::new();
    pack.integer(i64::from(block.len()));
    pack.integer(i64::from(removed));
    let names: Vec<&[u8]> = block.names().collect();
    pack.integer(names.len() as i64);
    names.iter().for_each(|name| pack.text(name));
    pack.integer(0);
    // Where exactly the others were is known no more, and means nothing.
    (u32::from(newest_removed)..removed).for_each(|_| put_removed(&mut pack, base, base));
    for (id, entry) in block.entries(base) {
        let same = entry.has_names_of_block();
        put_head(&mut pack, if same { SAME_NAMES } else { 0 }, base, id);
        if !same {
            pack.integer(entry.len() as i64);
        }
        for (name, value) in entry.pairs() {
            if !same {
                pack.text(name);
            }
            pack.text(value);
        }
        let items = if same { entry.len() + 3 } else { 2 * entry.len() + 4 };
        pack.integer(items as i64);
    }
    if newest_removed {
        put_removed(&mut pack, base, block.newest());
    }
    pack.finish()
}

/// What every entry begins with.
fn put_head(pack: &mut Pack, flags: i64, base: Id, id: Id) {
    pack.integer(flags);
    pack.integer(id.ms.wrapping_sub(base.ms) as i64);
    pack.integer(id.seq.wrapping_sub(base.seq) as i64);
}

/// An entry that was removed.
fn put_removed(pack: &mut Pack, base: Id, id: Id) {
    put_head(pack, DELETED, base, id);
    // No fields, and four items.
    pack.integer(0);
    pack.integer(4);
}

fn put_group(out: &mut Vec<u8>, group: &Group) {
    put_id(out, group.last);
    number(out, group.read as u64);
    length(out, group.pending.len());
    for (&id, pending) in &group.pending {
        out.extend_from_slice(&id_bytes(id));
        out.extend_from_slice(&pending.delivered_ms.to_le_bytes());
        number(out, pending.deliveries);
    }
    length(out, group.consumers.len());
    for (name, consumer) in &group.consumers {
        text(out, name);
        out.extend_from_slice(&consumer.seen_ms.to_le_bytes());
        length(out, consumer.pending.len());
        for &id in consumer.pending.iter() {
            out.extend_from_slice(&id_bytes(id));
        }
    }
}

/// Reads the content; `counted` when it has what Redis 7.0 added: the ids of edges and the counters.
pub(super) fn read(input: &mut Input<'_>, counted: bool) -> Option<Value> {
    let mut value = Value::new_stream();
    let stream = value.stream_mut()?;
    for _ in 0..input.length()? {
        let base: [u8; 16] = input.text()?.try_into().ok()?;
        read_pack(stream, id_of(base), &input.text()?)?;
    }
    if input.number()? != stream.len() {
        return None;
    }
    let last = read_id(input)?;
    if last < stream.last {
        return None;
    }
    stream.last = last;
    if counted {
        // The first id is what the entries say.
        read_id(input)?;
        stream.max_deleted = read_id(input)?;
        stream.added = input.number()?;
    }
    for _ in 0..input.length()? {
        let name = Bytes::from(input.text()?.as_slice());
        let group = read_group(input, stream, counted)?;
        stream.groups.insert(name, group).is_none().then_some(())?;
    }
    Some(value)
}

fn id_of(bytes: [u8; 16]) -> Id {
    let both = u128::from_be_bytes(bytes);
    Id { ms: (both >> 64) as u64, seq: both as u64 }
}

fn read_id(input: &mut Input<'_>) -> Option<Id> {
    Some(Id { ms: input.number()?, seq: input.number()? })
}

/// The items of a listpack, one after the other.
struct Items(std::vec::IntoIter<Text>);

impl Items {
    fn text(&mut self) -> Option<Vec<u8>> {
        self.0.next().map(Text::bytes)
    }

    fn integer(&mut self) -> Option<i64> {
        match self.0.next()? {
            Text::Int(n) => Some(n),
            Text::Bytes(text) => number::parse_i64(&text),
        }
    }

    fn texts(&mut self, count: usize) -> Option<Vec<Vec<u8>>> {
        // No more than there are: the count may be anything.
        (count <= self.0.len()).then_some(())?;
        (0..count).map(|_| self.text()).collect()
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.integer()?).ok()
    }
}

/// Appends the entries of a listpack to the stream, as one block.
fn read_pack(stream: &mut Stream, base: Id, bytes: &[u8]) -> Option<()> {
    let mut items = Items(listpack::entries(bytes)?.into_iter());
    let (live, deleted) = (items.count()?, items.count()?);
    let count = items.count()?;
    let names = items.texts(count)?;
    (items.integer()? == 0).then_some(())?;
    let mut block = Block::named(names.iter().map(Vec::as_slice));
    let mut last = None;
    for _ in 0..live.checked_add(deleted)? {
        let flags = items.integer()?;
        let ms = base.ms.wrapping_add(items.integer()? as u64);
        let seq = base.seq.wrapping_add(items.integer()? as u64);
        let (id, same) = (Id { ms, seq }, flags & SAME_NAMES != 0);
        let fields = if same { names.len() } else { items.count()? };
        let texts = items.texts(if same { fields } else { fields.checked_mul(2)? })?;
        items.integer()?;
        if flags & DELETED != 0 {
            block.add_removed(id);
            continue;
        }
        let pairs: Vec<[&[u8]; 2]> = if same {
            names.iter().zip(&texts).map(|(name, value)| [&name[..], &value[..]]).collect()
        } else {
            texts.chunks_exact(2).map(|pair| [&pair[0][..], &pair[1][..]]).collect()
        };
        (id >= base && last.is_none_or(|last| id > last) && !pairs.is_empty()).then_some(())?;
        block.append(base, id, &pairs);
        last = Some(id);
    }
    (block.len() as usize == live && items.0.next().is_none()).then_some(())?;
    block.close();
    stream.push_block(base, block, last.unwrap_or(Id::MIN)).then_some(())
}

fn read_group(input: &mut Input<'_>, stream: &Stream, counted: bool) -> Option<Group> {
    let last = read_id(input)?;
    let read = match counted {
        true => input.number()? as i64,
        false => stream.added_up_to(last).map_or(UNKNOWN, |n| n as i64),
    };
    let mut group = Group::at(last, read);
    for _ in 0..input.length()? {
        let id = id_of(input.chunk()?);
        let delivered_ms = u64::from_le_bytes(input.chunk()?);
        let pending = Pending { delivered_ms, deliveries: input.number()?, ..Pending::default() };
        group.pending.insert(id, pending).is_none().then_some(())?;
    }
    for _ in 0..input.length()? {
        let name = Bytes::from(input.text()?.as_slice());
        let seen_ms = u64::from_le_bytes(input.chunk()?);
        let mut consumer = Consumer { seen_ms, ..Consumer::default() };
        for _ in 0..input.length()? {
            let id = id_of(input.chunk()?);
            group.pending.get_mut(&id)?.consumer = name.clone();
            consumer.pending.insert(id).then_some(())?;
        }
        group.consumers.insert(name, consumer).is_none().then_some(())?;
    }
    // Redis never leaves an entry pending with nobody.
    let held: usize = group.consumers.values().map(|consumer| consumer.pending.len()).sum();
    (held == group.pending.len()).then_some(group)
}
