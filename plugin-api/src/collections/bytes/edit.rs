//! The methods of [`Bytes`] that change it in the middle.

use core::ops::RangeBounds;
use core::ptr;

use super::{Bytes, Drain, bounds};

impl Bytes {
    /// Sets the length to `len`; new bytes are `value`. O(new bytes) amortized.
    pub fn resize(&mut self, len: usize, value: u8) {
        let old = self.len();
        if len > old {
            self.reserve(len - old);
            // SAFETY: `reserve` made room for `len` bytes; those up to `len` are written first.
            unsafe {
                ptr::write_bytes(self.as_mut_ptr().add(old), value, len - old);
                self.set_len(len);
            }
        } else {
            self.truncate(len);
        }
    }

    /// Inserts `byte` before position `index`. O(n).
    ///
    /// # Panics
    /// When `index` is over the length.
    pub fn insert(&mut self, index: usize, byte: u8) {
        self.insert_slice(index, &[byte]);
    }

    /// Inserts `other` before position `index`. O(n + len of `other`).
    ///
    /// # Panics
    /// When `index` is over the length.
    pub fn insert_slice(&mut self, index: usize, other: &[u8]) {
        let (len, more) = (self.len(), other.len());
        assert!(index <= len, "insertion index (is {index}) should be <= len (is {len})");
        self.reserve(more);
        // SAFETY: there is room for `len + more` bytes; the gap of `more` bytes at `index` is filled
        // from `other`, which cannot be part of `self`.
        unsafe {
            let at = self.as_mut_ptr().add(index);
            ptr::copy(at, at.add(more), len - index);
            ptr::copy_nonoverlapping(other.as_ptr(), at, more);
            self.set_len(len + more);
        }
    }

    /// Removes the byte at `index` and returns it. O(n).
    ///
    /// # Panics
    /// When `index` is not below the length.
    pub fn remove(&mut self, index: usize) -> u8 {
        let len = self.len();
        assert!(index < len, "removal index (is {index}) should be < len (is {len})");
        let byte = self[index];
        self.remove_range(index, index + 1);
        byte
    }

    /// Removes `start..end`, which is inside. O(n).
    pub(super) fn remove_range(&mut self, start: usize, end: usize) {
        let len = self.len();
        self.copy_within(end..len, start);
        self.truncate(len - (end - start));
    }

    /// Removes a range and iterates over the removed bytes. The rest moves up when the iterator goes.
    /// O(n).
    ///
    /// # Panics
    /// When the range is not inside the string.
    pub fn drain(&mut self, range: impl RangeBounds<usize>) -> Drain<'_> {
        let (start, end) = bounds(&range, self.len());
        Drain { bytes: self, start, end, front: start, back: end }
    }

    /// Removes the bytes from `at` on and returns them. O(len of the result).
    ///
    /// # Panics
    /// When `at` is over the length.
    pub fn split_off(&mut self, at: usize) -> Self {
        let len = self.len();
        assert!(at <= len, "`at` split index (is {at}) should be <= len (is {len})");
        let tail = Self::from(&self[at..]);
        self.truncate(at);
        tail
    }

    /// Keeps the bytes for which `keep` answers true. O(n).
    pub fn retain(&mut self, mut keep: impl FnMut(&u8) -> bool) {
        let mut kept = 0;
        for i in 0..self.len() {
            let byte = self[i];
            if keep(&byte) {
                self[kept] = byte;
                kept += 1;
            }
        }
        self.truncate(kept);
    }
}
