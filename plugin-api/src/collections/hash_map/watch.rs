//! [`Watch`]: a map of which an image is taken while it is used, where it is.
//!
//! An image writes the slots of the table front to back, in slices. Until it has come to a slot, whoever
//! is going to change what lies there has it written first; a slot that is filled meanwhile is none of
//! the image's. One bit per slot says which are done with. So an image needs neither a second table nor
//! a copy of an entry, and searches under `&self` do not notice it.
//!
//! The table stays as it is meanwhile: what moves entries (growth, a walk that changes them all) ends the
//! watch first, and inserts pay for the image's progress, so that it ends before the table is full.
//!
//! Invariant: each entry that was in the table at the beginning is written once, before it changes.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use super::HashMap;
use super::conversion::STEP_SLOTS;
use super::group::{Group, WIDTH};
use super::raw::Raw;
use super::table::Table;
use crate::heap::{self, Usage};
use crate::reflect::Pair;

/// Set in the header's pointer when it leads to a watch.
const TAG: usize = 2;
/// Groups that are written between two looks at the clock: some microseconds' work.
const STEP_GROUPS: u64 = STEP_SLOTS / WIDTH as u64;
/// Slots that an insert has written at once, at least: a call into the shell costs as much as some.
const SLOTS_PER_STEP: u64 = 128;
/// A table with less room than this share of its entries is about to grow: it moves instead.
const ROOM_SHARE: u64 = 16;

/// A map under watch. Lives in state memory; holds no pointer into any image.
#[repr(C)]
#[derive(Debug)]
pub struct Watch {
    /// The map's table, as in its header: that may move to another place, this may not.
    table: Table,
    /// Groups that have been written.
    at: u64,
    /// Slots paid for and not yet written.
    credit: u64,
    /// One bit per slot: it need not be written. Null when all groups have been.
    done: *mut u64,
}

impl Raw {
    /// The watch that is kept on this map.
    #[inline]
    pub(super) fn watch(&self) -> Option<NonNull<Watch>> {
        let at = self.rehash.cast::<u8>();
        (at.addr() & TAG != 0).then(|| {
            let at = at.wrapping_sub(TAG).cast();
            // SAFETY: a tagged pointer is two behind the start of a descriptor.
            unsafe { NonNull::new_unchecked(at) }
        })
    }

    /// Has the entry in a full slot written, since it is going to change.
    #[inline]
    pub(super) fn before_change(&mut self, ctrl: *mut u8) {
        if let Some(watch) = self.watch() {
            // SAFETY: the watch is this map's, and lives as long as the header names it.
            unsafe {
                let index = ctrl.addr() - (*watch.as_ptr()).table.ctrl.addr();
                if (*watch.as_ptr()).wants(index) {
                    (heap::conversions().write)(watch.as_ptr(), index);
                }
            }
        }
    }

    /// A vacant slot is going to be filled with what the image has nothing to do with.
    #[inline]
    pub(super) fn before_fill(&mut self, index: usize) {
        if let Some(mut watch) = self.watch() {
            // SAFETY: as in `before_change`; the map is borrowed exclusively.
            unsafe { watch.as_mut().pass(index) }
        }
    }

    /// Ends a watch, and writes what is left first. O(entries that are left).
    pub(super) fn end_watch(&mut self) {
        let Some(watch) = self.watch() else { return };
        // SAFETY: the watch is this map's; the shell frees what only it knows of.
        unsafe {
            if !watch.as_ref().is_complete() {
                (heap::conversions().write_on)(watch.as_ptr(), u64::MAX);
            }
            debug_assert!(watch.as_ref().is_complete(), "the shell has written it");
            self.rehash = ptr::null_mut();
            heap::free(watch.cast(), Layout::new::<Watch>());
        }
    }

    /// Forgets a watch that is over: searches go straight to the table again.
    pub(super) fn forget_watch(&mut self) {
        // SAFETY: as in `before_change`.
        if self.watch().is_some_and(|watch| unsafe { watch.as_ref().is_complete() }) {
            self.end_watch();
        }
    }

    /// One insert's share of an image's progress: so much that it ends before the room does.
    pub(super) fn pay_watch(&mut self) {
        self.forget_watch();
        let Some(watch) = self.watch() else { return };
        let room = self.table.growth_left.max(1);
        // SAFETY: as in `before_change`.
        unsafe {
            let at = watch.as_ptr();
            (*at).credit += (*at).left().div_ceil(room);
            if (*at).credit >= SLOTS_PER_STEP {
                let slots = core::mem::take(&mut (*at).credit);
                (heap::conversions().write_on)(at, slots);
            }
        }
    }
}

