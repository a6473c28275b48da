//! Iterators of [`BTreeMap`].

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, needs_drop};
use core::ptr;

use super::BTreeMap;
use super::node::{Inner, Leaf, Node};
use crate::state::StateKey;

/// A stretch of entries: from a slot, to before a slot, and how many. The slots are not looked at
/// when none is left, so an empty map has null leaves.
pub(super) struct Stretch<K, V> {
    pub front: (Leaf<K, V>, usize),
    pub back: (Leaf<K, V>, usize),
    pub left: usize,
    /// Rank of the entry at `front`.
    pub first: usize,
    /// The map, while its leaves change their shape: those that were not looked at are asked of it.
    pub converting: *const BTreeMap<K, V>,
}

impl<K, V> Clone for Stretch<K, V> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<K, V> Stretch<K, V> {
    pub fn empty() -> Self {
        // SAFETY: null leaves are not looked at.
        let none = (unsafe { Leaf::at(ptr::null_mut()) }, 0);
        Self { front: none, back: none, left: 0, first: 0, converting: ptr::null() }
    }

    /// The entries of ranks `start..end`, which is inside. O(log n).
    pub fn of_ranks(map: &BTreeMap<K, V>, start: usize, end: usize) -> Self {
        if start >= end {
            return Self::empty();
        }
        Self::between(map, (start, map.slot_of_rank(start)), (end, map.slot_of_rank(end)))
    }

    /// The entries from one rank and its slot to before another.
    pub fn between(
        map: &BTreeMap<K, V>,
        (start, front): (usize, super::Slot<K, V>),
        (end, back): (usize, super::Slot<K, V>),
    ) -> Self {
        let converting = if map.is_converting() { ptr::from_ref(map) } else { ptr::null() };
        Self { front, back, left: end.saturating_sub(start), first: start, converting }
    }

    /// A leaf that is linked from one that was looked at, and holds the entry of this rank.
    #[inline]
    fn linked(&self, node: Node, rank: usize) -> Leaf<K, V> {
        // SAFETY: there is an entry of that rank, so there is such a leaf; the map is borrowed for as
        // long as the stretch is used, and nobody changes its entries meanwhile.
        unsafe {
            match self.converting.as_ref() {
                None => Leaf::at(node),
                Some(map) => map.slot_of_rank(rank).0,
            }
        }
    }

    #[inline]
    fn next(&mut self) -> Option<(*mut K, *mut V)> {
        self.left = self.left.checked_sub(1)?;
        let (mut leaf, mut at) = self.front;
        if at == leaf.len() {
            (leaf, at) = (self.linked(leaf.next(), self.first), 0);
        }
        self.front = (leaf, at + 1);
        self.first += 1;
        Some((leaf.key(at), leaf.value(at)))
    }

    #[inline]
    fn next_back(&mut self) -> Option<(*mut K, *mut V)> {
        self.left = self.left.checked_sub(1)?;
        let (mut leaf, mut at) = self.back;
        if at == 0 {
            leaf = self.linked(leaf.prev(), self.first + self.left);
            at = leaf.len();
        }
        self.back = (leaf, at - 1);
        Some((leaf.key(at - 1), leaf.value(at - 1)))
    }
}

/// The entries of a [`BTreeMap`] in key order, borrowed; also [`Range`].
pub struct Iter<'a, K, V> {
    pub(super) stretch: Stretch<K, V>,
    pub(super) borrows: PhantomData<&'a BTreeMap<K, V>>,
}

/// The entries of a range of keys or ranks; see [`BTreeMap::range`].
pub type Range<'a, K, V> = Iter<'a, K, V>;

/// The entries of a [`BTreeMap`] in key order, the values borrowed to change; also [`RangeMut`].
pub struct IterMut<'a, K, V> {
    pub(super) stretch: Stretch<K, V>,
    pub(super) borrows: PhantomData<&'a mut BTreeMap<K, V>>,
}

/// The entries of a range of keys, to change; see [`BTreeMap::range_mut`].
pub type RangeMut<'a, K, V> = IterMut<'a, K, V>;

/// The entries of a [`BTreeMap`] in key order, by value.
pub struct IntoIter<K, V> {
    stretch: Stretch<K, V>,
    owns: PhantomData<(K, V)>,
}

