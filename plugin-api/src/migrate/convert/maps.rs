//! Maps: the keys stay, the values are converted.

use core::cell::Cell;
use core::ptr;

use super::journal::{Fresh, Spent};
use super::restore::{find, walk_to};
use super::{Converter, Lost, Step, Unfit, Work};
use crate::collections::btree_map::{self, kept};
use crate::collections::hash_map;
use crate::heap;
use crate::migrate::marks::{self, Mark};
use crate::migrate::plan::{Fields, How, Pair, PairIndex};
use crate::migrate::{drains, trees};
use crate::schema::{Kind, TypeIndex};

/// What the two maps of a pair are made of.
#[derive(Debug)]
pub(crate) struct Maps {
    pub(super) key: TypeIndex,
    pub(super) new_key: TypeIndex,
    pub(super) value: PairIndex,
    pub(super) old: crate::reflect::Pair,
    pub(super) new: crate::reflect::Pair,
}

impl Maps {
    /// How values are converted.
    pub const fn value(&self) -> PairIndex {
        self.value
    }
}

/// What the parts that are set aside of a map's entries remember it by.
#[derive(Debug, Clone)]
pub(crate) enum Known {
    /// A hash map, by its seed.
    Hashed([u64; 2]),
    /// A tree, by its number: 0 until something is set aside of it.
    Ordered(Cell<u32>),
}

impl Known {
    /// The tree with this number.
    pub fn ordered(number: u32) -> Self {
        Self::Ordered(Cell::new(number))
    }

    /// A tree's number, as it is by now.
    pub fn number(&self) -> u32 {
        match self {
            Self::Hashed(_) => 0,
            Self::Ordered(number) => number.get(),
        }
    }

