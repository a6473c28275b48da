//! A few elements of the longest collection that converts at once, converted on trial: what the stop is going
//! to take can be told from what they take.

use core::alloc::Layout;

use super::journal::Journal;
use super::{Converter, Work};
use crate::collections::{btree_map, vec, vec_deque};
use crate::heap;
use crate::migrate::plan::{How, PairIndex};
use crate::reflect::run;

/// Elements that are tried, at most.
const TRIED: usize = 256;

impl Converter<'_> {
    /// Converts elements of the longest list or tree that is converted with the value at `at`, and gives
    /// them up. Answers how many: 0 where there is none, or a function takes it as a whole. O(fields).
    ///
    /// # Safety
    /// As for [`Converter::elements`]; nobody refers to an entry of a tree.
    pub unsafe fn try_some(&self, pair: PairIndex, at: *mut u8) -> usize {
        let mut longest = (0, None);
        // SAFETY: the caller's promise; each collection is what its pair says, and stays as it is.
        unsafe {
            self.each_collection(pair, at, &mut |plan, at| {
                let (value, len) = match plan.how {
                    How::Vec(element) => (element, vec::erased::content(at).1),
                    How::VecDeque(element) => (element, vec_deque::erased::len(at)),
                    How::BTreeMap(value) if !self.defers_tree(value, at) => {
                        (value, btree_map::erased::len(at))
                    }
                    _ => return,
                };
                if len > longest.0 {
                    longest = (len, Some((value, self.first(plan, value, at, len.min(TRIED)))));
                }
            });
            let Some((value, places)) = longest.1 else { return 0 };
            self.try_all(value, &places);
            places.len()
        }
    }

    /// Where the first values of a list or tree lie.
    ///
    /// # Safety
    /// As for [`Converter::try_some`], of this pair, with so many elements at least.
    unsafe fn first(
        &self,
        plan: &crate::migrate::plan::Pair,
        value: PairIndex,
        at: *mut u8,
        count: usize,
    ) -> Vec<*mut u8> {
        let layout: Layout = self.old.reflect.layout(self.plan.pair(value).old);
        // SAFETY: the caller's promise.
        unsafe {
            match plan.how {
                How::Vec(_) => {
                    let items = vec::erased::content(at).0;
                    (0..count).map(|i| items.add(i * layout.size())).collect()
                }
                How::VecDeque(_) => {
                    (0..count).map(|i| vec_deque::erased::slot(at, layout, i)).collect()
                }
                _ => btree_map::erased::first(at, self.maps(plan).old, count),
            }
        }
    }

    /// # Safety
    /// Values of the pair's old type at these places, which nobody touches meanwhile.
    unsafe fn try_all(&self, value: PairIndex, places: &[*mut u8]) {
        let new = self.new.reflect.layout(self.plan.pair(value).new);
        let block = run(new, places.len());
        let room = heap::alloc(block);
        let mut journal = Journal::default();
        let mut work = Work::new(&mut journal);
        // SAFETY: the caller's promise; each value has a place of its own, and all are given up.
        unsafe {
            for (i, at) in places.iter().enumerate() {
                self.convert_or_lose(value, *at, room.as_ptr().add(i * new.size()), &mut work);
            }
            journal.revert(&self.new.reflect, &Default::default());
            heap::free(room, block);
        }
    }
}
