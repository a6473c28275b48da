//! Goal: no input makes the plugin panic, or take memory without bounds. Method: the corpus of
//! `plugins/kv/fuzz`, and seeded changes of it and of requests made from the command table: the same number
//! of the same in every run. `HOTSHELL_FUZZ_SEED` takes another seed, `HOTSHELL_FUZZ_SECONDS` goes on for
//! so long, from a seed of the clock's unless one is given.

mod common;
#[path = "fuzz/targets.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{V1, V2, encode, text, words};
use hotshell_kv_streams::Edition;
use hotshell_plugin_api::testing::TestServer;

/// What arguments are made of beside what the corpus has.
const WORDS: &[&str] = &[
    "a",
    "b",
    "c",
    "0",
    "1",
    "-1",
    "2",
    "3",
    "10",
    "-100",
    "1.5",
    "-2.5",
    "inf",
    "-inf",
    "nan",
    "(1",
    "[a",
    "(b",
    "-",
    "+",
    "",
    "x",
    "*",
    "0-0",
    "1-1",
    "5-*",
    "$",
    ">",
    "=",
    "~",
    "9223372036854775807",
    "-9223372036854775808",
    "1e300",
    "count",
    "match",
    "limit",
    "withscores",
    "weights",
    "aggregate",
    "sum",
    "nx",
    "xx",
    "ex",
    "px",
    "get",
    "keepttl",
    "by",
    "alpha",
    "desc",
    "store",
    "left",
    "right",
    "before",
    "after",
    "rank",
    "maxlen",
    "rev",
    "byscore",
    "bylex",
    "streams",
    "group",
    "block",
    "u8",
    "i64",
    "overflow",
    "sat",
    "fail",
    "set",
    "incrby",
    "m",
    "km",
    "1000000",
    "70000",
    "line\r\nbreak",
    "a-value-that-is-longer-than-what-lies-within-the-header-of-a-string-and-than-64-bytes",
];
/// Commands that would only end the run, or wait.
const LEFT_OUT: &[&str] = &["shutdown", "quit", "auth", "monitor"];

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(z ^ (z >> 31)) * n as u128) >> 64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let all: Vec<_> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(all.len() >= 10, "{} holds a corpus", folder.display());
    all
}

/// Runs `check` on so many inputs that `make` makes, or on those of some seconds. One that fails is printed.
fn run(
    name: &str,
    count: u64,
    mut make: impl FnMut(&mut Random) -> Vec<u8>,
    check: impl Fn(&[u8]),
) {
    let setting = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    let budget = setting("HOTSHELL_FUZZ_SECONDS").map(Duration::from_secs);
    let unset = if budget.is_some() { clock } else { 1 };
    let seed = setting("HOTSHELL_FUZZ_SEED").unwrap_or(unset);
    let (start, mut random, mut inputs) = (Instant::now(), Random(seed), 0);
    while budget.map_or(inputs < count, |budget| start.elapsed() < budget) {
        let input = make(&mut random);
        inputs += 1;
        if catch_unwind(AssertUnwindSafe(|| check(&input))).is_err() {
            let shown = input.escape_ascii().to_string();
            panic!("{name}: HOTSHELL_FUZZ_SEED={seed}, input {inputs}: \"{shown}\"");
        }
    }
    println!("{name}: {inputs} inputs from seed {seed}");
}

/// Changes an input in some places.
fn mutate(random: &mut Random, all: &[Vec<u8>]) -> Vec<u8> {
    let mut input = random.pick(all).clone();
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        let end = (at + random.below(20)).min(input.len());
        match random.below(6) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 => drop(input.drain(at..end)),
            2 => input.truncate(at),
            3 => {
                let other = random.pick(all);
                let from = random.below(other.len() + 1);
                input.splice(at..end, other[from..].iter().copied());
            }
            4 => {
                let word = random.pick(WORDS).as_bytes();
                input.splice(at..end, word.iter().copied());
            }
            _ => {
                let bytes = [b'\r', b'\n', b'$', b'*', b'-', b'0', b'9', b'"', 0, 255];
                input.insert(at, *random.pick(&bytes));
            }
        }
    }
    input
}

