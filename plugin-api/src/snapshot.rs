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

mod follow;

use core::ptr::NonNull;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use self::follow::{Entries, Follow, Pen, Way};
use crate::collections::btree_map::conversion::TreeConversion;
use crate::collections::hash_map::conversion::{Conversion, Place, STEP_SLOTS};
use crate::collections::hash_map::watch::Watch;
use crate::reflect::{Reflect, Sink};
use crate::schema::Schema;

/// So many bytes in one step are enough, however few entries they are: some ten microseconds' work.
const STEP_BYTES: usize = 32 << 10;
/// What an insert has written at most.
const PAID_BYTES: usize = 256 << 10;

thread_local! {
    static TAKING: RefCell<Option<Taking>> = const { RefCell::new(None) };
}

/// An image that is being taken.
struct Taking {
    /// Maps and trees that are not written to their end.
    maps: HashMap<Way, Follow>,
    /// The same, the one that is gone on with last; some are written meanwhile.
    order: Vec<Way>,
    pen: Pen,
    /// Tells how long the thread has been at work.
    worked: Clock,
    /// The longest that a call had to write at once.
    longest_in_call: Duration,
}

/// A clock that the shell has: how long the calling thread has been at work, from any moment on.
pub type Clock = fn() -> Duration;

/// Says what memory [`begin`] is going to ask for, so that the heap has it ready. O(what is not in large
/// maps).
///
/// # Safety
/// As for [`begin`].
pub unsafe fn announce(schema: &Schema, root: *mut u8) {
    let reflect = Reflect::new(schema);
    let mut leave = |left| {
        // SAFETY: the caller's promise.
        unsafe { follow::announce(&reflect, left) };
        true
    };
    // SAFETY: the caller's promise.
    unsafe { reflect.write_outline(schema.root, root, &mut Nowhere, &mut leave) };
}

/// Takes an outline that nobody wants.
struct Nowhere;

