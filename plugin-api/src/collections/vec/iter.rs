//! Owning and draining iterators of [`Vec`], and the methods that filter in place.

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use super::Vec;

/// The elements of a [`Vec`], by value.
pub struct IntoIter<T> {
    ptr: NonNull<T>,
    front: usize,
    back: usize,
    cap: usize,
    owns: PhantomData<T>,
}

impl<T> IntoIter<T> {
    /// Owns the block and the elements `front..back` in it.
    pub(super) const fn over(ptr: NonNull<T>, front: usize, back: usize, cap: usize) -> Self {
        Self { ptr, front, back, cap, owns: PhantomData }
    }

    /// What is left.
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: the elements from `front` to `back` are initialised and still here.
        unsafe {
            core::slice::from_raw_parts(self.ptr.as_ptr().add(self.front), self.back - self.front)
        }
    }
}

impl<T> Drop for IntoIter<T> {
    fn drop(&mut self) {
        /// Frees the block also when an element's drop panics.
        struct Block<T>(NonNull<T>, usize);
        impl<T> Drop for Block<T> {
            fn drop(&mut self) {
                // SAFETY: the iterator owned the block of this capacity.
                unsafe { Vec::free_block(self.0, self.1) };
            }
        }
        let block = Block(self.ptr, self.cap);
        // SAFETY: the elements from `front` to `back` are initialised and never used again.
        unsafe {
            let first = block.0.as_ptr().add(self.front);
            ptr::slice_from_raw_parts_mut(first, self.back - self.front).drop_in_place();
        }
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;
    #[inline]
    fn next(&mut self) -> Option<T> {
        if self.front == self.back {
            return None;
        }
        self.front += 1;
        // SAFETY: the element was inside `front..back` and is not any more: moved out once.
        Some(unsafe { self.ptr.as_ptr().add(self.front - 1).read() })
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.back - self.front, Some(self.back - self.front))
    }
}

impl<T> DoubleEndedIterator for IntoIter<T> {
    #[inline]
    fn next_back(&mut self) -> Option<T> {
        if self.front == self.back {
            return None;
        }
        self.back -= 1;
        // SAFETY: as in `next`.
        Some(unsafe { self.ptr.as_ptr().add(self.back).read() })
    }
}

impl<T> ExactSizeIterator for IntoIter<T> {}
impl<T> FusedIterator for IntoIter<T> {}

impl<T: fmt::Debug> fmt::Debug for IntoIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IntoIter").field(&self.as_slice()).finish()
    }
}

/// Removed elements; see [`Vec::drain`].
pub struct Drain<'a, T> {
    vec: NonNull<Vec<T>>,
    front: usize,
    back: usize,
    /// Where the hole begins; the vector's length until the drain is dropped.
    start: usize,
    /// The rest: from the end of the hole to the old length.
    rest: usize,
    len: usize,
    borrows: PhantomData<&'a mut Vec<T>>,
}

impl<'a, T> Drain<'a, T> {
    /// Takes `start..end`, which is inside.
    pub(super) fn new(vec: &'a mut Vec<T>, start: usize, end: usize) -> Self {
        let len = vec.len;
        // Leaking the drain leaks elements; none is seen twice.
        vec.len = start;
        let vec = NonNull::from(vec);
        Self { vec, front: start, back: end, start, rest: end, len, borrows: PhantomData }
    }

    fn slot(&self, index: usize) -> *mut T {
        // SAFETY: the drain borrows the vector exclusively, and `index` is inside its block.
        unsafe { self.vec.as_ref().ptr.as_ptr().add(index) }
    }

    /// What is left.
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: the elements from `front` to `back` are initialised and still here.
        unsafe { core::slice::from_raw_parts(self.slot(self.front), self.back - self.front) }
    }
}

