//! What follows an outline: [`Follow`] one map or tree, [`Pen`] what writes their entries.

use core::ptr::{self, NonNull};
use std::sync::Arc;

use crate::collections::btree_map::{self, conversion::TreeConversion};
use crate::collections::hash_map::conversion::{Conversion, Mover};
use crate::collections::hash_map::watch::Watch;
use crate::collections::hash_map::{copying, erased};
use crate::migrate::trees;
use crate::reflect::{Left, Pair, Reflect, Sink};
use crate::schema::{Kind, Schema, TypeIndex};

/// Maps with fewer entries are written at once.
const LATER_FROM: usize = 1024;
/// Unless they are hash maps outside of any entry, with more bytes than these.
const AT_ONCE_BYTES: usize = 64 << 10;

/// How the entries of a map are come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Way {
    /// It stays where it is.
    Watched(NonNull<Watch>),
    /// It moves to another table.
    Moving(NonNull<Conversion>),
    /// It is a tree: each leaf that is written says so.
    Leaves(NonNull<TreeConversion>),
}

/// A map that follows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Follow {
    pub(super) way: Way,
    number: usize,
    ty: TypeIndex,
    key: TypeIndex,
    pair: Pair,
    seed: [u64; 2],
    /// In a tree: the slices have come to the entry of this rank.
    rank: usize,
}

/// What writes entries.
pub(super) struct Pen {
    /// Before the schema: dropped first.
    reflect: Reflect<'static>,
    _schema: Arc<Schema>,
    pub(super) out: Vec<u8>,
    pub(super) entries: u64,
    /// The number that the next map gets.
    next: usize,
    /// Maps that were come upon within entries.
    pub(super) begun: Vec<Follow>,
    /// Nobody wants the image any more: maps move on, unwritten.
    pub(super) dry: bool,
}

impl Follow {
    /// Begins to watch a map, or to move it.
    ///
    /// # Safety
    /// Nobody refers to the map; whoever calls answers for what is begun.
    unsafe fn begin(reflect: &Reflect<'_>, left: Left, number: usize) -> Self {
        let def = reflect.def(left.ty);
        let (pair, mut seed) = (reflect.pair(def), [0; 2]);
        // SAFETY: the caller's promise.
        let way = unsafe {
            if def.kind == Kind::BTreeMap {
                btree_map::conversion::settle(left.at);
                Way::Leaves(TreeConversion::begin(trees::next_number(), left.at, left.at))
            } else {
                seed = erased::seed(left.at);
                Watch::begin(left.at, pair).map_or_else(
                    || Way::Moving(copying::begin(left.at, pair, number as u64)),
                    Way::Watched,
                )
            }
        };
        Self { way, number, ty: left.ty, key: def.args[0], pair, seed, rank: 0 }
    }

    /// # Safety
    /// The map lives, and nobody refers to it.
    pub(super) unsafe fn is_complete(&self) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            match self.way {
                Way::Watched(watch) => watch.as_ref().is_complete(),
                Way::Moving(conversion) => conversion.as_ref().is_complete(),
                Way::Leaves(conversion) => conversion.as_ref().is_complete(),
            }
        }
    }

    /// Writes a leaf, unless it is written.
    ///
    /// # Safety
    /// `parent` is a lowest inner node of this tree, `child` one of its leaves.
    pub(super) unsafe fn write_leaf(
        &self,
        tree: &mut TreeConversion,
        parent: *mut u8,
        child: usize,
        pen: &mut Pen,
    ) {
        let mut write = |key, value| {
            // SAFETY: an entry of a leaf.
            unsafe { pen.write(self.number, self.ty, key, value) };
        };
        // SAFETY: the caller's promise.
        let written = unsafe {
            let (parent, number) = (parent.cast(), tree.number);
            btree_map::erased::mark_leaf(parent, child, number, self.pair, &mut write)
        };
        tree.left -= written as u64;
    }

    /// Writes the next leaf that is not written. False when that was all.
    ///
    /// # Safety
    /// The tree lives, and nobody refers to an entry of a leaf that is not written.
    pub(super) unsafe fn step_leaf(&mut self, tree: &mut TreeConversion, pen: &mut Pen) -> bool {
        if tree.is_complete() {
            return false;
        }
        // SAFETY: entries are left, so there are leaves that are not written, below inner nodes.
        unsafe {
            let top = tree.top();
            let (parent, child, first) =
                btree_map::erased::parent_of_rank(top, self.pair, self.rank);
            let counts = btree_map::erased::counts(parent, self.pair);
            self.write_leaf(tree, parent.cast(), child, pen);
            self.rank = first + counts[child];
            // Entries came and went meanwhile: once more from the front.
            if self.rank >= btree_map::erased::counts(top.0, self.pair).iter().sum() {
                self.rank = 0;
            }
        }
        !tree.is_complete()
    }
}

