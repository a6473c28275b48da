//! [`Conversion`]: a map whose entries change their shape, entry by entry, while it is used.
//!
//! The swap that changes the shape of a map's values moves its tables into a descriptor, in O(1). From
//! then on the entries are in up to three places, which are disjoint:
//!
//! - the *sources*: the tables as the swap found them, in the old shape, emptied front to back;
//! - the *target*, in the new shape, which has room for all: entries whose hash is below `boundary`;
//! - the *extras*, in the new shape: entries that were touched or put in before the boundary reached
//!   them. So a touch converts one entry, and pages of the target are used front to back: both tables
//!   together never take much more than the larger one.
//!
//! Sources and target are in hash order, so one number says how far the drain has come. The shell
//! drains, in slices between two calls; it knows hash and layout by the schema. Typed code finds
//! entries, and asks the shell to convert the one it is about to hand out.
//!
//! Invariant: a reference into a unit that can still move is never handed out. References lead into
//! target and extras only. Under `&self` both only gain entries: neither grows, nothing in them moves.
//! Extras are merged into the target under `&mut self` only, or by the shell between two calls.

mod returns;
mod steps;

use core::ptr::{self, NonNull};

pub(crate) use returns::Home;

use super::group::{DELETED, EMPTY, Group, Tags, WIDTH, tag};
use super::raw::Raw;
use super::table::{Geometry, Table};
use super::watch::Watch;
use crate::collections::btree_map::conversion::TreeConversion;
use crate::heap::{self, Usage};
use crate::reflect::Pair;
use core::alloc::Layout;

/// Groups of a source that one step empties, up to the next clean cut: some microseconds' work.
const STEP_GROUPS: usize = 2;
/// Slots of these groups.
pub(crate) const STEP_SLOTS: u64 = (STEP_GROUPS * WIDTH) as u64;
/// Emptied slots are given back to the heap in runs of this many bytes.
const DISCARD_BYTES: usize = 2 << 20;
/// Set in the header's pointer when it leads to a conversion.
const TAG: usize = 1;

/// A map under conversion. Lives in state memory; holds no pointer into any image.
#[repr(C)]
#[derive(Debug)]
pub struct Conversion {
    /// What the shell knows it by.
    pub(crate) id: u64,
    /// Entries, wherever they are.
    pub(super) len: u64,
    /// Entries still in a source.
    pub(crate) left: u64,
    /// Entries that can be added before the target has no room for all.
    pub(super) room: u64,
    /// Hashes below live in the target, unless they are among the extras.
    pub(super) boundary: u64,
    /// With two sources: hashes from here on live in the second.
    pub(super) split: u64,
    /// Groups of the current source that are empty.
    pub(super) at: u64,
    /// Groups of the current source whose pages were given back.
    discarded: u64,
    /// Where the second source begins.
    second_at: u64,
    /// Groups of the first extra that were merged.
    merged: u64,
    /// Slots paid for and not yet moved.
    pub(super) credit: u64,
    /// Parts that an earlier swap set aside and that are to come back: the shell has them, by hash.
    pub(crate) returning: u64,
    /// The source that is being emptied; equal to `sources` when all are.
    current: u32,
    /// How many sources there were.
    sources: u32,
    /// Alignment of slots in the sources.
    old_align: u32,
    /// Alignment of slots in target and extras.
    new_align: u32,
    /// See the module.
    pub(super) target: Table,
    /// See the module: small, as large as the target, with a tail that holds everything.
    pub(super) extras: [Table; 3],
    /// See the module.
    pub(super) old: [Table; 2],
}

/// What only the shell knows of a map's entries.
pub(crate) trait Mover {
    /// The hash of the key at the start of a slot.
    fn hash(&self, slot: *mut u8) -> u64;
    /// Makes the new slot of the old one. False when the entry has no place: it was set aside.
    /// What waited for the entry's return is part of it again.
    fn convert(
        &mut self,
        conversion: &mut Conversion,
        hash: u64,
        from: *mut u8,
        to: *mut u8,
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
            self.table.advise(done.new_align as usize, Usage::Whole);
            self.len = done.len;
            self.rehash = ptr::null_mut();
            heap::free(conversion.cast(), Layout::new::<Conversion>());
        }
    }
}

