//! The header of a map, and what every operation on it comes down to.

use core::marker::PhantomData;
use core::mem;
use core::ptr;

use abi_stable::StableAbi;

use super::geometry::Geometry;
use super::group::{DELETED, EMPTY, Group, WIDTH, tag};
use super::rehash::Rehash;
use super::table::{Miss, Table};
use super::unit::UnitHead;
use super::{HashMap, Slot};
use crate::collections::hash::KeyHasher;
use crate::heap;
use crate::state::{Lookup, StateKey};

/// The 64 bytes of a map that live where the map lives.
#[repr(C)]
#[derive(Debug, StableAbi)]
pub(super) struct Raw {
    /// Where entries are, or, while `rehash` is set, where those below its boundary are.
    pub(super) table: Table,
    /// Key of the hash. Drawn once, so cursors of a scan survive everything.
    pub(super) seed: [u64; 2],
    /// Entries in both tables.
    pub(super) len: u64,
    /// Null: a search goes straight to `table`. Otherwise the move from an older table that is under
    /// way, or [`UNALLOCATED`]. One field, so that a search has one thing to check.
    pub(super) rehash: *mut Rehash,
    /// Layout id for new units; its top bit says that the map tells of removals (`kept.rs`).
    pub(super) layout: u32,
    /// Snapshot epoch for new units.
    pub(super) epoch: u32,
}

/// A full slot.
pub(super) struct Found<T> {
    pub(super) ctrl: *mut u8,
    pub(super) slot: *mut T,
    /// In the older table.
    pub(super) old: bool,
}

/// In the place of a rehash while there is no table at all.
pub(super) const UNALLOCATED: *mut Rehash = ptr::dangling_mut();

impl Raw {
    pub(super) const EMPTY: Self =
        Self { table: Table::NONE, seed: [0; 2], len: 0, rehash: UNALLOCATED, layout: 0, epoch: 0 };

    /// The move that is under way.
    #[inline]
    pub(super) fn rehash(&self) -> Option<&Rehash> {
        if self.has_no_rehash() {
            return None;
        }
        // SAFETY: null or the descriptor this map owns.
        unsafe { self.rehash.as_ref() }
    }

    /// The move that is under way.
    #[inline]
    pub(super) fn rehash_mut(&mut self) -> Option<&mut Rehash> {
        if self.has_no_rehash() {
            return None;
        }
        // SAFETY: as in `rehash`.
        unsafe { self.rehash.as_mut() }
    }

    /// Whether there is no table at all, or a conversion, or a watch.
    #[inline(always)]
    fn has_no_rehash(&self) -> bool {
        self.rehash == UNALLOCATED || self.conversion().is_some() || self.watch().is_some()
    }

    /// Whether every entry is in `table`, which exists.
    #[inline(always)]
    pub(super) fn is_steady(&self) -> bool {
        self.rehash.is_null()
    }

    /// The table in which this hash lives, and whether that is the older one.
    #[inline(always)]
    pub(super) fn table_of(&self, hash: u64) -> (&Table, bool) {
        match self.rehash() {
            None => (&self.table, false),
            Some(rehash) if hash < rehash.boundary => (&self.table, false),
            Some(rehash) => (&rehash.old, true),
        }
    }

    /// Marks a full slot as free again; its entry has been moved out or will be dropped.
    ///
    /// # Safety
    /// `ctrl` is the control byte of a full slot of the table that `old` names.
    #[inline(always)]
    pub(super) unsafe fn erase(&mut self, ctrl: *mut u8, old: bool) {
        if old && self.conversion().is_some() {
            // SAFETY: the caller's promise; a conversion's slots all say `old`.
            return unsafe { self.erase_converting(ctrl) };
        }
        // SAFETY: control bytes are aligned to the group width.
        unsafe {
            let group = Group::load(ctrl.sub(ctrl.addr() % WIDTH));
            // A search ends in this group anyway, so nothing further on depends on the slot.
            let ends_here = group.empty().any();
            *ctrl = if ends_here { EMPTY } else { DELETED };
            // Entries of the older table each have an `EMPTY` of the newer one set aside.
            self.table.growth_left += u64::from(ends_here | old);
        }
        self.len -= 1;
    }

    /// # Safety
    /// As for [`Raw::erase`], while entries change their shape.
    #[cold]
    #[inline(never)]
    unsafe fn erase_converting(&mut self, ctrl: *mut u8) {
        if let Some(mut conversion) = self.conversion() {
            // SAFETY: the caller's promise.
            unsafe { conversion.as_mut().erase(ctrl) }
        }
    }

    /// Stamps units `from..to` of the current table as made now.
    pub(super) fn stamp(&mut self, from: usize, to: usize) {
        let head = UnitHead { layout: self.layout_id(), epoch: self.epoch };
        if head != UnitHead::default() {
            for unit in from..to.min(self.table.units()) {
                // SAFETY: below the number of units.
                unsafe { self.table.unit_head(unit).write(head) };
            }
        }
    }
}

impl<K, V> HashMap<K, V> {
    pub(super) const fn from_raw(raw: Raw) -> Self {
        Self { raw, entries: PhantomData }
    }

