//! A map under conversion, as typed code uses it: see `conversion.rs`.

use core::mem;
use core::ptr::NonNull;

use super::conversion::{self, Conversion, STRAYS};
use super::group::{FULL, Group, WIDTH, tag};
use super::iter::Cursor;
use super::raw::Found;
use super::table::Table;
use super::{HashMap, Slot};
use crate::heap;
use crate::state::{Lookup, StateKey};

/// Slots of a source that a changing operation pays for.
const SLOTS_PER_CHANGE: u64 = 32;
/// Slots that the shell empties at once, at least.
const SLOTS_PER_STEP: u64 = 128;

impl<K, V> HashMap<K, V> {
    /// Ends a conversion that is under way. O(entries that are left).
    #[cold]
    pub(super) fn settle(&mut self) {
        // SAFETY: the header is borrowed exclusively.
        unsafe { conversion::settle((&raw mut self.raw).cast()) }
    }

    /// All entries in the new shape, for somebody who walks over all of them. Under `&self`: what was
    /// handed out stays where it is.
    #[cold]
    #[inline(never)]
    pub(super) fn cursor_converting(&self, conversion: NonNull<Conversion>) -> Cursor<Slot<K, V>> {
        // SAFETY: the conversion is this map's; target and extras hold slots of this type.
        unsafe {
            conversion::finish(conversion, false);
            let done = conversion.as_ref();
            Cursor::over_all(&done.shown(), done.len as usize)
        }
    }

    /// Entries of a map that is not steady.
    #[cold]
    #[inline(never)]
    pub(super) fn len_converting(&self, conversion: NonNull<Conversion>) -> usize {
        // SAFETY: the conversion is this map's.
        unsafe { (*conversion.as_ptr()).len as usize }
    }

    /// Moves the conversion on by one operation's share; a complete one ends.
    pub(super) fn pay_conversion(&mut self, conversion: NonNull<Conversion>) {
        // SAFETY: the conversion is this map's, which is borrowed exclusively.
        unsafe {
            let at = conversion.as_ptr();
            (*at).credit += SLOTS_PER_CHANGE;
            if (*at).credit >= SLOTS_PER_STEP && !(*at).is_complete() {
                (*at).credit = 0;
                (heap::conversions().advance)(at, SLOTS_PER_STEP, true);
            }
            if (*at).is_complete() {
                self.raw.absorb(conversion);
            }
        }
    }

    /// Moves the conversion on, over about so many slots; true while some of it is left.
    pub(super) fn work_converting(&mut self, slots: usize) -> bool {
        let Some(conversion) = self.raw.conversion() else { return false };
        // SAFETY: as in `pay_conversion`.
        unsafe {
            if !conversion.as_ref().is_complete() {
                (heap::conversions().advance)(conversion.as_ptr(), slots as u64, true);
            }
            if conversion.as_ref().is_complete() {
                self.raw.absorb(conversion);
            }
        }
        self.raw.conversion().is_some()
    }

    /// Whether one more entry has room in the map under conversion.
    pub(super) fn has_room_converting(&self) -> bool {
        // SAFETY: the conversion is this map's.
        self.raw.conversion().is_some_and(|at| unsafe { at.as_ref().room > 0 })
    }
}

impl<K: StateKey, V> HashMap<K, V> {
    pub(super) fn find_converting<Q: ?Sized + Lookup<K>>(
        &self,
        conversion: NonNull<Conversion>,
        key: &Q,
    ) -> Option<&Slot<K, V>> {
        let found = Self::look_up(conversion, self.hash_of(key), key)?;
        // SAFETY: a full slot of target or extras, in which nothing moves under `&self`.
        Some(unsafe { &*found.slot })
    }

    pub(super) fn find_mut_converting<Q: ?Sized + Lookup<K>>(
        &mut self,
        conversion: NonNull<Conversion>,
        key: &Q,
    ) -> Option<Found<Slot<K, V>>> {
        Self::look_up(conversion, self.hash_of(key), key)
    }

