//! [`EntryMover`]: the entries of one map, one by one, each for good.

use core::ptr;

use super::journal::{Journal, Spent};
use super::maps::{Known, Maps};
use super::restore::{KeyBlock, rejoin};
use super::{Converter, Found, Lost, Step, Work};
use crate::migrate::marks::Mark;
use crate::migrate::plan::{PairIndex, Plan};
use crate::migrate::returns::Part;
use crate::schema::TypeIndex;

/// Converts the entries of one map one by one, each for good.
#[derive(Debug)]
pub(crate) struct EntryMover {
    maps: Maps,
    /// Empty between two entries; kept for its memory.
    journal: Journal,
    /// The way to the map.
    path: Vec<Step>,
    known: Known,
    /// What had no place.
    pub lost: Vec<Lost>,
}

impl EntryMover {
    pub fn new(maps: Maps, path: Vec<Step>, known: Known) -> Self {
        Self { maps, journal: Journal::default(), path, known, lost: Vec::new() }
    }

    /// The type of the keys, in the new schema.
    pub fn key_type(&self) -> TypeIndex {
        self.maps.new_key
    }

    /// The type of values in the new shape, and where one lies in its slot.
    pub fn new_value(&self, converter: &Converter<'_>) -> (TypeIndex, usize) {
        (converter.plan.pair(self.maps.value).new, self.maps.new.value_at())
    }

    /// The hash of the key that a slot of either shape begins with.
    ///
    /// # Safety
    /// `slot` is a full slot of the map; `converter` is the one the mover was made for.
    pub unsafe fn hash(&self, converter: &Converter<'_>, slot: *mut u8, seed: [u64; 2]) -> u64 {
        // SAFETY: the caller's promise; both shapes have the same key.
        unsafe { converter.new.reflect.hash_of(self.maps.new_key, slot, seed) }
    }

    /// Whether a part is a part of the entry with the key at `key`.
    ///
    /// # Safety
    /// As for [`EntryMover::hash`], with a key of the map; the part is of an entry of it.
    pub unsafe fn is_of(&self, converter: &Converter<'_>, part: &Part, key: *mut u8) -> bool {
        let (reflect, ty) = (converter.new_side(), self.key_type());
        // SAFETY: the caller's promise; no swap changes keys.
        unsafe {
            let of = KeyBlock::new(reflect, ty, part.key());
            reflect.compare_keys(ty, of.at(), key).is_eq()
        }
    }

    /// Finds the elements of lists that parts of an entry are below, which is still in the old shape.
    ///
    /// # Safety
    /// As for [`EntryMover::hash`], with a slot of the old shape.
    pub unsafe fn find_elements(
        &self,
        converter: &Converter<'_>,
        parts: &mut [Part],
        slot: *mut u8,
    ) {
        // SAFETY: the caller's promise.
        unsafe { self.find_in_value(converter, parts, slot.add(self.maps.old.value_at())) }
    }

    /// As [`EntryMover::find_elements`], with the value of the entry.
    ///
    /// # Safety
    /// As for [`EntryMover::find_elements`].
    pub unsafe fn find_in_value(
        &self,
        converter: &Converter<'_>,
        parts: &mut [Part],
        value: *mut u8,
    ) {
        let mut found = Found::default();
        for Part { lost, depth, .. } in parts {
            let way = &mut lost.path[*depth + 1..];
            // SAFETY: the caller's promise.
            unsafe { converter.find_elements(self.maps.value, value, way, &mut found) };
        }
    }

    /// Puts a rest back into the value of its entry, which was just made. False when it is no rest, or what
    /// it was a part of is gone.
    ///
    /// # Safety
    /// As for [`EntryMover::is_of`], which is true; `value` is of the new shape.
    pub unsafe fn rejoin(&self, converter: &Converter<'_>, part: &Part, value: *mut u8) -> bool {
        let (ty, way) = (self.new_value(converter).0, &part.lost.path[part.depth + 1..]);
        // SAFETY: the caller's promise.
        !part.is_entry() && unsafe { rejoin(converter.new_side(), ty, value, way, &part.lost) }
    }

    /// Layouts of the entries on both sides.
    pub const fn pairs(&self) -> (crate::reflect::Pair, crate::reflect::Pair) {
        (self.maps.old, self.maps.new)
    }

