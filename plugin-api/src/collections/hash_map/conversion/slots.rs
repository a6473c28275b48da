//! How one entry of a map under conversion gets its new slot, and loses it.

use core::alloc::Layout;
use core::ptr;

use super::super::geometry::Geometry;
use super::super::group::{DELETED, EMPTY, Group, WIDTH, tag};
use super::super::table::Table;
use super::{Conversion, Mover, Place, Source};

impl Place {
    const NONE: Self = Self { ctrl: ptr::null_mut(), slot: ptr::null_mut() };
}

impl Conversion {
    /// A vacant slot for this hash outside of the target, which is not full yet. Never moves anything.
    fn extra_place(&mut self, hash: u64) -> Place {
        let capacity = self.target.geometry().capacity();
        let slot = Layout::from_size_align(self.target.slot_size as usize, self.new_align as usize);
        let slot = slot.expect("the target has slots of this layout");
        for (i, extra) in self.extras.iter_mut().enumerate() {
            if !extra.is_allocated() {
                let geometry = match i {
                    0 => Geometry::for_capacity((capacity / 16).max(64)),
                    1 => self.target.geometry(),
                    _ => self.target.geometry().with_tail_for(capacity),
                };
                *extra = Table::gradual(geometry, slot);
                if i == 2 {
                    // Bounded by its tail alone.
                    extra.growth_left = u64::MAX;
                }
            }
            // SAFETY: allocated; an index of a vacancy is one of its slots.
            unsafe {
                if extra.growth_left > 0
                    && let Some(index) = extra.vacancy(hash)
                {
                    extra.growth_left -= 1;
                    return Place { ctrl: extra.ctrl.add(index), slot: extra.raw_slot(index) };
                }
            }
        }
        unreachable!("the tail of the last extra holds all entries")
    }

    /// A vacant slot for this hash, in the target if that reaches it and has one there.
    pub(in super::super) fn place(&mut self, hash: u64, in_target: bool) -> Place {
        if in_target {
            // SAFETY: the target is allocated.
            unsafe {
                if let Some(index) = self.target.vacancy(hash) {
                    let ctrl = self.target.ctrl.add(index);
                    // The entry's own room stays when it takes a slot that was used before.
                    self.room += u64::from(*ctrl == DELETED);
                    return Place { ctrl, slot: self.target.raw_slot(index) };
                }
            }
        }
        self.extra_place(hash)
    }

    /// Converts the entry in a slot of a source, which somebody is about to look at.
    ///
    /// # Safety
    /// The slot is full and not emptied.
    pub(crate) unsafe fn touch(
        &mut self,
        source: usize,
        index: usize,
        hash: u64,
        mover: &mut dyn Mover,
    ) -> Place {
        // SAFETY: the caller's promise.
        unsafe {
            if self.stays(source) {
                return self.look_at(source, index, hash, mover);
            }
            let place = self.convert_slot(source, index, hash, self.takes(hash), mover);
            *self.sources[source].table.ctrl.add(index) = DELETED;
            place
        }
    }

    /// Looks whether the entry in a slot of a source that is the target has a place; it leaves if not.
    ///
    /// # Safety
    /// As for [`Conversion::touch`].
    pub(super) unsafe fn look_at(
        &mut self,
        source: usize,
        index: usize,
        hash: u64,
        mover: &mut dyn Mover,
    ) -> Place {
        let Source { table, keeps, .. } = self.sources[source];
        // SAFETY: the caller's promise.
        unsafe {
            let (ctrl, slot) = (table.ctrl.add(index), table.raw_slot(index));
            if mover.convert(self, hash, (slot, slot), keeps == 1) {
                return Place { ctrl, slot };
            }
            self.erase(ctrl);
        }
        Place::NONE
    }

    /// # Safety
    /// As for [`Conversion::touch`]; the caller treats the slot as moved out.
    pub(super) unsafe fn convert_slot(
        &mut self,
        source: usize,
        index: usize,
        hash: u64,
        in_target: bool,
        mover: &mut dyn Mover,
    ) -> Place {
        self.left = self.left.saturating_sub(1);
        let Source { table, keeps, .. } = self.sources[source];
        // SAFETY: the caller's promise; the place is a vacant slot.
        unsafe {
            let from = table.raw_slot(index);
            let place = self.place(hash, in_target);
            if mover.convert(self, hash, (from, place.slot), keeps == 1) {
                *place.ctrl = tag(hash);
                return place;
            }
            if *place.ctrl == DELETED && self.is_in_target(place.ctrl) {
                self.room -= 1;
            }
        }
        self.len -= 1;
        self.room += 1;
        Place::NONE
    }

    fn is_in_target(&self, ctrl: *mut u8) -> bool {
        let groups = self.target.geometry().groups();
        (0..groups * WIDTH).contains(&ctrl.addr().wrapping_sub(self.target.ctrl.addr()))
    }

    /// Marks a slot of target or extras as free.
    ///
    /// # Safety
    /// The slot is full; its entry has been moved out.
    pub(in super::super) unsafe fn erase(&mut self, ctrl: *mut u8) {
        // SAFETY: control bytes are aligned to the group width.
        unsafe {
            let group = Group::load(ctrl.sub(ctrl.addr() % WIDTH));
            let ends_here = group.empty().any();
            *ctrl = if ends_here { EMPTY } else { DELETED };
            self.room += u64::from(ends_here || !self.is_in_target(ctrl));
        }
        self.len -= 1;
    }
}
