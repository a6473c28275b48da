//! kv 1 and kv 2 on one keyspace: how long the server stops when the shape of its values changes, forth,
//! back, and back in the middle of the drain; whether a key or a stream is lost.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::json;

use crate::admin::number;
use crate::artifacts;
use crate::bars;
use crate::host::{Host, Switched};
use crate::kv::Client;
use crate::report::{Report, Table};

/// Options of `versions`.
#[derive(Debug, Args)]
pub struct VersionsArgs {
    /// Keys that both versions know: of ten, five texts, and one of each other type
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// Streams, which only version 2 knows
    #[arg(long, default_value_t = 1_000)]
    streams: u64,
    /// How often to go there and back
    #[arg(long, default_value_t = 5)]
    rounds: u64,
}

/// How often the host is asked how far its drain is.
const LOOK: Duration = Duration::from_millis(2);
/// Keys that are read back in each version.
const CHECKED: u64 = 1_000;
/// What is pushed, added or set into a key that is no text.
const FILLS: [(&str, &[&str]); 5] = [
    ("RPUSH", &["a", "b"]),
    ("SADD", &["a", "b"]),
    ("HSET", &["a", "1"]),
    ("ZADD", &["1", "a"]),
    ("SETBIT", &["7", "1"]),
];

/// Switches of one kind.
#[derive(Debug)]
struct Kind {
    what: &'static str,
    stops_us: Vec<f64>,
    drains_s: Vec<f64>,
    set_aside: f64,
}

/// Runs the benchmark.
pub fn run(args: &VersionsArgs) -> Result<Report> {
    let (v1, v2) = (artifacts::kv_v1()?, artifacts::kv_v2()?);
    let mut host = Host::with(&v1, |command| {
        command.args(["--probation", "0"]);
    })?;
    let mut client = Client::connect(host.address)?;
    fill(&mut client, args.keys)?;
    let mut kinds =
        ["to version 2", "back", "to version 2 again", "back, in the middle of the drain"]
            .map(|what| Kind { what, stops_us: Vec::new(), drains_s: Vec::new(), set_aside: 0.0 });
    let mut lost = 0;
    for round in 0..args.rounds {
        let first = round == 0;
        kinds[0].take(
            &mut host,
            |host| {
                if first { host.swap(&v2) } else { host.use_generation(2) }
            },
        )?;
        if first {
            for n in 0..args.streams {
                client.send(&[b"XADD", key("stream", n).as_bytes(), b"1-1", b"f", b"v"])?;
            }
        }
        lost += missing(&mut client, args.keys + args.streams)?;
        kinds[1].take(&mut host, Host::rollback)?;
        lost += missing(&mut client, args.keys)?;
        let there = host.use_generation(2)?;
        kinds[2].stops_us.push(there.pause_us);
        kinds[3].take(&mut host, Host::rollback)?;
        lost += missing(&mut client, args.keys)? + wrong(&mut client, args.keys)?;
    }
    host.use_generation(2)?;
    settled(&mut host)?;
    lost += missing(&mut client, args.keys + args.streams)?;
    for n in 0..args.streams {
        lost += u64::from(client.ask(&["XLEN", &key("stream", n)])? != b":1\r\n");
    }
    Ok(report(args, &kinds, lost))
}

fn key(of: &str, n: u64) -> String {
    format!("{of}:{n}")
}

fn fill(client: &mut Client, keys: u64) -> Result<()> {
    for n in 0..keys {
        let key = key("key", n);
        match FILLS.get((n % 10) as usize) {
            Some((verb, words)) => {
                let mut request = vec![verb.as_bytes(), key.as_bytes()];
                request.extend(words.iter().map(|word| word.as_bytes()));
                client.send(&request)?;
            }
            None => client.send(&[b"SET", key.as_bytes(), b"a value of some bytes"])?,
        }
    }
    client.finish()
}

/// By how many keys the database is off.
fn missing(client: &mut Client, expected: u64) -> Result<u64> {
    let reply = client.ask(&["DBSIZE"])?;
    let text = std::str::from_utf8(&reply)?.trim_start_matches(':').trim_end();
    let found: u64 = text.parse().with_context(|| format!("DBSIZE answered {text}"))?;
    Ok(found.abs_diff(expected))
}

/// How many texts of a sample are not what was set.
fn wrong(client: &mut Client, keys: u64) -> Result<u64> {
    let mut wrong = 0;
    let step = (keys / CHECKED).next_multiple_of(10).max(10);
    for n in (9..keys).step_by(step as usize) {
        let reply = client.ask(&["GET", &key("key", n)])?;
        wrong += u64::from(reply != b"$21\r\na value of some bytes\r\n");
    }
    Ok(wrong)
}

fn settled(host: &mut Host) -> Result<()> {
    let begun = Instant::now();
    while number(&host.status()?, "draining")? != 0.0 {
        ensure!(begun.elapsed() < Duration::from_secs(120), "the drain does not end");
        std::thread::sleep(LOOK);
    }
    Ok(())
}

impl Kind {
    /// Makes a switch, and waits for its drain.
    fn take(
        &mut self,
        host: &mut Host,
        switch: impl FnOnce(&mut Host) -> Result<Switched>,
    ) -> Result<()> {
        let begun = Instant::now();
        self.stops_us.push(switch(host)?.pause_us);
        settled(host)?;
        self.drains_s.push(begun.elapsed().as_secs_f64());
        self.set_aside = number(&host.status()?, "set_aside")?;
        Ok(())
    }

    fn worst_us(&self) -> f64 {
        self.stops_us.iter().copied().fold(0.0, f64::max)
    }
}

fn report(args: &VersionsArgs, kinds: &[Kind], lost: u64) -> Report {
    let mut report = Report::new("versions");
    report.note(format!(
        "{} keys of all types of version 1, {} streams, {} rounds",
        args.keys, args.streams, args.rounds
    ));
    let mut table = Table::new(
        "switches between kv 1 and kv 2",
        ["what", "stop us, median", "worst", "drain s, worst", "set aside"],
    );
    for kind in kinds {
        let mut stops = kind.stops_us.clone();
        stops.sort_by(f64::total_cmp);
        let drain = kind.drains_s.iter().copied().reduce(f64::max);
        table.row([
            json!(kind.what),
            json!(stops.get(stops.len() / 2)),
            json!(kind.worst_us()),
            json!(drain),
            json!(kind.set_aside),
        ]);
    }
    report.tables.push(table);
    for kind in kinds {
        report.judge(format!("{}: worst stop (us)", kind.what), bars::STOP_MAX_US, kind.worst_us());
    }
    report.judge("keys and streams lost or wrong", bars::LOST, lost as f64);
    report
}
