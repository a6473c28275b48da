//! What every operation on a map comes down to: the slot of a key, and the one that it would get.
//!
//! Each has a short half for a map at rest, all of whose entries are in one table, and a long one for a map
//! that moves or changes its shape. One look at the header tells which.

use core::mem;

use super::entry::{Entry, OccupiedEntry, VacantEntry};
use super::group::{EMPTY, tag};
use super::raw::{Found, Raw};
use super::table::{Miss, Table};
use super::{HashMap, Slot};
use crate::collections::hash::KeyHasher;
use crate::state::{Lookup, StateKey, StateType};

impl<K: StateKey, V> HashMap<K, V> {
    /// Takes an entry out of its slot.
    ///
    /// # Safety
    /// `found` is a full slot of this map.
    #[inline(always)]
    pub(super) unsafe fn take(&mut self, found: Found<Slot<K, V>>) -> Slot<K, V> {
        // SAFETY: the slot is full; after `erase` nobody reads it.
        unsafe {
            if self.raw.tells() {
                self.tell_removed(found.slot);
            }
            self.raw.erase(found.ctrl, found.old);
            found.slot.read()
        }
    }

    #[inline(always)]
    pub(super) fn hash_of<Q: ?Sized + Lookup<K>>(&self, key: &Q) -> u64 {
        Self::hash_with(self.raw.seed, key)
    }

    #[inline(always)]
    pub(super) fn hash_with<Q: ?Sized + Lookup<K>>(seed: [u64; 2], key: &Q) -> u64 {
        let mut hasher = KeyHasher::new(seed);
        key.hash_into(&mut hasher);
        hasher.finish()
    }

    #[inline(always)]
    pub(super) fn find<Q: ?Sized + Lookup<K>>(&self, key: &Q) -> Option<&Slot<K, V>> {
        if !self.raw.is_steady() {
            return self.find_in_move(key);
        }
        // SAFETY: a steady map has a table.
        unsafe { self.find_at_rest(key) }
    }

    /// [`Self::find`] in a map at rest.
    ///
    /// # Safety
    /// The map is steady.
    #[inline(always)]
    pub(super) unsafe fn find_at_rest<Q: ?Sized + Lookup<K>>(
        &self,
        key: &Q,
    ) -> Option<&Slot<K, V>> {
        // SAFETY: the slot is full and borrowed as long as the map.
        unsafe { self.found_at_rest(key).map(|found| &*found.slot) }
    }

    #[inline(never)]
    fn find_in_move<Q: ?Sized + Lookup<K>>(&self, key: &Q) -> Option<&Slot<K, V>> {
        if let Some(conversion) = self.raw.conversion() {
            return self.find_converting(conversion, key);
        }
        if !self.raw.table.is_allocated() {
            return None;
        }
        let hash = self.hash_of(key);
        // SAFETY: both tables of a move are allocated.
        unsafe {
            Self::search(self.raw.table_of(hash).0, false, hash, key).ok().map(|found| &*found.slot)
        }
    }

    /// The place of a key; the move has been moved on.
    #[inline(never)]
    pub(super) fn entry_in_move(&mut self, hash: u64, key: K) -> Entry<'_, K, V>
    where
        V: StateType,
    {
        let found = if let Some(conversion) = self.raw.conversion() {
            Self::look_up(conversion, hash, &key)
        } else {
            let (table, old) = self.raw.table_of(hash);
            // SAFETY: `before_insert` allocated the table.
            unsafe { Self::search(table, old, hash, &key) }.ok()
        };
        match found {
            Some(found) => {
                self.raw.before_change(found.ctrl);
                Entry::Occupied(OccupiedEntry::new(self, found))
            }
            None => Entry::Vacant(VacantEntry::new(self, hash, key)),
        }
    }

    #[inline(never)]
    pub(super) fn get_in_move<Q: ?Sized + Lookup<K>>(&self, key: &Q) -> Option<&V> {
        self.find_in_move(key).map(|slot| &slot.value)
    }

    #[inline(never)]
    pub(super) fn get_mut_in_move<Q: ?Sized + Lookup<K>>(&mut self, key: &Q) -> Option<&mut V> {
        // SAFETY: the slot is full and borrowed as long as the map.
        self.find_mut_in_move(key).map(|found| unsafe { &mut (*found.slot).value })
    }

