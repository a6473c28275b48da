//! A hash set for server state: a [`HashMap`] without values.

use core::fmt;
use core::iter::{Chain, FusedIterator};
use core::ops::{BitAnd, BitOr, BitXor, Sub};

use abi_stable::StableAbi;

use super::hash_map::{self, HashMap};
use crate::schema::{Kind, SchemaBuilder, TypeDef, mix};
use crate::state::{Lookup, StateKey, StateType};

pub use super::hash_map::FORMAT;

/// A hash set with std's methods, whose memory belongs to the shell: see [`HashMap`] for costs and
/// panics, which are the same.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(unsafe_unconstrained(K))]
pub struct HashSet<K> {
    #[sabi(unsafe_change_type = HashMap<u8, ()>)]
    map: HashMap<K, ()>,
}

// SAFETY: a `HashMap` and nothing else.
unsafe impl<K: StateKey> StateType for HashSet<K> {
    const FINGERPRINT: u64 = mix(mix(Kind::HashSet as u64, FORMAT as u64), K::FINGERPRINT);

    fn describe(schema: &mut SchemaBuilder) -> TypeDef {
        let args = vec![schema.add::<K>()];
        TypeDef::collection(Kind::HashSet, FORMAT, args)
    }
}

impl<K: StateKey> HashSet<K> {
    /// As [`HashMap::new`].
    #[must_use]
    pub const fn new() -> Self {
        Self { map: HashMap::new() }
    }

    /// As [`HashMap::with_capacity`].
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { map: HashMap::with_capacity(capacity) }
    }

    /// As [`HashMap::reserve`].
    pub fn reserve(&mut self, additional: usize) {
        self.map.reserve(additional);
    }

    /// As [`HashMap::shrink_to_fit`].
    pub fn shrink_to_fit(&mut self) {
        self.map.shrink_to_fit();
    }

    /// Whether `key` is in the set. O(1).
    #[inline]
    pub fn contains<Q: ?Sized + Lookup<K>>(&self, key: &Q) -> bool {
        self.map.contains_key(key)
    }

    /// The stored key that equals `key`. O(1).
    #[inline]
    pub fn get<Q: ?Sized + Lookup<K>>(&self, key: &Q) -> Option<&K> {
        self.map.get_key_value(key).map(|(key, ())| key)
    }

    /// Adds `key`; false when it was there already, and then the stored one stays. O(1).
    #[inline]
    pub fn insert(&mut self, key: K) -> bool {
        self.map.insert(key, ()).is_none()
    }

    /// Adds `key` in place of an equal one, which is the answer. O(1).
    pub fn replace(&mut self, key: K) -> Option<K> {
        let previous = self.take(&key);
        self.insert(key);
        previous
    }

    /// Removes `key`; false when it was not there. O(1).
    #[inline]
    pub fn remove<Q: ?Sized + Lookup<K>>(&mut self, key: &Q) -> bool {
        self.map.remove(key).is_some()
    }

    /// Removes `key` and answers the stored one. O(1).
    #[inline]
    pub fn take<Q: ?Sized + Lookup<K>>(&mut self, key: &Q) -> Option<K> {
        self.map.remove_entry(key).map(|(key, ())| key)
    }

    /// Keeps the keys for which `keep` answers true. O(capacity).
    pub fn retain(&mut self, mut keep: impl FnMut(&K) -> bool) {
        self.map.retain(|key, ()| keep(key));
    }

    /// As [`HashMap::clear`].
    pub fn clear(&mut self) {
        self.map.clear();
    }

    /// Takes all keys out and keeps the capacity: see [`HashMap::drain`].
    pub fn drain(&mut self) -> Drain<'_, K> {
        Drain(self.map.drain())
    }

    /// As [`HashMap::scan`].
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(&K)) -> u64 {
        self.map.scan(cursor, count, |key, ()| show(key))
    }

    /// As [`HashMap::random_entry`].
    pub fn random_entry(&self, random: impl FnMut() -> u64) -> Option<&K> {
        self.map.random_entry(random).map(|(key, ())| key)
    }

    /// As [`HashMap::take_some`].
    pub fn take_some(&mut self, n: usize, mut take: impl FnMut(K)) -> usize {
        self.map.take_some(n, |key, ()| take(key))
    }

    /// As [`HashMap::work`].
    pub fn work(&mut self, budget: usize) -> bool {
        self.map.work(budget)
    }

    /// The keys of this set, then those of `other` that it lacks. O(both) for the whole walk.
    pub fn union<'a>(&'a self, other: &'a Self) -> Union<'a, K> {
        match self.len() >= other.len() {
            true => Union(self.iter().chain(other.difference(self))),
            false => Union(other.iter().chain(self.difference(other))),
        }
    }

    /// The keys that both sets have. O(smaller) for the whole walk.
    pub fn intersection<'a>(&'a self, other: &'a Self) -> Intersection<'a, K> {
        let (keys, of) = if self.len() <= other.len() { (self, other) } else { (other, self) };
        Intersection { keys: keys.iter(), of }
    }

    /// The keys of this set that `other` lacks. O(this) for the whole walk.
    pub fn difference<'a>(&'a self, other: &'a Self) -> Difference<'a, K> {
        Difference { keys: self.iter(), without: other }
    }

    /// The keys that exactly one of both sets has. O(both) for the whole walk.
    pub fn symmetric_difference<'a>(&'a self, other: &'a Self) -> SymmetricDifference<'a, K> {
        SymmetricDifference(self.difference(other).chain(other.difference(self)))
    }

    /// Whether `other` has every key of this set. O(this).
    pub fn is_subset(&self, other: &Self) -> bool {
        self.len() <= other.len() && self.iter().all(|key| other.contains(key))
    }

    /// Whether this set has every key of `other`. O(other).
    pub fn is_superset(&self, other: &Self) -> bool {
        other.is_subset(self)
    }

    /// Whether no key is in both sets. O(smaller).
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.intersection(other).next().is_none()
    }
}

