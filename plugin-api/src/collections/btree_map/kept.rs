//! Trees of whose entries something may be set aside ([`crate::migrate::marks`]).
//!
//! As hash maps do (`kept.rs` there), such a tree tells the shell of removals, until the shell answers that
//! nothing is left that hangs on it. A hash map is known by its seed; a tree gets a number when something is
//! first set aside of it, and keys are hashed with what that makes. Others pay for a look at one word.

use super::BTreeMap;
use crate::collections::hash::KeyHasher;
use crate::collections::hash_map;
use crate::schema::mix;
use crate::state::{StateKey, StateType};

/// What keys of the tree with this number are hashed with, for the shell. As numbers are drawn by lot, nobody
/// can choose two keys that are one to it.
pub(crate) fn seed(number: u32) -> [u64; 2] {
    [1, 2].map(|half| mix(half, u64::from(number)))
}

impl<K, V> BTreeMap<K, V> {
    /// Tells that all entries go; `absent`: and those that are set aside.
    #[cold]
    #[inline(never)]
    pub(super) fn tell_cleared(&mut self, absent: bool) {
        if let Some(table) = hash_map::listener() {
            (table.cleared)(u64::from(self.number), absent);
        }
        // What is still to be converted may leave something.
        if !self.is_converting() {
            self.number = 0;
        }
    }
}

impl<K: StateKey, V> BTreeMap<K, V> {
    /// Tells that the entry of a key goes.
    #[cold]
    #[inline(never)]
    pub(super) fn tell_removed(&mut self, key: &K) {
        let mut hasher = KeyHasher::new(seed(self.number));
        key.hash_into(&mut hasher);
        let number = u64::from(self.number);
        let more =
            hash_map::listener().is_some_and(|table| (table.removed)(number, hasher.finish()));
        if !more {
            self.number = 0;
        }
    }
}

impl<K: StateKey, V: StateType> BTreeMap<K, V> {
    /// Drops what other versions set aside of this map: entries that the running version cannot hold, and
    /// parts of those it can. [`BTreeMap::clear`] and dropping the map do so, too; this is for a map that is
    /// taken out of the state to be freed later. O(parts).
    pub fn forget_aside(&mut self) {
        if self.number != 0 {
            self.tell_cleared(true);
        }
    }
}
