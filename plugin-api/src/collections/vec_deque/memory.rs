//! Rings, blocks and the directory of a [`VecDeque`]: how it takes and gives memory.

use core::ptr::{self, NonNull};

use super::{FIRST_DIRECTORY, VecDeque};
use crate::heap;

impl<T> VecDeque<T> {
    /// Makes a ring with room for `additional` more; a ring of a whole block becomes chunked.
    #[cold]
    #[inline(never)]
    pub(super) fn grow_ring(&mut self, additional: usize) {
        let few = if size_of::<T>() > 256 { 1 } else { 4 };
        let wanted = (self.len + additional).next_power_of_two().max(few).min(Self::BLOCK);
        if wanted > self.cap as usize || self.head != 0 {
            let ring = heap::alloc(Self::ring(wanted)).as_ptr().cast::<T>();
            // SAFETY: the new ring has room for all elements.
            unsafe {
                self.move_to(ring);
                self.free_ring();
            }
            self.base = ring.cast();
            self.cap = wanted as u32;
            self.head = 0;
        }
        if self.len + additional > Self::BLOCK {
            let directory = heap::alloc_zeroed(Self::directory(FIRST_DIRECTORY)).as_ptr();
            // SAFETY: the directory has entries; the ring starts at slot 0 and is a whole block.
            unsafe { directory.cast::<*mut u8>().write(self.base) };
            self.base = directory;
            self.cap = FIRST_DIRECTORY as u32;
            self.chunked = 1;
        }
    }

    /// Copies all elements side by side to `to`; the queue still thinks it has them.
    ///
    /// # Safety
    /// `to` has room for `len` elements.
    pub(super) unsafe fn move_to(&self, to: *mut T) {
        let mut at = 0;
        while at < self.len {
            let run = self.run(at, self.len);
            // SAFETY: the elements from `at` on are a run; the caller has room for them.
            unsafe { ptr::copy_nonoverlapping(self.slot(at), to.add(at), run) };
            at += run;
        }
    }

    /// # Safety
    /// The queue is not chunked; its ring is not used afterwards.
    pub(super) unsafe fn free_ring(&mut self) {
        if let Some(ring) = NonNull::new(self.base) {
            // SAFETY: the ring came from this heap with `cap` slots.
            unsafe { heap::free(ring, Self::ring(self.cap as usize)) };
        }
    }

    /// Makes sure that one more block has an entry.
    pub(super) fn make_entry(&mut self) {
        if self.blocks() == self.cap as usize {
            self.set_directory(self.cap as usize * 2);
        }
    }

    /// Moves the entries into a directory of `entries`, a power of two that has room for them.
    pub(super) fn set_directory(&mut self, entries: usize) {
        let (old, used) = (self.cap as usize, self.blocks());
        assert!(entries <= 1 << 31, "capacity overflow");
        debug_assert!(used <= entries);
        let first = (self.head >> Self::SHIFT) & (old - 1);
        let straight = used.min(old - first);
        let new = heap::alloc_zeroed(Self::directory(entries)).cast::<*mut T>().as_ptr();
        // SAFETY: both directories have room for `used` entries; the used ones start at `first` and
        // go on at 0.
        unsafe {
            let entry = self.base.cast::<*mut T>();
            ptr::copy_nonoverlapping(entry.add(first), new, straight);
            ptr::copy_nonoverlapping(entry, new.add(straight), used - straight);
            heap::free(NonNull::new_unchecked(self.base), Self::directory(old));
        }
        self.base = new.cast();
        self.cap = entries as u32;
        self.head &= Self::BLOCK - 1;
    }

    /// Puts a block at the position of `index`, which has none.
    #[cold]
    pub(super) fn add_block(&mut self, index: usize) {
        let spare = take_ptr(&mut self.spare);
        let block = match NonNull::new(spare) {
            Some(block) => block,
            None => heap::alloc(Self::ring(Self::BLOCK)),
        };
        // SAFETY: the caller made an entry, and it is the one next to those in use.
        unsafe { *self.entry(index) = block.as_ptr().cast() };
    }

    /// Takes the block at the position of `index` away, where no element is left. The last block of
    /// all becomes the ring of a small queue.
    #[cold]
    pub(super) fn drop_block(&mut self, index: usize) {
        // SAFETY: the entry's block exists, for its last element was just given up.
        let block = unsafe { self.entry(index).replace(ptr::null_mut()) }.cast::<u8>();
        if self.len == 0 {
            // SAFETY: the directory came from this heap with `cap` entries.
            unsafe {
                let directory = NonNull::new_unchecked(self.base);
                heap::free(directory, Self::directory(self.cap as usize));
            }
            self.base = block;
            self.cap = Self::BLOCK as u32;
            self.chunked = 0;
            self.head &= Self::BLOCK - 1;
            self.free_spare();
        } else if self.spare.is_null() {
            self.spare = block;
        } else {
            // SAFETY: blocks come from this heap with this layout; nobody points at this one.
            unsafe { heap::free(NonNull::new_unchecked(block), Self::ring(Self::BLOCK)) };
        }
    }

    pub(super) fn free_spare(&mut self) {
        if let Some(spare) = NonNull::new(take_ptr(&mut self.spare)) {
            // SAFETY: blocks come from this heap with this layout; the spare one is nobody else's.
            unsafe { heap::free(spare, Self::ring(Self::BLOCK)) };
        }
    }

    /// Frees all memory and leaves the elements undropped.
    pub(super) fn free_all(&mut self) {
        self.free_spare();
        if self.chunked == 1 {
            for block in 0..self.blocks() {
                // SAFETY: these are the entries in use; blocks come from this heap.
                unsafe {
                    let block = *self.entry(block << Self::SHIFT);
                    heap::free(NonNull::new_unchecked(block).cast(), Self::ring(Self::BLOCK));
                }
            }
            // SAFETY: the directory came from this heap with `cap` entries.
            unsafe {
                let directory = NonNull::new_unchecked(self.base);
                heap::free(directory, Self::directory(self.cap as usize));
            }
        } else {
            // SAFETY: the queue is given up.
            unsafe { self.free_ring() };
        }
    }
}

fn take_ptr(ptr: &mut *mut u8) -> *mut u8 {
    core::mem::replace(ptr, ptr::null_mut())
}