    #[inline(never)]
    pub(super) fn remove_in_move<Q: ?Sized + Lookup<K>>(&mut self, key: &Q) -> Option<V> {
        self.take_in_move(key).map(|slot| slot.value)
    }

    /// Takes the entry of a key out, whatever the state of the map.
    pub(super) fn take_in_move<Q: ?Sized + Lookup<K>>(&mut self, key: &Q) -> Option<Slot<K, V>> {
        let found = self.find_mut_in_move(key)?;
        // SAFETY: the slot is full.
        let slot = unsafe { self.take(found) };
        self.after_remove();
        Some(slot)
    }

    /// Takes the entry of a key out of a map at rest that does not tell of it.
    ///
    /// # Safety
    /// The map is steady.
    #[inline(always)]
    pub(super) unsafe fn take_at_rest<Q: ?Sized + Lookup<K>>(
        &mut self,
        key: &Q,
    ) -> Option<Slot<K, V>> {
        // SAFETY: the caller's promise; nobody reads the slot after `erase`.
        unsafe {
            let found = self.found_at_rest(key)?;
            self.raw.erase(found.ctrl, false);
            Some(found.slot.read())
        }
    }

    /// The slot of a key in a map at rest.
    ///
    /// # Safety
    /// The map is steady.
    #[inline(always)]
    pub(super) unsafe fn found_at_rest<Q: ?Sized + Lookup<K>>(
        &self,
        key: &Q,
    ) -> Option<Found<Slot<K, V>>> {
        // SAFETY: a steady map has a table.
        unsafe { Self::search(&self.raw.table, false, self.hash_of(key), key) }.ok()
    }

    fn find_mut_in_move<Q: ?Sized + Lookup<K>>(&mut self, key: &Q) -> Option<Found<Slot<K, V>>> {
        self.pay_rehash();
        self.raw.forget_watch();
        if let Some(conversion) = self.raw.conversion() {
            return self.find_mut_converting(conversion, key);
        }
        if !self.raw.table.is_allocated() {
            return None;
        }
        let hash = self.hash_of(key);
        let (table, old) = self.raw.table_of(hash);
        // SAFETY: tables are allocated.
        let found = unsafe { Self::search(table, old, hash, key) }.ok()?;
        self.raw.before_change(found.ctrl);
        Some(found)
    }

    /// # Safety
    /// The table is allocated and holds slots of this type; `old` says which one it is.
    #[inline(always)]
    pub(super) unsafe fn search<Q: ?Sized + Lookup<K>>(
        table: &Table,
        old: bool,
        hash: u64,
        key: &Q,
    ) -> Result<Found<Slot<K, V>>, Miss> {
        // SAFETY: the caller's promise.
        unsafe {
            let index = table.find(hash, |slot: &Slot<K, V>| key.eq_key(&slot.key))?;
            Ok(Found { ctrl: table.ctrl.add(index), slot: table.slot(index), old })
        }
    }

    /// Sets the value of `key` and answers the previous one.
    #[inline(always)]
    pub(super) fn set(&mut self, key: K, value: V) -> Option<V> {
        if !self.raw.has_room_at_rest() {
            return self.set_in_move(key, value);
        }
        // SAFETY: as just looked at.
        unsafe { self.set_at_rest(key, value) }
    }

    /// [`Self::set`] in a map at rest.
    ///
    /// # Safety
    /// The map is steady, and has room for an entry.
    #[inline(always)]
    pub(super) unsafe fn set_at_rest(&mut self, key: K, value: V) -> Option<V> {
        let hash = self.hash_of(&key);
        self.raw.table.foresee::<Slot<K, V>>(hash, self.raw.len);
        // SAFETY: a steady map has a table.
        match unsafe { Self::search(&self.raw.table, false, hash, &key) } {
            // SAFETY: a full slot holds an entry.
            Ok(found) => Some(mem::replace(unsafe { &mut (*found.slot).value }, value)),
            Err(miss) => {
                match self.raw.table.vacancy_at_home(hash, miss) {
                    // SAFETY: the slot is empty and its hash's search ends there.
                    Some(index) => unsafe { self.fill_empty(index, hash, key, value) },
                    None => self.set_away(hash, key, value),
                }
                None
            }
        }
    }

    /// [`Self::set`] for a key that is not in the map and whose home group is full.
    #[cold]
    #[inline(never)]
    fn set_away(&mut self, hash: u64, key: K, value: V) {
        self.insert_new(hash, key, value);
    }