    /// The slot of a key, in the new shape; converts the entry if it still has the old one, and brings it
    /// back if an earlier swap set it aside.
    pub(super) fn look_up<Q: ?Sized + Lookup<K>>(
        conversion: NonNull<Conversion>,
        hash: u64,
        key: &Q,
    ) -> Option<Found<Slot<K, V>>> {
        let found = Self::look_up_present(conversion, hash, key);
        // SAFETY: the conversion is a living map's.
        if found.is_some() || unsafe { (*conversion.as_ptr()).returning == 0 } {
            return found;
        }
        // SAFETY: as above; nothing moves.
        unsafe { (heap::conversions().recall)(conversion.as_ptr(), hash, hash) };
        Self::look_up_present(conversion, hash, key)
    }

    fn look_up_present<Q: ?Sized + Lookup<K>>(
        conversion: NonNull<Conversion>,
        hash: u64,
        key: &Q,
    ) -> Option<Found<Slot<K, V>>> {
        // SAFETY: the conversion is a living map's. Target and extras hold slots of this type; a slot
        // of a source begins with the key, whose type is the same. No reference to the descriptor is
        // held while the shell changes it.
        unsafe {
            let at = conversion.as_ptr();
            let tables = (*at).shown();
            let first = usize::from(!(*at).reaches(hash));
            for table in tables[first..].iter().filter(|table| table.is_allocated()) {
                if let Ok(found) = Self::search(table, true, hash, key) {
                    return Some(found);
                }
            }
            if first == 0 {
                return None;
            }
            let eq = |slot: *mut u8| key.eq_key(&*slot.cast::<K>());
            let of = |source: usize| (*at).find_old(source, hash, eq).map(|index| (source, index));
            let found = if (*at).has_strays() { of(STRAYS) } else { None };
            let (source, index) = found.or_else(|| of((*at).source_of(hash)))?;
            let place = (heap::conversions().touch)(at, source as u32, index, hash);
            (!place.ctrl.is_null()).then(|| Found {
                ctrl: place.ctrl,
                slot: place.slot.cast(),
                old: true,
            })
        }
    }

    pub(super) fn set_converting(
        &mut self,
        conversion: NonNull<Conversion>,
        key: K,
        value: V,
    ) -> Option<V> {
        let hash = self.hash_of(&key);
        match Self::look_up(conversion, hash, &key) {
            // SAFETY: a full slot holds an entry.
            Some(found) => Some(mem::replace(unsafe { &mut (*found.slot).value }, value)),
            None => {
                self.insert_converting(hash, key, value);
                None
            }
        }
    }

    /// Puts an entry whose key is not in the map into a slot.
    pub(super) fn insert_converting(&mut self, hash: u64, key: K, value: V) -> Found<Slot<K, V>> {
        let Some(mut conversion) = self.raw.conversion() else {
            return self.insert_new(hash, key, value);
        };
        // SAFETY: the conversion is this map's, which is borrowed exclusively.
        let conversion = unsafe { conversion.as_mut() };
        if conversion.room == 0 {
            self.grow(1);
            return self.insert_new(hash, key, value);
        }
        let place = conversion.place(hash, conversion.takes(hash));
        conversion.room -= 1;
        conversion.len += 1;
        // SAFETY: the place is vacant and a search of this hash meets it.
        unsafe {
            *place.ctrl = tag(hash);
            let slot = place.slot.cast::<Slot<K, V>>();
            slot.write(Slot { key, value });
            Found { ctrl: place.ctrl, slot, old: true }
        }
    }

    /// [`HashMap::scan`] over a map under conversion: converts what it is going to show.
    #[cold]
    pub(super) fn scan_converting(
        &self,
        conversion: NonNull<Conversion>,
        cursor: u64,
        count: usize,
        show: &mut dyn FnMut(&K, &V),
    ) -> u64 {
        let (mut cursor, mut shown, mut windows) = (cursor, 0, 0);
        loop {
            let next = Self::window_end(conversion, cursor);
            self.touch_window(conversion, cursor, next);
            // SAFETY: the conversion is this map's.
            let tables = unsafe { (*conversion.as_ptr()).shown() };
            for table in tables.iter().filter(|table| table.is_allocated()) {
                self.each_in_window(table, 0, cursor, next, |index| {
                    // SAFETY: the slot is full and of this type.
                    let slot = unsafe { &*table.slot::<Slot<K, V>>(index) };
                    show(&slot.key, &slot.value);
                    shown += 1;
                });
            }
            windows += 1;
            match next {
                None => return 0,
                Some(next) if shown >= count || windows >= count => return next,
                Some(next) => cursor = next,
            }
        }
    }

