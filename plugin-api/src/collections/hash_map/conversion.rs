//! [`Conversion`]: a map whose entries change their shape, entry by entry, while it is used.
//!
//! The swap that changes the shape of a map's values moves its tables into a descriptor, in O(1). From
//! then on the entries are in up to four places, which are disjoint:
//!
//! - the *sources*: the tables as the swap found them, each for a range of hashes, emptied front to back;
//! - the *target*, in the new shape, which has room for all: entries whose hash is below `boundary`;
//! - the *extras*, in the new shape: entries that were touched or put in before the boundary reached
//!   them. So a touch converts one entry, and pages of the target are used front to back: both tables
//!   together never take much more than the larger one;
//! - the *strays*: the extras of a conversion that was turned back before its end.
//!
//! Sources and target are in hash order, so one number says how far the drain has come. The shell
//! drains, in slices between two calls; it knows hash and layout by the schema. Typed code finds
//! entries, and asks the shell to convert the one it is about to hand out.
//!
//! Where an entry that survives keeps its bytes, the target *is* the first source: its entries stay, each
//! is looked at once, and what has no place leaves. Where a source holds entries that are in the new shape
//! already, since an earlier swap did not come to them, these move as they are.
//!
//! Invariant: a reference into a unit that can still move is never handed out. References lead into
//! target and extras only. Under `&self` both only gain entries: neither grows, nothing in them moves.
//! Extras are merged into the target under `&mut self` only, or by the shell between two calls.

mod begin;
mod returns;
mod slots;
mod steps;
mod table;

use core::ptr::{self, NonNull};

pub(crate) use begin::Plan;
pub(crate) use returns::Home;
pub use table::ConversionTable;

use super::group::{Group, Tags, WIDTH};
use super::raw::Raw;
use super::table::Table;
use crate::heap::{self, Usage};
use core::alloc::Layout;

/// Groups of a source that one step empties, up to the next clean cut: some microseconds' work.
const STEP_GROUPS: usize = 2;
/// Slots of these groups.
pub(crate) const STEP_SLOTS: u64 = (STEP_GROUPS * WIDTH) as u64;
/// Emptied slots are given back to the heap in runs of this many bytes.
const DISCARD_BYTES: usize = 2 << 20;
/// Memory of the target is asked for so many bytes ahead, and again when half of it is filled.
const AHEAD_BYTES: usize = 4 << 20;
/// Set in the header's pointer when it leads to a conversion.
const TAG: usize = 1;
/// Sources at most: a map that was growing has two, and turning back takes one more.
pub(super) const SOURCES: usize = 4;
/// The number of the strays among the sources.
pub(super) const STRAYS: usize = SOURCES;

/// A map under conversion. Lives in state memory; holds no pointer into any image.
#[repr(C)]
#[derive(Debug)]
pub struct Conversion {
    /// What the shell knows it by.
    pub(crate) id: u64,
    /// Entries, wherever they are.
    pub(super) len: u64,
    /// Entries that were not looked at, about.
    pub(crate) left: u64,
    /// Entries that can be added before the target has no room for all.
    pub(super) room: u64,
    /// Hashes below live in the target, unless they are among the extras.
    pub(super) boundary: u64,
    /// Groups of the current source whose pages were given back.
    discarded: u64,
    /// Groups of the target for which memory was asked ahead.
    expected: u64,
    /// Groups of the first extra that were merged.
    merged: u64,
    /// Slots paid for and not yet moved.
    pub(super) credit: u64,
    /// Parts that an earlier swap set aside and that are to come back: the shell has them, by hash.
    pub(crate) returning: u64,
    /// How many of these are whole entries, which count already.
    pub(crate) returning_entries: u64,
    /// The source that is being emptied; equal to `count` when all are.
    current: u32,
    /// How many sources there were.
    count: u32,
    /// Alignment of slots in target and extras.
    new_align: u32,
    /// 1 when the target was the map's table before.
    in_place: u32,
    /// See the module.
    pub(super) target: Table,
    /// See the module: small, as large as the target, with a tail that holds everything.
    pub(super) extras: [Table; 3],
    /// See the module; the last one is the strays.
    pub(super) sources: [Source; SOURCES + 1],
}

/// A table that is being emptied.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub(super) table: Table,
    /// The lowest hash in it. It goes as far as the next source begins.
    from: u64,
    /// Groups before are empty.
    pub(super) at: u64,
    /// Alignment of its slots.
    align: u32,
    /// 1 when its entries are in the new shape.
    keeps: u32,
}

impl Source {
    const NONE: Self = Self { table: Table::NONE, from: 0, at: 0, align: 1, keeps: 0 };
}

/// What only the shell knows of a map's entries.
pub(crate) trait Mover {
    /// The hash of the key at the start of a slot.
    fn hash(&self, slot: *mut u8) -> u64;
    /// Makes the new slot of the old one, which may be the same place. False when the entry has no
    /// place: it was set aside. What waited for the entry's return is part of it again. `keeps`: it is
    /// in the new shape already.
    fn convert(
        &mut self,
        conversion: &mut Conversion,
        hash: u64,
        slots: (*mut u8, *mut u8),
        keeps: bool,
    ) -> bool;
    /// Puts back what is to return and has a hash in `from..to`, which no source holds any more.
    fn bring_back(&mut self, conversion: &mut Conversion, from: u64, to: Option<u64>);
}

/// A slot that an entry may take, or took.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its control byte; null for none.
    pub ctrl: *mut u8,
    /// The slot.
    pub slot: *mut u8,
}

