//! The place of one key in a [`BTreeMap`].

use core::fmt;
use core::mem::replace;

use super::BTreeMap;
use super::path::Path;
use crate::state::StateKey;

/// The place of a key, as std's `btree_map::Entry`; see [`BTreeMap::entry`].
pub enum Entry<'a, K, V> {
    /// The key has no value.
    Vacant(VacantEntry<'a, K, V>),
    /// The key has a value.
    Occupied(OccupiedEntry<'a, K, V>),
}

/// The place of a key without a value.
pub struct VacantEntry<'a, K, V> {
    map: &'a mut BTreeMap<K, V>,
    path: Path<K, V>,
    key: K,
}

/// The place of a key with a value.
pub struct OccupiedEntry<'a, K, V> {
    map: &'a mut BTreeMap<K, V>,
    path: Path<K, V>,
}

impl<'a, K: StateKey, V> Entry<'a, K, V> {
    /// The value; `value` is put in first if there is none. O(1), but for splitting nodes.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The value; what `make` returns is put in first if there is none.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        self.or_insert_with_key(|_| make())
    }

    /// The value; what `make` returns for the key is put in first if there is none.
    pub fn or_insert_with_key(self, make: impl FnOnce(&K) -> V) -> &'a mut V {
        match self {
            Self::Occupied(entry) => entry.into_mut(),
            Self::Vacant(entry) => {
                let value = make(entry.key());
                entry.insert(value)
            }
        }
    }

    /// The value; the type's default is put in first if there is none.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }

    /// Changes the value, if there is one.
    pub fn and_modify(mut self, change: impl FnOnce(&mut V)) -> Self {
        if let Self::Occupied(entry) = &mut self {
            change(entry.get_mut());
        }
        self
    }

    /// The key.
    pub fn key(&self) -> &K {
        match self {
            Self::Occupied(entry) => entry.key(),
            Self::Vacant(entry) => entry.key(),
        }
    }
}

impl<'a, K: StateKey, V> VacantEntry<'a, K, V> {
    pub(super) fn new(map: &'a mut BTreeMap<K, V>, path: Path<K, V>, key: K) -> Self {
        Self { map, path, key }
    }

    /// The key that was asked for.
    pub fn key(&self) -> &K {
        &self.key
    }

    /// Gives the key back.
    pub fn into_key(self) -> K {
        self.key
    }

    /// Puts a value in.
    pub fn insert(self, value: V) -> &'a mut V {
        let (leaf, at) = self.path.insert(self.map, self.key, value);
        // SAFETY: the entry was just made, and the map is borrowed for `'a`, exclusively.
        unsafe { &mut *leaf.value(at) }
    }
}

impl<'a, K: StateKey, V> OccupiedEntry<'a, K, V> {
    pub(super) fn new(map: &'a mut BTreeMap<K, V>, path: Path<K, V>) -> Self {
        Self { map, path }
    }

    /// The key in the map.
    pub fn key(&self) -> &K {
        // SAFETY: the entry exists, and the map is borrowed.
        unsafe { &*self.path.leaf.key(self.path.at) }
    }

    /// The value.
    pub fn get(&self) -> &V {
        // SAFETY: the entry exists, and the map is borrowed.
        unsafe { &*self.path.leaf.value(self.path.at) }
    }

    /// The value, to change.
    pub fn get_mut(&mut self) -> &mut V {
        // SAFETY: the entry exists, and the map is borrowed exclusively.
        unsafe { &mut *self.path.leaf.value(self.path.at) }
    }

    /// The value, borrowed as long as the map is.
    pub fn into_mut(self) -> &'a mut V {
        // SAFETY: the entry exists, and the map is borrowed for `'a`, exclusively.
        unsafe { &mut *self.path.leaf.value(self.path.at) }
    }

    /// Puts a value in and returns the one before.
    pub fn insert(&mut self, value: V) -> V {
        replace(self.get_mut(), value)
    }
}

impl<K: StateKey, V> OccupiedEntry<'_, K, V> {
    /// Removes the entry and returns its value.
    pub fn remove(self) -> V {
        self.remove_entry().1
    }

    /// Removes the entry and returns it.
    pub fn remove_entry(self) -> (K, V) {
        self.map.take_out(self.path)
    }
}

impl<K: StateKey + fmt::Debug, V: fmt::Debug> fmt::Debug for Entry<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vacant(entry) => f.debug_tuple("Vacant").field(entry.key()).finish(),
            Self::Occupied(entry) => {
                f.debug_tuple("Occupied").field(entry.key()).field(entry.get()).finish()
            }
        }
    }
}
