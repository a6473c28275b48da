//! Elements of lists, found again: they have no key, so a rest finds its element by what was left of that.
//!
//! When a part of an element is set aside, the way to it notes the element's position in the new list, and a
//! hash of the element's image in its new shape ([`Step::Element`]). When the older shape comes back the list
//! is searched for an element with that image, from that position on outwards: others may have been put in or
//! taken out before it. One that was changed meanwhile is not found, and its rest is told of.

use std::collections::HashMap;

use super::{Converter, Step};
use crate::collections::hash::KeyHasher;
use crate::collections::{vec, vec_deque};
use crate::heap;
use crate::migrate::plan::{Fields, How, PairIndex};
use crate::schema::{Kind, TypeIndex};

/// Elements on either side of the expected place that are looked at.
const AROUND: usize = 256;

/// Which elements have been found, and how far they had moved.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// By where an element lies now, its position when it lost something: a twin of it is another one's.
    taken: HashMap<usize, u64>,
    moved: isize,
}

impl Step {
    /// The step to an element that is now at this position with this image.
    pub(super) fn to_element(at: usize, image: &[u8]) -> Self {
        let seed = heap::random();
        Self::Element { at: at as u64, seed, image: hash(seed, image) }
    }
}

fn hash(seed: u64, image: &[u8]) -> u64 {
    let mut hasher = KeyHasher::new([seed, !seed]);
    hasher.write_bytes(image);
    hasher.finish()
}

impl Converter<'_> {
    /// Finds the elements that a way through the new value leads through in the old one, which is not
    /// converted yet: each [`Step::Element`] becomes a [`Step::There`]. False when one is not as it was.
    /// O(steps), and O([`AROUND`]) elements where some have moved.
    ///
    /// # Safety
    /// `at` is a value of the pair's old type.
    pub(crate) unsafe fn find_elements(
        &self,
        pair: PairIndex,
        at: *mut u8,
        way: &mut [Step],
        found: &mut Found,
    ) -> bool {
        if !way.iter().any(|step| matches!(step, Step::Element { .. })) {
            return true;
        }
        let Some((step, rest)) = way.split_first_mut() else { return true };
        let plan = self.plan.pair(pair);
        let inside = |value: PairIndex| self.plan.pair(value).old_size.align as usize;
        // SAFETY: the caller's promise; where each part lies is what the plan was made from.
        unsafe {
            match (&plan.how, &*step) {
                (How::Struct(fields), Step::Field(to)) => {
                    self.find_below(fields, *to, at, rest, found)
                }
                (How::Enum(arms), Step::Variant(tag)) => {
                    let arm = arms.iter().find(|arm| arm.old == at.read());
                    let arm = arm.and_then(|arm| arm.new.as_ref()).filter(|to| to.tag == *tag);
                    match (arm, rest.split_first_mut()) {
                        (Some(to), Some((Step::Field(field), rest))) => {
                            self.find_below(&to.fields, *field, at, rest, found)
                        }
                        _ => false,
                    }
                }
                (How::IntoOption(value), Step::Some) | (How::IntoBox(value), Step::Boxed) => {
                    self.find_elements(*value, at, rest, found)
                }
                (How::OutOfOption(value), _) if at.read() == 1 => {
                    self.find_elements(*value, at.add(inside(*value)), way, found)
                }
                (How::OutOfBox(value), _) => {
                    self.find_elements(*value, at.cast::<*mut u8>().read(), way, found)
                }
                (How::Option(value), Step::Some) if at.read() == 1 => {
                    self.find_elements(*value, at.add(inside(*value)), rest, found)
                }
                (How::Box(value), Step::Boxed) => {
                    self.find_elements(*value, at.cast::<*mut u8>().read(), rest, found)
                }
                (How::Array { element, .. }, Step::Item(i)) => {
                    let size = self.plan.pair(*element).old_size.size as usize;
                    self.find_elements(*element, at.add(*i as usize * size), rest, found)
                }
                (How::Vec(element) | How::VecDeque(element), Step::Element { .. }) => {
                    let old = self.plan.pair(*element).old;
                    let Some((there, place)) = self.search(plan.old, old, at, step, found) else {
                        return false;
                    };
                    *step = there;
                    self.find_elements(*element, place, rest, found)
                }
                (How::HashMap(value) | How::BTreeMap(value), Step::Key(key)) => {
                    let entry = self.old_entry(plan.old, at, key);
                    entry.is_some_and(|at| self.find_elements(*value, at, rest, found))
                }
                _ => false,
            }
        }
    }

    /// # Safety
    /// The fields are those of the old value at `at`.
    unsafe fn find_below(
        &self,
        fields: &Fields,
        to: u32,
        at: *mut u8,
        way: &mut [Step],
        found: &mut Found,
    ) -> bool {
        let step = fields.moves.iter().find(|step| step.to == to);
        // SAFETY: the caller's promise.
        step.is_some_and(|step| unsafe {
            self.find_elements(step.pair, at.add(step.from as usize), way, found)
        })
    }

    /// Where the element is that a step leads to, and the step that leads there.
    ///
    /// # Safety
    /// `at` is a list of the old schema.
    unsafe fn search(
        &self,
        list: TypeIndex,
        element: TypeIndex,
        at: *mut u8,
        step: &Step,
        found: &mut Found,
    ) -> Option<(Step, *mut u8)> {
        let Step::Element { at: was, seed, image } = *step else { return None };
        let layout = self.old.reflect.layout(element);
        // SAFETY: the caller's promise; positions are below the length.
        unsafe {
            let queue = self.old.reflect.def(list).kind == Kind::VecDeque;
            let (items, len) = match queue {
                true => (at, vec_deque::erased::len(at)),
                false => vec::erased::content(at),
            };
            let place = |i: usize| match queue {
                true => vec_deque::erased::slot(at, layout, i),
                false => items.add(i * layout.size()),
            };
            let mut now = Vec::new();
            let mut is_it = |i: usize| {
                let at = place(i);
                if found.taken.get(&at.addr()).is_some_and(|by| *by != was) {
                    return false;
                }
                now.clear();
                self.old.reflect.write(element, at, &mut now);
                hash(seed, &now) == image
            };
            let i = around(was as usize, found.moved, len).find(|i| is_it(*i))?;
            found.moved = i as isize - was as isize;
            found.taken.insert(place(i).addr(), was);
            Some((Step::There { at: i as u64, of: len as u64 }, place(i)))
        }
    }
}

/// Positions below `len` in the order in which they are looked at: the one that the last element's move tells,
/// the one that it was, then outwards from the first.
fn around(was: usize, moved: isize, len: usize) -> impl Iterator<Item = usize> {
    let first = was.saturating_add_signed(moved);
    let outwards =
        (1..=AROUND).flat_map(move |n| [first.checked_add(n), first.checked_sub(n)]).flatten();
    [first, was].into_iter().chain(outwards).filter(move |i| *i < len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_place_is_looked_at_first_and_none_outside_of_the_list() {
        let order: Vec<usize> = around(4, -1, 6).collect();
        assert_eq!(order[..6], [3, 4, 4, 2, 5, 1]);
        assert!(order.iter().all(|&i| i < 6));
        assert_eq!(around(9, 0, 0).count(), 0);
        assert_eq!(around(2, -5, 3).next(), Some(0));
    }
}
