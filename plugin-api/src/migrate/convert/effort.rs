//! How much a conversion has to do at once.

use super::Converter;
use crate::collections::{btree_map, hash_map, vec, vec_deque};
use crate::migrate::drains::LAZY_FROM;
use crate::migrate::plan::{Fields, How, PairIndex};
use crate::schema::{Kind, TypeIndex};

impl Converter<'_> {
    /// Elements and entries that are converted one by one when the value at `at` is. Maps that are
    /// converted later do not count, nor does what is inside of elements: it is a lower bound, found in
    /// O(fields).
    ///
    /// # Safety
    /// `at` is a value of the pair's old type.
    pub unsafe fn elements(&self, pair: PairIndex, at: *mut u8) -> u64 {
        let plan = self.plan.pair(pair);
        // SAFETY: the caller's promise; where each part lies is what the plan was made from.
        unsafe {
            match &plan.how {
                How::Struct(fields) => self.elements_of(fields, at),
                How::Enum(arms) => {
                    let arm = arms.iter().find(|arm| arm.old == at.read());
                    let new = arm.and_then(|arm| arm.new.as_ref());
                    new.map_or(0, |new| self.elements_of(&new.fields, at))
                }
                How::IntoOption(value) | How::IntoBox(value) => self.elements(*value, at),
                How::Option(value) | How::OutOfOption(value) if at.read() == 1 => {
                    let inner = self.plan.pair(*value).old_size.align;
                    self.elements(*value, at.add(inner as usize))
                }
                How::Box(value) | How::OutOfBox(value) => {
                    self.elements(*value, at.cast::<*mut u8>().read())
                }
                How::Array { element, count } => {
                    let size = self.plan.pair(*element).old_size.size as usize;
                    (0..*count as usize).map(|i| self.elements(*element, at.add(i * size))).sum()
                }
                How::Vec(_) => vec::erased::content(at).1 as u64,
                How::VecDeque(_) => vec_deque::erased::len(at) as u64,
                How::HashMap(_) if self.defers(at) => 0,
                How::HashMap(_) => hash_map::erased::len(at) as u64,
                How::BTreeMap(value) if self.defers_tree(*value, at) => 0,
                How::BTreeMap(_) => btree_map::erased::len(at) as u64,
                How::Function { .. } => self.content(plan.old, at),
                How::Same | How::Number { .. } => 0,
                How::Option(_) | How::OutOfOption(_) => 0,
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
    unsafe fn defers_tree(&self, value: PairIndex, at: *mut u8) -> bool {
        // SAFETY: the caller's promise.
        let large = unsafe { btree_map::erased::len(at) } >= LAZY_FROM;
        self.lazy.is_some() && large && self.plan.keeps_all(value)
    }

    /// # Safety
    /// As for [`Converter::elements`].
    unsafe fn elements_of(&self, fields: &Fields, at: *mut u8) -> u64 {
        let moves = fields.moves.iter();
        // SAFETY: the caller's promise.
        moves.map(|m| unsafe { self.elements(m.pair, at.add(m.from as usize)) }).sum()
    }
}
