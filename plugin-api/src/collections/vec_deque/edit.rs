//! The methods of [`VecDeque`] that authors call.

use core::mem::take;
use core::ops::RangeBounds;
use core::ptr;

use super::{Drain, Iter, IterMut, VecDeque};
use crate::collections::bytes::bounds;

impl<T> VecDeque<T> {
    /// Appends an element. O(1) amortized; moves no element of a queue longer than a block.
    #[inline]
    pub fn push_back(&mut self, value: T) {
        // SAFETY: the slot is new and holds nothing.
        unsafe { self.open_back().write(value) };
    }

    /// Prepends an element. O(1) amortized; moves no element of a queue longer than a block.
    #[inline]
    pub fn push_front(&mut self, value: T) {
        // SAFETY: as in `push_back`.
        unsafe { self.open_front().write(value) };
    }

    /// Removes the first element and returns it. O(1).
    #[inline]
    pub fn pop_front(&mut self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        // SAFETY: there is a first element, and its slot is given up.
        let value = unsafe { self.slot(0).read() };
        self.close_front();
        Some(value)
    }

    /// Removes the last element and returns it. O(1).
    #[inline]
    pub fn pop_back(&mut self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        // SAFETY: there is a last element, and its slot is given up.
        let value = unsafe { self.slot(self.len - 1).read() };
        self.close_back();
        Some(value)
    }

