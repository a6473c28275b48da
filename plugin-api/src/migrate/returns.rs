//! [`Returns`]: what waits for a version, read and sorted before the switch that brings it back.
//!
//! A switch has no time to decode what was set aside, nor to hash its keys. So the parts are read in
//! slices beforehand, those of maps by map and hash; the switch hands each map its own in one step, and
//! the map's [drain](super::drains) puts them back. So does the [conversion](super::trees) of a tree with
//! rests of entries; whole entries return to a tree at once, for its ranks count them.

use std::collections::{BTreeMap, HashSet};

use super::aside::Aside;
use super::change::Change;
use super::convert::{Converter, Found, KeyBlock, Lost, Step};
use super::marks::{self, Gone};
use super::plan::PairIndex;
use crate::collections::btree_map::{self, kept};
use crate::collections::hash_map::erased;
use crate::schema::Kind;

/// Parts that wait, by the hash of their key.
pub(crate) type ByHash = BTreeMap<u64, Vec<Part>>;

/// What is going to return with a switch, as far as it was read.
#[derive(Debug, Default)]
pub struct Returns {
    /// Parts of hash maps, and rests of entries of trees, that were found in the old value.
    pub(crate) maps: Vec<OfMap>,
    /// All others, with their places.
    pub(crate) others: Vec<(usize, Lost)>,
    /// How many parts were read.
    read: usize,
    /// How often what is aside had been thinned out by then.
    thinned: u64,
    /// How many parts that went with their entries were looked at.
    gone: u64,
}

/// Parts of one map.
#[derive(Debug)]
pub(crate) struct OfMap {
    /// The way to it in the new value.
    pub way: Vec<Step>,
    /// What marks know it by.
    pub name: u64,
    /// The key of its hash. A map that has another one by the time of the switch is another map.
    pub seed: [u64; 2],
    pub parts: ByHash,
    pub count: u64,
    /// How many of the parts are whole entries.
    pub entries: u64,
}

/// A part that waits.
#[derive(Debug)]
pub(crate) struct Part {
    pub lost: Lost,
    /// Which step of its path is the key in this map.
    pub depth: usize,
    /// Its place on the shelf that it was read from.
    pub place: usize,
}

impl Part {
    /// Whether it is a whole entry, not a rest of one.
    pub fn is_entry(&self) -> bool {
        self.depth + 1 == self.lost.path.len()
    }

    /// The image of its key.
    pub fn key(&self) -> &[u8] {
        match &self.lost.path[self.depth] {
            Step::Key(image) => image,
            _ => unreachable!("the step at this depth is a key"),
        }
    }
}

impl Returns {
    /// All that waits for a value of which there is little: nothing is sorted. O(parts).
    pub fn of(aside: &Aside, fingerprint: u64) -> Self {
        Self {
            others: aside.of(fingerprint).into_iter().map(|lost| (0, lost)).collect(),
            ..Self::default()
        }
    }

    /// Reads up to `most` parts that wait for a root of the new shape; to be called until it answers
    /// false, and again when anything was set aside since. O(most · log parts).
    ///
    /// # Safety
    /// `root` is a value of the change's old root type, used by nobody else, and no map in it was given
    /// up. It is a change of that root that `converter` is of.
    pub unsafe fn read_on(
        &mut self,
        change: &Change,
        converter: &Converter<'_>,
        root: *mut u8,
        aside: &Aside,
        most: usize,
    ) -> bool {
        let fingerprint = change.to.schema.fingerprint;
        if self.thinned != aside.thinned() || self.read == 0 {
            let (_, gone) = marks::logged(u64::MAX);
            *self = Self { thinned: aside.thinned(), gone, ..Self::default() };
        }
        self.forget_gone(aside.number(), fingerprint);
        let places = aside.places(fingerprint);
        for place in self.read..places.min(self.read + most) {
            self.read += 1;
            let Some(lost) = aside.part(fingerprint, place) else { continue };
            let find = |way: &[Step]| {
                // SAFETY: the caller's promise.
                let origin = unsafe { converter.origin(change.plan.root, root, way) };
                origin.map(|(_, ty, at)| (ty, at))
            };
            // SAFETY: as above.
            let other = unsafe { self.sort((place, lost), find, converter) };
            self.others.extend(other.map(|other| (place, other)));
        }
        self.read < places
    }

    /// Forgets parts that were read before they went with their entries.
    fn forget_gone(&mut self, aside: u64, fingerprint: u64) {
        let (gone, next) = marks::logged(self.gone);
        self.gone = next;
        let mut places = HashSet::new();
        for Gone { place, outer, .. } in
            gone.into_iter().filter(|of| (of.aside, of.fingerprint) == (aside, fingerprint))
        {
            let mut maps = self.maps.iter_mut();
            let read = maps.find(|of| of.name == outer.map);
            if !read.is_some_and(|of| of.forget(outer.hash, place)) {
                places.insert(place);
            }
        }
        if !places.is_empty() {
            self.others.retain(|(place, _)| !places.contains(place));
        }
    }

