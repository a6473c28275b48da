//! Streams: entries by id in packed blocks, and who has read what ([`group`]).
//!
//! A [`Stream`] is a tree of [`Block`]s by their first id, so a range is found in O(log n), and an entry
//! costs its bytes and a few more. Entries go in at the end only.

mod block;
mod group;
mod radix;

use hotshell_plugin_api::collections::{BTreeMap, Bytes};
use hotshell_plugin_api::state;

use crate::settings::Limits;

pub use block::{Block, Entry};
pub use group::{Consumer, Group, Pending, Place, UNKNOWN};

/// An entry's id.
#[state(key)]
#[derive(Debug, Clone, Copy)]
pub struct Id {
    /// Milliseconds since the Unix epoch, or what the client said.
    pub ms: u64,
    /// Tells entries of one millisecond apart.
    pub seq: u64,
}

impl Id {
    /// Before all entries.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    /// Behind all entries.
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    /// The next id; `None` behind the last one.
    pub fn next(self) -> Option<Self> {
        match (self.seq.checked_add(1), self.ms.checked_add(1)) {
            (Some(seq), _) => Some(Self { seq, ..self }),
            (None, Some(ms)) => Some(Self { ms, seq: 0 }),
            (None, None) => None,
        }
    }

    /// The id before; `None` before the first one.
    pub fn previous(self) -> Option<Self> {
        match (self.seq.checked_sub(1), self.ms.checked_sub(1)) {
            (Some(seq), _) => Some(Self { seq, ..self }),
            (None, Some(ms)) => Some(Self { ms, seq: u64::MAX }),
            (None, None) => None,
        }
    }
}

/// A stream.
#[state]
#[derive(Debug)]
pub struct Stream {
    /// The entries, by the first id that a block was made for. Only the first one may have none: see
    /// [`Stream::trim`].
    blocks: BTreeMap<Id, Block>,
    /// How many there are.
    len: u64,
    /// The id of the newest entry there ever was.
    pub last: Id,
    /// The highest id that XDEL removed.
    pub max_deleted: Id,
    /// How many were ever added.
    pub added: u64,
    /// Consumer groups by name.
    pub groups: BTreeMap<Bytes, Group>,
}

/// How far a stream is cut.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    /// To so many entries.
    Len(u64),
    /// To entries from this id on.
    From(Id),
}

impl Stream {
    /// How many entries it has. O(1).
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has none; it is in the keyspace all the same.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many blocks hold them. O(1).
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// How many nodes Redis' tree of the same blocks has. O(blocks).
    pub fn radix_nodes(&self) -> u64 {
        radix::nodes(self.blocks.keys().copied())
    }

    /// The blocks in order, each with the id from which it counts.
    pub fn iter_blocks(&self) -> impl Iterator<Item = (Id, &Block)> {
        self.blocks.iter().map(|(base, block)| (*base, block))
    }

    /// The oldest entry's id, or [`Id::MIN`]. O(1).
    pub fn first_id(&self) -> Id {
        let mut blocks = self.blocks.iter();
        blocks.find_map(|(base, block)| block.first(*base)).unwrap_or(Id::MIN)
    }

    /// The newest entry's id, or [`Id::MIN`]. O(block).
    pub fn last_id(&self) -> Id {
        let last = self.blocks.last_key_value();
        last.and_then(|(base, block)| block.last(*base)).unwrap_or(Id::MIN)
    }

    /// Adds an entry, whose id must be above [`Stream::last`]. O(log n).
    pub fn append(&mut self, id: Id, pairs: &[[&[u8]; 2]], limits: Limits) {
        debug_assert!(id > self.last);
        let last = self.blocks.len().wrapping_sub(1);
        let newest = self.blocks.get_index_mut(last);
        let size = pairs.iter().flatten().map(|text| text.len()).sum();
        match newest.filter(|(_, block)| block.has_room(size, limits)) {
            Some((base, block)) => block.append(*base, id, pairs),
            None => {
                if let Some((_, full)) = self.blocks.get_index_mut(last) {
                    full.close();
                }
                self.blocks.insert(id, Block::of(id, pairs));
            }
        }
        self.len += 1;
        self.added += 1;
        self.last = id;
    }

    /// Adds a whole block, of which the newest entry has the id `last`. False, and nothing is done, when
    /// it does not belong behind all others, or has no entries and is not the first. O(log n).
    pub fn push_block(&mut self, base: Id, block: Block, last: Id) -> bool {
        let behind = self.blocks.last_key_value().is_none_or(|(other, _)| base > *other);
        let fits = behind && (base > self.last || self.is_empty());
        if !fits || (block.is_empty() && !self.blocks.is_empty()) {
            return false;
        }
        self.len += u64::from(block.len());
        self.added += u64::from(block.len());
        self.last = self.last.max(last);
        self.blocks.insert(base, block);
        true
    }

