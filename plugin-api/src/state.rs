//! What may live in state, and what may be a key.
//!
//! [`StateType`] is the guarantee that nothing in state points into a plugin image: only data types
//! implement it, and `#[state]` derives it where every field does. A `fn`, a `&'static str`, a `dyn`,
//! a std collection anywhere below is a compile error that names the field.

use core::cmp::Ordering;

use crate::collections::hash::KeyHasher;
use crate::migrate::lineage::LineageBuilder;
use crate::schema::{Kind, SchemaBuilder, TypeDef, mix};

/// A type whose values may live in server state.
///
/// Implemented by the fixed-width integers, `bool`, `f32`, `f64`, `()`, arrays of state types, the
/// types of [`crate::collections`], and by whatever carries `#[state]`.
///
/// # Safety
/// A value holds no pointer into a plugin image, at any depth; its layout is fixed (`repr(C)`,
/// `repr(u8)` or primitive) and fully told by [`StateType::describe`]; it may be moved by copying
/// its bytes; two types with equal fingerprints have interchangeable values.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot live in hotshell state",
    label = "not a state type",
    note = "state outlives the plugin that wrote it, so it holds data only: fixed-width integers, bool, f32, f64, \
            arrays of those, `#[state]` structs and enums, and the types of `hotshell_plugin_api::collections`",
    note = "use collections::{{String, Bytes, Vec, HashMap, Option, Box, ..}} in place of std's types, u64 in place of usize, \
            and an enum in place of fn pointers and trait objects"
)]
pub unsafe trait StateType: Sized + 'static {
    /// A hash over the whole shape, known at compile time. Equal shapes, and only those, are equal.
    const FINGERPRINT: u64;
    /// The author's schema number of a `#[state]` type; 0 for all others.
    const NUMBER: u32 = 0;

    /// The definition of this type; the types it uses are added to `schema`.
    fn describe(schema: &mut SchemaBuilder) -> TypeDef;

    /// What the author says of older versions of this type: names, defaults of its fields,
    /// conversions. Nothing for types that are not the author's.
    fn lineage(lineage: &mut LineageBuilder) {
        let _ = lineage;
    }
}

/// A type that may be a key of `HashMap`, `HashSet` and `BTreeMap`: `#[state(key)]` derives it.
///
/// Hash, equality and order all come from one canonical encoding, which the schema covers; a
/// hand-written `Hash`, `Eq` or `Ord` could change between two versions without a trace.
///
/// # Safety
/// Only `#[state(key)]` and this crate implement it: `key_eq` and `key_cmp` agree with `hash_into`
/// and never change their meaning for a given fingerprint.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key in hotshell state",
    label = "not a state key",
    note = "keys are integers, bool, String, Bytes, arrays of keys, and structs or enums marked `#[state(key)]`"
)]
pub unsafe trait StateKey: StateType {
    /// Feeds the canonical encoding into the hasher.
    fn hash_into(&self, hasher: &mut KeyHasher);
    /// Equality of the canonical encodings.
    fn key_eq(&self, other: &Self) -> bool;
    /// The order of keys: integers by value, bytes lexicographically, structs field by field, enums
    /// by tag and then by fields.
    fn key_cmp(&self, other: &Self) -> Ordering;

    /// Fetches what lies outside the key itself into the processor's caches.
    #[inline(always)]
    fn prefetch(&self) {}

    /// [`Self::hash_into`] for all of an array: one after the other, bytes as one string.
    #[doc(hidden)]
    #[inline]
    fn hash_all(keys: &[Self], hasher: &mut KeyHasher)
    where
        Self: Sized,
    {
        keys.iter().for_each(|key| StateKey::hash_into(key, hasher));
    }

    /// [`Self::key_eq`] for all of two arrays of one length.
    #[doc(hidden)]
    #[inline]
    fn all_eq(keys: &[Self], others: &[Self]) -> bool
    where
        Self: Sized,
    {
        keys.iter().zip(others).all(|(key, other)| key.key_eq(other))
    }