    /// Makes the new value of an entry whose every value fits; the old one is given up.
    ///
    /// # Safety
    /// `key` and `value` are an entry of the old map; `to` is raw memory for a value; `converter` is the
    /// one the mover was made for.
    pub unsafe fn convert_value(
        &mut self,
        converter: &Converter<'_>,
        key: *mut u8,
        value: *mut u8,
        to: *mut u8,
    ) {
        let path = core::mem::take(&mut self.path);
        let mut work = Work::below_map(&mut self.journal, path);
        // SAFETY: the caller's promise. The value is committed at once: the old one is not read again.
        unsafe {
            let fits = converter.entry((&self.maps, &self.known), (key, value), to, &mut work);
            assert!(fits, "every value fits by the plan, and its defaults were tried");
            self.path = work.path;
            self.journal.settle(&converter.old.reflect, &mut self.lost);
        }
    }

    /// The mover of a map of this type of the new version, whose entries stay as they are while something
    /// returns to them. `None` when the plan knows no such map.
    pub fn of_kept(converter: &Converter<'_>, map: TypeIndex, known: Known) -> Option<Self> {
        let reflect = converter.new_side();
        let def = reflect.def(map);
        let ([key, value], pair) = ([def.args[0], *def.args.get(1)?], reflect.pair(def));
        let value = converter.plan.pairs.iter().position(|pair| pair.new == value)? as PairIndex;
        let maps = Maps { key, new_key: key, value, old: pair, new: pair };
        Some(Self::new(maps, Vec::new(), known))
    }

    /// The mover of the way back, whose converter this is. `None` when that has no such map.
    pub fn turned(&self, converter: &Converter<'_>, there: &Plan) -> Option<Self> {
        let Maps { key, new_key, value, old, new } = self.maps;
        let there = there.pair(value);
        let value = converter
            .plan
            .pairs
            .iter()
            .position(|back| (back.old, back.new) == (there.new, there.old))?;
        let maps =
            Maps { key: new_key, new_key: key, value: value as PairIndex, old: new, new: old };
        Some(Self::new(maps, self.path.clone(), self.known.clone()))
    }

    /// Looks whether the entry in a slot has a place in the new shape, in which it keeps its bytes. False
    /// when it has none: it is given up then, and among [`EntryMover::lost`].
    ///
    /// # Safety
    /// As for [`EntryMover::hash`]; the pair of the values is [in place](Pair::in_place).
    pub unsafe fn look_at(&mut self, converter: &Converter<'_>, slot: *mut u8) -> bool {
        // SAFETY: the caller's promise; an entry that is set aside is dropped by its schema, once.
        unsafe {
            let value = slot.add(self.maps.old.value_at());
            if converter.holds(self.maps.value, value) {
                return true;
            }
            let ty = converter.plan.pair(self.maps.value).old;
            let path = core::mem::take(&mut self.path);
            let mut work = Work::below_map(&mut self.journal, path);
            let step = work.path.len();
            work.within_entry(Step::Key(Vec::new()), Mark::default(), |work| {
                converter.lose(ty, value, work);
                let lost = work.journal.lost.last_mut().expect("it was just lost");
                converter.name(lost, (step, 0), (&self.maps, &self.known), slot);
            });
            work.journal.spent.push(Spent::Value(ty, value));
            work.journal.spent.push(Spent::Value(self.maps.key, slot));
            self.path = work.path;
            self.journal.settle(&converter.old.reflect, &mut self.lost);
        }
        false
    }

    /// Makes the new slot of an old one, which is given up. False when the entry has no place; it is
    /// among [`EntryMover::lost`] then.
    ///
    /// # Safety
    /// As for [`EntryMover::hash`]; `to` is a vacant slot of the new layout.
    pub unsafe fn convert(
        &mut self,
        converter: &Converter<'_>,
        from: *mut u8,
        to: *mut u8,
    ) -> bool {
        let path = core::mem::take(&mut self.path);
        let mut work = Work::below_map(&mut self.journal, path);
        // SAFETY: the caller's promise. The entry is committed at once: the old slot is not read again.
        unsafe {
            let value = from.add(self.maps.old.value_at());
            let place = to.add(self.maps.new.value_at());
            ptr::copy_nonoverlapping(from, to, self.maps.old.key.size());
            let fits = converter.entry((&self.maps, &self.known), (from, value), place, &mut work);
            self.path = work.path;
            self.journal.settle(&converter.old.reflect, &mut self.lost);
            fits
        }
    }
}

impl<'j> Work<'j> {
    /// The entries of a map that converts later, one by one.
    fn below_map(journal: &'j mut Journal, path: Vec<Step>) -> Self {
        Self { path, in_map: true, ..Self::new(journal) }
    }
}
