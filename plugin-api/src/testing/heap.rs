//! The state heap of a test: `std::alloc`, counted per thread.

use core::alloc::Layout;
use std::cell::Cell;

use crate::heap::HeapTable;
use crate::testing::clock;

thread_local! {
    static HEAP_BYTES: Cell<i64> = const { Cell::new(0) };
}

/// Bytes this thread has taken from the state heap, less those it gave back.
pub(super) fn heap_bytes() -> i64 {
    HEAP_BYTES.get()
}

pub(super) static HEAP: HeapTable = HeapTable {
    size: size_of::<HeapTable>() as u32,
    reserved: 0,
    alloc: heap_alloc,
    alloc_zeroed: heap_alloc_zeroed,
    realloc: heap_realloc,
    free: heap_free,
    discard: heap_discard,
    random: clock::random,
    conversions: crate::migrate::drains::table,
    advise: heap_advise,
};

fn counted(bytes: i64) {
    HEAP_BYTES.set(HEAP_BYTES.get() + bytes);
}

unsafe extern "C" fn heap_alloc(size: usize, align: usize) -> *mut u8 {
    counted(size as i64);
    // SAFETY: callers of the table pass a size that is not zero and a valid alignment.
    unsafe { std::alloc::alloc(Layout::from_size_align_unchecked(size, align)) }
}

unsafe extern "C" fn heap_alloc_zeroed(size: usize, align: usize) -> *mut u8 {
    counted(size as i64);
    // SAFETY: as in `heap_alloc`.
    unsafe { std::alloc::alloc_zeroed(Layout::from_size_align_unchecked(size, align)) }
}

unsafe extern "C" fn heap_realloc(ptr: *mut u8, old: usize, new: usize, align: usize) -> *mut u8 {
    counted(new as i64 - old as i64);
    // SAFETY: callers pass a block of this heap with its layout.
    unsafe { std::alloc::realloc(ptr, Layout::from_size_align_unchecked(old, align), new) }
}

unsafe extern "C" fn heap_free(ptr: *mut u8, size: usize, align: usize) {
    counted(-(size as i64));
    // SAFETY: callers pass a block of this heap with its layout.
    unsafe { std::alloc::dealloc(ptr, Layout::from_size_align_unchecked(size, align)) }
}

unsafe extern "C" fn heap_discard(_: *mut u8, _: usize, _: usize, _: usize) {}

unsafe extern "C" fn heap_advise(_: *mut u8, _: usize, _: u32) {}
