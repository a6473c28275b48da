//! Goal: version 2 answers as Redis 7 does, byte for byte. Method: random command streams of three
//! clients go to a `TestServer` and to a real redis-server; a failing stream is shrunk and printed with
//! its seed. `HOTSHELL_DIFF_SEED` repeats one, `HOTSHELL_DIFF_SECONDS` runs longer,
//! `HOTSHELL_REQUIRE_PEERS=1` makes a missing redis-server a failure.

mod common;
mod peer;
mod stream;

use std::time::{Duration, Instant};

use common::{V2, encode};
use hotshell_plugin_api::testing::TestServer;
use peer::Redis;
use stream::{Random, Step, stream};

const CLIENTS: usize = 3;
const STEPS: usize = 150;

#[test]
fn random_streams_get_the_replies_of_redis() {
    let Some(mut redis) = Redis::start() else {
        assert!(
            std::env::var("HOTSHELL_REQUIRE_PEERS").as_deref() != Ok("1"),
            "HOTSHELL_REQUIRE_PEERS=1, but there is no redis-server 7.0 in PATH"
        );
        println!("skipped: no redis-server");
        return;
    };
    let setting = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let only = setting("HOTSHELL_DIFF_SEED");
    let first = only.unwrap_or_else(peer::unix_ms);
    let budget = Duration::from_secs(setting("HOTSHELL_DIFF_SECONDS").unwrap_or(3));
    let start = Instant::now();
    for seed in first.. {
        let mut random = Random::new(seed);
        let resp3 = [0; CLIENTS].map(|_| random.below(2) == 1);
        let steps = stream(&mut random, STEPS, CLIENTS);
        if let Some(failure) = compare(&mut redis, resp3, &steps) {
            // On a loaded machine a clock may jump a second between the two: what is wrong, is wrong
            // again.
            if compare(&mut redis, resp3, &steps).is_none() {
                println!("seed {seed} differed once:\n{failure}");
                continue;
            }
            let steps = shrink(&mut redis, resp3, steps, start + budget * 4);
            let failure = compare(&mut redis, resp3, &steps).unwrap_or(failure);
            panic!("seed {seed}, RESP3: {resp3:?}\n{}{failure}", print(&steps));
        }
        if only.is_some() || start.elapsed() > budget {
            println!("{} streams from seed {first} on", seed - first + 1);
            return;
        }
    }
}

/// Runs a stream on both, with clients that speak RESP3 or not; what differs first.
fn compare(redis: &mut Redis, resp3: [bool; CLIENTS], steps: &[Step]) -> Option<String> {
    redis.renew(CLIENTS);
    let mut server = TestServer::<V2>::new();
    let clients: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
    for (i, &client) in clients.iter().enumerate().filter(|(i, _)| resp3[*i]) {
        // The replies hold ids, which differ.
        server.ask(client, &encode(&["hello", "3"]));
        redis.send(i, &encode(&["hello", "3"]));
        redis.read_until(i, |reply| reply.ends_with(b"modules\r\n*0\r\n"));
    }
    // Whether a reply that is still to come is of no order: a client may wait meanwhile.
    let mut loose = [false; CLIENTS];
    for (n, step) in steps.iter().enumerate() {
        loose[step.client] |= stream::in_no_order(&step.args);
        server.advance(peer::unix_ms().saturating_sub(server.unix_ms()));
        let request = encode(&step.args);
        redis.send(step.client, &request);
        if server.is_connected(clients[step.client]) {
            server.feed(clients[step.client], &request);
        }
        redis.sync();
        for (i, &client) in clients.iter().enumerate() {
            let ours = server.read(client);
            let theirs = redis.read_until(i, |theirs| same(&ours, theirs, loose[i]));
            if !same(&ours, &theirs, loose[i]) {
                let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                return Some(format!(
                    "after step {n}, client {i}:\n  kv:    {:?}\n  redis: {:?}\n",
                    show(&ours),
                    show(&theirs)
                ));
            }
            loose[i] &= ours.is_empty();
        }
    }
    if let Err(refusal) = server.self_test() {
        return Some(format!("self-test: {refusal}\n"));
    }
    let panics = server.panics().to_vec();
    (!panics.is_empty()).then(|| format!("panics: {panics:?}\n"))
}

/// Equal, but for times that moved on between the two servers, and for the `loose` order of what has
/// none.
fn same(ours: &[u8], theirs: &[u8], loose: bool) -> bool {
    if ours == theirs {
        return true;
    }
    let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
        bytes.split(|&b| b == b'\n').map(|line| line.to_vec()).collect()
    };
    let (mut ours, mut theirs) = (lines(ours), lines(theirs));
    if loose {
        ours.sort();
        theirs.sort();
    }
    ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| a == b || near(a, b))
}

/// Whether both lines are integers of the size that `stream` uses for times only, and near.
fn near(a: &[u8], b: &[u8]) -> bool {
    let number = |line: &[u8]| -> Option<i64> {
        std::str::from_utf8(line).ok()?.trim_end().strip_prefix(':')?.parse().ok()
    };
    let (Some(a), Some(b)) = (number(a), number(b)) else { return false };
    let seconds = stream::is_ttl(a) || (1_700_000_000..2_100_000_000).contains(&a);
    let tolerance = if seconds { 1 } else { 1000 };
    let millis = stream::is_ttl(a / 1000) || (1_700_000_000_000..2_100_000_000_000).contains(&a);
    (seconds || millis) && (a - b).abs() <= tolerance
}

/// Leaves out steps as long as the stream still fails.
fn shrink(
    redis: &mut Redis,
    resp3: [bool; CLIENTS],
    mut steps: Vec<Step>,
    until: Instant,
) -> Vec<Step> {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() && Instant::now() < until {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            if compare(redis, resp3, &fewer).is_some() {
                steps = fewer;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    steps
}

fn print(steps: &[Step]) -> String {
    let line = |step: &Step| {
        let args: Vec<String> =
            step.args.iter().map(|arg| format!("{:?}", String::from_utf8_lossy(arg))).collect();
        format!("  client {}: {}\n", step.client, args.join(" "))
    };
    steps.iter().map(line).collect()
}
