//! What the shell does with a map under conversion: it empties the sources front to back, then it moves
//! the extras to the target.

use core::alloc::Layout;
use core::ptr;

use super::super::group::{DELETED, Group, WIDTH, tag};
use super::super::table::Table;
use super::{AHEAD_BYTES, Conversion, DISCARD_BYTES, Mover, STEP_GROUPS, STRAYS, Source};
use crate::heap::Usage;

impl Conversion {
    /// Empties a few groups of a source. False when all sources are empty.
    pub(crate) fn step(&mut self, mover: &mut dyn Mover) -> bool {
        if self.has_strays() {
            self.step_strays(mover);
            return true;
        }
        if self.is_drained() {
            return false;
        }
        let source = self.current as usize;
        let Source { table, at: from, keeps, .. } = self.sources[source];
        let stays = self.stays(source);
        let mut at = from as usize;
        // What stays and is in the new shape needs no look at all.
        let mut past = stays && keeps == 1 || self.is_past(&table, at);
        if !past {
            at = self.step_from(source, at, mover);
            past = self.is_past(&table, at);
        }
        if past {
            self.next_source();
            mover.bring_back(self, 0, (!self.is_drained()).then_some(self.boundary));
            return !self.is_drained();
        }
        self.sources[source].at = at as u64;
        self.boundary = table.first_hash(at).expect("it is not past");
        mover.bring_back(self, 0, Some(self.boundary));
        let emptied = at.saturating_sub(self.discarded as usize) * WIDTH * table.slot_size as usize;
        self.ask_ahead();
        if !stays && emptied >= DISCARD_BYTES {
            let align = self.sources[source].align as usize;
            // SAFETY: nothing reads groups below `at`.
            unsafe { table.discard(align, self.discarded as usize, at) };
            self.discarded = at as u64;
        }
        true
    }

    /// Has the heap get memory ready for what the target is going to be filled with: a page fault can
    /// take longer than a slice.
    fn ask_ahead(&mut self) {
        if self.expected == 0 {
            self.leave_sources();
        }
        if self.in_place == 1 {
            self.expected = u64::MAX;
            return;
        }
        let front = (self.target.home(self.boundary) / WIDTH) as u64;
        let ahead = (AHEAD_BYTES / (WIDTH * self.target.slot_size.max(1) as usize)) as u64;
        if front + ahead / 2 >= self.expected {
            let (from, to) = (self.expected.max(front), front + ahead);
            // SAFETY: the target has slots of this alignment.
            unsafe { self.target.expect(self.new_align as usize, from as usize, to as usize) };
            self.expected = to;
        }
    }

    /// Tells the heap what is going to be emptied: with the first step, since the switch has no time for it.
    fn leave_sources(&self) {
        let left = self.current as usize..self.count as usize;
        for source in left.filter(|&source| !self.stays(source)) {
            let Source { table, align, .. } = self.sources[source];
            if table.is_allocated() {
                // SAFETY: a table with slots of this alignment.
                unsafe { table.advise(align as usize, Usage::Leaving) };
            }
        }
    }

    /// Converts the entries of a source from group `at` on, up to a clean cut; answers the group behind
    /// it.
    fn step_from(&mut self, source: usize, at: usize, mover: &mut dyn Mover) -> usize {
        let table = self.sources[source].table;
        let (goal, end) = (at + STEP_GROUPS, table.geometry().groups());
        let stays = self.stays(source);
        let mut at = at;
        loop {
            // SAFETY: below the table's groups; a full slot holds an entry of the source's layout.
            let group = unsafe { Group::load(table.ctrl.add(at * WIDTH)) };
            for bit in group.full() {
                let index = at * WIDTH + bit;
                // SAFETY: as above; groups that are emptied are declared so by the caller.
                unsafe {
                    if stays {
                        self.left = self.left.saturating_sub(1);
                        // The key is far away, and its hash is only for finding what returns.
                        let hash =
                            if self.returning > 0 { mover.hash(table.raw_slot(index)) } else { 0 };
                        self.look_at(source, index, hash, mover);
                    } else {
                        let hash = mover.hash(table.raw_slot(index));
                        self.convert_slot(source, index, hash, true, mover);
                    }
                }
            }
            at += 1;
            if at == end || (at >= goal && group.empty().any()) {
                return at;
            }
        }
    }

    /// Converts a few of the strays, which move to where they are found from now on.
    fn step_strays(&mut self, mover: &mut dyn Mover) {
        let Source { table, at: from, align, .. } = self.sources[STRAYS];
        let end = table.geometry().groups();
        let stop = end.min(from as usize + STEP_GROUPS);
        for at in from as usize..stop {
            // SAFETY: below the groups; a full slot holds an entry, which is moved once.
            unsafe {
                for bit in Group::load(table.ctrl.add(at * WIDTH)).full() {
                    let index = at * WIDTH + bit;
                    let hash = mover.hash(table.raw_slot(index));
                    self.touch(STRAYS, index, hash, mover);
                }
            }
        }
        let strays = &mut self.sources[STRAYS];
        strays.at = stop as u64;
        if stop == end {
            // SAFETY: all entries have moved.
            unsafe { strays.table.free(align as usize) };
        }
    }

    /// Whether the groups of the current source from `group` on hold nothing of it.
    fn is_past(&self, table: &Table, group: usize) -> bool {
        if !table.is_allocated() {
            return true;
        }
        let next = self.current as usize + 1;
        let end = if next < self.count as usize { self.sources[next].from } else { u64::MAX };
        // Behind the last home group lies only what spilled from before the clean cut.
        table.first_hash(group).is_none_or(|first| first >= end)
    }

    pub(super) fn next_source(&mut self) {
        let done = self.current as usize;
        self.current += 1;
        let next = self.sources[..self.count as usize].get(done + 1).copied();
        let shared = next.is_some_and(|next| next.table.ctrl == self.sources[done].table.ctrl);
        if !self.stays(done) && !shared {
            let align = self.sources[done].align as usize;
            // SAFETY: all entries have moved.
            unsafe { self.sources[done].table.free(align) };
        }
        match next {
            Some(next) => {
                self.discarded = next.at;
                self.boundary = self.boundary.max(next.from);
            }
            None => self.left = 0,
        }
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