impl<K> HashSet<K> {
    /// Number of keys. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there are no keys. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Keys that fit before the set grows. O(1).
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.map.capacity()
    }

    /// All keys, in arbitrary order. O(capacity) for the whole walk.
    pub fn iter(&self) -> Iter<'_, K> {
        Iter(self.map.keys())
    }
}

/// Iterator of [`HashSet::iter`].
pub struct Iter<'a, K>(hash_map::Keys<'a, K, ()>);

/// Iterator of `HashSet::into_iter`.
pub struct IntoIter<K>(hash_map::IntoKeys<K, ()>);

/// Iterator of [`HashSet::drain`].
pub struct Drain<'a, K>(hash_map::Drain<'a, K, ()>);

/// Iterator of [`HashSet::union`].
pub struct Union<'a, K>(Chain<Iter<'a, K>, Difference<'a, K>>);

/// Iterator of [`HashSet::symmetric_difference`].
pub struct SymmetricDifference<'a, K>(Chain<Difference<'a, K>, Difference<'a, K>>);

/// Iterator of [`HashSet::intersection`].
pub struct Intersection<'a, K> {
    keys: Iter<'a, K>,
    of: &'a HashSet<K>,
}

/// Iterator of [`HashSet::difference`].
pub struct Difference<'a, K> {
    keys: Iter<'a, K>,
    without: &'a HashSet<K>,
}

impl<K> Clone for Iter<'_, K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

