//! Maps: the keys stay, the values are converted.

use core::ptr;

use super::journal::{Fresh, Spent};
use super::{Converter, Step, Unfit, Work};
use crate::collections::hash::KeyHasher;
use crate::collections::{btree_map, hash_map};
use crate::heap;
use crate::migrate::plan::{How, Pair, PairIndex};
use crate::schema::TypeIndex;

/// What the two maps of a pair are made of.
struct Maps {
    key: TypeIndex,
    new_key: TypeIndex,
    value: PairIndex,
    old: crate::reflect::Pair,
    new: crate::reflect::Pair,
}

impl Converter<'_> {
    fn maps(&self, plan: &Pair) -> Maps {
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
        let (mark, pair) = (work.journal.mark(), self.plan.pair(maps.value));
        let may_lose = !pair.fits || pair.leaves_rest;
        let mut name = Vec::new();
        if may_lose || matches!(pair.how, How::Function { .. }) {
            // SAFETY: the caller's promise.
            unsafe { self.old.reflect.write(maps.key, key, &mut name) };
        }
        work.within(Step::Key(name), |work| {
            let outer = core::mem::replace(&mut work.in_entry, true);
            // SAFETY: the caller's promise.
            let fits = unsafe { self.convert(maps.value, value, to, work) }.is_ok();
            work.in_entry = outer;
            if !fits {
                // SAFETY: what the attempt made is not used.
                unsafe {
                    work.journal.revert(&self.new.reflect, &mark);
                    self.lose(pair.old, value, work);
                }
                work.journal.spent.push(Spent::Value(maps.key, key));
                work.journal.spent.push(Spent::Value(pair.old, value));
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
        // SAFETY: the caller's promise. An entry is made in the builder's spare slot first.
        unsafe {
            let (len, seed) = (hash_map::erased::len(from), hash_map::erased::seed(from));
            let mut map = hash_map::erased::Builder::new(to, maps.new, len, seed);
            hash_map::erased::each(from, maps.old, &mut |key, value| {
                let (mark, spare) = (work.journal.mark(), map.spare());
                ptr::copy_nonoverlapping(key, spare, maps.old.key.size());
                let place = spare.add(maps.new.value_at());
                if self.entry(&maps, key, value, place, work) {
                    let slot = map.put(|key| {
                        let mut hasher = KeyHasher::new(seed);
                        self.new.reflect.hash_key(maps.new_key, key, &mut hasher);
                        hasher.finish()
                    });
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
