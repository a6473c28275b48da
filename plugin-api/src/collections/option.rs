//! An optional value with a fixed layout.

use core::cmp::Ordering;
use core::mem;
use core::option::Option as Std;

use abi_stable::StableAbi;

use crate::collections::hash::KeyHasher;
use crate::schema::{Kind, SchemaBuilder, TypeDef, mix};
use crate::state::{StateKey, StateType};

/// Format number of [`Option`]; raised with its layout.
pub const FORMAT: u32 = 1;

/// An optional value, as std's `Option`, whose layout is the same for every compiler: a tag byte, 0
/// for `None` and 1 for `Some`, then the value at its alignment. There is no niche.
///
/// The prelude's `Some(x)` and `None` are std's; write `Option::Some(x)`, `Option::None`, or turn one
/// into the other with `.into()`. Methods that hand a value out return std's `Option`, so that `?`,
/// `if let Some(x)` and the rest of std work on it: `option.as_std().map(..)`.
///
/// ```
/// use hotshell_plugin_api::collections::Option;
/// let mut limit: Option<u32> = Some(10).into();
/// if let Some(n) = limit.as_mut() {
///     *n += 1;
/// }
/// assert_eq!(limit.take(), Some(11));
/// assert!(limit.is_none());
/// ```
#[repr(u8)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, StableAbi)]
pub enum Option<T> {
    /// No value.
    #[default]
    None = 0,
    /// A value.
    Some(T) = 1,
}

// SAFETY: a tag byte and a state type, laid out by `repr(u8)`.
unsafe impl<T: StateType> StateType for Option<T> {
    const FINGERPRINT: u64 = mix(mix(Kind::Option as u64, FORMAT as u64), T::FINGERPRINT);
    fn describe(schema: &mut SchemaBuilder) -> TypeDef {
        let value = schema.add::<T>();
        TypeDef::collection(Kind::Option, FORMAT, vec![value])
    }
}

// SAFETY: the tag first, then the key, in hash, equality and order.
unsafe impl<K: StateKey> StateKey for Option<K> {
    fn hash_into(&self, hasher: &mut KeyHasher) {
        hasher.write_u64(u64::from(self.is_some()));
        if let Self::Some(key) = self {
            StateKey::hash_into(key, hasher);
        }
    }
    fn key_eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Some(a), Self::Some(b)) => a.key_eq(b),
            (a, b) => a.is_none() && b.is_none(),
        }
    }
    fn key_cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Some(a), Self::Some(b)) => a.key_cmp(b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        }
    }
}

impl<T> Option<T> {
    /// Whether there is a value.
    #[inline]
    pub const fn is_some(&self) -> bool {
        matches!(self, Self::Some(_))
    }

    /// Whether there is no value.
    #[inline]
    pub const fn is_none(&self) -> bool {
        !self.is_some()
    }

    /// Whether there is a value for which `test` holds.
    pub fn is_some_and(self, test: impl FnOnce(T) -> bool) -> bool {
        self.into_std().is_some_and(test)
    }

    /// The value, borrowed, as std's `Option`.
    #[inline]
    pub const fn as_std(&self) -> Std<&T> {
        match self {
            Self::Some(value) => Some(value),
            Self::None => None,
        }
    }

    /// The value, borrowed to change, as std's `Option`.
    #[inline]
    pub const fn as_std_mut(&mut self) -> Std<&mut T> {
        match self {
            Self::Some(value) => Some(value),
            Self::None => None,
        }
    }

    /// The value as std's `Option`.
    #[inline]
    pub fn into_std(self) -> Std<T> {
        match self {
            Self::Some(value) => Some(value),
            Self::None => None,
        }
    }

    /// As [`Option::as_std`].
    #[inline]
    pub const fn as_ref(&self) -> Std<&T> {
        self.as_std()
    }

    /// As [`Option::as_std_mut`].
    #[inline]
    pub const fn as_mut(&mut self) -> Std<&mut T> {
        self.as_std_mut()
    }

    /// The value behind a smart pointer, borrowed: `Option<String>` gives `&str`.
    pub fn as_deref(&self) -> Std<&T::Target>
    where
        T: core::ops::Deref,
    {
        self.as_std().map(|value| &**value)
    }

