//! Consumer groups: how far a group has read, and what its consumers have not acknowledged.

use hotshell_plugin_api::collections::{BTreeMap, BTreeSet, Bytes};
use hotshell_plugin_api::state;

use super::{Id, Stream};

/// [`Group::read`] when it cannot be told.
pub const UNKNOWN: i64 = -1;

/// A consumer group.
#[state]
#[derive(Debug)]
pub struct Group {
    /// The newest entry that was delivered.
    pub last: Id,
    /// How many entries were read, or [`UNKNOWN`].
    pub read: i64,
    /// Entries that were delivered and not acknowledged.
    pub pending: BTreeMap<Id, Pending>,
    /// Consumers by name.
    pub consumers: BTreeMap<Bytes, Consumer>,
}

/// An entry that is not acknowledged.
#[state]
#[derive(Debug, Clone)]
pub struct Pending {
    /// When it was last delivered, milliseconds since the Unix epoch.
    pub delivered_ms: u64,
    /// How often.
    pub deliveries: u64,
    /// To whom; empty while nobody has it.
    pub consumer: Bytes,
}

/// One consumer of a group.
#[state]
#[derive(Debug)]
pub struct Consumer {
    /// When it last did something, milliseconds since the Unix epoch.
    pub seen_ms: u64,
    /// What it has not acknowledged.
    pub pending: BTreeSet<Id>,
}

/// How far a group has read: worked out beside the stream, and put back in one step.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    last: Id,
    read: i64,
}

impl Place {
    /// The id from which entries are new.
    pub fn next(self) -> Option<Id> {
        self.last.next()
    }

    /// Notes that an entry of the stream is read, if it is a new one.
    pub fn advance(&mut self, stream: &Stream, id: Id) {
        if id <= self.last {
            return;
        }
        if self.read != UNKNOWN && !stream.has_gaps_from(id) {
            self.read += 1;
        } else if stream.added > 0 {
            self.read = stream.added_up_to(id).map_or(UNKNOWN, |n| n as i64);
        }
        self.last = id;
    }
}

impl Group {
    /// A group that has read up to an id.
    pub fn at(last: Id, read: i64) -> Self {
        Self { last, read, ..Self::default() }
    }

    /// Bytes of what is pending, about. O(1).
    pub fn bytes(&self) -> usize {
        // A pending entry is in the group and with its consumer.
        let pending = self.pending.len() * (2 * size_of::<Id>() + size_of::<Pending>());
        let consumers = self.consumers.len() * (size_of::<Bytes>() + size_of::<Consumer>());
        size_of::<Self>() + pending + consumers
    }

    /// Makes a consumer if there is none of the name; true when it is new. Either way it was seen now.
    pub fn see(&mut self, name: &[u8], now: u64) -> bool {
        if let Some(consumer) = self.consumers.get_mut(name) {
            consumer.seen_ms = now;
            return false;
        }
        let consumer = Consumer { seen_ms: now, ..Consumer::default() };
        self.consumers.insert(Bytes::from(name), consumer);
        true
    }

    /// Removes a consumer with what it has pending; how much that was. O(pending).
    pub fn remove_consumer(&mut self, name: &[u8]) -> usize {
        let Some(consumer) = self.consumers.remove(name) else { return 0 };
        for id in consumer.pending.iter() {
            self.pending.remove(id);
        }
        consumer.pending.len()
    }

    /// Takes an entry off the pending ones; false when it is none. O(log n).
    pub fn acknowledge(&mut self, id: Id) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        if let Some(consumer) = self.consumers.get_mut(&pending.consumer) {
            consumer.pending.remove(&id);
        }
        true
    }

    /// Gives a pending entry to a consumer; O(log n).
    pub fn assign(&mut self, id: Id, name: &[u8]) -> &mut Pending {
        let pending = self.pending.entry(id).or_default();
        if pending.consumer != *name {
            if let Some(old) = self.consumers.get_mut(&pending.consumer) {
                old.pending.remove(&id);
            }
            pending.consumer = Bytes::from(name);
        }
        if let Some(consumer) = self.consumers.get_mut(name) {
            consumer.pending.insert(id);
        }
        pending
    }

    /// How far it has read.
    pub fn place(&self) -> Place {
        Place { last: self.last, read: self.read }
    }

    /// Takes the group on to where its reading has come.
    pub fn go_to(&mut self, place: Place) {
        (self.last, self.read) = (place.last, place.read);
    }

    /// How many entries of the stream it has not read, where that can be told.
    pub fn lag(&self, stream: &Stream) -> Option<i64> {
        if stream.added == 0 {
            return Some(0);
        }
        let added = stream.added as i64;
        if self.read != UNKNOWN && !stream.has_gaps_from(self.last) {
            return Some(added - self.read);
        }
        stream.added_up_to(self.last).map(|read| added - read as i64)
    }

    /// A copy. O(n).
    pub fn copy(&self) -> Self {
        let consumers = self.consumers.iter().map(|(name, consumer)| {
            let pending = consumer.pending.iter().copied().collect();
            (name.clone(), Consumer { seen_ms: consumer.seen_ms, pending })
        });
        Self {
            last: self.last,
            read: self.read,
            pending: self.pending.iter().map(|(id, pending)| (*id, pending.clone())).collect(),
            consumers: consumers.collect(),
        }
    }

    /// Frees about `n` pending entries; it is of no further use.
    pub(super) fn crumble(&mut self, n: usize) {
        self.pending.take_some(n).for_each(drop);
        let mut left = n;
        while let Some(mut first) = self.consumers.first_entry() {
            let pending = &mut first.get_mut().pending;
            left -= pending.take_some(left).count();
            if !pending.is_empty() || left == 0 {
                break;
            }
            first.remove();
        }
    }
}
