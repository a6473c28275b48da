//! Goal: version 2 answers as Redis 7 does, byte for byte, and version 1 where Redis 4 did the same. Method: random command streams of three
//! clients go to a `TestServer` and to a real redis-server; a failing stream is shrunk and printed with
//! its seed. The seeds are the same in every run; `HOTSHELL_DIFF_SEED` runs one, `HOTSHELL_DIFF_SECONDS`
//! runs new ones, as long; `HOTSHELL_REQUIRE_PEERS=1` makes a missing redis-server a failure.

mod common;
mod compare;
mod peer;
mod stream;

use hotshell_kv::Edition;

#[test]
fn random_streams_get_the_replies_of_redis() {
    compare::run::<common::V2>(stream::REQUESTS, compare::Like::Redis7);
}

/// Words of requests whose meaning came, or changed, after Redis 4: options, texts of errors, and what
/// takes other arguments since.
const NEWER: &[&str] = &[
    "O",
    "any",
    "byscore",
    "bylex",
    "rev",
    "keepttl",
    "exat",
    "pxat",
    "nosuchcommand",
    "Y",
    "R",
    "bit",
    "idletime",
];

/// Commands whose replies Redis changed between 4.0 and 7.0.
const CHANGED: &[&str] = &[
    "bitfield",
    "blpop",
    "brpop",
    "brpoplpush",
    "geodist",
    "geopos",
    "georadius",
    "georadius_ro",
    "georadiusbymember",
    "georadiusbymember_ro",
    "asking",
    "auth",
    "client",
    "command",
    "config",
    "fcall",
    "function",
    "latency",
    "memory",
    "module",
    "move",
    "multi",
    "exec",
    "object",
    "persist",
    "pfdebug",
    "pubsub",
    "quit",
    "readwrite",
    "restore",
    "script",
    "setbit",
    "sinter",
    "sinterstore",
    "slowlog",
];

#[test]
fn version_1_answers_as_redis_where_both_know_the_request() {
    let table = kv_v1::V1::table();
    let known = |request: &&str| {
        let words: Vec<&str> = request.split(' ').collect();
        let row = table.find(words[0].as_bytes());
        let grown = hotshell_kv::commands::FAMILIES.iter().copied().flatten();
        let grown = grown.filter(|row| row.name == words[0]).count() > 1;
        row.is_some_and(|row| row.takes(words.len()))
            && !grown
            && !CHANGED.contains(&words[0])
            && !request.starts_with("set K V get")
            && !words.iter().any(|word| NEWER.contains(word))
    };
    let requests: Vec<&str> = stream::REQUESTS.split(';').filter(known).collect();
    assert!(requests.len() > 150, "{} requests are left", requests.len());
    compare::run::<common::V1>(&requests.join(";"), compare::Like::Redis4As7);
}

/// Requests that version 1 does not answer as Redis 4 on purpose: see `DIFFERENCES.md`.
fn is_meant(args: &[Vec<u8>]) -> bool {
    let words: Vec<String> =
        args.iter().map(|arg| String::from_utf8_lossy(arg).to_ascii_lowercase()).collect();
    let has = |word: &str| words.iter().any(|other| other == word);
    let beyond = ["9223372036854775807", "-9223372036854775808"].iter().any(|word| has(word));
    match words[0].as_str() {
        "bitfield" if has("i64") => true,
        "client" => has("off") || has("skip"),
        // It breaks a HyperLogLog.
        "setrange" if words.get(1).is_some_and(|key| ["p0", "p1", "p2"].contains(&&**key)) => true,
        // Others may hold scores that are no position.
        "geohash" | "georadiusbymember" | "georadiusbymember_ro" => {
            words.get(1).is_some_and(|key| key != "places")
        }
        "bitfield" | "blpop" | "brpop" | "brpoplpush" | "decrby" | "select" | "setex"
        | "psetex" | "set" | "setrange" | "swapdb" => beyond,
        "hincrbyfloat" | "hmset" | "hset" | "hsetnx" | "incrbyfloat" => {
            has("inf") || has("+inf") || has("-inf")
        }
        "sinterstore" => true,
        _ => false,
    }
}

/// Debian has no such server any more, so this runs where one was built: `HOTSHELL_REDIS_4` is its path.
#[test]
fn version_1_answers_as_redis_4() {
    if std::env::var_os("HOTSHELL_REDIS_4").is_none() {
        return println!("skipped: HOTSHELL_REDIS_4 is not set: the path of a redis-server 4.0");
    }
    compare::run_without::<common::V1>(stream::REQUESTS, compare::Like::Redis4, is_meant);
}
