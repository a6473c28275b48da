//! Iterators of [`VecDeque`].

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;

use super::VecDeque;

/// The elements of a [`VecDeque`], borrowed.
pub struct Iter<'a, T> {
    deque: &'a VecDeque<T>,
    front: usize,
    back: usize,
}

/// The elements of a [`VecDeque`], borrowed to change.
pub struct IterMut<'a, T> {
    deque: *const VecDeque<T>,
    front: usize,
    back: usize,
    borrows: PhantomData<&'a mut VecDeque<T>>,
}

/// The elements of a [`VecDeque`], by value.
#[derive(Clone)]
pub struct IntoIter<T> {
    deque: VecDeque<T>,
}

/// Removed elements; see [`VecDeque::drain`].
pub struct Drain<'a, T> {
    removed: IntoIter<T>,
    borrows: PhantomData<&'a mut VecDeque<T>>,
}

impl<'a, T> Iter<'a, T> {
    /// Over `front..back`, which is inside.
    pub(super) const fn new(deque: &'a VecDeque<T>, front: usize, back: usize) -> Self {
        Self { deque, front, back }
    }
}

impl<'a, T> IterMut<'a, T> {
    /// Over `front..back`, which is inside.
    pub(super) const fn new(deque: &'a mut VecDeque<T>, front: usize, back: usize) -> Self {
        Self { deque, front, back, borrows: PhantomData }
    }

    /// # Safety
    /// The index was inside `front..back` and is not any more, so that it is handed out once.
    #[inline(always)]
    unsafe fn hand_out(&self, index: usize) -> &'a mut T {
        // SAFETY: the deque is borrowed for `'a`, exclusively; only its header is read here.
        unsafe { &mut *(*self.deque).slot(index) }
    }
}

impl<T> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;
    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        if self.front == self.back {
            return None;
        }
        self.front += 1;
        // SAFETY: the element exists and is borrowed for `'a`.
        Some(unsafe { &*self.deque.slot(self.front - 1) })
    }
    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.back - self.front, Some(self.back - self.front))
    }
    #[inline]
    fn nth(&mut self, n: usize) -> Option<&'a T> {
        self.front = self.front.saturating_add(n).min(self.back);
        self.next()
    }
    /// Block by block, which is what `for_each`, `sum` and the like use.
    fn fold<B, F: FnMut(B, &'a T) -> B>(self, init: B, mut f: F) -> B {
        let (mut at, mut folded) = (self.front, init);
        while at < self.back {
            let run = self.deque.run(at, self.back);
            // SAFETY: a run of elements, borrowed for `'a`.
            let slice: &'a [T] = unsafe { core::slice::from_raw_parts(self.deque.slot(at), run) };
            folded = slice.iter().fold(folded, &mut f);
            at += run;
        }
        folded
    }
}

impl<'a, T> DoubleEndedIterator for Iter<'a, T> {
    #[inline]
    fn next_back(&mut self) -> Option<&'a T> {
        if self.front == self.back {
            return None;
        }
        self.back -= 1;
        // SAFETY: as in `next`.
        Some(unsafe { &*self.deque.slot(self.back) })
    }
    #[inline]
    fn nth_back(&mut self, n: usize) -> Option<&'a T> {
        self.back = self.back.saturating_sub(n).max(self.front);
        self.next_back()
    }
}

impl<'a, T> Iterator for IterMut<'a, T> {
    type Item = &'a mut T;
    #[inline]
    fn next(&mut self) -> Option<&'a mut T> {
        if self.front == self.back {
            return None;
        }
        self.front += 1;
        // SAFETY: the index has just left the range.
        Some(unsafe { self.hand_out(self.front - 1) })
    }
    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.back - self.front, Some(self.back - self.front))
    }
}

impl<'a, T> DoubleEndedIterator for IterMut<'a, T> {
    #[inline]
    fn next_back(&mut self) -> Option<&'a mut T> {
        if self.front == self.back {
            return None;
        }
        self.back -= 1;
        // SAFETY: the index has just left the range.
        Some(unsafe { self.hand_out(self.back) })
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;
    #[inline]
    fn next(&mut self) -> Option<T> {
        self.deque.pop_front()
    }
    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.deque.len(), Some(self.deque.len()))
    }
}

impl<T> DoubleEndedIterator for IntoIter<T> {
    #[inline]
    fn next_back(&mut self) -> Option<T> {
        self.deque.pop_back()
    }
}

impl<T> Iterator for Drain<'_, T> {
    type Item = T;
    #[inline]
    fn next(&mut self) -> Option<T> {
        self.removed.next()
    }
    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.removed.size_hint()
    }
}

impl<T> DoubleEndedIterator for Drain<'_, T> {
    #[inline]
    fn next_back(&mut self) -> Option<T> {
        self.removed.next_back()
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}
impl<T> ExactSizeIterator for IterMut<'_, T> {}
impl<T> ExactSizeIterator for IntoIter<T> {}
impl<T> ExactSizeIterator for Drain<'_, T> {}
impl<T> FusedIterator for Iter<'_, T> {}
impl<T> FusedIterator for IterMut<'_, T> {}
impl<T> FusedIterator for IntoIter<T> {}
impl<T> FusedIterator for Drain<'_, T> {}

impl<T> IntoIter<T> {
    pub(super) const fn new(deque: VecDeque<T>) -> Self {
        Self { deque }
    }
}

impl<T> Drain<'_, T> {
    pub(super) const fn new(removed: VecDeque<T>) -> Self {
        Self { removed: IntoIter::new(removed), borrows: PhantomData }
    }
}

impl<T: fmt::Debug> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for IterMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: what is left was not handed out, and is borrowed with `self`.
        let left = unsafe { (*self.deque).range(self.front..self.back) };
        f.debug_list().entries(left).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for IntoIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deque.fmt(f)
    }
}

impl<T: fmt::Debug> fmt::Debug for Drain<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.removed.fmt(f)
    }
}
