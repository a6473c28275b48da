//! The parameters of CONFIG: names, defaults, what they accept, since when they exist.
//!
//! Those that mean something here are read into [`Settings`]; the others are kept as text, for
//! tools that set and read them.

use crate::notify;
use crate::settings::{Policy, Settings};
use crate::table::{Level, v};

/// One parameter.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// The Redis version that brought it.
    pub since: Level,
    /// What it accepts.
    pub kind: Kind,
    /// Its value at first.
    pub default: &'static str,
    /// What it changes.
    pub set: Option<Set>,
}

/// Writes a value, as text of the kind, into the settings.
pub type Set = fn(&mut Settings, &[u8]);

/// What a parameter accepts.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `yes` or `no`.
    Switch,
    /// An integer in a range.
    Integer(i64, i64),
    /// Bytes, with a unit such as `mb`, in a range.
    Memory(i64, i64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Anything.
    Text,
    /// The letters of `notify-keyspace-events`.
    Events,
    /// Pairs of seconds and changes.
    Save,
    /// Anything, but only at the start.
    Fixed,
}

const POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];
const LEVELS: &[&str] = &["debug", "verbose", "notice", "warning"];
const INT: i64 = i32::MAX as i64;
const LONG: i64 = i64::MAX;

fn number(text: &[u8]) -> i64 {
    core::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

macro_rules! parameters {
    ($($name:literal, $since:expr, $kind:expr, $default:literal $(, $set:expr)?;)*) => {
        /// All parameters; aliases have rows of their own.
        pub const PARAMETERS: &[Parameter] = &[$(Parameter {
            name: $name,
            since: $since,
            kind: $kind,
            default: $default,
            set: crate::table::first!($(Some($set as Set),)? None),
        }),*];
    };
}

parameters! {
    "activedefrag", v(4, 0), Kind::Fixed, "no";
    "active-expire-effort", v(6, 0), Kind::Integer(1, 10), "1";
    "activerehashing", v(2, 0), Kind::Switch, "yes";
    "acllog-max-len", v(6, 0), Kind::Integer(0, LONG), "128";
    "always-show-logo", v(4, 0), Kind::Fixed, "no";
    "aof-load-truncated", v(2, 8), Kind::Switch, "yes";
    "aof-rewrite-incremental-fsync", v(2, 8), Kind::Switch, "yes";
    "aof-use-rdb-preamble", v(4, 0), Kind::Switch, "yes";
    "appendfilename", v(2, 0), Kind::Fixed, "appendonly.aof";
    "appendfsync", v(2, 0), Kind::Word(&["everysec", "always", "no"]), "everysec";
    "appendonly", v(2, 0), Kind::Fixed, "no";
    "auto-aof-rewrite-min-size", v(2, 4), Kind::Memory(0, LONG), "67108864";
    "auto-aof-rewrite-percentage", v(2, 4), Kind::Integer(0, INT), "100";
    "busy-reply-threshold", v(7, 0), Kind::Integer(0, LONG), "5000";
    "client-output-buffer-limit", v(2, 6), Kind::Text,
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
    "client-query-buffer-limit", v(4, 0), Kind::Memory(1 << 20, LONG), "1073741824";
    "cluster-enabled", v(3, 0), Kind::Fixed, "no";
    "crash-log-enabled", v(6, 2), Kind::Switch, "yes";
    "daemonize", v(1, 0), Kind::Fixed, "no";
    "dbfilename", v(1, 0), Kind::Fixed, "dump.rdb";
    "dynamic-hz", v(5, 0), Kind::Switch, "yes";
    "enable-debug-command", v(7, 0), Kind::Fixed, "yes";
    "hash-max-listpack-entries", v(7, 0), Kind::Integer(0, LONG), "512",
        |all, text| all.limits.hash_entries = number(text) as u64;
    "hash-max-listpack-value", v(7, 0), Kind::Memory(0, LONG), "64",
        |all, text| all.limits.hash_value = number(text) as u64;
    "hash-max-ziplist-entries", v(2, 0), Kind::Integer(0, LONG), "512",
        |all, text| all.limits.hash_entries = number(text) as u64;
    "hash-max-ziplist-value", v(2, 0), Kind::Memory(0, LONG), "64",
        |all, text| all.limits.hash_value = number(text) as u64;
    "hll-sparse-max-bytes", v(2, 8), Kind::Memory(0, LONG), "3000",
        |all, text| all.hll_sparse_bytes = number(text) as u64;
    "hz", v(2, 6), Kind::Integer(0, INT), "10",
        |all, text| all.hz = number(text).clamp(1, 500) as u32;
    "io-threads", v(6, 0), Kind::Fixed, "1";
    "latency-monitor-threshold", v(2, 8), Kind::Integer(0, LONG), "0",
        |all, text| all.latency_ms = number(text) as u64;
    "latency-tracking", v(7, 0), Kind::Switch, "yes";
    "lazyfree-lazy-eviction", v(4, 0), Kind::Switch, "no";
    "lazyfree-lazy-expire", v(4, 0), Kind::Switch, "no";
    "lazyfree-lazy-server-del", v(4, 0), Kind::Switch, "no";
    "lazyfree-lazy-user-del", v(6, 0), Kind::Switch, "no";
    "lazyfree-lazy-user-flush", v(6, 2), Kind::Switch, "no";
    "lfu-decay-time", v(4, 0), Kind::Integer(0, INT), "1",
        |all, text| all.lfu_decay_minutes = number(text) as u32;
    "lfu-log-factor", v(4, 0), Kind::Integer(0, INT), "10",
        |all, text| all.lfu_log_factor = number(text) as u32;
    "list-compress-depth", v(3, 2), Kind::Integer(0, INT), "0";
    "list-max-listpack-size", v(7, 0), Kind::Integer(-INT - 1, INT), "-2";
    "list-max-ziplist-size", v(3, 2), Kind::Integer(-INT - 1, INT), "-2";
    "logfile", v(1, 0), Kind::Fixed, "";
    "loglevel", v(1, 0), Kind::Word(LEVELS), "notice";
    "lua-time-limit", v(2, 6), Kind::Integer(0, LONG), "5000";
    "maxclients", v(1, 0), Kind::Integer(1, u32::MAX as i64), "10000",
        |all, text| all.max_clients = number(text) as u64;
    "maxmemory", v(1, 0), Kind::Memory(0, LONG), "0",
        |all, text| all.maxmemory = number(text) as u64;
    "maxmemory-clients", v(7, 0), Kind::Memory(0, LONG), "0";
    "maxmemory-eviction-tenacity", v(6, 2), Kind::Integer(0, 100), "10";
    "maxmemory-policy", v(2, 0), Kind::Word(POLICIES), "noeviction", |all, text| {
        let named = |(name, _): &&(&str, Policy)| name.as_bytes() == text;
        all.policy = Policy::NAMES.iter().find(named).map_or(all.policy, |(_, policy)| *policy);
    };
    "maxmemory-samples", v(2, 0), Kind::Integer(1, INT), "5",
        |all, text| all.samples = number(text) as u32;
    "min-replicas-to-write", v(5, 0), Kind::Integer(0, INT), "0";
    "min-slaves-to-write", v(2, 8), Kind::Integer(0, INT), "0";
    "no-appendfsync-on-rewrite", v(2, 0), Kind::Switch, "no";
    "notify-keyspace-events", v(2, 8), Kind::Events, "",
        |all, text| all.notify = notify::parse(text).unwrap_or_default();
    "pidfile", v(1, 0), Kind::Fixed, "";
    "protected-mode", v(3, 2), Kind::Switch, "yes";
    "proto-max-bulk-len", v(4, 0), Kind::Memory(1 << 20, LONG), "536870912",
        |all, text| all.max_bulk = number(text) as u64;
    "rdbchecksum", v(2, 6), Kind::Fixed, "yes";
    "rdbcompression", v(1, 0), Kind::Switch, "yes";
    "repl-backlog-size", v(2, 8), Kind::Memory(1, LONG), "1048576";
    "repl-timeout", v(2, 0), Kind::Integer(1, INT), "60";
    "replica-read-only", v(5, 0), Kind::Switch, "yes";
    "replicaof", v(5, 0), Kind::Fixed, "";
    "requirepass", v(1, 0), Kind::Text, "", |all, text| all.password = text.into();
    "sanitize-dump-payload", v(6, 2), Kind::Word(&["no", "yes", "clients"]), "no";
    "save", v(1, 0), Kind::Save, "";
    "set-max-intset-entries", v(2, 0), Kind::Integer(0, LONG), "512",
        |all, text| all.limits.intset_entries = number(text) as u64;
    "slave-read-only", v(2, 6), Kind::Switch, "yes";
    "slaveof", v(1, 0), Kind::Fixed, "";
    "slowlog-log-slower-than", v(2, 2), Kind::Integer(-1, LONG), "10000",
        |all, text| all.slowlog_us = number(text);
    "slowlog-max-len", v(2, 2), Kind::Integer(0, LONG), "128",
        |all, text| all.slowlog_len = number(text) as u64;
    "stop-writes-on-bgsave-error", v(2, 6), Kind::Switch, "yes";
    "stream-node-max-bytes", v(5, 0), Kind::Memory(0, LONG), "4096";
    "stream-node-max-entries", v(5, 0), Kind::Integer(0, LONG), "100";
    "supervised", v(3, 2), Kind::Fixed, "no";
    "tcp-backlog", v(2, 8), Kind::Fixed, "511";
    "tcp-keepalive", v(2, 6), Kind::Integer(0, INT), "300";
    "timeout", v(1, 0), Kind::Integer(0, INT), "0",
        |all, text| all.timeout_s = number(text) as u64;
    "tracking-table-max-keys", v(6, 0), Kind::Integer(0, LONG), "1000000";
    "unixsocket", v(2, 2), Kind::Fixed, "";
    "zset-max-listpack-entries", v(7, 0), Kind::Integer(0, LONG), "128",
        |all, text| all.limits.zset_entries = number(text) as u64;
    "zset-max-listpack-value", v(7, 0), Kind::Memory(0, LONG), "64",
        |all, text| all.limits.zset_value = number(text) as u64;
    "zset-max-ziplist-entries", v(2, 0), Kind::Integer(0, LONG), "128",
        |all, text| all.limits.zset_entries = number(text) as u64;
    "zset-max-ziplist-value", v(2, 0), Kind::Memory(0, LONG), "64",
        |all, text| all.limits.zset_value = number(text) as u64;
}

impl Parameter {
    /// The name under which the value is kept: two names of one parameter share it.
    pub fn stored_as(&self) -> String {
        self.name.replace("listpack", "ziplist")
    }
}

impl Kind {
    /// Checks a value and answers it as it is kept.
    ///
    /// # Errors
    /// What Redis says of a value that is not accepted.
    pub fn check(self, text: &[u8]) -> Result<Vec<u8>, String> {
        let word = || String::from_utf8_lossy(text).to_ascii_lowercase();
        match self {
            Self::Switch => match word().as_str() {
                word @ ("yes" | "no") => Ok(word.into()),
                _ => Err("argument must be 'yes' or 'no'".into()),
            },
            Self::Integer(min, max) => {
                let n = crate::number::parse_i64(text);
                let n = n.ok_or("argument couldn't be parsed into an integer")?;
                in_range(n, min, max)
            }
            Self::Memory(min, max) => {
                let n = memory(text).ok_or("argument must be a memory value")?;
                in_range(n, min, max)
            }
            Self::Word(words) => match words.iter().find(|&&known| known == word()) {
                Some(known) => Ok(known.as_bytes().to_vec()),
                None => {
                    Err(format!("argument(s) must be one of the following: {}", words.join(", ")))
                }
            },
            Self::Events => match notify::parse(text) {
                Some(flags) => Ok(notify::text(flags)),
                None => Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into()),
            },
            Self::Save => check_save(text),
            Self::Text => Ok(text.to_vec()),
            Self::Fixed => Err("can't set immutable config".into()),
        }
    }
}

