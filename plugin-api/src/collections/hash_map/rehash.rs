//! Moving from one table to another, unit by unit, while the map is used.
//!
//! Both tables are in hash order, so one number says how far the move has come: hashes below the
//! boundary live in the newer table, the others in the older one, and a search probes exactly one.
//! A step takes at least one unit of the older table and ends at a clean cut (see `table.rs`), so
//! that every entry below the new boundary has moved and none above it. What was drained is given
//! back to the heap on the way: both tables together never take much more than the larger one.
//!
//! Invariant: nothing moves under `&self`, and a step happens before a reference is handed out.

use core::alloc::Layout;
use core::ptr;

use abi_stable::StableAbi;

use super::front::Front;
use super::geometry::Geometry;
use super::group::{DELETED, EMPTY, Group, Mask, WIDTH, tag};
use super::iter::Cursor;
use super::table::Table;
use super::{HashMap, Slot};
use crate::heap;
use crate::state::StateKey;

/// Slots of the older table that a changing operation pays for, half a microsecond's worth. Growing by a
/// third leaves room for at least one insert per four slots moved and shrinking for one per 22, so the
/// move is over before that runs out; and the sooner it is over, the fewer searches have to look for the
/// table in which their key is.
const SLOTS_PER_CHANGE: u64 = 64;
/// Drained slots are given back in runs of this many bytes: a page at a time costs more than it saves.
const DISCARD_BYTES: usize = 4 << 20;

/// A move that is under way. Lives in state memory, because a swap may fall into it.
#[repr(C)]
#[derive(Debug, StableAbi)]
pub(super) struct Rehash {
    /// The table being emptied.
    pub(super) old: Table,
    /// Hashes below live in the map's table.
    pub(super) boundary: u64,
    /// Groups of `old` below have been emptied.
    pub(super) at: u64,
    /// Groups of `old` below have been given back to the heap.
    discarded: u64,
    /// Slots paid for and not yet moved.
    credit: u64,
}

impl Rehash {
    pub(super) fn new(old: Table) -> Self {
        Self { old, boundary: 0, at: 0, discarded: 0, credit: 0 }
    }

    /// Declares groups below `group` empty, the group before it being a clean cut. False when that
    /// was all.
    pub(super) fn cut(&mut self, group: usize, align: usize) -> bool {
        let Some(boundary) = self.old.first_hash(group) else { return false };
        self.at = group as u64;
        self.boundary = boundary;
        let undiscarded = (self.at - self.discarded) as usize;
        if undiscarded * WIDTH * self.old.slot_size as usize >= DISCARD_BYTES {
            // SAFETY: nothing reads groups below `at`.
            unsafe { self.old.discard(align, self.discarded as usize, group) };
            self.discarded = self.at;
        }
        true
    }
}

impl<K, V> HashMap<K, V> {
    /// Takes the descriptor out of the map and frees its memory.
    pub(super) fn take_rehash(&mut self) -> Option<Rehash> {
        self.raw.rehash()?;
        let at = core::mem::replace(&mut self.raw.rehash, ptr::null_mut());
        // SAFETY: the map owned the descriptor, which `put_rehash` allocated.
        unsafe {
            let rehash = at.read();
            heap::free(ptr::NonNull::new_unchecked(at).cast(), Layout::new::<Rehash>());
            Some(rehash)
        }
    }

    pub(super) fn put_rehash(&mut self, rehash: Rehash) {
        let at = heap::alloc(Layout::new::<Rehash>()).cast::<Rehash>();
        // SAFETY: freshly allocated with this layout.
        unsafe { at.write(rehash) };
        self.raw.lead_to(at.as_ptr());
    }
}

impl<K: StateKey, V> HashMap<K, V> {
    /// Starts to move to a table of this geometry, which has room for all entries. A table of one
    /// unit moves at once; larger ones move as the map is changed.
    pub(super) fn move_to(&mut self, geometry: Geometry) {
        debug_assert!(self.raw.rehash().is_none(), "one move at a time");
        if !self.raw.table.is_allocated() {
            return self.allocate(geometry);
        }
        let mut rehash = self.replace_table(geometry);
        if rehash.old.units() > 1 && self.raw.len > 0 {
            return self.put_rehash(rehash);
        }
        while self.raw.len > 0 && self.step(&mut rehash) {}
        // SAFETY: all entries have moved.
        unsafe { rehash.old.free(align_of::<Slot<K, V>>()) };
    }

    /// A new empty table in place of the current one.
    pub(super) fn replace_table(&mut self, geometry: Geometry) -> Rehash {
        let mut table = Table::new::<Slot<K, V>>(geometry);
        // Each entry of the old table has an `EMPTY` of the new one set aside.
        table.growth_left = table.growth_left.saturating_sub(self.raw.len);
        Rehash::new(core::mem::replace(&mut self.raw.table, table))
    }

    /// Moves a pending rehash on by one operation's share.
    #[inline(never)]
    pub(super) fn pay_rehash(&mut self) {
        if let Some(conversion) = self.raw.conversion() {
            return self.pay_conversion(conversion);
        }
        let Some(rehash) = self.raw.rehash_mut() else { return };
        rehash.credit += SLOTS_PER_CHANGE;
        let unit = rehash.old.unit_slots() as u64;
        if rehash.credit >= unit {
            rehash.credit -= unit;
            self.step_pending();
        }
    }

    /// Completes a pending rehash. O(entries still to move).
    #[cold]
    pub(super) fn finish_rehash(&mut self) {
        while self.step_pending() {}
    }

