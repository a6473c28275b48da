//! A hash map for server state.
//!
//! Open addressing in hash order: see `table.rs` for the layout and `rehash.rs` for how it grows
//! without a stop. Every bit of both is ABI, told by [`FORMAT`].

pub(crate) mod conversion;
mod converting;
pub(crate) mod copying;
mod drain;
mod entry;
pub(crate) mod erased;
mod front;
mod geometry;
mod group;
mod iter;
mod kept;
mod lookup;
mod prefetch;
mod raw;
mod rehash;
mod room;
mod scan;
mod still;
mod table;
mod traits;
mod unit;
pub(crate) mod watch;

use core::marker::PhantomData;

use abi_stable::StableAbi;

use self::geometry::Geometry;
use self::raw::Raw;
use crate::collections::hash::ALGORITHM;
use crate::schema::{Kind, SchemaBuilder, TypeDef, mix};
use crate::state::{Lookup, StateKey, StateType};

pub use self::drain::{Drain, IntoIter, IntoKeys, IntoValues};
pub use self::entry::{Entry, OccupiedEntry, VacantEntry};
pub use self::iter::{Iter, IterMut, Keys, Values, ValuesMut};
pub(super) use self::kept::listener;
#[doc(hidden)]
pub use self::still::Still;
#[doc(hidden)]
pub use self::unit::UnitHead;

/// Number of the layout and the rules of [`HashMap`] and `HashSet`: header, table, units, probing,
/// growth. Raised with any of them.
pub const FORMAT: u32 = 2;

/// A hash map with std's methods, whose memory belongs to the shell and whose layout outlives a
/// plugin version.
///
/// It never stops the server: it grows and shrinks a few microseconds' worth per change, also with
/// millions of entries. Only what visits all entries by nature takes O(n): [`clear`](Self::clear),
/// [`retain`](Self::retain), [`clone`](Clone::clone), [`shrink_to_fit`](Self::shrink_to_fit),
/// comparison, and dropping a map whose entries own memory (see [`take_some`](Self::take_some)).
///
/// Keys implement [`StateKey`], which supplies hash and equality; the hash is keyed with a random
/// seed per map. Iteration is in hash order: arbitrary, and different in each map.
///
/// # Examples
/// ```
/// use hotshell_plugin_api::collections::HashMap;
///
/// let mut hits: HashMap<u64, u32> = HashMap::new();
/// *hits.entry(7).or_insert(0) += 1;
/// assert_eq!(hits.get(&7), Some(&1));
/// ```
#[repr(C)]
#[derive(StableAbi)]
#[sabi(unsafe_unconstrained(K, V))]
pub struct HashMap<K, V> {
    raw: Raw,
    #[sabi(unsafe_opaque_field)]
    entries: PhantomData<(K, V)>,
}

#[repr(C)]
struct Slot<K, V> {
    key: K,
    value: V,
}

// SAFETY: header and tables are `repr(C)` and hold entries and heap pointers only; `FORMAT` stands for
// them, key and value for themselves. Nothing points back at the header, so it may be moved.
unsafe impl<K: StateKey, V: StateType> StateType for HashMap<K, V> {
    const FINGERPRINT: u64 =
        mix(mix(mix(Kind::HashMap as u64, FORMAT as u64), K::FINGERPRINT), V::FINGERPRINT);

    fn describe(schema: &mut SchemaBuilder) -> TypeDef {
        let args = vec![schema.add::<K>(), schema.add::<V>()];
        TypeDef::collection(Kind::HashMap, FORMAT, args)
    }
}