fn in_range(n: i64, min: i64, max: i64) -> Result<Vec<u8>, String> {
    if (min..=max).contains(&n) {
        return Ok(n.to_string().into_bytes());
    }
    Err(format!("argument must be between {min} and {max} inclusive"))
}

fn check_save(text: &[u8]) -> Result<Vec<u8>, String> {
    let words: Vec<&[u8]> = text.split(|&b| b == b' ').filter(|word| !word.is_empty()).collect();
    let numbers = words.iter().map(|word| crate::number::parse_i64(word));
    let fine = numbers
        .enumerate()
        .all(|(n, number)| number.is_some_and(|number| number >= if n % 2 == 0 { 1 } else { 0 }));
    if fine && words.len().is_multiple_of(2) {
        return Ok(words.join(&b' '));
    }
    Err("Invalid save parameters".into())
}

/// Bytes with a unit: `100`, `1k`, `2mb`, `1gb` (`memtoull`).
pub fn memory(text: &[u8]) -> Option<i64> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let factor: i64 = match text[digits..].to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    core::str::from_utf8(&text[..digits]).ok()?.parse::<i64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_has_units() {
        assert_eq!(memory(b"100"), Some(100));
        assert_eq!(memory(b"1k"), Some(1000));
        assert_eq!(memory(b"2MB"), Some(2 << 20));
        assert_eq!(memory(b""), None);
        assert_eq!(memory(b"-1"), None);
        assert_eq!(memory(b"1tb"), None);
    }

    #[test]
    fn every_default_is_a_value_that_is_accepted() {
        for one in PARAMETERS {
            if !matches!(one.kind, Kind::Fixed) {
                let kept = one.kind.check(one.default.as_bytes());
                assert_eq!(kept.as_deref(), Ok(one.default.as_bytes()), "{}", one.name);
            }
        }
    }
}
