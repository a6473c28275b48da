//! An image of a whole state as it is at one moment, taken while the state goes on to be used.
//!
//! [`begin`] writes the outline ([`crate::reflect`]) and leaves the large hash maps to follow: each moves
//! to a table like its own, as under a change of shape, and every entry is written when it moves. Who
//! touches an entry moves it first, so it is written as it was; what is put in later goes to the new
//! table and is not written. So there is no second copy of anything but of tables that are under way,
//! no fork, and no check in the steady path of a map.
//!
//! Invariant: each entry that a map had at `begin` is written once, and no other is.

use core::ptr::{self, NonNull};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::collections::hash_map::conversion::{Conversion, Mover, Place, STEP_SLOTS};
use crate::collections::hash_map::{copying, erased};
use crate::reflect::{Pair, Reflect};
use crate::schema::{Schema, TypeIndex};

/// Maps with fewer entries are written at once.
const LATER_FROM: usize = 1024;

thread_local! {
    static TAKING: RefCell<Option<Taking>> = const { RefCell::new(None) };
}

/// An image that is being taken.
struct Taking {
    maps: VecDeque<Map>,
    pen: Pen,
}

/// A map that follows.
#[derive(Clone, Copy)]
struct Map {
    at: NonNull<Conversion>,
    number: usize,
    ty: TypeIndex,
    key: TypeIndex,
    slot: usize,
    seed: [u64; 2],
}

/// What writes entries.
struct Pen {
    /// Before the schema: dropped first.
    reflect: Reflect<'static>,
    _schema: Arc<Schema>,
    out: Vec<u8>,
    entries: u64,
    /// Nobody wants the image any more: maps move on, unwritten.
    dry: bool,
}

struct Entries<'p>(&'p mut Pen, Map);

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
            if !pen.dry {
                pen.reflect.write_entry(map.number, map.ty, from, &mut pen.out);
                pen.entries += 1;
            }
            ptr::copy_nonoverlapping(from, to, map.slot);
        }
        true
    }

    fn bring_back(&mut self, _: &mut Conversion, _: u64, _: Option<u64>) {}
}

/// Begins to take an image of the root at `root`; answers its outline. O(what is not in large hash
/// maps).
///
/// # Panics
/// When one is being taken already.
///
/// # Safety
/// Between two calls of the plugin, on the thread that owns the state. `root` is a value of the schema's
/// root type, no change of its shape is under way, and it lives until [`work`] has answered false.
pub unsafe fn begin(schema: &Arc<Schema>, root: *mut u8) -> Vec<u8> {
    TAKING.with_borrow_mut(|taking| {
        assert!(taking.is_none(), "one image at a time");
        // SAFETY: the reflection borrows from the schema, which the `Arc` beside it keeps in its place.
        let reflect: Reflect<'static> =
            unsafe { core::mem::transmute::<Reflect<'_>, Reflect<'static>>(Reflect::new(schema)) };
        let mut outline = Vec::new();
        // SAFETY: the caller's promise.
        let left = unsafe { reflect.write_outline(schema.root, root, &mut outline) };
        let (out, entries) = (Vec::new(), 0);
        let mut pen = Pen { reflect, _schema: Arc::clone(schema), out, entries, dry: false };
        let mut maps = VecDeque::new();
        for (number, left) in left.into_iter().enumerate() {
            let def = &schema.types[left.ty as usize];
            let pair: Pair = pen.reflect.pair(def);
            // SAFETY: the caller's promise; nobody refers to the map.
            unsafe {
                if erased::len(left.at) < LATER_FROM {
                    erased::each(left.at, pair, &mut |key, _| {
                        pen.reflect.write_entry(number, left.ty, key, &mut pen.out);
                        pen.entries += 1;
                    });
                    continue;
                }
                let seed = erased::seed(left.at);
                let at = copying::begin(left.at, pair, number as u64);
                let (ty, key, slot) = (left.ty, def.args[0], pair.size());
                maps.push_back(Map { at, number, ty, key, slot, seed });
            }
        }
        *taking = Some(Taking { maps, pen });
        outline
    })
}

