//! Inner nodes: children, how much is below each, and keys to search by.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use super::{Node, NodeHead, aligned, inner_cap};
use crate::collections::unit::UnitHead;
use crate::heap;

/// An inner node of a living map; see [`super::Leaf`] for what a handle promises.
pub(in super::super) struct Inner<K>(pub Node, PhantomData<K>);

impl<K> Clone for Inner<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Inner<K> {}

impl<K> Inner<K> {
    /// Children of an inner node: 12 to 64.
    pub const CAP: usize = inner_cap(size_of::<K>());
    /// Children below which an inner node is joined with a neighbour.
    pub const MIN: usize = Self::CAP / 3;

    const CHILDREN: usize = size_of::<NodeHead>();
    const COUNTS: usize = Self::CHILDREN + 8 * Self::CAP;
    const KEYS: usize = aligned(Self::COUNTS + 8 * Self::CAP, align_of::<K>());

    fn layout() -> Layout {
        let align = align_of::<NodeHead>().max(8).max(align_of::<K>());
        let size = Self::KEYS + Self::CAP * size_of::<K>();
        Layout::from_size_align(size, align).expect("capacity overflow").pad_to_align()
    }

    /// A new inner node without children.
    pub fn new(unit: UnitHead, height: u32) -> Self {
        let node = heap::alloc(Self::layout()).as_ptr().cast::<NodeHead>();
        // SAFETY: the block is at least a head.
        unsafe { node.write(NodeHead { unit, len: 0, cap: Self::CAP as u16, height }) };
        Self(node, PhantomData)
    }

    /// # Safety
    /// `node` is an inner node of a living map over this key.
    pub const unsafe fn at(node: Node) -> Self {
        Self(node, PhantomData)
    }

    pub fn len(&self) -> usize {
        // SAFETY: a handle is a living node.
        usize::from(unsafe { (*self.0).len })
    }

    pub fn set_len(&self, len: usize) {
        debug_assert!(len <= Self::CAP);
        // SAFETY: a handle is a living node.
        unsafe { (*self.0).len = len as u16 };
    }

    pub fn height(&self) -> u32 {
        // SAFETY: a handle is a living node.
        unsafe { (*self.0).height }
    }

    #[inline(always)]
    fn child_slot(&self, at: usize) -> *mut Node {
        debug_assert!(at <= Self::CAP);
        // SAFETY: the children lie at `CHILDREN`; `at` is at most `CAP`.
        unsafe { self.0.cast::<u8>().add(Self::CHILDREN).cast::<Node>().add(at) }
    }

    #[inline(always)]
    pub fn count_slot(&self, at: usize) -> *mut u64 {
        debug_assert!(at <= Self::CAP);
        // SAFETY: the counts lie at `COUNTS`; `at` is at most `CAP`.
        unsafe { self.0.cast::<u8>().add(Self::COUNTS).cast::<u64>().add(at) }
    }

    #[inline(always)]
    pub fn separator(&self, at: usize) -> *mut K {
        debug_assert!(at <= Self::CAP);
        // SAFETY: the separators lie at `KEYS`; `at` is at most `CAP`.
        unsafe { self.0.cast::<u8>().add(Self::KEYS).cast::<K>().add(at) }
    }

    #[inline(always)]
    pub fn child(&self, at: usize) -> Node {
        debug_assert!(at < self.len());
        // SAFETY: the first `len` children are initialised.
        unsafe { *self.child_slot(at) }
    }

    /// Entries below child `at`.
    #[inline(always)]
    pub fn count(&self, at: usize) -> usize {
        debug_assert!(at < self.len());
        // SAFETY: the first `len` counts are initialised.
        unsafe { *self.count_slot(at) as usize }
    }

    /// Changes the count of child `at`.
    #[inline]
    pub fn add_count(&self, at: usize, change: isize) {
        debug_assert!(at < self.len());
        // SAFETY: the first `len` counts are initialised.
        unsafe { *self.count_slot(at) = (*self.count_slot(at)).wrapping_add_signed(change as i64) };
    }

    /// Sets separator `at` to a bit copy of `key`.
    ///
    /// # Safety
    /// `key` is the first key below child `at`, and is replaced here when it goes.
    pub unsafe fn set_separator(&self, at: usize, key: *const K) {
        // SAFETY: both are slots for a key.
        unsafe { ptr::copy(key, self.separator(at), 1) };
    }

    /// All entries below this node.
    pub fn total(&self) -> usize {
        (0..self.len()).map(|at| self.count(at)).sum()
    }

    /// # Safety
    /// As [`Leaf::copy`], of children with their counts and separators.
    unsafe fn copy(&self, from: usize, to: Self, at: usize, count: usize) {
        // SAFETY: the caller's promise; `copy` allows overlap.
        unsafe {
            ptr::copy(self.child_slot(from), to.child_slot(at), count);
            ptr::copy(self.count_slot(from), to.count_slot(at), count);
            ptr::copy(self.separator(from), to.separator(at), count);
        }
    }

    /// Puts a child at `at`; there is room.
    ///
    /// # Safety
    /// `child` has `count` entries below it; `key` is its first key, or anything for child 0.
    pub unsafe fn insert(&self, at: usize, child: Node, count: usize, key: *const K) {
        let len = self.len();
        debug_assert!(at <= len && len < Self::CAP);
        // SAFETY: there is room for one more; the children from `at` on move up.
        unsafe {
            self.copy(at, *self, at + 1, len - at);
            self.child_slot(at).write(child);
            self.count_slot(at).write(count as u64);
            if !key.is_null() {
                self.set_separator(at, key);
            }
        }
        self.set_len(len + 1);
    }

    /// Forgets child `at`.
    pub fn remove(&self, at: usize) {
        let len = self.len();
        // SAFETY: the children behind `at` move down over it.
        unsafe { self.copy(at + 1, *self, at, len - at - 1) };
        self.set_len(len - 1);
    }

    /// Moves the children from `at` on into a new node; its separator 0 is what it was here.
    pub fn split(&self, unit: UnitHead, at: usize) -> Self {
        let (right, count) = (Self::new(unit, self.height()), self.len() - at);
        // SAFETY: the new node has the same capacity; this one forgets the children.
        unsafe { self.copy(at, right, 0, count) };
        right.set_len(count);
        self.set_len(at);
        right
    }

    /// Moves all children of `right`, whose separator 0 is set, to the end, and frees it.
    pub fn join(&self, right: Self) {
        let (len, more) = (self.len(), right.len());
        // SAFETY: the caller made sure of the room; `right` is freed.
        unsafe { right.copy(0, *self, len, more) };
        self.set_len(len + more);
        right.free();
    }

    /// Evens out this node and the next one, whose separator 0 is set before and after.
    pub fn even_out(&self, right: Self) {
        let (l, r) = (self.len(), right.len());
        let wanted = (l + r) / 2;
        // SAFETY: both have room for half of the children; each child ends up in one place.
        unsafe {
            if l > wanted {
                let moved = l - wanted;
                right.copy(0, right, moved, r);
                self.copy(wanted, right, 0, moved);
            } else {
                let moved = wanted - l;
                right.copy(0, *self, l, moved);
                right.copy(moved, right, 0, r - moved);
            }
        }
        self.set_len(wanted);
        right.set_len(l + r - wanted);
    }

    /// Frees the node and leaves its children alone.
    pub fn free(self) {
        // SAFETY: a living inner node came from this heap with this layout.
        unsafe { heap::free(NonNull::new_unchecked(self.0.cast()), Self::layout()) };
    }
}
