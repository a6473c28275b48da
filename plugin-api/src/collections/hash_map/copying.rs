//! A conversion that converts nothing: a map moves to a table like its own while it is used, so that
//! somebody sees every entry as it is now ([`crate::snapshot`]); or it stays where it is, and something
//! returns into it ([`crate::migrate::drains`]).

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
    let plan = Plan { id, old: pair, new: pair, returning: 0, in_place: false, keeps: false };
    // SAFETY: the caller's promise.
    unsafe { begin_here(at, plan) }
}

/// Leaves room for `returning` entries that return. The others stay if there is room, and move otherwise.
/// O(1), unless a conversion has to end first.
///
/// # Safety
/// As for [`begin`].
pub(crate) unsafe fn await_returns(
    at: *mut u8,
    pair: Pair,
    id: u64,
    returning: usize,
) -> NonNull<Conversion> {
    let plan = Plan { id, old: pair, new: pair, returning, in_place: true, keeps: true };
    // SAFETY: the caller's promise.
    unsafe { begin_here(at, plan) }
}

/// # Safety
/// As for [`begin`], with a plan for these entries.
unsafe fn begin_here(at: *mut u8, plan: Plan) -> NonNull<Conversion> {
    // SAFETY: the caller's promise. The descriptor of a move under way is copied, then freed.
    unsafe {
        conversion::settle(at);
        let rehash = (*at.cast::<Raw>()).rehash_mut().map(NonNull::from);
        let begun = Conversion::begin(plan, (at, at));
        if let Some(rehash) = rehash {
            heap::free(rehash.cast(), Layout::new::<Rehash>());
        }
        begun
    }
}
