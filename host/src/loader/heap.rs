//! A heap table that any thread may use, over the process's allocator: for the handshake, which is
//! not on an engine's thread, and for the vet child, which has no engine.

use std::alloc::Layout;

use hotshell_plugin_api::heap::HeapTable;

/// The table.
pub(super) fn table() -> *const HeapTable {
    static TABLE: HeapTable = HeapTable {
        size: size_of::<HeapTable>() as u32,
        reserved: 0,
        alloc,
        alloc_zeroed,
        realloc,
        free,
        discard,
        random,
        conversions: hotshell_plugin_api::migrate::drains::table,
        advise,
    };
    &raw const TABLE
}

unsafe extern "C" fn alloc(size: usize, align: usize) -> *mut u8 {
    // SAFETY: callers of the table pass a size that is not zero and a valid alignment.
    unsafe { std::alloc::alloc(Layout::from_size_align_unchecked(size, align)) }
}

unsafe extern "C" fn alloc_zeroed(size: usize, align: usize) -> *mut u8 {
    // SAFETY: as in `alloc`.
    unsafe { std::alloc::alloc_zeroed(Layout::from_size_align_unchecked(size, align)) }
}

unsafe extern "C" fn realloc(ptr: *mut u8, old: usize, new: usize, align: usize) -> *mut u8 {
    // SAFETY: callers pass a block of this heap with its layout.
    unsafe { std::alloc::realloc(ptr, Layout::from_size_align_unchecked(old, align), new) }
}

/// Gives a block back.
///
/// # Safety
/// The block came from this heap with this size and alignment.
pub(super) unsafe extern "C" fn free(ptr: *mut u8, size: usize, align: usize) {
    // SAFETY: the caller's promise.
    unsafe { std::alloc::dealloc(ptr, Layout::from_size_align_unchecked(size, align)) }
}

unsafe extern "C" fn discard(_: *mut u8, _: usize, _: usize, _: usize) {}

unsafe extern "C" fn advise(_: *mut u8, _: usize, _: u32) {}

/// 64 unpredictable bits.
pub(super) unsafe extern "C" fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0_u8)
}
