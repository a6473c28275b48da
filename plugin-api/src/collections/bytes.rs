//! A growable byte string of 16 bytes: short ones live inside, long ones behind a pointer.
//!
//! Format 1, little-endian. `tail`'s top byte tells the two forms apart:
//!
//! | form | top byte | content |
//! |---|---|---|
//! | inline | length, 0 to 15 | the 15 bytes from the start of the value |
//! | heap | `0x80` | `head` points at the content; the rest of `tail` is its length |
//!
//! A heap block is `[capacity: u64][content]`, aligned to 8, and `head` points behind the capacity, so
//! that reading never touches it. Sixteen zero bytes are the empty string.

use core::alloc::Layout;
use core::ops::{Bound, RangeBounds};
use core::ptr::{self, NonNull};
use core::slice;

use abi_stable::StableAbi;

use crate::heap;
use crate::schema::{Kind, SchemaBuilder, TypeDef, mix};
use crate::state::StateType;

mod edit;
mod traits;

pub use traits::{Drain, IntoIter};

/// Format number of [`Bytes`]; raised with its layout or invariants.
pub const FORMAT: u32 = 1;

/// The longest string that needs no memory of its own.
const INLINE: usize = 15;
/// Set in `tail` when the content is on the heap.
const ON_HEAP: u64 = 0x80 << 56;
/// The length in `tail` when the content is on the heap.
const LENGTH: u64 = (1 << 56) - 1;
/// Bytes in front of the content of a heap block: the capacity.
const FRONT: usize = 8;

const _: () = assert!(size_of::<usize>() == 8, "hotshell state is 64-bit");
const _: () = assert!(size_of::<Bytes>() == 16 && align_of::<Bytes>() == 8);

/// A growable byte string, as std's `Vec<u8>`, in 16 bytes. Up to 15 bytes need no memory of their own.
///
/// It dereferences to `[u8]`, and is what keys and values of most servers are made of. Growth takes
/// 1.5 to 2 times the room, so pushing is O(1) amortized; a large string grows by moving page tables.
///
/// ```
/// use hotshell_plugin_api::collections::Bytes;
/// let mut text = Bytes::from("get");
/// text.extend_from_slice(b" key");
/// assert_eq!(text, b"get key");
/// ```
#[repr(C)]
#[derive(StableAbi)]
pub struct Bytes {
    head: *mut u8,
    tail: u64,
}

// SAFETY: bytes and a length, laid out as the module says; no pointer into an image.
unsafe impl StateType for Bytes {
    const FINGERPRINT: u64 = mix(Kind::Bytes as u64, FORMAT as u64);
    fn describe(_: &mut SchemaBuilder) -> TypeDef {
        TypeDef::collection(Kind::Bytes, FORMAT, Vec::new())
    }
}

impl Bytes {
    /// An empty string; takes no memory.
    #[inline]
    pub const fn new() -> Self {
        Self { head: ptr::null_mut(), tail: 0 }
    }

    /// An empty string with room for `capacity` bytes.
    ///
    /// # Panics
    /// When `capacity` is over `isize::MAX`.
    #[inline]
    pub fn with_capacity(capacity: usize) -> Self {
        if capacity <= INLINE {
            return Self::new();
        }
        Self { head: Self::new_block(capacity), tail: ON_HEAP }
    }

    #[inline(always)]
    const fn on_heap(&self) -> bool {
        (self.tail as i64) < 0
    }

    /// Bytes in it. O(1).
    #[inline]
    pub const fn len(&self) -> usize {
        if self.on_heap() { (self.tail & LENGTH) as usize } else { (self.tail >> 56) as usize }
    }

    /// Whether it holds nothing.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes it can hold before it takes more memory; at least 15.
    #[inline]
    pub fn capacity(&self) -> usize {
        if self.on_heap() {
            // SAFETY: a heap block starts with its capacity, `FRONT` bytes before the content.
            unsafe { self.head.sub(FRONT).cast::<u64>().read() as usize }
        } else {
            INLINE
        }
    }

