//! The drains of a thread: maps whose entries change their shape after the swap, in slices.
//!
//! A [`Conversion`] is in the state and holds data only. What it takes to follow the plan is here, in
//! the shell's memory, until the map's last entry has been converted: the change with its functions,
//! the way to the map, and what had no place. Typed code reaches it through [`table`].
//!
//! Invariant: a change stays here while a drain needs it, so an image whose functions it calls must
//! stay mapped until [`progress`] answers that no map is left.

mod calls;
mod entries;
mod returning;
mod turn;

use core::ptr::NonNull;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::change::Change;
use super::convert::{Converter, EntryMover, Known, Lost, Step};
use super::marks;
use super::plan::Pair;
use super::returns::{ByHash, OfMap};
use super::trees;
use crate::collections::hash_map::conversion::{self, Conversion, STEP_SLOTS};
use crate::collections::hash_map::{copying, erased};
use crate::schema::TypeIndex;

use entries::Entries;

pub use calls::table;
pub use turn::may_turn;
pub(crate) use turn::{turn_back, turned, turns};

/// Entries from which a map converts later. Smaller ones are done in less than the swap's aim.
pub const LAZY_FROM: usize = 1024;
/// Parts that waited in a drain which was turned back are set aside so many at a time.
const UNPARK_MOST: usize = 32;

thread_local! {
    static DRAINS: RefCell<Drains> = const { RefCell::new(Drains::new()) };
}

struct Drains {
    running: VecDeque<Drain>,
    /// What ended drains left, until it is fetched.
    finished: Vec<(Arc<Change>, Finished)>,
    /// What was still to return into drains that were turned back: told by and by.
    parked: Vec<(Arc<Change>, ByHash)>,
    /// The number that the next one gets.
    next: u64,
}

/// A map that is being converted.
struct Drain {
    at: NonNull<Conversion>,
    held: Rc<Held>,
    entries: EntryMover,
    seed: [u64; 2],
    returning: ByHash,
    /// What was to return and found something newer in its place.
    overtaken: Vec<Lost>,
    /// The conversion that this one is the way back of, until it takes its place.
    turns: Option<NonNull<Conversion>>,
}

/// What a drain leaves.
#[derive(Debug, Default)]
pub struct Finished {
    /// Parts that had no place in the new shape.
    pub lost: Vec<Lost>,
    /// Parts that were to come back, and whose key lives or is gone. Whoever asks tells of them.
    pub overtaken: Vec<Lost>,
}

/// A change and its converter, which borrows from it.
pub(crate) struct Held {
    /// Before the change: dropped first.
    pub(crate) converter: Converter<'static>,
    pub(crate) change: Arc<Change>,
}

/// How far drains are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Maps that are not done.
    pub maps: usize,
    /// Entries that are still in their old shape.
    pub entries: u64,
}

impl Drains {
    const fn new() -> Self {
        Self { running: VecDeque::new(), finished: Vec::new(), parked: Vec::new(), next: 1 }
    }

    /// The record of a change, which all its drains share.
    fn held(&self, change: &Arc<Change>) -> Rc<Held> {
        let mut same = self.running.iter().map(|drain| &drain.held);
        let held = same.find(|held| Arc::ptr_eq(&held.change, change)).cloned();
        held.unwrap_or_else(|| Held::new(change))
    }

    fn drain_of(&mut self, at: NonNull<Conversion>) -> &mut Drain {
        let found = self.running.iter_mut().find(|drain| drain.at == at);
        found.expect("a conversion that is not complete has its drain on the engine's thread")
    }

    /// Some of what is parked.
    fn unpark(&mut self) -> Option<(Arc<Change>, Finished)> {
        let (back, parts) = self.parked.last_mut()?;
        let mut lost = Vec::new();
        while lost.len() < UNPARK_MOST
            && let Some((_, of)) = parts.pop_first()
        {
            lost.extend(of.into_iter().map(|part| part.lost));
        }
        let found = (Arc::clone(back), Finished { lost, overtaken: Vec::new() });
        if parts.is_empty() {
            self.parked.pop();
        }
        Some(found)
    }

    /// Files what a complete drain leaves.
    fn finish(&mut self, at: NonNull<Conversion>) {
        if let Some(i) = self.running.iter().position(|drain| drain.at == at) {
            let drain = self.running.remove(i).expect("just found");
            let finished = Finished { lost: drain.entries.lost, overtaken: drain.overtaken };
            self.finished.push((Arc::clone(&drain.held.change), finished));
        }
    }
}

