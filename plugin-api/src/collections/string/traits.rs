//! The traits of [`String`].

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::{Add, AddAssign, Deref, DerefMut};
use core::str;

use super::String;
use crate::collections::Bytes;
use crate::collections::hash::KeyHasher;
use crate::state::{Lookup, StateKey};

impl Deref for String {
    type Target = str;
    #[inline(always)]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl DerefMut for String {
    fn deref_mut(&mut self) -> &mut str {
        self.as_mut_str()
    }
}

impl fmt::Display for String {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Debug for String {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Write for String {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

macro_rules! from_text {
    ($($ty:ty)*) => {$(
        impl From<$ty> for String {
            fn from(text: $ty) -> Self {
                let text: &str = text.as_ref();
                Self { bytes: Bytes::from(text.as_bytes()) }
            }
        }
    )*};
}

from_text! { &str &mut str &std::string::String std::string::String }

impl From<char> for String {
    fn from(c: char) -> Self {
        Self::from(&*c.encode_utf8(&mut [0; 4]))
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        text.bytes
    }
}

impl From<&String> for std::string::String {
    fn from(text: &String) -> Self {
        text.as_str().to_owned()
    }
}

impl From<String> for std::string::String {
    fn from(text: String) -> Self {
        text.as_str().to_owned()
    }
}

impl str::FromStr for String {
    type Err = core::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text))
    }
}

impl AsRef<str> for String {
    fn as_ref(&self) -> &str {
        self
    }
}

impl AsRef<[u8]> for String {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Borrow<str> for String {
    fn borrow(&self) -> &str {
        self
    }
}

impl Hash for String {
    /// As `str`, for std's maps outside state.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

macro_rules! equal_to {
    ($($ty:ty)*) => {$(
        impl PartialEq<$ty> for String {
            #[inline]
            fn eq(&self, other: &$ty) -> bool {
                self.as_str() == AsRef::<str>::as_ref(other)
            }
        }
        impl PartialEq<String> for $ty {
            #[inline]
            fn eq(&self, other: &String) -> bool {
                AsRef::<str>::as_ref(self) == other.as_str()
            }
        }
    )*};
}

equal_to! { str &str std::string::String }

impl AddAssign<&str> for String {
    fn add_assign(&mut self, text: &str) {
        self.push_str(text);
    }
}

impl Add<&str> for String {
    type Output = Self;
    fn add(mut self, text: &str) -> Self {
        self.push_str(text);
        self
    }
}

impl Extend<char> for String {
    fn extend<I: IntoIterator<Item = char>>(&mut self, iter: I) {
        iter.into_iter().for_each(|c| self.push(c));
    }
}

impl<'a> Extend<&'a str> for String {
    fn extend<I: IntoIterator<Item = &'a str>>(&mut self, iter: I) {
        iter.into_iter().for_each(|text| self.push_str(text));
    }
}

impl FromIterator<char> for String {
    fn from_iter<I: IntoIterator<Item = char>>(iter: I) -> Self {
        let mut new = Self::new();
        new.extend(iter);
        new
    }
}

impl<'a> FromIterator<&'a str> for String {
    fn from_iter<I: IntoIterator<Item = &'a str>>(iter: I) -> Self {
        let mut new = Self::new();
        new.extend(iter);
        new
    }
}

// SAFETY: hash, equality and order are all those of the bytes.
unsafe impl StateKey for String {
    #[inline]
    fn hash_into(&self, hasher: &mut KeyHasher) {
        hasher.write_bytes(self.as_bytes());
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
        self.bytes.prefetch();
    }
}

macro_rules! stands_for_string {
    ($($ty:ty)*) => {$(
        // SAFETY: the same bytes in the same hash, equality and order as `String`.
        unsafe impl Lookup<String> for $ty {
            #[inline]
            fn hash_into(&self, hasher: &mut KeyHasher) {
                hasher.write_bytes(self.as_bytes());
            }
            #[inline]
            fn eq_key(&self, key: &String) -> bool {
                self.as_bytes() == key.as_bytes()
            }
            #[inline]
            fn cmp_key(&self, key: &String) -> Ordering {
                self.as_bytes().cmp(key.as_bytes())
            }
        }
    )*};
}

stands_for_string! { str &str std::string::String }
