//! The longest time in which nobody is answered while something large goes away or grows.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use super::KvArgs;
use super::client::Client;
use super::large::{Fill, fill};
use crate::bars;
use crate::report::{Report, Table};

/// What happens to something large.
#[derive(Debug, Clone, Copy)]
struct Act {
    /// What it is filled by.
    fill: Fill,
    /// What is done then, `big` being the key; words.
    then: &'static str,
}

/// How long others ask on after it, so that what is done later counts.
const AFTER: Duration = Duration::from_millis(500);

const ACTS: [Act; 17] = [
    Act { fill: Fill::List, then: "DEL big" },
    Act { fill: Fill::Hash, then: "DEL big" },
    Act { fill: Fill::Set, then: "DEL big" },
    Act { fill: Fill::Zset, then: "DEL big" },
    Act { fill: Fill::Keys, then: "FLUSHALL" },
    Act { fill: Fill::List, then: "UNLINK big" },
    Act { fill: Fill::Hash, then: "UNLINK big" },
    Act { fill: Fill::Set, then: "UNLINK big" },
    Act { fill: Fill::Zset, then: "UNLINK big" },
    Act { fill: Fill::Keys, then: "FLUSHALL ASYNC" },
    Act { fill: Fill::Hash, then: "PEXPIRE big 1" },
    Act { fill: Fill::Zset, then: "PEXPIRE big 1" },
    Act { fill: Fill::Hash, then: "SET big small" },
    Act { fill: Fill::Set, then: "SUNIONSTORE big none" },
    Act { fill: Fill::Zset, then: "RENAME small big" },
    Act { fill: Fill::List, then: "LTRIM big 1 0" },
    Act { fill: Fill::KeysWithTime, then: "DBSIZE" },
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
            json!(act.fill.command()),
            json!(act.then),
            json!(ours.filling_ms),
            json!(theirs.filling_ms),
            json!(ours.then_ms),
            json!(theirs.then_ms),
        ]);
        let beyond = ours.then_ms - theirs.then_ms;
        let what = format!("{} .. {}: stop beyond the peer's (ms)", act.fill.command(), act.then);
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
    let filling_ms = longest_ping(address, || fill(&mut client, act.fill, elements))?;
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
