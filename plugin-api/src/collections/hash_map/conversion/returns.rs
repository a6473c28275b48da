//! What an earlier swap set aside comes back into a map under conversion: the shell holds the parts, by
//! hash, and puts each in its place when the drain comes to that hash, or somebody asks for it.

use super::super::group::tag;
use super::{Conversion, STRAYS, find_raw};

/// Where a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// In target or extras, in the new shape.
    New,
    /// In a source.
    Old,
    /// Nowhere.
    None,
}

impl Conversion {
    /// Where the key is that has this hash and that `eq` accepts in a slot of any shape.
    pub(crate) fn home_of(&self, hash: u64, eq: &mut dyn FnMut(*mut u8) -> bool) -> Home {
        let first = usize::from(!self.reaches(hash));
        // SAFETY: target and extras are in use as a whole; a source is, where the target ends.
        unsafe {
            if self.shown()[first..].iter().any(|table| find_raw(table, hash, eq).is_some()) {
                return Home::New;
            }
            let sources = [STRAYS, self.source_of(hash)];
            let mut old = sources.iter().map(|&source| &self.sources[source].table);
            if first == 1 && old.any(|table| find_raw(table, hash, eq).is_some()) {
                return Home::Old;
            }
        }
        Home::None
    }

    /// Whether no source holds this hash any more.
    pub(crate) fn has_passed(&self, hash: u64) -> bool {
        self.reaches(hash)
    }

    /// Whether so many entries more may return.
    pub(crate) fn has_room(&self, entries: u64) -> bool {
        self.room >= entries
    }

    /// So many parts more are to return, of which some are whole entries: those count from now on.
    pub(crate) fn expect_all(&mut self, parts: u64, entries: u64) {
        self.returning += parts;
        self.returning_entries += entries;
        self.len += entries;
        self.room -= entries;
    }

    /// One more part is to return; `entry`, a whole entry: it counts from now on.
    pub(crate) fn expect(&mut self, entry: bool) {
        self.expect_all(1, u64::from(entry));
    }

    /// A part that was to return does not: something newer is in its place.
    pub(crate) fn forgo(&mut self, entry: bool) {
        self.returning -= 1;
        if entry {
            self.returning_entries -= 1;
            self.len -= 1;
            self.room += 1;
        }
    }

    /// Nothing returns any more.
    pub(crate) fn forgo_all(&mut self) {
        self.len -= self.returning_entries;
        self.room += self.returning_entries;
        (self.returning, self.returning_entries) = (0, 0);
    }

    /// A slot for an entry that returns, which the caller writes: its key is nowhere in the map. Never
    /// moves anything.
    pub(crate) fn returned(&mut self, hash: u64) -> *mut u8 {
        self.returning -= 1;
        self.returning_entries -= 1;
        let place = self.place(hash, self.takes(hash));
        // SAFETY: a vacant slot, which a search for the hash meets.
        unsafe { *place.ctrl = tag(hash) };
        place.slot
    }
}