impl Drain {
    fn is_of(&self, change: &Arc<Change>) -> bool {
        Arc::ptr_eq(&self.held.change, change)
    }

    /// Empties about so many slots. `exclusive`: also the extras.
    ///
    /// # Safety
    /// The conversion's map lives; `exclusive`: nobody holds a reference to an entry of it.
    unsafe fn advance(&mut self, slots: u64, exclusive: bool) {
        let at = self.at.as_ptr();
        let mut left = slots;
        while left > 0 {
            // SAFETY: the caller's promise; nobody else refers to the descriptor during the step.
            let more = unsafe {
                (*at).step(&mut Entries(self)) || exclusive && (*at).merge(&mut Entries(self))
            };
            if !more {
                // SAFETY: as above. The sources are empty: what is left comes back now.
                unsafe { self.bring_back(&mut *at, 0, None) };
                break;
            }
            left = left.saturating_sub(if slots == u64::MAX { 0 } else { STEP_SLOTS });
        }
    }
}

/// Begins to convert the entries of the map at `from`, which gets its new header at `to`; if a conversion is
/// under way, it is turned back. O(1).
///
/// # Safety
/// `from` is a map of the pair's old type, without a conversion or with one that [turns]; `to` has room for
/// a header. One of the two headers is used from here on, and [`forget`] says that it is the old one.
pub(crate) unsafe fn begin(
    change: &Arc<Change>,
    pair: &Pair,
    plan: conversion::Plan,
    path: Vec<Step>,
    (from, to): (*mut u8, *mut u8),
) -> NonNull<Conversion> {
    DRAINS.with_borrow_mut(|drains| {
        let held = drains.held(change);
        let id = drains.next;
        drains.next += 1;
        // SAFETY: the caller's promise.
        let (at, seed, turns) = unsafe {
            let turns = erased::conversion(from);
            let plan = conversion::Plan { id, ..plan };
            (Conversion::begin(plan, (from, to)), erased::seed(from), turns)
        };
        let entries = EntryMover::new(held.converter.maps(pair), path, Known::Hashed(seed));
        let (returning, overtaken) = (ByHash::new(), Vec::new());
        drains.running.push_back(Drain { at, held, entries, seed, returning, overtaken, turns });
        at
    })
}

/// Whether a conversion is one of a change, not of a snapshot.
pub(crate) fn is_running(at: NonNull<Conversion>) -> bool {
    DRAINS.with_borrow(|drains| drains.running.iter().any(|drain| drain.at == at))
}

/// Gives a part to the drain of the map that it was lost from, which puts it back by its key: the step
/// number `depth` of its path. There is room for it: [`begin`] was told. O(log parts).
///
/// # Safety
/// `at` is the conversion of a living map with a running drain. The part was lost from the new schema.
pub(crate) unsafe fn hand_over(at: NonNull<Conversion>, lost: Lost, depth: usize) {
    DRAINS.with_borrow_mut(|drains| {
        // SAFETY: the caller's promise; nobody else refers to the descriptor.
        unsafe { drains.drain_of(at).expect(&mut *at.as_ptr(), lost, depth) }
    });
}

/// Gives the drain of a map all that returns into it, for which the conversion has room. O(1).
///
/// # Safety
/// As for [`hand_over`].
pub(crate) unsafe fn hand_over_all(at: NonNull<Conversion>, of: OfMap) {
    DRAINS.with_borrow_mut(|drains| {
        // SAFETY: the caller's promise; nobody else refers to the descriptor.
        unsafe { drains.drain_of(at).expect_all(&mut *at.as_ptr(), of) }
    });
}

/// Gives the map at `at`, which needs no conversion, a drain for entries that return. `None` when the plan
/// knows no such map. O(1), unless it is still being converted.
///
/// # Safety
/// `at` is a map of this type in the new version's state, and nobody refers to an entry of it.
pub(crate) unsafe fn await_returns(
    change: &Arc<Change>,
    ty: TypeIndex,
    at: *mut u8,
    entries: usize,
) -> Option<NonNull<Conversion>> {
    let (held, id) = DRAINS.with_borrow_mut(|drains| {
        drains.next += 1;
        (drains.held(change), drains.next - 1)
    });
    // SAFETY: the caller's promise.
    let seed = unsafe { erased::seed(at) };
    let mover = EntryMover::of_kept(&held.converter, ty, Known::Hashed(seed))?;
    // SAFETY: the caller's promise. Ending an earlier conversion calls back into here.
    let at = unsafe { copying::await_returns(at, mover.pairs().1, id, entries) };
    DRAINS.with_borrow_mut(|drains| {
        let (returning, overtaken, turns) = (ByHash::new(), Vec::new(), None);
        let drain = Drain { at, held, entries: mover, seed, returning, overtaken, turns };
        drains.running.push_back(drain);
    });
    Some(at)
}

