//! What the shell does with a map under conversion: it empties the sources front to back, then it moves
//! the extras to the target.

use core::alloc::Layout;
use core::ptr;

use super::super::group::{DELETED, Group, WIDTH, tag};
use super::super::table::Table;
use super::{Conversion, DISCARD_BYTES, Mover, STEP_GROUPS};

impl Conversion {
    /// Empties a few groups of a source. False when all sources are empty.
    pub(crate) fn step(&mut self, mover: &mut dyn Mover) -> bool {
        if self.is_drained() {
            return false;
        }
        let source = self.current as usize;
        let (table, from) = (self.old[source], self.at as usize);
        let mut at = from;
        if !self.is_past(&table, at) {
            let (goal, end) = (from + STEP_GROUPS, table.geometry().groups());
            loop {
                // SAFETY: below the table's groups; a full slot holds an entry of the old layout.
                let group = unsafe { Group::load(table.ctrl.add(at * WIDTH)) };
                for bit in group.full() {
                    let index = at * WIDTH + bit;
                    // SAFETY: as above; the groups are declared empty below.
                    unsafe {
                        let hash = mover.hash(table.raw_slot(index));
                        self.convert_slot(source, index, hash, true, mover);
                    }
                }
                at += 1;
                if at == end || (at >= goal && group.empty().any()) {
                    break;
                }
            }
        }
        if self.is_past(&table, at) {
            self.next_source();
            mover.bring_back(self, 0, (!self.is_drained()).then_some(self.boundary));
            return !self.is_drained();
        }
        self.at = at as u64;
        self.boundary = table.first_hash(at).expect("it is not past");
        mover.bring_back(self, 0, Some(self.boundary));
        let emptied = (at - self.discarded as usize) * WIDTH * table.slot_size as usize;
        if emptied >= DISCARD_BYTES {
            // SAFETY: nothing reads groups below `at`.
            unsafe { table.discard(self.old_align as usize, self.discarded as usize, at) };
            self.discarded = self.at;
        }
        true
    }

    /// Whether the groups of a source from `group` on hold nothing.
    fn is_past(&self, table: &Table, group: usize) -> bool {
        if !table.is_allocated() {
            return true;
        }
        let end = if self.current == 0 && self.sources == 2 { self.split } else { u64::MAX };
        // Behind the last home group lies only what spilled from before the clean cut.
        table.first_hash(group).is_none_or(|first| first >= end)
    }

    fn next_source(&mut self) {
        let done = self.current as usize;
        // SAFETY: all entries have moved.
        unsafe { self.old[done].free(self.old_align as usize) };
        self.current += 1;
        self.discarded = self.second_at;
        self.at = self.second_at;
        self.boundary = self.boundary.max(if self.sources == 2 { self.split } else { 0 });
    }

    /// Moves entries of the extras to the target. False when there are none left.
    ///
    /// # Safety
    /// Nobody holds a reference to an entry. All sources are empty.
    pub(crate) unsafe fn merge(&mut self, mover: &mut dyn Mover) -> bool {
        let Some(i) = self.extras.iter().position(Table::is_allocated) else { return false };
        let extra = self.extras[i];
        let end = extra.geometry().groups();
        let stop = end.min(self.merged as usize + STEP_GROUPS);
        for at in self.merged as usize..stop {
            // SAFETY: below the groups; a full slot holds an entry, which is moved once.
            unsafe {
                for bit in Group::load(extra.ctrl.add(at * WIDTH)).full() {
                    let (ctrl, slot) =
                        (extra.ctrl.add(at * WIDTH + bit), extra.raw_slot(at * WIDTH + bit));
                    let hash = mover.hash(slot);
                    let index = match self.target.vacancy(hash) {
                        Some(index) => index,
                        None => {
                            self.stretch(mover);
                            self.target.vacancy(hash).expect("the tail holds all entries")
                        }
                    };
                    let to = self.target.ctrl.add(index);
                    self.room += u64::from(*to == DELETED);
                    *to = tag(hash);
                    let size = self.target.slot_size as usize;
                    ptr::copy_nonoverlapping(slot, self.target.raw_slot(index), size);
                    *ctrl = DELETED;
                }
            }
        }
        self.merged = stop as u64;
        if stop == end {
            // SAFETY: all entries have moved.
            unsafe { self.extras[i].free(self.new_align as usize) };
            self.merged = 0;
        }
        true
    }

    /// Gives the target a tail that holds everything. As good as never: the hash is broken. O(n).
    #[cold]
    fn stretch(&mut self, mover: &mut dyn Mover) {
        let geometry = self.target.geometry();
        let geometry = geometry.with_tail_for(geometry.capacity() * 2);
        let align = self.new_align as usize;
        let slot = Layout::from_size_align(self.target.slot_size as usize, align);
        let table = Table::with_slots(geometry, slot.expect("as the target's"));
        let mut old = core::mem::replace(&mut self.target, table);
        let mut used = 0;
        // SAFETY: full slots hold entries, which move once; the tail has room whatever the hash.
        unsafe {
            for at in 0..old.geometry().groups() {
                for bit in Group::load(old.ctrl.add(at * WIDTH)).full() {
                    let from = old.raw_slot(at * WIDTH + bit);
                    let hash = mover.hash(from);
                    let index = self.target.vacancy(hash).expect("the tail holds all entries");
                    *self.target.ctrl.add(index) = tag(hash);
                    let size = self.target.slot_size as usize;
                    ptr::copy_nonoverlapping(from, self.target.raw_slot(index), size);
                    used += 1;
                }
            }
            old.free(align);
        }
        debug_assert!(used <= self.len);
        self.room = geometry.capacity() as u64 - self.len;
    }
}
