//! What a server needs of a map beyond std: cursors, random entries, work in slices.

use super::group::{FULL, Group, WIDTH};
use super::raw::Found;
use super::table::Table;
use super::{HashMap, Slot};
use crate::state::{StateKey, StateType};

/// Random slots that [`HashMap::random_entry`] tries before it counts instead.
const TRIES: usize = 128;

impl<K: StateKey, V: StateType> HashMap<K, V> {
    /// Shows about `count` entries, from `cursor` on, and answers the next cursor: start with 0, end
    /// when 0 comes back.
    ///
    /// An entry that is in the map from the first call to the last is shown at least once, whatever
    /// is inserted and removed between the calls, and however the map grows, shrinks or changes
    /// hands: a cursor is a place in the order of hashes, and the map keeps nothing about it. Some
    /// entries may be shown twice. This is the promise of Redis' SCAN
    /// (<https://redis.io/docs/latest/commands/scan/>).
    ///
    /// O(count): looks at up to `count` groups of 16 slots, and a few more to the next clean cut.
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(&K, &V)) -> u64 {
        if self.is_empty() {
            return 0;
        }
        if let Some(conversion) = self.raw.conversion() {
            return self.scan_converting(conversion, cursor, count, &mut show);
        }
        let mut cursor = cursor;
        let (mut shown, mut groups) = (0, 0);
        loop {
            let (table, old) = self.raw.table_of(cursor);
            let limit = self.raw.rehash().filter(|_| !old).map(|rehash| rehash.boundary);
            let group = table.home(cursor) / WIDTH;
            let (behind, n) = Self::show_to_cut(table, group, &mut show);
            shown += n;
            groups += behind - group;
            cursor = match (table.first_hash(behind), limit) {
                (Some(next), Some(boundary)) => next.min(boundary),
                (None, Some(boundary)) => boundary,
                (Some(next), None) => next,
                (None, None) => return 0,
            };
            if shown >= count || groups >= count {
                return cursor;
            }
        }
    }

    /// Shows groups from `group` to the next clean cut; answers the group behind it.
    fn show_to_cut(table: &Table, group: usize, show: &mut impl FnMut(&K, &V)) -> (usize, usize) {
        let mut shown = 0;
        for at in group..table.geometry().groups() {
            // SAFETY: below the number of groups.
            let ctrl = unsafe { Group::load(table.ctrl.add(at * WIDTH)) };
            for bit in ctrl.full() {
                // SAFETY: the slot is full.
                let slot = unsafe { &*table.slot::<Slot<K, V>>(at * WIDTH + bit) };
                show(&slot.key, &slot.value);
                shown += 1;
            }
            if ctrl.empty().any() {
                return (at + 1, shown);
            }
        }
        (table.geometry().groups(), shown)
    }

    /// An entry drawn with equal chances; `random` answers 64 random bits a call. `None` when the
    /// map is empty.
    ///
    /// Expected O(slots / len), which is O(1) as a map shrinks when entries are removed. In a map
    /// with far more room reserved than used it is O(capacity / 16).
    pub fn random_entry(&self, mut random: impl FnMut() -> u64) -> Option<(&K, &V)> {
        if self.is_empty() {
            return None;
        }
        let mut below = |n: usize| ((u128::from(random()) * n as u128) >> 64) as usize;
        if let Some(conversion) = self.raw.conversion() {
            let mut tries = 0..TRIES;
            let found = tries.find_map(|_| self.random_slot_converting(conversion, &mut below));
            let found = found.map(|slot| (&slot.key, &slot.value));
            return found.or_else(|| self.iter().nth(below(self.len())));
        }
        let newer = self.raw.table.geometry().groups() * WIDTH;
        let drained = self.raw.rehash().map_or(0, |rehash| rehash.at as usize * WIDTH);
        let older = self.raw.rehash().map_or(0, |r| r.old.geometry().groups() * WIDTH - drained);
        for _ in 0..TRIES {
            let n = below(newer + older);
            let (table, index) = match self.raw.rehash() {
                Some(rehash) if n >= newer => (&rehash.old, n - newer + drained),
                _ => (&self.raw.table, n),
            };
            // SAFETY: below the table's slots; a full slot holds an entry.
            unsafe {
                if *table.ctrl.add(index) >= FULL {
                    let slot = &*table.slot::<Slot<K, V>>(index);
                    return Some((&slot.key, &slot.value));
                }
            }
        }
        self.iter().nth(below(self.len()))
    }

    /// Removes up to `n` entries and gives each to `take`; answers how many. Call it until the map is
    /// empty to take apart a large one in slices. O(n), apart from the entries' own drop; memory goes
    /// back to the heap on the way.
    ///
    /// May answer less than `n`, also 0, while entries are left in a sparse table.
    pub fn take_some(&mut self, n: usize, mut take: impl FnMut(K, V)) -> usize {
        let mut taken = 0;
        let mut groups = n.max(WIDTH);
        if self.work_converting(n) || self.work_watched(n) {
            return 0;
        }
        while taken < n && groups > 0 && !self.is_empty() {
            if !self.is_moving() {
                // The front of the older table is where entries can be taken without searching.
                let rehash = self.replace_table(self.raw.table.geometry());
                self.put_rehash(rehash);
            }
            self.take_group(n, &mut taken, &mut groups, &mut take);
        }
        if self.is_empty() {
            self.free_tables();
        }
        taken
    }

    /// Takes from the groups up to the next clean cut, and declares those drained.
    fn take_group(
        &mut self,
        n: usize,
        taken: &mut usize,
        groups: &mut usize,
        take: &mut impl FnMut(K, V),
    ) {
        let Some(rehash) = self.raw.rehash() else { return };
        let (old, from) = (rehash.old, rehash.at as usize);
        let end = old.geometry().groups();
        let mut at = from;
        let mut cut = false;
        while at < end && !cut {
            // SAFETY: below the number of groups.
            let group = unsafe { Group::load(old.ctrl.add(at * WIDTH)) };
            for bit in group.full() {
                if *taken == n {
                    return;
                }
                *taken += 1;
                let index = at * WIDTH + bit;
                // SAFETY: the slot is full.
                unsafe {
                    let found =
                        Found { ctrl: old.ctrl.add(index), slot: old.slot(index), old: true };
                    let Slot { key, value } = self.take(found);
                    take(key, value);
                }
            }
            cut = group.empty().any();
            *groups = groups.saturating_sub(1);
            at += 1;
        }
        let Some(rehash) = self.raw.rehash_mut() else { return };
        if at == end || !rehash.cut(at, align_of::<Slot<K, V>>()) {
            self.step_pending();
        }
    }

    /// Moves a pending rehash on, over about `budget` slots; true while some of it is left. For a
    /// timer: an idle map finishes its move, too.
    pub fn work(&mut self, budget: usize) -> bool {
        if self.raw.conversion().is_some() {
            return self.work_converting(budget);
        }
        if self.raw.watch().is_some() {
            return self.work_watched(budget);
        }
        let mut done = 0;
        while self.is_moving() && done < budget.max(1) {
            done += self.raw.rehash().map_or(1, |rehash| rehash.old.unit_slots());
            self.step_pending();
        }
        self.is_moving()
    }
}
