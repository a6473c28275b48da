//! Where things lie in nodes whose types are known by their layouts only.

use core::alloc::Layout;

use super::super::{LeafHead, Node, NodeHead, aligned, inner_cap};
use crate::reflect::Pair;

/// Where things lie in a leaf.
pub(super) struct LeafShape {
    pub keys_at: usize,
    pub values_at: usize,
    pub pair: Pair,
    pub layout: Layout,
}

impl LeafShape {
    pub fn of(pair: Pair, cap: usize) -> Self {
        let keys_at = aligned(size_of::<LeafHead>(), pair.key.align());
        let values_at = aligned(keys_at + cap * pair.key.size(), pair.value.align());
        let size = values_at + cap * pair.value.size();
        let layout = node_layout(size, pair.align());
        Self { keys_at, values_at, pair, layout }
    }

    /// # Safety
    /// `node` is a leaf of this shape with a slot `i`.
    pub unsafe fn key(&self, node: Node, i: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { node.cast::<u8>().add(self.keys_at + i * self.pair.key.size()) }
    }

    /// # Safety
    /// `node` is a leaf of this shape with a slot `i`.
    pub unsafe fn value(&self, node: Node, i: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { node.cast::<u8>().add(self.values_at + i * self.pair.value.size()) }
    }
}

/// Where things lie in an inner node.
pub(super) struct InnerShape {
    pub cap: usize,
    pub counts_at: usize,
    pub keys_at: usize,
    pub layout: Layout,
}

impl InnerShape {
    pub fn of(pair: Pair) -> Self {
        let cap = inner_cap(pair.key.size());
        let counts_at = size_of::<NodeHead>() + 8 * cap;
        let keys_at = aligned(counts_at + 8 * cap, pair.key.align());
        let layout = node_layout(keys_at + cap * pair.key.size(), pair.key.align());
        Self { cap, counts_at, keys_at, layout }
    }

    /// Separator `i`.
    ///
    /// # Safety
    /// `node` is an inner node of this shape with such a child; `pair` is the entries'.
    pub unsafe fn key(&self, node: Node, i: usize, pair: Pair) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { node.cast::<u8>().add(self.keys_at + i * pair.key.size()) }
    }
}

fn node_layout(size: usize, align: usize) -> Layout {
    let align = align.max(align_of::<LeafHead>());
    Layout::from_size_align(size, align).expect("capacity overflow").pad_to_align()
}
