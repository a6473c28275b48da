//! Maps of whose entries something may be set aside ([`crate::migrate::marks`]).
//!
//! What a version cannot hold of an entry waits for a version that can, and goes when the entry goes. So a
//! map that the shell has made, in a change of shape or from a snapshot, tells the shell of removals, until
//! the shell answers that nothing is left that hangs on the map. Others pay for a look at one bit.

use core::mem::offset_of;

use super::conversion::ConversionTable;
use super::raw::Raw;
use super::{HashMap, Slot};
use crate::heap;
use crate::state::{StateKey, StateType};

/// Set in the header's layout id when the shell wants to hear of removals.
const TELLS: u32 = 1 << 31;

impl Raw {
    /// Lets the map tell of removals.
    pub(super) const fn tell(&mut self) {
        self.layout |= TELLS;
    }

    #[inline(always)]
    pub(super) const fn tells(&self) -> bool {
        self.layout & TELLS != 0
    }

    /// The layout id alone.
    pub(super) const fn layout_id(&self) -> u32 {
        self.layout & !TELLS
    }

    /// Tells that all entries go; `absent`: and those that are set aside.
    #[cold]
    #[inline(never)]
    pub(super) fn tell_cleared(&mut self, absent: bool) {
        if let Some(table) = listener() {
            (table.cleared)(self.seed[0], absent);
        }
    }

    /// Its entries are somebody else's from here on, or gone.
    pub(super) const fn fall_silent(&mut self) {
        self.layout &= !TELLS;
    }
}

impl<K: StateKey, V> HashMap<K, V> {
    /// Tells that an entry goes.
    ///
    /// # Safety
    /// `slot` is a full slot of this map.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn tell_removed(&mut self, slot: *mut Slot<K, V>) {
        // SAFETY: the caller's promise.
        let hash = self.hash_of(unsafe { &(*slot).key });
        let more = listener().is_some_and(|table| (table.removed)(self.raw.seed[0], hash));
        if !more {
            self.raw.fall_silent();
        }
    }
}

impl<K: StateKey, V: StateType> HashMap<K, V> {
    /// Drops what other versions set aside of this map: entries that the running version cannot hold, and
    /// parts of those it can. [`HashMap::clear`] and dropping the map do so, too; this is for a map that is
    /// taken out of the state to be freed later. O(parts).
    pub fn forget_aside(&mut self) {
        if self.raw.tells() {
            self.raw.tell_cleared(true);
        }
    }
}

/// The shell, if it is one that wants to hear of removals.
pub(in crate::collections) fn listener() -> Option<&'static ConversionTable> {
    let table = heap::conversions();
    let end = offset_of!(ConversionTable, cleared) + size_of::<usize>();
    (table.size as usize >= end).then_some(table)
}