/// Requests of any commands with any arguments.
fn requests(random: &mut Random) -> Vec<u8> {
    let rows: Vec<_> = kv_v2::V2::table().rows().collect();
    let mut all = Vec::new();
    for _ in 0..1 + random.below(40) {
        let row = *random.pick(&rows);
        if LEFT_OUT.contains(&row.name) {
            continue;
        }
        let mut args = vec![row.name];
        if !row.subs.is_empty() && random.below(8) > 0 {
            args.push(random.pick(row.subs).name);
        }
        let fewest = usize::from(row.arity.unsigned_abs()).saturating_sub(args.len());
        let count = fewest + if row.arity < 0 { random.below(6) } else { 0 };
        args.extend((0..count).map(|_| *random.pick(WORDS)));
        all.extend(encode(&args));
    }
    all
}

#[test]
fn the_corpus_goes_through() {
    corpus("parser").iter().for_each(|input| targets::parser(input));
    for input in corpus("dispatcher") {
        targets::dispatcher::<V1>(&input);
        targets::dispatcher::<V2>(&input);
    }
}

#[test]
fn the_parser_takes_any_bytes() {
    let all = corpus("parser");
    run("parser", 500_000, |random| mutate(random, &all), targets::parser);
}

#[test]
fn the_dispatcher_takes_any_bytes() {
    let all = corpus("dispatcher");
    run(
        "bytes",
        1000,
        |random| mutate(random, &all),
        |input| {
            targets::dispatcher::<V1>(input);
            targets::dispatcher::<V2>(input);
        },
    );
}

#[test]
fn the_dispatcher_takes_any_command_with_any_arguments() {
    run("commands", 800, requests, |input| {
        targets::dispatcher::<V1>(input);
        targets::dispatcher::<V2>(input);
    });
}

#[test]
fn what_is_just_allowed_is_waited_for_and_one_more_is_an_error() {
    let answer = |request: &[u8]| {
        let mut server = TestServer::<V2>::new();
        let client = server.connect();
        server.feed(client, request);
        let reply = text(server.read(client));
        assert_eq!(server.is_connected(client), reply.is_empty(), "{reply}");
        reply
    };
    let inline = |len: usize| answer(&vec![b'x'; len]);
    assert_eq!(answer(b"*1048576\r\n$4\r\nPING\r\n"), "");
    assert_eq!(answer(b"*1048577\r\n"), "-ERR Protocol error: invalid multibulk length\r\n");
    assert_eq!(answer(b"*2\r\n$4\r\nECHO\r\n$536870912\r\nx"), "");
    let too_long = answer(b"*2\r\n$4\r\nECHO\r\n$536870913\r\n");
    assert_eq!(too_long, "-ERR Protocol error: invalid bulk length\r\n");
    assert_eq!(inline(64 * 1024), "");
    assert_eq!(inline(64 * 1024 + 1), "-ERR Protocol error: too big inline request\r\n");
    let count = |mark: &[u8], len: usize| answer(&[mark, &vec![b'1'; len]].concat());
    assert_eq!(count(b"*", 64 * 1024), "");
    let text = "-ERR Protocol error: too big mbulk count string\r\n";
    assert_eq!(count(b"*", 64 * 1024 + 1), text);
    let text = "-ERR Protocol error: too big bulk count string\r\n";
    assert_eq!(count(b"*1\r\n$", 64 * 1024 + 1), text);
}

#[test]
fn a_string_does_not_grow_beyond_what_a_request_could_hold() {
    let mut server = TestServer::<V2>::new();
    let client = server.connect();
    let error = b"-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
    assert_eq!(server.ask(client, &words("setrange k 536870912 x")), error);
    let error = b"-ERR bit offset is not an integer or out of range\r\n";
    assert_eq!(server.ask(client, &words("setbit k 4294967296 1")), error);
    assert_eq!(server.ask(client, &words("exists k")), b":0\r\n");
    assert!(server.state_bytes() < 1 << 20);
}
