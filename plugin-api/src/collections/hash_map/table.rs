//! One table: slots, control bytes and unit heads in one block of state memory.
//!
//! ```text
//!   low addresses                      ctrl (aligned to 16)
//!   [ slot n-1 | ... | slot 1 | slot 0 ][ control bytes | 16 x EMPTY ][ unit heads ]
//! ```
//! The high bits of a hash choose the home group; a group that is full spills into the next one. So
//! slots are in hash order, group by group, and after a group with an `EMPTY` slot comes nothing that
//! belongs at or before it: a clean cut. There is no wrap-around; behind the last home group lies a
//! tail for what spills there, and behind that a group that is always empty and ends every search.
//! A table of one group has neither: it never holds more than 14 entries, so it keeps two `EMPTY`.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use abi_stable::StableAbi;

use super::geometry::{Geometry, ONE_GROUP};
use super::group::{EMPTY, Group, Mask, Tags, WIDTH};
use super::unit::{UnitHead, heads_size, unit_count, unit_shift};
use super::{ALGORITHM, FORMAT};
use crate::heap;

/// From this many bytes on the heap's zeroed pages cost nothing until touched.
const LARGE: usize = 1 << 20;
/// The largest pages that a heap may have.
const PAGES: usize = 2 << 20;

/// Where a search ended: the first group on its way with an `EMPTY` slot.
#[derive(Clone, Copy)]
pub(super) struct Miss {
    at: usize,
    empty: Mask,
}

/// The handle of a table: 24 bytes, half of them needed by every search.
#[repr(C)]
#[derive(Debug, Clone, Copy, StableAbi)]
pub(super) struct Table {
    /// First control byte; slot 0 ends here. Null before the first allocation.
    pub(super) ctrl: *mut u8,
    /// `EMPTY` slots that may still be taken before the table counts as full.
    pub(super) growth_left: u64,
    /// `hash >> shift`, without its low four bits, is the home slot, or four thirds of it.
    pub(super) shift: u8,
    /// The tail, and whether it is four thirds: see [`Geometry`].
    spare: u8,
    /// [`FORMAT`] of the code that made the table; 0 before the first allocation.
    pub(super) format: u8,
    /// Id of the hash algorithm; 0 before the first allocation.
    pub(super) algorithm: u8,
    /// Bytes per slot.
    pub(super) slot_size: u32,
}

impl Table {
    pub(super) const NONE: Self = Self {
        ctrl: ptr::null_mut(),
        growth_left: 0,
        shift: ONE_GROUP,
        spare: 0,
        format: 0,
        algorithm: 0,
        slot_size: 0,
    };

    /// An empty table for slots of type `T`. O(1) for large tables, whose memory comes zeroed.
    ///
    /// # Panics
    /// When the size overflows `isize`.
    pub(super) fn new<T>(geometry: Geometry) -> Self {
        const { assert!(size_of::<T>() <= u32::MAX as usize, "a map's entry is too large") };
        Self::with_slots(geometry, Layout::new::<T>())
    }

    /// [`Table::new`] for slots of this layout.
    pub(super) fn with_slots(geometry: Geometry, slot: Layout) -> Self {
        let mut table = Self::planned(geometry, slot);
        let (layout, ctrl_at) = table.layout(slot.align());
        let block = if layout.size() >= LARGE {
            heap::alloc_zeroed(layout)
        } else {
            let block = heap::alloc(layout);
            // SAFETY: control bytes and heads are the last part of the block.
            unsafe { block.add(ctrl_at).write_bytes(EMPTY, layout.size() - ctrl_at) };
            block
        };
        // SAFETY: inside the block.
        table.ctrl = unsafe { block.as_ptr().add(ctrl_at) };
        table
    }

    /// A table for slots of this layout that has no memory yet.
    fn planned(geometry: Geometry, slot: Layout) -> Self {
        Self {
            growth_left: geometry.capacity() as u64,
            shift: geometry.shift,
            spare: geometry.spare,
            format: FORMAT as u8,
            algorithm: ALGORITHM as u8,
            slot_size: slot.size() as u32,
            ..Self::NONE
        }
    }

    /// An empty table that is filled front to back, or by touches here and there, while clients wait: no
    /// touch of new memory may take as long as the clearing of a large page.
    pub(super) fn gradual(geometry: Geometry, slot: Layout) -> Self {
        Self::announce(geometry, slot, heap::Usage::Gradual);
        Self::with_slots(geometry, slot)
    }

