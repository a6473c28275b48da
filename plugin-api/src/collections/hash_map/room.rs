//! Room for entries: a map grows before an insert, and shrinks after removals.

use core::mem;
use core::ptr;

use super::geometry::Geometry;
use super::table::Table;
use super::{HashMap, Slot};
use crate::heap;
use crate::state::StateKey;

impl<K: StateKey, V> HashMap<K, V> {
    /// Makes room for one entry and moves a pending rehash on. Must come before the key is hashed:
    /// the first call draws the seed.
    #[inline(always)]
    pub(super) fn before_insert(&mut self) {
        if !self.raw.has_room_at_rest() {
            self.before_insert_slow();
        }
    }

    #[cold]
    #[inline(never)]
    fn before_insert_slow(&mut self) {
        self.pay_rehash();
        self.raw.pay_watch();
        if self.raw.table.growth_left == 0 && !self.has_room_converting() {
            self.grow(1);
        }
    }

    /// Starts to shrink a table that has become sparse.
    #[inline(always)]
    pub(super) fn after_remove(&mut self) {
        if self.raw.is_sparse() {
            self.shrink();
        }
    }

    #[cold]
    #[inline(never)]
    fn shrink(&mut self) {
        if self.raw.is_steady() {
            self.move_to(self.raw.table.geometry().eighth());
        }
    }

    /// Makes room for `additional` entries: starts a move to a larger table, or to one of the same
    /// size when removed entries are what fills this one.
    #[cold]
    #[inline(never)]
    pub(super) fn grow(&mut self, additional: usize) {
        self.settle();
        self.finish_rehash();
        if additional as u64 <= self.raw.table.growth_left {
            return;
        }
        let geometry = self.raw.table.geometry();
        let full = if self.raw.table.is_allocated() { geometry.capacity() } else { 0 };
        let needed = (self.raw.len as usize).checked_add(additional);
        let needed = needed.expect("Hash table capacity overflow");
        if needed <= full / 2 {
            self.move_to(geometry);
        } else {
            self.move_to(Geometry::for_capacity(needed.max(full + 1)));
        }
    }

    /// A first table of this geometry.
    pub(super) fn allocate(&mut self, geometry: Geometry) {
        if self.raw.table.algorithm == 0 && self.raw.seed == [0; 2] {
            self.raw.seed = [heap::random(), heap::random()];
        }
        let mut table = Table::new::<Slot<K, V>>(geometry);
        mem::swap(&mut self.raw.table, &mut table);
        debug_assert!(!table.is_allocated(), "only a map without a table gets a first one");
        self.raw.rehash = ptr::null_mut();
        self.raw.stamp(0, self.raw.table.units());
    }
}
