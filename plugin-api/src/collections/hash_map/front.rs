//! The vacant slots of the groups that a move or a conversion fills, kept in registers.

use super::group::{EMPTY, Group, Mask, WIDTH};
use super::table::Table;

/// Where entries that come in hash order are put: what is vacant in the groups they fill.
///
/// Loading a group right after one of its bytes was stored waits for that store, and such entries fill
/// a group one by one. Neighbours have a place each, for a table of twice the size fills two by turns.
pub(super) struct Front([Vacant; 2]);

/// Slots of the group at slot `at` that an insert may take, and those of them that were used before.
#[derive(Clone, Copy)]
struct Vacant {
    at: usize,
    slots: Mask,
    used: Mask,
}

impl Front {
    pub(super) const fn new() -> Self {
        Self([Vacant { at: usize::MAX, slots: Mask(0), used: Mask(0) }; 2])
    }

    /// [`Table::vacancy`], and whether that slot was used before. The caller fills it.
    ///
    /// # Safety
    /// The table is allocated; only slots that were answered here have been filled since the first call.
    #[inline(always)]
    pub(super) unsafe fn vacancy(&mut self, table: &Table, hash: u64) -> Option<(usize, bool)> {
        let home = table.home(hash);
        let vacant = &mut self.0[home / WIDTH % 2];
        if vacant.at != home {
            // SAFETY: a home is inside the control bytes.
            let group = unsafe { Group::load(table.ctrl.add(home)) };
            let slots = group.vacant();
            *vacant = Vacant { at: home, slots, used: Mask(slots.0 & !group.empty().0) };
        }
        let Some(bit) = vacant.slots.lowest() else {
            // What spills may go where the other one looks.
            *self = Self::new();
            // SAFETY: the caller's promise; an index of a vacancy is one of its slots.
            return unsafe {
                let index = table.vacancy_behind(home)?;
                Some((index, *table.ctrl.add(index) != EMPTY))
            };
        };
        vacant.slots = vacant.slots.without_lowest();
        Some((home + bit, vacant.used.0 >> bit & 1 == 1))
    }
}
