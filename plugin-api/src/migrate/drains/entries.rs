//! [`Entries`]: how the conversion of a map has its entries converted.

use core::ptr;

use super::Drain;
use crate::collections::hash_map::conversion::{Conversion, Mover};

/// The entries of one map, for the conversion's code.
pub(super) struct Entries<'d>(pub(super) &'d mut Drain);

impl Mover for Entries<'_> {
    fn hash(&self, slot: *mut u8) -> u64 {
        // SAFETY: the conversion passes its own slots.
        unsafe { self.0.entries.hash(&self.0.held.converter, slot, self.0.seed) }
    }

    fn convert(
        &mut self,
        conversion: &mut Conversion,
        hash: u64,
        (from, to): (*mut u8, *mut u8),
        keeps: bool,
    ) -> bool {
        let drain = &mut *self.0;
        // SAFETY: as above; the new slot is vacant, or the old one, which is given up otherwise.
        unsafe {
            let mut parts = drain.parts_of(hash, from);
            if !keeps {
                drain.entries.find_elements(&drain.held.converter, &mut parts, from);
            }
            let (entries, converter) = (&mut drain.entries, &drain.held.converter);
            let fits = match (keeps, from == to) {
                (true, true) => true,
                (true, false) => {
                    ptr::copy_nonoverlapping(from, to, entries.pairs().1.size());
                    true
                }
                (false, true) => entries.look_at(converter, to),
                (false, false) => entries.convert(converter, from, to),
            };
            for part in parts {
                if part.is_entry() && !fits {
                    // What lived under its key has left.
                    drain.wait(hash, part);
                    continue;
                }
                conversion.forgo(part.is_entry());
                if !(fits && drain.rejoin(&part, to)) {
                    drain.overtaken.push(part.lost);
                }
            }
            fits
        }
    }

    fn bring_back(&mut self, conversion: &mut Conversion, from: u64, to: Option<u64>) {
        self.0.bring_back(conversion, from, to);
    }
}
