//! The entry of one key: look once, then decide.

use core::fmt;
use core::mem;

use super::raw::Found;
use super::{HashMap, Slot};
use crate::state::{StateKey, StateType};

/// The place of a key in a map: see [`HashMap::entry`].
pub enum Entry<'a, K, V> {
    /// The key is in the map.
    Occupied(OccupiedEntry<'a, K, V>),
    /// It is not.
    Vacant(VacantEntry<'a, K, V>),
}

/// A key that is in the map, and its value.
pub struct OccupiedEntry<'a, K, V> {
    map: &'a mut HashMap<K, V>,
    found: Found<Slot<K, V>>,
}

/// A key that is not in the map, with room made for it.
pub struct VacantEntry<'a, K, V> {
    map: &'a mut HashMap<K, V>,
    hash: u64,
    key: K,
}

impl<'a, K: StateKey, V: StateType> Entry<'a, K, V> {
    /// The key, as it was given or as it is stored.
    pub fn key(&self) -> &K {
        match self {
            Self::Occupied(entry) => entry.key(),
            Self::Vacant(entry) => entry.key(),
        }
    }

    /// The value, which is `default` if the key was absent.
    #[inline]
    pub fn or_insert(self, default: V) -> &'a mut V {
        match self {
            Self::Occupied(entry) => entry.into_mut(),
            Self::Vacant(entry) => entry.insert(default),
        }
    }

    /// The value, which `default` makes if the key was absent.
    #[inline]
    pub fn or_insert_with(self, default: impl FnOnce() -> V) -> &'a mut V {
        match self {
            Self::Occupied(entry) => entry.into_mut(),
            Self::Vacant(entry) => entry.insert(default()),
        }
    }

    /// The value, which `default` makes from the key if that was absent.
    #[inline]
    pub fn or_insert_with_key(self, default: impl FnOnce(&K) -> V) -> &'a mut V {
        match self {
            Self::Occupied(entry) => entry.into_mut(),
            Self::Vacant(entry) => {
                let value = default(entry.key());
                entry.insert(value)
            }
        }
    }

    /// The value, which is the type's default if the key was absent.
    #[inline]
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }

    /// Changes the value if the key is present.
    #[inline]
    #[must_use]
    pub fn and_modify(mut self, change: impl FnOnce(&mut V)) -> Self {
        if let Self::Occupied(entry) = &mut self {
            change(entry.get_mut());
        }
        self
    }

    /// Sets the value, present or not.
    pub fn insert_entry(self, value: V) -> OccupiedEntry<'a, K, V> {
        match self {
            Self::Occupied(mut entry) => {
                entry.insert(value);
                entry
            }
            Self::Vacant(entry) => entry.insert_entry(value),
        }
    }
}

impl<'a, K: StateKey, V: StateType> OccupiedEntry<'a, K, V> {
    #[inline]
    pub(super) fn new(map: &'a mut HashMap<K, V>, found: Found<Slot<K, V>>) -> Self {
        Self { map, found }
    }

    /// The stored key.
    #[inline]
    pub fn key(&self) -> &K {
        // SAFETY: the slot stays full while the entry borrows the map.
        unsafe { &(*self.found.slot).key }
    }

    /// The value.
    #[inline]
    pub fn get(&self) -> &V {
        // SAFETY: as in `key`.
        unsafe { &(*self.found.slot).value }
    }

    /// The value, to be changed.
    #[inline]
    pub fn get_mut(&mut self) -> &mut V {
        // SAFETY: as in `key`; the entry is borrowed exclusively.
        unsafe { &mut (*self.found.slot).value }
    }

    /// The value, to be changed, for as long as the map is borrowed.
    #[inline]
    pub fn into_mut(self) -> &'a mut V {
        // SAFETY: as in `key`; the entry's borrow passes on.
        unsafe { &mut (*self.found.slot).value }
    }

    /// Sets the value and answers the previous one.
    #[inline]
    pub fn insert(&mut self, value: V) -> V {
        mem::replace(self.get_mut(), value)
    }

    /// Removes the entry and answers its value.
    #[inline]
    pub fn remove(self) -> V {
        self.remove_entry().1
    }

    /// Removes the entry and answers key and value.
    #[inline]
    pub fn remove_entry(self) -> (K, V) {
        // SAFETY: the slot is full; the entry ends here.
        let Slot { key, value } = unsafe { self.map.take(self.found) };
        self.map.after_remove();
        (key, value)
    }
}

impl<'a, K: StateKey, V: StateType> VacantEntry<'a, K, V> {
    #[inline]
    pub(super) fn new(map: &'a mut HashMap<K, V>, hash: u64, key: K) -> Self {
        Self { map, hash, key }
    }

    /// The key that would be inserted.
    #[inline]
    pub fn key(&self) -> &K {
        &self.key
    }

    /// Gives the key back.
    #[inline]
    pub fn into_key(self) -> K {
        self.key
    }

    /// Inserts the key with this value.
    #[inline]
    pub fn insert(self, value: V) -> &'a mut V {
        self.insert_entry(value).into_mut()
    }

    /// Inserts the key with this value and stays at the entry.
    #[inline]
    pub fn insert_entry(self, value: V) -> OccupiedEntry<'a, K, V> {
        let found = self.map.insert_new(self.hash, self.key, value);
        OccupiedEntry { map: self.map, found }
    }
}

impl<K: StateKey + fmt::Debug, V: StateType + fmt::Debug> fmt::Debug for Entry<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Occupied(entry) => f.debug_tuple("Entry").field(entry).finish(),
            Self::Vacant(entry) => f.debug_tuple("Entry").field(entry).finish(),
        }
    }
}

impl<K: StateKey + fmt::Debug, V: StateType + fmt::Debug> fmt::Debug for OccupiedEntry<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("OccupiedEntry");
        out.field("key", self.key()).field("value", self.get()).finish_non_exhaustive()
    }
}

impl<K: StateKey + fmt::Debug, V: StateType> fmt::Debug for VacantEntry<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VacantEntry").field(self.key()).finish()
    }
}
