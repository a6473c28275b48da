//! Nodes of the tree: leaves with entries, inner nodes with children, as handles over raw memory.
//!
//! | node | bytes | content |
//! |---|---|---|
//! | both | 16 | unit head, `len: u16`, `cap: u16`, `height: u32` (0 in leaves) |
//! | leaf | 16 | the previous and the next leaf, or null |
//! | | | keys `[K; cap]`, then values `[V; cap]`, each at its alignment |
//! | inner | `16 * cap` | children `[*Node; cap]`, then entries below each, `[u64; cap]` |
//! | | | separators `[K; cap]`, at their alignment |
//!
//! Separator `i` is a bit copy of the first key below child `i`: it is compared, never dropped and
//! never handed out. Separator 0 is not used. Leaves have about 1 KiB, whatever the entry's size, and
//! so do inner nodes; only the one leaf of a small map is smaller.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use crate::collections::unit::UnitHead;
use crate::heap;

/// Bytes of a node, roughly: entries of more than 250 bytes, and keys of more than 70, make larger ones.
const NODE_BYTES: usize = 1024;
/// Entries of the smallest leaf of a small map.
const FIRST_LEAF: usize = 4;

/// The first bytes of each node.
#[repr(C)]
pub(super) struct NodeHead {
    unit: UnitHead,
    len: u16,
    cap: u16,
    height: u32,
}

#[repr(C)]
struct LeafHead {
    node: NodeHead,
    prev: *mut NodeHead,
    next: *mut NodeHead,
}

/// Any node; null in an empty map.
pub(super) type Node = *mut NodeHead;

const fn at_least(n: usize, min: usize) -> usize {
    if n < min { min } else { n }
}

const fn at_most(n: usize, max: usize) -> usize {
    if n > max { max } else { n }
}

const fn aligned(n: usize, align: usize) -> usize {
    n.next_multiple_of(align)
}

/// A leaf of a living map. Whoever makes a handle promises that; it is not used after the leaf was
/// freed, and references made from it follow the map's borrow.
pub(super) struct Leaf<K, V>(pub Node, PhantomData<(K, V)>);

impl<K, V> Clone for Leaf<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Leaf<K, V> {}

impl<K, V> Leaf<K, V> {
    /// Entries of a full-size leaf: 4 to 128.
    pub const CAP: usize = {
        let entry = at_least(size_of::<K>() + size_of::<V>(), 1);
        let room = NODE_BYTES - size_of::<LeafHead>() - at_most(align_of::<V>() - 1, 15);
        at_most(at_least(room / entry, FIRST_LEAF), 128)
    };
    /// Entries below which a leaf is joined with a neighbour.
    pub const MIN: usize = Self::CAP / 3;

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

    pub fn cap(&self) -> usize {
        // SAFETY: a handle is a living leaf.
        usize::from(unsafe { (*self.0).cap })
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

/// An inner node of a living map; see [`Leaf`] for what a handle promises.
pub(super) struct Inner<K>(pub Node, PhantomData<K>);

impl<K> Clone for Inner<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Inner<K> {}

impl<K> Inner<K> {
    /// Children of an inner node: 12 to 64.
    pub const CAP: usize = {
        let room = NODE_BYTES - size_of::<NodeHead>();
        at_most(at_least(room / (16 + size_of::<K>()), 12), 64)
    };
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