    /// [`Self::key_cmp`] for two arrays of one length, lexicographically.
    #[doc(hidden)]
    #[inline]
    fn all_cmp(keys: &[Self], others: &[Self]) -> Ordering
    where
        Self: Sized,
    {
        let mut orders = keys.iter().zip(others).map(|(key, other)| key.key_cmp(other));
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// Something a `K` can be looked up by: `K` itself, `str` for `String`, `[u8]` for `Bytes`.
///
/// # Safety
/// `hash_into`, `eq_key` and `cmp_key` answer exactly as the equal key's [`StateKey`] would.
pub unsafe trait Lookup<K: StateKey> {
    /// As [`StateKey::hash_into`].
    fn hash_into(&self, hasher: &mut KeyHasher);
    /// Whether this stands for `key`.
    fn eq_key(&self, key: &K) -> bool;
    /// The order of this against `key`.
    fn cmp_key(&self, key: &K) -> Ordering;
}

// SAFETY: delegates to the key itself.
unsafe impl<K: StateKey> Lookup<K> for K {
    #[inline(always)]
    fn hash_into(&self, hasher: &mut KeyHasher) {
        StateKey::hash_into(self, hasher);
    }
    #[inline(always)]
    fn eq_key(&self, key: &K) -> bool {
        self.key_eq(key)
    }
    #[inline(always)]
    fn cmp_key(&self, key: &K) -> Ordering {
        self.key_cmp(key)
    }
}

macro_rules! primitives {
    ($($ty:ty, $kind:ident, $code:literal;)*) => {$(
        // SAFETY: a primitive without pointers; the code is unique per type.
        unsafe impl StateType for $ty {
            const FINGERPRINT: u64 = mix(Kind::$kind as u64, $code);
            fn describe(_: &mut SchemaBuilder) -> TypeDef {
                TypeDef::new(Kind::$kind)
            }
        }
    )*};
}

primitives! {
    (), Unit, 0;
    bool, Bool, 1;
    u8, Unsigned, 1;
    u16, Unsigned, 2;
    u32, Unsigned, 4;
    u64, Unsigned, 8;
    u128, Unsigned, 16;
    i8, Signed, 1;
    i16, Signed, 2;
    i32, Signed, 4;
    i64, Signed, 8;
    i128, Signed, 16;
    f32, Float, 4;
    f64, Float, 8;
}

// SAFETY: an array of state types is laid out by count and element alone.
unsafe impl<T: StateType, const N: usize> StateType for [T; N] {
    const FINGERPRINT: u64 = mix(mix(Kind::Array as u64, N as u64), T::FINGERPRINT);
    fn describe(schema: &mut SchemaBuilder) -> TypeDef {
        let element = schema.add::<T>();
        TypeDef { count: N as u32, ..TypeDef::collection(Kind::Array, 0, vec![element]) }
    }
}

macro_rules! integer_keys {
    ($($ty:ty $({ $($more:item)* })?)*) => {$(
        // SAFETY: hash, equality and order are those of the integer's value.
        unsafe impl StateKey for $ty {
            #[inline(always)]
            fn hash_into(&self, hasher: &mut KeyHasher) {
                hasher.write_u64(*self as u64);
            }
            #[inline(always)]
            fn key_eq(&self, other: &Self) -> bool {
                self == other
            }
            #[inline(always)]
            fn key_cmp(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }
            #[inline(always)]
            fn all_eq(keys: &[Self], others: &[Self]) -> bool {
                keys == others
            }
            #[inline(always)]
            fn all_cmp(keys: &[Self], others: &[Self]) -> Ordering {
                keys.cmp(others)
            }
            $($($more)*)?
        }
    )*};
}

integer_keys! {
    bool u16 u32 u64 i8 i16 i32 i64
    u8 {
        #[inline(always)]
        fn hash_all(keys: &[Self], hasher: &mut KeyHasher) {
            hasher.write_bytes(keys);
        }
    }
}

macro_rules! wide_integer_keys {
    ($($ty:ty)*) => {$(
        // SAFETY: both halves are hashed, so the encoding is the value.
        unsafe impl StateKey for $ty {
            #[inline]
            fn hash_into(&self, hasher: &mut KeyHasher) {
                hasher.write_u64(*self as u64);
                hasher.write_u64((*self >> 64) as u64);
            }
            #[inline]
            fn key_eq(&self, other: &Self) -> bool {
                self == other
            }
            #[inline]
            fn key_cmp(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }
        }
    )*};
}

wide_integer_keys! { u128 i128 }

// SAFETY: all elements, and the count is part of the type.
unsafe impl<T: StateKey, const N: usize> StateKey for [T; N] {
    #[inline]
    fn hash_into(&self, hasher: &mut KeyHasher) {
        T::hash_all(self, hasher);
    }
    #[inline]
    fn key_eq(&self, other: &Self) -> bool {
        T::all_eq(self, other)
    }
    #[inline]
    fn key_cmp(&self, other: &Self) -> Ordering {
        T::all_cmp(self, other)
    }
}
