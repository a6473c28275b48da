//! Which parts that are set aside hang on which entries of maps and trees: a part goes with its entry.
//!
//! A rest of an entry waits for the entry to come back to a version that can hold both. When the entry is
//! removed meanwhile, and perhaps another one is made under its key, the rest is nobody's. So each part
//! remembers the entries it is below ([`Mark`]), and maps that the shell has made tell of removals
//! (`hash_map::kept`, `btree_map::kept`). What they tell is looked up here, in the process's memory, and done to the
//! [`Aside`](super::aside::Aside) when no call runs.
//!
//! Invariant: a part that waits on a shelf with an index is in it, once per mark.

use core::mem;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::convert::{Lost, Step};
use crate::heap;

/// An entry of a map that a part is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Half of a hash map's seed, which is no other map's, or a tree's number. 0: a map that is not known.
    pub map: u64,
    /// The hash of the key.
    pub hash: u64,
}

thread_local! {
    static MARKS: RefCell<Marks> = RefCell::new(Marks::default());
}

/// Removals that are looked back at, at most. Beyond, whoever reads what is set aside reads it again.
const LOG_MOST: usize = 10_000;
/// Numbers that are drawn for a tree until one is free, at most.
const DRAWS: usize = 100;
/// Places in an index that are freed at once, at most.
const FREE_MOST: usize = 500;

#[derive(Debug, Default)]
struct Marks {
    /// By the aside's number and the shelf's fingerprint.
    shelves: HashMap<(u64, u64), Index>,
    /// Asides that have an index so far.
    asides: u64,
    /// Parts whose entry is gone and that are still on their shelf: aside, fingerprint, place.
    gone: Vec<(u64, u64, usize)>,
    /// Entries that were removed since the drains were last asked what they found.
    late: Late,
    /// To be freed when there is time.
    retired: Vec<Index>,
    /// Parts that were taken off a shelf, for who has read them already.
    log: Vec<Gone>,
    /// How many there were before those of the log.
    logged: u64,
    /// Numbers of trees: drawn, or read from an image.
    trees: HashSet<u32>,
}

/// The parts of one shelf by what they hang on.
#[derive(Debug, Default)]
struct Index {
    /// Map, hash, place: goes when this entry is removed.
    by_entry: BTreeSet<(u64, u64, usize)>,
    /// Map, place: an entry of this map that is not in it. It goes when the map is cleared.
    absent: BTreeSet<(u64, usize)>,
}

/// Entries and whole maps that were removed.
#[derive(Debug, Default)]
pub(crate) struct Late {
    entries: BTreeSet<(u64, u64)>,
    /// With whether what is absent from them went, too.
    maps: BTreeMap<u64, bool>,
}

/// A part that was taken off its shelf.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gone {
    pub aside: u64,
    pub fingerprint: u64,
    pub place: usize,
    /// The outermost entry that it was below.
    pub outer: Mark,
}

impl Late {
    /// Whether an entry that this part hangs on was removed.
    pub fn has(&self, part: &Lost) -> bool {
        let of_map = |mark: &Mark| self.maps.get(&mark.map);
        let gone =
            |mark: &Mark| of_map(mark).is_some() || self.entries.contains(&(mark.map, mark.hash));
        part.marks.last().and_then(of_map) == Some(&true) || hangs_on(part).iter().any(gone)
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.maps.is_empty()
    }
}

/// The entries that a part is a part of: not the one that it is itself.
fn hangs_on(part: &Lost) -> &[Mark] {
    match part.path.last() {
        Some(Step::Key(_)) => part.marks.split_last().map_or(&[], |(_, outer)| outer),
        _ => &part.marks,
    }
}

/// A number for an aside whose parts go with their entries.
pub(crate) fn number() -> u64 {
    MARKS.with_borrow_mut(|marks| {
        marks.asides += 1;
        marks.asides
    })
}

/// A number for a tree that has none, by lot: no other tree has it. 0 when they are as good as all taken.
pub(crate) fn draw_tree() -> u32 {
    MARKS.with_borrow_mut(|marks| {
        let mut numbers = (0..DRAWS).map(|_| heap::random() as u32);
        numbers.find(|&number| number != 0 && marks.trees.insert(number)).unwrap_or(0)
    })
}

/// A tree has this number since before this process.
pub(crate) fn know_tree(number: u32) {
    MARKS.with_borrow_mut(|marks| marks.trees.insert(number));
}

/// A part was put on a shelf. O(marks · log parts).
pub(crate) fn put(aside: u64, fingerprint: u64, place: usize, part: &Lost) {
    if part.marks.iter().all(|mark| mark.map == 0) {
        return;
    }
    MARKS.with_borrow_mut(|marks| {
        let index = marks.shelves.entry((aside, fingerprint)).or_default();
        let known = |mark: &&Mark| mark.map != 0;
        for mark in hangs_on(part).iter().filter(known) {
            index.by_entry.insert((mark.map, mark.hash, place));
        }
        if let Some(own) = part.marks.get(hangs_on(part).len()).filter(known) {
            index.absent.insert((own.map, place));
        }
    });
}

