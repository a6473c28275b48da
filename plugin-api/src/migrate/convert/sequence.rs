//! Arrays, vectors and queues: all elements at once.

use super::journal::{Fresh, Spent};
use super::{Converter, Step, Unfit, Work};
use crate::collections::{vec, vec_deque};
use crate::heap;
use crate::migrate::plan::PairIndex;

impl Converter<'_> {
    /// # Safety
    /// As for [`Converter::convert`].
    pub(super) unsafe fn array(
        &self,
        element: PairIndex,
        count: u32,
        from: *mut u8,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> Result<(), Unfit> {
        let pair = self.plan.pair(element);
        for i in 0..count as usize {
            // SAFETY: the caller's promise: so many elements lie side by side.
            unsafe {
                let a = from.add(i * pair.old_size.size as usize);
                let b = to.add(i * pair.new_size.size as usize);
                work.within(Step::Item(i as u64), |work| self.convert(element, a, b, work))?;
            }
        }
        Ok(())
    }

    /// Converts an element, which is going to be at position `kept`, or sets it aside. False in the second
    /// case.
    ///
    /// # Safety
    /// As for [`Converter::convert`].
    unsafe fn element(
        &self,
        element: PairIndex,
        (index, kept): (usize, usize),
        from: *mut u8,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> bool {
        let (before, depth) = (work.journal.lost.len(), work.path.len());
        let fits = work.within(Step::Item(index as u64), |work| {
            // SAFETY: the caller's promise.
            unsafe { self.convert_or_lose(element, from, to, work) }
        });
        let rests = &mut work.journal.lost[before..];
        if fits && !rests.is_empty() {
            let mut image = Vec::new();
            // SAFETY: the new element is whole.
            unsafe { self.new.reflect.write(self.plan.pair(element).new, to, &mut image) };
            let step = Step::to_element(kept, &image);
            rests.iter_mut().for_each(|rest| rest.path[depth] = step.clone());
        }
        fits
    }

    /// # Safety
    /// As for [`Converter::convert`].
    pub(super) unsafe fn vec(
        &self,
        element: PairIndex,
        from: *mut u8,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> Result<(), Unfit> {
        let pair = self.plan.pair(element);
        let (old, new) = (self.old.reflect.layout(pair.old), self.new.reflect.layout(pair.new));
        // SAFETY: the caller's promise; the new vector has room for as many elements.
        unsafe {
            let (items, len) = vec::erased::content(from);
            let place = vec::erased::allocate(to, new, len);
            let (block, layout) = vec::erased::block_of(to, new);
            work.journal.fresh.push(Fresh::Block(block, layout));
            let mut kept = 0;
            for i in 0..len {
                let (a, b) = (items.add(i * old.size()), place.add(kept * new.size()));
                kept += usize::from(self.element(element, (i, kept), a, b, work));
            }
            vec::erased::set_len(to, kept);
            let (block, layout) = vec::erased::block_of(from, old);
            work.journal.spent.push(Spent::Block(block, layout));
        }
        Ok(())
    }

    /// # Safety
    /// As for [`Converter::convert`].
    pub(super) unsafe fn vec_deque(
        &self,
        element: PairIndex,
        from: *mut u8,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> Result<(), Unfit> {
        let pair = self.plan.pair(element);
        let (old, new) = (self.old.reflect.layout(pair.old), self.new.reflect.layout(pair.new));
        let spare = heap::alloc(new);
        // SAFETY: the caller's promise. An element is made in the spare place first, since only one
        // that fits may open a block of the new queue.
        unsafe {
            let mut queue = vec_deque::erased::Builder::new(to, new, vec_deque::erased::len(from));
            let (mut index, mut kept) = (0, 0);
            vec_deque::erased::each(from, old, |item| {
                let mark = work.journal.mark();
                if self.element(element, (index, kept), item, spare.as_ptr(), work) {
                    let slot = queue.slot(kept);
                    core::ptr::copy_nonoverlapping(spare.as_ptr(), slot, new.size());
                    work.journal.moved(mark, spare.as_ptr(), slot, new.size());
                    kept += 1;
                }
                index += 1;
            });
            queue.finish(kept);
            heap::free(spare, new);
        }
        work.journal.fresh.push(Fresh::Queue(to, new));
        work.journal.spent.push(Spent::Queue(from, old));
        Ok(())
    }
}
