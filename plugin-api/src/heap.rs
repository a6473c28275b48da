//! The state heap: where every byte of server state lives.
//!
//! The shell owns it. A plugin image reaches it through a [`HeapTable`] that the handshake installs
//! once per image, so memory that one version allocated is freed by the next one without either
//! knowing how. Outside a shell (unit tests, [`crate::testing`]) a table over [`std::alloc`] serves.
//!
//! Only the engine thread of the server that owns the image calls these functions, so the shell
//! counts bytes with plain counters.

use core::alloc::Layout;
use core::ffi::c_void;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::collections::hash_map::conversion::ConversionTable;
use crate::size_headed::size_headed;

size_headed!(HeapTable);

/// The shell's allocator, as functions of the C ABI. Size-headed: a newer shell may append fields.
///
/// Every function is `[engine]`: called on the engine thread only. Sizes are bytes and never zero;
/// alignments are powers of two up to 4096. A null answer means that memory ran out.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct HeapTable {
    /// Bytes of this table that the shell filled in.
    pub size: u32,
    /// Reserved, zero.
    pub reserved: u32,
    /// `[engine]` Memory of `size` bytes; its content is undefined. The caller owns it.
    pub alloc: unsafe extern "C" fn(size: usize, align: usize) -> *mut u8,
    /// `[engine]` The same, zeroed. From about 1 MiB on the pages are mapped on first touch, so the
    /// call takes the same time whatever the size.
    pub alloc_zeroed: unsafe extern "C" fn(size: usize, align: usize) -> *mut u8,
    /// `[engine]` Resizes `ptr` from `old` to `new` bytes, keeping the content up to the smaller one.
    /// Large blocks move page tables, not bytes. The old pointer is gone unless null came back.
    pub realloc:
        unsafe extern "C" fn(ptr: *mut u8, old: usize, new: usize, align: usize) -> *mut u8,
    /// `[engine]` Gives `ptr` back. Large blocks are unmapped later, in slices, off this thread.
    pub free: unsafe extern "C" fn(ptr: *mut u8, size: usize, align: usize),
    /// `[engine]` Gives back the whole pages inside `ptr[offset .. offset + len]` while the block stays
    /// allocated; the content of those pages is undefined afterwards. `size` is the block's size. A
    /// hint for small blocks, which ignore it.
    pub discard: unsafe extern "C" fn(ptr: *mut u8, size: usize, offset: usize, len: usize),
    /// `[any thread]` 64 unpredictable bits, for hash seeds.
    pub random: unsafe extern "C" fn() -> u64,
    /// `[engine]` What a map asks the shell for while its entries change their shape.
    pub conversions: unsafe extern "C" fn() -> *const c_void,
    /// `[engine]` Says how a block of `size` bytes is used from now on: a [`Usage`], of which some may be of a
    /// part, and some of a block that is not there yet: `ptr` is null then. A hint; the content stays, and
    /// the call takes the same time whatever the size.
    pub advise: unsafe extern "C" fn(ptr: *mut u8, size: usize, usage: u32),
}

/// How a block is used.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// It is filled little by little, and no single touch of it may take long: small pages. Not there yet:
    /// the next one of this size that is asked for.
    Gradual = 0,
    /// It is looked at all over: the shell may move it to large pages, off this thread.
    Whole = 1,
    /// It is being emptied: nothing that was begun for it is worth going on with.
    Leaving = 2,
    /// This part of a block is going to be written: the shell may get its pages ready, off this thread. Not
    /// there yet: a [`Usage::Gradual`] one of this size is going to be asked for.
    Soon = 3,
}

static TABLE: AtomicPtr<HeapTable> = AtomicPtr::new(core::ptr::from_ref(&STD_HEAP).cast_mut());

/// Installs the shell's heap for this image.
///
/// # Safety
/// `table` outlives the image, is at least `size_of::<HeapTable>()` bytes, and no memory was taken
/// from the previous table (Invariant: state memory the shell did not allocate).
pub unsafe fn install(table: *const HeapTable) {
    TABLE.store(table.cast_mut(), Ordering::Release);
}

#[inline(always)]
fn table() -> &'static HeapTable {
    // SAFETY: the pointer is either the static fallback or one that `install`'s caller promised to
    // keep alive; it is written once, before any state exists. x86 loads are acquire anyway.
    unsafe { &*TABLE.load(Ordering::Relaxed) }
}

/// Allocates `layout.size()` bytes of state memory. A zero size answers a dangling, aligned pointer.
///
/// Aborts through [`std::alloc::handle_alloc_error`] when memory runs out, as std's collections do.
#[inline]
pub fn alloc(layout: Layout) -> NonNull<u8> {
    if layout.size() == 0 {
        return dangling(layout);
    }
    // SAFETY: the size is not zero and the alignment comes from a valid `Layout`.
    let ptr = unsafe { (table().alloc)(layout.size(), layout.align()) };
    NonNull::new(ptr).unwrap_or_else(|| std::alloc::handle_alloc_error(layout))
}

/// [`alloc`], zeroed.
#[inline]
pub fn alloc_zeroed(layout: Layout) -> NonNull<u8> {
    if layout.size() == 0 {
        return dangling(layout);
    }
    // SAFETY: as in `alloc`.
    let ptr = unsafe { (table().alloc_zeroed)(layout.size(), layout.align()) };
    NonNull::new(ptr).unwrap_or_else(|| std::alloc::handle_alloc_error(layout))
}

