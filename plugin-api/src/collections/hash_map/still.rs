//! [`Still`]: what a map would be that can neither grow in steps nor change its shape. For benchmarks, which
//! measure what being able to costs: each operation is the map's own code for a map at rest, without the look
//! at the header that tells whether it is.

use super::iter::Cursor;
use super::{HashMap, Slot};
use crate::state::{Lookup, StateKey, StateType};

/// A map at rest, which stays so: what begins a move ends it at once.
#[repr(transparent)]
pub struct Still<K: StateKey, V: StateType> {
    map: HashMap<K, V>,
}

impl<K: StateKey, V: StateType> HashMap<K, V> {
    /// The map without its looks; `None` when it has no table or is not at rest. O(1).
    #[doc(hidden)]
    pub fn still(self) -> Option<Still<K, V>> {
        self.raw.is_steady().then_some(Still { map: self })
    }
}

impl<K: StateKey, V: StateType> Still<K, V> {
    /// As [`HashMap::get`].
    #[inline]
    pub fn get<Q: ?Sized + Lookup<K>>(&self, key: &Q) -> Option<&V> {
        if !self.map.raw.table.is_allocated() {
            return None;
        }
        // SAFETY: the map is at rest; the slot is full and borrowed as long as the map.
        unsafe { self.map.found_at_rest(key).map(|found| &(*found.slot).value) }
    }

    /// As [`HashMap::get_mut`].
    #[inline]
    pub fn get_mut<Q: ?Sized + Lookup<K>>(&mut self, key: &Q) -> Option<&mut V> {
        if !self.map.raw.table.is_allocated() {
            return None;
        }
        // SAFETY: as in `get`; the slot is full and borrowed as long as the map.
        unsafe { self.map.found_at_rest(key).map(|found| &mut (*found.slot).value) }
    }

    /// As [`HashMap::insert`].
    #[inline]
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.make_room();
        // SAFETY: the map is at rest and has room.
        unsafe { self.map.set_at_rest(key, value) }
    }

    /// As [`HashMap::entry`], with `or_insert`.
    #[inline]
    pub fn or_insert(&mut self, key: K, default: V) -> &mut V {
        self.make_room();
        let hash = self.map.hash_of(&key);
        // SAFETY: as in `get_mut`.
        unsafe {
            let found = match HashMap::<K, V>::search(&self.map.raw.table, false, hash, &key) {
                Ok(found) => found,
                Err(_) => self.map.insert_at_rest(hash, key, default),
            };
            &mut (*found.slot).value
        }
    }

    /// As [`HashMap::remove`].
    #[inline]
    pub fn remove<Q: ?Sized + Lookup<K>>(&mut self, key: &Q) -> Option<V> {
        if !self.map.raw.table.is_allocated() {
            return None;
        }
        // SAFETY: the map is at rest.
        let slot = unsafe { self.map.take_at_rest(key) }?;
        if self.map.raw.is_sparse() {
            self.shrink();
        }
        Some(slot.value)
    }

    /// As [`HashMap::values`], all at once.
    #[inline]
    pub fn fold_values<B>(&self, first: B, mut f: impl FnMut(B, &V) -> B) -> B {
        let map = &self.map;
        let cursor = Cursor::<Slot<K, V>>::over(&map.raw.table, None, map.raw.len as usize);
        // SAFETY: the slots are full, and the map is borrowed.
        cursor.fold_runs::<false, B>(first, |sum, slot| f(sum, unsafe { &(*slot).value }))
    }

    #[inline(always)]
    fn make_room(&mut self) {
        if self.map.raw.table.growth_left == 0 {
            self.grow();
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.map.grow(1);
        self.map.finish_rehash();
    }

    #[cold]
    #[inline(never)]
    fn shrink(&mut self) {
        self.map.after_remove();
        self.map.finish_rehash();
    }
}
