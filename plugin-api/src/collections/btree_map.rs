//! An ordered map with ranks: a B+ tree whose inner nodes count what is below each child.
//!
//! Format 1. Entries are in leaves, which are linked in order; inner nodes hold children, the number of
//! entries below each, and bit copies of keys to search by (`node.rs` has the bytes). Invariants:
//!
//! - all leaves are `height` levels below the root; the root is null in an empty map;
//! - keys ascend by [`StateKey::key_cmp`] within a leaf and from leaf to leaf;
//! - separator `i` is the first key below child `i`, bit for bit, for `i > 0`;
//! - a count is the number of entries below its child;
//! - nodes but the root are a third full: `cap / 3` entries or children. A root has two children, or is
//!   a leaf, which alone may have a smaller capacity: 4, 8, 16, ... up to that of a full leaf.

use core::marker::PhantomData;
use core::mem::{replace, take};
use core::ptr;

use crate::collections::unit::UnitHead;
use crate::schema::{Kind, SchemaBuilder, TypeDef, mix};
use crate::state::{Lookup, StateKey, StateType};

mod check;
pub(crate) mod conversion;
mod entry;
mod iter;
pub(crate) mod kept;
mod node;
mod path;
mod range;
mod traits;

pub use entry::{Entry, OccupiedEntry, VacantEntry};
pub use iter::{
    IntoIter, IntoKeys, IntoValues, Iter, IterMut, Keys, Range, RangeMut, TakeSome, Values,
    ValuesMut,
};

use node::{Leaf, Node};
use path::Path;

pub(crate) use node::erased;

/// A leaf and a position in it.
type Slot<K, V> = (Leaf<K, V>, usize);

/// Format number of [`BTreeMap`]; raised with its layout or invariants.
pub const FORMAT: u32 = 1;

/// An ordered map, as std's `BTreeMap`, that also knows ranks. Its header has 32 bytes; an empty map
/// takes no memory, and a small one a small leaf.
///
/// Getting, inserting, removing, finding a rank and getting by rank are O(log n) and touch nodes of
/// about 1 KiB; no operation but those that visit everything takes longer. The order is that of
/// [`StateKey`]: integers by value, strings by bytes, structs field by field.
///
/// ```
/// use hotshell_plugin_api::collections::{BTreeMap, String};
/// let mut scores: BTreeMap<u64, String> = BTreeMap::new();
/// scores.insert(30, "ann".into());
/// scores.insert(10, "bob".into());
/// scores.insert(20, "eve".into());
/// assert_eq!(scores.rank(&30), Ok(2));
/// assert_eq!(scores.get_index(1).unwrap().1, "eve");
/// assert_eq!(scores.range(15..).next().unwrap().1, "eve");
/// ```
///
/// Each leaf is a unit: a swap that changes the shape of the values of a large map converts them leaf by
/// leaf, as they are touched and in slices, where every old value fits and no function runs. Other maps
/// convert whole.
#[repr(C)]
pub struct BTreeMap<K, V> {
    root: Node,
    len: usize,
    /// Layout id for new nodes.
    layout: u32,
    /// What the shell knows the map by that wants to hear of removals (`kept.rs`); 0: it does not.
    number: u32,
    height: u32,
    /// Not 0: the values change their shape, and `root` leads to a [`conversion::TreeConversion`].
    converting: u32,
    owns: PhantomData<(K, V)>,
}

const _: () = assert!(size_of::<BTreeMap<u8, u8>>() == 32);

// SAFETY: owning pointers to state types on the state heap, and numbers.
unsafe impl<K: StateKey, V: StateType> StateType for BTreeMap<K, V> {
    const FINGERPRINT: u64 =
        mix(mix(mix(Kind::BTreeMap as u64, FORMAT as u64), K::FINGERPRINT), V::FINGERPRINT);
    fn describe(schema: &mut SchemaBuilder) -> TypeDef {
        let (key, value) = (schema.add::<K>(), schema.add::<V>());
        TypeDef::collection(Kind::BTreeMap, FORMAT, vec![key, value])
    }
}

