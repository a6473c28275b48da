//! The traits that std's map has.

use core::fmt;
use core::ops::Index;

use super::{HashMap, Iter, IterMut};
use crate::state::{Lookup, StateKey, StateType};

impl<K: StateKey, V: StateType> Default for HashMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// O(capacity). The copy has a seed of its own.
impl<K: StateKey + Clone, V: StateType + Clone> Clone for HashMap<K, V> {
    fn clone(&self) -> Self {
        let mut copy = Self::with_capacity(self.len());
        for (key, value) in self {
            let (key, value) = (key.clone(), value.clone());
            let hash = copy.hash_of(&key);
            copy.insert_new(hash, key, value);
        }
        copy
    }
}

/// O(capacity).
impl<K: StateKey, V: StateType + PartialEq> PartialEq for HashMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(k, v)| other.get(k) == Some(v))
    }
}

impl<K: StateKey, V: StateType + Eq> Eq for HashMap<K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for HashMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

/// # Panics
/// Indexing panics when the key is not in the map.
impl<K: StateKey, V: StateType, Q: ?Sized + Lookup<K>> Index<&Q> for HashMap<K, V> {
    type Output = V;

    #[inline]
    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("no entry found for key")
    }
}

impl<K: StateKey, V: StateType> Extend<(K, V)> for HashMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        let entries = entries.into_iter();
        // Half, as std does: keys may be present already.
        let hint = entries.size_hint().0;
        self.reserve(if self.is_empty() { hint } else { hint.div_ceil(2) });
        entries.for_each(|(key, value)| {
            self.insert(key, value);
        });
    }
}

impl<'a, K: StateKey + Copy, V: StateType + Copy> Extend<(&'a K, &'a V)> for HashMap<K, V> {
    fn extend<I: IntoIterator<Item = (&'a K, &'a V)>>(&mut self, entries: I) {
        self.extend(entries.into_iter().map(|(key, value)| (*key, *value)));
    }
}

impl<K: StateKey, V: StateType> FromIterator<(K, V)> for HashMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: StateKey, V: StateType, const N: usize> From<[(K, V); N]> for HashMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<'a, K, V> IntoIterator for &'a HashMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    #[inline]
    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<'a, K, V> IntoIterator for &'a mut HashMap<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = IterMut<'a, K, V>;

    #[inline]
    fn into_iter(self) -> IterMut<'a, K, V> {
        self.iter_mut()
    }
}
