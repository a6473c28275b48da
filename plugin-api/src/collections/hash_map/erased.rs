//! A map whose key and value types are known by their layouts only. For [`crate::reflect`].

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use super::conversion::{self, Conversion};
use super::geometry::Geometry;
use super::group::{EMPTY, Group, Tags, WIDTH, tag};
use super::raw::{Raw, UNALLOCATED};
use super::rehash::Rehash;
use super::table::Table;
use crate::heap;
use crate::reflect::Pair;

/// Entries in it.
///
/// # Safety
/// `at` is a map.
pub unsafe fn len(at: *mut u8) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let raw = &*at.cast::<Raw>();
        raw.conversion().map_or(raw.len as usize, |at| (*at.as_ptr()).len as usize)
    }
}

/// The conversion that is under way in it.
///
/// # Safety
/// `at` is a map.
pub(crate) unsafe fn conversion(at: *mut u8) -> Option<NonNull<Conversion>> {
    // SAFETY: the caller's promise.
    unsafe { (*at.cast::<Raw>()).conversion() }
}

/// The key of its hash.
///
/// # Safety
/// `at` is a map.
pub unsafe fn seed(at: *mut u8) -> [u64; 2] {
    // SAFETY: the caller's promise.
    unsafe { (*at.cast::<Raw>()).seed }
}

/// Visits keys and values in the map's order.
///
/// # Safety
/// `at` is a map with entries of this layout.
pub unsafe fn each(at: *mut u8, pair: Pair, visit: &mut dyn FnMut(*mut u8, *mut u8)) {
    let mut slot = |slot: *mut u8| {
        // SAFETY: a slot is a key and a value.
        visit(slot, unsafe { slot.add(pair.value_at()) });
    };
    // SAFETY: the caller's promise. Groups below `at` of a table that is being emptied are empty.
    unsafe {
        conversion::settle(at);
        let raw = &*at.cast::<Raw>();
        each_slot(&raw.table, 0, &mut slot);
        if let Some(rehash) = raw.rehash() {
            each_slot(&rehash.old, rehash.at as usize, &mut slot);
        }
    }
}

/// # Safety
/// The groups of the table from `from` on are in use.
unsafe fn each_slot(table: &Table, from: usize, visit: &mut dyn FnMut(*mut u8)) {
    if !table.is_allocated() {
        return;
    }
    for group in from..table.geometry().groups() {
        // SAFETY: below the number of groups; a full slot holds an entry.
        unsafe {
            for bit in Group::load(table.ctrl.add(group * WIDTH)).full() {
                visit(table.raw_slot(group * WIDTH + bit));
            }
        }
    }
}

/// The entry with this hash that `eq` accepts.
///
/// # Safety
/// `at` is a map with entries of this layout.
pub unsafe fn find(at: *mut u8, hash: u64, eq: &mut dyn FnMut(*mut u8) -> bool) -> Option<*mut u8> {
    // SAFETY: the caller's promise; as in `Table::find`, by the table's own slot size.
    unsafe {
        conversion::settle(at);
        let raw = &*at.cast::<Raw>();
        let (table, _) = raw.table_of(hash);
        if !table.is_allocated() {
            return None;
        }
        let mut at = table.home(hash);
        loop {
            let group = Group::load(table.ctrl.add(at));
            let slots = group.tagged(Tags::of(hash)).map(|bit| table.raw_slot(at + bit));
            for slot in slots {
                if eq(slot) {
                    return Some(slot);
                }
            }
            if group.empty().any() {
                return None;
            }
            at += WIDTH;
        }
    }
}

/// Draws the seed of a map that has none yet. To be called before the key of an insert is hashed.
///
/// # Safety
/// `at` is a map.
pub unsafe fn prepare(at: *mut u8) {
    // SAFETY: the caller's promise; without a seed there is no table, and nothing was hashed.
    unsafe {
        let raw = &mut *at.cast::<Raw>();
        if raw.seed == [0; 2] {
            raw.seed = [heap::random(), heap::random()];
        }
    }
}