    /// Pointer to the content, valid until the string is moved or changed.
    #[inline]
    pub const fn as_ptr(&self) -> *const u8 {
        if self.on_heap() { self.head } else { ptr::from_ref(self).cast() }
    }

    /// As [`Bytes::as_ptr`], for writing.
    #[inline]
    pub const fn as_mut_ptr(&mut self) -> *mut u8 {
        if self.on_heap() { self.head } else { ptr::from_mut(self).cast() }
    }

    /// The content. O(1).
    #[inline]
    pub const fn as_slice(&self) -> &[u8] {
        // SAFETY: in both forms `len` bytes at `as_ptr` are initialised and belong to `self`.
        unsafe { slice::from_raw_parts(self.as_ptr(), self.len()) }
    }

    /// The content, to change in place. O(1).
    #[inline]
    pub const fn as_mut_slice(&mut self) -> &mut [u8] {
        let len = self.len();
        // SAFETY: as in `as_slice`, and `self` is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.as_mut_ptr(), len) }
    }

    /// # Safety
    /// `len` is at most the capacity and the first `len` bytes are initialised.
    #[inline(always)]
    unsafe fn set_len(&mut self, len: usize) {
        let tail = if self.on_heap() {
            ON_HEAP | len as u64
        } else {
            (self.tail & LENGTH) | (len as u64) << 56
        };
        self.tail = tail;
    }

    /// # Safety
    /// As [`Bytes::set_len`], of `more` bytes than now.
    #[inline(always)]
    unsafe fn add_len(&mut self, more: usize) {
        // Either form's length is where the addition cannot carry out of it.
        self.tail += (more as u64) << if self.on_heap() { 0 } else { 56 };
    }

    /// Where the next byte goes, and how many fit there.
    #[inline(always)]
    fn room(&mut self) -> (*mut u8, usize) {
        let len = self.len();
        if self.on_heap() {
            // SAFETY: the content is `len` bytes of the block.
            (unsafe { self.head.add(len) }, self.capacity() - len)
        } else {
            // SAFETY: `len` is at most `INLINE`.
            (unsafe { ptr::from_mut(self).cast::<u8>().add(len) }, INLINE - len)
        }
    }

    fn block(capacity: usize) -> Layout {
        let fits = capacity <= isize::MAX as usize - 2 * FRONT;
        assert!(fits, "capacity overflow");
        // SAFETY: the size, rounded up to 8, is at most `isize::MAX`: just checked.
        unsafe { Layout::from_size_align_unchecked(FRONT + capacity, FRONT) }
    }

    /// The `head` of a new block.
    #[inline]
    fn new_block(capacity: usize) -> *mut u8 {
        let block = heap::alloc(Self::block(capacity)).as_ptr();
        // SAFETY: the block is at least `FRONT` bytes and aligned to 8.
        unsafe {
            block.cast::<u64>().write(capacity as u64);
            block.add(FRONT)
        }
    }

    /// Moves the content into a heap block for exactly `capacity` bytes: at least `len`, and more than
    /// fit inside.
    fn set_capacity(&mut self, capacity: usize) {
        let len = self.len();
        debug_assert!(capacity >= len && capacity > INLINE);
        if self.on_heap() {
            let (old, new) = (Self::block(self.capacity()), Self::block(capacity));
            // SAFETY: the block came from this heap with the layout its front tells; the new one starts
            // with its capacity.
            unsafe {
                let start = NonNull::new_unchecked(self.head.sub(FRONT));
                let block = heap::realloc(start, old, new.size()).as_ptr();
                block.cast::<u64>().write(capacity as u64);
                self.head = block.add(FRONT);
            }
        } else {
            let head = Self::new_block(capacity);
            // SAFETY: there is room for all of the value, of which the first `len` bytes count. A copy
            // of a fixed length is two instructions.
            unsafe {
                ptr::copy_nonoverlapping(ptr::from_ref(self).cast(), head, size_of::<Self>())
            };
            self.head = head;
        }
        self.tail = ON_HEAP | len as u64;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, additional: usize) {
        let needed = self.len().checked_add(additional).expect("capacity overflow");
        let old = self.capacity();
        let step = if old < 4096 { old } else { old / 2 };
        let wanted = needed.max(old.saturating_add(step));
        let rounded = (wanted.saturating_add(FRONT + 15) & !15) - FRONT;
        self.set_capacity(if rounded <= isize::MAX as usize / 2 { rounded } else { needed });
    }