    /// The end of the run of hashes from `cursor` on that is shown at once; `None` for the end of all.
    fn window_end(conversion: NonNull<Conversion>, cursor: u64) -> Option<u64> {
        // SAFETY: the conversion is a living map's.
        let table = unsafe { (*conversion.as_ptr()).target };
        table.first_hash(table.home(cursor) / WIDTH + 1)
    }

    /// Converts the entries of the sources whose hashes lie in a window.
    fn touch_window(&self, conversion: NonNull<Conversion>, from: u64, to: Option<u64>) {
        // SAFETY: the conversion is this map's; a slot of a source begins with the key.
        unsafe {
            let at = conversion.as_ptr();
            for source in 0..=STRAYS {
                let (table, first) = ((*at).sources[source].table, (*at).first_group(source));
                if !table.is_allocated() || first == usize::MAX {
                    continue;
                }
                let mut found = Vec::new();
                self.each_in_window(&table, first, from, to, |index| found.push(index));
                for index in found {
                    let hash = self.hash_of(&*table.raw_slot(index).cast::<K>());
                    (heap::conversions().touch)(at, source as u32, index, hash);
                }
            }
            // An entry may have left whose key something waits for.
            if (*at).returning > 0 {
                let last = to.map_or(u64::MAX, |to| to - 1);
                (heap::conversions().recall)(at, from, last);
            }
        }
    }

    /// Visits the full slots of a table whose hashes lie in a window, from group `first` on.
    fn each_in_window(
        &self,
        table: &Table,
        first: usize,
        from: u64,
        to: Option<u64>,
        mut visit: impl FnMut(usize),
    ) {
        let begin = (table.home(from) / WIDTH).max(first);
        let last = table.home(to.map_or(u64::MAX, |to| to - 1)) / WIDTH;
        for group in begin..table.geometry().groups() {
            // SAFETY: below the groups; every slot of a map's tables begins with the key.
            let ctrl = unsafe { Group::load(table.ctrl.add(group * WIDTH)) };
            for bit in ctrl.full() {
                let index = group * WIDTH + bit;
                // SAFETY: as above.
                let hash = self.hash_of(unsafe { &*table.raw_slot(index).cast::<K>() });
                if hash >= from && to.is_none_or(|to| hash < to) {
                    visit(index);
                }
            }
            if group >= last && ctrl.empty().any() {
                return;
            }
        }
    }

    /// A slot drawn with equal chances among all of a map under conversion; `None` when it is vacant.
    pub(super) fn random_slot_converting(
        &self,
        conversion: NonNull<Conversion>,
        below: &mut dyn FnMut(usize) -> usize,
    ) -> Option<&Slot<K, V>> {
        // SAFETY: the conversion is this map's; full slots hold entries, those of sources begin with
        // the key.
        unsafe {
            let at = conversion.as_ptr();
            if (*at).returning > 0 {
                (heap::conversions().recall)(at, 0, u64::MAX);
            }
            let shown = (*at).shown();
            let sources = (0..=STRAYS).filter(|&source| !(*at).stays(source));
            let of_source =
                |source: usize| ((*at).sources[source].table, (*at).first_group(source), source);
            let tables = shown.map(|table| (table, 0, usize::MAX)).into_iter();
            let tables = tables.chain(sources.map(of_source));
            let tables = tables.filter(|(table, ..)| table.is_allocated());
            let slots =
                |table: &Table, first| table.geometry().groups().saturating_sub(first) * WIDTH;
            let all = tables.clone().map(|(table, first, _)| slots(&table, first)).sum();
            let mut n = below(all);
            for (table, first, source) in tables {
                let here = slots(&table, first);
                if n >= here {
                    n -= here;
                    continue;
                }
                let index = n + first * WIDTH;
                if *table.ctrl.add(index) < FULL {
                    return None;
                }
                let hash = self.hash_of(&*table.raw_slot(index).cast::<K>());
                let is_new = source == usize::MAX;
                if is_new && (table.ctrl != shown[0].ctrl || (*at).reaches(hash)) {
                    return Some(&*table.slot(index));
                }
                let source = if is_new { (*at).source_of(hash) } else { source };
                let place = (heap::conversions().touch)(at, source as u32, index, hash);
                return place.slot.cast::<Slot<K, V>>().as_ref();
            }
            None
        }
    }
}