impl<K: StateKey, V: StateType> HashMap<K, V> {
    /// An empty map, which has no memory until the first insert.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(size_of::<Raw>() == 64, "the header is ABI: raise FORMAT") };
        Self::from_raw(Raw::EMPTY)
    }

    /// An empty map with room for `capacity` entries. O(1).
    ///
    /// # Panics
    /// When the size overflows.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let mut map = Self::new();
        if capacity > 0 {
            map.allocate(Geometry::for_capacity(capacity));
        }
        map
    }

    /// Makes room for `additional` more entries, as one allocation; present entries move later, a
    /// few per change. O(1), or O(n) when an earlier move is still under way and must end first.
    /// A map that later loses most of its entries shrinks again.
    ///
    /// # Panics
    /// When the size overflows.
    pub fn reserve(&mut self, additional: usize) {
        if additional as u64 > self.raw.table.growth_left {
            self.grow(additional);
        }
    }

    /// Moves all entries to the smallest table that holds them. O(n); as entries are removed the map
    /// also shrinks by itself, in small steps.
    pub fn shrink_to_fit(&mut self) {
        self.settle();
        self.finish_rehash();
        if self.raw.len == 0 {
            return self.free_tables();
        }
        let geometry = Geometry::for_capacity(self.len());
        if geometry.capacity() < self.raw.table.geometry().capacity() {
            self.move_to(geometry);
            self.finish_rehash();
        }
    }

    /// The value of `key`. O(1).
    #[inline]
    pub fn get<Q: ?Sized + Lookup<K>>(&self, key: &Q) -> Option<&V> {
        if !self.raw.is_steady() {
            return self.get_in_move(key);
        }
        // SAFETY: a steady map has a table; the slot is full and borrowed as long as the map.
        unsafe { self.found_at_rest(key).map(|found| &(*found.slot).value) }
    }

    /// The stored key and its value. O(1).
    #[inline]
    pub fn get_key_value<Q: ?Sized + Lookup<K>>(&self, key: &Q) -> Option<(&K, &V)> {
        self.find(key).map(|slot| (&slot.key, &slot.value))
    }

    /// The value of `key`, to be changed. O(1).
    #[inline]
    pub fn get_mut<Q: ?Sized + Lookup<K>>(&mut self, key: &Q) -> Option<&mut V> {
        if !self.raw.is_steady() {
            return self.get_mut_in_move(key);
        }
        // SAFETY: a steady map has a table; the slot is full and borrowed as long as the map.
        unsafe { self.found_at_rest(key).map(|found| &mut (*found.slot).value) }
    }

    /// Whether `key` is in the map. O(1).
    #[inline]
    pub fn contains_key<Q: ?Sized + Lookup<K>>(&self, key: &Q) -> bool {
        self.find(key).is_some()
    }

    /// Sets the value of `key` and answers the previous one; a present key stays as it is. O(1).
    ///
    /// # Panics
    /// When the size overflows.
    #[inline]
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.set(key, value)
    }

    /// Removes `key` and answers its value. O(1).
    #[inline]
    pub fn remove<Q: ?Sized + Lookup<K>>(&mut self, key: &Q) -> Option<V> {
        if !self.raw.is_steady() || self.raw.tells() {
            return self.remove_in_move(key);
        }
        // SAFETY: a steady map has a table.
        let slot = unsafe { self.take_at_rest(key) }?;
        self.after_remove();
        Some(slot.value)
    }

    /// Removes `key` and answers the stored key and the value. O(1).
    #[inline]
    pub fn remove_entry<Q: ?Sized + Lookup<K>>(&mut self, key: &Q) -> Option<(K, V)> {
        let Slot { key, value } = self.take_in_move(key)?;
        Some((key, value))
    }

    /// The place of `key`, to be looked at and filled. O(1).
    ///
    /// # Panics
    /// When the size overflows.
    #[inline]
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        self.before_insert();
        let hash = self.hash_of(&key);
        if !self.raw.is_steady() {
            return self.entry_in_move(hash, key);
        }
        // SAFETY: a steady map has a table.
        match unsafe { Self::search(&self.raw.table, false, hash, &key) } {
            Ok(found) => Entry::Occupied(OccupiedEntry::new(self, found)),
            Err(_) => Entry::Vacant(VacantEntry::new(self, hash, key)),
        }
    }

    /// Keeps the entries for which `keep` answers true. O(capacity). A panic of `keep` leaves the
    /// entries it has not seen.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.settle();
        let mut cursor = self.cursor();
        while let Some(found) = cursor.next() {
            // SAFETY: the slot is full; the cursor has left it behind, so it may be emptied.
            unsafe {
                let slot = &mut *found.slot;
                if !keep(&slot.key, &mut slot.value) {
                    drop(self.take(found));
                }
            }
        }
        self.after_remove();
    }

    /// Removes all entries and keeps the capacity; what other versions set aside of the map goes, too. O(n)
    /// when entries own memory, otherwise O(1) for large maps.
    pub fn clear(&mut self) {
        drop(self.drain());
        self.forget_aside();
    }
}

impl<K, V> HashMap<K, V> {
    /// Number of entries. O(1).
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        match self.raw.conversion() {
            None => self.raw.len as usize,
            Some(conversion) => self.len_converting(conversion),
        }
    }

    /// Whether there are no entries. O(1).
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entries that fit before the map grows. O(1).
    #[must_use]
    #[inline]
    pub fn capacity(&self) -> usize {
        match self.raw.conversion() {
            None => (self.raw.len + self.raw.table.growth_left) as usize,
            // SAFETY: the conversion is this map's.
            Some(at) => unsafe { ((*at.as_ptr()).len + (*at.as_ptr()).room) as usize },
        }
    }

    /// The heads of all units, the newer table's first.
    #[doc(hidden)]
    pub fn unit_heads(&self) -> impl Iterator<Item = UnitHead> + '_ {
        let tables = [Some(&self.raw.table), self.raw.rehash().map(|rehash| &rehash.old)];
        tables.into_iter().flatten().filter(|table| table.is_allocated()).flat_map(|table| {
            // SAFETY: an allocated table has that many units.
            (0..table.units()).map(move |unit| unsafe { *table.unit_head(unit) })
        })
    }

    /// Layout id and snapshot epoch that new units are stamped with.
    #[doc(hidden)]
    pub const fn set_stamp(&mut self, stamp: UnitHead) {
        self.raw.layout = stamp.layout;
        self.raw.epoch = stamp.epoch;
    }

    /// Whether a move between two tables is under way.
    #[doc(hidden)]
    #[must_use]
    pub fn is_moving(&self) -> bool {
        self.raw.rehash().is_some() || self.raw.conversion().is_some()
    }
}
