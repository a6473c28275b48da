//! UTF-8 text: [`Bytes`] that hold a `str`.

use core::fmt;
use core::ops::RangeBounds;
use core::str;

use abi_stable::StableAbi;

use super::bytes::{self, Bytes, bounds};
use crate::schema::{Kind, SchemaBuilder, TypeDef, mix};
use crate::state::StateType;

mod traits;

/// Format number of [`String`]; raised with its layout or invariants, and with those of [`Bytes`].
pub const FORMAT: u32 = bytes::FORMAT;

/// Growable UTF-8 text, as std's `String`, in 16 bytes. Up to 15 bytes need no memory of their own.
///
/// ```
/// use hotshell_plugin_api::collections::String;
/// let mut text = String::from("visits: ");
/// text.push_str("12");
/// assert_eq!(text, "visits: 12");
/// ```
#[repr(C)]
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, StableAbi)]
pub struct String {
    bytes: Bytes,
}

// SAFETY: `Bytes` under another kind.
unsafe impl StateType for String {
    const FINGERPRINT: u64 = mix(Kind::String as u64, FORMAT as u64);
    fn describe(_: &mut SchemaBuilder) -> TypeDef {
        TypeDef::collection(Kind::String, FORMAT, Vec::new())
    }
}

impl String {
    /// Empty text; takes no memory.
    #[inline]
    pub const fn new() -> Self {
        Self { bytes: Bytes::new() }
    }

    /// Empty text with room for `capacity` bytes.
    ///
    /// # Panics
    /// When `capacity` is over `isize::MAX`.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Bytes::with_capacity(capacity) }
    }

    /// Takes `bytes` as text. O(n).
    ///
    /// # Errors
    /// [`FromUtf8Error`], which gives the bytes back, when they are not UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, FromUtf8Error> {
        match str::from_utf8(&bytes) {
            Ok(_) => Ok(Self { bytes }),
            Err(error) => Err(FromUtf8Error { bytes, error }),
        }
    }

    /// Text from bytes, with `U+FFFD` where they are not UTF-8. O(n).
    pub fn from_utf8_lossy(bytes: &[u8]) -> Self {
        Self::from(&*std::string::String::from_utf8_lossy(bytes))
    }

    /// Takes `bytes` as text without looking.
    ///
    /// # Safety
    /// They are UTF-8.
    pub unsafe fn from_utf8_unchecked(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// The bytes of the text. O(1).
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The bytes of the text. O(1).
    #[inline]
    pub const fn as_bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// The text. O(1).
    #[inline]
    pub const fn as_str(&self) -> &str {
        // SAFETY: only UTF-8 gets in.
        unsafe { str::from_utf8_unchecked(self.bytes.as_slice()) }
    }

    /// The text, to change in place. O(1).
    #[inline]
    pub const fn as_mut_str(&mut self) -> &mut str {
        // SAFETY: only UTF-8 gets in, and `str` keeps it so.
        unsafe { str::from_utf8_unchecked_mut(self.bytes.as_mut_slice()) }
    }

    /// Length in bytes. O(1).
    #[inline]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it is empty.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes it can hold before it takes more memory; at least 15.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Makes room for `additional` more bytes.
    ///
    /// # Panics
    /// When the room is over `isize::MAX` bytes.
    pub fn reserve(&mut self, additional: usize) {
        self.bytes.reserve(additional);
    }

    /// Gives unused room back. O(n).
    pub fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Appends text. O(len of `text`) amortized.
    #[inline]
    pub fn push_str(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Appends a character. O(1) amortized.
    #[inline]
    pub fn push(&mut self, c: char) {
        self.push_str(c.encode_utf8(&mut [0; 4]));
    }

    /// Removes the last character and returns it. O(1).
    pub fn pop(&mut self) -> Option<char> {
        let last = self.chars().next_back()?;
        self.bytes.truncate(self.len() - last.len_utf8());
        Some(last)
    }

    /// Inserts a character before byte `index`. O(n).
    ///
    /// # Panics
    /// When `index` is over the length or inside a character.
    pub fn insert(&mut self, index: usize, c: char) {
        self.insert_str(index, c.encode_utf8(&mut [0; 4]));
    }

    /// Inserts text before byte `index`. O(n).
    ///
    /// # Panics
    /// When `index` is over the length or inside a character.
    pub fn insert_str(&mut self, index: usize, text: &str) {
        assert!(self.is_char_boundary(index), "byte index {index} is not a char boundary");
        self.bytes.insert_slice(index, text.as_bytes());
    }

    /// Removes the character at byte `index` and returns it. O(n).
    ///
    /// # Panics
    /// When `index` is not below the length, or inside a character.
    pub fn remove(&mut self, index: usize) -> char {
        let Some(c) = self[index..].chars().next() else {
            panic!("cannot remove a char from the end of a string");
        };
        drop(self.bytes.drain(index..index + c.len_utf8()));
        c
    }

    /// Removes a range of bytes. O(n).
    ///
    /// # Panics
    /// When the range is not inside the text or cuts a character.
    pub fn remove_range(&mut self, range: impl RangeBounds<usize>) {
        let (start, end) = bounds(&range, self.len());
        assert!(self.is_char_boundary(start), "byte index {start} is not a char boundary");
        assert!(self.is_char_boundary(end), "byte index {end} is not a char boundary");
        drop(self.bytes.drain(start..end));
    }

    /// Keeps the first `len` bytes; longer than the text is no change. O(1).
    ///
    /// # Panics
    /// When `len` is inside a character.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len() {
            assert!(self.is_char_boundary(len), "byte index {len} is not a char boundary");
            self.bytes.truncate(len);
        }
    }

    /// Removes the text from byte `at` on and returns it. O(len of the result).
    ///
    /// # Panics
    /// When `at` is over the length or inside a character.
    pub fn split_off(&mut self, at: usize) -> Self {
        assert!(self.is_char_boundary(at), "byte index {at} is not a char boundary");
        Self { bytes: self.bytes.split_off(at) }
    }

    /// Keeps the characters for which `keep` answers true. O(n).
    pub fn retain(&mut self, mut keep: impl FnMut(char) -> bool) {
        *self = self.chars().filter(|&c| keep(c)).collect();
    }

    /// Empties it and keeps its room. O(1).
    pub fn clear(&mut self) {
        self.bytes.clear();
    }
}

/// Bytes that are not UTF-8; see [`String::from_utf8`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromUtf8Error {
    bytes: Bytes,
    error: str::Utf8Error,
}

impl FromUtf8Error {
    /// The bytes that were given.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Where they stop being UTF-8.
    pub fn utf8_error(&self) -> str::Utf8Error {
        self.error
    }
}

impl fmt::Display for FromUtf8Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for FromUtf8Error {}
