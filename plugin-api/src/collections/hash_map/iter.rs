//! Iterators that borrow the map.

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ptr;

use super::group::{Group, Mask, WIDTH};
use super::raw::Found;
use super::rehash::Rehash;
use super::table::Table;
use super::{HashMap, Slot};

/// The groups of one table that are still to be visited.
struct Run<T> {
    ctrl: *mut u8,
    end: *mut u8,
    /// The slots of the group at `ctrl` end here.
    slots: *mut T,
}

impl<T> Clone for Run<T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<T> Run<T> {
    const NONE: Self = Self { ctrl: ptr::null_mut(), end: ptr::null_mut(), slots: ptr::null_mut() };

    fn over(table: &Table, from: usize) -> Self {
        if !table.is_allocated() {
            return Self::NONE;
        }
        let groups = table.geometry().groups();
        // SAFETY: both ends are in the table; slots grow down from the control bytes.
        unsafe {
            Self {
                ctrl: table.ctrl.add(from * WIDTH),
                end: table.ctrl.add(groups * WIDTH),
                slots: table.ctrl.cast::<T>().sub(from * WIDTH),
            }
        }
    }
}

/// Walks the full slots of a map: the newer table, then what is left in the older one. Slots behind
/// the cursor may be emptied; otherwise the tables stay as they are while it lives.
pub(super) struct Cursor<T> {
    mask: Mask,
    run: Run<T>,
    /// The runs after that one.
    then: [Run<T>; 3],
    old: bool,
    pub(super) left: usize,
}

impl<T> Clone for Cursor<T> {
    fn clone(&self) -> Self {
        Self { run: self.run.clone(), then: self.then.clone(), ..*self }
    }
}

impl<T> Cursor<T> {
    pub(super) fn over(table: &Table, rehash: Option<&Rehash>, len: usize) -> Self {
        let then = rehash.map_or(Run::NONE, |r| Run::over(&r.old, r.at as usize));
        let then = [then, Run::NONE, Run::NONE];
        Self { mask: Mask(0), run: Run::over(table, 0), then, old: false, left: len }
    }

    /// Over the tables of a map under conversion.
    pub(super) fn over_all([first, rest @ ..]: &[Table; 4], len: usize) -> Self {
        let then = [0, 1, 2].map(|i: usize| Run::over(&rest[i], 0));
        Self { mask: Mask(0), run: Run::over(first, 0), then, old: true, left: len }
    }

    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<Found<T>> {
        if self.left == 0 {
            return None;
        }
        let bit = loop {
            match self.mask.next() {
                Some(bit) => break bit,
                None => self.next_group(),
            }
        };
        self.left -= 1;
        // SAFETY: `run` stands one group behind the one that `mask` came from.
        unsafe {
            Some(Found {
                ctrl: self.run.ctrl.sub(WIDTH - bit),
                slot: self.run.slots.add(WIDTH - bit - 1),
                old: self.old,
            })
        }
    }

    /// All that is left, faster than one by one.
    #[inline(always)]
    fn fold<B>(mut self, first: B, mut f: impl FnMut(B, *mut T) -> B) -> B {
        let mut sum = first;
        while self.left > 0 {
            // `run` stands one group behind the one that `mask` came from.
            let last = self.run.slots.wrapping_add(WIDTH - 1);
            for bit in self.mask {
                sum = f(sum, last.wrapping_sub(bit));
                self.left -= 1;
            }
            if self.left > 0 {
                self.next_group();
            }
        }
        sum
    }

    #[inline(always)]
    fn next_group(&mut self) {
        while self.run.ctrl == self.run.end {
            self.run = core::mem::replace(&mut self.then[0], Run::NONE);
            self.then.rotate_left(1);
            self.old = true;
        }
        // SAFETY: `left` is not zero, so there is a group ahead.
        unsafe {
            self.mask = Group::load(self.run.ctrl).full();
            self.run.ctrl = self.run.ctrl.add(WIDTH);
            self.run.slots = self.run.slots.sub(WIDTH);
        }
    }
}

