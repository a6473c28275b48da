//! How a conversion begins, is taken back, and is turned back.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::super::geometry::Geometry;
use super::super::raw::Raw;
use super::super::table::Table;
use super::{Conversion, SOURCES, STRAYS, Source, TAG};
use crate::heap::{self, Usage};
use crate::reflect::Pair;

/// What a conversion is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// What the shell knows it by.
    pub id: u64,
    /// The layout of the entries as they are.
    pub old: Pair,
    /// The layout of the entries as they are going to be.
    pub new: Pair,
    /// Entries that may return, at most: there is room for them.
    pub returning: usize,
    /// An entry that survives keeps its bytes: it may stay where it is.
    pub in_place: bool,
    /// All entries are in the new shape: something is only to return to them.
    pub keeps: bool,
}

impl Conversion {
    /// Writes the header at `to`: that of the map at `from`, with its entries to be converted. The old
    /// header stays as it is, for the case that the swap is given up. O(1).
    ///
    /// # Safety
    /// `from` is a map with entries of the layout `old`, without a conversion or with one that
    /// [can turn](Conversion::can_turn); `to` has room for a header. One of the two headers is used
    /// afterwards.
    pub(crate) unsafe fn begin(plan: Plan, (from, to): (*mut u8, *mut u8)) -> NonNull<Self> {
        // SAFETY: the caller's promise.
        let raw = unsafe { &*from.cast::<Raw>() };
        let begun = match raw.conversion() {
            // SAFETY: the conversion is the map's, and nobody changes it meanwhile.
            Some(earlier) => unsafe { earlier.as_ref() }.turned(plan),
            None => Self::of(raw, plan),
        };
        let at = heap::alloc(Layout::new::<Self>()).cast::<Self>();
        // SAFETY: fresh memory of this layout; the caller's promise about `to`.
        unsafe {
            at.write(begun);
            let rehash = at.as_ptr().cast::<u8>().wrapping_add(TAG).cast();
            let (seed, layout, epoch) = (raw.seed, raw.layout, raw.epoch);
            let mut header = Raw { seed, layout, epoch, rehash, ..Raw::EMPTY };
            if !plan.keeps {
                header.tell();
            }
            to.cast::<Raw>().write(header);
        }
        at
    }

    /// Has the heap get the memory ready that [`Conversion::begin`] is going to ask for, if the map is then as
    /// large as it is now. O(1).
    ///
    /// # Safety
    /// `from` is a map with entries of the layout `old`.
    pub(crate) unsafe fn announce(plan: Plan, from: *mut u8) {
        // SAFETY: the caller's promise.
        let raw = unsafe { &*from.cast::<Raw>() };
        let (len, stretched) = match raw.conversion() {
            // SAFETY: the conversion is the map's, and nobody changes it meanwhile.
            Some(earlier) => unsafe {
                let earlier = earlier.as_ref();
                (earlier.len - earlier.returning_entries, earlier.target.geometry().is_stretched())
            },
            None if plan.in_place && raw.table.growth_left >= plan.returning as u64 => return,
            None => (raw.len, raw.table.is_allocated() && raw.table.geometry().is_stretched()),
        };
        let geometry = target_for(len, plan.returning, stretched);
        Table::announce(geometry, plan.new.slot(), Usage::Soon);
    }

    /// A conversion of a map that has none.
    fn of(raw: &Raw, plan: Plan) -> Self {
        let (align, keeps) = (plan.old.align() as u32, u32::from(plan.keeps));
        let whole = Source { table: raw.table, align, keeps, ..Source::NONE };
        let mut sources = [whole, Source::NONE];
        let mut count = 1;
        if let Some(rehash) = raw.rehash() {
            let (table, from, at) = (rehash.old, rehash.boundary, rehash.at);
            sources[1] = Source { table, from, at, ..whole };
            count = 2;
        }
        let room = raw.table.growth_left;
        let in_place = plan.in_place && raw.table.is_allocated() && room >= plan.returning as u64;
        let kept = in_place.then_some((raw.table, room));
        let mut begun = Self::over(plan, raw.len, kept, &sources[..count]);
        begun.pass_kept();
        begun
    }

