//! The longest time in which nobody is answered while something large goes away or grows.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use super::KvArgs;
use super::client::Client;
use crate::bars;
use crate::report::{Report, Table};

/// What happens to something large.
#[derive(Debug, Clone, Copy)]
struct Act {
    /// The command that fills, and how many words one element takes.
    fill: (&'static str, usize),
    /// What is done then, `big` being the key; words.
    then: &'static str,
}

/// How long others ask on after it, so that what is done later counts.
const AFTER: Duration = Duration::from_millis(500);
/// Elements that go into one request.
const BATCH: u64 = 100;

const ACTS: [Act; 17] = [
    Act { fill: ("RPUSH", 1), then: "DEL big" },
    Act { fill: ("HSET", 2), then: "DEL big" },
    Act { fill: ("SADD", 1), then: "DEL big" },
    Act { fill: ("ZADD", 2), then: "DEL big" },
    Act { fill: ("SET", 2), then: "FLUSHALL" },
    Act { fill: ("RPUSH", 1), then: "UNLINK big" },
    Act { fill: ("HSET", 2), then: "UNLINK big" },
    Act { fill: ("SADD", 1), then: "UNLINK big" },
    Act { fill: ("ZADD", 2), then: "UNLINK big" },
    Act { fill: ("SET", 2), then: "FLUSHALL ASYNC" },
    Act { fill: ("HSET", 2), then: "PEXPIRE big 1" },
    Act { fill: ("ZADD", 2), then: "PEXPIRE big 1" },
    Act { fill: ("HSET", 2), then: "SET big small" },
    Act { fill: ("SADD", 1), then: "SUNIONSTORE big none" },
    Act { fill: ("ZADD", 2), then: "RENAME small big" },
    Act { fill: ("RPUSH", 1), then: "LTRIM big 1 0" },
    Act { fill: ("SETEX", 3), then: "DBSIZE" },
];

/// Measures all acts.
pub fn run(args: &KvArgs, report: &mut Report) -> Result<()> {
    report.note(format!(
        "stops: the longest PING of another client, of {} elements; the least of {} rounds, since what \
         the machine does meanwhile comes on top",
        args.large, args.rounds
    ));
    let mut table = Table::new(
        "longest time without an answer (ms)",
        ["filled by", "then", "filling", "peer's", "then", "peer's"],
    );
    for act in ACTS {
        let (mut ours, mut theirs) = (Stops::WORST, Stops::WORST);
        for _ in 0..args.rounds {
            let (host, peer) = super::servers(args)?;
            theirs = theirs.least(stops(peer.address, act, args.large)?);
            ours = ours.least(stops(host.address, act, args.large)?);
        }
        table.row([
            json!(act.fill.0),
            json!(act.then),
            json!(ours.filling_ms),
            json!(theirs.filling_ms),
            json!(ours.then_ms),
            json!(theirs.then_ms),
        ]);
        let beyond = ours.then_ms - theirs.then_ms;
        let what = format!("{} .. {}: stop beyond the peer's (ms)", act.fill.0, act.then);
        report.judge(what, bars::STOP_BEYOND_PEER_MS, beyond);
    }
    report.tables.push(table);
    Ok(())
}

/// The longest waits while it is filled, and while the act is done and a while after.
#[derive(Debug, Clone, Copy)]
struct Stops {
    filling_ms: f64,
    then_ms: f64,
}

impl Stops {
    const WORST: Self = Self { filling_ms: f64::INFINITY, then_ms: f64::INFINITY };

    fn least(self, other: Self) -> Self {
        Self {
            filling_ms: self.filling_ms.min(other.filling_ms),
            then_ms: self.then_ms.min(other.then_ms),
        }
    }
}

fn stops(address: SocketAddr, act: Act, elements: u64) -> Result<Stops> {
    let mut client = Client::connect(address)?;
    client.ask(&["SADD", "small", "member"])?;
    let filling_ms = longest_ping(address, || fill(&mut client, act, elements))?;
    let words: Vec<&str> = act.then.split(' ').collect();
    let then_ms = longest_ping(address, || {
        client.ask(&words)?;
        std::thread::sleep(AFTER);
        Ok(())
    })?;
    Ok(Stops { filling_ms, then_ms })
}

/// The longest wait of a client that asks PING after PING while `work` is done, milliseconds.
fn longest_ping(address: SocketAddr, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let (begun, done) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| -> Result<f64> {
            let mut client = Client::connect(address)?;
            client.ask(&["PING"])?;
            let mut longest = Duration::ZERO;
            begun.store(true, Ordering::Release);
            while !done.load(Ordering::Acquire) {
                let start = Instant::now();
                client.ask(&["PING"])?;
                longest = longest.max(start.elapsed());
            }
            Ok(longest.as_secs_f64() * 1e3)
        });
        while !begun.load(Ordering::Acquire) && !asking.is_finished() {
            std::thread::yield_now();
        }
        let worked = work();
        done.store(true, Ordering::Release);
        let longest = asking.join().map_err(|_| anyhow::anyhow!("the asking thread panicked"))?;
        worked.and(longest)
    })
}

fn fill(client: &mut Client, act: Act, elements: u64) -> Result<()> {
    let (command, words) = act.fill;
    for first in (0..elements).step_by(BATCH as usize) {
        let some = first..(first + BATCH).min(elements);
        if command.starts_with("SET") {
            for n in some {
                let key = format!("key:{n:012}");
                let args: &[&[u8]] = &[command.as_bytes(), key.as_bytes(), b"100", b"value"];
                let without_time = [args[0], args[1], args[3]];
                client.send(if words == 3 { args } else { &without_time })?;
            }
            continue;
        }
        let all: Vec<String> = some
            .flat_map(|n| [n.to_string(), format!("element:{n:08}")].into_iter().skip(2 - words))
            .collect();
        let mut args = vec![command.as_bytes(), b"big"];
        args.extend(all.iter().map(|word| word.as_bytes()));
        client.send(&args)?;
    }
    client.finish()
}
