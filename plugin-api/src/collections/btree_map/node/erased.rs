//! A tree whose key and value types are known by their layouts only. For [`crate::reflect`].

mod builder;
mod shape;

use core::cmp::Ordering;
use core::ops::Range;
use core::ptr::{self, NonNull};

use super::{Inner, LeafHead, Node};
use crate::collections::btree_map::BTreeMap;
use crate::collections::btree_map::conversion::{self, TreeConversion};
use crate::heap;
use crate::reflect::Pair;
use shape::{InnerShape, LeafShape};

pub use builder::Builder;

/// The header, which is the same for all entries.
type Header = BTreeMap<u8, u8>;

/// Entries in it.
///
/// # Safety
/// `at` is a tree.
pub unsafe fn len(at: *mut u8) -> usize {
    // SAFETY: the caller's promise.
    unsafe { (*at.cast::<Header>()).len }
}

/// The number that the shell knows it by; 0: none.
///
/// # Safety
/// `at` is a tree.
pub unsafe fn number(at: *mut u8) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { (*at.cast::<Header>()).number }
}

/// Gives it a number, so that it tells the shell of removals.
///
/// # Safety
/// `at` is a tree.
pub(crate) unsafe fn set_number(at: *mut u8, number: u32) {
    // SAFETY: the caller's promise.
    unsafe { (*at.cast::<Header>()).number = number };
}

/// The conversion that is under way.
///
/// # Safety
/// `at` is a tree.
pub(crate) unsafe fn conversion(at: *mut u8) -> Option<NonNull<TreeConversion>> {
    // SAFETY: the caller's promise.
    let header = unsafe { &*at.cast::<Header>() };
    header.is_converting().then(|| header.root.cast()).and_then(NonNull::new)
}

/// Visits keys and values in order.
///
/// # Safety
/// `at` is a tree with entries of this layout.
pub unsafe fn each(at: *mut u8, pair: Pair, visit: &mut dyn FnMut(*mut u8, *mut u8)) {
    // SAFETY: the caller's promise: the first leaf is below first children, the others are linked.
    unsafe {
        conversion::settle(at);
        let mut node = (*at.cast::<Header>()).root;
        while !node.is_null() && (*node).height > 0 {
            node = *children(node);
        }
        while !node.is_null() {
            let leaf = LeafShape::of(pair, usize::from((*node).cap));
            for i in 0..usize::from((*node).len) {
                visit(leaf.key(node, i), leaf.value(node, i));
            }
            node = (*node.cast::<LeafHead>()).next;
        }
    }
}

/// Where the values of the first entries lie, at most so many; none while a conversion is under way.
///
/// # Safety
/// `at` is a tree with entries of this layout.
pub(crate) unsafe fn first(at: *mut u8, pair: Pair, most: usize) -> Vec<*mut u8> {
    let mut found = Vec::new();
    // SAFETY: the caller's promise, as in `each`.
    unsafe {
        let header = &*at.cast::<Header>();
        let mut node = if header.is_converting() { ptr::null_mut() } else { header.root };
        while !node.is_null() && (*node).height > 0 {
            node = *children(node);
        }
        while !node.is_null() && found.len() < most {
            let leaf = LeafShape::of(pair, usize::from((*node).cap));
            let count = usize::from((*node).len).min(most - found.len());
            found.extend((0..count).map(|i| leaf.value(node, i)));
            node = (*node.cast::<LeafHead>()).next;
        }
    }
    found
}

/// The value of a key, in a leaf in the new shape if the values change theirs; `compare` says how the key at
/// an address compares with it. O(log n), and once the entries of a leaf.
///
/// # Safety
/// `at` is a tree with entries of this layout, and nobody refers to an entry of a leaf in the old shape.
pub unsafe fn find(
    at: *mut u8,
    pair: Pair,
    compare: &mut dyn FnMut(*mut u8) -> Ordering,
) -> Option<*mut u8> {
    // SAFETY: the caller's promise: `height` levels of inner nodes lie above the leaves, whose parent looks
    // after their shape.
    unsafe {
        let header = &*at.cast::<Header>();
        if header.len == 0 {
            return None;
        }
        let (mut node, height) = header.top();
        let shape = InnerShape::of(pair);
        for level in 1..=height {
            let separator = |i: usize| shape.key(node, i, pair);
            let above = partition(1..usize::from((*node).len), |i| compare(separator(i)).is_le());
            if level == height {
                header.settle_child(Inner::<u8>::at(node), above - 1);
            }
            node = *children(node).add(above - 1);
        }
        let leaf = LeafShape::of(pair, usize::from((*node).cap));
        let len = usize::from((*node).len);
        let place = partition(0..len, |i| compare(leaf.key(node, i)).is_lt());
        let found = place < len && compare(leaf.key(node, place)).is_eq();
        found.then(|| leaf.value(node, place))
    }
}

