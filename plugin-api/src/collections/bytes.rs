//! A growable byte string of 16 bytes: short ones live inside, long ones behind a pointer.
//!
//! Format 2, little-endian. `tail`'s top byte tells the two forms apart:
//!
//! | form | top byte | content |
//! |---|---|---|
//! | inline | length, 0 to 15 | the 15 bytes from the start of the value |
//! | heap | `0x80` | `head` points at the content; `tail` holds its capacity, two bytes, and its length, five |
//!
//! A heap block is the content and nothing else, aligned to 8, so a string of 16 bytes takes 16. Its
//! capacity is written as a number of 11 bits shifted by one of 5: exact below 2,048, and above it
//! rounded up by less than a thousandth. Sixteen zero bytes are the empty string.

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
pub const FORMAT: u32 = 2;

/// The longest string that needs no memory of its own.
const INLINE: usize = 15;
/// Set in `tail` when the content is on the heap.
const ON_HEAP: u64 = 0x80 << 56;
/// The length in `tail` when the content is on the heap.
const LENGTH: u64 = (1 << 40) - 1;
/// Where the capacity lies in `tail` when the content is on the heap.
const CAPACITY: u32 = 40;
/// Bits of the number in a capacity; the shift is above them.
const MANTISSA: u32 = 11;
/// The content of the inline form in `tail`, apart from its length.
const CONTENT: u64 = (1 << 56) - 1;
/// Alignment of heap blocks.
const ALIGN: usize = 8;
/// The longest string.
const LONGEST: usize = LENGTH as usize;

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
    /// When `capacity` is over 2^40, less what is lost to rounding.
    #[inline]
    pub fn with_capacity(capacity: usize) -> Self {
        if capacity <= INLINE {
            return Self::new();
        }
        let capacity = Capacity::of(capacity);
        Self { head: heap::alloc(capacity.layout()).as_ptr(), tail: capacity.tail() }
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
        if self.on_heap() { self.heap_capacity().bytes() } else { INLINE }
    }

    /// The capacity of a string on the heap.
    #[inline(always)]
    const fn heap_capacity(&self) -> Capacity {
        Capacity((self.tail >> CAPACITY) as u16)
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
            (self.tail & !LENGTH) | len as u64
        } else {
            (self.tail & CONTENT) | (len as u64) << 56
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

    /// Moves the content into a heap block for `capacity` bytes: at least `len`, and more than fit
    /// inside.
    fn set_capacity(&mut self, capacity: usize) {
        let len = self.len();
        debug_assert!(capacity >= len && capacity > INLINE);
        let new = Capacity::of(capacity);
        if self.on_heap() {
            let old = self.heap_capacity().layout();
            // SAFETY: the block came from this heap with the layout that the capacity tells.
            unsafe {
                let block = NonNull::new_unchecked(self.head);
                self.head = heap::realloc(block, old, new.bytes()).as_ptr();
            }
        } else {
            let head = heap::alloc(new.layout()).as_ptr();
            // SAFETY: there is room for all of the value, of which the first `len` bytes count. A copy
            // of a fixed length is two instructions.
            unsafe {
                ptr::copy_nonoverlapping(ptr::from_ref(self).cast(), head, size_of::<Self>())
            };
            self.head = head;
        }
        self.tail = new.tail() | len as u64;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, additional: usize) {
        let needed = self.len().checked_add(additional).expect("capacity overflow");
        let old = self.capacity();
        let step = if old < 4096 { old } else { old / 2 };
        let wanted = needed.max(old.saturating_add(step));
        let rounded = wanted.saturating_add(15) & !15;
        self.set_capacity(if rounded <= LONGEST / 2 { rounded } else { needed });
    }

    /// Makes room for `additional` more bytes, and some more so that repeated calls stay cheap.
    ///
    /// # Panics
    /// When the room is over 2^40 bytes.
    #[inline]
    pub fn reserve(&mut self, additional: usize) {
        if additional > self.capacity() - self.len() {
            self.grow(additional);
        }
    }

    /// Makes room for `additional` more bytes, and for as few others as can be.
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

/// A capacity above [`INLINE`], as it is written in `tail`.
#[derive(Clone, Copy)]
struct Capacity(u16);

impl Capacity {
    /// The smallest one for so many bytes.
    ///
    /// # Panics
    /// When that is over [`LONGEST`].
    #[inline]
    const fn of(bytes: usize) -> Self {
        if bytes < 1 << MANTISSA {
            return Self(bytes as u16);
        }
        Self::rounded(bytes)
    }

    #[cold]
    const fn rounded(bytes: usize) -> Self {
        assert!(bytes <= LONGEST, "capacity overflow");
        let mut shift = bytes.ilog2() + 1 - MANTISSA;
        let mut number = bytes.div_ceil(1 << shift);
        if number == 1 << MANTISSA {
            (number, shift) = (number / 2, shift + 1);
        }
        assert!(number << shift <= LONGEST, "capacity overflow");
        Self((shift << MANTISSA) as u16 | number as u16)
    }

    #[inline(always)]
    const fn bytes(self) -> usize {
        (self.0 as usize & ((1 << MANTISSA) - 1)) << (self.0 >> MANTISSA)
    }

    #[inline(always)]
    const fn tail(self) -> u64 {
        ON_HEAP | (self.0 as u64) << CAPACITY
    }

    #[inline(always)]
    const fn layout(self) -> Layout {
        // SAFETY: a capacity is at most `LONGEST`, whose next multiple of 8 is far below `isize::MAX`.
        unsafe { Layout::from_size_align_unchecked(self.bytes(), ALIGN) }
    }
}

impl Drop for Bytes {
    #[inline]
    fn drop(&mut self) {
        if self.on_heap() {
            // SAFETY: the block came from this heap with the layout that the capacity tells; nobody else
            // owns it.
            unsafe { heap::free(NonNull::new_unchecked(self.head), self.heap_capacity().layout()) }
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
