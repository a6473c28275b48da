//! The mark that every unit of a map carries.

use abi_stable::StableAbi;

/// Head of a unit: the piece of a map that is converted, snapshotted and freed as a whole. 8 bytes.
///
/// A swap that changes the shape of the elements raises the map's layout id; a unit with an older id
/// is converted before any reference into it is handed out. Both numbers are 0 until then.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, StableAbi)]
pub struct UnitHead {
    /// Index into the server's layout table: the layout the elements of this unit are in.
    pub layout: u32,
    /// The snapshot epoch in which the unit was last written.
    pub epoch: u32,
}
