//! Trees whose values change their shape after the swap, leaf by leaf: see
//! [`TreeConversion`]. As [`drains`](super::drains), which is for hash maps.
//!
//! A rest that an earlier swap set aside rejoins its entry as the leaf is converted that this is in: until
//! then nobody has seen the entry in the new shape, and if somebody removed it, the leaf was converted first.

use core::ptr::NonNull;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::change::Change;
use super::convert::{EntryMover, Known, Lost, Step};
use super::drains::{Finished, Held, Progress};
use super::plan::Pair;
use super::returns::{ByHash, OfMap, Part, take_parts};
use crate::collections::btree_map::conversion::TreeConversion;
use crate::collections::btree_map::{erased, kept};
use crate::snapshot;

thread_local! {
    static TREES: RefCell<Trees> = const { RefCell::new(Trees::new()) };
}

struct Trees {
    running: Vec<Tree>,
    /// What ended conversions left, until it is fetched.
    finished: Vec<(Arc<Change>, Finished)>,
    /// The layout id that the next one gives its leaves; never 0, which is that of a first version.
    next: u32,
}

/// A tree that is being converted.
struct Tree {
    at: NonNull<TreeConversion>,
    held: Rc<Held>,
    entries: EntryMover,
    /// Rests of entries, by what the tree's number makes of their keys.
    returning: ByHash,
    seed: [u64; 2],
    /// Rests that had no place in their entry.
    overtaken: Vec<Lost>,
    /// The slices have come to the entry of this rank.
    rank: usize,
}

impl Trees {
    const fn new() -> Self {
        Self { running: Vec::new(), finished: Vec::new(), next: 1 }
    }

    fn position(&self, at: *mut TreeConversion) -> Option<usize> {
        self.running.iter().position(|tree| tree.at.as_ptr() == at)
    }

    fn draw_number(&mut self) -> u32 {
        let number = self.next;
        self.next = number.checked_add(1).unwrap_or(1);
        number
    }

    fn finish(&mut self, position: usize) {
        let Tree { held, entries, returning, mut overtaken, .. } =
            self.running.swap_remove(position);
        // Their entries are gone.
        overtaken.extend(returning.into_values().flatten().map(|part| part.lost));
        let finished = Finished { lost: entries.lost, overtaken };
        self.finished.push((Arc::clone(&held.change), finished));
    }
}

impl Tree {
    fn is_of(&self, change: &Arc<Change>) -> bool {
        Arc::ptr_eq(&self.held.change, change)
    }

    fn is_complete(&self) -> bool {
        // SAFETY: the descriptor of a living tree, which nobody changes meanwhile.
        unsafe { self.at.as_ref() }.is_complete()
    }

    /// Converts one leaf, if it is in the old shape.
    ///
    /// # Safety
    /// `parent` is a lowest inner node of the tree and `at` one of its children; nobody refers to an
    /// entry of a leaf in the old shape.
    unsafe fn leaf(&mut self, parent: *mut u8, at: usize) {
        let Self { held, entries, returning, seed, overtaken, .. } = self;
        let (pairs, converter) = (entries.pairs(), &held.converter);
        // SAFETY: the caller's promise; nobody else refers to the descriptor now.
        unsafe {
            let number = self.at.as_ref().number;
            let done =
                erased::convert_leaf(parent.cast(), at, number, pairs, &mut |key, value, to| {
                    let mut parts = Vec::new();
                    if !returning.is_empty() {
                        let hash = entries.hash(converter, key, *seed);
                        let is_of = |part: &Part| entries.is_of(converter, part, key);
                        parts = take_parts(returning, hash, is_of);
                        entries.find_in_value(converter, &mut parts, value);
                    }
                    entries.convert_value(converter, key, value, to);
                    for part in parts {
                        if !entries.rejoin(converter, &part, to) {
                            overtaken.push(part.lost);
                        }
                    }
                });
            self.at.as_mut().left -= done as u64;
        }
    }

    /// Converts leaves in their order while `more` answers true.
    ///
    /// # Safety
    /// Nobody refers to an entry of a leaf in the old shape.
    unsafe fn advance(&mut self, more: &mut dyn FnMut() -> bool) {
        let pair = self.entries.pairs().1;
        while !self.is_complete() {
            // SAFETY: entries are left, so there are leaves in the old shape, below inner nodes.
            unsafe {
                let top = self.at.as_ref().top();
                let (parent, first_child, mut rank) = erased::parent_of_rank(top, pair, self.rank);
                for (at, entries) in
                    erased::counts(parent, pair).into_iter().enumerate().skip(first_child)
                {
                    self.leaf(parent.cast(), at);
                    rank += entries;
                    self.rank = rank;
                    if !more() {
                        return;
                    }
                }
                // Entries came and went meanwhile: once more from the front.
                if rank >= erased::counts(top.0, pair).iter().sum() {
                    self.rank = 0;
                }
            }
        }
    }
}

/// A layout id that no leaf has.
pub(crate) fn next_number() -> u32 {
    TREES.with_borrow_mut(Trees::draw_number)
}