/// The first of a range of which this does not hold, of which it holds up to some place.
fn partition(range: Range<usize>, mut holds: impl FnMut(usize) -> bool) -> usize {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

/// Frees the nodes; the entries are dropped or moved out.
///
/// # Safety
/// `at` is a tree with entries of this layout, and is not used afterwards.
pub unsafe fn free(at: *mut u8, pair: Pair) {
    // SAFETY: the caller's promise.
    unsafe {
        conversion::settle(at);
        let header = &mut *at.cast::<Header>();
        if !header.root.is_null() {
            free_node(header.root, pair);
        }
    }
}

/// # Safety
/// `node` is a node of a tree with entries of this layout; nobody points at it any more.
unsafe fn free_node(node: Node, pair: Pair) {
    // SAFETY: the caller's promise.
    unsafe {
        let layout = if (*node).height == 0 {
            LeafShape::of(pair, usize::from((*node).cap)).layout
        } else {
            for i in 0..usize::from((*node).len) {
                free_node(*children(node).add(i), pair);
            }
            InnerShape::of(pair).layout
        };
        heap::free(NonNull::new_unchecked(node.cast()), layout);
    }
}

/// The children of an inner node.
///
/// # Safety
/// `node` is an inner node.
unsafe fn children(node: Node) -> *mut Node {
    // SAFETY: they follow the head.
    unsafe { node.add(1).cast() }
}

/// Converts an entry: its key, its value, and where the new value goes.
pub(crate) type ConvertEntry<'c> = dyn FnMut(*mut u8, *mut u8, *mut u8) + 'c;

/// Puts the leaf that is child `at` of a lowest inner node into another shape, unless it has this
/// layout id already. Answers how many entries were converted. O(entries of a leaf).
///
/// # Safety
/// `parent` is a lowest inner node of a tree whose entries are a pair of the old or the new shape, as
/// the layout id of their leaf says; nobody refers to an entry of a leaf in the old one.
pub(crate) unsafe fn convert_leaf(
    parent: Node,
    at: usize,
    layout: u32,
    (old, new): (Pair, Pair),
    convert: &mut ConvertEntry<'_>,
) -> usize {
    // SAFETY: the caller's promise. The new leaf has as many slots; it takes the place of the old one
    // below its parent and between its neighbours.
    unsafe {
        let child = children(parent).add(at);
        let leaf = *child;
        if (*leaf).unit.layout == layout {
            return 0;
        }
        let (cap, len) = (usize::from((*leaf).cap), usize::from((*leaf).len));
        let (from, to) = (LeafShape::of(old, cap), LeafShape::of(new, cap));
        let made = heap::alloc(to.layout).as_ptr().cast::<LeafHead>();
        ptr::copy_nonoverlapping(leaf.cast::<LeafHead>(), made, 1);
        (*made).node.unit.layout = layout;
        ptr::copy_nonoverlapping(from.key(leaf, 0), to.key(made.cast(), 0), len * old.key.size());
        for i in 0..len {
            convert(from.key(leaf, i), from.value(leaf, i), to.value(made.cast(), i));
        }
        if let Some(prev) = NonNull::new((*made).prev) {
            (*prev.as_ptr().cast::<LeafHead>()).next = made.cast();
        }
        if let Some(next) = NonNull::new((*made).next) {
            (*next.as_ptr().cast::<LeafHead>()).prev = made.cast();
        }
        *child = made.cast();
        heap::free(NonNull::new_unchecked(leaf.cast()), from.layout);
        len
    }
}

/// Visits the entries of the leaf that is child `at` of a lowest inner node, and gives it this layout id,
/// unless it has that already. Answers how many entries it has, 0 if none was visited.
///
/// # Safety
/// `parent` is a lowest inner node of a tree with entries of this layout.
pub(crate) unsafe fn mark_leaf(
    parent: Node,
    at: usize,
    layout: u32,
    pair: Pair,
    visit: &mut dyn FnMut(*mut u8, *mut u8),
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let leaf = *children(parent).add(at);
        if (*leaf).unit.layout == layout {
            return 0;
        }
        let (shape, len) =
            (LeafShape::of(pair, usize::from((*leaf).cap)), usize::from((*leaf).len));
        for i in 0..len {
            visit(shape.key(leaf, i), shape.value(leaf, i));
        }
        (*leaf).unit.layout = layout;
        len
    }
}

/// The lowest inner node on the way to the entry of a rank, the child of it that leads there, and the
/// rank of that child's first entry.
///
/// # Safety
/// `root` is an inner node, `height` levels above the leaves, of a tree with such keys.
pub(crate) unsafe fn parent_of_rank(
    (root, height): (Node, u32),
    pair: Pair,
    rank: usize,
) -> (Node, usize, usize) {
    let counts_at = InnerShape::of(pair).counts_at;
    let (mut node, mut first) = (root, 0);
    for level in 1..=height {
        // SAFETY: the caller's promise; a count for each child.
        unsafe {
            let counts = node.cast::<u8>().add(counts_at).cast::<u64>();
            let (mut at, last) = (0, usize::from((*node).len) - 1);
            while at < last && rank - first >= *counts.add(at) as usize {
                first += *counts.add(at) as usize;
                at += 1;
            }
            if level == height {
                return (node, at, first);
            }
            node = *children(node).add(at);
        }
    }
    unreachable!("the root is an inner node")
}

/// Entries below each child of an inner node.
///
/// # Safety
/// `node` is an inner node of a tree with such keys.
pub(crate) unsafe fn counts(node: Node, pair: Pair) -> Vec<usize> {
    // SAFETY: the caller's promise.
    unsafe {
        let counts = node.cast::<u8>().add(InnerShape::of(pair).counts_at).cast::<u64>();
        (0..usize::from((*node).len)).map(|at| *counts.add(at) as usize).collect()
    }
}
