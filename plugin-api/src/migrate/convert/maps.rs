//! Maps: the keys stay, the values are converted.

use core::ptr;

use super::journal::{Fresh, Journal, Spent};
use super::{Converter, Lost, Step, Unfit, Work};
use crate::collections::{btree_map, hash_map};
use crate::heap;
use crate::migrate::plan::{Fields, How, Pair, PairIndex, Plan};
use crate::migrate::{drains, trees};
use crate::schema::TypeIndex;

/// What the two maps of a pair are made of.
#[derive(Debug)]
pub(crate) struct Maps {
    key: TypeIndex,
    new_key: TypeIndex,
    value: PairIndex,
    old: crate::reflect::Pair,
    new: crate::reflect::Pair,
}

impl Converter<'_> {
    pub(crate) fn maps(&self, plan: &Pair) -> Maps {
        let (How::HashMap(value) | How::BTreeMap(value)) = plan.how else {
            unreachable!("the plan says that this is a map")
        };
        let (old, new) = (self.old.reflect.def(plan.old), self.new.reflect.def(plan.new));
        Maps {
            key: old.args[0],
            new_key: new.args[0],
            value,
            old: self.old.reflect.pair(old),
            new: self.new.reflect.pair(new),
        }
    }

    /// Converts the value of an entry into `to`, or sets the entry aside. False in the second case.
    ///
    /// # Safety
    /// As for [`Converter::convert`], with the entry's key.
    unsafe fn entry(
        &self,
        maps: &Maps,
        key: *mut u8,
        value: *mut u8,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> bool {
        let pair = self.plan.pair(maps.value);
        let may_lose = !pair.fits || pair.leaves_rest;
        let mut name = Vec::new();
        if may_lose || matches!(pair.how, How::Function { .. }) {
            // SAFETY: the caller's promise.
            unsafe { self.old.reflect.write(maps.key, key, &mut name) };
        }
        work.within(Step::Key(name), |work| {
            let outside = core::mem::replace(&mut work.in_map, true);
            // SAFETY: the caller's promise.
            let fits = unsafe { self.convert_or_lose(maps.value, value, to, work) };
            work.in_map = outside;
            if !fits {
                work.journal.spent.push(Spent::Value(maps.key, key));
            }
            fits
        })
    }

    /// # Safety
    /// As for [`Converter::convert`].
    pub(super) unsafe fn hash_map(
        &self,
        plan: &Pair,
        from: *mut u8,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> Result<(), Unfit> {
        let maps = self.maps(plan);
        // SAFETY: the caller's promise.
        if unsafe { self.begin_drain(plan, &maps, from, to, work) } {
            return Ok(());
        }
        // SAFETY: the caller's promise. An entry is made in the builder's spare slot first.
        unsafe {
            let (len, seed) = (hash_map::erased::len(from), hash_map::erased::seed(from));
            let mut map = hash_map::erased::Builder::new(to, maps.new, len, seed);
            hash_map::erased::each(from, maps.old, &mut |key, value| {
                let (mark, spare) = (work.journal.mark(), map.spare());
                ptr::copy_nonoverlapping(key, spare, maps.old.key.size());
                let place = spare.add(maps.new.value_at());
                if self.entry(&maps, key, value, place, work) {
                    let slot = map.put(|key| self.new.reflect.hash_of(maps.new_key, key, seed));
                    let size = maps.new.value.size();
                    work.journal.moved(mark, place, slot.add(maps.new.value_at()), size);
                }
            });
            map.finish();
        }
        work.journal.fresh.push(Fresh::Map(to, maps.new));
        work.journal.spent.push(Spent::Map(from, maps.old));
        Ok(())
    }

    /// Leaves the entries of a large map to be converted later. False when they are to be converted
    /// at once: the map is small, or part of something that converts whole.
    ///
    /// # Safety
    /// As for [`Converter::convert`].
    unsafe fn begin_drain(
        &self,
        plan: &Pair,
        maps: &Maps,
        from: *mut u8,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> bool {
        let Some(change) = self.lazy.as_ref().filter(|_| !work.in_entry) else { return false };
        // SAFETY: the caller's promise. A conversion that an earlier swap began is turned back, or ended
        // first, which changes nothing that anybody sees.
        unsafe {
            if !drains::turns(from) {
                if hash_map::erased::len(from) < drains::LAZY_FROM {
                    return false;
                }
                hash_map::conversion::settle(from);
            }
            let in_place = self.plan.pair(maps.value).in_place;
            let (old, new, returning) = (maps.old, maps.new, self.expected.get());
            let begin = hash_map::conversion::Plan { id: 0, old, new, returning, in_place };
            let at = drains::begin(change, plan, begin, work.path.clone(), (from, to));
            work.journal.fresh.push(Fresh::Drain(at));
        }
        work.journal.spent.push(Spent::Header(from));
        true
    }

    /// # Safety
    /// As for [`Converter::convert`].
    pub(super) unsafe fn btree_map(
        &self,
        plan: &Pair,
        from: *mut u8,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> Result<(), Unfit> {
        let maps = self.maps(plan);
        // SAFETY: the caller's promise.
        if unsafe { self.begin_tree(plan, &maps, from, to, work)? } {
            return Ok(());
        }
        let mut keys = Vec::new();
        // SAFETY: the caller's promise. All values are made beside the tree first: it is built for
        // the number of those that fit.
        unsafe {
            let len = btree_map::erased::len(from);
            let layout = crate::reflect::run(maps.new.value, len);
            let values = heap::alloc(layout);
            let size = maps.new.value.size();
            let begin = work.journal.mark();
            btree_map::erased::each(from, maps.old, &mut |key, value| {
                let place = values.as_ptr().add(keys.len() * size);
                if self.entry(&maps, key, value, place, work) {
                    keys.push(key);
                }
            });
            let mut tree = btree_map::erased::Builder::new(to, maps.new, keys.len());
            let mut places = Vec::new();
            for (i, key) in keys.iter().enumerate() {
                let (key_place, place) = tree.next();
                ptr::copy_nonoverlapping(*key, key_place, maps.old.key.size());
                ptr::copy_nonoverlapping(values.as_ptr().add(i * size), place, size);
                places.push(place);
            }
            tree.finish();
            work.journal.scattered(begin, values.as_ptr(), size, &places);
            heap::free(values, layout);
        }
        work.journal.fresh.push(Fresh::Tree(to, maps.new));
        work.journal.spent.push(Spent::Tree(from, maps.old));
        Ok(())
    }
}

impl Converter<'_> {
    /// Whether the new type holds the value at `at`, whose bytes stay as they are if so.
    ///
    /// # Safety
    /// `at` is a value of the pair's old type, and the pair is [in place](Pair::in_place).
    unsafe fn holds(&self, pair: PairIndex, at: *mut u8) -> bool {
        let plan = self.plan.pair(pair);
        if plan.fits {
            return true;
        }
        let old_size = |pair: PairIndex| self.plan.pair(pair).old_size;
        // SAFETY: the caller's promise; where each part lies is what the plan was made from.
        let moves = |fields: &Fields| unsafe {
            fields.moves.iter().all(|m| self.holds(m.pair, at.add(m.from as usize)))
        };
        // SAFETY: as above; an enum's and an option's first byte is the tag.
        unsafe {
            match &plan.how {
                How::Struct(fields) => moves(fields),
                How::Enum(arms) => {
                    let arm = arms.iter().find(|arm| arm.old == at.read());
                    arm.and_then(|arm| arm.new.as_ref()).is_some_and(|to| moves(&to.fields))
                }
                How::Option(value) => {
                    at.read() == 0 || self.holds(*value, at.add(old_size(*value).align as usize))
                }
                How::Box(value) => self.holds(*value, at.cast::<*mut u8>().read()),
                How::Array { element, count } => {
                    let size = old_size(*element).size as usize;
                    (0..*count as usize).all(|i| self.holds(*element, at.add(i * size)))
                }
                _ => unreachable!("the plan says that the bytes stay"),
            }
        }
    }

    /// Leaves the leaves of a large tree to be converted later. False when they are to be converted at
    /// once.
    ///
    /// # Safety
    /// As for [`Converter::convert`].
    unsafe fn begin_tree(
        &self,
        plan: &Pair,
        maps: &Maps,
        from: *mut u8,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> Result<bool, Unfit> {
        let Some(change) = self.lazy.as_ref().filter(|_| !work.in_entry) else { return Ok(false) };
        // SAFETY: the caller's promise. A conversion that an earlier swap began is ended first, which
        // changes nothing that anybody sees.
        unsafe {
            if btree_map::erased::len(from) < drains::LAZY_FROM || !self.plan.keeps_all(maps.value)
            {
                return Ok(false);
            }
            self.try_defaults(maps.value)?;
            btree_map::conversion::settle(from);
            let at = trees::begin(change, plan, work.path.clone(), from, to);
            work.journal.fresh.push(Fresh::TreeDrain(at));
        }
        Ok(true)
    }
}

/// Converts the entries of one map one by one, each for good.
#[derive(Debug)]
pub(crate) struct EntryMover {
    maps: Maps,
    /// Empty between two entries; kept for its memory.
    journal: Journal,
    /// The way to the map.
    path: Vec<Step>,
    /// What had no place.
    pub lost: Vec<Lost>,
}

impl EntryMover {
    pub fn new(maps: Maps, path: Vec<Step>) -> Self {
        Self { maps, journal: Journal::default(), path, lost: Vec::new() }
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
        let journal = &mut self.journal;
        let mut work = Work { journal, path, new_path: Vec::new(), in_entry: false, in_map: true };
        // SAFETY: the caller's promise. The value is committed at once: the old one is not read again.
        unsafe {
            let fits = converter.entry(&self.maps, key, value, to, &mut work);
            assert!(fits, "every value fits by the plan, and its defaults were tried");
            self.path = work.path;
            self.journal.settle(&converter.old.reflect, &mut self.lost);
        }
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
        Some(Self::new(maps, self.path.clone()))
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
            let (path, journal) = (core::mem::take(&mut self.path), &mut self.journal);
            let mut work =
                Work { journal, path, new_path: Vec::new(), in_entry: true, in_map: true };
            let mut name = Vec::new();
            converter.old.reflect.write(self.maps.key, slot, &mut name);
            let ty = converter.plan.pair(self.maps.value).old;
            work.within(Step::Key(name), |work| converter.lose(ty, value, work));
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
        let journal = &mut self.journal;
        let mut work = Work { journal, path, new_path: Vec::new(), in_entry: false, in_map: true };
        // SAFETY: the caller's promise. The entry is committed at once: the old slot is not read again.
        unsafe {
            let value = from.add(self.maps.old.value_at());
            let place = to.add(self.maps.new.value_at());
            ptr::copy_nonoverlapping(from, to, self.maps.old.key.size());
            let fits = converter.entry(&self.maps, from, value, place, &mut work);
            self.path = work.path;
            self.journal.settle(&converter.old.reflect, &mut self.lost);
            fits
        }
    }
}
