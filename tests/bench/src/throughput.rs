//! Requests per second and CPU time per request, against a peer in the same run, with
//! redis-benchmark: peer and hotshell by turns, A B B A.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;

use crate::artifacts;
use crate::bars;
use crate::host::Host;
use crate::median::median;
use crate::peer::Peer;
use crate::process::Process;
use crate::report::{Report, Table};

/// Options of `throughput`.
#[derive(Debug, Args)]
pub struct ThroughputArgs {
    /// The peer: redis-server, or a program that takes its options
    #[arg(long, default_value = "redis-server")]
    peer: String,
    /// Command line of another peer, with {port} where the port goes
    #[arg(long)]
    peer_cmd: Option<String>,
    /// Tests of redis-benchmark, with commas
    #[arg(long, value_delimiter = ',', default_value = "get,set")]
    tests: Vec<String>,
    /// Requests in one write, with commas
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    pipeline: Vec<u64>,
    /// Connections
    #[arg(long, default_value_t = 50)]
    clients: u64,
    /// Measurements of each side; the median counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Requests of one measurement without pipelining; with it eight times as many
    #[arg(long, default_value_t = 300_000)]
    requests: u64,
    /// Keys that are drawn from
    #[arg(long, default_value_t = 100_000)]
    keyspace: u64,
    /// Bytes of a value
    #[arg(long, default_value_t = 3)]
    size: u64,
    /// Threads of redis-benchmark
    #[arg(long, default_value_t = 1)]
    threads: u64,
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Requests per second.
    pub requests_per_s: f64,
    /// CPU time of the server per request, microseconds.
    pub cpu_us: f64,
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// A test of redis-benchmark.
    pub test: &'a str,
    /// Requests in one write.
    pub pipeline: u64,
    /// Requests of one measurement.
    pub requests: u64,
}

/// How redis-benchmark asks.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Connections.
    pub clients: u64,
    /// Keys that are drawn from.
    pub keyspace: u64,
    /// Bytes of a value.
    pub size: u64,
    /// Its threads.
    pub threads: u64,
}

impl Default for Load {
    fn default() -> Self {
        Self { clients: 50, keyspace: 100_000, size: 3, threads: 1 }
    }
}

/// A server that is measured.
pub type Side<'a> = (SocketAddr, &'a Process);

/// Runs the benchmark.
pub fn run(args: &ThroughputArgs) -> Result<Report> {
    let peer = match &args.peer_cmd {
        Some(line) => Peer::command(line)?,
        None => Peer::redis(&args.peer)?,
    };
    let host = Host::start(&artifacts::kv_v2()?)?;
    let mut report = Report::new("throughput");
    report.note(format!(
        "redis-benchmark, {} connections, {} keys, {} byte values; medians of {} measurements \
         of each side, by turns",
        args.clients, args.keyspace, args.size, args.rounds
    ));
    let mut table = Table::new(
        "against the peer",
        [
            "test",
            "pipeline",
            "ours req/s",
            "peer req/s",
            "ratio",
            "ours CPU us/req",
            "peer CPU us/req",
            "ratio",
        ],
    );
    let ThroughputArgs { clients, keyspace, size, threads, .. } = *args;
    let load = Load { clients, keyspace, size, threads };
    for &pipeline in &args.pipeline {
        for test in &args.tests {
            let requests = args.requests * if pipeline > 1 { 8 } else { 1 };
            let case = Case { test, pipeline, requests };
            let sides = ((host.address, &host.process), (peer.address, &peer.process));
            let (ours, theirs) = compare(&load, case, args.rounds, sides)?;
            let speed = ours.requests_per_s / theirs.requests_per_s;
            let cpu = ours.cpu_us / theirs.cpu_us;
            table.row([
                json!(test),
                json!(pipeline),
                json!(ours.requests_per_s),
                json!(theirs.requests_per_s),
                json!(speed),
                json!(ours.cpu_us),
                json!(theirs.cpu_us),
                json!(cpu),
            ]);
            let bar = if pipeline > 1 { bars::RPS_PIPELINED } else { bars::RPS_P1 };
            report.judge(format!("{test} P{pipeline}: requests/s, ours / peer"), bar, speed);
            report.judge(format!("{test} P{pipeline}: CPU, ours / peer"), bars::CPU, cpu);
        }
    }
    report.tables.push(table);
    Ok(report)
}

/// Medians of both sides.
pub fn compare(
    load: &Load,
    case: Case<'_>,
    rounds: usize,
    (ours, peer): (Side<'_>, Side<'_>),
) -> Result<(Measured, Measured)> {
    let ours = || measure(load, case, ours);
    let theirs = || measure(load, case, peer);
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            b.push(theirs()?);
            a.push(ours()?);
        } else {
            a.push(ours()?);
            b.push(theirs()?);
        }
    }
    Ok((middle(&a), middle(&b)))
}

fn middle(all: &[Measured]) -> Measured {
    Measured {
        requests_per_s: median(all.iter().map(|one| one.requests_per_s)),
        cpu_us: median(all.iter().map(|one| one.cpu_us)),
    }
}

fn measure(load: &Load, case: Case<'_>, (address, server): Side<'_>) -> Result<Measured> {
    let mut command = Command::new("redis-benchmark");
    command.args(["-h", "127.0.0.1", "--csv", "-t", case.test]);
    for (option, value) in [
        ("-p", u64::from(address.port())),
        ("-c", load.clients),
        ("-n", case.requests),
        ("-P", case.pipeline),
        ("-r", load.keyspace),
        ("-d", load.size),
    ] {
        command.args([option, &value.to_string()]);
    }
    if load.threads > 1 {
        command.args(["--threads", &load.threads.to_string()]);
    }
    let before_s = server.cpu_s()?;
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run redis-benchmark; it is in Debian's package redis-tools")?;
    let cpu_s = server.cpu_s()? - before_s;
    ensure!(output.status.success(), "redis-benchmark: {}", output.status);
    let cpu_us = cpu_s * 1e6 / case.requests as f64;
    Ok(Measured { requests_per_s: rate_in(&String::from_utf8_lossy(&output.stdout))?, cpu_us })
}

/// Requests per second in redis-benchmark's CSV: `"SET","143266.47","0.208",...`.
fn rate_in(csv: &str) -> Result<f64> {
    let found = csv.lines().filter_map(|line| line.split(',').nth(1));
    let mut rates = found.filter_map(|cell| cell.trim_matches('"').parse().ok());
    match rates.next() {
        Some(rate) => Ok(rate),
        None => bail!("redis-benchmark printed no rate: {csv}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_found_with_and_without_a_header() {
        let new = "\"test\",\"rps\",\"avg_latency_ms\"\n\"GET\",\"143266.47\",\"0.208\"\n";
        assert_eq!(rate_in(new).unwrap(), 143266.47);
        assert_eq!(rate_in("\"GET\",\"99.00\"\n").unwrap(), 99.0);
        assert!(rate_in("").is_err());
    }
}
