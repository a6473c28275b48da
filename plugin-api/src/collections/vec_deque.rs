//! A double-ended queue in blocks, so that growth never copies its elements.
//!
//! Format 1. Up to one block of elements (about 4 KiB, a power of two of them) lie in a small ring that
//! doubles as it grows. A longer queue is chunked: `base` is a ring of pointers to full-size blocks.
//!
//! | `chunked` | `base` | `cap` | position `p` is in |
//! |---|---|---|---|
//! | 0 | the ring, or null | its slots: 0, or a power of two up to `BLOCK` | slot `p % cap` |
//! | 1 | the directory | its entries: a power of two | block `p / BLOCK % cap`, slot `p % BLOCK` |
//!
//! Element `i` is at position `head + i`. In a chunked queue, which is never empty, exactly the entries
//! of blocks with elements are not null, no block is both the first and, wrapped around, the last, and
//! `spare` may keep one free block, so that a queue that breathes over a block's edge takes no memory.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::{needs_drop, take};
use core::ptr;
use core::slice;

use abi_stable::StableAbi;

use crate::heap;
use crate::schema::{Kind, SchemaBuilder, TypeDef, mix};
use crate::state::StateType;

mod edit;
pub(crate) mod erased;
mod iter;
mod memory;
mod traits;

pub use iter::{Drain, IntoIter, Iter, IterMut};

/// Format number of [`VecDeque`]; raised with its layout or invariants.
pub const FORMAT: u32 = 1;

/// Bytes of elements in a block.
const BLOCK_BYTES: usize = 4096;
/// Entries of the first directory.
const FIRST_DIRECTORY: usize = 4;

/// A double-ended queue, as std's `VecDeque`, whose layout is the same for every compiler: 40 bytes.
///
/// Pushing and popping at both ends and indexing are O(1). Growth takes one more block of about 4 KiB
/// and moves no element once the queue fills a block; only the list of blocks is copied when it
/// doubles: 8 bytes per 4 KiB of elements. So no push stops the engine.
///
/// The elements lie in many blocks, so there is no `as_slices` and no `make_contiguous`: two slices
/// do not cover them, and laying them side by side would copy them all at once. [`VecDeque::chunks`]
/// gives the slices there are. There is no `capacity` either, for blocks come one at a time.
///
/// A queue belongs to the unit that holds it: when a swap changes the shape of its elements, all of
/// them are converted together, which is O(n).
#[repr(C)]
#[derive(StableAbi)]
pub struct VecDeque<T> {
    base: *mut u8,
    spare: *mut u8,
    head: usize,
    len: usize,
    cap: u32,
    chunked: u32,
    owns: PhantomData<T>,
}

const _: () = assert!(size_of::<VecDeque<u8>>() == 40);

// SAFETY: owning pointers to state types on the state heap, and numbers.
unsafe impl<T: StateType> StateType for VecDeque<T> {
    const FINGERPRINT: u64 = mix(mix(Kind::VecDeque as u64, FORMAT as u64), T::FINGERPRINT);
    fn describe(schema: &mut SchemaBuilder) -> TypeDef {
        let element = schema.add::<T>();
        TypeDef::collection(Kind::VecDeque, FORMAT, vec![element])
    }
}

/// log2 of the elements of this many bytes in a block.
const fn shift(size: usize) -> u32 {
    match size {
        0 => BLOCK_BYTES.ilog2(),
        1..=BLOCK_BYTES => (BLOCK_BYTES / size).ilog2(),
        _ => 0,
    }
}

impl<T> VecDeque<T> {
    /// log2 of the elements in a block.
    const SHIFT: u32 = shift(size_of::<T>());
    /// Elements in a block: a power of two.
    const BLOCK: usize = 1 << Self::SHIFT;

    /// An empty queue; takes no memory.
    #[inline]
    pub const fn new() -> Self {
        Self {
            base: ptr::null_mut(),
            spare: ptr::null_mut(),
            head: 0,
            len: 0,
            cap: 0,
            chunked: 0,
            owns: PhantomData,
        }
    }

