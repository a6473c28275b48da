//! [`Journal`]: what a conversion has done so far, so that it can be completed or undone.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::Lost;
use crate::collections::btree_map::conversion::TreeConversion;
use crate::collections::hash_map::conversion::Conversion;
use crate::collections::{btree_map, hash_map, vec_deque};
use crate::heap;
use crate::migrate::{drains, trees};
use crate::reflect::{Pair, Reflect};
use crate::schema::TypeIndex;

/// What was done, in the order in which it was done.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub fresh: Vec<Fresh>,
    pub spent: Vec<Spent>,
    pub lost: Vec<Lost>,
}

/// Taken for the new value, given back when it is given up: last first, for a header lies in the
/// block that was taken before it.
#[derive(Debug)]
pub(super) enum Fresh {
    /// A block of the heap.
    Block(NonNull<u8>, Layout),
    /// A value that a function of an image made.
    Value(TypeIndex, *mut u8),
    /// A queue, without its elements.
    Queue(*mut u8, Layout),
    /// A hash map, without its entries.
    Map(*mut u8, Pair),
    /// A tree, without its entries.
    Tree(*mut u8, Pair),
    /// The descriptor of a map whose entries are to be converted later.
    Drain(NonNull<Conversion>),
    /// The descriptor of a tree whose leaves are to be converted later.
    TreeDrain(NonNull<TreeConversion>),
}

/// Left of the old value, given back when the new one takes over: in this order, for what is inside
/// was noted before the block that it lies in.
#[derive(Debug)]
pub(super) enum Spent {
    /// A block of the heap.
    Block(NonNull<u8>, Layout),
    /// A value that has no place, or was only read.
    Value(TypeIndex, *mut u8),
    /// A queue, without its elements.
    Queue(*mut u8, Layout),
    /// A hash map, without its entries.
    Map(*mut u8, Pair),
    /// A tree, without its entries.
    Tree(*mut u8, Pair),
    /// The header of a hash map whose tables have a new owner.
    Header(*mut u8),
}

/// How far a journal had come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    fresh: usize,
    spent: usize,
    lost: usize,
}

impl Journal {
    pub fn mark(&self) -> Mark {
        Mark { fresh: self.fresh.len(), spent: self.spent.len(), lost: self.lost.len() }
    }

    /// What was made since `mark` in the `size` bytes at `from` lies at `to` now.
    pub fn moved(&mut self, mark: Mark, from: *mut u8, to: *mut u8, size: usize) {
        self.scattered(mark, from, size, &[to]);
    }

    /// What was made since `mark` in the run of values of `size` bytes at `from` lies at these places
    /// now.
    pub fn scattered(&mut self, mark: Mark, from: *mut u8, size: usize, places: &[*mut u8]) {
        for fresh in &mut self.fresh[mark.fresh..] {
            let (Fresh::Value(_, at)
            | Fresh::Queue(at, _)
            | Fresh::Map(at, _)
            | Fresh::Tree(at, _)) = fresh
            else {
                continue;
            };
            let offset = at.addr().wrapping_sub(from.addr());
            if let Some(place) = offset.checked_div(size).and_then(|nth| places.get(nth)) {
                *at = place.wrapping_add(offset % size);
            }
        }
    }

    /// Undoes what was done since `mark`.
    ///
    /// # Safety
    /// What was made since is not used any more.
    pub unsafe fn revert(&mut self, new: &Reflect<'_>, mark: &Mark) {
        for fresh in self.fresh.drain(mark.fresh..).rev() {
            // SAFETY: taken once since the mark, and the caller's promise.
            unsafe {
                match fresh {
                    Fresh::Block(block, layout) => heap::free(block, layout),
                    Fresh::Value(ty, at) => new.drop_value(ty, at),
                    Fresh::Queue(at, element) => vec_deque::erased::free(at, element),
                    Fresh::Map(at, pair) => hash_map::erased::free(at, pair),
                    Fresh::Tree(at, pair) => btree_map::erased::free(at, pair),
                    Fresh::Drain(at) => drains::forget(at),
                    Fresh::TreeDrain(at) => trees::forget(at),
                }
            }
        }
        self.spent.truncate(mark.spent);
        self.lost.truncate(mark.lost);
    }

    /// Frees what the old value no longer owns; answers what has no place in the new one.
    ///
    /// # Safety
    /// The old value is as it was when it was converted, and is not used afterwards.
    pub unsafe fn commit(mut self, old: &Reflect<'_>) -> Vec<Lost> {
        let mut lost = Vec::new();
        // SAFETY: the caller's promise.
        unsafe { self.settle(old, &mut lost) };
        lost
    }

    /// As [`Journal::commit`], for a journal that is used again.
    ///
    /// # Safety
    /// As for [`Journal::commit`].
    pub unsafe fn settle(&mut self, old: &Reflect<'_>, lost: &mut Vec<Lost>) {
        self.fresh.clear();
        for spent in self.spent.drain(..) {
            // SAFETY: noted once, inside first, and the caller's promise.
            unsafe {
                match spent {
                    Spent::Block(block, layout) => heap::free(block, layout),
                    Spent::Value(ty, at) => old.drop_value(ty, at),
                    Spent::Queue(at, element) => vec_deque::erased::free(at, element),
                    Spent::Map(at, pair) => hash_map::erased::free(at, pair),
                    Spent::Tree(at, pair) => btree_map::erased::free(at, pair),
                    Spent::Header(at) => {
                        hash_map::erased::conversion(at).into_iter().for_each(drains::turned);
                        hash_map::erased::free_header(at);
                    }
                }
            }
        }
        lost.append(&mut self.lost);
    }
}