impl Raw {
    /// The conversion that is under way.
    #[inline]
    pub(super) fn conversion(&self) -> Option<NonNull<Conversion>> {
        let at = self.rehash.cast::<u8>();
        (at.addr() & TAG != 0).then(|| {
            let at = at.wrapping_sub(TAG).cast();
            // SAFETY: a tagged pointer is one behind the start of a descriptor.
            unsafe { NonNull::new_unchecked(at) }
        })
    }

    /// Ends a conversion that is complete: its target becomes the map's table.
    ///
    /// # Safety
    /// `conversion` is this map's, complete, and nobody else looks at it.
    pub(super) unsafe fn absorb(&mut self, conversion: NonNull<Conversion>) {
        // SAFETY: the caller's promise; the descriptor was allocated by `begin`.
        unsafe {
            let done = conversion.read();
            debug_assert!(done.is_complete());
            self.table = done.target;
            self.table.growth_left = done.room;
            if done.in_place == 0 {
                self.table.advise(done.new_align as usize, Usage::Whole);
            }
            self.len = done.len;
            self.rehash = ptr::null_mut();
            heap::free(conversion.cast(), Layout::new::<Conversion>());
        }
    }
}

impl Conversion {
    /// Whether no source has an entry left.
    #[inline]
    pub(super) fn is_drained(&self) -> bool {
        self.current == self.count
    }

    /// Whether all entries are in the target.
    pub(crate) fn is_complete(&self) -> bool {
        let merged = self.extras.iter().all(|extra| !extra.is_allocated());
        self.is_drained() && merged && self.returning == 0
    }

    /// Whether an entry of this hash can be in the target.
    #[inline]
    pub(super) fn reaches(&self, hash: u64) -> bool {
        hash < self.boundary || self.is_drained()
    }

    /// Whether an entry of this hash that is put in goes to the target.
    #[inline]
    pub(super) fn takes(&self, hash: u64) -> bool {
        self.reaches(hash) || self.stays(self.source_of(hash))
    }

    /// The source in which a hash that the target does not reach lives: its index.
    #[inline]
    pub(super) fn source_of(&self, hash: u64) -> usize {
        let (current, count) = (self.current as usize, self.count as usize);
        let of = self.sources[..count].iter().rposition(|source| source.from <= hash);
        of.unwrap_or(current).max(current)
    }

    /// Whether the entries of a source stay where they are: its table is the target's.
    #[inline]
    pub(super) fn stays(&self, source: usize) -> bool {
        self.sources[source].table.ctrl == self.target.ctrl
    }

    /// The first group of a source that may hold entries; behind all of them when it is emptied.
    pub(super) fn first_group(&self, source: usize) -> usize {
        let emptied = source < self.current as usize || source >= self.count as usize;
        if emptied && source != STRAYS { usize::MAX } else { self.sources[source].at as usize }
    }

    /// Whether entries of an earlier conversion's extras are left.
    #[inline]
    pub(super) fn has_strays(&self) -> bool {
        self.sources[STRAYS].table.is_allocated()
    }

    /// Looks for a slot of a source, by hash; `eq` is asked for the slots with the hash's tag.
    ///
    /// # Safety
    /// The source is not emptied there.
    pub(super) unsafe fn find_old(
        &self,
        source: usize,
        hash: u64,
        mut eq: impl FnMut(*mut u8) -> bool,
    ) -> Option<usize> {
        // SAFETY: the caller's promise.
        unsafe { find_raw(&self.sources[source].table, hash, &mut eq) }
    }

    /// Target and extras, which hold entries of the new shape.
    pub(super) fn shown(&self) -> [Table; 4] {
        let [a, b, c] = self.extras;
        [self.target, a, b, c]
    }
}

/// Looks for a slot by hash; `eq` is asked for the slots with the hash's tag.
///
/// # Safety
/// The groups from the hash's home on are in use.
unsafe fn find_raw(table: &Table, hash: u64, eq: &mut dyn FnMut(*mut u8) -> bool) -> Option<usize> {
    if !table.is_allocated() {
        return None;
    }
    let mut at = table.home(hash);
    loop {
        // SAFETY: as in `Table::find`, by the table's own slot size.
        unsafe {
            let group = Group::load(table.ctrl.add(at));
            for bit in group.tagged(Tags::of(hash)) {
                if eq(table.raw_slot(at + bit)) {
                    return Some(at + bit);
                }
            }
            if group.empty().any() {
                return None;
            }
        }
        at += WIDTH;
    }
}

/// Ends the conversion of the map at `at`, or the watch on it, if there is one. O(entries that are left).
///
/// # Safety
/// `at` is a map that nobody else looks at.
pub(crate) unsafe fn settle(at: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe {
        let raw = &mut *at.cast::<Raw>();
        if let Some(conversion) = raw.conversion() {
            finish(conversion, true);
            raw.absorb(conversion);
        }
        raw.end_watch();
    }
}

/// Empties the sources; `exclusive`, the extras too.
///
/// # Safety
/// The conversion is that of a living map; `exclusive`: nobody holds a reference to an entry.
pub(super) unsafe fn finish(conversion: NonNull<Conversion>, exclusive: bool) {
    // SAFETY: the caller's promise; the shell keeps the conversion's record until it is complete.
    unsafe {
        let done = conversion.as_ref();
        if !done.is_drained() || done.returning > 0 || exclusive && !done.is_complete() {
            (heap::conversions().advance)(conversion.as_ptr(), u64::MAX, exclusive);
        }
    }
}
