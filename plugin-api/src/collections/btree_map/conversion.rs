//! [`TreeConversion`]: a tree whose values change their shape, leaf by leaf, while it is used.
//!
//! The swap moves root and height into a descriptor, in O(1); nothing else changes. Each leaf says in
//! its unit head which shape it is in. Typed code asks the shell for a leaf in the old shape before it
//! looks into it: the shell makes a new leaf with the same keys and the same room, puts it into the old
//! one's place between its neighbours and below its parent, and frees the old one. The rest the shell
//! does in slices. Inner nodes, counts and separators stay as they are, for all entries stay.
//!
//! Only changes that every value survives are made like this: whatever may set an entry aside converts
//! the map whole.
//!
//! Invariant: a reference into a leaf that can still move is never handed out: leaves in the new shape
//! stay where they are until the map is borrowed exclusively.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::BTreeMap;
use super::node::{Inner, Leaf, Node};
use crate::heap;

/// A tree under conversion. Lives in state memory; holds no pointer into any image.
#[repr(C)]
#[derive(Debug)]
pub struct TreeConversion {
    pub(super) root: Node,
    pub(super) height: u32,
    /// The layout id of leaves in the new shape.
    pub(crate) number: u32,
    /// Entries in leaves of the old shape.
    pub(crate) left: u64,
}

/// The header, which is the same for all entries.
type Header = BTreeMap<u8, u8>;

impl TreeConversion {
    /// Makes the descriptor of the tree at `from`, and its new header at `to`. Nothing changes by it.
    ///
    /// # Safety
    /// `from` is a steady tree that is not empty; `to` has room for a header. One of the two is used
    /// from here on; if it is the old one, the descriptor goes by [`TreeConversion::undo`].
    pub(crate) unsafe fn begin(number: u32, from: *mut u8, to: *mut u8) -> NonNull<Self> {
        let at = heap::alloc(Layout::new::<Self>()).cast::<Self>();
        // SAFETY: the caller's promise; fresh memory of the descriptor's layout.
        unsafe {
            let old = &*from.cast::<Header>();
            let (root, height, left) = (old.root, old.height, old.len as u64);
            at.write(Self { root, height, number, left });
            let mut new = Header::new();
            (new.root, new.len, new.converting) = (at.as_ptr().cast(), old.len, 1);
            (new.layout, new.number) = (number, old.number);
            to.cast::<Header>().write(new);
        }
        at
    }

    /// Frees the descriptor of a conversion that did not begin after all.
    ///
    /// # Safety
    /// No leaf was converted, and the new header is not used.
    pub(crate) unsafe fn undo(at: NonNull<Self>) {
        // SAFETY: `begin` took it.
        unsafe { heap::free(at.cast(), Layout::new::<Self>()) };
    }

    /// Whether all entries are in the new shape.
    pub(crate) const fn is_complete(&self) -> bool {
        self.left == 0
    }

    /// Root and height.
    pub(crate) const fn top(&self) -> (Node, u32) {
        (self.root, self.height)
    }
}

/// Ends the conversion of the tree at `at`, if one is under way. O(entries that are left).
///
/// # Safety
/// `at` is a tree that nobody refers to.
pub(crate) unsafe fn settle(at: *mut u8) {
    // SAFETY: the caller's promise; what is done needs no types but the header's.
    unsafe { (*at.cast::<Header>()).end_conversion() };
}

impl<K, V> BTreeMap<K, V> {
    #[inline(always)]
    pub(super) const fn is_converting(&self) -> bool {
        self.converting != 0
    }

    fn conversion(&self) -> *mut TreeConversion {
        debug_assert!(self.is_converting());
        self.root.cast()
    }

    /// Root and height, wherever they are kept.
    #[inline(always)]
    pub(super) fn top(&self) -> (Node, u32) {
        if self.is_converting() {
            // SAFETY: the descriptor is this map's.
            return unsafe { (*self.conversion()).top() };
        }
        (self.root, self.height)
    }

    /// Sets root and height.
    #[inline(always)]
    pub(super) fn set_top(&mut self, root: Node, height: u32) {
        if self.is_converting() {
            // SAFETY: the descriptor is this map's, which is borrowed exclusively.
            unsafe { ((*self.conversion()).root, (*self.conversion()).height) = (root, height) };
        } else {
            (self.root, self.height) = (root, height);
        }
    }

    /// As [`BTreeMap::descend`], to a leaf in the new shape.
    #[cold]
    #[inline(never)]
    pub(super) fn descend_converting(
        &self,
        choose: &mut dyn FnMut(Inner<K>) -> usize,
    ) -> Leaf<K, V> {
        let (mut node, height) = self.top();
        for level in 0..height {
            // SAFETY: `height` levels of inner nodes lie above the leaves.
            let inner = unsafe { Inner::at(node) };
            let at = choose(inner);
            if level + 1 == height {
                self.settle_child(inner, at);
            }
            node = inner.child(at);
        }
        // SAFETY: below the inner nodes is a leaf. One without inner nodes above it came to be from
        // leaves that were looked at.
        unsafe { Leaf::at(node) }
    }

    /// Sees to it that a leaf below a lowest inner node is in the new shape.
    #[inline(always)]
    pub(super) fn settle_child(&self, parent: Inner<K>, at: usize) {
        // SAFETY: a child of a lowest inner node is a leaf.
        let leaf = unsafe { Leaf::<K, V>::at(parent.child(at)) };
        if self.is_converting() && leaf.unit().layout != self.layout {
            // SAFETY: the descriptor is this map's. Nobody refers to an entry of a leaf in the old
            // shape, and what changes under `&self` is in nodes, to which no reference is handed out.
            unsafe { (heap::conversions().leaf)(self.conversion(), parent.0.cast(), at) };
        }
    }

    /// Ends a conversion that is complete.
    #[inline(always)]
    pub(super) fn end_if_done(&mut self) {
        // SAFETY: the descriptor is this map's.
        if self.is_converting() && unsafe { (*self.conversion()).is_complete() } {
            self.end_conversion();
        }
    }

    /// Ends a conversion that is under way. O(entries that are left).
    pub(super) fn end_conversion(&mut self) {
        if !self.is_converting() {
            return;
        }
        let at = self.conversion();
        // SAFETY: the descriptor is this map's, which is borrowed exclusively; the shell forgets it.
        unsafe {
            (heap::conversions().end_tree)(at);
            (self.root, self.height) = (*at).top();
            self.converting = 0;
            TreeConversion::undo(NonNull::new_unchecked(at));
        }
    }
}
