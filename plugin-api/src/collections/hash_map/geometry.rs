//! How many slots a table has, and where hashes belong in it.

use core::ops::Range;

use super::group::WIDTH;

/// `shift` of a table with one group.
pub(super) const ONE_GROUP: u8 = 60;

/// In [`Geometry::spare`]: there are three quarters of the home groups that the shift tells.
const THREE_QUARTERS: u8 = 0x80;
/// From 2^17 home groups on, tables have such sizes, too: of tens of megabytes a third or a half can be
/// spared. Smaller ones double, since steps half as far apart move each entry twice as often; so do those
/// from 2^20 on, where a second group that a search must look at costs the most and a move the longest.
const FINE_BITS: Range<u8> = 17..20;

/// How many slots a table has and where a hash belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    /// 60 less log2 of the home groups, or of four thirds of them.
    pub(super) shift: u8,
    /// With one group the number of slots, otherwise log2 of the groups in the tail; the top bit is
    /// [`THREE_QUARTERS`].
    pub(super) spare: u8,
}

impl Geometry {
    /// The smallest table for `capacity` entries.
    ///
    /// # Panics
    /// When that many slots overflow the address space.
    pub(super) fn for_capacity(capacity: usize) -> Self {
        match capacity {
            0..=4 => Self { shift: ONE_GROUP, spare: 4 },
            5..=8 => Self { shift: ONE_GROUP, spare: 8 },
            9..=14 => Self { shift: ONE_GROUP, spare: 14 },
            15.. => {
                assert!(capacity < 1 << 56, "Hash table capacity overflow");
                let groups = capacity.div_ceil(14);
                let bits = groups.next_power_of_two().trailing_zeros() as u8;
                let whole = Self::of_bits(bits);
                let part = Self { spare: whole.spare | THREE_QUARTERS, ..whole };
                if FINE_BITS.contains(&bits) && groups <= part.home_groups() { part } else { whole }
            }
        }
    }

    /// 2^bits home groups, for `bits` above 0.
    fn of_bits(bits: u8) -> Self {
        let tail = match bits {
            0..=2 => 0,
            3..=5 => 1,
            6..=7 => 2,
            _ => 3,
        };
        Self { shift: ONE_GROUP - bits, spare: tail }
    }

    /// An eighth of the slots: what a table with one full slot in sixteen shrinks to.
    pub(super) fn eighth(self) -> Self {
        match ONE_GROUP - self.shift {
            0..=3 => Self { shift: ONE_GROUP, spare: 14 },
            bits => Self::of_bits(bits - 3),
        }
    }

    /// The same homes with a tail that holds `entries` whatever their hashes.
    pub(super) fn with_tail_for(self, entries: usize) -> Self {
        let bits = (ONE_GROUP - self.shift).max(1);
        let groups = entries / WIDTH + 2;
        let tail = groups.next_power_of_two().trailing_zeros() as u8;
        Self { shift: ONE_GROUP - bits, spare: tail | (self.spare & THREE_QUARTERS) }
    }

    /// Whether its tail is longer than a table of its size needs: the hashes are not spread.
    pub(super) fn is_stretched(self) -> bool {
        match ONE_GROUP - self.shift {
            0 => false,
            bits => self.spare & !THREE_QUARTERS > Self::of_bits(bits).spare,
        }
    }

    pub(super) fn capacity(self) -> usize {
        match self.shift {
            ONE_GROUP => usize::from(self.spare),
            _ => self.home_groups() * 14,
        }
    }

    /// How many quarters of the home groups that the shift tells there are.
    #[inline(always)]
    pub(super) fn quarters(self) -> u64 {
        4 - u64::from(self.spare >> 7)
    }

    pub(super) fn home_groups(self) -> usize {
        let whole = 1 << (ONE_GROUP - self.shift);
        if self.quarters() == 4 { whole } else { whole / 4 * 3 }
    }

    /// Home groups and tail.
    pub(super) fn groups(self) -> usize {
        match self.shift {
            ONE_GROUP => 1,
            _ => self.home_groups() + (1 << (self.spare & !THREE_QUARTERS)),
        }
    }

    /// Slots that have memory.
    pub(super) fn slots(self) -> usize {
        match self.shift {
            ONE_GROUP => usize::from(self.spare),
            _ => self.groups() * WIDTH,
        }
    }

    pub(super) fn ctrl_size(self) -> usize {
        (self.groups() + usize::from(self.shift != ONE_GROUP)) * WIDTH
    }
}