/// Removed entries; see [`BTreeMap::take_some`].
pub struct TakeSome<'a, K: StateKey, V> {
    map: &'a mut BTreeMap<K, V>,
    left: usize,
}

/// The keys of a [`BTreeMap`] in order.
pub struct Keys<'a, K, V>(Iter<'a, K, V>);
/// The values of a [`BTreeMap`] in the order of their keys.
pub struct Values<'a, K, V>(Iter<'a, K, V>);
/// The values of a [`BTreeMap`] in the order of their keys, to change.
pub struct ValuesMut<'a, K, V>(IterMut<'a, K, V>);
/// The keys of a [`BTreeMap`] in order, by value.
pub struct IntoKeys<K, V>(IntoIter<K, V>);
/// The values of a [`BTreeMap`] in the order of their keys, by value.
pub struct IntoValues<K, V>(IntoIter<K, V>);

impl<K, V> BTreeMap<K, V> {
    /// The entries in key order. O(log n) to start.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter { stretch: Stretch::of_ranks(self, 0, self.len), borrows: PhantomData }
    }

    /// The entries in key order, with the values to change. O(log n) to start.
    pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
        IterMut { stretch: Stretch::of_ranks(self, 0, self.len), borrows: PhantomData }
    }

    /// The keys in order.
    pub fn keys(&self) -> Keys<'_, K, V> {
        Keys(self.iter())
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> Values<'_, K, V> {
        Values(self.iter())
    }

    /// The values in the order of their keys, to change.
    pub fn values_mut(&mut self) -> ValuesMut<'_, K, V> {
        ValuesMut(self.iter_mut())
    }

    /// The keys in order, by value.
    pub fn into_keys(self) -> IntoKeys<K, V> {
        IntoKeys(self.into_iter())
    }

    /// The values in the order of their keys, by value.
    pub fn into_values(self) -> IntoValues<K, V> {
        IntoValues(self.into_iter())
    }
}

impl<K, V> IntoIter<K, V> {
    /// Frees the inner nodes, O(n / 1000) or so, and keeps the chain of leaves.
    pub(super) fn new(map: BTreeMap<K, V>) -> Self {
        fn free_inners<K>(node: Node, height: u32) {
            if height > 0 {
                // SAFETY: nodes above the leaves are inner nodes; separators need no drop.
                let inner = unsafe { Inner::<K>::at(node) };
                (0..inner.len()).for_each(|at| free_inners::<K>(inner.child(at), height - 1));
                inner.free();
            }
        }
        let mut map = ManuallyDrop::new(map);
        map.end_conversion();
        let stretch = Stretch::of_ranks(&map, 0, map.len);
        free_inners::<K>(map.root, map.height);
        Self { stretch, owns: PhantomData }
    }

    /// Frees the leaves from the first to the last one, whose entries are gone.
    fn free_leaves(&mut self) {
        let (mut leaf, last) = (self.stretch.front.0, self.stretch.back.0);
        while !leaf.0.is_null() {
            let next = if leaf.0 == last.0 { ptr::null_mut() } else { leaf.next() };
            leaf.free();
            // SAFETY: the leaves from front to back are still there.
            leaf = unsafe { Leaf::at(next) };
        }
    }
}

impl<K, V> Drop for IntoIter<K, V> {
    fn drop(&mut self) {
        /// Goes on when an entry's drop panics.
        struct Rest<'a, K, V>(&'a mut IntoIter<K, V>);
        impl<K, V> Drop for Rest<'_, K, V> {
            fn drop(&mut self) {
                self.0.by_ref().for_each(drop);
                self.0.free_leaves();
            }
        }
        if !needs_drop::<(K, V)>() {
            self.stretch.left = 0;
        }
        let rest = Rest(self);
        rest.0.by_ref().for_each(drop);
    }
}

impl<K, V> Iterator for IntoIter<K, V> {
    type Item = (K, V);
    fn next(&mut self) -> Option<(K, V)> {
        let leaf = self.stretch.front.0;
        let (key, value) = self.stretch.next()?;
        if leaf.0 != self.stretch.front.0.0 {
            leaf.free();
        }
        // SAFETY: the entry has just left the stretch, so it is moved out once.
        Some(unsafe { (key.read(), value.read()) })
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.stretch.left, Some(self.stretch.left))
    }
}