impl Conversion {
    /// Writes the header at `to`: that of the map at `from`, with its entries to be converted. The old
    /// header stays as it is, for the case that the swap is given up. There will be room for `returning`
    /// entries more. O(1).
    ///
    /// # Safety
    /// `from` is a map with entries of the layout `old`, without a conversion; `to` has room for a
    /// header. One of the two headers is used afterwards.
    pub(crate) unsafe fn begin(
        id: u64,
        (from, to): (*mut u8, *mut u8),
        old: Pair,
        new: Pair,
        returning: usize,
    ) -> NonNull<Self> {
        // SAFETY: the caller's promise.
        let raw = unsafe { &*from.cast::<Raw>() };
        let (mut tables, mut split, mut second_at) = ([raw.table, Table::NONE], u64::MAX, 0);
        let mut sources = 1;
        if let Some(rehash) = raw.rehash() {
            (tables[1], split, second_at) = (rehash.old, rehash.boundary, rehash.at);
            sources = 2;
        }
        let len = raw.len as usize;
        let mut geometry = Geometry::for_capacity(len + returning + len / 16 + 16);
        if tables.iter().any(|table| table.is_allocated() && table.geometry().is_stretched()) {
            geometry = geometry.with_tail_for(geometry.capacity());
        }
        let conversion = Self {
            id,
            len: raw.len,
            left: raw.len,
            room: (geometry.capacity() - len) as u64,
            boundary: 0,
            split,
            at: 0,
            discarded: 0,
            second_at,
            merged: 0,
            credit: 0,
            returning: 0,
            current: 0,
            sources,
            old_align: old.align() as u32,
            new_align: new.align() as u32,
            target: gradual(geometry, new.slot()),
            extras: [Table::NONE; 3],
            old: tables,
        };
        let at = heap::alloc(Layout::new::<Self>()).cast::<Self>();
        // SAFETY: fresh memory of this layout; the caller's promise about `to`.
        unsafe {
            at.write(conversion);
            let rehash = at.as_ptr().cast::<u8>().wrapping_add(TAG).cast();
            let (seed, layout, epoch) = (raw.seed, raw.layout, raw.epoch);
            to.cast::<Raw>().write(Raw { seed, layout, epoch, rehash, ..Raw::EMPTY });
        }
        at
    }