    /// Makes room for `additional` more bytes, and some more so that repeated calls stay cheap.
    ///
    /// # Panics
    /// When the room is over `isize::MAX` bytes.
    #[inline]
    pub fn reserve(&mut self, additional: usize) {
        if additional > self.capacity() - self.len() {
            self.grow(additional);
        }
    }

    /// Makes room for exactly `additional` more bytes.
    ///
    /// # Panics
    /// As [`Bytes::reserve`].
    pub fn reserve_exact(&mut self, additional: usize) {
        if additional > self.capacity() - self.len() {
            let needed = self.len().checked_add(additional).expect("capacity overflow");
            self.set_capacity(needed);
        }
    }

    /// Gives unused room back; 15 bytes or less move inside. O(n).
    pub fn shrink_to_fit(&mut self) {
        let len = self.len();
        if self.on_heap() && len <= INLINE {
            let mut short = Self::new();
            short.extend_from_slice(self);
            *self = short;
        } else if self.on_heap() && len < self.capacity() {
            self.set_capacity(len);
        }
    }

    /// Appends one byte. O(1) amortized.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        self.extend_from_slice(&[byte]);
    }

    /// Removes the last byte and returns it. O(1).
    #[inline]
    pub fn pop(&mut self) -> Option<u8> {
        let last = *self.as_slice().last()?;
        self.truncate(self.len() - 1);
        Some(last)
    }

    /// Appends `other`. O(len of `other`) amortized.
    #[inline]
    pub fn extend_from_slice(&mut self, other: &[u8]) {
        let (mut end, room) = self.room();
        if other.len() > room {
            self.grow(other.len());
            (end, _) = self.room();
        }
        // SAFETY: there is room now; `other` is borrowed from elsewhere, for `self` is borrowed
        // exclusively.
        unsafe {
            ptr::copy_nonoverlapping(other.as_ptr(), end, other.len());
            self.add_len(other.len());
        }
    }

    /// Keeps the first `len` bytes; longer than the string is no change. O(1).
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        if len < self.len() {
            // SAFETY: shorter than what is initialised.
            unsafe { self.set_len(len) };
        }
    }

    /// Empties it and keeps its room. O(1).
    #[inline]
    pub fn clear(&mut self) {
        self.truncate(0);
    }
}

impl Drop for Bytes {
    #[inline]
    fn drop(&mut self) {
        if self.on_heap() {
            // SAFETY: the block came from this heap with the layout its front tells, which `block` has
            // checked when it was made; nobody else owns it.
            unsafe {
                let layout = Layout::from_size_align_unchecked(FRONT + self.capacity(), FRONT);
                heap::free(NonNull::new_unchecked(self.head.sub(FRONT)), layout);
            }
        }
    }
}

/// A range as `start..end` within `len`, with the panics of slices.
#[track_caller]
pub(super) fn bounds(range: &impl RangeBounds<usize>, len: usize) -> (usize, usize) {
    let start = match range.start_bound() {
        Bound::Included(&n) => n,
        Bound::Excluded(&n) => n.checked_add(1).expect("range start index overflows"),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&n) => n.checked_add(1).expect("range end index overflows"),
        Bound::Excluded(&n) => n,
        Bound::Unbounded => len,
    };
    assert!(start <= end, "slice index starts at {start} but ends at {end}");
    assert!(end <= len, "range end index {end} out of range for slice of length {len}");
    (start, end)
}
