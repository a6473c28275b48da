//! [`Prepared`]: a new value, made and not yet in use.

use core::ptr::NonNull;

use super::journal::Journal;
use super::{Converter, Lost};
use crate::heap;
use crate::migrate::plan::PairIndex;

/// A new value that waits beside the old one.
#[derive(Debug)]
#[must_use = "either commit or abort it: both values own the same memory until then"]
pub struct Prepared {
    pub(super) at: NonNull<u8>,
    pub(super) from: *mut u8,
    pub(super) pair: PairIndex,
    pub(super) journal: Journal,
}

impl Prepared {
    /// The new value. Not to be used before the commit.
    pub fn at(&self) -> *mut u8 {
        self.at.as_ptr()
    }

    /// The new value takes over: what the old one no longer owns is freed, its own block included.
    /// Answers the new value, whose block is the caller's, and what has no place in it. Cannot fail.
    ///
    /// # Safety
    /// The old value is as it was, and is not used afterwards. `converter` prepared it.
    pub unsafe fn commit(self, converter: &Converter<'_>) -> (NonNull<u8>, Vec<Lost>) {
        let old = converter.plan.pair(self.pair).old;
        // SAFETY: the caller's promise.
        unsafe {
            let lost = self.journal.commit(&converter.old.reflect);
            if let Some(from) = NonNull::new(self.from) {
                heap::free(from, converter.old.reflect.layout(old));
            }
            (self.at, lost)
        }
    }

    /// What has no place in the new value.
    pub fn lost(&self) -> &[Lost] {
        &self.journal.lost
    }

    /// Gives the new value up; the old one stays as it is.
    ///
    /// # Safety
    /// The new value is not used. `converter` prepared it.
    pub unsafe fn abort(mut self, converter: &Converter<'_>) {
        let new = converter.plan.pair(self.pair).new;
        let layout = converter.new.reflect.layout(new);
        // SAFETY: the caller's promise.
        unsafe {
            self.journal.revert(&converter.new.reflect, &Default::default());
            heap::free(self.at, layout);
        }
    }
}