impl Pen {
    /// One that has given out the numbers below `next`.
    pub(super) fn new(reflect: Reflect<'static>, schema: Arc<Schema>, next: usize) -> Self {
        let (out, begun, entries) = (Vec::new(), Vec::new(), 0);
        Self { reflect, _schema: schema, out, entries, next, begun, dry: false }
    }

    /// Begins with a map whose entries the outline leaves out; writes a small one at once.
    ///
    /// # Safety
    /// Nobody refers to the map; whoever calls answers for what is begun.
    pub(super) unsafe fn begin(&mut self, number: usize, left: Left) {
        // SAFETY: the caller's promise.
        unsafe {
            if follows(&self.reflect, left) || is_heavy(&self.reflect, left) {
                let begun = Follow::begin(&self.reflect, left, number);
                return self.begun.push(begun);
            }
            let def = self.reflect.def(left.ty);
            let pair = self.reflect.pair(def);
            let mut write = |key, value| self.write(number, left.ty, key, value);
            match def.kind {
                Kind::BTreeMap => btree_map::erased::each(left.at, pair, &mut write),
                _ => erased::each(left.at, pair, &mut write),
            }
        }
    }

    /// Writes an entry in a slot of a hash map. As [`Pen::write`].
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn write_slot(&mut self, map: &Follow, slot: *mut u8) {
        // SAFETY: the caller's promise; a slot is a key and a value.
        unsafe { self.write(map.number, map.ty, slot, slot.add(map.pair.value_at())) };
    }

    /// Writes an entry. Large maps in it begin to be watched, before anybody can change them.
    ///
    /// # Safety
    /// Key and value are of an entry of the map with this number and type, to which nobody refers.
    unsafe fn write(&mut self, number: usize, ty: TypeIndex, key: *mut u8, value: *mut u8) {
        if self.dry {
            return;
        }
        let Self { reflect, out, next, begun, .. } = self;
        let mut leave = |left: Left| {
            // SAFETY: the caller's promise.
            unsafe {
                if !follows(reflect, left) {
                    return false;
                }
                begun.push(Follow::begin(reflect, left, *next));
            }
            *next += 1;
            true
        };
        // SAFETY: the caller's promise.
        unsafe { reflect.write_entry(number, (ty, key, value), out, &mut leave) };
        self.entries += 1;
    }
}

/// Has the heap get ready what the watch of a map takes.
///
/// # Safety
/// It is a map.
pub(super) unsafe fn announce(reflect: &Reflect<'_>, left: Left) {
    // SAFETY: the caller's promise.
    unsafe {
        let is_tree = reflect.def(left.ty).kind == Kind::BTreeMap;
        if !is_tree && (follows(reflect, left) || is_heavy(reflect, left)) {
            Watch::announce(left.at);
        }
    }
}

/// Whether a hash map has more than [`AT_ONCE_BYTES`] that would be written with its entries. O(parts of
/// the entries up to there), and reads no text.
///
/// # Safety
/// It is a map.
unsafe fn is_heavy(reflect: &Reflect<'_>, left: Left) -> bool {
    let def = reflect.def(left.ty);
    if def.kind == Kind::BTreeMap {
        return false;
    }
    let mut weight = Weight(0);
    // SAFETY: the caller's promise.
    unsafe {
        let mut weigh = |key, value| {
            if weight.0 <= AT_ONCE_BYTES {
                let mut leave = |left| follows(reflect, left);
                reflect.write_entry(0, (left.ty, key, value), &mut weight, &mut leave);
            }
        };
        erased::each(left.at, reflect.pair(def), &mut weigh);
    }
    weight.0 > AT_ONCE_BYTES
}

/// Counts what it is given.
struct Weight(usize);

impl Sink for Weight {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Whether a map is large enough to follow.
///
/// # Safety
/// It is a map.
unsafe fn follows(reflect: &Reflect<'_>, left: Left) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        match reflect.def(left.ty).kind {
            Kind::BTreeMap => btree_map::erased::len(left.at) >= LATER_FROM,
            _ => erased::len(left.at) >= LATER_FROM,
        }
    }
}

/// Moves the entries of a map to another table, and writes them.
pub(super) struct Entries<'p>(pub(super) &'p mut Pen, pub(super) Follow);

impl Mover for Entries<'_> {
    fn hash(&self, slot: *mut u8) -> u64 {
        // SAFETY: the conversion passes its own slots.
        unsafe { self.0.reflect.hash_of(self.1.key, slot, self.1.seed) }
    }

    fn convert(
        &mut self,
        _: &mut Conversion,
        _: u64,
        (from, to): (*mut u8, *mut u8),
        _: bool,
    ) -> bool {
        let Self(pen, map) = self;
        // SAFETY: as above; the new slot is vacant, the old one is given up.
        unsafe {
            pen.write_slot(map, from);
            ptr::copy_nonoverlapping(from, to, map.pair.size());
        }
        true
    }

    fn bring_back(&mut self, _: &mut Conversion, _: u64, _: Option<u64>) {}
}