/// Begins to convert the values of the tree at `from`, which gets its new header at `to`. O(1).
///
/// # Safety
/// `from` is a large, steady tree of the pair's old type, and `to` has room for a header. One of the
/// two headers is used from here on, and [`forget`] says that it is the old one.
pub(crate) unsafe fn begin(
    change: &Arc<Change>,
    pair: &Pair,
    path: Vec<Step>,
    from: *mut u8,
    to: *mut u8,
) -> NonNull<TreeConversion> {
    TREES.with_borrow_mut(|trees| {
        let mut same = trees.running.iter().map(|tree| &tree.held);
        let held = same.find(|held| Arc::ptr_eq(&held.change, change)).cloned();
        let held = held.unwrap_or_else(|| Held::new(change));
        let number = trees.draw_number();
        let maps = held.converter.maps(pair);
        // SAFETY: the caller's promise.
        let known = Known::ordered(unsafe { erased::number(from) });
        if change.plan.leaves_something(maps.value()) {
            known.name();
        }
        // SAFETY: as above; then the new header is there.
        let at = unsafe {
            let at = TreeConversion::begin(number, from, to);
            erased::set_number(to, known.number());
            at
        };
        let entries = EntryMover::new(maps, path, known);
        let (returning, seed, overtaken) = (ByHash::new(), [0; 2], Vec::new());
        trees.running.push(Tree { at, held, entries, returning, seed, overtaken, rank: 0 });
        at
    })
}

/// Gives the conversion of the tree at `at` the rests that return into it; answers them when there is none, or
/// they are another tree's. O(trees).
///
/// # Safety
/// `at` is a tree of the state.
pub(crate) unsafe fn hand_over(at: *mut u8, of: OfMap) -> Result<(), OfMap> {
    TREES.with_borrow_mut(|trees| {
        // SAFETY: the caller's promise.
        let (conversion, number) = unsafe { (erased::conversion(at), erased::number(at)) };
        let position = conversion.and_then(|at| trees.position(at.as_ptr()));
        match position.filter(|_| kept::seed(number) == of.seed) {
            None => Err(of),
            Some(position) => {
                let tree = &mut trees.running[position];
                (tree.returning, tree.seed) = (of.parts, of.seed);
                Ok(())
            }
        }
    })
}

/// Forgets what is still to return into the trees of a change. O(parts).
pub(super) fn forget_returning(change: &Arc<Change>) {
    TREES.with_borrow_mut(|trees| {
        let of = trees.running.iter_mut().filter(|tree| tree.is_of(change));
        of.for_each(|tree| tree.returning = ByHash::new());
    });
}

/// Takes [`begin`] back.
///
/// # Safety
/// No leaf was converted since; the new header is not used.
pub(crate) unsafe fn forget(at: NonNull<TreeConversion>) {
    TREES.with_borrow_mut(|trees| trees.running.retain(|tree| tree.at != at));
    // SAFETY: the caller's promise.
    unsafe { TreeConversion::undo(at) }
}

/// Converts leaves of the trees of a change while `more` answers true, which is asked after each. False
/// when nothing is left to do.
///
/// # Safety
/// As for [`drains::work`](super::drains::work).
pub unsafe fn work(change: &Arc<Change>, mut more: impl FnMut() -> bool) -> bool {
    TREES.with_borrow_mut(|trees| {
        while let Some(position) = trees.running.iter().position(|tree| tree.is_of(change)) {
            let tree = &mut trees.running[position];
            // SAFETY: the caller's promise.
            unsafe { tree.advance(&mut more) };
            if !tree.is_complete() {
                return true;
            }
            trees.finish(position);
            if !more() {
                break;
            }
        }
        trees.running.iter().any(|tree| tree.is_of(change))
    })
}

/// How far the trees of a change are. O(trees).
pub fn progress(change: &Arc<Change>) -> Progress {
    TREES.with_borrow(|trees| {
        let of = trees.running.iter().filter(|tree| tree.is_of(change));
        of.fold(Progress::default(), |sum, tree| Progress {
            maps: sum.maps + 1,
            // SAFETY: the descriptor of a living tree, which nobody changes meanwhile.
            entries: sum.entries + unsafe { tree.at.as_ref() }.left,
        })
    })
}

/// What conversions have left so far, by their change; each part is told once.
pub(super) fn found() -> Vec<(Arc<Change>, Finished)> {
    TREES.with_borrow_mut(|trees| {
        let mut all = core::mem::take(&mut trees.finished);
        for Tree { held, entries, overtaken, .. } in &mut trees.running {
            if !(entries.lost.is_empty() && overtaken.is_empty()) {
                let (lost, overtaken) =
                    (core::mem::take(&mut entries.lost), core::mem::take(overtaken));
                all.push((Arc::clone(&held.change), Finished { lost, overtaken }));
            }
        }
        all
    })
}

/// Whether something may be found that has not been told yet.
pub(super) fn any() -> bool {
    TREES.with_borrow(|trees| !(trees.running.is_empty() && trees.finished.is_empty()))
}

pub(super) unsafe extern "C" fn leaf(at: *mut TreeConversion, parent: *mut u8, child: usize) {
    // SAFETY: typed code passes its map's conversion and a lowest inner node of it.
    if unsafe { snapshot::leaf(at, parent, child) } {
        return;
    }
    TREES.with_borrow_mut(|trees| {
        let position = trees.position(at).expect("a tree with leaves in the old shape runs");
        // SAFETY: typed code passes its map's conversion and a lowest inner node of it.
        unsafe { trees.running[position].leaf(parent, child) };
    });
}

pub(super) unsafe extern "C" fn end_tree(at: *mut TreeConversion) {
    let converted = TREES.with_borrow_mut(|trees| {
        let Some(position) = trees.position(at) else { return false };
        // SAFETY: typed code passes its map's conversion, and borrows the map exclusively.
        unsafe { trees.running[position].advance(&mut || true) };
        trees.finish(position);
        true
    });
    // One that is complete may have been filed already. SAFETY: as above.
    unsafe {
        if !converted && !(*at).is_complete() {
            snapshot::end_tree(at);
        }
    }
}
