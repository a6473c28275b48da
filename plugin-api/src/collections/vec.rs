//! A growable array with a fixed layout.
//!
//! Format 1: pointer, length, capacity, 8 bytes each. The block is an array of `capacity` elements;
//! there is none when the capacity or the element is of no size, and the pointer is then only aligned.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::RangeBounds;
use core::ptr::{self, NonNull};
use core::slice;

use abi_stable::StableAbi;

use super::bytes::bounds;
use crate::heap;
use crate::schema::{Kind, SchemaBuilder, TypeDef, mix};
use crate::state::StateType;

pub(crate) mod erased;
mod iter;
mod traits;

pub use iter::{Drain, IntoIter};

/// Format number of [`Vec`]; raised with its layout or invariants.
pub const FORMAT: u32 = 1;

/// A growable array, as std's `Vec`, whose layout is the same for every compiler: 24 bytes.
///
/// It dereferences to a slice, which has `iter`, `sort`, `binary_search` and the rest. Growth doubles
/// the room, so pushing is O(1) amortized; a large vector grows by moving page tables.
///
/// A vector belongs to the unit that holds it and carries no layout id of its own: when a swap
/// changes the shape of its elements, all of them are converted together, which is O(n). Large
/// collections whose elements may change belong into a map.
#[repr(C)]
#[derive(StableAbi)]
pub struct Vec<T> {
    ptr: NonNull<T>,
    len: usize,
    cap: usize,
    owns: PhantomData<T>,
}

const _: () = assert!(size_of::<Vec<u8>>() == 24);

// SAFETY: an owning pointer to state types on the state heap, a length and a capacity.
unsafe impl<T: StateType> StateType for Vec<T> {
    const FINGERPRINT: u64 = mix(mix(Kind::Vec as u64, FORMAT as u64), T::FINGERPRINT);
    fn describe(schema: &mut SchemaBuilder) -> TypeDef {
        let element = schema.add::<T>();
        TypeDef::collection(Kind::Vec, FORMAT, vec![element])
    }
}

impl<T> Vec<T> {
    /// The first capacity that growth chooses: small elements come several at a time.
    const FIRST: usize = match size_of::<T>() {
        0 | 1 => 8,
        2..=1024 => 4,
        _ => 1,
    };

    /// An empty vector; takes no memory.
    #[inline]
    pub const fn new() -> Self {
        Self { ptr: NonNull::dangling(), len: 0, cap: 0, owns: PhantomData }
    }

    /// An empty vector with room for `capacity` elements.
    ///
    /// # Panics
    /// When the room is over `isize::MAX` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut new = Self::new();
        new.reserve_exact(capacity);
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

    /// Elements it can hold before it takes more memory; `usize::MAX` for elements of no size.
    #[inline]
    pub const fn capacity(&self) -> usize {
        if size_of::<T>() == 0 { usize::MAX } else { self.cap }
    }

    /// Pointer to the elements, valid until the vector grows.
    #[inline]
    pub const fn as_ptr(&self) -> *const T {
        self.ptr.as_ptr()
    }

    /// As [`Vec::as_ptr`], for writing.
    #[inline]
    pub const fn as_mut_ptr(&mut self) -> *mut T {
        self.ptr.as_ptr()
    }

    /// The elements. O(1).
    #[inline]
    pub const fn as_slice(&self) -> &[T] {
        // SAFETY: the first `len` elements are initialised and belong to `self`.
        unsafe { slice::from_raw_parts(self.as_ptr(), self.len) }
    }

