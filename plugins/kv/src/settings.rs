//! What CONFIG SET changes and commands need at once, read from text only when it is set.

mod clients;

use hotshell_plugin_api::collections::{Bytes, Vec};
use hotshell_plugin_api::state;

pub use self::clients::{OutputLimit, Share};
use crate::number::parse_i64;

/// The settings in force.
#[state]
#[derive(Debug)]
pub struct Settings {
    /// Bytes of state from which keys are evicted; 0: no limit.
    pub maxmemory: u64,
    /// Which keys are evicted.
    pub policy: Policy,
    /// Keys that are looked at for one eviction.
    #[state(default = 5)]
    pub samples: u32,
    /// Hits that raise a frequency, as a power; see [`crate::access`].
    #[state(default = 10)]
    pub lfu_log_factor: u32,
    /// Minutes that lower a frequency by one.
    #[state(default = 1)]
    pub lfu_decay_minutes: u32,
    /// Up to where collections stay in their small form.
    pub limits: Limits,
    /// Bytes of a HyperLogLog up to which it stays sparse.
    #[state(default = 3000)]
    pub hll_sparse_bytes: u64,
    /// Which events of keys are published: bits of [`crate::notify`].
    pub notify: u32,
    /// From this duration on commands are logged, microseconds; negative: none.
    #[state(default = 10_000)]
    pub slowlog_us: i64,
    /// From this duration on somebody wants to know of a command, nanoseconds.
    #[state(default = 10_000_000)]
    pub slow_ns: u64,
    /// Most entries of the slow log.
    #[state(default = 128)]
    pub slowlog_len: u64,
    /// From this duration on events are remembered, milliseconds; 0: none.
    pub latency_ms: u64,
    /// The password; empty: none is needed.
    pub password: Bytes,
    /// After so many seconds idle clients are closed; 0: never.
    pub timeout_s: u64,
    /// Most clients; 0: as many as the shell takes.
    pub max_clients: u64,
    /// Longest string in bytes.
    #[state(default = 512 << 20)]
    pub max_bulk: i64,
    /// When snapshots are taken beside those of the shell.
    pub save_points: Vec<SavePoint>,
    /// Data are changed also while the last snapshot that save points asked for has failed.
    pub write_anyway: bool,
    /// Keys of which readers are noted, at most; 0: no limit.
    #[state(default = 1_000_000)]
    pub tracked_keys: u64,
    /// How long commands take is not noted by its distribution.
    pub untimed: bool,
    /// Expiry cycles a second.
    #[state(default = 10)]
    pub hz: u32,
    /// How much is spent on keys that are due, from 1 to 10; see [`crate::keyspace`].
    #[state(default = 1)]
    pub expire_effort: u32,
    /// Unread input of a client at most, bytes (`client-query-buffer-limit`).
    #[state(default = 1 << 30)]
    pub query_bytes: u64,
    /// What may wait to be sent to a client that is subscribed to nothing.
    pub output: OutputLimit,
    /// The same for a subscriber.
    #[state(default = OutputLimit::LISTENERS)]
    pub listeners_output: OutputLimit,
    /// What all clients together may take (`maxmemory-clients`).
    pub clients_share: Share,
    /// Replicas without which data are not changed; 0: none is needed.
    pub replicas_needed: u64,
    /// How late they may be, seconds; 0: none is needed.
    #[state(default = 10)]
    pub replicas_lag_s: u64,
    /// How long keys are evicted before others are served, from 0 to 100; see [`crate::eviction`].
    #[state(default = 10)]
    pub eviction_tenacity: u32,
}

/// A save point: a snapshot after so many seconds, if there were so many changes.
#[state]
#[derive(Debug, Clone, Copy)]
pub struct SavePoint {
    /// Seconds since the last one.
    pub seconds: u64,
    /// Changes since the last one.
    pub changes: u64,
}

/// Up to where collections stay in their small form.
#[state]
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Fields of a small hash (`hash-max-listpack-entries`).
    #[state(default = 512)]
    pub hash_entries: u64,
    /// Bytes of a field or value of a small hash (`hash-max-listpack-value`).
    #[state(default = 64)]
    pub hash_value: u64,
    /// Members of a small sorted set (`zset-max-listpack-entries`).
    #[state(default = 128)]
    pub zset_entries: u64,
    /// Bytes of a member of a small sorted set (`zset-max-listpack-value`).
    #[state(default = 64)]
    pub zset_value: u64,
    /// Members of a set that is kept as integers (`set-max-intset-entries`).
    #[state(default = 512)]
    pub intset_entries: u64,
    /// Bytes from which a block of a stream takes no more entries; 0: any (`stream-node-max-bytes`).
    #[state(default = 4096)]
    pub stream_bytes: u64,
    /// Entries of a block of a stream; 0: any (`stream-node-max-entries`).
    #[state(default = 100)]
    pub stream_entries: u64,
}

/// Which keys are evicted when memory is short; Redis' names.
#[state]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are Redis'")]
pub enum Policy {
    #[state(default)]
    NoEviction,
    AllKeysLru,
    AllKeysLfu,
    AllKeysRandom,
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
}

/// The value of the parameter `save`.
pub fn save_points(text: &[u8]) -> impl Iterator<Item = SavePoint> {
    let mut numbers = text.split(|&b| b == b' ').filter_map(parse_i64).map(|n| n as u64);
    core::iter::from_fn(move || {
        Some(SavePoint { seconds: numbers.next()?, changes: numbers.next()? })
    })
}

impl Settings {
    /// Time between two expiry cycles, milliseconds.
    pub fn cycle_ms(&self) -> u64 {
        1000 / u64::from(self.hz.max(1))
    }

    /// Whether data are changed only with replicas.
    pub fn wants_replicas(&self) -> bool {
        self.replicas_needed > 0 && self.replicas_lag_s > 0
    }

    /// Works out from which duration on somebody wants to know of a command.
    pub fn note_thresholds(&mut self) {
        let slow = u64::try_from(self.slowlog_us).map_or(u64::MAX, |us| us.saturating_mul(1000));
        let spike = match self.latency_ms {
            0 => u64::MAX,
            ms => ms.saturating_mul(1_000_000),
        };
        self.slow_ns = slow.min(spike);
    }
}

impl Policy {
    /// All, with their names in Redis' order.
    pub const NAMES: [(&'static str, Self); 8] = [
        ("volatile-lru", Self::VolatileLru),
        ("volatile-lfu", Self::VolatileLfu),
        ("volatile-random", Self::VolatileRandom),
        ("volatile-ttl", Self::VolatileTtl),
        ("allkeys-lru", Self::AllKeysLru),
        ("allkeys-lfu", Self::AllKeysLfu),
        ("allkeys-random", Self::AllKeysRandom),
        ("noeviction", Self::NoEviction),
    ];

    /// Redis' name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, policy)| *policy == self).map_or("", |(name, _)| name)
    }

    /// Whether how often keys are used counts, not when.
    #[inline(always)]
    pub fn by_frequency(self) -> bool {
        matches!(self, Self::AllKeysLfu | Self::VolatileLfu)
    }

    /// Whether only keys with a time to live are evicted.
    pub fn volatile(self) -> bool {
        matches!(
            self,
            Self::VolatileLru | Self::VolatileLfu | Self::VolatileRandom | Self::VolatileTtl
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn save_points_are_pairs_of_numbers() {
        let points: Vec<_> =
            save_points(b"3600 1 300 100").map(|p| (p.seconds, p.changes)).collect();
        assert_eq!(points, [(3600, 1), (300, 100)]);
        assert_eq!(save_points(b"").count(), 0);
    }
}
