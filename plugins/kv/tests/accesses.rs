//! Goal: OBJECT FREQ and OBJECT IDLETIME tell what Redis tells, also when the policy was changed in
//! between. Method: kv and a redis-server are asked the same; with a log factor of 0 each use counts, so
//! nothing is left to chance.

mod both;
mod common;
#[allow(dead_code, reason = "the differential test uses the rest")]
mod peer;
mod resp;

use std::time::{Duration, Instant};

use both::Both;
use common::{V2, text};

/// Commands that use a key as often here as in Redis.
const USES: [&str; 26] = [
    "get k",
    "set k v",
    "set k w",
    "setex k 100 v",
    "psetex k 100000 v",
    "mset k v k w",
    "getset k v",
    "get k",
    "rename k renamed",
    "copy renamed k",
    "copy renamed k replace",
    "get renamed",
    "move renamed 1",
    "swapdb 0 1",
    "get renamed",
    "swapdb 0 1",
    "get k",
    "getrange k 0 1",
    "strlen k",
    "touch k",
    "type k",
    "ttl k",
    "object encoding k",
    "sunionstore target members",
    "sunionstore target members",
    "zunionstore ranked 1 members",
];

#[track_caller]
fn same(both: &mut Both<V2>, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let [ours, theirs] = both.ask(&words).map(text);
    assert_eq!(ours, theirs, "{line}");
    ours
}

#[test]
fn accesses_are_counted_and_read_as_by_redis_whatever_the_policy_was() {
    let Some(mut both) = Both::start() else { return };
    both.catch_up();
    same(&mut both, "config set lfu-log-factor 0 lfu-decay-time 0 maxmemory-policy allkeys-lfu");
    same(&mut both, "set k v");
    let [_, members] = both.ask(&["sadd", "members", "a"]);
    assert_eq!(members, b":1\r\n");
    for line in USES {
        same(&mut both, line);
        for key in ["k", "renamed", "target", "ranked"] {
            let freq = both.ask(&["object", "freq", key]).map(text);
            assert_eq!(freq[0], freq[1], "of {key}, after {line}");
        }
    }
    same(&mut both, "config set lfu-decay-time 1");
    for policy in [
        "allkeys-lru",
        "allkeys-lfu",
        "volatile-lru",
        "volatile-lfu",
        "allkeys-random",
        "allkeys-lfu",
        "volatile-ttl",
        "noeviction",
    ] {
        same(&mut both, &format!("config set maxmemory-policy {policy}"));
        for round in 0..2 {
            for key in ["k", "target"] {
                let freq = agree(&mut both, &format!("object freq {key}"));
                let idle = agree(&mut both, &format!("object idletime {key}"));
                assert_ne!(freq.starts_with('-'), idle.starts_with('-'), "{policy}");
            }
            // What is used from now on is counted by the new policy alone.
            if round == 0 {
                same(&mut both, "get k");
            }
        }
    }
    same(&mut both, "config set maxmemory-policy allkeys-lru");
    let [_, reply] = both.ask(&["dump", "k"]);
    let begin = reply.iter().position(|&byte| byte == b'\n').expect("a bulk string") + 1;
    let payload = &reply[begin..reply.len() - 2];
    // The last one lies before the beginning of the clock of 24 bits, but for a few minutes in 194 days.
    for idle in ["0", "7", "1000", "16777000"] {
        let restore =
            [&b"restore"[..], b"k", b"0", payload, b"replace", b"idletime", idle.as_bytes()];
        assert_eq!(both.ask(&restore).map(text), ["+OK\r\n"; 2]);
        agree(&mut both, "object idletime k");
    }
}

/// Both answer the same at some moment: the clock that Redis reads here lags by up to 100 ms.
#[track_caller]
fn agree(both: &mut Both<V2>, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        both.catch_up();
        let [ours, theirs] = both.ask(&words).map(text);
        if ours == theirs {
            return ours;
        }
        assert!(Instant::now() < until, "{line}: ours {ours:?}, Redis' {theirs:?}");
    }
}