    /// What a part remembers the map by, and what keys are hashed with. A tree without a number gets one.
    pub fn name(&self) -> (u64, [u64; 2]) {
        match self {
            Self::Hashed(seed) => (seed[0], *seed),
            Self::Ordered(number) => {
                if number.get() == 0 {
                    number.set(marks::draw_tree());
                }
                (u64::from(number.get()), kept::seed(number.get()))
            }
        }
    }
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
    pub(super) unsafe fn entry(
        &self,
        (maps, known): (&Maps, &Known),
        (key, value): (*mut u8, *mut u8),
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> bool {
        let (lost, depth) = (work.journal.lost.len(), (work.path.len(), work.marks.len()));
        work.within_entry(Step::Key(Vec::new()), Mark::default(), |work| {
            let outside = core::mem::replace(&mut work.in_map, true);
            // SAFETY: the caller's promise.
            let fits = unsafe { self.convert_or_lose(maps.value, value, to, work) };
            work.in_map = outside;
            if !fits {
                work.journal.spent.push(Spent::Value(maps.key, key));
            }
            // Few entries lose anything: only then the key is worth writing down.
            for lost in &mut work.journal.lost[lost..] {
                // SAFETY: the key is where it was.
                unsafe { self.name(lost, depth, (maps, known), key) };
            }
            fits
        })
    }

    /// Writes the entry down that a part was lost below: step and mark of these numbers.
    ///
    /// # Safety
    /// `key` is a key of the old map.
    pub(super) unsafe fn name(
        &self,
        lost: &mut Lost,
        (step, mark): (usize, usize),
        (maps, known): (&Maps, &Known),
        key: *mut u8,
    ) {
        let mut name = Vec::new();
        // SAFETY: the caller's promise.
        unsafe {
            self.old.reflect.write(maps.key, key, &mut name);
            lost.path[step] = Step::Key(name);
            lost.marks[mark] = self.mark(maps, known, key);
        }
    }

    /// What parts of the entry with this key remember it by.
    ///
    /// # Safety
    /// `key` is a key of the old map.
    unsafe fn mark(&self, maps: &Maps, known: &Known, key: *mut u8) -> Mark {
        let (map, seed) = known.name();
        // SAFETY: the caller's promise.
        Mark { map, hash: unsafe { self.old.reflect.hash_of(maps.key, key, seed) } }
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
            let known = Known::Hashed(seed);
            let mut map = hash_map::erased::Builder::new(to, maps.new, len, seed);
            hash_map::erased::each(from, maps.old, &mut |key, value| {
                let (mark, spare) = (work.journal.mark(), map.spare());
                ptr::copy_nonoverlapping(key, spare, maps.old.key.size());
                let place = spare.add(maps.new.value_at());
                if self.entry((&maps, &known), (key, value), place, work) {
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

    /// How the entries of a map are converted later, to which so many may return.
    pub(super) fn later(&self, maps: &Maps, returning: usize) -> hash_map::conversion::Plan {
        let in_place = self.plan.pair(maps.value).in_place;
        let Maps { old, new, .. } = *maps;
        hash_map::conversion::Plan { id: 0, old, new, returning, in_place, keeps: false }
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
            let begin = self.later(maps, self.expected.get());
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
        // SAFETY: as above.
        let known = Known::ordered(unsafe { btree_map::erased::number(from) });
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
                if self.entry((&maps, &known), (key, value), place, work) {
                    keys.push(key);
                }
            });
            let mut tree =
                btree_map::erased::Builder::new(to, maps.new, keys.len(), known.number());
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
    /// Where the value is in the old one that lies at the end of a way through the new one, its type, and its
    /// pair, unless it is below a part that stays as it is. `None` where that is not to be told.
    ///
    /// # Safety
    /// `at` is a value of the pair's old type.
    pub(crate) unsafe fn origin(
        &self,
        pair: PairIndex,
        at: *mut u8,
        way: &[Step],
    ) -> Option<(Option<PairIndex>, TypeIndex, *mut u8)> {
        let plan = self.plan.pair(pair);
        let align = |pair: PairIndex| self.plan.pair(pair).old_size.align as usize;
        // SAFETY: the caller's promise; where each part lies is what the plan was made from.
        unsafe {
            if plan.how == How::Same {
                let found = walk_to(&self.old.reflect, plan.old, at, way, &Step::Key(Vec::new()));
                return found.map(|(ty, at)| (None, ty, at));
            }
            let Some((step, way)) = way.split_first() else {
                return Some((Some(pair), plan.old, at));
            };
            match (&plan.how, step) {
                (How::Struct(fields), Step::Field(to)) => {
                    let step = fields.moves.iter().find(|step| step.to == *to)?;
                    self.origin(step.pair, at.add(step.from as usize), way)
                }
                (How::Array { element, .. }, Step::Item(i)) => {
                    let size = self.plan.pair(*element).old_size.size as usize;
                    self.origin(*element, at.add(*i as usize * size), way)
                }
                (How::Option(value), Step::Some) if at.read() == 1 => {
                    self.origin(*value, at.add(align(*value)), way)
                }
                (How::Box(value), Step::Boxed) => {
                    self.origin(*value, at.cast::<*mut u8>().read(), way)
                }
                _ => None,
            }
        }
    }

    /// The value behind the key with this image in the old map at `at`; `None` also while that follows an
    /// earlier change.
    ///
    /// # Safety
    /// `at` is a map or tree of this type.
    pub(super) unsafe fn old_entry(
        &self,
        map: TypeIndex,
        at: *mut u8,
        key: &[u8],
    ) -> Option<*mut u8> {
        let tree = self.old.reflect.def(map).kind == Kind::BTreeMap;
        // SAFETY: the caller's promise.
        unsafe {
            let moves = !tree && hash_map::erased::conversion(at).is_some();
            (!moves).then(|| find(&self.old.reflect, map, at, key)).flatten()
        }
    }

    /// Whether the new type holds the value at `at`, whose bytes stay as they are if so.
    ///
    /// # Safety
    /// `at` is a value of the pair's old type, and the pair is [in place](Pair::in_place).
    pub(super) unsafe fn holds(&self, pair: PairIndex, at: *mut u8) -> bool {
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