    /// Says how the memory of a large table will be used that is not made yet.
    pub(super) fn announce(geometry: Geometry, slot: Layout, usage: heap::Usage) {
        let (layout, _) = Self::planned(geometry, slot).layout(slot.align());
        if layout.size() >= LARGE {
            heap::announce(layout, usage);
        }
    }

    /// Says how the memory of a large table is used from now on.
    ///
    /// # Safety
    /// `align` is that of the slots; the table is allocated.
    pub(super) unsafe fn advise(&self, align: usize, usage: heap::Usage) {
        let (layout, ctrl_at) = self.layout(align);
        if layout.size() >= LARGE {
            // SAFETY: the block was made with this layout.
            unsafe {
                let block = NonNull::new_unchecked(self.ctrl.sub(ctrl_at));
                heap::advise(block, layout, usage);
            }
        }
    }

    /// Says that groups `from..to` are going to be filled.
    ///
    /// # Safety
    /// As for [`Table::advise`].
    pub(super) unsafe fn expect(&self, align: usize, from: usize, to: usize) {
        let (layout, ctrl_at) = self.layout(align);
        let to = to.min(self.geometry().groups());
        if layout.size() < LARGE || from >= to {
            return;
        }
        let group_size = WIDTH * self.slot_size as usize;
        for (start, end) in [
            (ctrl_at - to * group_size, ctrl_at - from * group_size),
            (ctrl_at + from * WIDTH, ctrl_at + to * WIDTH),
        ] {
            let part = Layout::from_size_align(end - start, 1).expect("less than the block");
            // SAFETY: slots grow down from `ctrl`, control bytes up, so both ranges lie in the block.
            unsafe {
                let part_at = NonNull::new_unchecked(self.ctrl.sub(ctrl_at).add(start));
                heap::advise(part_at, part, heap::Usage::Soon);
            }
        }
    }

    #[inline(always)]
    pub(super) fn geometry(&self) -> Geometry {
        Geometry { shift: self.shift, spare: self.spare }
    }

    /// The block's layout and the offset of the control bytes in it.
    fn layout(&self, align: usize) -> (Layout, usize) {
        let overflow = "Hash table capacity overflow";
        let geometry = self.geometry();
        let align = align.max(WIDTH);
        let slots = geometry.slots().checked_mul(self.slot_size as usize).expect(overflow);
        let ctrl_at = slots.checked_next_multiple_of(align).expect(overflow);
        let heads = heads_size(self.units());
        let size = ctrl_at.checked_add(geometry.ctrl_size() + heads).expect(overflow);
        (Layout::from_size_align(size, align).expect(overflow), ctrl_at)
    }

    pub(super) fn is_allocated(&self) -> bool {
        !self.ctrl.is_null()
    }

    /// Frees the block, not the entries. The table is unallocated afterwards.
    ///
    /// # Safety
    /// `align` is that of the slots; entries have been moved out or dropped.
    pub(super) unsafe fn free(&mut self, align: usize) {
        if self.is_allocated() {
            let (layout, ctrl_at) = self.layout(align);
            // SAFETY: `new` made the block with this layout, which follows from the geometry.
            unsafe { heap::free(NonNull::new_unchecked(self.ctrl.sub(ctrl_at)), layout) };
        }
        *self = Self::NONE;
    }

    /// Gives back the pages of the slots and control bytes in groups `from..to`, and those that lie
    /// across `from` with them.
    ///
    /// # Safety
    /// `align` is that of the slots; nothing reads groups below `to` again.
    pub(super) unsafe fn discard(&self, align: usize, from: usize, to: usize) {
        let (layout, ctrl_at) = self.layout(align);
        let group_size = WIDTH * self.slot_size as usize;
        // SAFETY: slots grow down from `ctrl`, control bytes up, so both ranges lie in the block;
        // the caller reads neither again.
        unsafe {
            let block = NonNull::new_unchecked(self.ctrl.sub(ctrl_at));
            let slots = (from * group_size).saturating_sub(PAGES)..to * group_size;
            let ctrl = (from * WIDTH).saturating_sub(PAGES)..to * WIDTH;
            heap::discard(block, layout, ctrl_at - slots.end, slots.len());
            heap::discard(block, layout, ctrl_at + ctrl.start, ctrl.len());
        }
    }