    /// The conversion back: what is in the new shape is a source now, and what was still a source keeps
    /// its shape.
    fn turned(&self, plan: Plan) -> Self {
        let len = self.len - self.returning_entries;
        let mut sources = [Source::NONE; SOURCES + 1];
        let mut count = 0;
        let mut add = |source| {
            sources[count] = source;
            count += 1;
        };
        let converted = Source { table: self.target, align: self.new_align, ..Source::NONE };
        if self.boundary > 0 || self.is_drained() {
            add(converted);
        }
        for source in &self.sources[self.current as usize..self.count as usize] {
            let (from, keeps) = (source.from.max(self.boundary), 1 - source.keeps);
            add(Source { from, keeps, ..*source });
        }
        let mut turned = Self::over(plan, len, None, &sources[..count]);
        turned.sources[STRAYS] = Source { table: self.extras[0], ..converted };
        turned
    }

    /// `kept` is the target that there is already, with its room.
    fn over(plan: Plan, len: u64, kept: Option<(Table, u64)>, sources: &[Source]) -> Self {
        let (target, room) = kept.unwrap_or_else(|| {
            let stretched =
                |s: &Source| s.table.is_allocated() && s.table.geometry().is_stretched();
            let geometry = target_for(len, plan.returning, sources.iter().any(stretched));
            let room = geometry.capacity() as u64 - len;
            (Table::gradual(geometry, plan.new.slot()), room)
        });
        let mut all = [Source::NONE; SOURCES + 1];
        all[..sources.len()].copy_from_slice(sources);
        Self {
            id: plan.id,
            len,
            left: len,
            room,
            boundary: 0,
            discarded: sources.first().map_or(0, |source| source.at),
            expected: 0,
            merged: 0,
            credit: 0,
            returning: 0,
            returning_entries: 0,
            current: 0,
            count: sources.len() as u32,
            new_align: plan.new.align() as u32,
            in_place: u32::from(kept.is_some()),
            target,
            extras: [Table::NONE; 3],
            sources: all,
        }
    }

    /// Turns it back where it stands: entries are of the new shape wherever they are, so what is left moves
    /// as it is, or not at all. What was to return does not. Its header stays.
    pub(crate) fn turn_in_place(&mut self) {
        self.forgo_all();
        self.sources.iter_mut().for_each(|source| source.keeps = 1);
        self.pass_kept();
    }

    /// What stays and is in the new shape needs no look at all.
    fn pass_kept(&mut self) {
        let kept = |this: &Self, at: usize| this.stays(at) && this.sources[at].keeps == 1;
        while !self.is_drained() && kept(self, self.current as usize) {
            self.next_source();
        }
    }

    /// Takes [`Conversion::begin`] back: the old header has the tables.
    ///
    /// # Safety
    /// Nothing was moved since; the new header is not used.
    pub(crate) unsafe fn undo(this: NonNull<Self>) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut gone = this.read();
            if gone.in_place == 0 {
                gone.target.free(gone.new_align as usize);
            }
            heap::free(this.cast(), Layout::new::<Self>());
        }
    }

    /// Whether it may be turned back before its end: there is room for one source more, and no strays
    /// are left of an earlier turn.
    pub(crate) fn can_turn(&self) -> bool {
        let left = (self.count - self.current) as usize;
        let simple = !self.extras[1].is_allocated() && !self.extras[2].is_allocated();
        left < SOURCES && simple && !self.has_strays()
    }
}

/// The shape of a table that entries move to, of which some return. `stretched`: their hashes may not be
/// spread.
fn target_for(len: u64, returning: usize, stretched: bool) -> Geometry {
    let len = len as usize;
    let geometry = Geometry::for_capacity(len + returning + len / 16 + 16);
    if stretched { geometry.with_tail_for(geometry.capacity()) } else { geometry }
}
