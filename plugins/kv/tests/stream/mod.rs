//! Random command streams: few keys, so that types clash; odd values; some requests spoiled.

mod arguments;
mod requests;
pub mod text;

use std::ops::Range;

#[allow(unused_imports, reason = "kv-streams has its own")]
pub use requests::REQUESTS;

use arguments::{argument, value};

/// Times to live are drawn from here, in seconds, and no other number is.
const TTL: Range<i64> = 700_000..800_000;

/// Whether a number can be a time to live of which some seconds have passed.
pub fn is_ttl(seconds: i64) -> bool {
    (TTL.start - 60..TTL.end).contains(&seconds)
}

/// One request of one client.
#[derive(Debug, Clone)]
pub struct Step {
    pub client: usize,
    pub args: Vec<Vec<u8>>,
}

/// SplitMix64.
pub struct Random(u64, u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed, 0)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// Spoiled, these would show what must differ: ids, orders, what is drawn by lot.
const KEEP: &[&str] = &[
    "scan",
    "hello",
    "command",
    "pubsub",
    "unsubscribe",
    "punsubscribe",
    "sunsubscribe",
    "hscan",
    "sscan",
    "hrandfield",
    "srandmember",
    "zrandmember",
    "randomkey",
    "spop",
];

/// With another argument these would wait, end within milliseconds, or tell of another server.
const UNCHANGED: &[&str] = &[
    "client",
    "dump",
    "failover",
    "getex",
    "memory",
    "script",
    "set",
    "sort",
    "wait",
    "xautoclaim",
    "xclaim",
    "xpending",
    "xread",
    "xreadgroup",
    "zscan",
];

/// Words that stand for times.
const TIMES: &[&str] = &["T", "M", "A", "P", "J", "W"];

/// Replies of these come in no order; of transactions, too, as they may hold them.
const IN_NO_ORDER: &[&str] = &[
    "hgetall",
    "hkeys",
    "hvals",
    "hscan",
    "hrandfield",
    "smembers",
    "sinter",
    "sunion",
    "sdiff",
    "spop",
    "srandmember",
    "sscan",
    "zscan",
    "zrandmember",
    "keys",
    "exec",
];

/// Whether the order of the reply is open.
pub fn in_no_order(args: &[Vec<u8>]) -> bool {
    let is = |arg: &[u8], word: &str| arg.eq_ignore_ascii_case(word.as_bytes());
    // Elements without a text to be sorted by stay in the order of the set.
    let any = |word| args.iter().any(|arg| is(arg, word));
    let unsorted = args[0].len() >= 4 && is(&args[0][..4], "sort") && any("by") && any("alpha");
    unsorted || IN_NO_ORDER.iter().any(|name| is(&args[0], name))
}

/// Whether the reply holds seconds or milliseconds that have passed.
pub fn tells_time(args: &[Vec<u8>]) -> bool {
    let is =
        |n: usize, word: &str| args.get(n).is_some_and(|a| a.eq_ignore_ascii_case(word.as_bytes()));
    let idle = is(0, "object") && is(1, "idletime");
    let of_consumers = is(0, "xinfo") && (is(1, "consumers") || is(3, "full"));
    idle || (is(0, "xpending") && args.len() > 3) || of_consumers || is(0, "exec")
}

fn tells_prefixes(request: &str) -> bool {
    request.contains("bcast")
}

/// Whether it may let its client wait.
fn blocks(request: &str) -> bool {
    let name = request.split(' ').next().unwrap_or("");
    name.starts_with("bl") || name.starts_with("br") || name.starts_with("bz") || name == "wait"
}

/// A stream of so many steps.
pub fn stream(random: &mut Random, requests: &str, steps: usize, clients: usize) -> Vec<Step> {
    // How many changes a message holds that tells of prefixes is open where one request lets others go on.
    let other = if random.below(2) == 0 { tells_prefixes } else { blocks };
    let left = |request: &&str| !other(request);
    let requests: Vec<&str> = requests.split(';').filter(left).collect();
    let mut stream = Vec::new();
    for _ in 0..steps {
        let request = random.pick(&requests);
        let mut args: Vec<Vec<u8>> =
            request.split(' ').map(|word| argument(random, word)).collect();
        spoil(random, request, &mut args);
        // Mostly one client, so that its transactions get somewhere.
        let client = if random.below(2) == 0 { 0 } else { random.below(clients) };
        stream.push(Step { client, args });
    }
    stream
}

/// Makes one request in ten an odd one.
fn spoil(random: &mut Random, request: &str, args: &mut Vec<Vec<u8>>) {
    let words: Vec<&str> = request.split(' ').collect();
    let cuttable = !KEEP.contains(&words[0]);
    let changeable = cuttable
        && !UNCHANGED.contains(&words[0])
        && words.len() > 1
        // What ranges by name are of members with several scores is open.
        && !words.iter().any(|word| TIMES.contains(word) || *word == "lex");
    let mut at = || random.below(args.len());
    let (one, other) = (at(), at());
    match random.below(60) {
        0 if cuttable => args.truncate(one.max(1)),
        1 if cuttable => args.push(value(random)),
        2 => args[0] = args[0].to_ascii_uppercase(),
        3 | 4 if words[0] != "hello" => args[one] = args[one].to_ascii_uppercase(),
        5 | 6 if changeable => args[one.max(1)] = odd(random, words[0]),
        7 if changeable => args.insert(one.max(1), args[other].clone()),
        8 if changeable => args.swap(one.max(1), other.max(1)),
        _ => {}
    }
    // A negative zero is one of a large sorted set of Redis only.
    if words[0].starts_with('z') {
        args.iter_mut().filter(|arg| *arg == b"-0").for_each(|arg| *arg = b"0".to_vec());
    }
}

fn odd(random: &mut Random, command: &str) -> Vec<u8> {
    let odd = match random.below(4) {
        0 => argument(random, "N"),
        1 => argument(random, "I"),
        2 => argument(random, "O"),
        _ => value(random),
    };
    // A negative zero is one of a large sorted set of Redis only.
    if odd == b"-0" && !command.starts_with('h') { b"0".to_vec() } else { odd }
}