/// Resizes a block that [`alloc`] or [`realloc`] gave.
///
/// # Safety
/// `ptr` came from this heap with the layout `old`; `new_size`, rounded up to `old.align()`, does not
/// overflow `isize`. The old pointer is not used afterwards.
#[inline]
pub unsafe fn realloc(ptr: NonNull<u8>, old: Layout, new_size: usize) -> NonNull<u8> {
    // SAFETY: the caller keeps `Layout`'s rules for `new_size`.
    let new = unsafe { Layout::from_size_align_unchecked(new_size, old.align()) };
    if old.size() == 0 {
        return alloc(new);
    }
    if new_size == 0 {
        // SAFETY: the caller's promise about `ptr` and `old`.
        unsafe { free(ptr, old) };
        return dangling(new);
    }
    // SAFETY: both sizes are not zero; the rest is the caller's promise.
    let moved = unsafe { (table().realloc)(ptr.as_ptr(), old.size(), new_size, old.align()) };
    NonNull::new(moved).unwrap_or_else(|| std::alloc::handle_alloc_error(new))
}

/// Frees a block of this heap.
///
/// # Safety
/// `ptr` came from this heap with exactly this layout and is not used afterwards.
#[inline]
pub unsafe fn free(ptr: NonNull<u8>, layout: Layout) {
    if layout.size() != 0 {
        // SAFETY: the caller's promise; the size is not zero.
        unsafe { (table().free)(ptr.as_ptr(), layout.size(), layout.align()) }
    }
}

/// Gives back the pages inside `offset .. offset + len` of a block that stays allocated.
///
/// # Safety
/// `ptr` came from this heap with this layout; the range lies inside it and holds nothing that is
/// read before it is written again.
#[inline]
pub unsafe fn discard(ptr: NonNull<u8>, layout: Layout, offset: usize, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { (table().discard)(ptr.as_ptr(), layout.size(), offset, len) }
}

/// Says how a block is used from now on. A shell from before there was this function does nothing.
///
/// # Safety
/// `ptr` came from this heap with this layout, or is a part of such a block.
#[inline]
pub unsafe fn advise(ptr: NonNull<u8>, layout: Layout, usage: Usage) {
    // SAFETY: the caller's promise.
    unsafe { tell(ptr.as_ptr(), layout, usage) }
}

/// Says how a block is going to be used that is not there yet.
#[inline]
pub(crate) fn announce(layout: Layout, usage: Usage) {
    // SAFETY: there is no block that something could be done to.
    unsafe { tell(core::ptr::null_mut(), layout, usage) }
}

/// # Safety
/// As for [`advise`]; or null.
unsafe fn tell(ptr: *mut u8, layout: Layout, usage: Usage) {
    let table = table();
    let end = core::mem::offset_of!(HeapTable, advise) + size_of::<usize>();
    if table.size as usize >= end {
        // SAFETY: the caller's promise.
        unsafe { (table.advise)(ptr, layout.size(), usage as u32) }
    }
}

/// What maps under conversion ask of the shell.
pub(crate) fn conversions() -> &'static ConversionTable {
    let table = table();
    let end = core::mem::offset_of!(HeapTable, conversions) + size_of::<usize>();
    assert!(table.size as usize >= end, "a shell that converts maps offers what they ask for");
    // SAFETY: a newer shell's table is a longer one of the same beginning, and lives as long.
    unsafe { &*(table.conversions)().cast::<ConversionTable>() }
}

/// 64 unpredictable bits from the shell, for hash seeds.
pub fn random() -> u64 {
    // SAFETY: the function takes nothing and may be called from any thread.
    unsafe { (table().random)() }
}

#[inline(always)]
fn dangling(layout: Layout) -> NonNull<u8> {
    // SAFETY: an alignment is never zero.
    unsafe { NonNull::new_unchecked(core::ptr::without_provenance_mut(layout.align())) }
}

/// The fallback over [`std::alloc`], for plugins that run without a shell.
static STD_HEAP: HeapTable = HeapTable {
    size: size_of::<HeapTable>() as u32,
    reserved: 0,
    alloc: std_alloc,
    alloc_zeroed: std_alloc_zeroed,
    realloc: std_realloc,
    free: std_free,
    discard: std_discard,
    random: std_random,
    conversions: crate::migrate::drains::table,
    advise: std_advise,
};

unsafe extern "C" fn std_alloc(size: usize, align: usize) -> *mut u8 {
    // SAFETY: callers of the table pass a size that is not zero and a valid alignment.
    unsafe { std::alloc::alloc(Layout::from_size_align_unchecked(size, align)) }
}

unsafe extern "C" fn std_alloc_zeroed(size: usize, align: usize) -> *mut u8 {
    // SAFETY: as in `std_alloc`.
    unsafe { std::alloc::alloc_zeroed(Layout::from_size_align_unchecked(size, align)) }
}

unsafe extern "C" fn std_realloc(ptr: *mut u8, old: usize, new: usize, align: usize) -> *mut u8 {
    // SAFETY: callers pass a block of this heap with its layout.
    unsafe { std::alloc::realloc(ptr, Layout::from_size_align_unchecked(old, align), new) }
}

unsafe extern "C" fn std_free(ptr: *mut u8, size: usize, align: usize) {
    // SAFETY: callers pass a block of this heap with its layout.
    unsafe { std::alloc::dealloc(ptr, Layout::from_size_align_unchecked(size, align)) }
}

unsafe extern "C" fn std_discard(_: *mut u8, _: usize, _: usize, _: usize) {}

unsafe extern "C" fn std_advise(_: *mut u8, _: usize, _: u32) {}

unsafe extern "C" fn std_random() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