    /// Fills an empty slot of a steady map. What it counts down does not wait for the control byte.
    ///
    /// # Safety
    /// `index` is an `EMPTY` slot of the table, and a search for the key meets it.
    #[inline(always)]
    unsafe fn fill_empty(&mut self, index: usize, hash: u64, key: K, value: V) {
        let Raw { table, len, .. } = &mut self.raw;
        table.growth_left -= 1;
        *len += 1;
        // SAFETY: the caller's promise.
        unsafe {
            *table.ctrl.add(index) = tag(hash);
            table.slot::<Slot<K, V>>(index).write(Slot { key, value });
        }
    }

    #[inline(never)]
    fn set_in_move(&mut self, key: K, value: V) -> Option<V> {
        self.before_insert();
        if let Some(conversion) = self.raw.conversion() {
            return self.set_converting(conversion, key, value);
        }
        let hash = self.hash_of(&key);
        let (table, old) = self.raw.table_of(hash);
        // SAFETY: `before_insert` allocated the table.
        match unsafe { Self::search(table, old, hash, &key) } {
            Ok(found) => {
                self.raw.before_change(found.ctrl);
                // SAFETY: a full slot holds an entry.
                Some(mem::replace(unsafe { &mut (*found.slot).value }, value))
            }
            Err(_) => {
                self.insert_new(hash, key, value);
                None
            }
        }
    }

    /// Fills a vacant slot.
    ///
    /// # Safety
    /// `index` is a vacant slot of the table that `old` names, and a search for the key meets it.
    #[inline(always)]
    unsafe fn fill(
        &mut self,
        old: bool,
        index: usize,
        hash: u64,
        key: K,
        value: V,
    ) -> Found<Slot<K, V>> {
        let table = match self.raw.rehash() {
            Some(rehash) if old => &rehash.old,
            _ => &self.raw.table,
        };
        // SAFETY: the caller's promise.
        unsafe {
            let (ctrl, slot) = (table.ctrl.add(index), table.slot::<Slot<K, V>>(index));
            // Entries of the older table each have an `EMPTY` of the newer one set aside.
            self.raw.table.growth_left -= u64::from((*ctrl == EMPTY) | old);
            *ctrl = tag(hash);
            slot.write(Slot { key, value });
            self.raw.len += 1;
            Found { ctrl, slot, old }
        }
    }

    /// Puts an entry whose key is not in the map into a slot.
    ///
    /// [`Self::before_insert`] has made room.
    #[inline(always)]
    pub(super) fn insert_new(&mut self, hash: u64, key: K, value: V) -> Found<Slot<K, V>> {
        if !self.raw.is_steady() {
            return self.insert_new_in_move(hash, key, value);
        }
        // SAFETY: as just looked at.
        unsafe { self.insert_at_rest(hash, key, value) }
    }

    /// [`Self::insert_new`] in a map at rest.
    ///
    /// # Safety
    /// The map is steady.
    #[inline(always)]
    pub(super) unsafe fn insert_at_rest(
        &mut self,
        hash: u64,
        key: K,
        value: V,
    ) -> Found<Slot<K, V>> {
        // SAFETY: a steady map has a table; the slot is vacant and on the way of a search.
        unsafe {
            match self.raw.table.vacancy(hash) {
                Some(index) => self.fill(false, index, hash, key, value),
                None => self.insert_behind_all(hash, key, value),
            }
        }
    }

    #[inline(never)]
    fn insert_new_in_move(&mut self, hash: u64, key: K, value: V) -> Found<Slot<K, V>> {
        if self.raw.conversion().is_some() {
            return self.insert_converting(hash, key, value);
        }
        debug_assert!(self.raw.table.growth_left > 0, "before_insert makes room");
        let (table, old) = self.raw.table_of(hash);
        // SAFETY: `before_insert` allocated the table.
        let Some(index) = (unsafe { table.vacancy(hash) }) else {
            return self.insert_behind_all(hash, key, value);
        };
        self.raw.before_fill(index);
        // SAFETY: the slot is vacant and on the way of a search.
        unsafe { self.fill(old, index, hash, key, value) }
    }

    /// Puts an entry in for which there is no slot left behind its home.
    #[cold]
    #[inline(never)]
    fn insert_behind_all(&mut self, hash: u64, key: K, value: V) -> Found<Slot<K, V>> {
        self.raw.end_watch();
        self.rebuild_with_tail();
        self.insert_new(hash, key, value)
    }
}
