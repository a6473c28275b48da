//! Control bytes, sixteen at a time.
//!
//! One byte per slot: [`EMPTY`], [`DELETED`], or at least [`FULL`]: the low byte of the hash. `EMPTY` is
//! zero, so zeroed memory is an empty table.

use core::num::NonZero;

/// Slots per group.
pub(super) const WIDTH: usize = 16;
/// Never used since the table was made: a search ends here.
pub(super) const EMPTY: u8 = 0;
/// Used once, in a group that was full: a search goes on.
pub(super) const DELETED: u8 = 1;

/// The lowest control byte of a full slot.
pub(super) const FULL: u8 = 2;

/// The control byte of a full slot.
#[inline(always)]
pub(super) const fn tag(hash: u64) -> u8 {
    if hash as u8 > FULL { hash as u8 } else { FULL }
}

/// A set of slots within a group, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mask(pub(super) u16);

impl Mask {
    #[inline(always)]
    pub(super) fn any(self) -> bool {
        self.0 != 0
    }

    /// The lowest member.
    #[inline(always)]
    pub(super) fn lowest(self) -> Option<usize> {
        NonZero::new(self.0).map(|mask| mask.trailing_zeros() as usize)
    }

    /// The members but the lowest.
    #[inline(always)]
    pub(super) fn without_lowest(self) -> Self {
        Self(self.0 & self.0.wrapping_sub(1))
    }
}

impl Iterator for Mask {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let lowest = self.lowest();
        *self = self.without_lowest();
        lowest
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod arch {
    use super::{FULL, Mask};
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_cvtsi32_si128, _mm_load_si128, _mm_max_epu8, _mm_min_epu8,
        _mm_movemask_epi8, _mm_set1_epi8, _mm_setzero_si128, _mm_shuffle_epi32,
        _mm_shufflelo_epi16, _mm_unpacklo_epi8,
    };

    /// Sixteen control bytes in one SSE2 register.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Group(__m128i);

    /// The control byte of a hash, sixteen times.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Tags(__m128i);

    impl Tags {
        #[inline(always)]
        pub(in super::super) fn of(hash: u64) -> Self {
            // Not `_mm_set1_epi8`, for which the compiler first clears the register's higher bits.
            // SAFETY: SSE2 is part of x86_64.
            unsafe {
                let low = _mm_cvtsi32_si128(hash as i32);
                let twice = _mm_unpacklo_epi8(low, low);
                let all = _mm_shuffle_epi32::<0>(_mm_shufflelo_epi16::<0>(twice));
                Self(_mm_max_epu8(all, _mm_set1_epi8(FULL as i8)))
            }
        }
    }

    impl Group {
        /// # Safety
        /// `ctrl` is aligned to 16 and sixteen bytes are readable there.
        #[inline(always)]
        pub(in super::super) unsafe fn load(ctrl: *const u8) -> Self {
            // SAFETY: the caller's promise; SSE2 is part of x86_64.
            Self(unsafe { _mm_load_si128(ctrl.cast()) })
        }

        #[inline(always)]
        pub(in super::super) fn tagged(self, tags: Tags) -> Mask {
            // SAFETY: SSE2 is part of x86_64.
            Mask(unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(self.0, tags.0)) } as u16)
        }

        #[inline(always)]
        pub(in super::super) fn empty(self) -> Mask {
            // SAFETY: SSE2 is part of x86_64.
            Mask(unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(self.0, _mm_setzero_si128())) } as u16)
        }

        /// Slots that hold an entry.
        #[inline(always)]
        pub(in super::super) fn full(self) -> Mask {
            // SAFETY: SSE2 is part of x86_64.
            Mask(unsafe {
                let at_least = _mm_max_epu8(self.0, _mm_set1_epi8(FULL as i8));
                _mm_movemask_epi8(_mm_cmpeq_epi8(self.0, at_least))
            } as u16)
        }

        /// Slots an insert may take.
        #[inline(always)]
        pub(in super::super) fn vacant(self) -> Mask {
            // SAFETY: SSE2 is part of x86_64.
            Mask(unsafe {
                let at_most = _mm_min_epu8(self.0, _mm_set1_epi8(FULL as i8 - 1));
                _mm_movemask_epi8(_mm_cmpeq_epi8(self.0, at_most))
            } as u16)
        }
    }
}

#[cfg(any(not(target_arch = "x86_64"), miri))]
use self::portable as arch;

#[cfg(any(not(target_arch = "x86_64"), miri, test))]
mod portable {
    use super::{EMPTY, FULL, Mask, WIDTH, tag};

    /// The control byte of a hash.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Tags(u8);

    impl Tags {
        #[inline(always)]
        pub(in super::super) fn of(hash: u64) -> Self {
            Self(tag(hash))
        }
    }

    /// Sixteen control bytes, one by one.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Group([u8; WIDTH]);

    impl Group {
        /// # Safety
        /// Sixteen bytes are readable at `ctrl`.
        #[inline(always)]
        pub(in super::super) unsafe fn load(ctrl: *const u8) -> Self {
            // SAFETY: the caller's promise; a byte array has no alignment.
            Self(unsafe { ctrl.cast::<[u8; WIDTH]>().read() })
        }

        #[inline(always)]
        fn mask(self, member: impl Fn(u8) -> bool) -> Mask {
            let bit = |(i, &byte): (usize, &u8)| u16::from(member(byte)) << i;
            Mask(self.0.iter().enumerate().map(bit).sum())
        }

        pub(in super::super) fn tagged(self, tags: Tags) -> Mask {
            self.mask(|byte| byte == tags.0)
        }

        pub(in super::super) fn empty(self) -> Mask {
            self.mask(|byte| byte == EMPTY)
        }

        pub(in super::super) fn full(self) -> Mask {
            self.mask(|byte| byte >= FULL)
        }

        pub(in super::super) fn vacant(self) -> Mask {
            self.mask(|byte| byte < FULL)
        }
    }
}

pub(super) use arch::{Group, Tags};

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(16))]
    struct Aligned([u8; WIDTH]);

    #[test]
    fn both_implementations_agree() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..1000 {
            let mut bytes = Aligned([0; WIDTH]);
            for byte in &mut bytes.0 {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
                *byte = [EMPTY, DELETED, FULL, 0x81, 0xff][(random >> 60) as usize % 5];
            }
            let at = bytes.0.as_ptr();
            // SAFETY: sixteen aligned bytes.
            let (a, b) = unsafe { (Group::load(at), portable::Group::load(at)) };
            assert_eq!(a.empty(), b.empty());
            assert_eq!(a.full(), b.full());
            let hash = u64::from(bytes.0[random as usize % WIDTH]);
            assert_eq!(a.tagged(Tags::of(hash)), b.tagged(portable::Tags::of(hash)));
            assert_eq!(a.vacant(), b.vacant());
            assert_eq!(a.vacant().0 ^ a.full().0, 0xffff);
        }
    }
}