    /// An empty queue, with room for up to a block of `capacity` elements.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut new = Self::new();
        new.reserve(capacity);
        new
    }

    /// Elements in it. O(1).
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Slots that lie side by side: those of the ring, or of one block.
    #[inline(always)]
    fn unit(&self) -> usize {
        if self.chunked == 0 { self.cap as usize } else { Self::BLOCK }
    }

    /// Where the element `index` lies inside its unit.
    #[inline(always)]
    fn offset(&self, index: usize) -> usize {
        (self.head + index) & (self.unit() - 1)
    }

    /// The directory entry for the position of `index`.
    #[inline(always)]
    fn entry(&self, index: usize) -> *mut *mut T {
        debug_assert!(self.chunked == 1);
        let block = ((self.head + index) >> Self::SHIFT) & (self.cap as usize - 1);
        // SAFETY: a chunked queue's base is a directory of `cap` entries.
        unsafe { self.base.cast::<*mut T>().add(block) }
    }

    /// The slot of element `index`.
    ///
    /// # Safety
    /// There is a slot: `index < len`, or room was made for it.
    #[inline(always)]
    unsafe fn slot(&self, index: usize) -> *mut T {
        // SAFETY: the caller's promise: the ring has slots, or the entry's block exists.
        unsafe {
            if self.chunked == 0 {
                self.base.cast::<T>().add(self.offset(index))
            } else {
                (*self.entry(index)).add((self.head + index) & (Self::BLOCK - 1))
            }
        }
    }

    /// How many of the elements `index..end` lie side by side from `index` on.
    #[inline]
    fn run(&self, index: usize, end: usize) -> usize {
        if index == end { 0 } else { (end - index).min(self.unit() - self.offset(index)) }
    }

    /// Blocks with elements, of a chunked queue.
    fn blocks(&self) -> usize {
        let first = self.head >> Self::SHIFT;
        if self.len == 0 { 0 } else { ((self.head + self.len - 1) >> Self::SHIFT) - first + 1 }
    }

    fn ring(slots: usize) -> Layout {
        Layout::array::<T>(slots).expect("capacity overflow")
    }

    fn directory(entries: usize) -> Layout {
        Layout::array::<*mut T>(entries).expect("capacity overflow")
    }

    /// The slot behind the last element, which becomes one.
    #[inline]
    fn open_back(&mut self) -> *mut T {
        if self.chunked == 0 && self.len == self.cap as usize {
            self.grow_ring(1);
        }
        if self.chunked == 1 && self.offset(self.len) == 0 {
            self.make_entry();
            self.add_block(self.len);
        }
        self.len += 1;
        // SAFETY: the ring has a free slot, or the block at the new position exists now.
        unsafe { self.slot(self.len - 1) }
    }

    /// The slot before the first element, which becomes one.
    #[inline]
    fn open_front(&mut self) -> *mut T {
        if self.chunked == 0 && self.len == self.cap as usize {
            self.grow_ring(1);
        }
        if self.chunked == 1 && self.offset(0) == 0 {
            self.make_entry();
            self.head = self.step_back();
            self.add_block(0);
        } else {
            self.head = self.step_back();
        }
        self.len += 1;
        // SAFETY: as in `open_back`.
        unsafe { self.slot(0) }
    }

    /// The position before `head`.
    fn step_back(&self) -> usize {
        self.head.wrapping_sub(1) & (self.unit().max(1) * self.units() - 1)
    }

    /// Units that `base` has: one ring, or the directory's entries.
    fn units(&self) -> usize {
        if self.chunked == 0 { 1 } else { self.cap as usize }
    }

    /// Gives the last element up; its slot holds nothing any more.
    #[inline]
    fn close_back(&mut self) {
        self.len -= 1;
        if self.chunked == 1 && (self.len == 0 || self.offset(self.len) == 0) {
            self.drop_block(self.len);
        }
    }

    /// Gives the first element up; its slot holds nothing any more.
    #[inline]
    fn close_front(&mut self) {
        self.len -= 1;
        if self.chunked == 1 && (self.len == 0 || self.offset(1) == 0) {
            self.drop_block(0);
        }
        if self.cap != 0 {
            self.head = (self.head + 1) & (self.unit() * self.units() - 1);
        }
    }

    /// Makes room for `additional` more while the queue fits one block; beyond that blocks come one at
    /// a time anyway.
    pub fn reserve(&mut self, additional: usize) {
        let room = self.cap as usize - self.len.min(self.cap as usize);
        if self.chunked == 0 && additional > room && (self.cap as usize) < Self::BLOCK {
            self.grow_ring(additional.min(Self::BLOCK - self.len));
        }
    }

    /// Gives unused memory back; a queue of at most one block becomes a small ring again. O(1) for
    /// others, but for their list of blocks.
    pub fn shrink_to_fit(&mut self) {
        self.free_spare();
        let slots = if self.len == 0 { 0 } else { self.len.next_power_of_two() };
        if self.len <= Self::BLOCK && (self.chunked == 1 || slots < self.cap as usize) {
            let mut small = Self::new();
            if slots > 0 {
                let ring = heap::alloc(Self::ring(slots)).as_ptr();
                // SAFETY: the ring has room; the elements are moved, for `free_all` drops none.
                unsafe { self.move_to(ring.cast()) };
                (small.base, small.cap, small.len) = (ring, slots as u32, self.len);
            }
            self.free_all();
            // SAFETY: the old header owns nothing any more.
            unsafe { ptr::write(self, small) };
        } else if self.chunked == 1 {
            let entries = self.blocks().next_power_of_two().max(FIRST_DIRECTORY);
            if entries < self.cap as usize {
                self.set_directory(entries);
            }
        }
    }

    /// The elements in slices, front to back; together they are the whole queue.
    pub fn chunks(&self) -> impl Iterator<Item = &[T]> {
        let mut at = 0;
        core::iter::from_fn(move || {
            let run = self.run(at, self.len);
            // SAFETY: a run of initialised elements, borrowed with `self`.
            let chunk = (run > 0).then(|| unsafe { slice::from_raw_parts(self.slot(at), run) });
            at += run;
            chunk
        })
    }

    /// Drops all elements. O(n), or O(blocks) for elements that need no drop.
    pub fn clear(&mut self) {
        if self.chunked == 0 && !needs_drop::<T>() {
            self.len = 0;
            self.head = 0;
        } else {
            drop(take(self));
        }
    }
}

impl<T> Drop for VecDeque<T> {
    fn drop(&mut self) {
        /// Frees the memory also when an element's drop panics.
        struct Memory<'a, T>(&'a mut VecDeque<T>);
        impl<T> Drop for Memory<'_, T> {
            fn drop(&mut self) {
                self.0.free_all();
            }
        }
        let memory = Memory(self);
        let mut at = 0;
        while needs_drop::<T>() && at < memory.0.len {
            let run = memory.0.run(at, memory.0.len);
            // SAFETY: a run of initialised elements that are never used again.
            unsafe { ptr::slice_from_raw_parts_mut(memory.0.slot(at), run).drop_in_place() };
            at += run;
        }
    }
}
