//! Entries of a stream in one piece of memory, as a node of Redis' streams.
//!
//! Layout: the names of the first entry's fields; then the entries one after the other: how far the id
//! is from the block's (two numbers), the number of fields, and the fields. Where the names are those of
//! the first entry, the number is 0, and only values follow. Numbers have seven bits a byte, lowest
//! first, the top bit on all bytes but the last; a text has its length in front.

use hotshell_plugin_api::collections::Bytes;
use hotshell_plugin_api::state;

use super::Id;
use crate::settings::Limits;

/// Bytes of a block at most, whatever `stream-node-max-bytes` says.
const MOST_BYTES: u64 = 1 << 30;

/// Some entries of a stream.
#[state]
#[derive(Debug)]
pub struct Block {
    bytes: Bytes,
    /// Where the entries begin, behind the names.
    start: u32,
    /// How many there are.
    len: u32,
    /// How many were removed.
    removed: u32,
    /// The id of the newest one there ever was, also when it was removed.
    last: Id,
}

/// The fields of an entry.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The names, when they are those of the block.
    names: Option<&'a [u8]>,
    len: usize,
    texts: &'a [u8],
}

impl<'a> Entry<'a> {
    /// How many fields it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none, which never is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the names of its fields are those of the block.
    pub fn has_names_of_block(&self) -> bool {
        self.names.is_some()
    }

    /// Names with their values, in the order they were given.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let (mut names, mut texts) = (self.names, self.texts);
        (0..self.len).map(move |_| {
            let name = match &mut names {
                Some(names) => text(names),
                None => text(&mut texts),
            };
            (name, text(&mut texts))
        })
    }
}

/// Takes a number off the front.
fn number(bytes: &mut &[u8]) -> u64 {
    let mut n = 0;
    for shift in (0..64).step_by(7) {
        let Some((&byte, rest)) = bytes.split_first() else { break };
        *bytes = rest;
        n |= u64::from(byte & 127) << shift;
        if byte < 128 {
            break;
        }
    }
    n
}

/// Takes a text off the front.
fn text<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let len = number(bytes) as usize;
    let (text, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
    *bytes = rest;
    text
}

fn put_number(bytes: &mut Bytes, mut n: u64) {
    while n >= 128 {
        bytes.push(n as u8 | 128);
        n >>= 7;
    }
    bytes.push(n as u8);
}

fn put_text(bytes: &mut Bytes, text: &[u8]) {
    put_number(bytes, text.len() as u64);
    bytes.extend_from_slice(text);
}

impl Block {
    /// A block with its first entry.
    pub fn of(id: Id, pairs: &[[&[u8]; 2]]) -> Self {
        let mut block = Self::named(pairs.iter().map(|[name, _]| *name));
        block.append(id, id, pairs);
        block
    }