    /// One step of the pending rehash; false when none is left.
    pub(super) fn step_pending(&mut self) -> bool {
        if self.raw.rehash().is_none() {
            return false;
        }
        let pending = self.raw.rehash;
        // SAFETY: the descriptor this map owns, which `step` does not touch through the map.
        if self.step(unsafe { &mut *pending }) {
            return true;
        }
        if let Some(mut done) = self.take_rehash() {
            // SAFETY: all entries have moved.
            unsafe { done.old.free(align_of::<Slot<K, V>>()) };
        }
        false
    }

    /// Moves one unit and what spilled from it. False when the old table has been emptied.
    fn step(&mut self, rehash: &mut Rehash) -> bool {
        let from = rehash.at as usize;
        let goal = from + rehash.old.unit_slots() / WIDTH;
        let end = rehash.old.geometry().groups();
        let (mut at, mut front) = (from, Front::new());
        // Out of reach of what is written below, so that it is read once.
        let seed = self.raw.seed;
        loop {
            // SAFETY: `at` is below the old table's groups.
            let group = unsafe { Group::load(rehash.old.ctrl.add(at * WIDTH)) };
            let mut full = group.full();
            while let Some(bit) = full.lowest() {
                let index = at * WIDTH + bit;
                // SAFETY: the slot is full; this step alone fills the map's table.
                if !unsafe { self.move_slot(&rehash.old, index, seed, &mut front) } {
                    return self.give_up(rehash, at, full);
                }
                full = full.without_lowest();
            }
            at += 1;
            if at == end || (at >= goal && group.empty().any()) {
                break;
            }
        }
        let first = self.raw.table.home(rehash.boundary) / self.raw.table.unit_slots();
        let more = at < end && rehash.cut(at, align_of::<Slot<K, V>>());
        let last = match more {
            true => self.raw.table.home(rehash.boundary) / self.raw.table.unit_slots() + 1,
            false => self.raw.table.units(),
        };
        self.raw.stamp(first, last);
        more
    }

    /// Copies an entry of `old` to where its hash belongs in the map's table. False when there is no
    /// slot left behind its home.
    ///
    /// # Safety
    /// Slot `index` is full; the caller treats it as moved out when this answers true. `seed` is the
    /// map's; `front` has seen all that came into the map's table since it was made.
    #[inline(always)]
    unsafe fn move_slot(
        &mut self,
        old: &Table,
        index: usize,
        seed: [u64; 2],
        front: &mut Front,
    ) -> bool {
        // SAFETY: the old slot is full and holds this map's type; the new one is vacant.
        unsafe {
            let from = old.slot::<Slot<K, V>>(index);
            let hash = Self::hash_with(seed, &(*from).key);
            let table = &mut self.raw.table;
            let Some((to, used)) = front.vacancy(table, hash) else { return false };
            // The entry's own `EMPTY` stays free when it takes a slot that was used before.
            table.growth_left += u64::from(used);
            *table.ctrl.add(to) = tag(hash);
            from.copy_to_nonoverlapping(table.slot(to), 1);
        }
        true
    }

    /// The move met a table that is full at its end: all goes into one with a longer tail, at once.
    /// Entries left in group `at` are those in `left`.
    #[cold]
    fn give_up(&mut self, rehash: &mut Rehash, at: usize, left: Mask) -> bool {
        for index in rehash.at as usize * WIDTH..at * WIDTH + WIDTH {
            let moved = index < at * WIDTH || left.0 & (1 << (index % WIDTH)) == 0;
            // SAFETY: below the old table's slots.
            let ctrl = unsafe { &mut *rehash.old.ctrl.add(index) };
            if moved && *ctrl != EMPTY {
                *ctrl = DELETED;
            }
        }
        self.rebuild(Some(rehash));
        false
    }

    /// An insert met a table that is full at its end, as good as never unless the hash is broken.
    /// O(n).
    #[cold]
    #[inline(never)]
    pub(super) fn rebuild_with_tail(&mut self) {
        let mut pending = self.take_rehash();
        self.rebuild(pending.as_ref());
        if let Some(rehash) = &mut pending {
            // SAFETY: all entries have moved.
            unsafe { rehash.old.free(align_of::<Slot<K, V>>()) };
        }
    }

    /// Copies all entries into a table whose tail alone could hold them and one more.
    fn rebuild(&mut self, rehash: Option<&Rehash>) {
        let mut geometry = self.raw.table.geometry();
        let len = self.raw.len as usize;
        if len > geometry.capacity() / 2 {
            geometry = Geometry::for_capacity(geometry.capacity() + 1);
        }
        let mut cursor = Cursor::<Slot<K, V>>::over(&self.raw.table, rehash, len);
        let mut table = Table::new::<Slot<K, V>>(geometry.with_tail_for(len * 2));
        core::mem::swap(&mut self.raw.table, &mut table);
        self.raw.stamp(0, self.raw.table.units());
        while let Some(found) = cursor.next() {
            // SAFETY: the slot is full; the tail has room whatever the hash.
            unsafe {
                let hash = self.hash_of(&(*found.slot).key);
                let to = self.raw.table.vacancy(hash).expect("the tail holds all entries");
                *self.raw.table.ctrl.add(to) = tag(hash);
                found.slot.copy_to_nonoverlapping(self.raw.table.slot(to), 1);
            }
        }
        self.raw.table.growth_left -= len as u64;
        // SAFETY: all entries have moved.
        unsafe { table.free(align_of::<Slot<K, V>>()) };
    }
}
