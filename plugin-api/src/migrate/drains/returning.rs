//! What an earlier swap set aside comes back into a map that is being drained: each part when the drain
//! comes to its key, or when somebody asks for that.
//!
//! A rest rejoins the entry that was there all along, as this entry is converted: one that was put in
//! since is another one. A whole entry comes back unless its key lives: the live one wins.

use super::Drain;
use crate::collections::hash_map::conversion::{Conversion, Home};
use crate::migrate::convert::{KeyBlock, Lost};
use crate::migrate::returns::{OfMap, Part, take_parts};

impl Drain {
    /// # Safety
    /// The part was lost from the new schema, below this map; step `depth` of its path is the key.
    pub(super) unsafe fn expect(&mut self, conversion: &mut Conversion, lost: Lost, depth: usize) {
        let part = Part { lost, depth, place: 0 };
        // SAFETY: the caller's promise.
        let hash = unsafe { self.hash_of(&self.key_of(&part)) };
        conversion.expect(part.is_entry());
        self.wait(hash, part);
    }

    /// All parts that return into this map, by hash. O(1), unless others wait already.
    pub(super) fn expect_all(&mut self, conversion: &mut Conversion, of: OfMap) {
        conversion.expect_all(of.count, of.entries);
        if self.returning.is_empty() {
            self.returning = of.parts;
        } else {
            for (hash, parts) in of.parts {
                parts.into_iter().for_each(|part| self.wait(hash, part));
            }
        }
    }

    /// Lets a part wait for its hash.
    pub(super) fn wait(&mut self, hash: u64, part: Part) {
        self.returning.entry(hash).or_default().push(part);
    }

    /// The parts that wait for the entry in a slot of either shape, which is about to be converted.
    ///
    /// # Safety
    /// The slot is full.
    pub(super) unsafe fn parts_of(&mut self, hash: u64, slot: *mut u8) -> Vec<Part> {
        let Self { entries, held, returning, .. } = self;
        // SAFETY: the caller's promise; a slot begins with the key.
        take_parts(returning, hash, |part| unsafe { entries.is_of(&held.converter, part, slot) })
    }

    /// Puts a rest back into the entry that was just converted. False when it is no rest, or what it
    /// was a part of is gone.
    ///
    /// # Safety
    /// The slot is full, of the new shape, and its entry the part's.
    pub(super) unsafe fn rejoin(&self, part: &Part, slot: *mut u8) -> bool {
        let converter = &self.held.converter;
        let (_, offset) = self.entries.new_value(converter);
        // SAFETY: the caller's promise.
        unsafe { self.entries.rejoin(converter, part, slot.add(offset)) }
    }

    /// Puts back what waits for hashes in `from..to` and is not to be found in a source any more.
    pub(super) fn bring_back(&mut self, conversion: &mut Conversion, from: u64, to: Option<u64>) {
        if self.returning.is_empty() {
            return;
        }
        let hashes: Vec<u64> = match to {
            Some(to) if to <= from => return,
            Some(to) => self.returning.range(from..to).map(|(&hash, _)| hash).collect(),
            None => self.returning.range(from..).map(|(&hash, _)| hash).collect(),
        };
        for hash in hashes {
            for part in self.returning.remove(&hash).unwrap_or_default() {
                // SAFETY: the conversion is that of this drain's map.
                unsafe { self.bring(conversion, hash, part) };
            }
        }
    }

    /// # Safety
    /// The conversion is that of this drain's map.
    unsafe fn bring(&mut self, conversion: &mut Conversion, hash: u64, part: Part) {
        if !part.is_entry() {
            if conversion.has_passed(hash) {
                // The entry is gone. What has its key now, if anything, was put in since.
                conversion.forgo(false);
                self.overtaken.push(part.lost);
            } else {
                self.wait(hash, part);
            }
            return;
        }
        // SAFETY: the caller's promise; a full slot begins with a key, whose type no swap changes.
        unsafe {
            let key = self.key_of(&part);
            let home = conversion.home_of(hash, &mut |slot| self.is_key(&key, slot));
            if home != Home::None {
                drop(key);
                // An entry in a source may turn out to have no place.
                match home {
                    Home::Old => self.wait(hash, part),
                    _ => {
                        conversion.forgo(true);
                        self.overtaken.push(part.lost);
                    }
                }
                return;
            }
            let slot = conversion.returned(hash);
            let (ty, offset) = self.entries.new_value(&self.held.converter);
            key.move_to(slot);
            let reflect = self.held.converter.new_side();
            let built = reflect.build(ty, slot.add(offset), &mut &part.lost.image[..]);
            built.expect("this process wrote the image");
        }
    }

    fn key_of(&self, part: &Part) -> KeyBlock<'_> {
        let ty = self.entries.key_type();
        // SAFETY: the image is that of a key of this map.
        unsafe { KeyBlock::new(self.held.converter.new_side(), ty, part.key()) }
    }

    /// # Safety
    /// A key of this map.
    unsafe fn hash_of(&self, key: &KeyBlock<'_>) -> u64 {
        // SAFETY: the caller's promise.
        unsafe { self.entries.hash(&self.held.converter, key.at(), self.seed) }
    }

    /// # Safety
    /// The slot is full.
    unsafe fn is_key(&self, key: &KeyBlock<'_>, slot: *mut u8) -> bool {
        let reflect = self.held.converter.new_side();
        // SAFETY: the caller's promise.
        unsafe { reflect.compare_keys(self.entries.key_type(), key.at(), slot) }.is_eq()
    }
}