    /// Takes [`Conversion::begin`] back: the old header has the tables.
    ///
    /// # Safety
    /// Nothing was moved since; the new header is not used.
    pub(crate) unsafe fn undo(this: NonNull<Self>) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut gone = this.read();
            gone.target.free(gone.new_align as usize);
            heap::free(this.cast(), Layout::new::<Self>());
        }
    }

    /// Whether no source has an entry left.
    #[inline]
    pub(super) fn is_drained(&self) -> bool {
        self.current == self.sources
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

    /// The source in which a hash that the target does not reach lives: its index.
    #[inline]
    pub(super) fn source_of(&self, hash: u64) -> usize {
        usize::from(self.sources == 2 && hash >= self.split)
    }

    /// The first group of a source that may hold entries; behind all of them when it is emptied.
    pub(super) fn first_group(&self, source: usize) -> usize {
        match source as u32 {
            i if i < self.current || i >= self.sources => usize::MAX,
            i if i == self.current => self.at as usize,
            _ => self.second_at as usize,
        }
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
        unsafe { find_raw(&self.old[source], hash, &mut eq) }
    }

    /// A vacant slot for this hash outside of the target, which is not full yet. Never moves anything.
    pub(super) fn extra_place(&mut self, hash: u64) -> Place {
        let capacity = self.target.geometry().capacity();
        let slot = Layout::from_size_align(self.target.slot_size as usize, self.new_align as usize);
        let slot = slot.expect("the target has slots of this layout");
        for (i, extra) in self.extras.iter_mut().enumerate() {
            if !extra.is_allocated() {
                let geometry = match i {
                    0 => Geometry::for_capacity((capacity / 16).max(64)),
                    1 => self.target.geometry(),
                    _ => self.target.geometry().with_tail_for(capacity),
                };
                *extra = gradual(geometry, slot);
                if i == 2 {
                    // Bounded by its tail alone.
                    extra.growth_left = u64::MAX;
                }
            }
            // SAFETY: allocated; an index of a vacancy is one of its slots.
            unsafe {
                if extra.growth_left > 0
                    && let Some(index) = extra.vacancy(hash)
                {
                    extra.growth_left -= 1;
                    return Place { ctrl: extra.ctrl.add(index), slot: extra.raw_slot(index) };
                }
            }
        }
        unreachable!("the tail of the last extra holds all entries")
    }

    /// A vacant slot for this hash, in the target if that reaches it and has one there.
    pub(super) fn place(&mut self, hash: u64, in_target: bool) -> Place {
        if in_target {
            // SAFETY: the target is allocated.
            unsafe {
                if let Some(index) = self.target.vacancy(hash) {
                    let ctrl = self.target.ctrl.add(index);
                    // The entry's own room stays when it takes a slot that was used before.
                    self.room += u64::from(*ctrl == DELETED);
                    return Place { ctrl, slot: self.target.raw_slot(index) };
                }
            }
        }
        self.extra_place(hash)
    }

    /// Converts the entry in a slot of a source, which somebody is about to look at.
    ///
    /// # Safety
    /// The slot is full and not emptied.
    pub(crate) unsafe fn touch(
        &mut self,
        source: usize,
        index: usize,
        hash: u64,
        mover: &mut dyn Mover,
    ) -> Place {
        // SAFETY: the caller's promise.
        unsafe {
            let place = self.convert_slot(source, index, hash, false, mover);
            *self.old[source].ctrl.add(index) = DELETED;
            place
        }
    }

    /// # Safety
    /// As for [`Conversion::touch`]; the caller treats the slot as moved out.
    unsafe fn convert_slot(
        &mut self,
        source: usize,
        index: usize,
        hash: u64,
        in_target: bool,
        mover: &mut dyn Mover,
    ) -> Place {
        self.left -= 1;
        // SAFETY: the caller's promise; the place is a vacant slot.
        unsafe {
            let from = self.old[source].raw_slot(index);
            let place = self.place(hash, in_target);
            if mover.convert(self, hash, from, place.slot) {
                *place.ctrl = tag(hash);
                return place;
            }
            if *place.ctrl == DELETED && self.is_in_target(place.ctrl) {
                self.room -= 1;
            }
        }
        self.len -= 1;
        self.room += 1;
        Place { ctrl: ptr::null_mut(), slot: ptr::null_mut() }
    }

    fn is_in_target(&self, ctrl: *mut u8) -> bool {
        let groups = self.target.geometry().groups();
        (0..groups * WIDTH).contains(&ctrl.addr().wrapping_sub(self.target.ctrl.addr()))
    }

    /// Marks a slot of target or extras as free.
    ///
    /// # Safety
    /// The slot is full; its entry has been moved out.
    pub(super) unsafe fn erase(&mut self, ctrl: *mut u8) {
        // SAFETY: control bytes are aligned to the group width.
        unsafe {
            let group = Group::load(ctrl.sub(ctrl.addr() % WIDTH));
            let ends_here = group.empty().any();
            *ctrl = if ends_here { EMPTY } else { DELETED };
            self.room += u64::from(ends_here || !self.is_in_target(ctrl));
        }
        self.len -= 1;
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

/// A table that is filled front to back, or by touches here and there, while clients wait: no touch of
/// new memory may take as long as the clearing of a large page.
fn gradual(geometry: Geometry, slot: Layout) -> Table {
    let table = Table::with_slots(geometry, slot);
    // SAFETY: just made, for slots of this layout.
    unsafe { table.advise(slot.align(), Usage::Gradual) };
    table
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

/// What typed code asks the shell for. Size-headed; the shell's, for the life of the process.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ConversionTable {
    /// Bytes of this table that the shell filled in.
    pub size: u32,
    /// Reserved, zero.
    pub reserved: u32,
    /// `[engine]` Converts the entry of this hash in slot `index` of a source, without moving any other.
    /// A null place: it was set aside.
    pub touch: unsafe extern "C" fn(
        conversion: *mut Conversion,
        source: u32,
        index: usize,
        hash: u64,
    ) -> Place,
    /// `[engine]` Empties about so many slots of the sources; `exclusive`, then also of the extras:
    /// nobody holds a reference to an entry. With `u64::MAX` it goes on to the end.
    pub advance: unsafe extern "C" fn(conversion: *mut Conversion, slots: u64, exclusive: bool),
    /// `[engine]` Puts the leaf that is child `at` of a lowest inner node into the new shape.
    pub leaf: unsafe extern "C" fn(conversion: *mut TreeConversion, parent: *mut u8, at: usize),
    /// `[engine]` Puts all leaves of a tree into the new shape, and forgets its conversion.
    pub end_tree: unsafe extern "C" fn(conversion: *mut TreeConversion),
    /// `[engine]` Puts entries back that an earlier swap set aside and whose hashes lie in `from..=to`,
    /// without moving any other. Those whose key lives stay away.
    pub recall: unsafe extern "C" fn(conversion: *mut Conversion, from: u64, to: u64),
    /// `[engine]` Writes the entry in a full slot of a watched map to the image that is being taken: it is
    /// going to change.
    pub write: unsafe extern "C" fn(watch: *mut Watch, index: usize),
    /// `[engine]` Writes what lies in about so many slots to the image. With `u64::MAX` it goes on to the
    /// end.
    pub write_on: unsafe extern "C" fn(watch: *mut Watch, slots: u64),
}
