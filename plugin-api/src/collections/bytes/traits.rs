//! The traits of [`Bytes`] and its iterators.

use core::borrow::{Borrow, BorrowMut};
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::iter::FusedIterator;
use core::ops::{Deref, DerefMut};
use core::ptr;
use core::slice;

use super::Bytes;
use crate::collections::fetch::fetch;
use crate::collections::hash::KeyHasher;
use crate::state::{Lookup, StateKey};

impl Deref for Bytes {
    type Target = [u8];
    #[inline(always)]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl DerefMut for Bytes {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }
}

impl Clone for Bytes {
    /// A copy with exactly the room it needs. O(n).
    #[inline]
    fn clone(&self) -> Self {
        Self::from(self.as_slice())
    }
    fn clone_from(&mut self, source: &Self) {
        self.clear();
        self.extend_from_slice(source);
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.as_slice().escape_ascii())
    }
}

impl From<&[u8]> for Bytes {
    /// Takes exactly the room it needs. O(n).
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        let mut new = Self::with_capacity(bytes.len());
        // SAFETY: the new value is empty and has the room.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), new.as_mut_ptr(), bytes.len());
            new.add_len(bytes.len());
        }
        new
    }
}

macro_rules! from_bytes {
    ($([$($generic:tt)*] $ty:ty;)*) => {$(
        impl<$($generic)*> From<$ty> for Bytes {
            #[inline]
            fn from(bytes: $ty) -> Self {
                Self::from(AsRef::<[u8]>::as_ref(&bytes))
            }
        }
    )*};
}

from_bytes! {
    [] &str;
    [] &std::string::String;
    [] std::string::String;
    [] std::vec::Vec<u8>;
    [const N: usize] [u8; N];
    [const N: usize] &[u8; N];
}

impl From<&Bytes> for std::vec::Vec<u8> {
    fn from(bytes: &Bytes) -> Self {
        bytes.to_vec()
    }
}

impl AsRef<[u8]> for Bytes {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for Bytes {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl Borrow<[u8]> for Bytes {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl BorrowMut<[u8]> for Bytes {
    fn borrow_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl Eq for Bytes {}

impl PartialEq for Bytes {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

macro_rules! equal_to {
    ($([$($generic:tt)*] $ty:ty;)*) => {$(
        impl<$($generic)*> PartialEq<$ty> for Bytes {
            #[inline]
            fn eq(&self, other: &$ty) -> bool {
                self.as_slice() == AsRef::<[u8]>::as_ref(other)
            }
        }
        impl<$($generic)*> PartialEq<Bytes> for $ty {
            #[inline]
            fn eq(&self, other: &Bytes) -> bool {
                AsRef::<[u8]>::as_ref(self) == other.as_slice()
            }
        }
    )*};
}

equal_to! {
    [] [u8];
    [] &[u8];
    [] str;
    [] &str;
    [] std::string::String;
    [] std::vec::Vec<u8>;
    [const N: usize] [u8; N];
    [const N: usize] &[u8; N];
}

impl Ord for Bytes {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl PartialOrd for Bytes {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Bytes {
    /// As `[u8]`, for std's maps outside state.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

// SAFETY: hash, equality and order are all those of the bytes.
unsafe impl StateKey for Bytes {
    #[inline]
    fn hash_into(&self, hasher: &mut KeyHasher) {
        hasher.write_bytes(self);
    }
    #[inline]
    fn key_eq(&self, other: &Self) -> bool {
        self == other
    }
    #[inline]
    fn key_cmp(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
    #[inline(always)]
    fn prefetch(&self) {
        if self.on_heap() {
            fetch(self.head);
        }
    }
}

macro_rules! stands_for_bytes {
    ($([$($generic:tt)*] $ty:ty;)*) => {$(
        // SAFETY: the same bytes in the same hash, equality and order as `Bytes`.
        unsafe impl<$($generic)*> Lookup<Bytes> for $ty {
            #[inline]
            fn hash_into(&self, hasher: &mut KeyHasher) {
                hasher.write_bytes(self.as_ref());
            }
            #[inline]
            fn eq_key(&self, key: &Bytes) -> bool {
                AsRef::<[u8]>::as_ref(self) == key.as_slice()
            }
            #[inline]
            fn cmp_key(&self, key: &Bytes) -> Ordering {
                AsRef::<[u8]>::as_ref(self).cmp(key.as_slice())
            }
        }
    )*};
}

stands_for_bytes! {
    [] [u8];
    [] &[u8];
    [] str;
    [] &str;
    [] std::vec::Vec<u8>;
    [const N: usize] [u8; N];
    [const N: usize] &[u8; N];
}

impl fmt::Write for Bytes {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl std::io::Write for Bytes {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Extend<u8> for Bytes {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, iter: I) {
        let iter = iter.into_iter();
        self.reserve(iter.size_hint().0);
        iter.for_each(|byte| self.push(byte));
    }
}

impl<'a> Extend<&'a u8> for Bytes {
    fn extend<I: IntoIterator<Item = &'a u8>>(&mut self, iter: I) {
        self.extend(iter.into_iter().copied());
    }
}

impl FromIterator<u8> for Bytes {
    fn from_iter<I: IntoIterator<Item = u8>>(iter: I) -> Self {
        let mut new = Self::new();
        new.extend(iter);
        new
    }
}

impl<'a> IntoIterator for &'a Bytes {
    type Item = &'a u8;
    type IntoIter = slice::Iter<'a, u8>;
    fn into_iter(self) -> slice::Iter<'a, u8> {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut Bytes {
    type Item = &'a mut u8;
    type IntoIter = slice::IterMut<'a, u8>;
    fn into_iter(self) -> slice::IterMut<'a, u8> {
        self.iter_mut()
    }
}

impl IntoIterator for Bytes {
    type Item = u8;
    type IntoIter = IntoIter;
    fn into_iter(self) -> IntoIter {
        IntoIter { front: 0, back: self.len(), bytes: self }
    }
}

/// The bytes of a [`Bytes`], by value.
#[derive(Debug, Clone)]
pub struct IntoIter {
    bytes: Bytes,
    front: usize,
    back: usize,
}

/// Removed bytes; see [`Bytes::drain`].
#[derive(Debug)]
pub struct Drain<'a> {
    pub(super) bytes: &'a mut Bytes,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) front: usize,
    pub(super) back: usize,
}

impl Drop for Drain<'_> {
    fn drop(&mut self) {
        self.bytes.remove_range(self.start, self.end);
    }
}

macro_rules! by_index {
    ($([$($life:tt)*] $ty:ty;)*) => {$(
        impl<$($life)*> Iterator for $ty {
            type Item = u8;
            fn next(&mut self) -> Option<u8> {
                if self.front == self.back {
                    return None;
                }
                self.front += 1;
                Some(self.bytes[self.front - 1])
            }
            fn size_hint(&self) -> (usize, Option<usize>) {
                (self.back - self.front, Some(self.back - self.front))
            }
        }
        impl<$($life)*> DoubleEndedIterator for $ty {
            fn next_back(&mut self) -> Option<u8> {
                if self.front == self.back {
                    return None;
                }
                self.back -= 1;
                Some(self.bytes[self.back])
            }
        }
        impl<$($life)*> ExactSizeIterator for $ty {}
        impl<$($life)*> FusedIterator for $ty {}
    )*};
}

by_index! {
    [] IntoIter;
    ['a] Drain<'a>;
}