impl<K, V> HashMap<K, V> {
    /// Has an image's watch written on, over about so many slots; true while some of it is left.
    pub(super) fn work_watched(&mut self, slots: usize) -> bool {
        let Some(watch) = self.raw.watch() else { return false };
        // SAFETY: as in `Raw::before_change`.
        unsafe {
            if !watch.as_ref().is_complete() {
                (heap::conversions().write_on)(watch.as_ptr(), slots as u64);
            }
            if !watch.as_ref().is_complete() {
                return true;
            }
        }
        self.raw.end_watch();
        false
    }
}

impl Watch {
    /// Begins to watch the map at `at`; `None` when it is about to move, or moving, to another table.
    /// O(1).
    ///
    /// # Safety
    /// `at` is a map with entries of this layout, to which nobody refers. Whoever calls answers for the
    /// watch from here on.
    pub(crate) unsafe fn begin(at: *mut u8, pair: Pair) -> Option<NonNull<Self>> {
        // SAFETY: the caller's promise.
        unsafe {
            super::conversion::settle(at);
            let raw = &mut *at.cast::<Raw>();
            if !raw.is_steady() || raw.table.growth_left < raw.len / ROOM_SHARE + WIDTH as u64 {
                return None;
            }
            debug_assert_eq!(raw.table.slot_size as usize, pair.size(), "entries of this layout");
            let layout = bits(&raw.table);
            let done = heap::alloc_zeroed(layout);
            // No touch of it may wait for the clearing of a huge page.
            heap::advise(done, layout, Usage::Gradual);
            let watch = heap::alloc(Layout::new::<Self>()).cast::<Self>();
            watch.write(Self { table: raw.table, at: 0, credit: 0, done: done.as_ptr().cast() });
            raw.lead_to(watch.as_ptr().cast::<u8>().wrapping_add(TAG).cast());
            Some(watch)
        }
    }

    /// Whether all has been written.
    pub(crate) fn is_complete(&self) -> bool {
        self.done.is_null()
    }

    /// Slots that have not been looked at.
    fn left(&self) -> u64 {
        (self.table.geometry().groups() as u64 - self.at) * WIDTH as u64
    }

    /// Whether the entry in a full slot is still to be written.
    #[inline]
    fn wants(&self, index: usize) -> bool {
        let behind = index >= self.at as usize * WIDTH;
        // SAFETY: while a group is left there are bits for all slots.
        behind
            && !self.is_complete()
            && unsafe { *self.done.add(index / 64) } >> (index % 64) & 1 == 0
    }

    /// A slot need not be written any more.
    #[inline]
    fn pass(&mut self, index: usize) {
        if !self.is_complete() {
            // SAFETY: as in `wants`.
            unsafe { *self.done.add(index / 64) |= 1 << (index % 64) };
        }
    }

    /// Has one entry written.
    ///
    /// # Safety
    /// The slot is full.
    pub(crate) unsafe fn write(&mut self, index: usize, write: &mut dyn FnMut(*mut u8)) {
        if self.wants(index) {
            // SAFETY: the caller's promise.
            write(unsafe { self.table.raw_slot(index) });
            self.pass(index);
        }
    }

    /// Slots that were paid for are still to be written.
    pub(crate) const fn owe(&mut self, slots: u64) {
        self.credit = self.credit.saturating_add(slots);
    }

    /// Has what lies in a few groups written, as long as `write` wants more. False when that was all.
    pub(crate) fn step(&mut self, write: &mut dyn FnMut(*mut u8) -> bool) -> bool {
        let end = self.table.geometry().groups() as u64;
        for group in self.at..(self.at + STEP_GROUPS).min(end) {
            let first = group as usize * WIDTH;
            // SAFETY: below the number of groups; a full slot holds an entry.
            for bit in unsafe { Group::load(self.table.ctrl.add(first)) }.full() {
                if self.wants(first + bit) {
                    // SAFETY: as above.
                    let more = write(unsafe { self.table.raw_slot(first + bit) });
                    self.pass(first + bit);
                    if !more {
                        return true;
                    }
                }
            }
            self.at = group + 1;
        }
        if self.at == end && !self.is_complete() {
            // SAFETY: `begin` allocated it with this layout.
            unsafe { heap::free(NonNull::new_unchecked(self.done.cast()), bits(&self.table)) };
            self.done = ptr::null_mut();
        }
        self.at < end
    }
}

/// The layout of a bit per slot.
fn bits(table: &Table) -> Layout {
    let slots = table.geometry().groups() * WIDTH;
    Layout::array::<u64>(slots.div_ceil(64)).expect("fewer bits than slots")
}
