//! [`Aside`]: what versions that are not active left behind.

use abi_stable::StableAbi;

use super::convert::Lost;
use super::marks::{self, Gone};
use crate::collections::{Bytes, Vec, VecDeque};

/// Parts of one value that the active version cannot hold, by the version that can. A server has one
/// for its state root, and each client one for its session.
///
/// It lies in the state heap and holds data only: the parts are encoded ([`Lost::encode`]), so they
/// count as state, outlive every image, and can be written to disk as they are.
#[repr(C)]
#[derive(Debug, StableAbi)]
pub struct Aside {
    shelves: Vec<Shelf>,
    parts: u64,
    bytes: u64,
    /// How often parts were forgotten or taken.
    thinned: u64,
    /// What its parts are looked up by when their entries go ([`marks`]); 0 when they do not go.
    number: u64,
}

/// What waits for one schema.
#[repr(C)]
#[derive(Debug, StableAbi)]
pub struct Shelf {
    /// Fingerprint of the schema.
    fingerprint: u64,
    /// In the order in which they were set aside; empty where one went with its entry.
    parts: VecDeque<Bytes>,
    /// How many went.
    gone: u64,
    bytes: u64,
}

impl Shelf {
    /// Gives the memory of parts back while `more` answers true. False when none is left.
    pub fn clear_some(&mut self, mut more: impl FnMut() -> bool) -> bool {
        while self.parts.pop_front().is_some() && more() {}
        !self.parts.is_empty()
    }
}

impl Default for Aside {
    fn default() -> Self {
        Self::new()
    }
}

impl Aside {
    /// Nothing; takes no memory.
    pub const fn new() -> Self {
        Self { shelves: Vec::new(), parts: 0, bytes: 0, thinned: 0, number: 0 }
    }

    /// Nothing, for a state root: parts of entries go when these are removed ([`Aside::sweep`]). It stays on
    /// the thread that made it.
    pub fn of_root() -> Self {
        Self { number: marks::number(), ..Self::new() }
    }

    /// Parts that are set aside.
    pub const fn len(&self) -> usize {
        self.parts as usize
    }

    /// Whether nothing is.
    pub const fn is_empty(&self) -> bool {
        self.parts == 0
    }

    /// Bytes of the encoded parts.
    pub const fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// Sets parts aside that a value of this schema lost. O(parts).
    pub fn put(&mut self, fingerprint: u64, lost: std::vec::Vec<Lost>) {
        if lost.is_empty() {
            return;
        }
        let place = self.shelves.iter().position(|shelf| shelf.fingerprint == fingerprint);
        let place = place.unwrap_or_else(|| {
            self.shelves.push(Shelf { fingerprint, parts: VecDeque::new(), gone: 0, bytes: 0 });
            self.shelves.len() - 1
        });
        for part in lost {
            if self.number != 0 {
                marks::put(self.number, fingerprint, self.shelves[place].parts.len(), &part);
            }
            let part = Bytes::from(&*part.encode());
            self.parts += 1;
            self.bytes += part.len() as u64;
            self.shelves[place].bytes += part.len() as u64;
            self.shelves[place].parts.push_back(part);
        }
    }

    /// What waits for this schema. O(parts).
    ///
    /// # Panics
    /// When a part is damaged.
    pub fn of(&self, fingerprint: u64) -> std::vec::Vec<Lost> {
        let shelf = self.shelves.iter().find(|shelf| shelf.fingerprint == fingerprint);
        shelf.into_iter().flat_map(Shelf::parts).map(decoded).collect()
    }

    /// Places of parts that wait for this schema: the numbers below are theirs.
    pub fn places(&self, fingerprint: u64) -> usize {
        let shelf = self.shelves.iter().find(|shelf| shelf.fingerprint == fingerprint);
        shelf.map_or(0, |shelf| shelf.parts.len())
    }

    /// Part number `at` of what waits for this schema, in the order in which they were set aside; `None`
    /// when it went with its entry.
    ///
    /// # Panics
    /// When it is damaged.
    pub fn part(&self, fingerprint: u64, at: usize) -> Option<Lost> {
        let shelf = self.shelves.iter().find(|shelf| shelf.fingerprint == fingerprint)?;
        shelf.parts.get(at).filter(|part| !part.is_empty()).map(|part| decoded(part))
    }

