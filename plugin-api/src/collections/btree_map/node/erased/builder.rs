//! [`Builder`]: a tree that is made of entries that come in order.

use core::ptr;

use super::super::{FIRST_LEAF, LeafHead, Node, NodeHead, leaf_cap};
use super::shape::{InnerShape, LeafShape};
use super::{Header, children};
use crate::collections::unit::UnitHead;
use crate::heap;
use crate::reflect::Pair;

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
    /// A tree of `len` entries, which the shell knows by this number; 0: it does not.
    ///
    /// # Safety
    /// `at` has room for a tree.
    pub unsafe fn new(at: *mut u8, pair: Pair, len: usize, number: u32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<Header>().write(Header::numbered(number)) };
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