/// Goes on while `more` answers true, which is asked about every ten microseconds. False when all is
/// written.
///
/// # Safety
/// As for [`begin`].
pub unsafe fn work(mut more: impl FnMut() -> bool) -> bool {
    TAKING.with_borrow_mut(|taking| {
        let Some(taking) = taking else { return false };
        while let Some(&map) = taking.maps.front() {
            // SAFETY: the caller's promise; a map that goes ends its conversion first.
            unsafe { taking.advance(map, STEP_SLOTS, true) };
            if !more() {
                break;
            }
        }
        !taking.maps.is_empty()
    })
}

/// Takes what was written since this was last asked: whole entries.
pub fn take_entries() -> Vec<u8> {
    TAKING.with_borrow_mut(|taking| {
        taking.as_mut().map(|taking| core::mem::take(&mut taking.pen.out)).unwrap_or_default()
    })
}

/// Bytes that [`take_entries`] would answer.
pub fn written() -> usize {
    TAKING.with_borrow(|taking| taking.as_ref().map_or(0, |taking| taking.pen.out.len()))
}

/// Whether an image is being taken, or one that was given up still has maps on their way.
pub fn is_running() -> bool {
    TAKING.with_borrow(Option::is_some)
}

/// Nobody wants the image any more. [`work`] still has to come to its end.
pub fn give_up() {
    TAKING.with_borrow_mut(|taking| {
        if let Some(taking) = taking {
            taking.pen.dry = true;
            taking.pen.out = Vec::new();
        }
    });
}

/// Ends an image of which [`work`] has answered false; answers how many entries were written.
pub fn end() -> u64 {
    TAKING.with_borrow_mut(|taking| {
        let done = taking.take();
        done.map_or(0, |taking| {
            debug_assert!(taking.maps.is_empty(), "`work` comes to its end first");
            taking.pen.entries
        })
    })
}

impl Taking {
    /// Empties about so many slots. `exclusive`: also the extras.
    ///
    /// # Safety
    /// The conversion's map lives; `exclusive`: nobody holds a reference to an entry of it.
    unsafe fn advance(&mut self, map: Map, slots: u64, exclusive: bool) {
        let (at, mut left) = (map.at.as_ptr(), slots);
        while left > 0 {
            // SAFETY: the caller's promise; nobody else refers to the descriptor during the step.
            let more = unsafe {
                (*at).step(&mut Entries(&mut self.pen, map))
                    || exclusive && (*at).merge(&mut Entries(&mut self.pen, map))
            };
            if !more {
                break;
            }
            left = left.saturating_sub(if slots == u64::MAX { 0 } else { STEP_SLOTS });
        }
        // SAFETY: as above.
        if unsafe { (*at).is_complete() } {
            self.maps.retain(|map| map.at.as_ptr() != at);
        }
    }
}

fn map_of(taking: &Taking, at: *mut Conversion) -> Option<Map> {
    taking.maps.iter().find(|map| map.at.as_ptr() == at).copied()
}

/// [`ConversionTable::touch`](crate::collections::hash_map::conversion::ConversionTable::touch), if the
/// conversion is one of an image.
///
/// # Safety
/// As there.
pub(crate) unsafe fn touch(
    at: *mut Conversion,
    source: u32,
    index: usize,
    hash: u64,
) -> Option<Place> {
    TAKING.with_borrow_mut(|taking| {
        let taking = taking.as_mut()?;
        let map = map_of(taking, at)?;
        // SAFETY: the caller's promise.
        Some(unsafe {
            (*at).touch(source as usize, index, hash, &mut Entries(&mut taking.pen, map))
        })
    })
}

/// The same for `ConversionTable::advance`.
///
/// # Safety
/// As there.
pub(crate) unsafe fn advance(at: *mut Conversion, slots: u64, exclusive: bool) -> bool {
    TAKING.with_borrow_mut(|taking| {
        let Some(taking) = taking else { return false };
        let Some(map) = map_of(taking, at) else { return false };
        // SAFETY: the caller's promise.
        unsafe { taking.advance(map, slots, exclusive) };
        true
    })
}