    /// Shows the entries from one id to another, or from that back to the first one, until `show`
    /// has seen enough. O(log n + shown).
    pub fn each<'a>(
        &'a self,
        from: Id,
        to: Id,
        reverse: bool,
        mut show: impl FnMut(Id, Entry<'a>) -> bool,
    ) {
        let (first, end) = (self.place(from).unwrap_or(0), self.place(to).map_or(0, |n| n + 1));
        if from > to || first >= end {
            return;
        }
        let inside = |(id, _): &(Id, Entry<'_>)| (from..=to).contains(id);
        let mut blocks = self.blocks.range_by_rank(first..end);
        if reverse {
            while let Some((base, block)) = blocks.next_back() {
                let entries: Vec<_> = block.entries(*base).filter(inside).collect();
                if !entries.into_iter().rev().all(|(id, entry)| show(id, entry)) {
                    return;
                }
            }
        } else {
            for (base, block) in blocks {
                if !block.entries(*base).filter(inside).all(|(id, entry)| show(id, entry)) {
                    return;
                }
            }
        }
    }

    /// The index of the block in which an id would be; `None` before the first one.
    fn place(&self, id: Id) -> Option<usize> {
        match self.blocks.rank(&id) {
            Ok(index) => Some(index),
            Err(index) => index.checked_sub(1),
        }
    }

    /// Whether there is such an entry. O(log n).
    pub fn contains(&self, id: Id) -> bool {
        let block = self.place(id).and_then(|place| self.blocks.get_index(place));
        block.is_some_and(|(base, block)| block.entries(*base).any(|(other, _)| other == id))
    }

    /// Removes an entry. False when there is no such one. O(log n).
    pub fn remove(&mut self, id: Id) -> bool {
        let Some(place) = self.place(id) else { return false };
        let Some((base, block)) = self.blocks.get_index_mut(place) else { return false };
        if !block.remove(*base, id) {
            return false;
        }
        if block.is_empty() {
            self.blocks.remove_index(place);
        }
        self.len -= 1;
        self.max_deleted = self.max_deleted.max(id);
        true
    }

    /// Cuts the oldest entries off; answers how many. With `whole` only blocks that go altogether, of at
    /// most so many entries (0: any). O(removed).
    ///
    /// A block goes when the newest entry that it ever had does, as in Redis: one whose entries all go,
    /// but whose newest one was removed before and lies behind the bound, stays without entries.
    pub fn trim(&mut self, bound: Bound, whole: Option<u64>) -> u64 {
        let before = self.len;
        while let Some((base, block)) = self.blocks.first_key_value() {
            let entries = u64::from(block.len());
            let goes = match bound {
                Bound::Len(len) => self.len.saturating_sub(entries) >= len && self.len > len,
                Bound::From(id) => block.newest() < id,
            };
            let limit = whole.filter(|&limit| limit > 0);
            if goes && limit.is_some_and(|limit| before - self.len + entries > limit) {
                break;
            }
            if goes {
                self.blocks.pop_first();
                self.len -= entries;
                continue;
            }
            if whole.is_none() {
                let count = match bound {
                    Bound::Len(len) => self.len.saturating_sub(len) as usize,
                    Bound::From(id) => block.entries(*base).take_while(|(i, _)| *i < id).count(),
                };
                if let Some((base, block)) = self.blocks.get_index_mut(0) {
                    block.remove_first(*base, count);
                }
                self.len -= count as u64;
            }
            break;
        }
        before - self.len
    }

    /// Whether XDEL left a gap at this id or behind it, among the entries that there are.
    pub fn has_gaps_from(&self, id: Id) -> bool {
        !self.is_empty()
            && self.max_deleted != Id::MIN
            && self.max_deleted >= id.max(self.first_id())
    }

    /// How many entries were ever added up to this id, where that can be told.
    pub fn added_up_to(&self, id: Id) -> Option<u64> {
        if self.added == 0 {
            return Some(0);
        }
        if (self.is_empty() && id <= self.last) || id == self.last {
            return Some(self.added);
        }
        let first = self.first_id();
        if id > self.last || (self.max_deleted != Id::MIN && self.max_deleted >= first) {
            return None;
        }
        match id.cmp(&first) {
            core::cmp::Ordering::Less => Some(self.added - self.len),
            core::cmp::Ordering::Equal => Some(self.added - self.len + 1),
            core::cmp::Ordering::Greater => None,
        }
    }

    /// A copy. O(n).
    pub fn copy(&self) -> Self {
        Self {
            blocks: self.blocks.iter().map(|(id, block)| (*id, block.copy())).collect(),
            groups: self.groups.iter().map(|(name, group)| (name.clone(), group.copy())).collect(),
            ..*self
        }
    }

    /// Whether freeing it at once would take long.
    pub fn is_big(&self) -> bool {
        /// Blocks and pending entries that are freed at once.
        const FEW: usize = 64;
        self.blocks.len() > FEW || self.groups.values().any(|group| group.pending.len() > FEW)
    }

    /// Bytes of its entries and of what is pending, about. O(blocks + groups).
    pub fn bytes(&self) -> usize {
        let node = size_of::<Id>() + size_of::<Block>();
        let blocks: usize = self.blocks.values().map(|block| node + block.bytes()).sum();
        let pending: usize = self.groups.values().map(Group::bytes).sum();
        size_of::<Self>() + blocks + pending
    }

    /// Frees about `n` blocks and pending entries; it is of no further use.
    pub fn crumble(&mut self, n: usize) {
        self.blocks.take_some(n).for_each(drop);
        if let Some(mut entry) = self.groups.first_entry() {
            entry.get_mut().crumble(n);
            if entry.get().pending.is_empty() {
                entry.remove();
            }
        }
    }
}