    /// Pointer to slot `index`.
    ///
    /// # Safety
    /// The table is allocated and holds `T`; `index` is one of its slots.
    #[inline(always)]
    pub(super) unsafe fn slot<T>(&self, index: usize) -> *mut T {
        // SAFETY: the caller's promise; slots grow down from `ctrl`.
        unsafe { self.ctrl.cast::<T>().sub(index + 1) }
    }

    /// Pointer to slot `index`, by the table's own slot size: for tables whose entries are not
    /// (or not yet) of the map's type.
    ///
    /// # Safety
    /// As for [`Table::slot`].
    #[inline(always)]
    pub(super) unsafe fn raw_slot(&self, index: usize) -> *mut u8 {
        // SAFETY: the caller's promise; slots grow down from `ctrl`.
        unsafe { self.ctrl.sub((index + 1) * self.slot_size as usize) }
    }

    /// First slot of the group in which a search for `hash` starts.
    #[inline(always)]
    pub(super) fn home(&self, hash: u64) -> usize {
        let scaled = (hash >> 2) * self.geometry().quarters();
        (scaled >> self.shift) as usize & !(WIDTH - 1)
    }

    /// The lowest hash whose home is `group`; `None` behind the last home group.
    pub(super) fn first_hash(&self, group: usize) -> Option<u64> {
        let geometry = self.geometry();
        let scaled = ((group * WIDTH) as u64) << self.shift;
        (group < geometry.home_groups()).then(|| scaled.div_ceil(geometry.quarters()) * 4)
    }

