//! A map that moves to a table like its own while it is used, so that somebody sees every entry as it
//! is now: a conversion that converts nothing. For [`crate::snapshot`].

use core::alloc::Layout;
use core::ptr::NonNull;

use super::conversion::{self, Conversion, Plan};
use super::raw::Raw;
use super::rehash::Rehash;
use crate::heap;
use crate::reflect::Pair;

/// Leaves all entries of the map at `at` to be moved. O(1), unless a conversion has to end first.
///
/// # Safety
/// `at` is a map with entries of this layout, to which nobody refers. Whoever calls answers for the
/// conversion from here on.
pub(crate) unsafe fn begin(at: *mut u8, pair: Pair, id: u64) -> NonNull<Conversion> {
    // SAFETY: the caller's promise. The descriptor of a move under way is copied, then freed.
    unsafe {
        conversion::settle(at);
        let rehash = (*at.cast::<Raw>()).rehash_mut().map(NonNull::from);
        let plan = Plan { id, old: pair, new: pair, returning: 0, in_place: false };
        let begun = Conversion::begin(plan, (at, at));
        if let Some(rehash) = rehash {
            heap::free(rehash.cast(), Layout::new::<Rehash>());
        }
        begun
    }
}