impl Sink for Nowhere {
    fn put(&mut self, _: &[u8]) {}
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
pub unsafe fn begin(schema: &Arc<Schema>, root: *mut u8, worked: Clock) -> Vec<u8> {
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
        let mut pen = Pen::new(reflect, Arc::clone(schema), left.len());
        for (number, left) in left.into_iter().enumerate() {
            // SAFETY: the caller's promise; nobody refers to the map.
            unsafe { pen.begin(number, left) };
        }
        let mut begun = Taking {
            maps: HashMap::new(),
            order: Vec::new(),
            pen,
            worked,
            longest_in_call: Duration::ZERO,
        };
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

/// The longest that a call of the plugin has had to write at once so far, since it was going to change that;
/// by the clock that [`begin`] was given. Where it was no more than a few entries it does not count.
pub fn longest_in_call() -> Duration {
    TAKING.with_borrow(|taking| {
        taking.as_ref().map_or(Duration::ZERO, |taking| taking.longest_in_call)
    })
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
    fn current(&mut self) -> Option<Follow> {
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
    unsafe fn advance(&mut self, map: Follow, slots: u64, bytes: usize, exclusive: bool) -> u64 {
        let (mut left, most) = (slots, self.pen.out.len().saturating_add(bytes));
        // SAFETY: the caller's promise.
        while left > 0 && self.pen.out.len() < most && unsafe { self.step(map, exclusive) } {
            left = left.saturating_sub(if slots == u64::MAX { 0 } else { STEP_SLOTS });
        }
        if self.end_step(&map) { left } else { 0 }
    }

    /// Takes up what was come upon, and forgets a map that is complete, which may go at once. Answers whether
    /// some of it is left.
    fn end_step(&mut self, map: &Follow) -> bool {
        self.take_up();
        // SAFETY: its descriptor goes when the image has forgotten it.
        let complete = unsafe { map.is_complete() };
        if complete {
            self.maps.remove(&map.way);
        }
        !complete
    }

    /// [`STEP_SLOTS`] of them, fewer where entries are large. False when that was all.
    ///
    /// # Safety
    /// As for [`Taking::advance`].
    unsafe fn step(&mut self, map: Follow, exclusive: bool) -> bool {
        let pen = &mut self.pen;
        let most = pen.out.len().saturating_add(STEP_BYTES);
        // SAFETY: the caller's promise; nobody else refers to the descriptors during the step. Slots that
        // a watch shows are full.
        unsafe {
            match map.way {
                Way::Watched(watch) => (*watch.as_ptr()).step(&mut |slot| {
                    pen.write_slot(&map, slot);
                    pen.out.len() < most
                }),
                Way::Moving(at) => {
                    (*at.as_ptr()).step(&mut Entries(pen, map))
                        || exclusive && (*at.as_ptr()).merge(&mut Entries(pen, map))
                }
                Way::Leaves(at) => {
                    let Some(tree) = self.maps.get_mut(&map.way) else { return false };
                    tree.step_leaf(&mut *at.as_ptr(), pen)
                }
            }
        }
    }

    fn map_of(&self, way: Way) -> Option<Follow> {
        self.maps.get(&way).copied()
    }
}

/// Does what a call of the plugin asks of the image, if one is taken. Notes how long it took where that was
/// more than a few entries: of those, what takes long is not their writing.
fn in_call<R>(work: impl FnOnce(Option<&mut Taking>) -> R) -> R {
    TAKING.with_borrow_mut(|taking| {
        let begun = taking.as_ref().map(|taking| ((taking.worked)(), taking.pen.out.len()));
        let done = work(taking.as_mut());
        if let (Some(taking), Some((at, before))) = (taking, begun)
            && taking.pen.out.len() > before + STEP_BYTES
        {
            let took = (taking.worked)().saturating_sub(at);
            taking.longest_in_call = taking.longest_in_call.max(took);
        }
        done
    })
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
    in_call(|taking| {
        let taking = taking?;
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
    in_call(|taking| {
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
    in_call(|taking| {
        let taking = taking.expect("a watch that is not complete has its image");
        // SAFETY: typed code passes its map's watch and a full slot.
        unsafe {
            let map = taking.map_of(Way::Watched(NonNull::new_unchecked(at)));
            let map = map.expect("the image knows each of its watches");
            (*at).write(index, &mut |slot| taking.pen.write_slot(&map, slot));
        }
        taking.take_up();
    });
}

/// [`ConversionTable::write_on`](crate::collections::hash_map::conversion::ConversionTable::write_on).
///
/// # Safety
/// As there.
pub(crate) unsafe extern "C" fn write_on(at: *mut Watch, slots: u64) {
    in_call(|taking| {
        let taking = taking.expect("a watch that is not complete has its image");
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

/// [`ConversionTable::leaf`](crate::collections::hash_map::conversion::ConversionTable::leaf), if the
/// conversion is one of an image.
///
/// # Safety
/// As there.
pub(crate) unsafe fn leaf(at: *mut TreeConversion, parent: *mut u8, child: usize) -> bool {
    in_call(|taking| {
        let Some(taking) = taking else { return false };
        let way = NonNull::new(at).map(Way::Leaves);
        let Some(tree) = way.and_then(|way| taking.map_of(way)) else { return false };
        // SAFETY: typed code passes its tree's conversion, and a lowest inner node of it.
        unsafe {
            tree.write_leaf(&mut *at, parent, child, &mut taking.pen);
        }
        taking.end_step(&tree);
        true
    })
}

/// The same for `ConversionTable::end_tree`, of one that is not complete.
///
/// # Safety
/// As there.
pub(crate) unsafe fn end_tree(at: *mut TreeConversion) {
    in_call(|taking| {
        let Some(taking) = taking else { return };
        let way = NonNull::new(at).map(Way::Leaves);
        if let Some(tree) = way.and_then(|way| taking.map_of(way)) {
            // SAFETY: typed code borrows the tree exclusively.
            unsafe { taking.advance(tree, u64::MAX, usize::MAX, true) };
        }
    });
}
