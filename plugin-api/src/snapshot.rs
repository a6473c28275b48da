//! An image of a whole state as it is at one moment, taken while the state goes on to be used.
//!
//! [`begin`] writes the outline ([`crate::reflect`]) and leaves the large hash maps to follow, slice by
//! slice, each where it is ([`Watch`]): who is going to change an entry has it written first, so it is
//! written as it was, and what is put in later is not written. Large maps within an entry follow in their
//! turn, from the moment at which the entry is written. So there is no second copy of anything, no fork, and
//! no check in the steady path of a map. A map that is about to grow, or growing, moves to a larger table
//! instead, as under a change of shape, and its entries are written as they move.
//!
//! Invariant: each entry that a map had at `begin` is written once, and no other is.

use core::ptr::{self, NonNull};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::collections::hash_map::conversion::{Conversion, Mover, Place, STEP_SLOTS};
use crate::collections::hash_map::watch::Watch;
use crate::collections::hash_map::{copying, erased};
use crate::reflect::{Left, Reflect};
use crate::schema::{Schema, TypeIndex};

/// Maps with fewer entries are written at once.
const LATER_FROM: usize = 1024;
/// So many bytes in one step are enough, however few entries they are: some ten microseconds' work.
const STEP_BYTES: usize = 32 << 10;
/// What an insert has written at most.
const PAID_BYTES: usize = 256 << 10;

thread_local! {
    static TAKING: RefCell<Option<Taking>> = const { RefCell::new(None) };
}

/// An image that is being taken.
struct Taking {
    /// Maps that are not written to their end.
    maps: HashMap<Way, Map>,
    /// The same, the one that is gone on with last; some are written meanwhile.
    order: Vec<Way>,
    pen: Pen,
}

/// How the entries of a map are come by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    /// It stays where it is.
    Watched(NonNull<Watch>),
    /// It moves to another table.
    Moving(NonNull<Conversion>),
}

/// A map that follows.
#[derive(Clone, Copy)]
struct Map {
    way: Way,
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
    /// The number that the next map gets.
    next: usize,
    /// Maps that were come upon within entries.
    begun: Vec<Map>,
    /// Nobody wants the image any more: maps move on, unwritten.
    dry: bool,
}

impl Map {
    /// Begins to watch a map, or to move it.
    ///
    /// # Safety
    /// Nobody refers to the map; whoever calls answers for what is begun.
    unsafe fn begin(reflect: &Reflect<'_>, left: Left, number: usize) -> Self {
        let def = reflect.def(left.ty);
        let pair = reflect.pair(def);
        // SAFETY: the caller's promise.
        unsafe {
            let seed = erased::seed(left.at);
            let way = match Watch::begin(left.at, pair) {
                Some(watch) => Way::Watched(watch),
                None => Way::Moving(copying::begin(left.at, pair, number as u64)),
            };
            Self { way, number, ty: left.ty, key: def.args[0], slot: pair.size(), seed }
        }
    }

    /// # Safety
    /// The map lives, and nobody refers to it.
    unsafe fn is_complete(&self) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            match self.way {
                Way::Watched(watch) => watch.as_ref().is_complete(),
                Way::Moving(conversion) => conversion.as_ref().is_complete(),
            }
        }
    }
}

impl Pen {
    /// Writes an entry. Large maps in it begin to be watched, before anybody can change them.
    ///
    /// # Safety
    /// `slot` is a full slot of the map with this number and type, to which nobody refers.
    unsafe fn write(&mut self, number: usize, ty: TypeIndex, slot: *mut u8) {
        if self.dry {
            return;
        }
        let Self { reflect, out, next, begun, .. } = self;
        let mut leave = |left: Left| {
            // SAFETY: the caller's promise.
            unsafe {
                if erased::len(left.at) < LATER_FROM {
                    return false;
                }
                begun.push(Map::begin(reflect, left, *next));
            }
            *next += 1;
            true
        };
        // SAFETY: the caller's promise.
        unsafe { reflect.write_entry(number, ty, slot, out, &mut leave) };
        self.entries += 1;
    }
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
            pen.write(map.number, map.ty, from);
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
        let (mut outline, mut left) = (Vec::new(), Vec::new());
        let mut leave = |map| {
            left.push(map);
            true
        };
        // SAFETY: the caller's promise.
        unsafe { reflect.write_outline(schema.root, root, &mut outline, &mut leave) };
        let (out, begun, next, entries) = (Vec::new(), Vec::new(), left.len(), 0);
        let _schema = Arc::clone(schema);
        let mut pen = Pen { reflect, _schema, out, entries, next, begun, dry: false };
        for (number, Left { ty, at }) in left.into_iter().enumerate() {
            // SAFETY: the caller's promise; nobody refers to the map.
            unsafe {
                if erased::len(at) < LATER_FROM {
                    let pair = pen.reflect.pair(pen.reflect.def(ty));
                    erased::each(at, pair, &mut |slot, _| pen.write(number, ty, slot));
                } else {
                    let map = Map::begin(&pen.reflect, Left { ty, at }, number);
                    pen.begun.push(map);
                }
            }
        }
        let mut begun = Taking { maps: HashMap::new(), order: Vec::new(), pen };
        begun.take_up();
        *taking = Some(begun);
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
        while let Some(map) = taking.current() {
            // SAFETY: the caller's promise; a map that goes ends its conversion first.
            unsafe { taking.advance(map, STEP_SLOTS, usize::MAX, true) };
            if !more() {
                break;
            }
        }
        !taking.maps.is_empty()
    })
}

