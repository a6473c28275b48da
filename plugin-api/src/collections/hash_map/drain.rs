//! Taking all entries out, and dropping a map.

use core::fmt;
use core::iter::FusedIterator;
use core::mem;
use core::ptr;

use super::group::{EMPTY, WIDTH};
use super::iter::Cursor;
use super::raw::Raw;
use super::table::Table;
use super::{HashMap, Slot};
use crate::state::{StateKey, StateType};

/// From this many control bytes on a fresh table is cheaper than wiping the used one.
const WIPE_GROUPS: usize = (64 << 10) / WIDTH;

/// Iterator of `HashMap::into_iter`: owns the entries it has not given out.
pub struct IntoIter<K, V> {
    cursor: Cursor<Slot<K, V>>,
    /// Its slots are the cursor's, so it is freed but never searched.
    map: HashMap<K, V>,
}

impl<K, V> IntoIter<K, V> {
    fn of(mut map: HashMap<K, V>) -> Self {
        map.settle();
        if map.raw.tells() {
            map.raw.tell_cleared(false);
            map.raw.fall_silent();
        }
        let cursor = map.cursor();
        // The entries belong to the cursor from here on.
        map.raw.len = 0;
        Self { cursor, map }
    }

    fn drop_rest(&mut self) {
        if mem::needs_drop::<Slot<K, V>>() {
            self.for_each(drop);
        }
        self.cursor.left = 0;
    }
}

impl<K, V> Iterator for IntoIter<K, V> {
    type Item = (K, V);

    #[inline]
    fn next(&mut self) -> Option<(K, V)> {
        // SAFETY: each full slot comes once, and the map's length says that it owns none.
        self.cursor.next().map(|found| unsafe {
            let Slot { key, value } = found.slot.read();
            (key, value)
        })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.cursor.left, Some(self.cursor.left))
    }
}

impl<K, V> ExactSizeIterator for IntoIter<K, V> {}
impl<K, V> FusedIterator for IntoIter<K, V> {}

impl<K, V> Drop for IntoIter<K, V> {
    fn drop(&mut self) {
        self.drop_rest();
    }
}

impl<K, V> Drop for HashMap<K, V> {
    /// Drops all entries. O(n) when they own memory, otherwise O(1).
    fn drop(&mut self) {
        if !self.raw.is_steady() {
            self.settle();
        }
        if self.raw.tells() {
            self.raw.tell_cleared(true);
        }
        if mem::needs_drop::<Slot<K, V>>() && self.raw.len > 0 {
            let mut cursor = self.cursor();
            while let Some(found) = cursor.next() {
                // SAFETY: each full slot comes once.
                unsafe { found.slot.drop_in_place() };
            }
        }
        self.free_tables();
    }
}

impl<K, V> IntoIterator for HashMap<K, V> {
    type Item = (K, V);
    type IntoIter = IntoIter<K, V>;

    #[inline]
    fn into_iter(self) -> IntoIter<K, V> {
        IntoIter::of(self)
    }
}

impl<K: StateKey, V: StateType> HashMap<K, V> {
    /// Takes all entries out and keeps the capacity. What the iterator has not given out when it is
    /// dropped is dropped with it. O(capacity).
    pub fn drain(&mut self) -> Drain<'_, K, V> {
        self.settle();
        // While it lives the map is empty, so a forgotten iterator leaks and does no harm.
        let taken = Raw { seed: self.raw.seed, ..Raw::EMPTY };
        let raw = mem::replace(&mut self.raw, taken);
        self.raw.layout = raw.layout;
        self.raw.epoch = raw.epoch;
        Drain { entries: IntoIter::of(Self::from_raw(raw)), home: self }
    }

    /// All keys, owned, in arbitrary order. O(capacity) for the whole walk.
    pub fn into_keys(self) -> IntoKeys<K, V> {
        IntoKeys(self.into_iter())
    }

    /// All values, owned, in arbitrary order. O(capacity) for the whole walk.
    pub fn into_values(self) -> IntoValues<K, V> {
        IntoValues(self.into_iter())
    }
}

/// Iterator of [`HashMap::drain`].
pub struct Drain<'a, K, V> {
    entries: IntoIter<K, V>,
    home: &'a mut HashMap<K, V>,
}

impl<K, V> Drop for Drain<'_, K, V> {
    fn drop(&mut self) {
        self.entries.drop_rest();
        let emptied = &mut self.entries.map;
        let align = align_of::<Slot<K, V>>();
        if let Some(mut rehash) = emptied.take_rehash() {
            // SAFETY: its entries are gone.
            unsafe { rehash.old.free(align) };
        }
        let table = &mut emptied.raw.table;
        if table.is_allocated() {
            let geometry = table.geometry();
            if geometry.groups() > WIPE_GROUPS {
                // SAFETY: its entries are gone.
                unsafe { table.free(align) };
                *table = Table::new::<Slot<K, V>>(geometry);
            } else {
                // SAFETY: the control bytes of all groups.
                unsafe { table.ctrl.write_bytes(EMPTY, geometry.groups() * WIDTH) };
                table.growth_left = geometry.capacity() as u64;
            }
        }
        emptied.raw.layout = core::mem::replace(&mut self.home.raw.layout, 0);
        // SAFETY: the home map is an empty one without a table; this one is empty with its table.
        unsafe { ptr::swap(&raw mut self.home.raw, &raw mut emptied.raw) };
        self.home.raw.stamp(0, usize::MAX);
    }
}

/// Iterator of [`HashMap::into_keys`].
pub struct IntoKeys<K, V>(IntoIter<K, V>);

/// Iterator of [`HashMap::into_values`].
pub struct IntoValues<K, V>(IntoIter<K, V>);

macro_rules! wrappers {
    ($($name:ident<$($lifetime:lifetime,)? K, V> $inner:tt => $item:ty, $map:expr;)*) => {$(
        impl<$($lifetime,)? K, V> Iterator for $name<$($lifetime,)? K, V> {
            type Item = $item;

            #[inline]
            fn next(&mut self) -> Option<Self::Item> {
                self.$inner.next().map($map)
            }

            #[inline]
            fn size_hint(&self) -> (usize, Option<usize>) {
                self.$inner.size_hint()
            }
        }
        impl<$($lifetime,)? K, V> ExactSizeIterator for $name<$($lifetime,)? K, V> {}
        impl<$($lifetime,)? K, V> FusedIterator for $name<$($lifetime,)? K, V> {}
        impl<$($lifetime,)? K, V> fmt::Debug for $name<$($lifetime,)? K, V> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("left", &self.len()).finish()
            }
        }
    )*};
}

wrappers! {
    Drain<'a, K, V> entries => (K, V), |entry| entry;
    IntoKeys<K, V> 0 => K, |entry| entry.0;
    IntoValues<K, V> 0 => V, |entry| entry.1;
}