    /// The elements, to change in place. O(1).
    #[inline]
    pub const fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as in `as_slice`, and `self` is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.as_mut_ptr(), self.len) }
    }

    /// Sets the length and neither drops nor initialises anything.
    ///
    /// # Safety
    /// `len` is at most the capacity and the first `len` elements are initialised.
    #[inline]
    pub unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.capacity());
        self.len = len;
    }

    fn block(capacity: usize) -> Layout {
        Layout::array::<T>(capacity).expect("capacity overflow")
    }

    /// Resizes the block to exactly `capacity` elements, at least `len`. Not for elements of no size.
    fn set_capacity(&mut self, capacity: usize) {
        debug_assert!(size_of::<T>() != 0 && capacity >= self.len);
        let (old, new) = (Self::block(self.cap), Self::block(capacity));
        // SAFETY: the block came from this heap with the layout of `cap` elements; the new size was
        // checked by `block`.
        self.ptr = unsafe { heap::realloc(self.ptr.cast(), old, new.size()) }.cast();
        self.cap = capacity;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, additional: usize) {
        assert!(size_of::<T>() != 0, "capacity overflow");
        let needed = self.len.checked_add(additional).expect("capacity overflow");
        self.set_capacity(needed.max(self.cap * 2).max(Self::FIRST));
    }

    /// Makes room for `additional` more elements, and some more so that repeated calls stay cheap.
    ///
    /// # Panics
    /// When the room is over `isize::MAX` bytes.
    #[inline]
    pub fn reserve(&mut self, additional: usize) {
        if additional > self.capacity() - self.len {
            self.grow(additional);
        }
    }

    /// Makes room for exactly `additional` more elements.
    ///
    /// # Panics
    /// As [`Vec::reserve`].
    pub fn reserve_exact(&mut self, additional: usize) {
        if additional > self.capacity() - self.len {
            assert!(size_of::<T>() != 0, "capacity overflow");
            self.set_capacity(self.len.checked_add(additional).expect("capacity overflow"));
        }
    }

    /// Gives unused room back. O(n).
    pub fn shrink_to_fit(&mut self) {
        self.shrink_to(0);
    }

    /// Gives unused room over `capacity` elements back. O(n).
    pub fn shrink_to(&mut self, capacity: usize) {
        let wanted = capacity.max(self.len);
        if size_of::<T>() != 0 && wanted < self.cap {
            self.set_capacity(wanted);
        }
    }

    /// Appends an element. O(1) amortized.
    ///
    /// # Panics
    /// When the room is over `isize::MAX` bytes.
    #[inline]
    pub fn push(&mut self, value: T) {
        if self.len == self.capacity() {
            self.grow(1);
        }
        // SAFETY: there is room for one more.
        unsafe { self.as_mut_ptr().add(self.len).write(value) };
        self.len += 1;
    }

    /// Removes the last element and returns it. O(1).
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: the element is initialised and now outside the length, so it is moved out once.
        Some(unsafe { self.as_ptr().add(self.len).read() })
    }

    /// Inserts an element before position `index`. O(n).
    ///
    /// # Panics
    /// When `index` is over the length.
    #[track_caller]
    pub fn insert(&mut self, index: usize, value: T) {
        let len = self.len;
        assert!(index <= len, "insertion index (is {index}) should be <= len (is {len})");
        self.reserve(1);
        // SAFETY: there is room for one more; the elements from `index` on move up by one.
        unsafe {
            let at = self.as_mut_ptr().add(index);
            ptr::copy(at, at.add(1), len - index);
            at.write(value);
        }
        self.len = len + 1;
    }

    /// Removes the element at `index` and returns it. O(n).
    ///
    /// # Panics
    /// When `index` is not below the length.
    #[track_caller]
    pub fn remove(&mut self, index: usize) -> T {
        let len = self.len;
        assert!(index < len, "removal index (is {index}) should be < len (is {len})");
        // SAFETY: the element is moved out and those behind it move down over it.
        unsafe {
            let at = self.as_mut_ptr().add(index);
            let value = at.read();
            ptr::copy(at.add(1), at, len - index - 1);
            self.len = len - 1;
            value
        }
    }

    /// Removes the element at `index`, puts the last one in its place, and returns it. O(1).
    ///
    /// # Panics
    /// When `index` is not below the length.
    #[track_caller]
    pub fn swap_remove(&mut self, index: usize) -> T {
        let len = self.len;
        assert!(index < len, "swap_remove index (is {index}) should be < len (is {len})");
        self.swap(index, len - 1);
        self.pop().expect("the vector is not empty")
    }

    /// Keeps the first `len` elements; longer than the vector is no change. O(dropped).
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            let dropped = self.len - len;
            self.len = len;
            // SAFETY: these elements are initialised and outside the length now, so that none is
            // dropped twice even if a drop panics.
            unsafe {
                ptr::slice_from_raw_parts_mut(self.as_mut_ptr().add(len), dropped).drop_in_place();
            }
        }
    }

    /// Empties it and keeps its room. O(n), or O(1) for elements that need no drop.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Sets the length to `len`; new elements are clones of `value`. O(change).
    pub fn resize(&mut self, len: usize, value: T)
    where
        T: Clone,
    {
        self.resize_with(len, || value.clone());
    }

    /// Sets the length to `len`; new elements come from `make`. O(change).
    pub fn resize_with(&mut self, len: usize, mut make: impl FnMut() -> T) {
        self.reserve(len.saturating_sub(self.len));
        while self.len < len {
            self.push(make());
        }
        self.truncate(len);
    }

    /// Appends clones of `other`'s elements. O(len of `other`) amortized.
    pub fn extend_from_slice(&mut self, other: &[T])
    where
        T: Clone,
    {
        self.reserve(other.len());
        for value in other {
            // SAFETY: `reserve` made the room; the length follows each value, so a panicking clone
            // leaves a whole vector.
            unsafe { self.ptr.as_ptr().add(self.len).write(value.clone()) };
            self.len += 1;
        }
    }

    /// Moves all elements of `other` to the end. O(len of `other`) amortized.
    pub fn append(&mut self, other: &mut Self) {
        self.reserve(other.len);
        // SAFETY: there is room; the elements are moved, for `other` forgets them.
        unsafe {
            let end = self.as_mut_ptr().add(self.len);
            ptr::copy_nonoverlapping(other.as_ptr(), end, other.len);
        }
        self.len += other.len;
        other.len = 0;
    }

    /// Removes the elements from `at` on and returns them. O(len of the result).
    ///
    /// # Panics
    /// When `at` is over the length.
    #[track_caller]
    pub fn split_off(&mut self, at: usize) -> Self {
        let len = self.len;
        assert!(at <= len, "`at` split index (is {at}) should be <= len (is {len})");
        let mut tail = Self::with_capacity(len - at);
        // SAFETY: `tail` has the room; the elements are moved, for `self` forgets them.
        unsafe { ptr::copy_nonoverlapping(self.as_ptr().add(at), tail.as_mut_ptr(), len - at) };
        self.len = at;
        tail.len = len - at;
        tail
    }

    /// Removes a range and iterates over the removed elements. The rest moves up when the iterator
    /// goes; if it is leaked, the rest is leaked too. O(n).
    ///
    /// # Panics
    /// When the range is not inside the vector.
    #[track_caller]
    pub fn drain(&mut self, range: impl RangeBounds<usize>) -> Drain<'_, T> {
        let (start, end) = bounds(&range, self.len);
        Drain::new(self, start, end)
    }

    /// Takes the vector apart into pointer, length and capacity.
    fn into_parts(self) -> (NonNull<T>, usize, usize) {
        let this = ManuallyDrop::new(self);
        (this.ptr, this.len, this.cap)
    }

    /// # Safety
    /// `ptr` owns a block of `cap` elements that nobody else frees.
    unsafe fn free_block(ptr: NonNull<T>, cap: usize) {
        // SAFETY: the caller's promise; `block` succeeded when the block was made.
        unsafe { heap::free(ptr.cast(), Self::block(cap)) };
    }
}

impl<T> Drop for Vec<T> {
    fn drop(&mut self) {
        let (ptr, len, cap) = (self.ptr, self.len, self.cap);
        // A second vector frees the block also when an element's drop panics.
        let block = IntoIter::over(ptr, 0, 0, cap);
        if core::mem::needs_drop::<T>() {
            // SAFETY: the first `len` elements are initialised and never used again.
            unsafe { ptr::slice_from_raw_parts_mut(ptr.as_ptr(), len).drop_in_place() };
        }
        drop(block);
    }
}