/// Takes what was written since this was last asked: whole entries. What follows is written to `spare`,
/// whose memory it keeps and whose content it forgets.
pub fn take_entries(mut spare: Vec<u8>) -> Vec<u8> {
    TAKING
        .with_borrow_mut(|taking| {
            spare.clear();
            taking.as_mut().map(|taking| core::mem::replace(&mut taking.pen.out, spare))
        })
        .unwrap_or_default()
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
    /// Takes up what was come upon within entries: it is gone on with first.
    fn take_up(&mut self) {
        // The first one of them last, which is where the next one is taken from.
        for map in self.pen.begun.drain(..).rev() {
            self.order.push(map.way);
            self.maps.insert(map.way, map);
        }
    }

    /// The map that is gone on with.
    fn current(&mut self) -> Option<Map> {
        loop {
            match self.maps.get(self.order.last()?) {
                Some(map) => return Some(*map),
                None => drop(self.order.pop()),
            }
        }
    }

    /// Goes over about so many slots, unless so many bytes are written before; answers how many slots are
    /// left of them. `exclusive`: also those to which references may lead.
    ///
    /// # Safety
    /// The map lives; `exclusive`: nobody holds a reference to an entry of it.
    unsafe fn advance(&mut self, map: Map, slots: u64, bytes: usize, exclusive: bool) -> u64 {
        let (mut left, most) = (slots, self.pen.out.len().saturating_add(bytes));
        // SAFETY: the caller's promise.
        while left > 0 && self.pen.out.len() < most && unsafe { self.step(map, exclusive) } {
            left = left.saturating_sub(if slots == u64::MAX { 0 } else { STEP_SLOTS });
        }
        self.take_up();
        // SAFETY: as above.
        if unsafe { map.is_complete() } {
            self.maps.remove(&map.way);
            return 0;
        }
        left
    }

    /// [`STEP_SLOTS`] of them, fewer where entries are large. False when that was all.
    ///
    /// # Safety
    /// As for [`Taking::advance`].
    unsafe fn step(&mut self, map: Map, exclusive: bool) -> bool {
        let pen = &mut self.pen;
        let most = pen.out.len().saturating_add(STEP_BYTES);
        // SAFETY: the caller's promise; nobody else refers to the descriptors during the step. Slots that
        // a watch shows are full.
        unsafe {
            match map.way {
                Way::Watched(watch) => (*watch.as_ptr()).step(&mut |slot| {
                    pen.write(map.number, map.ty, slot);
                    pen.out.len() < most
                }),
                Way::Moving(at) => {
                    (*at.as_ptr()).step(&mut Entries(pen, map))
                        || exclusive && (*at.as_ptr()).merge(&mut Entries(pen, map))
                }
            }
        }
    }

    fn map_of(&self, way: Way) -> Option<Map> {
        self.maps.get(&way).copied()
    }
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
        let map = taking.map_of(Way::Moving(NonNull::new(at)?))?;
        // SAFETY: the caller's promise.
        let place = unsafe {
            (*at).touch(source as usize, index, hash, &mut Entries(&mut taking.pen, map))
        };
        taking.take_up();
        Some(place)
    })
}

/// The same for `ConversionTable::advance`.
///
/// # Safety
/// As there.
pub(crate) unsafe fn advance(at: *mut Conversion, slots: u64, exclusive: bool) -> bool {
    TAKING.with_borrow_mut(|taking| {
        let Some(taking) = taking else { return false };
        let way = NonNull::new(at).map(Way::Moving);
        let Some(map) = way.and_then(|way| taking.map_of(way)) else { return false };
        // SAFETY: the caller's promise.
        unsafe { taking.advance(map, slots, usize::MAX, exclusive) };
        true
    })
}

/// [`ConversionTable::write`](crate::collections::hash_map::conversion::ConversionTable::write).
///
/// # Safety
/// As there.
pub(crate) unsafe extern "C" fn write(at: *mut Watch, index: usize) {
    TAKING.with_borrow_mut(|taking| {
        let taking = taking.as_mut().expect("a watch that is not complete has its image");
        // SAFETY: typed code passes its map's watch and a full slot.
        unsafe {
            let map = taking.map_of(Way::Watched(NonNull::new_unchecked(at)));
            let map = map.expect("the image knows each of its watches");
            (*at).write(index, &mut |slot| taking.pen.write(map.number, map.ty, slot));
        }
        taking.take_up();
    });
}

/// [`ConversionTable::write_on`](crate::collections::hash_map::conversion::ConversionTable::write_on).
///
/// # Safety
/// As there.
pub(crate) unsafe extern "C" fn write_on(at: *mut Watch, slots: u64) {
    TAKING.with_borrow_mut(|taking| {
        let taking = taking.as_mut().expect("a watch that is not complete has its image");
        // SAFETY: typed code passes its map's watch; nothing moves.
        unsafe {
            let map = taking.map_of(Way::Watched(NonNull::new_unchecked(at)));
            let map = map.expect("the image knows each of its watches");
            let bytes = if slots == u64::MAX { usize::MAX } else { PAID_BYTES };
            let left = taking.advance(map, slots, bytes, true);
            if left > 0 {
                (*at).owe(left);
            }
        }
    });
}
