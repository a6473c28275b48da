//! Small collections in one block of memory, as Redis' listpack.
//!
//! Layout: the number of entries (two bytes, little-endian), then the entries one after the other: a
//! byte with the length, or [`LONG`] and four bytes with it, and the content. No entries: no bytes.

use core::ops::Range;

use hotshell_plugin_api::collections::Bytes;

/// Length of the count in front.
const FRONT: usize = 2;
/// Marks an entry whose length takes four more bytes; shorter ones are below it.
const LONG: u8 = 255;

/// A limit of a setting on pairs in a block, as far as its count can hold them.
pub fn most(limit: u64) -> usize {
    limit.min(u64::from(u16::MAX / 2 - 1)) as usize
}

/// The entries of a block.
#[derive(Debug, Clone, Copy)]
pub struct Pack<'a>(&'a [u8]);

/// Entries in order; knows where it is.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Pack<'a> {
    /// Reads a block.
    #[inline]
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// How many entries it has. O(1).
    #[inline]
    pub fn len(self) -> usize {
        match self.0 {
            [low, high, ..] => u16::from_le_bytes([*low, *high]) as usize,
            _ => 0,
        }
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The entries, first to last.
    #[inline]
    pub fn iter(self) -> Iter<'a> {
        Iter { bytes: self.0, at: FRONT }
    }

    /// The entries by twos: keys with what belongs to them.
    pub fn pairs(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut entries = self.iter();
        core::iter::from_fn(move || Some((entries.next()?, entries.next()?)))
    }

    /// Where the entry stands that equals `key`, among every `step`th one. O(n).
    pub fn find(self, key: &[u8], step: usize) -> Option<Range<usize>> {
        let mut entries = self.iter();
        loop {
            let start = entries.at;
            if entries.next()? == key {
                return Some(start..entries.at);
            }
            for _ in 1..step {
                entries.next();
            }
        }
    }

    /// Where `count` entries from the one with this index on stand. O(n).
    pub fn range(self, index: usize, count: usize) -> Range<usize> {
        let mut entries = self.iter();
        entries.by_ref().take(index).for_each(|_| ());
        let start = entries.at;
        entries.by_ref().take(count).for_each(|_| ());
        start..entries.at
    }

    /// The entry that stands at `at`.
    pub fn at(self, at: usize) -> Option<&'a [u8]> {
        Iter { bytes: self.0, at }.next()
    }

    /// Where the entry behind the one at `at` ends.
    pub fn end_of(self, at: usize) -> usize {
        let mut entries = Iter { bytes: self.0, at };
        entries.next();
        entries.at
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (len, start) = match *self.bytes.get(self.at)? {
            LONG => {
                let len = self.bytes.get(self.at + 1..self.at + 5)?;
                (u32::from_le_bytes(len.try_into().ok()?) as usize, self.at + 5)
            }
            len => (len as usize, self.at + 1),
        };
        self.at = start + len;
        self.bytes.get(start..start + len)
    }
}

/// Replaces what stands at `place`, `removed` entries, by others. O(n).
pub fn splice(bytes: &mut Bytes, place: Range<usize>, removed: usize, entries: &[&[u8]]) {
    if bytes.is_empty() {
        bytes.resize(FRONT, 0);
    }
    let count = Pack::of(bytes).len() - removed + entries.len();
    let (old, new) = (place.len(), entries.iter().map(|entry| size(entry)).sum::<usize>());
    let len = bytes.len();
    if new > old {
        bytes.reserve_exact(new - old);
        bytes.resize(len + new - old, 0);
    }
    bytes.copy_within(place.end..len, place.start + new);
    bytes.truncate(len + new - old);
    bytes[..FRONT].copy_from_slice(&(count as u16).to_le_bytes());
    let mut at = place.start;
    for entry in entries {
        at += write(&mut bytes[at..], entry);
    }
    if count == 0 {
        *bytes = Bytes::new();
    }
}

/// Adds entries behind the last one.
pub fn append(bytes: &mut Bytes, entries: &[&[u8]]) {
    let end = bytes.len().max(FRONT);
    splice(bytes, end..end, 0, entries);
}

/// Bytes that an entry takes.
fn size(entry: &[u8]) -> usize {
    entry.len() + if entry.len() < LONG as usize { 1 } else { 5 }
}

fn write(to: &mut [u8], entry: &[u8]) -> usize {
    let front = size(entry) - entry.len();
    if front == 1 {
        to[0] = entry.len() as u8;
    } else {
        to[0] = LONG;
        to[1..5].copy_from_slice(&(entry.len() as u32).to_le_bytes());
    }
    to[front..front + entry.len()].copy_from_slice(entry);
    front + entry.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(bytes: &Bytes) -> Vec<Vec<u8>> {
        Pack::of(bytes).iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn entries_are_put_in_found_replaced_and_taken_out() {
        let mut bytes = Bytes::new();
        assert!(Pack::of(&bytes).is_empty());
        let long = vec![b'x'; 300];
        append(&mut bytes, &[b"a", b""]);
        append(&mut bytes, &[&long, b"d"]);
        assert_eq!(entries(&bytes), [b"a".to_vec(), vec![], long.clone(), b"d".to_vec()]);
        let place = Pack::of(&bytes).find(&long, 2).unwrap();
        splice(&mut bytes, place, 1, &[b"longer", b"than one"]);
        assert_eq!(Pack::of(&bytes).len(), 5);
        assert_eq!(Pack::of(&bytes).find(b"d", 2).map(|place| place.len()), Some(2));
        let place = Pack::of(&bytes).range(0, 2);
        splice(&mut bytes, place, 2, &[]);
        assert_eq!(entries(&bytes), [b"longer".to_vec(), b"than one".to_vec(), b"d".to_vec()]);
        let place = Pack::of(&bytes).range(0, 3);
        splice(&mut bytes, place, 3, &[]);
        assert!(bytes.is_empty());
    }
}
