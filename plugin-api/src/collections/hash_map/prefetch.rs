//! A batch of lookups that waits for memory together instead of one after the other.

use core::ptr;

use super::group::{Group, Tags};
use super::{HashMap, Slot};
use crate::collections::fetch::fetch;
use crate::state::{Lookup, StateKey, StateType};

/// Keys that are looked at together: as many as a core has reads of memory under way.
const BATCH: usize = 16;

impl<K: StateKey, V: StateType> HashMap<K, V> {
    /// Fetches what lookups of `keys` are going to read into the processor's caches.
    ///
    /// A lookup in a map larger than the caches mostly waits: for the control bytes, then for the entry,
    /// then for a key that lies elsewhere. Who knows several keys beforehand (a request with many of them,
    /// requests that arrived together) saves most of that by calling this first. Nothing changes, and
    /// in a map that is just growing nothing happens. O(keys), about 20 ns each.
    pub fn prefetch<Q: ?Sized + Lookup<K>>(&self, keys: &[&Q]) {
        if self.raw.is_steady() {
            // SAFETY: as just looked at.
            keys.chunks(BATCH).for_each(|batch| unsafe { self.prefetch_batch(batch) });
        }
    }

    /// The same for up to [`BATCH`] keys, each step for all of them before the next.
    ///
    /// # Safety
    /// The map is steady.
    unsafe fn prefetch_batch<Q: ?Sized + Lookup<K>>(&self, keys: &[&Q]) {
        let table = &self.raw.table;
        let mut hashes = [0; BATCH];
        for (hash, key) in hashes.iter_mut().zip(keys) {
            *hash = self.hash_of(*key);
            fetch(table.ctrl.wrapping_add(table.home(*hash)));
        }
        let mut slots = [ptr::null::<Slot<K, V>>(); BATCH];
        for (slot, &hash) in slots.iter_mut().zip(&hashes[..keys.len()]) {
            let home = table.home(hash);
            // SAFETY: a steady map has a table, whose control bytes are aligned; a tagged slot is one of
            // its slots.
            unsafe {
                let tagged = Group::load(table.ctrl.add(home)).tagged(Tags::of(hash));
                if let Some(bit) = tagged.lowest() {
                    *slot = table.slot(home + bit);
                    fetch(*slot);
                    fetch(slot.cast::<u8>().wrapping_add(size_of::<Slot<K, V>>() - 1));
                }
            }
        }
        for slot in slots.iter().filter(|slot| !slot.is_null()) {
            // SAFETY: a tagged slot is full.
            unsafe { (**slot).key.prefetch() };
        }
    }
}
