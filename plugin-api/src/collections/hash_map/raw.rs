//! The header of a map.

use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{Ordering, compiler_fence};

use abi_stable::StableAbi;

use super::group::{DELETED, EMPTY, Group, WIDTH};
use super::rehash::Rehash;
use super::table::Table;
use super::unit::UnitHead;
use super::{HashMap, Slot};

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

    /// Whether every entry is in `table`, which has room for one more: nothing is under way, so the pointer is
    /// null, and the room is more than that. A descriptor's address is above any room ([`Raw::lead_to`]).
    ///
    /// The insert that counts it down reads the room again: kept in a register meanwhile, over hash and search,
    /// it would take one that they need. The fence is for the compiler, and no instruction.
    #[inline(always)]
    pub(super) fn has_room_at_rest(&self) -> bool {
        let has_room = self.table.growth_left > self.rehash.addr() as u64;
        compiler_fence(Ordering::SeqCst);
        has_room
    }

    /// Leads to what is under way.
    ///
    /// # Panics
    /// When the address is so low that it could be taken for room. The heap's are above its sizes.
    pub(super) fn lead_to(&mut self, descriptor: *mut Rehash) {
        let room = self.table.growth_left.max(self.table.geometry().capacity() as u64);
        assert!(descriptor.addr() as u64 > room, "a descriptor lies above any count of entries");
        self.rehash = descriptor;
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

    /// Whether the table is much too large: fewer than one slot in sixteen is full. Tables of up to four
    /// groups stay.
    #[inline(always)]
    pub(super) fn is_sparse(&self) -> bool {
        self.len >> (60 - self.table.shift) == 0 && self.table.shift < 58
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