    /// The element at `index`. O(1).
    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        // SAFETY: the element exists and is borrowed with `self`.
        (index < self.len).then(|| unsafe { &*self.slot(index) })
    }

    /// The element at `index`, to change. O(1).
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        // SAFETY: the element exists and is borrowed with `self`, exclusively.
        (index < self.len).then(|| unsafe { &mut *self.slot(index) })
    }

    /// The first element. O(1).
    pub fn front(&self) -> Option<&T> {
        self.get(0)
    }

    /// The first element, to change. O(1).
    pub fn front_mut(&mut self) -> Option<&mut T> {
        self.get_mut(0)
    }

    /// The last element. O(1).
    pub fn back(&self) -> Option<&T> {
        self.get(self.len.wrapping_sub(1))
    }

    /// The last element, to change. O(1).
    pub fn back_mut(&mut self) -> Option<&mut T> {
        self.get_mut(self.len.wrapping_sub(1))
    }

    /// Swaps two elements. O(1).
    ///
    /// # Panics
    /// When an index is not below the length.
    #[track_caller]
    pub fn swap(&mut self, i: usize, j: usize) {
        assert!(i < self.len());
        assert!(j < self.len());
        // SAFETY: both elements exist; `swap` allows them to be the same.
        unsafe { ptr::swap(self.slot(i), self.slot(j)) };
    }

    /// Inserts an element before position `index`. O(n): the shorter side moves over by one, block by
    /// block.
    ///
    /// # Panics
    /// When `index` is over the length.
    #[track_caller]
    pub fn insert(&mut self, index: usize, value: T) {
        let len = self.len;
        assert!(index <= len, "index out of bounds");
        if index < len / 2 {
            self.open_front();
            self.move_down(1, index + 1);
        } else {
            self.open_back();
            self.move_up(index, len);
        }
        // SAFETY: the moves left this slot empty.
        unsafe { self.slot(index).write(value) };
    }

    /// Removes the element at `index` and returns it. O(n), as [`VecDeque::insert`].
    pub fn remove(&mut self, index: usize) -> Option<T> {
        let len = self.len;
        if index >= len {
            return None;
        }
        // SAFETY: the element exists; the moves below close the hole over it.
        let value = unsafe { self.slot(index).read() };
        if index < len / 2 {
            self.move_up(0, index);
            self.close_front();
        } else {
            self.move_down(index + 1, len);
            self.close_back();
        }
        Some(value)
    }

    /// Moves the elements `from..to` one slot towards the back, over whatever is there.
    fn move_up(&mut self, from: usize, to: usize) {
        let mut end = to;
        while end > from {
            let at = self.offset(end);
            let count = if at == 0 { 1 } else { at.min(end - from) };
            // SAFETY: the slots of `end - count ..= end` exist; they lie side by side, but for the
            // step from the last slot of a unit to the first of the next.
            unsafe {
                let to = if at == 0 { self.slot(end) } else { self.slot(end - count).add(1) };
                ptr::copy(self.slot(end - count), to, count);
            }
            end -= count;
        }
    }

    /// Moves the elements `from..to` one slot towards the front, over whatever is there.
    fn move_down(&mut self, from: usize, to: usize) {
        let mut start = from;
        while start < to {
            let at = self.offset(start);
            let count = if at == 0 { 1 } else { self.run(start, to) };
            // SAFETY: the slots of `start - 1 .. start + count` exist, as in `move_up`.
            unsafe { ptr::copy(self.slot(start), self.slot(start - 1), count) };
            start += count;
        }
    }

    /// Removes the element at `index` and puts the first one in its place. O(1).
    pub fn swap_remove_front(&mut self, index: usize) -> Option<T> {
        if index < self.len {
            self.swap(0, index);
            return self.pop_front();
        }
        None
    }

    /// Removes the element at `index` and puts the last one in its place. O(1).
    pub fn swap_remove_back(&mut self, index: usize) -> Option<T> {
        if index < self.len {
            self.swap(self.len - 1, index);
            return self.pop_back();
        }
        None
    }

    /// Keeps the first `len` elements; longer than the queue is no change. O(dropped).
    pub fn truncate(&mut self, len: usize) {
        while self.len > len {
            drop(self.pop_back());
        }
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
        while self.len < len {
            self.push_back(make());
        }
        self.truncate(len);
    }

    /// Moves all elements of `other` to the end. O(len of `other`).
    pub fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            core::mem::swap(self, other);
        } else {
            self.extend(take(other));
        }
    }

    /// Removes the elements from `at` on and returns them. O(shorter side).
    ///
    /// # Panics
    /// When `at` is over the length.
    #[track_caller]
    pub fn split_off(&mut self, at: usize) -> Self {
        assert!(at <= self.len, "`at` out of bounds");
        let mut other = Self::new();
        if at < self.len / 2 {
            (0..at).for_each(|_| other.extend(self.pop_front()));
            core::mem::swap(self, &mut other);
        } else {
            (at..self.len).for_each(|_| {
                if let Some(value) = self.pop_back() {
                    other.push_front(value);
                }
            });
        }
        other
    }

    /// Keeps the elements for which `keep` answers true. O(n). When `keep` panics, no element is lost.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.retain_mut(|value| keep(value));
    }

    /// As [`VecDeque::retain`], with a filter that may change elements.
    pub fn retain_mut(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        let mut kept = 0;
        for at in 0..self.len {
            if keep(&mut self[at]) {
                if kept != at {
                    self.swap(kept, at);
                }
                kept += 1;
            }
        }
        self.truncate(kept);
    }

    /// Moves the first `n` elements to the end. O(min(n, len - n)).
    ///
    /// # Panics
    /// When `n` is over the length.
    #[track_caller]
    pub fn rotate_left(&mut self, n: usize) {
        assert!(n <= self.len());
        let back = self.len - n;
        if n <= back {
            (0..n).for_each(|_| self.turn_left());
        } else {
            (0..back).for_each(|_| self.turn_right());
        }
    }

    /// Moves the last `n` elements to the front. O(min(n, len - n)).
    ///
    /// # Panics
    /// When `n` is over the length.
    #[track_caller]
    pub fn rotate_right(&mut self, n: usize) {
        assert!(n <= self.len());
        self.rotate_left(self.len - n);
    }

    fn turn_left(&mut self) {
        if let Some(value) = self.pop_front() {
            self.push_back(value);
        }
    }

    fn turn_right(&mut self) {
        if let Some(value) = self.pop_back() {
            self.push_front(value);
        }
    }

    /// Whether an element equals `value`. O(n).
    pub fn contains(&self, value: &T) -> bool
    where
        T: PartialEq,
    {
        self.chunks().any(|chunk| chunk.contains(value))
    }

    /// The elements, front to back. O(1).
    #[inline]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self, 0, self.len)
    }

    /// The elements, front to back, to change. O(1).
    #[inline]
    pub fn iter_mut(&mut self) -> IterMut<'_, T> {
        IterMut::new(self, 0, self.len)
    }

    /// The elements in a range of positions. O(1).
    ///
    /// # Panics
    /// When the range is not inside the queue.
    #[track_caller]
    pub fn range(&self, range: impl RangeBounds<usize>) -> Iter<'_, T> {
        let (start, end) = bounds(&range, self.len);
        Iter::new(self, start, end)
    }

    /// The elements in a range of positions, to change. O(1).
    ///
    /// # Panics
    /// When the range is not inside the queue.
    #[track_caller]
    pub fn range_mut(&mut self, range: impl RangeBounds<usize>) -> IterMut<'_, T> {
        let (start, end) = bounds(&range, self.len);
        IterMut::new(self, start, end)
    }

    /// Removes a range and iterates over the removed elements. The whole queue is O(1); otherwise
    /// O(range + shorter side), before the first element is handed out.
    ///
    /// # Panics
    /// When the range is not inside the queue.
    #[track_caller]
    pub fn drain(&mut self, range: impl RangeBounds<usize>) -> Drain<'_, T> {
        let (start, end) = bounds(&range, self.len);
        if end - start == self.len {
            return Drain::new(take(self));
        }
        let mut removed = Self::with_capacity(end - start);
        for index in start..end {
            // SAFETY: the element exists; it is moved, for the moves below close the hole.
            removed.push_back(unsafe { self.slot(index).read() });
        }
        let (count, rest) = (end - start, self.len - end);
        if start < rest {
            // SAFETY: both slots exist and differ, or nothing is moved.
            (0..start)
                .rev()
                .for_each(|i| unsafe { self.slot(i + count).write(self.slot(i).read()) });
            (0..count).for_each(|_| self.close_front());
        } else {
            for i in end..self.len {
                // SAFETY: as above.
                unsafe { self.slot(i - count).write(self.slot(i).read()) };
            }
            (0..count).for_each(|_| self.close_back());
        }
        Drain::new(removed)
    }
}
