//! An ordered set with ranks: a [`BTreeMap`] without values.

use core::fmt;
use core::iter::FusedIterator;
use core::ops::RangeBounds;

use super::btree_map::{self, BTreeMap};
use crate::schema::{SchemaBuilder, TypeDef};
use crate::state::{Lookup, StateKey, StateType};

/// An ordered set, as std's `BTreeSet`, that also knows ranks: `BTreeMap<K, ()>`, and so described in
/// the schema. All costs are those of [`BTreeMap`].
///
/// ```
/// use hotshell_plugin_api::collections::BTreeSet;
/// let set: BTreeSet<u32> = [30, 10, 20].into_iter().collect();
/// assert!(set.contains(&10));
/// assert_eq!(set.rank(&30), Ok(2));
/// assert!(set.iter().eq(&[10, 20, 30]));
/// ```
#[repr(C)]
pub struct BTreeSet<K> {
    map: BTreeMap<K, ()>,
}

// SAFETY: a map of state types and nothing else, with the map's own description.
unsafe impl<K: StateKey> StateType for BTreeSet<K> {
    const FINGERPRINT: u64 = <BTreeMap<K, ()> as StateType>::FINGERPRINT;
    fn describe(schema: &mut SchemaBuilder) -> TypeDef {
        BTreeMap::<K, ()>::describe(schema)
    }
}

/// The keys of a [`BTreeSet`] in order; also those of a range.
pub type Iter<'a, K> = btree_map::Keys<'a, K, ()>;
/// The keys of a [`BTreeSet`] in order, by value.
pub type IntoIter<K> = btree_map::IntoKeys<K, ()>;

impl<K> BTreeSet<K> {
    /// An empty set; takes no memory.
    pub const fn new() -> Self {
        Self { map: BTreeMap::new() }
    }

    /// Keys in it. O(1).
    pub const fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether it holds nothing.
    pub const fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The keys in order.
    pub fn iter(&self) -> Iter<'_, K> {
        self.map.keys()
    }

    /// The key with `index` keys before it. O(log n).
    pub fn get_index(&self, index: usize) -> Option<&K> {
        self.map.get_index(index).map(|(key, ())| key)
    }

    /// The smallest key. O(log n).
    pub fn first(&self) -> Option<&K> {
        self.get_index(0)
    }

    /// The largest key. O(log n).
    pub fn last(&self) -> Option<&K> {
        self.get_index(self.len().wrapping_sub(1))
    }

    /// Drops all keys. O(n).
    pub fn clear(&mut self) {
        self.map.clear();
    }

    /// The keys with ranks in `range`. O(log n) to start.
    ///
    /// # Panics
    /// When the range is not inside the set, as for slices.
    #[track_caller]
    pub fn range_by_rank(&self, range: impl RangeBounds<usize>) -> Iter<'_, K> {
        btree_map::Keys::of(self.map.range_by_rank(range))
    }
}

impl<K: StateKey> BTreeSet<K> {
    /// Whether `key` is in it. O(log n).
    pub fn contains<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> bool {
        self.map.contains_key(key)
    }

    /// The key in the set that equals `key`. O(log n).
    pub fn get<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Option<&K> {
        self.map.get_key_value(key).map(|(key, ())| key)
    }

    /// Puts a key in; whether it is new. O(log n).
    pub fn insert(&mut self, key: K) -> bool {
        self.map.insert(key, ()).is_none()
    }

    /// Removes a key; whether it was there. O(log n).
    pub fn remove<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> bool {
        self.map.remove(key).is_some()
    }

    /// Removes a key and returns it. O(log n).
    pub fn take<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Option<K> {
        self.map.remove_entry(key).map(|(key, ())| key)
    }

    /// Removes the key with `index` keys before it. O(log n).
    pub fn remove_index(&mut self, index: usize) -> Option<K> {
        self.map.remove_index(index).map(|(key, ())| key)
    }

    /// Removes the smallest key. O(log n).
    pub fn pop_first(&mut self) -> Option<K> {
        self.map.pop_first().map(|(key, ())| key)
    }

    /// Removes the largest key. O(log n).
    pub fn pop_last(&mut self) -> Option<K> {
        self.map.pop_last().map(|(key, ())| key)
    }

    /// Removes up to `count` keys, smallest first; see [`BTreeMap::take_some`].
    pub fn take_some(&mut self, count: usize) -> impl FusedIterator<Item = K> {
        self.map.take_some(count).map(|(key, ())| key)
    }

    /// How many keys are below `key`; see [`BTreeMap::rank`].
    ///
    /// # Errors
    /// The rank that `key` would have, when it is not in the set.
    pub fn rank<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<usize, usize> {
        self.map.rank(key)
    }

    /// The keys in `range`; see [`BTreeMap::range`].
    pub fn range<Q, R>(&self, range: R) -> Iter<'_, K>
    where
        Q: Lookup<K> + ?Sized,
        R: RangeBounds<Q>,
    {
        btree_map::Keys::of(self.map.range(range))
    }

    /// Keeps the keys for which `keep` answers true; see [`BTreeMap::retain`].
    pub fn retain(&mut self, mut keep: impl FnMut(&K) -> bool) {
        self.map.retain(|key, ()| keep(key));
    }

    /// Whether every key is in `other`. O(n log m).
    pub fn is_subset(&self, other: &Self) -> bool {
        self.len() <= other.len() && self.iter().all(|key| other.contains(key))
    }
}

impl<K> Default for BTreeSet<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Clone> Clone for BTreeSet<K> {
    fn clone(&self) -> Self {
        Self { map: self.map.clone() }
    }
}

impl<K: fmt::Debug> fmt::Debug for BTreeSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<K: StateKey> PartialEq for BTreeSet<K> {
    fn eq(&self, other: &Self) -> bool {
        self.map == other.map
    }
}

impl<K: StateKey> Eq for BTreeSet<K> {}

impl<K: StateKey> Extend<K> for BTreeSet<K> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, iter: I) {
        self.map.extend(iter.into_iter().map(|key| (key, ())));
    }
}

impl<K: StateKey> FromIterator<K> for BTreeSet<K> {
    fn from_iter<I: IntoIterator<Item = K>>(iter: I) -> Self {
        let mut new = Self::new();
        new.extend(iter);
        new
    }
}

impl<K: StateKey, const N: usize> From<[K; N]> for BTreeSet<K> {
    fn from(keys: [K; N]) -> Self {
        keys.into_iter().collect()
    }
}

impl<K> IntoIterator for BTreeSet<K> {
    type Item = K;
    type IntoIter = IntoIter<K>;
    fn into_iter(self) -> IntoIter<K> {
        self.map.into_keys()
    }
}

impl<'a, K> IntoIterator for &'a BTreeSet<K> {
    type Item = &'a K;
    type IntoIter = Iter<'a, K>;
    fn into_iter(self) -> Iter<'a, K> {
        self.iter()
    }
}