    /// Drops the parts whose entries were removed since this was last called, or whose maps were cleared.
    /// To be called between two calls of the plugin, and before anything is read. O(those parts).
    pub fn sweep(&mut self) {
        for (fingerprint, place) in marks::gone(self.number) {
            let shelf = self.shelves.iter_mut().find(|shelf| shelf.fingerprint == fingerprint);
            let Some(shelf) = shelf else { continue };
            let part = core::mem::take(&mut shelf.parts[place]);
            if part.is_empty() {
                continue;
            }
            let outer = decoded(&part).marks.first().copied().unwrap_or_default();
            (shelf.gone, shelf.bytes) = (shelf.gone + 1, shelf.bytes - part.len() as u64);
            (self.parts, self.bytes) = (self.parts - 1, self.bytes - part.len() as u64);
            if !marks::log(Gone { aside: self.number, fingerprint, place, outer }) {
                self.thinned += 1;
            }
        }
    }

    /// The number under which [`marks`] knows it.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// How often parts were forgotten or taken: while this stays, parts keep their numbers.
    pub const fn thinned(&self) -> u64 {
        self.thinned
    }

    /// Takes what waits for this schema. O(1).
    pub fn take(&mut self, fingerprint: u64) -> Option<Shelf> {
        let place = self.shelves.iter().position(|shelf| shelf.fingerprint == fingerprint)?;
        let shelf = self.shelves.swap_remove(place);
        marks::take(self.number, fingerprint);
        if self.shelves.is_empty() {
            self.shelves = Vec::new();
        }
        self.thinned += 1;
        self.parts -= shelf.parts.len() as u64 - shelf.gone;
        self.bytes -= shelf.bytes;
        Some(shelf)
    }

    /// Every part, encoded, with the fingerprint of its schema.
    pub fn encoded(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.shelves.iter().flat_map(|shelf| {
            let fingerprint = shelf.fingerprint;
            shelf.parts().map(move |part| (fingerprint, part))
        })
    }

    /// Forgets entries of maps, and parts of entries. O(parts).
    pub fn forget_entries(&mut self) {
        for shelf in self.empty().iter() {
            let kept = shelf.parts().map(decoded).filter(|part| !part.is_of_entry());
            self.put(shelf.fingerprint, kept.collect());
        }
    }

    /// Forgets everything. O(parts).
    pub fn clear(&mut self) {
        drop(self.empty());
    }

    fn empty(&mut self) -> Vec<Shelf> {
        let (thinned, number) = (self.thinned + 1, self.number);
        let shelves = core::mem::replace(self, Self { thinned, number, ..Self::new() }).shelves;
        shelves.iter().for_each(|shelf| marks::take(number, shelf.fingerprint));
        shelves
    }
}

impl Shelf {
    /// The parts that are still there.
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().map(|part| &**part).filter(|part| !part.is_empty())
    }
}

fn decoded(part: &[u8]) -> Lost {
    Lost::decode(part).expect("only `Aside::put` writes parts")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::convert::Step;

    fn part(ty: u32) -> Lost {
        Lost { path: vec![], ty, image: vec![7; 10], instead: None, marks: vec![] }
    }

    #[test]
    fn parts_wait_for_their_schema_in_order_and_are_counted() {
        let mut aside = Aside::new();
        aside.put(1, vec![part(1), part(2)]);
        aside.put(2, vec![part(3)]);
        aside.put(1, vec![part(4)]);
        assert_eq!((aside.len(), aside.bytes()), (4, 4 * part(0).encode().len()));
        let types =
            |lost: std::vec::Vec<Lost>| lost.iter().map(|l| l.ty).collect::<std::vec::Vec<_>>();
        assert_eq!(types(aside.of(1)), [1, 2, 4]);
        assert_eq!(aside.part(1, 2).map(|part| part.ty), Some(4));
        let mut taken = aside.take(1).expect("it has a shelf");
        let (mut steps, mut calls) = (0, 0);
        while taken.clear_some(|| {
            steps += 1;
            steps % 2 == 1
        }) {
            calls += 1;
        }
        assert_eq!((steps, calls), (3, 1), "in slices");
        assert_eq!((aside.take(1).is_none(), aside.part(1, 0), aside.len()), (true, None, 1));
        assert_eq!(aside.bytes(), part(0).encode().len());
        let path = vec![Step::Field(8), Step::Key(vec![1]), Step::Field(0)];
        let (list, element) = (Step::Field(8), Step::Element { at: 1, seed: 2, image: 3 });
        let below = vec![list.clone(), element, Step::Field(0)];
        aside.put(2, vec![Lost { path, ..part(5) }, Lost { path: below, ..part(6) }]);
        aside.put(2, vec![Lost { path: vec![list, Step::Item(1)], ..part(7) }]);
        aside.forget_entries();
        assert_eq!(types(aside.of(2)), [3], "what is no part of an entry stays");
        aside.clear();
        assert_eq!((aside.len(), aside.bytes(), aside.is_empty()), (0, 0, true));
    }
}
