//! The parameters of CONFIG, by name. Those that mean something here write into the settings.

use super::{Kind, Parameter, Set};
use crate::notify;

use crate::level::v;
use crate::settings::{OutputLimit, Policy, Share, save_points};

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
const BYTES: u64 = i64::MAX as u64;
const NO_TLS: &str = "Unable to update TLS configuration. Check server logs.";
const NO_DEFRAG: &str = "Active defragmentation cannot be enabled: it requires a Redis server compiled \
    with a modified Jemalloc like the one shipped by default with the Redis source distribution";

fn number(text: &[u8]) -> i64 {
    let number = core::str::from_utf8(text).ok().and_then(|text| text.parse::<i128>().ok());
    // Only sizes can be beyond, and mean no limit then.
    number.map_or(0, |n| i64::try_from(n).unwrap_or(i64::MAX))
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
    "acl-pubsub-default", v(6, 2), Kind::Word(&["allchannels", "resetchannels"]), "resetchannels";
    "aclfile", v(6, 0), Kind::Fixed, "";
    "acllog-max-len", v(6, 0), Kind::Integer(0, LONG), "128";
    "active-defrag-cycle-max", v(4, 0), Kind::Integer(1, 99), "25";
    "active-defrag-cycle-min", v(4, 0), Kind::Integer(1, 99), "1";
    "active-defrag-ignore-bytes", v(4, 0), Kind::Memory(1, BYTES), "104857600";
    "active-defrag-max-scan-fields", v(5, 0), Kind::Integer(1, LONG), "1000";
    "active-defrag-threshold-lower", v(4, 0), Kind::Integer(0, 1000), "10";
    "active-defrag-threshold-upper", v(4, 0), Kind::Integer(0, 1000), "100";
    "active-expire-effort", v(6, 0), Kind::Integer(1, 10), "1",
        |all, text| all.expire_effort = number(text) as u32;
    "activedefrag", v(4, 0), Kind::Off(NO_DEFRAG), "no";
    "activerehashing", v(2, 0), Kind::Switch, "yes";
    "always-show-logo", v(6, 0), Kind::Fixed, "no";
    "aof-disable-auto-gc", v(7, 0), Kind::Switch, "no";
    "aof-load-truncated", v(2, 8), Kind::Switch, "yes";
    "aof-rewrite-incremental-fsync", v(2, 8), Kind::Switch, "yes";
    "aof-timestamp-enabled", v(7, 0), Kind::Switch, "no";
    "aof-use-rdb-preamble", v(4, 0), Kind::Switch, "yes";
    "aof_rewrite_cpulist", v(6, 0), Kind::Fixed, "";
    "appenddirname", v(7, 0), Kind::Fixed, "appendonlydir";
    "appendfilename", v(6, 0), Kind::Fixed, "appendonly.aof";
    "appendfsync", v(2, 0), Kind::Word(&["everysec", "always", "no"]), "everysec";
    "appendonly", v(2, 0), Kind::Switch, "no";
    "auto-aof-rewrite-min-size", v(2, 4), Kind::Memory(0, BYTES), "67108864";
    "auto-aof-rewrite-percentage", v(2, 4), Kind::Integer(0, INT), "100";
    "bgsave_cpulist", v(6, 0), Kind::Fixed, "";
    "bind", v(4, 0), Kind::Text, "* -::*";
    "bind-source-addr", v(7, 0), Kind::Text, "";
    "bio_cpulist", v(6, 0), Kind::Fixed, "";
    "busy-reply-threshold", v(7, 0), Kind::Integer(0, LONG), "5000";
    "client-output-buffer-limit", v(2, 6), Kind::Buffers,
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", |all, text| {
        all.output = OutputLimit::of("normal", text);
        all.listeners_output = OutputLimit::of("pubsub", text);
    };
    "client-query-buffer-limit", v(4, 0), Kind::Memory(1 << 20, BYTES), "1073741824",
        |all, text| all.query_bytes = number(text) as u64;
    "cluster-allow-pubsubshard-when-down", v(7, 0), Kind::Switch, "yes";
    "cluster-allow-reads-when-down", v(6, 0), Kind::Switch, "no";
    "cluster-allow-replica-migration", v(6, 2), Kind::Switch, "yes";
    "cluster-announce-bus-port", v(4, 0), Kind::Integer(0, 65_535), "0";
    "cluster-announce-hostname", v(7, 0), Kind::Hostname, "";
    "cluster-announce-ip", v(4, 0), Kind::Text, "";
    "cluster-announce-port", v(4, 0), Kind::Integer(0, 65_535), "0";
    "cluster-announce-tls-port", v(6, 0), Kind::Integer(0, 65_535), "0";
    "cluster-config-file", v(6, 0), Kind::Fixed, "nodes.conf";
    "cluster-enabled", v(6, 0), Kind::Fixed, "no";
    "cluster-link-sendbuf-limit", v(7, 0), Kind::Memory(0, u64::MAX), "0";
    "cluster-migration-barrier", v(4, 0), Kind::Integer(0, INT), "1";
    "cluster-node-timeout", v(4, 0), Kind::Integer(0, LONG), "15000";
    "cluster-port", v(7, 0), Kind::Fixed, "0";
    "cluster-preferred-endpoint-type", v(7, 0), Kind::Word(&["ip", "hostname", "unknown-endpoint"]),
        "ip";
    "cluster-replica-no-failover", v(5, 0), Kind::Switch, "no";
    "cluster-replica-validity-factor", v(5, 0), Kind::Integer(0, INT), "10";
    "cluster-require-full-coverage", v(4, 0), Kind::Switch, "yes";
    "cluster-slave-no-failover", v(4, 0), Kind::Switch, "no";
    "cluster-slave-validity-factor", v(4, 0), Kind::Integer(0, INT), "10";
    "crash-log-enabled", v(6, 2), Kind::Switch, "yes";
    "crash-memcheck-enabled", v(6, 2), Kind::Switch, "yes";
    "daemonize", v(1, 0), Kind::Fixed, "no";
    "databases", v(4, 0), Kind::Fixed, "16";
    "dbfilename", v(1, 0), Kind::Protected, "dump.rdb";
    "dir", v(4, 0), Kind::Protected, "/";
    "disable-thp", v(6, 2), Kind::Fixed, "yes";
    "dynamic-hz", v(5, 0), Kind::Switch, "yes";
    "enable-debug-command", v(7, 0), Kind::Fixed, "yes";
    "enable-module-command", v(7, 0), Kind::Fixed, "no";
    "enable-protected-configs", v(7, 0), Kind::Fixed, "no";
    "hash-max-listpack-entries", v(7, 0), Kind::Integer(0, LONG), "512",
        |all, text| all.limits.hash_entries = number(text) as u64;
    "hash-max-listpack-value", v(7, 0), Kind::Memory(0, BYTES), "64",
        |all, text| all.limits.hash_value = number(text) as u64;
    "hash-max-ziplist-entries", v(2, 0), Kind::Integer(0, LONG), "512",
        |all, text| all.limits.hash_entries = number(text) as u64;
    "hash-max-ziplist-value", v(2, 0), Kind::Memory(0, BYTES), "64",
        |all, text| all.limits.hash_value = number(text) as u64;
    "hll-sparse-max-bytes", v(2, 8), Kind::Memory(0, BYTES), "3000",
        |all, text| all.hll_sparse_bytes = number(text) as u64;
    "hz", v(2, 6), Kind::Clamped([0, INT], [1, 500]), "10",
        |all, text| all.hz = number(text) as u32;
    "ignore-warnings", v(6, 0), Kind::Text, "";
    "io-threads", v(6, 0), Kind::Fixed, "1";
    "io-threads-do-reads", v(6, 0), Kind::Fixed, "no";
    "jemalloc-bg-thread", v(6, 0), Kind::Switch, "yes";
    "key-load-delay", v(6, 0), Kind::Integer(-INT - 1, INT), "0";
    "latency-monitor-threshold", v(2, 8), Kind::Integer(0, LONG), "0",
        |all, text| all.latency_ms = number(text) as u64;
    "latency-tracking", v(7, 0), Kind::Switch, "yes", |all, text| all.untimed = text == b"no";
    "latency-tracking-info-percentiles", v(7, 0), Kind::Percentiles, "50 99 99.9";
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
    "loading-process-events-interval-bytes", v(6, 2), Kind::Integer(1024, INT), "2097152";
    "logfile", v(1, 0), Kind::Fixed, "";
    "loglevel", v(1, 0), Kind::Word(LEVELS), "notice";
    "lua-enable-deprecated-api", v(7, 0), Kind::Fixed, "no";
    "lua-time-limit", v(2, 6), Kind::Integer(0, LONG), "5000";
    "masterauth", v(4, 0), Kind::Text, "";
    "masteruser", v(6, 0), Kind::Text, "";
    "maxclients", v(1, 0), Kind::Integer(1, u32::MAX as i64), "10000",
        |all, text| all.max_clients = number(text) as u64;
    "maxmemory", v(1, 0), Kind::Memory(0, u64::MAX), "0",
        |all, text| all.maxmemory = number(text) as u64;
    "maxmemory-clients", v(7, 0), Kind::MemoryOrPercent, "0",
        |all, text| all.clients_share = Share::of(text);
    "maxmemory-eviction-tenacity", v(6, 2), Kind::Integer(0, 100), "10",
        |all, text| all.eviction_tenacity = number(text) as u32;
    "maxmemory-policy", v(2, 0), Kind::Word(POLICIES), "noeviction", |all, text| {
        let named = |(name, _): &&(&str, Policy)| name.as_bytes() == text;
        all.policy = Policy::NAMES.iter().find(named).map_or(all.policy, |(_, policy)| *policy);
    };
    "maxmemory-samples", v(2, 0), Kind::Integer(1, INT), "5",
        |all, text| all.samples = number(text) as u32;
    "min-replicas-max-lag", v(5, 0), Kind::Integer(0, INT), "10",
        |all, text| all.replicas_lag_s = number(text) as u64;
    "min-replicas-to-write", v(5, 0), Kind::Integer(0, INT), "0",
        |all, text| all.replicas_needed = number(text) as u64;
    "min-slaves-max-lag", v(4, 0), Kind::Integer(0, INT), "10",
        |all, text| all.replicas_lag_s = number(text) as u64;
    "min-slaves-to-write", v(2, 8), Kind::Integer(0, INT), "0",
        |all, text| all.replicas_needed = number(text) as u64;
    "no-appendfsync-on-rewrite", v(2, 0), Kind::Switch, "no";
    "notify-keyspace-events", v(2, 8), Kind::Events, "",
        |all, text| all.notify = notify::parse(text).unwrap_or_default();
    "oom-score-adj", v(6, 2), Kind::Word(&["no", "yes", "relative", "absolute"]), "no";
    "oom-score-adj-values", v(6, 0), Kind::Scores, "0 200 800";
    "pidfile", v(1, 0), Kind::Fixed, "";
    "port", v(4, 0), Kind::Integer(0, 65_535), "0";
    "proc-title-template", v(6, 2), Kind::Text, "{title} {listen-addr} {server-mode}";
    "propagation-error-behavior", v(7, 0), Kind::Word(&["ignore", "panic", "panic-on-replicas"]),
        "ignore";
    "protected-mode", v(3, 2), Kind::Switch, "yes";
    "proto-max-bulk-len", v(4, 0), Kind::Memory(1 << 20, BYTES), "536870912",
        |all, text| all.max_bulk = number(text);
    "rdb-del-sync-files", v(6, 0), Kind::Switch, "no";
    "rdb-key-save-delay", v(6, 0), Kind::Integer(-INT - 1, INT), "0";
    "rdb-save-incremental-fsync", v(5, 0), Kind::Switch, "yes";
    "rdbchecksum", v(2, 6), Kind::Fixed, "yes";
    "rdbcompression", v(1, 0), Kind::Switch, "yes";
    "repl-backlog-size", v(2, 8), Kind::AtLeast(16_384), "1048576";
    "repl-backlog-ttl", v(4, 0), Kind::Integer(0, LONG), "3600";
    "repl-disable-tcp-nodelay", v(4, 0), Kind::Switch, "no";
    "repl-diskless-load", v(6, 0), Kind::Word(&["disabled", "on-empty-db", "swapdb"]), "disabled";
    "repl-diskless-sync", v(4, 0), Kind::Switch, "yes";
    "repl-diskless-sync-delay", v(4, 0), Kind::Integer(0, INT), "5";
    "repl-diskless-sync-max-replicas", v(7, 0), Kind::Integer(0, INT), "0";
    "repl-ping-replica-period", v(5, 0), Kind::Integer(1, INT), "10";
    "repl-ping-slave-period", v(4, 0), Kind::Integer(1, INT), "10";
    "repl-timeout", v(2, 0), Kind::Integer(1, INT), "60";
    "replica-announce-ip", v(5, 0), Kind::Text, "";
    "replica-announce-port", v(5, 0), Kind::Integer(0, 65_535), "0";
    "replica-announced", v(6, 2), Kind::Switch, "yes";
    "replica-ignore-disk-write-errors", v(7, 0), Kind::Switch, "no";
    "replica-ignore-maxmemory", v(5, 0), Kind::Switch, "yes";
    "replica-lazy-flush", v(5, 0), Kind::Switch, "no";
    "replica-priority", v(5, 0), Kind::Integer(0, INT), "100";
    "replica-read-only", v(5, 0), Kind::Switch, "yes";
    "replica-serve-stale-data", v(5, 0), Kind::Switch, "yes";
    "replicaof", v(5, 0), Kind::Fixed, "";
    "requirepass", v(1, 0), Kind::Text, "", |all, text| all.password = text.into();
    "sanitize-dump-payload", v(6, 2), Kind::Word(&["no", "yes", "clients"]), "no";
    "save", v(1, 0), Kind::Save, "",
        |all, text| all.save_points = save_points(text).collect();
    "server_cpulist", v(6, 0), Kind::Fixed, "";
    "set-max-intset-entries", v(2, 0), Kind::Integer(0, LONG), "512",
        |all, text| all.limits.intset_entries = number(text) as u64;
    "set-proc-title", v(6, 2), Kind::Fixed, "yes";
    "shutdown-on-sigint", v(7, 0), Kind::Word(&["default", "save", "nosave", "now", "force"]),
        "default";
    "shutdown-on-sigterm", v(7, 0), Kind::Word(&["default", "save", "nosave", "now", "force"]),
        "default";
    "shutdown-timeout", v(7, 0), Kind::Integer(0, INT), "10";
    "slave-announce-ip", v(4, 0), Kind::Text, "";
    "slave-announce-port", v(4, 0), Kind::Integer(0, 65_535), "0";
    "slave-ignore-maxmemory", v(5, 0), Kind::Switch, "yes";
    "slave-lazy-flush", v(4, 0), Kind::Switch, "no";
    "slave-priority", v(4, 0), Kind::Integer(0, INT), "100";
    "slave-read-only", v(2, 6), Kind::Switch, "yes";
    "slave-serve-stale-data", v(4, 0), Kind::Switch, "yes";
    "slaveof", v(1, 0), Kind::Fixed, "";
    "slowlog-log-slower-than", v(2, 2), Kind::Integer(-1, LONG), "10000",
        |all, text| all.slowlog_us = number(text);
    "slowlog-max-len", v(2, 2), Kind::Integer(0, LONG), "128",
        |all, text| all.slowlog_len = number(text) as u64;
    "socket-mark-id", v(7, 0), Kind::Fixed, "0";
    "stop-writes-on-bgsave-error", v(2, 6), Kind::Switch, "yes",
        |all, text| all.write_anyway = text == b"no";
    "stream-node-max-bytes", v(5, 0), Kind::Memory(0, BYTES), "4096",
        |all, text| all.limits.stream_bytes = number(text) as u64;
    "stream-node-max-entries", v(5, 0), Kind::Integer(0, LONG), "100",
        |all, text| all.limits.stream_entries = number(text) as u64;
    "supervised", v(3, 2), Kind::Fixed, "no";
    "syslog-enabled", v(6, 0), Kind::Fixed, "no";
    "syslog-facility", v(4, 0), Kind::Fixed, "local0";
    "syslog-ident", v(6, 0), Kind::Fixed, "redis";
    "tcp-backlog", v(2, 8), Kind::Fixed, "511";
    "tcp-keepalive", v(2, 6), Kind::Integer(0, INT), "300";
    "timeout", v(1, 0), Kind::Integer(0, INT), "0",
        |all, text| all.timeout_s = number(text) as u64;
    "tls-auth-clients", v(6, 0), Kind::Word(&["no", "yes", "optional"]), "yes";
    "tls-ca-cert-dir", v(6, 0), Kind::Text, "";
    "tls-ca-cert-file", v(6, 0), Kind::Text, "";
    "tls-cert-file", v(6, 0), Kind::Text, "";
    "tls-ciphers", v(6, 0), Kind::Text, "";
    "tls-ciphersuites", v(6, 0), Kind::Text, "";
    "tls-client-cert-file", v(6, 0), Kind::Text, "";
    "tls-client-key-file", v(6, 0), Kind::Text, "";
    "tls-client-key-file-pass", v(6, 0), Kind::Text, "";
    "tls-cluster", v(6, 0), Kind::Off(NO_TLS), "no";
    "tls-dh-params-file", v(6, 0), Kind::Text, "";
    "tls-key-file", v(6, 0), Kind::Text, "";
    "tls-key-file-pass", v(6, 0), Kind::Text, "";
    "tls-port", v(6, 0), Kind::Integer(0, 65_535), "0";
    "tls-prefer-server-ciphers", v(6, 0), Kind::Switch, "no";
    "tls-protocols", v(6, 0), Kind::Text, "";
    "tls-replication", v(6, 0), Kind::Off(NO_TLS), "no";
    "tls-session-cache-size", v(6, 0), Kind::Integer(0, INT), "20480";
    "tls-session-cache-timeout", v(6, 0), Kind::Integer(0, INT), "300";
    "tls-session-caching", v(6, 0), Kind::Switch, "yes";
    "tracking-table-max-keys", v(6, 0), Kind::Integer(0, LONG), "1000000",
        |all, text| all.tracked_keys = number(text) as u64;
    "unixsocket", v(2, 2), Kind::Fixed, "";
    "unixsocketperm", v(4, 0), Kind::Fixed, "0";
    "use-exit-on-panic", v(7, 0), Kind::Switch, "no";
    "watchdog-period", v(2, 6), Kind::Integer(0, INT), "0";
    "zset-max-listpack-entries", v(7, 0), Kind::Integer(0, LONG), "128",
        |all, text| all.limits.zset_entries = number(text) as u64;
    "zset-max-listpack-value", v(7, 0), Kind::Memory(0, BYTES), "64",
        |all, text| all.limits.zset_value = number(text) as u64;
    "zset-max-ziplist-entries", v(2, 0), Kind::Integer(0, LONG), "128",
        |all, text| all.limits.zset_entries = number(text) as u64;
    "zset-max-ziplist-value", v(2, 0), Kind::Memory(0, BYTES), "64",
        |all, text| all.limits.zset_value = number(text) as u64;
}
