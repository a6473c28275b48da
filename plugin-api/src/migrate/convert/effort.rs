//! How much a conversion has to do at once.

use super::{Converter, Step};
use crate::collections::hash_map::conversion::{self, Conversion};
use crate::collections::{btree_map, hash_map, vec, vec_deque};
use crate::migrate::drains::LAZY_FROM;
use crate::migrate::plan::{Fields, How, Pair, PairIndex};
use crate::migrate::returns::Returns;
use crate::schema::{Kind, TypeIndex};

impl Converter<'_> {
    /// Elements and entries that are converted one by one when the value at `at` is. Maps that are
    /// converted later do not count, nor does what is inside of elements: it is a lower bound, found in
    /// O(fields).
    ///
    /// # Safety
    /// `at` is a value of the pair's old type.
    pub unsafe fn elements(&self, pair: PairIndex, at: *mut u8) -> u64 {
        let mut sum = 0;
        // SAFETY: the caller's promise; each collection is what its pair says.
        unsafe {
            self.each_collection(pair, at, &mut |plan, at| {
                sum += match plan.how {
                    How::Vec(_) => vec::erased::content(at).1 as u64,
                    How::VecDeque(_) => vec_deque::erased::len(at) as u64,
                    How::HashMap(_) if self.defers(at) => 0,
                    How::HashMap(_) => hash_map::erased::len(at) as u64,
                    How::BTreeMap(value) if self.defers_tree(value, at) => 0,
                    How::BTreeMap(_) => btree_map::erased::len(at) as u64,
                    _ => self.content(plan.old, at),
                };
            });
        }
        sum
    }

    /// Entries of trees to which entries return: such a tree is made anew, at once. Of those outside of maps.
    /// O(parts).
    ///
    /// # Safety
    /// As for [`Converter::elements`].
    pub unsafe fn elements_of_returns(
        &self,
        pair: PairIndex,
        at: *mut u8,
        returns: &Returns,
    ) -> u64 {
        let (mut sum, mut last) = (0, None);
        for (_, lost) in &returns.others {
            if last.is_some_and(|last| lost.is_beside(last)) {
                continue;
            }
            last = Some(lost);
            let Some((Step::Key(_), way)) = lost.path.split_last() else { continue };
            // SAFETY: the caller's promise; the tree is of the type that comes with it.
            sum += unsafe {
                let tree = self.origin(pair, at, way);
                let tree =
                    tree.filter(|(_, ty, _)| self.old.reflect.def(*ty).kind == Kind::BTreeMap);
                tree.map_or(0, |(_, _, tree)| btree_map::erased::len(tree) as u64)
            };
        }
        sum
    }

    /// Has the heap get the memory ready that maps are going to take which are converted later. `returning`:
    /// entries that come back, at most. O(fields).
    ///
    /// # Safety
    /// As for [`Converter::elements`].
    pub unsafe fn announce(&self, pair: PairIndex, at: *mut u8, returning: usize) {
        // SAFETY: the caller's promise; each collection is what its pair says.
        unsafe {
            self.each_collection(pair, at, &mut |plan, at| {
                if matches!(plan.how, How::HashMap(_)) && self.defers(at) {
                    let maps = self.maps(plan);
                    Conversion::announce(self.later(&maps, returning), at);
                }
            });
        }
    }

    /// The same for maps that get a drain only because entries return into them. O(maps).
    ///
    /// # Safety
    /// As for [`Converter::elements`].
    pub unsafe fn announce_returns(&self, pair: PairIndex, at: *mut u8, returns: &Returns) {
        for of in returns.maps.iter().filter(|of| of.wants_drain()) {
            // SAFETY: the caller's promise; the map is of the type that comes with it.
            unsafe {
                let Some((pair, ty, map)) = self.origin(pair, at, &of.way) else { continue };
                let reflect = &self.old.reflect;
                let plan = pair.map(|pair| self.plan.pair(pair));
                let plan = plan.filter(|plan| matches!(plan.how, How::HashMap(_)));
                let drains = hash_map::erased::conversion(map).is_some();
                if drains || plan.is_some() && self.defers(map) {
                    // These parts go to that drain.
                    continue;
                }
                let old = reflect.pair(reflect.def(ty));
                let new = plan.map_or(old, |plan| self.maps(plan).new);
                let (returning, in_place) = (of.entries as usize, plan.is_none());
                let plan = conversion::Plan { id: 0, old, new, returning, in_place, keeps: true };
                Conversion::announce(plan, map);
            }
        }
    }

    /// Shows the collections that are converted with a value, and what a function converts, each with its
    /// pair; not what is inside of them.
    ///
    /// # Safety
    /// As for [`Converter::elements`].
    pub(super) unsafe fn each_collection(
        &self,
        pair: PairIndex,
        at: *mut u8,
        show: &mut dyn FnMut(&Pair, *mut u8),
    ) {
        let plan = self.plan.pair(pair);
        // SAFETY: the caller's promise; where each part lies is what the plan was made from.
        unsafe {
            let mut below = |fields: &Fields| {
                fields
                    .moves
                    .iter()
                    .for_each(|m| self.each_collection(m.pair, at.add(m.from as usize), show));
            };
            match &plan.how {
                How::Struct(fields) => below(fields),
                How::Enum(arms) => {
                    let arm = arms.iter().find(|arm| arm.old == at.read());
                    arm.and_then(|arm| arm.new.as_ref()).iter().for_each(|new| below(&new.fields));
                }
                How::IntoOption(value) | How::IntoBox(value) => {
                    self.each_collection(*value, at, show);
                }
                How::Option(value) | How::OutOfOption(value) if at.read() == 1 => {
                    let inner = self.plan.pair(*value).old_size.align;
                    self.each_collection(*value, at.add(inner as usize), show);
                }
                How::Box(value) | How::OutOfBox(value) => {
                    self.each_collection(*value, at.cast::<*mut u8>().read(), show);
                }
                How::Array { element, count } => {
                    let size = self.plan.pair(*element).old_size.size as usize;
                    for i in 0..*count as usize {
                        self.each_collection(*element, at.add(i * size), show);
                    }
                }
                How::Vec(_)
                | How::VecDeque(_)
                | How::HashMap(_)
                | How::BTreeMap(_)
                | How::Function { .. } => show(plan, at),
                How::Same | How::Number { .. } | How::Option(_) | How::OutOfOption(_) => {}
            }
        }
    }

    /// Elements and entries of an old value, which a function reads as a whole.
    ///
    /// # Safety
    /// `at` is a value of this type.
    unsafe fn content(&self, ty: TypeIndex, at: *mut u8) -> u64 {
        // SAFETY: the caller's promise.
        unsafe {
            match self.old.reflect.def(ty).kind {
                Kind::Vec => vec::erased::content(at).1 as u64,
                Kind::VecDeque => vec_deque::erased::len(at) as u64,
                Kind::HashMap | Kind::HashSet => hash_map::erased::len(at) as u64,
                Kind::BTreeMap => btree_map::erased::len(at) as u64,
                _ => {
                    let mut sum = 0;
                    self.old.reflect.each_part(ty, at, |ty, at| sum += self.content(ty, at));
                    sum
                }
            }
        }
    }

    /// Whether the map or tree at the end of a way through the new value is converted later.
    ///
    /// # Safety
    /// As for [`Converter::elements`].
    pub(crate) unsafe fn defers_way(&self, pair: PairIndex, at: *mut u8, way: &[Step]) -> bool {
        // SAFETY: the caller's promise; the map is of the type that comes with it.
        unsafe {
            let Some((Some(pair), _, map)) = self.origin(pair, at, way) else { return false };
            match self.plan.pair(pair).how {
                How::HashMap(_) => self.defers(map) || hash_map::erased::conversion(map).is_some(),
                How::BTreeMap(value) => self.defers_tree(value, map),
                _ => false,
            }
        }
    }

    /// Whether the map at `at` is converted later, in slices.
    ///
    /// # Safety
    /// `at` is a map.
    unsafe fn defers(&self, at: *mut u8) -> bool {
        // SAFETY: the caller's promise.
        self.lazy.is_some() && unsafe { hash_map::erased::len(at) } >= LAZY_FROM
    }

    /// Whether the tree at `at` is converted later, leaf by leaf.
    ///
    /// # Safety
    /// `at` is a tree.
    pub(super) unsafe fn defers_tree(&self, value: PairIndex, at: *mut u8) -> bool {
        // SAFETY: the caller's promise.
        let large = unsafe { btree_map::erased::len(at) } >= LAZY_FROM;
        self.lazy.is_some() && large && self.plan.keeps_all(value)
    }
}