    /// Frees tables and descriptor; entries have been moved out or dropped. The map is empty then.
    pub(super) fn free_tables(&mut self) {
        let align = align_of::<Slot<K, V>>();
        if let Some(mut rehash) = self.take_rehash() {
            // SAFETY: made for slots of this type; the descriptor is gone.
            unsafe { rehash.old.free(align) };
        }
        // SAFETY: as above.
        unsafe { self.raw.table.free(align) };
        self.raw.rehash = UNALLOCATED;
        self.raw.len = 0;
    }
}

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
        // SAFETY: a steady map has a table, which holds slots of this type.
        unsafe { Self::find_in(&self.raw.table, self.hash_of(key), key) }
    }

    /// # Safety
    /// The table is allocated and holds slots of this type.
    #[inline(always)]
    unsafe fn find_in<'a, Q: ?Sized + Lookup<K>>(
        table: &'a Table,
        hash: u64,
        key: &Q,
    ) -> Option<&'a Slot<K, V>> {
        // SAFETY: the caller's promise.
        unsafe {
            let index = table.find(hash, |slot: &Slot<K, V>| key.eq_key(&slot.key)).ok()?;
            Some(&*table.slot(index))
        }
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
        unsafe { Self::find_in(self.raw.table_of(hash).0, hash, key) }
    }

    /// Like [`Self::find`], for a caller who is going to change the slot. Moves a pending rehash on.
    #[inline(always)]
    pub(super) fn find_mut<Q: ?Sized + Lookup<K>>(&mut self, key: &Q) -> Option<Found<Slot<K, V>>> {
        if !self.raw.is_steady() {
            return self.find_mut_in_move(key);
        }
        // SAFETY: a steady map has a table.
        unsafe { Self::search(&self.raw.table, false, self.hash_of(key), key) }.ok()
    }

    #[inline(never)]
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
        if self.raw.table.growth_left == 0 || !self.raw.is_steady() {
            return self.set_in_move(key, value);
        }
        let hash = self.hash_of(&key);
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
        if !self.raw.is_steady() && self.raw.conversion().is_some() {
            return self.insert_converting(hash, key, value);
        }
        debug_assert!(self.raw.table.growth_left > 0, "before_insert makes room");
        let (table, old) = self.raw.table_of(hash);
        // SAFETY: `before_insert` allocated the table.
        let Some(index) = (unsafe { table.vacancy(hash) }) else {
            self.raw.end_watch();
            self.rebuild_with_tail();
            return self.insert_new(hash, key, value);
        };
        if !self.raw.is_steady() {
            self.raw.before_fill(index);
        }
        // SAFETY: the slot is vacant and on the way of a search.
        unsafe { self.fill(old, index, hash, key, value) }
    }

    /// Makes room for one entry and moves a pending rehash on. Must come before the key is hashed:
    /// the first call draws the seed.
    #[inline(always)]
    pub(super) fn before_insert(&mut self) {
        if self.raw.table.growth_left == 0 || !self.raw.is_steady() {
            self.before_insert_slow();
        }
    }

    #[cold]
    #[inline(never)]
    fn before_insert_slow(&mut self) {
        self.pay_rehash();
        self.raw.pay_watch();
        if self.raw.table.growth_left == 0 && !self.has_room_converting() {
            self.grow(1);
        }
    }

    /// Starts to shrink a table that has become sparse.
    #[inline(always)]
    pub(super) fn after_remove(&mut self) {
        let Raw { table, len, .. } = &self.raw;
        // Fewer than one slot in sixteen is full; tables of up to four groups stay.
        if len >> (60 - table.shift) == 0 && table.shift < 58 {
            self.shrink();
        }
    }

    #[cold]
    #[inline(never)]
    fn shrink(&mut self) {
        if self.raw.is_steady() {
            self.move_to(self.raw.table.geometry().eighth());
        }
    }

    /// Makes room for `additional` entries: starts a move to a larger table, or to one of the same
    /// size when removed entries are what fills this one.
    #[cold]
    #[inline(never)]
    pub(super) fn grow(&mut self, additional: usize) {
        self.settle();
        self.finish_rehash();
        if additional as u64 <= self.raw.table.growth_left {
            return;
        }
        let geometry = self.raw.table.geometry();
        let full = if self.raw.table.is_allocated() { geometry.capacity() } else { 0 };
        let needed = (self.raw.len as usize).checked_add(additional);
        let needed = needed.expect("Hash table capacity overflow");
        if needed <= full / 2 {
            self.move_to(geometry);
        } else {
            self.move_to(Geometry::for_capacity(needed.max(full + 1)));
        }
    }

    /// A first table of this geometry.
    pub(super) fn allocate(&mut self, geometry: Geometry) {
        if self.raw.table.algorithm == 0 && self.raw.seed == [0; 2] {
            self.raw.seed = [heap::random(), heap::random()];
        }
        let mut table = Table::new::<Slot<K, V>>(geometry);
        mem::swap(&mut self.raw.table, &mut table);
        debug_assert!(!table.is_allocated(), "only a map without a table gets a first one");
        self.raw.rehash = ptr::null_mut();
        self.raw.stamp(0, self.raw.table.units());
    }
}