/// Makes a slot for an entry whose key is not in the map, which the caller writes. O(1) while the map
/// has room, otherwise O(n).
///
/// # Safety
/// `at` is a map with entries of this layout; `hash_of` answers the hash of the key at an address
/// under the map's seed.
pub unsafe fn insert(
    at: *mut u8,
    pair: Pair,
    hash: u64,
    hash_of: impl Fn(*mut u8) -> u64,
) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe {
        conversion::settle(at);
        let raw = &mut *at.cast::<Raw>();
        let index = (raw.is_steady() && raw.table.growth_left > 0)
            .then(|| raw.table.vacancy(hash))
            .flatten();
        let Some(index) = index else {
            grow(at, pair, &hash_of);
            return insert(at, pair, hash, hash_of);
        };
        let ctrl = raw.table.ctrl.add(index);
        raw.table.growth_left -= u64::from(*ctrl == EMPTY);
        raw.len += 1;
        *ctrl = tag(hash);
        raw.table.raw_slot(index)
    }
}

/// Moves all entries to a table with room for more.
///
/// # Safety
/// As for [`insert`].
unsafe fn grow(at: *mut u8, pair: Pair, hash_of: &impl Fn(*mut u8) -> u64) {
    // SAFETY: the caller's promise; the old tables are freed without their entries.
    unsafe {
        let (len, seed) = (len(at), seed(at));
        let mut header = core::mem::MaybeUninit::<Raw>::uninit();
        let mut larger = Builder::new(header.as_mut_ptr().cast(), pair, len + len / 4 + 4, seed);
        each(at, pair, &mut |key, _| {
            ptr::copy_nonoverlapping(key, larger.spare(), pair.size());
            larger.put(hash_of);
        });
        larger.finish();
        free(at, pair);
        at.cast::<Raw>().write(header.assume_init());
    }
}

/// Frees the descriptor of a move or conversion under way, of a header whose tables have a new owner.
///
/// # Safety
/// `at` is such a header, and is not used afterwards.
pub unsafe fn free_header(at: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe {
        let raw = &mut *at.cast::<Raw>();
        if let Some(conversion) = raw.conversion() {
            heap::free(conversion.cast(), Layout::new::<Conversion>());
        } else if let Some(rehash) = raw.rehash_mut() {
            heap::free(NonNull::from(rehash).cast(), Layout::new::<Rehash>());
        }
        raw.rehash = UNALLOCATED;
    }
}

/// Frees tables and descriptor; the entries are dropped or moved out.
///
/// # Safety
/// `at` is a map with entries of this layout, and is not used afterwards.
pub unsafe fn free(at: *mut u8, pair: Pair) {
    // SAFETY: the caller's promise.
    unsafe {
        conversion::settle(at);
        let raw = &mut *at.cast::<Raw>();
        raw.table.free(pair.align());
        if let Some(rehash) = raw.rehash_mut() {
            rehash.old.free(pair.align());
            heap::free(NonNull::from(rehash).cast(), Layout::new::<Rehash>());
        }
        raw.rehash = UNALLOCATED;
    }
}

/// Hears that an entry has moved from one place to another.
pub type Moved<'m> = dyn FnMut(*mut u8, *mut u8) + 'm;

/// A map that is being made.
pub struct Builder {
    at: *mut u8,
    table: Table,
    pair: Pair,
    len: usize,
    /// Room for one entry, which gets its place when its hash is known.
    spare: NonNull<u8>,
}

impl Builder {
    /// A map of `len` entries, which are put in one by one.
    ///
    /// # Safety
    /// `at` has room for a map.
    pub unsafe fn new(at: *mut u8, pair: Pair, len: usize, seed: [u64; 2]) -> Self {
        let (mut raw, slot) = (Raw::EMPTY, slot_layout(pair));
        raw.seed = seed;
        if seed != [0; 2] {
            raw.tell();
        }
        // SAFETY: the caller's promise.
        unsafe { at.cast::<Raw>().write(raw) };
        let table = match len {
            0 => Table::NONE,
            _ => Table::with_slots(Geometry::for_capacity(len), slot),
        };
        Self { at, table, pair, len: 0, spare: heap::alloc(slot) }
    }

