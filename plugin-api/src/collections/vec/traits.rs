//! The traits of [`Vec`].

use core::borrow::{Borrow, BorrowMut};
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::{ptr, slice};

use super::{IntoIter, Vec};

impl<T> Deref for Vec<T> {
    type Target = [T];
    #[inline(always)]
    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

impl<T> DerefMut for Vec<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        self.as_mut_slice()
    }
}

impl<T> Default for Vec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone> Clone for Vec<T> {
    /// A copy with exactly the room it needs. O(n).
    fn clone(&self) -> Self {
        Self::from(self.as_slice())
    }
}

impl<T: fmt::Debug> fmt::Debug for Vec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

impl<T: Clone> From<&[T]> for Vec<T> {
    fn from(values: &[T]) -> Self {
        let mut new = Self::with_capacity(values.len());
        new.extend_from_slice(values);
        new
    }
}

impl<T, const N: usize> From<[T; N]> for Vec<T> {
    fn from(values: [T; N]) -> Self {
        let values = ManuallyDrop::new(values);
        let mut new = Self::with_capacity(N);
        // SAFETY: room for `N` elements; they are moved, for `ManuallyDrop` forgets them.
        unsafe {
            ptr::copy_nonoverlapping(values.as_ptr(), new.as_mut_ptr(), N);
            new.set_len(N);
        }
        new
    }
}

impl<T> From<std::vec::Vec<T>> for Vec<T> {
    /// Moves the elements into state memory. O(n).
    fn from(values: std::vec::Vec<T>) -> Self {
        values.into_iter().collect()
    }
}

impl<T> From<Vec<T>> for std::vec::Vec<T> {
    /// Moves the elements out of state memory. O(n).
    fn from(values: Vec<T>) -> Self {
        values.into_iter().collect()
    }
}

impl<T> AsRef<[T]> for Vec<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T> AsMut<[T]> for Vec<T> {
    fn as_mut(&mut self) -> &mut [T] {
        self
    }
}

impl<T> Borrow<[T]> for Vec<T> {
    fn borrow(&self) -> &[T] {
        self
    }
}

impl<T> BorrowMut<[T]> for Vec<T> {
    fn borrow_mut(&mut self) -> &mut [T] {
        self
    }
}

impl<T: Eq> Eq for Vec<T> {}

impl<T: PartialEq<U>, U> PartialEq<Vec<U>> for Vec<T> {
    fn eq(&self, other: &Vec<U>) -> bool {
        self.as_slice() == other.as_slice()
    }
}

macro_rules! equal_to {
    ($([$($generic:tt)*] $ty:ty;)*) => {$(
        impl<T: PartialEq<U>, U, $($generic)*> PartialEq<$ty> for Vec<T> {
            fn eq(&self, other: &$ty) -> bool {
                self.as_slice() == &other[..]
            }
        }
    )*};
}

equal_to! {
    [] [U];
    [] &[U];
    [] &mut [U];
    [] std::vec::Vec<U>;
    [const N: usize] [U; N];
    [const N: usize] &[U; N];
}

impl<T: PartialEq<U>, U> PartialEq<Vec<U>> for [T] {
    fn eq(&self, other: &Vec<U>) -> bool {
        self == other.as_slice()
    }
}

impl<T: PartialEq<U>, U> PartialEq<Vec<U>> for std::vec::Vec<T> {
    fn eq(&self, other: &Vec<U>) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<T: Ord> Ord for Vec<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl<T: PartialOrd> PartialOrd for Vec<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.as_slice().partial_cmp(other.as_slice())
    }
}

impl<T: Hash> Hash for Vec<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl<T> Extend<T> for Vec<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, iter: I) {
        let iter = iter.into_iter();
        self.reserve(iter.size_hint().0);
        iter.for_each(|value| self.push(value));
    }
}

impl<'a, T: Copy> Extend<&'a T> for Vec<T> {
    fn extend<I: IntoIterator<Item = &'a T>>(&mut self, iter: I) {
        self.extend(iter.into_iter().copied());
    }
}

impl<T> FromIterator<T> for Vec<T> {
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
        let iter = iter.into_iter();
        let mut new = Self::with_capacity(iter.size_hint().0);
        iter.for_each(|value| new.push(value));
        new
    }
}

impl<T> IntoIterator for Vec<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;
    fn into_iter(self) -> IntoIter<T> {
        let (ptr, len, cap) = self.into_parts();
        IntoIter::over(ptr, 0, len, cap)
    }
}

impl<'a, T> IntoIterator for &'a Vec<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;
    fn into_iter(self) -> slice::Iter<'a, T> {
        self.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Vec<T> {
    type Item = &'a mut T;
    type IntoIter = slice::IterMut<'a, T>;
    fn into_iter(self) -> slice::IterMut<'a, T> {
        self.iter_mut()
    }
}