macro_rules! iterators {
    ($($name:ident<$($lifetime:lifetime,)? K> => $item:ty, $next:expr, $hint:expr;)*) => {$(
        impl<$($lifetime,)? K: StateKey> Iterator for $name<$($lifetime,)? K> {
            type Item = $item;

            #[inline]
            fn next(&mut self) -> Option<Self::Item> {
                $next(self)
            }

            #[inline]
            fn size_hint(&self) -> (usize, Option<usize>) {
                $hint(self)
            }
        }
        impl<$($lifetime,)? K: StateKey> FusedIterator for $name<$($lifetime,)? K> {}
        impl<$($lifetime,)? K> fmt::Debug for $name<$($lifetime,)? K> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

iterators! {
    Iter<'a, K> => &'a K, |i: &mut Self| i.0.next(), |i: &Self| i.0.size_hint();
    IntoIter<K> => K, |i: &mut Self| i.0.next(), |i: &Self| i.0.size_hint();
    Drain<'a, K> => K, |i: &mut Self| Some(i.0.next()?.0), |i: &Self| i.0.size_hint();
    Union<'a, K> => &'a K, |i: &mut Self| i.0.next(), |i: &Self| i.0.size_hint();
    SymmetricDifference<'a, K> => &'a K, |i: &mut Self| i.0.next(), |i: &Self| i.0.size_hint();
    Intersection<'a, K> => &'a K,
        |i: &mut Self| i.keys.find(|key| i.of.contains(*key)),
        |i: &Self| (0, i.keys.size_hint().1);
    Difference<'a, K> => &'a K,
        |i: &mut Self| i.keys.find(|key| !i.without.contains(*key)),
        |i: &Self| (0, i.keys.size_hint().1);
}

impl<K: StateKey> ExactSizeIterator for Iter<'_, K> {}
impl<K: StateKey> ExactSizeIterator for IntoIter<K> {}
impl<K: StateKey> ExactSizeIterator for Drain<'_, K> {}

impl<K: StateKey> Default for HashSet<K> {
    fn default() -> Self {
        Self::new()
    }
}

/// O(capacity).
impl<K: StateKey + Clone> Clone for HashSet<K> {
    fn clone(&self) -> Self {
        Self { map: self.map.clone() }
    }
}

/// O(capacity).
impl<K: StateKey> PartialEq for HashSet<K> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.is_subset(other)
    }
}

impl<K: StateKey> Eq for HashSet<K> {}

impl<K: StateKey + fmt::Debug> fmt::Debug for HashSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self).finish()
    }
}

impl<K: StateKey> Extend<K> for HashSet<K> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, keys: I) {
        self.map.extend(keys.into_iter().map(|key| (key, ())));
    }
}

impl<'a, K: StateKey + Copy> Extend<&'a K> for HashSet<K> {
    fn extend<I: IntoIterator<Item = &'a K>>(&mut self, keys: I) {
        self.extend(keys.into_iter().copied());
    }
}

impl<K: StateKey> FromIterator<K> for HashSet<K> {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Self {
        let mut set = Self::new();
        set.extend(keys);
        set
    }
}

impl<K: StateKey, const N: usize> From<[K; N]> for HashSet<K> {
    fn from(keys: [K; N]) -> Self {
        keys.into_iter().collect()
    }
}

impl<K: StateKey> IntoIterator for HashSet<K> {
    type Item = K;
    type IntoIter = IntoIter<K>;

    fn into_iter(self) -> IntoIter<K> {
        IntoIter(self.map.into_keys())
    }
}

impl<'a, K: StateKey> IntoIterator for &'a HashSet<K> {
    type Item = &'a K;
    type IntoIter = Iter<'a, K>;

    fn into_iter(self) -> Iter<'a, K> {
        self.iter()
    }
}

macro_rules! operators {
    ($($operator:ident, $method:ident, $set:ident;)*) => {$(
        impl<K: StateKey + Clone> $operator<&HashSet<K>> for &HashSet<K> {
            type Output = HashSet<K>;

            fn $method(self, other: &HashSet<K>) -> HashSet<K> {
                self.$set(other).cloned().collect()
            }
        }
    )*};
}

operators! {
    BitAnd, bitand, intersection;
    BitOr, bitor, union;
    BitXor, bitxor, symmetric_difference;
    Sub, sub, difference;
}