    /// Fetches the slot that an insert of this hash is likely to fill, when `len` entries are there: the
    /// first vacant one of its home if that group is as full as all are on average. The processor need
    /// not wait for the control bytes to know it; on a table larger than the caches that is a fifth of
    /// what an insert takes. The table is allocated.
    #[inline(always)]
    pub(super) fn foresee<T>(&self, hash: u64, len: u64) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            use core::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
            // With three quarters of the groups 5/4 for 4/3, which is near enough.
            let average = (len * (8 - self.geometry().quarters())) >> (ONE_GROUP + 2 - self.shift);
            let index = self.home(hash) + average as usize;
            let slot = self.ctrl.cast::<T>().wrapping_sub(index + 1);
            // SAFETY: part of x86_64; fetching is no access, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(slot.cast()) };
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        let _ = (hash, len);
    }

    /// The slot whose tag matches and which `eq` accepts; otherwise the group that ended the search.
    ///
    /// # Safety
    /// The table is allocated and holds `T`.
    #[inline(always)]
    pub(super) unsafe fn find<T>(
        &self,
        hash: u64,
        mut eq: impl FnMut(&T) -> bool,
    ) -> Result<usize, Miss> {
        let tags = Tags::of(hash);
        let mut at = self.home(hash);
        loop {
            // SAFETY: every search meets an `EMPTY` at the latest in the closing group (or the only
            // one), so `at` stays inside the control bytes, which are aligned.
            let group = unsafe { Group::load(self.ctrl.add(at)) };
            let mut tagged = group.tagged(tags);
            while let Some(bit) = tagged.lowest() {
                let index = at + bit;
                // SAFETY: a tagged slot is full and holds a `T`.
                if eq(unsafe { &*self.slot::<T>(index) }) {
                    return Ok(index);
                }
                tagged = tagged.without_lowest();
            }
            let empty = group.empty();
            if empty.any() {
                return Err(Miss { at, empty });
            }
            at += WIDTH;
        }
    }

    /// The `EMPTY` slot in which a hash goes whose search has just missed in its home group; `None` when
    /// the search had gone on.
    #[inline(always)]
    pub(super) fn vacancy_at_home(&self, hash: u64, miss: Miss) -> Option<usize> {
        if miss.at != self.home(hash) {
            return None;
        }
        // A group with an `EMPTY` has no `DELETED`: those come into groups without one only.
        // SAFETY: a home is inside the control bytes.
        debug_assert_eq!(unsafe { Group::load(self.ctrl.add(miss.at)) }.vacant(), miss.empty);
        miss.empty.lowest().map(|bit| miss.at + bit)
    }

    /// The first slot an entry of this hash may take; `None` when its spill reaches the table's end.
    ///
    /// # Safety
    /// The table is allocated.
    #[inline(always)]
    pub(super) unsafe fn vacancy(&self, hash: u64) -> Option<usize> {
        let home = self.home(hash);
        // SAFETY: a home is inside the control bytes.
        let vacant = unsafe { Group::load(self.ctrl.add(home)) }.vacant();
        if let Some(bit) = vacant.lowest() {
            return Some(home + bit);
        }
        // SAFETY: as above.
        unsafe { self.vacancy_behind(home) }
    }

    /// # Safety
    /// The table is allocated, `home` is a home.
    #[inline(never)]
    pub(super) unsafe fn vacancy_behind(&self, home: usize) -> Option<usize> {
        let end = self.geometry().groups() * WIDTH;
        let mut groups = (home + WIDTH..end).step_by(WIDTH);
        groups.find_map(|at| {
            // SAFETY: below the end of the control bytes.
            let vacant = unsafe { Group::load(self.ctrl.add(at)) }.vacant();
            vacant.lowest().map(|bit| at + bit)
        })
    }

    /// Slots per unit.
    pub(super) fn unit_slots(&self) -> usize {
        1 << unit_shift(self.slot_size as usize)
    }

    /// Number of units.
    pub(super) fn units(&self) -> usize {
        unit_count(self.geometry().slots(), self.slot_size as usize)
    }

    /// The head of unit `index`.
    ///
    /// # Safety
    /// The table is allocated and has that many units.
    pub(super) unsafe fn unit_head(&self, index: usize) -> *mut UnitHead {
        // SAFETY: the heads follow the control bytes, whose size is a multiple of 16.
        unsafe { self.ctrl.add(self.geometry().ctrl_size()).cast::<UnitHead>().add(index) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Capacities on both sides of where sizes are no powers of two.
    const CAPACITIES: [usize; 9] = [
        4,
        15,
        100,
        14 << 16,
        (14 << 16) + 1,
        (14 << 15) * 3,
        (14 << 15) * 3 + 1,
        (14 << 17) + 1,
        3 << 30,
    ];

    #[test]
    fn homes_are_in_hash_order_and_told_back_whatever_the_size() {
        for capacity in CAPACITIES {
            let table = Table::planned(Geometry::for_capacity(capacity), Layout::new::<u64>());
            let geometry = table.geometry();
            assert!(geometry.capacity() >= capacity, "{capacity}");
            let groups = geometry.home_groups();
            assert_eq!(table.home(u64::MAX), (groups - 1) * WIDTH, "{capacity}");
            for group in (0..groups).step_by(groups / 1000 + 1).chain([groups - 1]) {
                let first = table.first_hash(group).expect("a home group");
                assert_eq!(table.home(first), group * WIDTH, "{capacity}");
                assert!(group == 0 || table.home(first - 1) == (group - 1) * WIDTH, "{capacity}");
            }
            assert_eq!(table.first_hash(groups), None, "{capacity}");
        }
    }

    #[test]
    fn large_tables_come_in_steps_of_a_third_and_a_half_and_the_largest_double() {
        let groups = |capacity| Geometry::for_capacity(capacity).home_groups();
        let full =
            [14 << 15, 14 << 16, (14 << 15) * 3, 14 << 17, (14 << 16) * 3, 14 << 19, 14 << 20];
        let next = full.map(|capacity| groups(capacity + 1));
        assert_eq!(next, [1 << 16, 3 << 15, 1 << 17, 3 << 16, 1 << 18, 1 << 20, 1 << 21]);
        for capacity in full {
            assert_eq!(Geometry::for_capacity(capacity).capacity(), capacity, "without a rest");
        }
    }

    #[test]
    fn a_longer_tail_leaves_the_homes_as_they_are() {
        for capacity in CAPACITIES {
            let geometry = Geometry::for_capacity(capacity.max(15));
            let longer = geometry.with_tail_for(1000);
            assert!(!geometry.is_stretched() && longer.is_stretched(), "{capacity}");
            assert_eq!(longer.home_groups(), geometry.home_groups(), "{capacity}");
            assert!(longer.groups() >= geometry.home_groups() + 1000 / WIDTH, "{capacity}");
        }
    }
}