    /// A block without entries, for those that mostly have fields of these names.
    pub fn named<'a>(names: impl ExactSizeIterator<Item = &'a [u8]>) -> Self {
        let mut block = Self::default();
        put_number(&mut block.bytes, names.len() as u64);
        names.for_each(|name| put_text(&mut block.bytes, name));
        block.start = block.bytes.len() as u32;
        block
    }

    /// How many entries it has.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// How many were removed.
    pub fn removed(&self) -> u32 {
        self.removed
    }

    /// Counts one that was removed elsewhere, before the block came here.
    pub fn add_removed(&mut self, id: Id) {
        self.removed += 1;
        self.last = self.last.max(id);
    }

    /// Whether all were removed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes it takes.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it takes another entry with texts of so many bytes. Removed ones count for the limit of
    /// entries, as in Redis.
    pub fn has_room(&self, size: usize, limits: Limits) -> bool {
        let entries = u64::from(self.len) + u64::from(self.removed);
        let most = if limits.stream_bytes == 0 { MOST_BYTES } else { limits.stream_bytes };
        let bytes = (self.bytes() + size) as u64;
        bytes < most.min(MOST_BYTES)
            && (limits.stream_entries == 0 || entries < limits.stream_entries)
    }

    /// The id of the newest entry there ever was, also when it was removed.
    pub fn newest(&self) -> Id {
        self.last
    }

    /// The newest entry's id. O(block).
    pub fn last(&self, base: Id) -> Option<Id> {
        self.entries(base).last().map(|(id, _)| id)
    }

    /// The oldest entry's id.
    pub fn first(&self, base: Id) -> Option<Id> {
        self.entries(base).next().map(|(id, _)| id)
    }

    /// Gives back the room for more entries.
    pub fn close(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Adds an entry. Amortised O(its size).
    pub fn append(&mut self, base: Id, id: Id, pairs: &[[&[u8]; 2]]) {
        let same = {
            let mut names = &self.bytes[..self.start as usize];
            let count = number(&mut names);
            count == pairs.len() as u64 && pairs.iter().all(|[name, _]| text(&mut names) == *name)
        };
        put_number(&mut self.bytes, id.ms - base.ms);
        put_number(&mut self.bytes, if id.ms == base.ms { id.seq - base.seq } else { id.seq });
        put_number(&mut self.bytes, if same { 0 } else { pairs.len() as u64 });
        for [name, value] in pairs {
            if !same {
                put_text(&mut self.bytes, name);
            }
            put_text(&mut self.bytes, value);
        }
        self.len += 1;
        self.last = self.last.max(id);
    }

    /// The names of the fields of the entry it was made for.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        let mut names = &self.bytes[..self.start as usize];
        let count = number(&mut names);
        (0..count).map(move |_| text(&mut names))
    }

    /// The entries, oldest first.
    pub fn entries(&self, base: Id) -> impl Iterator<Item = (Id, Entry<'_>)> {
        self.places(base).map(|(id, entry, _)| (id, entry))
    }

    /// The entries, and where each ends.
    fn places(&self, base: Id) -> impl Iterator<Item = (Id, Entry<'_>, usize)> {
        let mut names = &self.bytes[..self.start as usize];
        let name_count = number(&mut names) as usize;
        let mut rest = &self.bytes[self.start as usize..];
        core::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let ms = base.ms + number(&mut rest);
            let seq = number(&mut rest) + if ms == base.ms { base.seq } else { 0 };
            let (names, len) = match number(&mut rest) as usize {
                0 => (Some(names), name_count),
                len => (None, len),
            };
            let texts = rest;
            for _ in 0..if names.is_some() { len } else { len * 2 } {
                text(&mut rest);
            }
            let entry = Entry { names, len, texts };
            Some((Id { ms, seq }, entry, self.bytes.len() - rest.len()))
        })
    }

    /// Removes an entry; false when there is no such one. O(block).
    pub fn remove(&mut self, base: Id, id: Id) -> bool {
        let mut start = self.start as usize;
        let mut place = None;
        for (other, _, end) in self.places(base) {
            if other == id {
                place = Some(start..end);
                break;
            }
            start = end;
        }
        let Some(place) = place else { return false };
        self.cut(place, 1);
        true
    }

    /// Removes so many entries, oldest first. O(block).
    pub fn remove_first(&mut self, base: Id, count: usize) {
        let Some(last) = count.checked_sub(1) else { return };
        let end = self.places(base).nth(last).map(|(_, _, end)| end);
        if let Some(end) = end {
            self.cut(self.start as usize..end, count as u32);
        }
    }

    fn cut(&mut self, place: core::ops::Range<usize>, entries: u32) {
        let len = self.bytes.len();
        self.bytes.copy_within(place.end..len, place.start);
        self.bytes.truncate(len - place.len());
        self.len -= entries;
        self.removed += entries;
    }

    /// A copy.
    pub fn copy(&self) -> Self {
        Self { bytes: self.bytes.clone(), ..*self }
    }
}
