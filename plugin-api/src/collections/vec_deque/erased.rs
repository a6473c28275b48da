//! A queue whose element type is known by its layout only. For [`crate::reflect`].

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use super::{FIRST_DIRECTORY, VecDeque, shift};
use crate::heap;

/// The header, which is the same for all elements.
type Header = VecDeque<u8>;

/// Elements in it.
///
/// # Safety
/// `at` is a queue.
pub unsafe fn len(at: *mut u8) -> usize {
    // SAFETY: the caller's promise.
    unsafe { (*at.cast::<Header>()).len }
}

/// Visits the elements in order.
///
/// # Safety
/// `at` is a queue of elements of this layout.
pub unsafe fn each(at: *mut u8, element: Layout, visit: impl FnMut(*mut u8)) {
    // SAFETY: the caller's promise.
    unsafe { (0..len(at)).map(|i| slot(at, element, i)).for_each(visit) }
}

/// Where element `index` lies.
///
/// # Safety
/// `at` is a queue of elements of this layout, and the slot of element `index` has memory.
pub(crate) unsafe fn slot(at: *mut u8, element: Layout, index: usize) -> *mut u8 {
    let shift = shift(element.size());
    // SAFETY: the caller's promise; see the table in the parent module.
    unsafe {
        let header = &*at.cast::<Header>();
        let position = header.head + index;
        let cap = header.cap as usize;
        if header.chunked == 0 {
            return header.base.add((position & (cap - 1)) * element.size());
        }
        let block = *header.base.cast::<*mut u8>().add((position >> shift) & (cap - 1));
        block.add((position & ((1 << shift) - 1)) * element.size())
    }
}

/// Frees ring, blocks and directory; the elements are dropped or moved out.
///
/// # Safety
/// `at` is a queue of elements of this layout, and is not used afterwards.
pub unsafe fn free(at: *mut u8, element: Layout) {
    let shift = shift(element.size());
    // SAFETY: the caller's promise: blocks and rings have these layouts.
    unsafe {
        let header = &*at.cast::<Header>();
        let cap = header.cap as usize;
        if let Some(spare) = NonNull::new(header.spare) {
            heap::free(spare, ring(element, 1 << shift));
        }
        let Some(base) = NonNull::new(header.base) else { return };
        if header.chunked == 0 {
            return heap::free(base, ring(element, cap));
        }
        for entry in 0..cap {
            if let Some(block) = NonNull::new(*base.cast::<*mut u8>().as_ptr().add(entry)) {
                heap::free(block, ring(element, 1 << shift));
            }
        }
        heap::free(base, directory(cap));
    }
}

/// A queue that is being made.
pub struct Builder {
    at: *mut u8,
    element: Layout,
}

impl Builder {
    /// A queue of `len` elements, each of which the caller fills in, in order.
    ///
    /// # Safety
    /// `at` has room for a queue.
    pub unsafe fn new(at: *mut u8, element: Layout, len: usize) -> Self {
        let block = 1 << shift(element.size());
        let chunked = len > block;
        let (base, cap) = if len == 0 {
            (ptr::null_mut(), 0)
        } else if chunked {
            let entries = len.div_ceil(block).next_power_of_two().max(FIRST_DIRECTORY);
            assert!(entries <= 1 << 31, "capacity overflow");
            (heap::alloc_zeroed(directory(entries)).as_ptr(), entries)
        } else {
            let few = if element.size() > 256 { 1 } else { 4 };
            let slots = len.next_power_of_two().max(few).min(block);
            (heap::alloc(ring(element, slots)).as_ptr(), slots)
        };
        let mut header = Header::new();
        (header.base, header.len, header.cap) = (base, len, cap as u32);
        header.chunked = u32::from(chunked);
        // SAFETY: the caller's promise.
        unsafe { at.cast::<Header>().write(header) };
        Self { at, element }
    }

    /// Where element `index` goes. To be called for each, in order.
    pub fn slot(&mut self, index: usize) -> *mut u8 {
        let shift = shift(self.element.size());
        // SAFETY: `new` wrote the header; a chunked queue gets each block with its first element, since
        // the first element is at position 0.
        unsafe {
            let header = &*self.at.cast::<Header>();
            if header.chunked == 1 && index & ((1 << shift) - 1) == 0 {
                let block = heap::alloc(ring(self.element, 1 << shift));
                *header.base.cast::<*mut u8>().add(index >> shift) = block.as_ptr();
            }
            slot(self.at, self.element, index)
        }
    }
}

impl Builder {
    /// Completes the queue with the first `len` elements, which are all that were asked for.
    pub fn finish(self, len: usize) {
        // SAFETY: `new` wrote the header; a chunked queue that stays empty has a directory only.
        unsafe {
            let header = &mut *self.at.cast::<Header>();
            header.len = len;
            if len == 0 {
                free(self.at, self.element);
                self.at.cast::<Header>().write(Header::new());
            }
        }
    }
}

fn ring(element: Layout, slots: usize) -> Layout {
    let size = element.size().checked_mul(slots).expect("capacity overflow");
    Layout::from_size_align(size, element.align()).expect("capacity overflow")
}

fn directory(entries: usize) -> Layout {
    Layout::array::<*mut u8>(entries).expect("capacity overflow")
}