impl<K, V> DoubleEndedIterator for IntoIter<K, V> {
    fn next_back(&mut self) -> Option<(K, V)> {
        let leaf = self.stretch.back.0;
        let (key, value) = self.stretch.next_back()?;
        if leaf.0 != self.stretch.back.0.0 {
            leaf.free();
        }
        // SAFETY: as in `next`.
        Some(unsafe { (key.read(), value.read()) })
    }
}

impl<'a, K: StateKey, V> TakeSome<'a, K, V> {
    pub(super) fn new(map: &'a mut BTreeMap<K, V>, count: usize) -> Self {
        let left = count.min(map.len);
        Self { map, left }
    }
}

impl<K: StateKey, V> Iterator for TakeSome<'_, K, V> {
    type Item = (K, V);
    fn next(&mut self) -> Option<(K, V)> {
        self.left = self.left.checked_sub(1)?;
        self.map.pop_first()
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<K: StateKey, V> ExactSizeIterator for TakeSome<'_, K, V> {}
impl<K: StateKey, V> FusedIterator for TakeSome<'_, K, V> {}

impl<K: StateKey, V> Drop for TakeSome<'_, K, V> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

impl<'a, K, V> Keys<'a, K, V> {
    /// The keys of these entries.
    pub(in crate::collections) fn of(entries: Iter<'a, K, V>) -> Self {
        Self(entries)
    }
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self { stretch: self.stretch.clone(), borrows: PhantomData }
    }
}

impl<K, V> Clone for Keys<'_, K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> Clone for Values<'_, K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

macro_rules! borrowing {
    ($ty:ident, $item:ty, $mutably:ident) => {
        impl<'a, K, V> Iterator for $ty<'a, K, V> {
            type Item = $item;
            #[inline]
            fn next(&mut self) -> Option<Self::Item> {
                let (key, value) = self.stretch.next()?;
                // SAFETY: the entry is borrowed for `'a` and is handed out once.
                Some(unsafe { (&*key, borrowing!($mutably value)) })
            }
            #[inline]
            fn size_hint(&self) -> (usize, Option<usize>) {
                (self.stretch.left, Some(self.stretch.left))
            }
        }
        impl<'a, K, V> DoubleEndedIterator for $ty<'a, K, V> {
            #[inline]
            fn next_back(&mut self) -> Option<Self::Item> {
                let (key, value) = self.stretch.next_back()?;
                // SAFETY: as in `next`.
                Some(unsafe { (&*key, borrowing!($mutably value)) })
            }
        }
    };
    (shared $value:ident) => { &*$value };
    (mutable $value:ident) => { &mut *$value };
}

borrowing!(Iter, (&'a K, &'a V), shared);
borrowing!(IterMut, (&'a K, &'a mut V), mutable);

macro_rules! one_half {
    ($([$($life:tt)*] $ty:ty, $item:ty, $half:tt;)*) => {$(
        impl<$($life)* K, V> Iterator for $ty {
            type Item = $item;
            #[inline]
            fn next(&mut self) -> Option<Self::Item> {
                self.0.next().map(|entry| entry.$half)
            }
            fn size_hint(&self) -> (usize, Option<usize>) {
                self.0.size_hint()
            }
        }
        impl<$($life)* K, V> DoubleEndedIterator for $ty {
            #[inline]
            fn next_back(&mut self) -> Option<Self::Item> {
                self.0.next_back().map(|entry| entry.$half)
            }
        }
        impl<$($life)* K, V> ExactSizeIterator for $ty {}
        impl<$($life)* K, V> FusedIterator for $ty {}
    )*};
}

one_half! {
    ['a,] Keys<'a, K, V>, &'a K, 0;
    ['a,] Values<'a, K, V>, &'a V, 1;
    ['a,] ValuesMut<'a, K, V>, &'a mut V, 1;
    [] IntoKeys<K, V>, K, 0;
    [] IntoValues<K, V>, V, 1;
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}
impl<K, V> ExactSizeIterator for IterMut<'_, K, V> {}
impl<K, V> ExactSizeIterator for IntoIter<K, V> {}
impl<K, V> FusedIterator for Iter<'_, K, V> {}
impl<K, V> FusedIterator for IterMut<'_, K, V> {}
impl<K, V> FusedIterator for IntoIter<K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Iter<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<K: fmt::Debug, V> fmt::Debug for Keys<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<K, V: fmt::Debug> fmt::Debug for Values<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
