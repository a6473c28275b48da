//! Iterators that borrow the map.

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::mem;
use core::num::NonZero;
use core::ptr;

use super::group::{Group, WIDTH};
use super::raw::Found;
use super::rehash::Rehash;
use super::table::Table;
use super::{HashMap, Slot};

/// Slots that a cursor looks at together: each look ends a loop whose length nobody can foretell, so
/// there should be few. A table's last groups, too few for that, come one by one.
const WINDOW: usize = 64;

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

    /// The next slots that are looked at together.
    ///
    /// # Safety
    /// A group is left.
    #[inline(always)]
    unsafe fn next(&mut self) -> Window<T> {
        let (ctrl, slots) = (self.ctrl, self.slots);
        // SAFETY: all groups that are loaded lie before `end`, and the table lives.
        unsafe {
            let full = |group: usize| u64::from(Group::load(ctrl.add(group * WIDTH)).full().0);
            let (full, size) = if self.end.addr() - ctrl.addr() >= WINDOW {
                (full(0) | full(1) << 16 | full(2) << 32 | full(3) << 48, WINDOW)
            } else {
                (full(0), WIDTH)
            };
            self.ctrl = ctrl.add(size);
            self.slots = slots.wrapping_sub(size);
            Window { full, ctrl, slots }
        }
    }
}

/// Some neighbouring slots.
struct Window<T> {
    /// Which of them are full and still to be visited: bit `n` is slot `n` of the window.
    full: u64,
    ctrl: *mut u8,
    /// The first slot ends here.
    slots: *mut T,
}

impl<T> Clone for Window<T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<T> Window<T> {
    const NONE: Self = Self { full: 0, ctrl: ptr::null_mut(), slots: ptr::null_mut() };

    /// The next full slot's place in the window.
    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let place = NonZero::new(self.full)?.trailing_zeros() as usize;
        self.full &= self.full - 1;
        Some(place)
    }

    /// Slot `place`, which is in the window.
    #[inline(always)]
    fn slot(&self, place: usize) -> *mut T {
        self.slots.wrapping_sub(place + 1)
    }
}

/// Walks the full slots of a map: the newer table, then what is left in the older one. Slots behind
/// the cursor may be emptied; otherwise the tables stay as they are while it lives.
pub(super) struct Cursor<T> {
    window: Window<T>,
    run: Run<T>,
    /// The runs after that one.
    then: [Run<T>; 3],
    old: bool,
    pub(super) left: usize,
}

impl<T> Clone for Cursor<T> {
    fn clone(&self) -> Self {
        let (window, run, then) = (self.window.clone(), self.run.clone(), self.then.clone());
        Self { window, run, then, ..*self }
    }
}

impl<T> Cursor<T> {
    pub(super) fn over(table: &Table, rehash: Option<&Rehash>, len: usize) -> Self {
        let then = rehash.map_or(Run::NONE, |r| Run::over(&r.old, r.at as usize));
        let then = [then, Run::NONE, Run::NONE];
        Self { window: Window::NONE, run: Run::over(table, 0), then, old: false, left: len }
    }

    /// Over the tables of a map under conversion.
    pub(super) fn over_all([first, a, b, c]: &[Table; 4], len: usize) -> Self {
        let then = [a, b, c].map(|table| Run::over(table, 0));
        Self { window: Window::NONE, run: Run::over(first, 0), then, old: true, left: len }
    }

    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<Found<T>> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        loop {
            if let Some(place) = self.window.next() {
                // SAFETY: a place in the window.
                let ctrl = unsafe { self.window.ctrl.add(place) };
                return Some(Found { ctrl, slot: self.window.slot(place), old: self.old });
            }
            self.next_window::<true>();
        }
    }

    /// All that is left, faster than one by one.
    #[inline(always)]
    fn fold<B>(self, first: B, f: impl FnMut(B, *mut T) -> B) -> B {
        self.fold_runs::<true, B>(first, f)
    }

    /// As [`Cursor::fold`]; without `SEVERAL`, of one run.
    #[inline(always)]
    pub(super) fn fold_runs<const SEVERAL: bool, B>(
        mut self,
        first: B,
        mut f: impl FnMut(B, *mut T) -> B,
    ) -> B {
        let mut sum = first;
        while self.left > 0 {
            self.left -= self.window.full.count_ones() as usize;
            // Away from the cursor, so that it stays in registers.
            let mut window = mem::replace(&mut self.window, Window::NONE);
            while let Some(place) = window.next() {
                sum = f(sum, window.slot(place));
            }
            if self.left > 0 {
                self.next_window::<SEVERAL>();
            }
        }
        sum
    }

    #[inline(always)]
    fn next_window<const SEVERAL: bool>(&mut self) {
        while SEVERAL && self.run.ctrl == self.run.end {
            self.next_run();
        }
        // SAFETY: `left` was not zero, so there is a group ahead.
        self.window = unsafe { self.run.next() };
    }

    #[cold]
    fn next_run(&mut self) {
        self.run = mem::replace(&mut self.then[0], Run::NONE);
        self.then.rotate_left(1);
        self.old = true;
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