impl<K, V> BTreeMap<K, V> {
    /// An empty map; takes no memory.
    pub const fn new() -> Self {
        Self {
            root: ptr::null_mut(),
            len: 0,
            layout: 0,
            number: 0,
            height: 0,
            converting: 0,
            owns: PhantomData,
        }
    }

    /// An empty map that the shell knows by a number.
    const fn numbered(number: u32) -> Self {
        let mut new = Self::new();
        new.number = number;
        new
    }

    /// Entries in it. O(1).
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entry with `index` entries before it, in key order. O(log n).
    pub fn get_index(&self, index: usize) -> Option<(&K, &V)> {
        if index >= self.len {
            return None;
        }
        let (leaf, at) = self.slot_of_rank(index);
        // SAFETY: the entry exists and is borrowed with `self`.
        Some(unsafe { (&*leaf.key(at), &*leaf.value(at)) })
    }

    /// As [`BTreeMap::get_index`], with the value to change. O(log n).
    pub fn get_index_mut(&mut self, index: usize) -> Option<(&K, &mut V)> {
        if index >= self.len {
            return None;
        }
        let (leaf, at) = self.slot_of_rank(index);
        // SAFETY: the entry exists and is borrowed with `self`, exclusively.
        Some(unsafe { (&*leaf.key(at), &mut *leaf.value(at)) })
    }

    /// The entry with the smallest key. O(log n).
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.get_index(0)
    }

    /// The entry with the largest key. O(log n).
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.get_index(self.len.wrapping_sub(1))
    }

    /// Drops all entries, and what other versions set aside of the map. O(n); see [`BTreeMap::take_some`]
    /// for less at a time.
    pub fn clear(&mut self) {
        let layout = self.layout;
        drop(take(self));
        self.layout = layout;
    }

    /// Head of new nodes.
    const fn unit(&self) -> UnitHead {
        UnitHead { layout: self.layout, epoch: 0 }
    }

    /// Appends an entry whose key is above all others.
    fn push_last(&mut self, key: K, value: V) {
        self.path_to_rank(self.len).insert(self, key, value);
    }
}

impl<K: StateKey, V> BTreeMap<K, V> {
    /// The value of `key`. O(log n).
    #[inline]
    pub fn get<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Option<&V> {
        let (leaf, at) = self.find(key)?;
        // SAFETY: the entry exists and is borrowed with `self`.
        Some(unsafe { &*leaf.value(at) })
    }

    /// The value of `key`, to change. O(log n).
    #[inline]
    pub fn get_mut<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Option<&mut V> {
        let (leaf, at) = self.find(key)?;
        // SAFETY: the entry exists and is borrowed with `self`, exclusively.
        Some(unsafe { &mut *leaf.value(at) })
    }

    /// The entry of `key`. O(log n).
    pub fn get_key_value<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Option<(&K, &V)> {
        let (leaf, at) = self.find(key)?;
        // SAFETY: the entry exists and is borrowed with `self`.
        Some(unsafe { (&*leaf.key(at), &*leaf.value(at)) })
    }

    /// Whether there is an entry of `key`. O(log n).
    pub fn contains_key<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> bool {
        self.find(key).is_some()
    }

    /// How many keys are below `key`: `Ok` if `key` is one of them all, so that
    /// [`BTreeMap::get_index`] gives it back, otherwise `Err`, where it would be. O(log n).
    ///
    /// # Errors
    /// The rank that `key` would have, when it is not in the map.
    pub fn rank<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<usize, usize> {
        if self.is_empty() {
            return Err(0);
        }
        let (rank, _, _, found) = self.seek(key);
        if found { Ok(rank) } else { Err(rank) }
    }

