//! A tree whose key and value types are known by their layouts only. For [`crate::reflect`].

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use super::{FIRST_LEAF, LeafHead, Node, NodeHead, aligned, inner_cap, leaf_cap};
use crate::collections::btree_map::{BTreeMap, conversion};
use crate::collections::unit::UnitHead;
use crate::heap;
use crate::reflect::Pair;

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

/// Where things lie in a leaf.
struct LeafShape {
    keys_at: usize,
    values_at: usize,
    pair: Pair,
    layout: Layout,
}

impl LeafShape {
    fn of(pair: Pair, cap: usize) -> Self {
        let keys_at = aligned(size_of::<LeafHead>(), pair.key.align());
        let values_at = aligned(keys_at + cap * pair.key.size(), pair.value.align());
        let size = values_at + cap * pair.value.size();
        let layout = node_layout(size, pair.align());
        Self { keys_at, values_at, pair, layout }
    }

    /// # Safety
    /// `node` is a leaf of this shape with a slot `i`.
    unsafe fn key(&self, node: Node, i: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { node.cast::<u8>().add(self.keys_at + i * self.pair.key.size()) }
    }

    /// # Safety
    /// `node` is a leaf of this shape with a slot `i`.
    unsafe fn value(&self, node: Node, i: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { node.cast::<u8>().add(self.values_at + i * self.pair.value.size()) }
    }
}

/// Where things lie in an inner node.
struct InnerShape {
    cap: usize,
    counts_at: usize,
    keys_at: usize,
    layout: Layout,
}

impl InnerShape {
    fn of(pair: Pair) -> Self {
        let cap = inner_cap(pair.key.size());
        let counts_at = size_of::<NodeHead>() + 8 * cap;
        let keys_at = aligned(counts_at + 8 * cap, pair.key.align());
        let layout = node_layout(keys_at + cap * pair.key.size(), pair.key.align());
        Self { cap, counts_at, keys_at, layout }
    }
}

fn node_layout(size: usize, align: usize) -> Layout {
    let align = align.max(align_of::<LeafHead>());
    Layout::from_size_align(size, align).expect("capacity overflow").pad_to_align()
}

/// A node that is complete, for the level above it.
#[derive(Clone, Copy)]
struct Built {
    node: Node,
    entries: usize,
    first_key: *mut u8,
}

/// A tree that is being made of entries that come in order.
pub struct Builder {
    at: *mut u8,
    pair: Pair,
    len: usize,
    made: usize,
    cap: usize,
    /// Entries that each leaf gets; the first `larger` leaves get one more.
    per_leaf: usize,
    larger: usize,
    leaves: Vec<Built>,
}

/// Splits `count` into as few runs of at most `most` as there must be, evenly: the number of runs, the
/// length of each, and how many are longer by one.
const fn spread(count: usize, most: usize) -> (usize, usize, usize) {
    let runs = count.div_ceil(most);
    (runs, count / runs, count % runs)
}

/// Filled to seven eighths, so that the first inserts split nothing.
const fn roomy(cap: usize) -> usize {
    cap - cap / 8
}

impl Builder {
    /// A tree of `len` entries.
    ///
    /// # Safety
    /// `at` has room for a tree.
    pub unsafe fn new(at: *mut u8, pair: Pair, len: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<Header>().write(Header::new()) };
        let full = leaf_cap(pair.key.size(), pair.value.size(), pair.value.align());
        let mut new = Self {
            at,
            pair,
            len,
            made: 0,
            cap: full,
            per_leaf: len,
            larger: 0,
            leaves: Vec::new(),
        };
        if len > full {
            (_, new.per_leaf, new.larger) = spread(len, roomy(full));
        } else {
            let doubled = len.div_ceil(FIRST_LEAF).next_power_of_two() * FIRST_LEAF;
            new.cap = doubled.min(full);
        }
        new
    }

    /// Where the next key and its value go. To be called `len` times.
    pub fn next(&mut self) -> (*mut u8, *mut u8) {
        assert!(self.made < self.len, "a tree of so many entries");
        let due = |leaves: usize| self.per_leaf + usize::from(leaves <= self.larger);
        if self.leaves.last().is_none_or(|leaf| leaf.entries == due(self.leaves.len())) {
            self.open_leaf();
        }
        self.made += 1;
        let shape = LeafShape::of(self.pair, self.cap);
        let leaf = self.leaves.last_mut().expect("a leaf was opened");
        leaf.entries += 1;
        // SAFETY: a leaf has `cap` slots, and no more than that are due.
        unsafe {
            (*leaf.node).len = leaf.entries as u16;
            (shape.key(leaf.node, leaf.entries - 1), shape.value(leaf.node, leaf.entries - 1))
        }
    }

    fn open_leaf(&mut self) {
        let shape = LeafShape::of(self.pair, self.cap);
        let node = heap::alloc(shape.layout).cast::<LeafHead>().as_ptr();
        let prev = self.leaves.last().map_or(ptr::null_mut(), |leaf| leaf.node);
        let head = new_head(self.cap, 0);
        // SAFETY: fresh memory for a leaf; the one before is a leaf, too.
        unsafe {
            node.write(LeafHead { node: head, prev, next: ptr::null_mut() });
            if !prev.is_null() {
                (*prev.cast::<LeafHead>()).next = node.cast();
            }
            let first_key = shape.key(node.cast(), 0);
            self.leaves.push(Built { node: node.cast(), entries: 0, first_key });
        }
    }

    /// Completes the tree, all of whose entries are written.
    pub fn finish(self) {
        assert_eq!(self.made, self.len, "a tree of so many entries");
        let (mut level, mut height) = (self.leaves, 0);
        while level.len() > 1 {
            height += 1;
            let shape = InnerShape::of(self.pair);
            let most = if level.len() <= shape.cap { level.len() } else { roomy(shape.cap) };
            let (runs, length, larger) = spread(level.len(), most);
            let mut rest = &level[..];
            let mut above = Vec::with_capacity(runs);
            for run in 0..runs {
                let (below, more) = rest.split_at(length + usize::from(run < larger));
                // SAFETY: all these nodes are complete and of one height.
                above.push(unsafe { join(below, height, &shape, self.pair) });
                rest = more;
            }
            level = above;
        }
        // SAFETY: `new` wrote the header.
        unsafe {
            let header = &mut *self.at.cast::<Header>();
            header.root = level.first().map_or(ptr::null_mut(), |root| root.node);
            (header.len, header.height) = (self.len, height);
        }
    }
}

const fn new_head(cap: usize, height: u32) -> NodeHead {
    NodeHead { unit: UnitHead { layout: 0, epoch: 0 }, len: 0, cap: cap as u16, height }
}

/// An inner node over these.
///
/// # Safety
/// They are complete nodes of one height, no more than the shape has room for.
unsafe fn join(below: &[Built], height: u32, shape: &InnerShape, pair: Pair) -> Built {
    let node = heap::alloc(shape.layout).cast::<NodeHead>().as_ptr();
    // SAFETY: fresh memory for an inner node.
    unsafe {
        node.write(new_head(shape.cap, height));
        (*node).len = below.len() as u16;
        let bytes = node.cast::<u8>();
        for (i, child) in below.iter().enumerate() {
            children(node).add(i).write(child.node);
            bytes.add(shape.counts_at).cast::<u64>().add(i).write(child.entries as u64);
            let separator = bytes.add(shape.keys_at + i * pair.key.size());
            ptr::copy_nonoverlapping(child.first_key, separator, pair.key.size());
        }
    }
    let entries = below.iter().map(|child| child.entries).sum();
    Built { node, entries, first_key: below[0].first_key }
}
