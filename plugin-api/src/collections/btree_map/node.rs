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

use crate::collections::unit::UnitHead;

pub(crate) mod erased;
mod inner;
mod leaf;

pub(super) use inner::Inner;
pub(super) use leaf::Leaf;

/// Bytes of a node, roughly: entries of more than 250 bytes, and keys of more than 70, make larger ones.
const NODE_BYTES: usize = 1024;
/// Entries of the smallest leaf of a small map.
const FIRST_LEAF: usize = 4;

/// The first bytes of each node.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct NodeHead {
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
pub(crate) type Node = *mut NodeHead;

const fn at_least(n: usize, min: usize) -> usize {
    if n < min { min } else { n }
}

const fn at_most(n: usize, max: usize) -> usize {
    if n > max { max } else { n }
}

const fn aligned(n: usize, align: usize) -> usize {
    n.next_multiple_of(align)
}

/// Entries of a full-size leaf: 4 to 128.
const fn leaf_cap(key_size: usize, value_size: usize, value_align: usize) -> usize {
    let entry = at_least(key_size + value_size, 1);
    let room = NODE_BYTES - size_of::<LeafHead>() - at_most(value_align - 1, 15);
    at_most(at_least(room / entry, FIRST_LEAF), 128)
}

/// Children of an inner node: 12 to 64.
const fn inner_cap(key_size: usize) -> usize {
    let room = NODE_BYTES - size_of::<NodeHead>();
    at_most(at_least(room / (16 + key_size), 12), 64)
}