impl<K, V> HashMap<K, V> {
    #[inline]
    pub(super) fn cursor(&self) -> Cursor<Slot<K, V>> {
        if let Some(conversion) = self.raw.conversion() {
            return self.cursor_converting(conversion);
        }
        Cursor::over(&self.raw.table, self.raw.rehash(), self.len())
    }

    /// All entries, in arbitrary order. O(capacity) for the whole walk.
    #[inline]
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter { cursor: self.cursor(), map: PhantomData }
    }

    /// All entries, the values to be changed. O(capacity) for the whole walk.
    #[inline]
    pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
        if !self.raw.is_steady() {
            self.settle();
        }
        IterMut { cursor: self.cursor(), map: PhantomData }
    }

    /// All keys, in arbitrary order. O(capacity) for the whole walk.
    #[inline]
    pub fn keys(&self) -> Keys<'_, K, V> {
        Keys(self.iter())
    }

    /// All values, in arbitrary order. O(capacity) for the whole walk.
    #[inline]
    pub fn values(&self) -> Values<'_, K, V> {
        Values(self.iter())
    }

    /// All values, to be changed. O(capacity) for the whole walk.
    #[inline]
    pub fn values_mut(&mut self) -> ValuesMut<'_, K, V> {
        ValuesMut(self.iter_mut())
    }
}

/// Iterator of [`HashMap::iter`].
pub struct Iter<'a, K, V> {
    cursor: Cursor<Slot<K, V>>,
    map: PhantomData<&'a (K, V)>,
}

/// Iterator of [`HashMap::iter_mut`].
pub struct IterMut<'a, K, V> {
    cursor: Cursor<Slot<K, V>>,
    map: PhantomData<&'a mut (K, V)>,
}

/// Iterator of [`HashMap::keys`].
pub struct Keys<'a, K, V>(Iter<'a, K, V>);

/// Iterator of [`HashMap::values`].
pub struct Values<'a, K, V>(Iter<'a, K, V>);

/// Iterator of [`HashMap::values_mut`].
pub struct ValuesMut<'a, K, V>(IterMut<'a, K, V>);

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // SAFETY: the slot is full and the map is borrowed for `'a`.
        self.cursor.next().map(|found| unsafe { (&(*found.slot).key, &(*found.slot).value) })
    }

    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, first: B, mut f: F) -> B {
        // SAFETY: as in `next`.
        self.cursor.fold(first, |sum, slot| f(sum, unsafe { (&(*slot).key, &(*slot).value) }))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.cursor.left, Some(self.cursor.left))
    }
}

impl<'a, K, V> Iterator for IterMut<'a, K, V> {
    type Item = (&'a K, &'a mut V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // SAFETY: the slot is full, the map is borrowed for `'a`, and each slot comes once.
        self.cursor.next().map(|found| unsafe { (&(*found.slot).key, &mut (*found.slot).value) })
    }

    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, first: B, mut f: F) -> B {
        // SAFETY: as in `next`.
        self.cursor.fold(first, |sum, slot| f(sum, unsafe { (&(*slot).key, &mut (*slot).value) }))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.cursor.left, Some(self.cursor.left))
    }
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self { cursor: self.cursor.clone(), map: PhantomData }
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

/// Sized, fused, and for wrappers also the iteration itself.
macro_rules! exact {
    ($($name:ident $(=> $item:ty, $field:tt)?;)*) => {$(
        $(impl<'a, K, V> Iterator for $name<'a, K, V> {
            type Item = $item;

            #[inline]
            fn next(&mut self) -> Option<Self::Item> {
                self.0.next().map(|entry| entry.$field)
            }

            #[inline]
            fn fold<B, F: FnMut(B, Self::Item) -> B>(self, first: B, mut f: F) -> B {
                self.0.fold(first, |sum, entry| f(sum, entry.$field))
            }

            #[inline]
            fn size_hint(&self) -> (usize, Option<usize>) {
                self.0.size_hint()
            }
        })?
        impl<K, V> ExactSizeIterator for $name<'_, K, V> {}
        impl<K, V> FusedIterator for $name<'_, K, V> {}
    )*};
}

exact! {
    Iter;
    IterMut;
    Keys => &'a K, 0;
    Values => &'a V, 1;
    ValuesMut => &'a mut V, 1;
}