    /// Takes the value out and leaves `None`.
    #[inline]
    pub fn take(&mut self) -> Std<T> {
        mem::replace(self, Self::None).into_std()
    }

    /// Puts `value` in and returns what was there.
    #[inline]
    pub fn replace(&mut self, value: T) -> Std<T> {
        mem::replace(self, Self::Some(value)).into_std()
    }

    /// Puts `value` in, drops what was there, and borrows it.
    pub fn insert(&mut self, value: T) -> &mut T {
        *self = Self::Some(value);
        self.get_or_insert_with(|| unreachable!("a value was just put in"))
    }

    /// The value; `value` is put in first if there is none.
    pub fn get_or_insert(&mut self, value: T) -> &mut T {
        self.get_or_insert_with(|| value)
    }

    /// The value; what `make` returns is put in first if there is none.
    pub fn get_or_insert_with(&mut self, make: impl FnOnce() -> T) -> &mut T {
        if self.is_none() {
            *self = Self::Some(make());
        }
        match self {
            Self::Some(value) => value,
            Self::None => unreachable!("a value was just put in"),
        }
    }

    /// The value.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn unwrap(self) -> T {
        self.into_std().unwrap()
    }

    /// The value.
    ///
    /// # Panics
    /// With `message` when there is none.
    #[track_caller]
    pub fn expect(self, message: &str) -> T {
        self.into_std().expect(message)
    }

    /// The value, or `other`.
    pub fn unwrap_or(self, other: T) -> T {
        self.into_std().unwrap_or(other)
    }

    /// The value, or what `other` returns.
    pub fn unwrap_or_else(self, other: impl FnOnce() -> T) -> T {
        self.into_std().unwrap_or_else(other)
    }

    /// The value, or the type's default.
    pub fn unwrap_or_default(self) -> T
    where
        T: Default,
    {
        self.into_std().unwrap_or_default()
    }

    /// What `f` makes of the value, if there is one.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Std<U> {
        self.into_std().map(f)
    }

    /// What `f` makes of the value, or `other`.
    pub fn map_or<U>(self, other: U, f: impl FnOnce(T) -> U) -> U {
        self.into_std().map_or(other, f)
    }

    /// What `f` answers to the value, if there is one.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Std<U>) -> Std<U> {
        self.into_std().and_then(f)
    }

    /// The value, if there is one for which `test` holds.
    pub fn filter(self, test: impl FnOnce(&T) -> bool) -> Std<T> {
        self.into_std().filter(test)
    }

    /// The value, or `other` if there is none.
    pub fn or(self, other: Std<T>) -> Std<T> {
        self.into_std().or(other)
    }

    /// The value, or `error`.
    ///
    /// # Errors
    /// `error` when there is no value.
    pub fn ok_or<E>(self, error: E) -> Result<T, E> {
        self.into_std().ok_or(error)
    }

    /// The value, or the error that `error` returns.
    ///
    /// # Errors
    /// What `error` returns, when there is no value.
    pub fn ok_or_else<E>(self, error: impl FnOnce() -> E) -> Result<T, E> {
        self.into_std().ok_or_else(error)
    }

    /// Iterates over the value, if there is one.
    pub fn iter(&self) -> core::option::IntoIter<&T> {
        self.as_std().into_iter()
    }
}

impl<T> From<Std<T>> for Option<T> {
    #[inline]
    fn from(std: Std<T>) -> Self {
        match std {
            Some(value) => Self::Some(value),
            None => Self::None,
        }
    }
}

impl<T> From<Option<T>> for Std<T> {
    #[inline]
    fn from(option: Option<T>) -> Self {
        option.into_std()
    }
}

impl<T> From<T> for Option<T> {
    fn from(value: T) -> Self {
        Self::Some(value)
    }
}

impl<T: PartialEq> PartialEq<Std<T>> for Option<T> {
    fn eq(&self, other: &Std<T>) -> bool {
        self.as_std() == other.as_ref()
    }
}

impl<T: PartialEq> PartialEq<Option<T>> for Std<T> {
    fn eq(&self, other: &Option<T>) -> bool {
        other == self
    }
}

impl<T> IntoIterator for Option<T> {
    type Item = T;
    type IntoIter = core::option::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.into_std().into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Option<T> {
    type Item = &'a T;
    type IntoIter = core::option::IntoIter<&'a T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
