//! [`Gathered`]: the entries of a tree, which may come in any order.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use crate::collections::btree_map;
use crate::heap;
use crate::reflect::{Pair, Reflect};
use crate::schema::TypeIndex;

/// Entries side by side, until all are there. What they own stays where it is when they go to their leaves.
pub(super) struct Gathered {
    /// Where the tree is going to be.
    pub(super) at: *mut u8,
    pair: Pair,
    /// The tree's number.
    number: u32,
    entries: NonNull<u8>,
    room: usize,
    len: usize,
}

impl Gathered {
    /// Room for so many entries of the tree at `at`.
    pub(super) fn new(at: *mut u8, pair: Pair, room: usize, number: u32) -> Self {
        Self { at, pair, number, entries: heap::alloc(run(pair, room)), room, len: 0 }
    }

    /// Where the next entry goes, as a slot of a hash map. To be called as often as there is room.
    pub(super) fn next(&mut self) -> *mut u8 {
        assert!(self.len < self.room, "a tree of so many entries");
        self.len += 1;
        self.slot(self.len - 1)
    }

    fn slot(&self, index: usize) -> *mut u8 {
        // SAFETY: there is room for it.
        unsafe { self.entries.as_ptr().add(index * self.pair.size()) }
    }

    /// Makes the tree; `moved` hears of each value that goes from one place to another. O(n) where the entries
    /// came in order but for few.
    pub(super) fn finish(
        self,
        reflect: &Reflect<'_>,
        key: TypeIndex,
        moved: &mut dyn FnMut(*mut u8, *mut u8),
    ) {
        let mut slots: Vec<*mut u8> = (0..self.len).map(|index| self.slot(index)).collect();
        let Pair { key: key_layout, value: value_layout } = self.pair;
        // SAFETY: whole entries, each of which goes to one place; what is left of it here is a bit copy.
        unsafe {
            // Leaves were written each in order.
            slots.sort_by(|&a, &b| reflect.compare_keys(key, a, b));
            let mut tree =
                btree_map::erased::Builder::new(self.at, self.pair, self.len, self.number);
            for slot in slots {
                let (key, value) = tree.next();
                ptr::copy_nonoverlapping(slot, key, key_layout.size());
                let from = slot.add(self.pair.value_at());
                ptr::copy_nonoverlapping(from, value, value_layout.size());
                moved(from, value);
            }
            tree.finish();
            heap::free(self.entries, run(self.pair, self.room));
        }
    }
}

fn run(pair: Pair, room: usize) -> Layout {
    crate::reflect::run(pair.slot(), room)
}