/// A shelf was taken. O(1): what it takes to free is done later.
pub(crate) fn take(aside: u64, fingerprint: u64) {
    MARKS.with_borrow_mut(|marks| {
        marks.retired.extend(marks.shelves.remove(&(aside, fingerprint)));
        marks.gone.retain(|gone| (gone.0, gone.1) != (aside, fingerprint));
    });
}

/// Places of the parts of an aside that went with their entries since this was last asked, by shelf.
pub(crate) fn gone(aside: u64) -> Vec<(u64, usize)> {
    MARKS.with_borrow_mut(|marks| {
        marks.free_some();
        if marks.gone.is_empty() {
            return Vec::new();
        }
        let (of, others) = mem::take(&mut marks.gone).into_iter().partition(|gone| gone.0 == aside);
        marks.gone = others;
        let of: Vec<(u64, u64, usize)> = of;
        of.into_iter().map(|(_, fingerprint, place)| (fingerprint, place)).collect()
    })
}

/// Notes that a part was taken off its shelf. False when too many are noted: then whoever has read parts
/// reads them again.
pub(crate) fn log(gone: Gone) -> bool {
    MARKS.with_borrow_mut(|marks| {
        let fits = marks.log.len() < LOG_MOST;
        if !fits {
            marks.logged += marks.log.len() as u64;
            marks.log.clear();
        }
        marks.log.push(gone);
        fits
    })
}

/// What was noted from number `from` on, and the number that comes next.
pub(crate) fn logged(from: u64) -> (Vec<Gone>, u64) {
    MARKS.with_borrow(|marks| {
        let skip = from.saturating_sub(marks.logged) as usize;
        let new = marks.log.iter().skip(skip).copied().collect();
        (new, marks.logged + marks.log.len() as u64)
    })
}

/// Entries that were removed since this was last asked: what drains have found of them by now is
/// nobody's.
pub(crate) fn late() -> Late {
    MARKS.with_borrow_mut(|marks| mem::take(&mut marks.late))
}

/// An entry was removed by typed code. `drains`: some are under way. Answers whether the map has to tell
/// of more.
pub(crate) fn removed(map: u64, hash: u64, drains: bool) -> bool {
    MARKS.with_borrow_mut(|marks| {
        if drains {
            marks.late.entries.insert((map, hash));
        }
        let mut more = drains;
        for (&(aside, fingerprint), index) in &mut marks.shelves {
            let of = index.by_entry.range((map, hash, 0)..=(map, hash, usize::MAX));
            for of in of.copied().collect::<Vec<_>>() {
                index.by_entry.remove(&of);
                marks.gone.push((aside, fingerprint, of.2));
            }
            more |= index.knows(map);
        }
        if !more {
            marks.release(map);
        }
        more
    })
}

/// All entries of a map were removed, and with them what hangs on them; `absent`: also what would return
/// into it.
pub(crate) fn cleared(map: u64, absent: bool, drains: bool) {
    MARKS.with_borrow_mut(|marks| {
        if drains {
            *marks.late.maps.entry(map).or_default() |= absent;
        }
        for (&(aside, fingerprint), index) in &mut marks.shelves {
            for place in index.take(map, absent) {
                marks.gone.push((aside, fingerprint, place));
            }
        }
        if !drains && !marks.shelves.values().any(|index| index.knows(map)) {
            marks.release(map);
        }
    });
}

impl Marks {
    /// Nothing hangs on a map any more, nor will: if it is a tree, its number is free.
    fn release(&mut self, map: u64) {
        if let Ok(number) = u32::try_from(map) {
            self.trees.remove(&number);
        }
    }

    /// Frees some of what is left of shelves that were taken.
    fn free_some(&mut self) {
        let Some(Index { by_entry, absent }) = self.retired.last_mut() else { return };
        for _ in 0..FREE_MOST {
            if by_entry.pop_first().is_none() && absent.pop_first().is_none() {
                self.retired.pop();
                return;
            }
        }
    }
}

impl Index {
    /// Whether something hangs on this map.
    fn knows(&self, map: u64) -> bool {
        self.by_entry.range((map, 0, 0)..=(map, u64::MAX, usize::MAX)).next().is_some()
            || self.absent.range((map, 0)..=(map, usize::MAX)).next().is_some()
    }

    /// Takes all that hangs on this map. O(log parts + those taken).
    fn take(&mut self, map: u64, absent: bool) -> Vec<usize> {
        let of = self.by_entry.range((map, 0, 0)..=(map, u64::MAX, usize::MAX));
        let of: Vec<_> = of.copied().collect();
        let absent_of = self.absent.range((map, 0)..=(map, usize::MAX));
        let absent: Vec<_> = absent_of.filter(|_| absent).copied().collect();
        for entry in &of {
            self.by_entry.remove(entry);
        }
        for entry in &absent {
            self.absent.remove(entry);
        }
        of.into_iter().map(|of| of.2).chain(absent.into_iter().map(|of| of.1)).collect()
    }
}
