//! Ranges of keys and of ranks.

use core::marker::PhantomData;
use core::ops::{Bound, RangeBounds};

use super::iter::Stretch;
use super::{BTreeMap, Iter, IterMut, Range, RangeMut};
use crate::collections::bytes::bounds;
use crate::state::{Lookup, StateKey};

impl<K, V> BTreeMap<K, V> {
    /// The entries with ranks in `range`, in key order. O(log n) to start.
    ///
    /// # Panics
    /// When the range is not inside the map, as for slices.
    #[track_caller]
    pub fn range_by_rank(&self, range: impl RangeBounds<usize>) -> Range<'_, K, V> {
        let (start, end) = bounds(&range, self.len);
        Iter { stretch: Stretch::of_ranks(self, start, end), borrows: PhantomData }
    }

    /// As [`BTreeMap::range_by_rank`], with the values to change. O(log n) to start.
    ///
    /// # Panics
    /// When the range is not inside the map, as for slices.
    #[track_caller]
    pub fn range_by_rank_mut(&mut self, range: impl RangeBounds<usize>) -> RangeMut<'_, K, V> {
        let (start, end) = bounds(&range, self.len);
        IterMut { stretch: Stretch::of_ranks(self, start, end), borrows: PhantomData }
    }
}

impl<K: StateKey, V> BTreeMap<K, V> {
    /// The entries with keys in `range`, in key order, and how many there are: `range(..).len()`.
    /// O(log n) to start.
    ///
    /// A range whose start is above its end is empty, where std panics: the two need not be
    /// comparable with each other here, only with keys.
    pub fn range<Q, R>(&self, range: R) -> Range<'_, K, V>
    where
        Q: Lookup<K> + ?Sized,
        R: RangeBounds<Q>,
    {
        Iter { stretch: self.stretch(&range), borrows: PhantomData }
    }

    /// As [`BTreeMap::range`], with the values to change. O(log n) to start.
    pub fn range_mut<Q, R>(&mut self, range: R) -> RangeMut<'_, K, V>
    where
        Q: Lookup<K> + ?Sized,
        R: RangeBounds<Q>,
    {
        IterMut { stretch: self.stretch(&range), borrows: PhantomData }
    }

    fn stretch<Q, R>(&self, range: &R) -> Stretch<K, V>
    where
        Q: Lookup<K> + ?Sized,
        R: RangeBounds<Q>,
    {
        if self.is_empty() {
            return Stretch::empty();
        }
        // An inclusive start and an exclusive end leave a found key to the right of the bound.
        let (start, front) = match range.start_bound() {
            Bound::Unbounded => (0, self.slot_of_rank(0)),
            Bound::Included(q) => self.edge(q, false),
            Bound::Excluded(q) => self.edge(q, true),
        };
        let (end, back) = match range.end_bound() {
            Bound::Unbounded => (self.len, self.slot_of_rank(self.len)),
            Bound::Included(q) => self.edge(q, true),
            Bound::Excluded(q) => self.edge(q, false),
        };
        Stretch::between(self, (start, front), (end, back))
    }

    /// Rank and slot of the edge before `q`, or `after` it.
    fn edge<Q: Lookup<K> + ?Sized>(&self, q: &Q, after: bool) -> (usize, super::Slot<K, V>) {
        let (rank, leaf, at, found) = self.seek(q);
        let more = usize::from(found && after);
        (rank + more, (leaf, at + more))
    }
}
