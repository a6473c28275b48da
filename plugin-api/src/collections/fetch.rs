//! What the processor is told to fetch before it is needed.

/// Fetches the cache line at `at`, if the processor can; no access, whatever the address.
#[inline(always)]
pub(super) fn fetch<T>(at: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: part of x86_64; fetching is no access.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}