    /// Puts an entry in and returns the value that `key` had. The old key stays, as in std. O(log n).
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.end_if_done();
        let (path, found) = self.path_to(&key);
        if found {
            // SAFETY: the entry exists and the map is borrowed exclusively.
            return Some(replace(unsafe { &mut *path.leaf.value(path.at) }, value));
        }
        path.insert(self, key, value);
        None
    }

    /// Removes the entry of `key` and returns its value. O(log n).
    pub fn remove<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Option<V> {
        self.remove_entry(key).map(|(_, value)| value)
    }

    /// Removes the entry of `key` and returns it. O(log n).
    pub fn remove_entry<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Option<(K, V)> {
        self.end_if_done();
        let (path, found) = self.path_to(key);
        found.then(|| self.take_out(path))
    }

    /// Removes the entry with `index` entries before it. O(log n).
    pub fn remove_index(&mut self, index: usize) -> Option<(K, V)> {
        (index < self.len).then(|| self.take_out(self.path_to_rank(index)))
    }

    /// Removes the entry with the smallest key. O(log n).
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        self.remove_index(0)
    }

    /// Removes the entry with the largest key. O(log n).
    pub fn pop_last(&mut self) -> Option<(K, V)> {
        self.remove_index(self.len.wrapping_sub(1))
    }

    /// Removes up to `count` entries, smallest keys first, and iterates over them; those not looked at
    /// are dropped with the iterator. For emptying a large map in slices: O(`count` * log n).
    pub fn take_some(&mut self, count: usize) -> TakeSome<'_, K, V> {
        TakeSome::new(self, count)
    }

    /// Moves the entry at the end of a way out.
    fn take_out(&mut self, path: Path<K, V>) -> (K, V) {
        if self.number != 0 {
            // SAFETY: the way leads to an entry, which nobody changes meanwhile.
            self.tell_removed(unsafe { &*path.leaf.key(path.at) });
        }
        path.remove(self)
    }

    /// The place of `key`, to look at and fill. O(log n).
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        self.end_if_done();
        let (path, found) = self.path_to(&key);
        if found {
            Entry::Occupied(OccupiedEntry::new(self, path))
        } else {
            Entry::Vacant(VacantEntry::new(self, path, key))
        }
    }

    /// The entry with the smallest key, to change or remove. O(log n).
    pub fn first_entry(&mut self) -> Option<OccupiedEntry<'_, K, V>> {
        self.entry_of_rank(0)
    }

    /// The entry with the largest key, to change or remove. O(log n).
    pub fn last_entry(&mut self) -> Option<OccupiedEntry<'_, K, V>> {
        self.entry_of_rank(self.len.wrapping_sub(1))
    }

    fn entry_of_rank(&mut self, rank: usize) -> Option<OccupiedEntry<'_, K, V>> {
        if rank >= self.len {
            return None;
        }
        let path = self.path_to_rank(rank);
        Some(OccupiedEntry::new(self, path))
    }

    /// Keeps the entries for which `keep` answers true. O(n), and O(log n) for each that goes. When
    /// `keep` panics, the entries it did not look at stay.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        if self.is_empty() {
            return;
        }
        let (mut rank, (mut leaf, mut at)) = (0, self.slot_of_rank(0));
        while rank < self.len {
            if at == leaf.len() {
                (leaf, at) = self.slot_of_rank(rank);
            }
            // SAFETY: the entry exists and the map is borrowed exclusively.
            if keep(unsafe { &*leaf.key(at) }, unsafe { &mut *leaf.value(at) }) {
                (rank, at) = (rank + 1, at + 1);
                continue;
            }
            drop(self.take_out(self.path_to_rank(rank)));
            if rank < self.len {
                (leaf, at) = self.slot_of_rank(rank);
            }
        }
    }

    /// Moves all entries of `other` into this map. O(m log n).
    pub fn append(&mut self, other: &mut Self) {
        self.extend(take(other));
    }
}

impl<K, V> Drop for BTreeMap<K, V> {
    fn drop(&mut self) {
        if self.number != 0 {
            self.tell_cleared(true);
        }
        if !self.root.is_null() {
            drop(IntoIter::new(take(self)));
        }
    }
}
