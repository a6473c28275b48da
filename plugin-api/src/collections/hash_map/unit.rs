//! Units: runs of slots of about equal bytes, the grain of migration and of snapshots.

use core::alloc::Layout;

use abi_stable::StableAbi;

use super::group::WIDTH;

/// What a unit of slots says of itself. All zero is layout 0, epoch 0.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, StableAbi)]
pub struct UnitHead {
    /// Index into the server's layout table: how the entries of this unit are laid out.
    pub layout: u32,
    /// The snapshot epoch in which the unit was made.
    pub epoch: u32,
}

/// A unit's bytes stay at or below this, unless one group alone is larger.
const UNIT_BYTES: usize = 8 << 10;
/// A unit's slots stay at or below this, so that moving one takes a few microseconds.
const UNIT_SLOTS_MAX: usize = 1 << 10;

/// log2 of the slots per unit, for slots of this many bytes. ABI: part of the format.
pub(super) const fn unit_shift(slot_size: usize) -> u32 {
    let fitting = UNIT_BYTES / if slot_size == 0 { 1 } else { slot_size };
    let slots = if fitting > UNIT_SLOTS_MAX {
        UNIT_SLOTS_MAX
    } else if fitting < WIDTH {
        WIDTH
    } else {
        fitting
    };
    slots.ilog2()
}

/// Units over `slots` slots.
pub(super) const fn unit_count(slots: usize, slot_size: usize) -> usize {
    let shift = unit_shift(slot_size);
    (slots + (1 << shift) - 1) >> shift
}

/// The bytes of that many heads.
pub(super) const fn heads_size(units: usize) -> usize {
    units * Layout::new::<UnitHead>().size()
}