impl<T> Drop for Drain<'_, T> {
    fn drop(&mut self) {
        /// Closes the hole also when an element's drop panics.
        struct Close<'b, 'a, T>(&'b mut Drain<'a, T>);
        impl<T> Drop for Close<'_, '_, T> {
            fn drop(&mut self) {
                let drain = &mut *self.0;
                let rest = drain.len - drain.rest;
                // SAFETY: the rest is initialised and moves down over the hole, whose elements
                // were moved out or dropped.
                unsafe {
                    ptr::copy(drain.slot(drain.rest), drain.slot(drain.start), rest);
                    drain.vec.as_mut().len = drain.start + rest;
                }
            }
        }
        let close = Close(self);
        let drain = &*close.0;
        let left = drain.back - drain.front;
        // SAFETY: these elements were not handed out, and the vector's length excludes them.
        unsafe { ptr::slice_from_raw_parts_mut(drain.slot(drain.front), left).drop_in_place() };
    }
}

impl<T> Iterator for Drain<'_, T> {
    type Item = T;
    #[inline]
    fn next(&mut self) -> Option<T> {
        if self.front == self.back {
            return None;
        }
        self.front += 1;
        // SAFETY: the element was inside `front..back` and is not any more: moved out once.
        Some(unsafe { self.slot(self.front - 1).read() })
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.back - self.front, Some(self.back - self.front))
    }
}

impl<T> DoubleEndedIterator for Drain<'_, T> {
    #[inline]
    fn next_back(&mut self) -> Option<T> {
        if self.front == self.back {
            return None;
        }
        self.back -= 1;
        // SAFETY: as in `next`.
        Some(unsafe { self.slot(self.back).read() })
    }
}

impl<T> ExactSizeIterator for Drain<'_, T> {}
impl<T> FusedIterator for Drain<'_, T> {}

impl<T: fmt::Debug> fmt::Debug for Drain<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Drain").field(&self.as_slice()).finish()
    }
}

/// Filters a vector in place: what was kept lies in `..kept`, what was not looked at in `seen..len`.
/// When it goes, also by a panic of the filter, the two are joined.
struct Filter<'a, T> {
    vec: &'a mut Vec<T>,
    kept: usize,
    seen: usize,
    len: usize,
}

impl<T> Drop for Filter<'_, T> {
    fn drop(&mut self) {
        let rest = self.len - self.seen;
        let start = self.vec.as_mut_ptr();
        // SAFETY: both parts are initialised; the elements between them were dropped.
        unsafe { ptr::copy(start.add(self.seen), start.add(self.kept), rest) };
        self.vec.len = self.kept + rest;
    }
}

impl<T> Vec<T> {
    /// Keeps the elements for which `keep` answers true. O(n). When `keep` panics, the elements it
    /// did not look at stay.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.retain_mut(|value| keep(value));
    }

    /// As [`Vec::retain`], with a filter that may change elements.
    pub fn retain_mut(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        self.filter(|_, value| keep(value));
    }

    /// Removes all but the first of equal neighbours. O(n).
    pub fn dedup(&mut self)
    where
        T: PartialEq,
    {
        self.dedup_by(|a, b| a == b);
    }

    /// Removes all but the first of neighbours with equal keys. O(n).
    pub fn dedup_by_key<K: PartialEq>(&mut self, mut key: impl FnMut(&mut T) -> K) {
        self.dedup_by(|a, b| key(a) == key(b));
    }

    /// Removes each element for which `same(element, last kept)` answers true. O(n).
    pub fn dedup_by(&mut self, mut same: impl FnMut(&mut T, &mut T) -> bool) {
        self.filter(|last, value| !last.is_some_and(|last| same(value, last)));
    }

    /// Keeps the elements for which `keep(last kept, element)` answers true.
    fn filter(&mut self, mut keep: impl FnMut(Option<&mut T>, &mut T) -> bool) {
        let len = self.len;
        // Leaking is the worst that a panicking drop can do.
        self.len = 0;
        let mut filter = Filter { vec: self, kept: 0, seen: 0, len };
        let start = filter.vec.as_mut_ptr();
        while filter.seen < len {
            // SAFETY: `kept <= seen < len`; the element at `seen` and those before `kept` are
            // initialised and distinct.
            unsafe {
                let value = start.add(filter.seen);
                let last = filter.kept.checked_sub(1).map(|i| &mut *start.add(i));
                let kept = keep(last, &mut *value);
                filter.seen += 1;
                if kept {
                    ptr::copy(value, start.add(filter.kept), 1);
                    filter.kept += 1;
                } else {
                    value.drop_in_place();
                }
            }
        }
    }
}