    /// Entries that return, at most.
    pub fn entries(&self) -> usize {
        let sorted = self.maps.iter().map(|of| of.entries as usize);
        self.others.len() + sorted.sum::<usize>()
    }

    /// Keeps a part that returns into a hash map, or a rest of an entry of a tree, by that and its hash;
    /// answers any other.
    ///
    /// # Safety
    /// What `find` finds is a value of the type it answers, in the old schema.
    unsafe fn sort(
        &mut self,
        (place, lost): (usize, Lost),
        find: impl FnOnce(&[Step]) -> Option<(crate::schema::TypeIndex, *mut u8)>,
        converter: &Converter<'_>,
    ) -> Option<Lost> {
        let depth = lost.path.iter().position(|step| matches!(step, Step::Key(_)));
        let found = depth.and_then(|depth| Some((depth, find(&lost.path[..depth])?)));
        let Some((depth, (ty, map))) = found else { return Some(lost) };
        let part = Part { lost, depth, place };
        let (way, reflect) = (&part.lost.path[..depth], converter.old());
        let def = reflect.def(ty);
        // SAFETY: the caller's promise.
        let known = unsafe { name_of(def.kind, map) };
        let later = def.kind == Kind::HashMap || !part.is_entry();
        let Some((name, seed)) = known.filter(|_| later) else { return Some(part.lost) };
        // SAFETY: the caller's promise; keys are the same in both shapes, and so are their images.
        let hash = unsafe {
            let key = KeyBlock::new(reflect, def.args[0], part.key());
            reflect.hash_of(def.args[0], key.at(), seed)
        };
        let known = self.maps.iter().position(|of| of.seed == seed && of.way == way);
        let at = known.unwrap_or_else(|| {
            let (way, parts) = (way.to_vec(), ByHash::new());
            self.maps.push(OfMap { way, name, seed, parts, count: 0, entries: 0 });
            self.maps.len() - 1
        });
        let of = &mut self.maps[at];
        of.count += 1;
        of.entries += u64::from(part.is_entry());
        of.parts.entry(hash).or_default().push(part);
        None
    }
}

/// What marks know a map by, and what its keys are hashed with. `None` for other values, and for a tree of
/// which nothing is set aside.
///
/// # Safety
/// A value of this kind.
unsafe fn name_of(kind: Kind, map: *mut u8) -> Option<(u64, [u64; 2])> {
    // SAFETY: the caller's promise.
    unsafe {
        match kind {
            Kind::HashMap => {
                let seed = erased::seed(map);
                Some((seed[0], seed))
            }
            Kind::BTreeMap => {
                let number = btree_map::erased::number(map);
                (number != 0).then(|| (u64::from(number), kept::seed(number)))
            }
            _ => None,
        }
    }
}

/// Takes the parts that wait for an entry: those under its hash that are of it.
pub(crate) fn take_parts(
    parts: &mut ByHash,
    hash: u64,
    is_of: impl FnMut(&Part) -> bool,
) -> Vec<Part> {
    let Some(all) = parts.remove(&hash) else { return Vec::new() };
    let (of, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_of);
    if !others.is_empty() {
        parts.insert(hash, others);
    }
    of
}

/// Parts from which a map that needs no conversion gets one all the same, so that they return later.
const LATER_FROM: u64 = 64;

impl OfMap {
    /// Whether a drain is worth its while in a map that needs none. A rest looks for its entry, which in such
    /// a map nobody is going to touch.
    pub const fn wants_drain(&self) -> bool {
        self.count >= LATER_FROM && self.entries == self.count
    }

    /// Forgets the part from this place, whose key has this hash. False when it is none of them.
    fn forget(&mut self, hash: u64, place: usize) -> bool {
        let Some(parts) = self.parts.get_mut(&hash) else { return false };
        let Some(at) = parts.iter().position(|part| part.place == place) else { return false };
        let part = parts.swap_remove(at);
        if parts.is_empty() {
            self.parts.remove(&hash);
        }
        self.count -= 1;
        self.entries -= u64::from(part.is_entry());
        true
    }

    /// Finds the elements of lists in entries that are converted with the switch. What is not found stays
    /// as it is, and is told of when it has no place.
    ///
    /// # Safety
    /// As for [`Converter::find_elements`].
    pub unsafe fn find_elements(
        &mut self,
        converter: &Converter<'_>,
        pair: PairIndex,
        at: *mut u8,
        found: &mut Found,
    ) {
        for part in self.parts.values_mut().flatten() {
            // SAFETY: the caller's promise.
            unsafe { converter.find_elements(pair, at, &mut part.lost.path, found) };
        }
    }

    /// The parts, one by one.
    pub fn into_lost(self) -> Vec<Lost> {
        self.parts.into_values().flatten().map(|part| part.lost).collect()
    }
}
