//! A vector whose element type is known by its layout only. For [`crate::reflect`].

use core::alloc::Layout;
use core::ptr::NonNull;

use super::Vec;
use crate::heap;

/// The header, which is the same for all elements.
type Header = Vec<u8>;

/// The first element, and how many there are.
///
/// # Safety
/// `at` is a vector.
pub unsafe fn content(at: *mut u8) -> (*mut u8, usize) {
    // SAFETY: the caller's promise.
    unsafe { ((*at.cast::<Header>()).ptr.as_ptr(), (*at.cast::<Header>()).len) }
}

/// Visits the elements in order.
///
/// # Safety
/// `at` is a vector of elements of this layout.
pub unsafe fn each(at: *mut u8, element: Layout, visit: impl FnMut(*mut u8)) {
    // SAFETY: the caller's promise: the elements lie side by side.
    unsafe {
        let (items, len) = content(at);
        (0..len).map(|i| items.add(i * element.size())).for_each(visit);
    }
}

/// Frees the block; the elements are dropped or moved out.
///
/// # Safety
/// `at` is a vector of elements of this layout, and is not used afterwards.
pub unsafe fn free(at: *mut u8, element: Layout) {
    // SAFETY: the caller's promise: the block has `cap` elements, and is none where that is no size.
    unsafe {
        let header = &*at.cast::<Header>();
        heap::free(header.ptr, block(element, header.cap));
    }
}

/// Makes a vector of `len` elements, which the caller fills in where the answer points.
///
/// # Safety
/// `at` has room for a vector.
pub unsafe fn allocate(at: *mut u8, element: Layout, len: usize) -> *mut u8 {
    let cap = if element.size() == 0 { 0 } else { len };
    let items = heap::alloc(block(element, cap));
    // SAFETY: the caller's promise.
    unsafe {
        let header = at.cast::<Header>();
        (&raw mut (*header).ptr).write(items);
        (&raw mut (*header).len).write(len);
        (&raw mut (*header).cap).write(cap);
    }
    items.as_ptr()
}

fn block(element: Layout, cap: usize) -> Layout {
    let size = element.size().checked_mul(cap).expect("capacity overflow");
    Layout::from_size_align(size, element.align()).expect("capacity overflow")
}

/// The block of a vector, with its layout.
///
/// # Safety
/// `at` is a vector of elements of this layout.
pub unsafe fn block_of(at: *mut u8, element: Layout) -> (NonNull<u8>, Layout) {
    // SAFETY: the caller's promise.
    let header = unsafe { &*at.cast::<Header>() };
    (header.ptr, block(element, header.cap))
}

/// Sets the length.
///
/// # Safety
/// `at` is a vector whose first `len` elements are written.
pub unsafe fn set_len(at: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { (*at.cast::<Header>()).len = len };
}

/// Makes room for one more element at the end, which the caller writes where the answer points. O(1)
/// amortized.
///
/// # Safety
/// `at` is a vector of elements of this layout.
pub unsafe fn push(at: *mut u8, element: Layout) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe {
        let header = &mut *at.cast::<Header>();
        if element.size() > 0 && header.len == header.cap {
            let cap = (header.cap * 2).max(4);
            let size = block(element, cap).size();
            header.ptr = heap::realloc(header.ptr, block(element, header.cap), size);
            header.cap = cap;
        }
        header.len += 1;
        header.ptr.as_ptr().add((header.len - 1) * element.size())
    }
}
