//! Leaves: entries in order.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use super::{FIRST_LEAF, LeafHead, Node, NodeHead, aligned, leaf_cap};
use crate::collections::unit::UnitHead;
use crate::heap;

/// A leaf of a living map. Whoever makes a handle promises that; it is not used after the leaf was
/// freed, and references made from it follow the map's borrow.
pub(in super::super) struct Leaf<K, V>(pub Node, PhantomData<(K, V)>);

impl<K, V> Clone for Leaf<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Leaf<K, V> {}

impl<K, V> Leaf<K, V> {
    /// Entries of a full-size leaf: 4 to 128.
    pub const CAP: usize = leaf_cap(size_of::<K>(), size_of::<V>(), align_of::<V>());
    const KEYS: usize = aligned(size_of::<LeafHead>(), align_of::<K>());

    const fn values_at(cap: usize) -> usize {
        aligned(Self::KEYS + cap * size_of::<K>(), align_of::<V>())
    }

    fn layout(cap: usize) -> Layout {
        let align = align_of::<LeafHead>().max(align_of::<K>()).max(align_of::<V>());
        let size = Self::values_at(cap) + cap * size_of::<V>();
        Layout::from_size_align(size, align).expect("capacity overflow").pad_to_align()
    }

    /// A new leaf without entries and neighbours.
    pub fn new(unit: UnitHead, cap: usize) -> Self {
        let node = heap::alloc(Self::layout(cap)).as_ptr().cast::<LeafHead>();
        let head = NodeHead { unit, len: 0, cap: cap as u16, height: 0 };
        // SAFETY: the block is at least a head.
        unsafe {
            node.write(LeafHead { node: head, prev: ptr::null_mut(), next: ptr::null_mut() })
        };
        Self(node.cast(), PhantomData)
    }

    /// # Safety
    /// `node` is a leaf of a living map over these types.
    pub const unsafe fn at(node: Node) -> Self {
        Self(node, PhantomData)
    }

    fn head(&self) -> *mut LeafHead {
        self.0.cast()
    }

    pub fn len(&self) -> usize {
        // SAFETY: a handle is a living leaf.
        usize::from(unsafe { (*self.0).len })
    }

    pub fn set_len(&self, len: usize) {
        debug_assert!(len <= self.cap());
        // SAFETY: a handle is a living leaf.
        unsafe { (*self.0).len = len as u16 };
    }

    pub fn unit(&self) -> UnitHead {
        // SAFETY: a handle is a living leaf.
        unsafe { (*self.0).unit }
    }

    pub fn cap(&self) -> usize {
        // SAFETY: a handle is a living leaf.
        usize::from(unsafe { (*self.0).cap })
    }

    /// Entries below which the leaf is joined with a neighbour: a third of its room, which may be that
    /// of the shape that its values had before.
    pub fn least(&self) -> usize {
        self.cap() / 3
    }

    pub fn prev(&self) -> Node {
        // SAFETY: a handle is a living leaf.
        unsafe { (*self.head()).prev }
    }

    pub fn next(&self) -> Node {
        // SAFETY: a handle is a living leaf.
        unsafe { (*self.head()).next }
    }

    #[inline(always)]
    pub fn key(&self, at: usize) -> *mut K {
        debug_assert!(at <= self.cap());
        // SAFETY: the keys lie at `KEYS`; `at` is at most `cap`.
        unsafe { self.0.cast::<u8>().add(Self::KEYS).cast::<K>().add(at) }
    }

    #[inline(always)]
    pub fn value(&self, at: usize) -> *mut V {
        debug_assert!(at <= self.cap());
        // SAFETY: the values lie behind the keys; `at` is at most `cap`.
        unsafe { self.0.cast::<u8>().add(Self::values_at(self.cap())).cast::<V>().add(at) }
    }

    /// Moves entries `from..from + count` to `to`'s slots from `at` on, over whatever is there.
    ///
    /// # Safety
    /// The source slots hold entries and the target slots exist.
    pub unsafe fn copy(&self, from: usize, to: Self, at: usize, count: usize) {
        // SAFETY: the caller's promise; `copy` allows overlap.
        unsafe {
            ptr::copy(self.key(from), to.key(at), count);
            ptr::copy(self.value(from), to.value(at), count);
        }
    }

    /// Puts an entry at `at`, before what is there; there is room.
    pub fn insert(&self, at: usize, key: K, value: V) {
        let len = self.len();
        debug_assert!(at <= len && len < self.cap());
        // SAFETY: there is room for one more; the entries from `at` on move up.
        unsafe {
            self.copy(at, *self, at + 1, len - at);
            self.key(at).write(key);
            self.value(at).write(value);
        }
        self.set_len(len + 1);
    }

    /// Moves the entry at `at` out.
    pub fn remove(&self, at: usize) -> (K, V) {
        let len = self.len();
        debug_assert!(at < len);
        // SAFETY: the entry exists; those behind it move down over it.
        unsafe {
            let entry = (self.key(at).read(), self.value(at).read());
            self.copy(at + 1, *self, at, len - at - 1);
            self.set_len(len - 1);
            entry
        }
    }

    /// The first leaf of a small map, or the next larger one in place of `self`.
    pub fn grown(unit: UnitHead, old: Option<Self>) -> Self {
        let Some(old) = old else {
            return Self::new(unit, FIRST_LEAF.min(Self::CAP));
        };
        let new = Self::new(unit, (old.cap() * 2).min(Self::CAP));
        // SAFETY: the new leaf is larger; the old one is freed and its entries are forgotten.
        unsafe { old.copy(0, new, 0, old.len()) };
        new.set_len(old.len());
        old.free();
        new
    }

    /// Moves the entries from `at` on into a new leaf behind this one.
    pub fn split(&self, unit: UnitHead, at: usize) -> Self {
        let (right, count) = (Self::new(unit, self.cap()), self.len() - at);
        // SAFETY: the new leaf has the same capacity; this one forgets the entries.
        unsafe { self.copy(at, right, 0, count) };
        right.set_len(count);
        self.set_len(at);
        right.link(self.0, self.next());
        right
    }

    /// Puts this leaf between two neighbours.
    fn link(&self, prev: Node, next: Node) {
        // SAFETY: a handle and its neighbours are living leaves.
        unsafe {
            (*self.head()).prev = prev;
            (*self.head()).next = next;
            if let Some(prev) = NonNull::new(prev) {
                (*prev.as_ptr().cast::<LeafHead>()).next = self.0;
            }
            if let Some(next) = NonNull::new(next) {
                (*next.as_ptr().cast::<LeafHead>()).prev = self.0;
            }
        }
    }

    /// Moves all of `right`, the next leaf, to the end of this one, and frees it.
    pub fn join(&self, right: Self) {
        let (len, more) = (self.len(), right.len());
        // SAFETY: the caller made sure of the room; `right` is freed and its entries are forgotten.
        unsafe { right.copy(0, *self, len, more) };
        self.set_len(len + more);
        self.link(self.prev(), right.next());
        right.free();
    }

    /// Evens out this leaf and the next one.
    pub fn even_out(&self, right: Self) {
        let (l, r) = (self.len(), right.len());
        let wanted = (l + r) / 2;
        // SAFETY: both have room for half of the entries; each entry ends up in one place.
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

    /// Frees the leaf; its entries are not dropped.
    pub fn free(self) {
        let layout = Self::layout(self.cap());
        // SAFETY: a living leaf came from this heap with the layout of its capacity.
        unsafe { heap::free(NonNull::new_unchecked(self.0.cast()), layout) };
    }
}