/// Takes [`begin`] back.
///
/// # Safety
/// Nothing was moved since; the new header is not used.
pub(crate) unsafe fn forget(at: NonNull<Conversion>) {
    DRAINS.with_borrow_mut(|drains| drains.running.retain(|drain| drain.at != at));
    // SAFETY: the caller's promise.
    unsafe { Conversion::undo(at) }
}

impl Held {
    pub(crate) fn new(change: &Arc<Change>) -> Rc<Self> {
        let change = Arc::clone(change);
        // SAFETY: the converter borrows from the change, which the `Arc` beside it keeps in its place;
        // it is dropped before that, and lent for the life of `Held` only.
        let converter = unsafe {
            core::mem::transmute::<Converter<'_>, Converter<'static>>(change.converter())
        };
        Rc::new(Self { converter, change })
    }
}

/// Drains what a change began, for a while: goes on while `more` answers true, which is asked about
/// every few microseconds. False when nothing is left to do.
///
/// # Safety
/// Called between two calls of the plugin, on the thread that owns the state: nobody holds a reference
/// to an entry.
pub unsafe fn work(change: &Arc<Change>, mut more: impl FnMut() -> bool) -> bool {
    DRAINS.with_borrow_mut(|drains| {
        while let Some(drain) = drains.running.iter_mut().find(|drain| drain.is_of(change)) {
            let at = drain.at;
            // SAFETY: the caller's promise; a map that goes ends its conversion first.
            let done = unsafe {
                drain.advance(STEP_SLOTS, true);
                at.as_ref().is_complete()
            };
            if done {
                drains.finish(at);
            }
            if !more() {
                break;
            }
        }
        !drains.parked.is_empty() || drains.running.iter().any(|drain| drain.is_of(change))
    })
}

/// Whether [`left`] has more to tell than it tells at once.
pub fn has_parked() -> bool {
    DRAINS.with_borrow(|drains| !drains.parked.is_empty())
}

/// How far the drains of a change are. O(maps).
pub fn progress(change: &Arc<Change>) -> Progress {
    DRAINS.with_borrow(|drains| {
        let of = drains.running.iter().filter(|drain| drain.is_of(change));
        of.fold(Progress::default(), |sum, drain| Progress {
            maps: sum.maps + 1,
            // SAFETY: the conversion of a living map, which nobody changes meanwhile.
            entries: sum.entries + unsafe { (*drain.at.as_ptr()).left },
        })
    })
}

/// What drains, and conversions of trees, have left so far, by their change; each part is told once. What was
/// below an entry that has been removed since is not.
pub fn left() -> Vec<(Arc<Change>, Finished)> {
    let late = marks::late();
    let mut left = found();
    left.extend(trees::found());
    if !late.is_empty() {
        left.iter_mut().for_each(|(_, left)| left.lost.retain(|part| !late.has(part)));
    }
    left
}

fn found() -> Vec<(Arc<Change>, Finished)> {
    DRAINS.with_borrow_mut(|drains| {
        let mut all = core::mem::take(&mut drains.finished);
        all.extend(drains.unpark());
        for Drain { held, entries, overtaken, .. } in &mut drains.running {
            if !(entries.lost.is_empty() && overtaken.is_empty()) {
                let (lost, overtaken) =
                    (core::mem::take(&mut entries.lost), core::mem::take(overtaken));
                all.push((Arc::clone(&held.change), Finished { lost, overtaken }));
            }
        }
        all
    })
}

/// Forgets what is still to return into the maps and trees of a change: somebody cleared them. O(parts).
pub fn forget_returning(change: &Arc<Change>) {
    trees::forget_returning(change);
    DRAINS.with_borrow_mut(|drains| {
        for drain in drains.running.iter_mut().filter(|drain| drain.is_of(change)) {
            drain.returning = ByHash::new();
            // SAFETY: the conversion of a living map, which nobody changes meanwhile.
            unsafe { drain.at.as_mut() }.forgo_all();
        }
    });
}
