//! How often each command was called, and how long it took: INFO commandstats.
//!
//! Numbers of commands are given once and never change, so that they outlive a version whose table
//! has other slots; each version learns the numbers of its own slots anew.

use hotshell_plugin_api::collections::{Bytes, HashMap, Vec};
use hotshell_plugin_api::state;

use crate::table::Table;

/// The counters of all commands that were ever known.
#[state]
#[derive(Debug)]
pub struct CommandStats {
    /// The number of the command in each slot of the table whose fingerprint is below.
    numbers: Vec<u16>,
    fingerprint: u64,
    counters: Vec<Counters>,
    by_name: HashMap<Bytes, u16>,
}

/// The counters of one command, all since the state was made or CONFIG RESETSTAT.
#[state]
#[derive(Debug)]
pub struct Counters {
    /// Its name, `config|get` with a subcommand.
    pub name: Bytes,
    /// Executions.
    pub calls: u64,
    /// Time of all executions in nanoseconds.
    pub total_ns: u64,
    /// Refused before they were executed.
    pub rejected: u64,
    /// Executions that answered with an error.
    pub failed: u64,
    /// Executions by how long they took: see [`bucket`].
    pub histogram: [u64; BUCKETS],
}

/// Durations are told apart by powers of two, from a microsecond to half a minute.
pub const BUCKETS: usize = 26;
/// Nanoseconds at which the second bucket begins. Redis' histograms have two digits, in which 1024 and
/// what is a little more are one.
const FIRST_NS: u64 = 1024 + 8;

/// The bucket of a duration.
#[inline(always)]
fn bucket(ns: u64) -> usize {
    ((u64::BITS - (ns / FIRST_NS).leading_zeros()) as usize).min(BUCKETS - 1)
}

impl Counters {
    /// Counts an execution; unless `untimed`, by how long it took, too.
    #[inline(always)]
    pub fn count(&mut self, ns: u64, failed: bool, untimed: bool) {
        self.calls += 1;
        self.total_ns += ns;
        self.failed += u64::from(failed);
        self.histogram[bucket(ns)] += u64::from(!untimed);
    }

    /// Executions that were counted by how long they took.
    pub fn timed(&self) -> u64 {
        self.histogram.iter().sum()
    }

    /// The longest duration of each bucket in nanoseconds, and how many executions took no longer; only
    /// buckets that have some.
    pub fn cumulated(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut sum = 0;
        let all = self.histogram.iter().enumerate().filter(|(_, count)| **count > 0);
        all.map(move |(n, count)| {
            sum += count;
            ((FIRST_NS << n) - 1, sum)
        })
    }

    /// The duration in nanoseconds within which so many of a hundred executions came to their end.
    pub fn percentile(&self, percent: f64) -> u64 {
        let wanted = (self.timed() as f64 * percent / 100.0).ceil().max(1.0) as u64;
        self.cumulated().find(|(_, count)| *count >= wanted).map_or(0, |(ns, _)| ns)
    }
}

impl CommandStats {
    /// Learns the slots of a table, if they are not known already.
    #[inline(always)]
    pub fn learn(&mut self, table: &'static Table) {
        if self.fingerprint != table.fingerprint {
            self.relearn(table);
        }
    }

    #[cold]
    fn relearn(&mut self, table: &'static Table) {
        // Number 0 is no command's, so that a session without one is told apart.
        self.number_of("");
        let numbers: std::vec::Vec<u16> =
            table.slots().map(|row| row.map_or(0, |row| self.number_of(row.name))).collect();
        self.numbers = numbers.into_iter().collect();
        self.fingerprint = table.fingerprint;
    }

    /// The number of the command in a slot of the table that was learned.
    #[inline(always)]
    pub fn number(&self, slot: u16) -> u16 {
        self.numbers[slot as usize]
    }

    /// The number of a command by its name; new names get the next one.
    pub fn number_of(&mut self, name: &str) -> u16 {
        if let Some(&number) = self.by_name.get(name.as_bytes()) {
            return number;
        }
        let number = self.counters.len() as u16;
        let name = Bytes::from(name.as_bytes());
        self.counters.push(Counters { name: name.clone(), ..Counters::default() });
        self.by_name.insert(name, number);
        number
    }

    /// The counters of a command.
    #[inline(always)]
    pub fn of(&mut self, number: u16) -> &mut Counters {
        &mut self.counters[number as usize]
    }

    /// A command's name; empty when there is no such number.
    pub fn name(&self, number: u16) -> &[u8] {
        self.counters.get(number as usize).map_or(b"", |counters| &counters.name)
    }

    /// All counters.
    pub fn iter(&self) -> impl Iterator<Item = &Counters> {
        self.counters.iter().skip(1)
    }

    /// All counters from zero.
    pub fn reset(&mut self) {
        for counters in self.counters.iter_mut() {
            let name = core::mem::take(&mut counters.name);
            *counters = Counters { name, ..Counters::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_counted_by_powers_of_two() {
        let mut counters = Counters::default();
        for (ns, times) in [(0, 1), (1031, 1), (1032, 2), (2063, 1), (33_023, 4), (u64::MAX, 1)] {
            (0..times).for_each(|_| counters.histogram[bucket(ns)] += 1);
        }
        let us: Vec<_> = counters.cumulated().map(|(ns, count)| (ns / 1000, count)).collect();
        assert_eq!(us[..3], [(1, 2), (2, 5), (33, 9)], "Redis' edges");
        assert_eq!((us.len(), us[3].1), (4, 10));
        assert_eq!(counters.percentile(50.0), 2063);
        assert_eq!(counters.percentile(90.0), 33_023);
        assert_eq!(Counters::default().percentile(50.0), 0);
    }
}
