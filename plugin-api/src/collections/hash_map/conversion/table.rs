//! [`ConversionTable`]: how typed code asks the shell.

use super::super::watch::Watch;
use super::{Conversion, Place};
use crate::collections::btree_map::conversion::TreeConversion;

/// What typed code asks the shell for. Size-headed; the shell's, for the life of the process.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ConversionTable {
    /// Bytes of this table that the shell filled in.
    pub size: u32,
    /// Reserved, zero.
    pub reserved: u32,
    /// `[engine]` Converts the entry of this hash in slot `index` of a source, without moving any other.
    /// A null place: it was set aside.
    pub touch: unsafe extern "C" fn(
        conversion: *mut Conversion,
        source: u32,
        index: usize,
        hash: u64,
    ) -> Place,
    /// `[engine]` Empties about so many slots of the sources; `exclusive`, then also of the extras:
    /// nobody holds a reference to an entry. With `u64::MAX` it goes on to the end.
    pub advance: unsafe extern "C" fn(conversion: *mut Conversion, slots: u64, exclusive: bool),
    /// `[engine]` Puts the leaf that is child `at` of a lowest inner node into the new shape.
    pub leaf: unsafe extern "C" fn(conversion: *mut TreeConversion, parent: *mut u8, at: usize),
    /// `[engine]` Puts all leaves of a tree into the new shape, and forgets its conversion.
    pub end_tree: unsafe extern "C" fn(conversion: *mut TreeConversion),
    /// `[engine]` Puts entries back that an earlier swap set aside and whose hashes lie in `from..=to`,
    /// without moving any other. Those whose key lives stay away.
    pub recall: unsafe extern "C" fn(conversion: *mut Conversion, from: u64, to: u64),
    /// `[engine]` Writes the entry in a full slot of a watched map to the image that is being taken: it is
    /// going to change.
    pub write: unsafe extern "C" fn(watch: *mut Watch, index: usize),
    /// `[engine]` Writes what lies in about so many slots to the image. With `u64::MAX` it goes on to the
    /// end.
    pub write_on: unsafe extern "C" fn(watch: *mut Watch, slots: u64),
    /// `[engine]` An entry with this hash was removed from the map whose seed begins like this, which the
    /// shell has made ([`kept`](super::super::kept)). False: the shell need not hear of more.
    pub removed: extern "C" fn(map: u64, hash: u64) -> bool,
    /// `[engine]` All entries of that map were removed; `absent`: also those that are set aside.
    pub cleared: extern "C" fn(map: u64, absent: bool),
}