    /// Where the next entry is to be written before [`Builder::put`].
    pub fn spare(&mut self) -> *mut u8 {
        self.spare.as_ptr()
    }

    /// Puts the spare entry in its place, and answers that. Its key is not in the map yet.
    ///
    /// # Safety
    /// The spare entry is written; `hash_of` answers the hash of the key at an address.
    pub unsafe fn put(&mut self, hash_of: impl Fn(*mut u8) -> u64) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.put_telling(hash_of, &mut |_, _| {}) }
    }

    /// The same; `moved` hears of each entry that goes from one place to another: the new one from the
    /// spare place, and as good as never others, too.
    ///
    /// # Safety
    /// As for [`Builder::put`].
    pub unsafe fn put_telling(
        &mut self,
        hash_of: impl Fn(*mut u8) -> u64,
        moved: &mut Moved<'_>,
    ) -> *mut u8 {
        self.len += 1;
        let spare = self.spare.as_ptr();
        // SAFETY: the caller's promise.
        unsafe {
            let placed = self.place(spare, &hash_of).unwrap_or_else(|| {
                self.lengthen(&hash_of, moved);
                self.place(spare, &hash_of).expect("the tail alone holds all entries")
            });
            moved(spare, placed);
            placed
        }
    }

    /// Where the map is going to be: whoever moves that says so here.
    pub const fn at_mut(&mut self) -> &mut *mut u8 {
        &mut self.at
    }

    /// Copies the entry at `from` to where its hash belongs. `None` when the table is full there.
    ///
    /// # Safety
    /// As for [`Builder::put`], with the entry at `from`.
    unsafe fn place(
        &mut self,
        from: *mut u8,
        hash_of: &impl Fn(*mut u8) -> u64,
    ) -> Option<*mut u8> {
        // SAFETY: the caller's promise; the slot is vacant.
        unsafe {
            let hash = hash_of(from);
            let index = self.table.vacancy(hash)?;
            let ctrl = self.table.ctrl.add(index);
            debug_assert_eq!(*ctrl, EMPTY, "nothing was ever removed");
            *ctrl = tag(hash);
            let slot = self.table.raw_slot(index);
            ptr::copy_nonoverlapping(from, slot, self.pair.size());
            self.table.growth_left -= 1;
            Some(slot)
        }
    }

    /// Moves everything to a table whose tail alone could hold it. As good as never.
    ///
    /// # Safety
    /// As for [`Builder::put`].
    #[cold]
    unsafe fn lengthen(&mut self, hash_of: &impl Fn(*mut u8) -> u64, moved: &mut Moved<'_>) {
        let geometry = self.table.geometry().with_tail_for(2 * (self.len + 1));
        let table = Table::with_slots(geometry, slot_layout(self.pair));
        let mut old = core::mem::replace(&mut self.table, table);
        // SAFETY: the old table holds entries of this layout, and is freed without them.
        unsafe {
            each_slot(&old, 0, &mut |slot| {
                let placed = self.place(slot, hash_of);
                moved(slot, placed.expect("the tail alone holds all entries"));
            });
            old.free(self.pair.align());
        }
    }

    /// Completes the map.
    pub fn finish(self) {
        // SAFETY: `new` wrote the header and took the spare entry, which is a bit copy now.
        unsafe {
            heap::free(self.spare, slot_layout(self.pair));
            if self.table.is_allocated() {
                let raw = &mut *self.at.cast::<Raw>();
                raw.table = self.table;
                raw.len = self.len as u64;
                raw.rehash = ptr::null_mut();
            }
        }
    }
}

fn slot_layout(pair: Pair) -> Layout {
    Layout::from_size_align(pair.size(), pair.align()).expect("a slot has a layout")
}
