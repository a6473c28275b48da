//! Requests per second and CPU time per request, against a peer in the same run, with
//! redis-benchmark: peer and hotshell by turns, A B B A.

use anyhow::Result;
use clap::Args;

use crate::artifacts;
use crate::host::Host;
use crate::peer::Peer;
use crate::redis_benchmark::{HEADER, Load, Measured, Work, judge, measure, middle};
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
    let mut table = Table::new("against the peer", HEADER);
    for &pipeline in &args.pipeline {
        for test in &args.tests {
            let requests = args.requests * if pipeline > 1 { 8 } else { 1 };
            let ThroughputArgs { clients, keyspace, size, threads, .. } = *args;
            let load = Load { clients, requests, pipeline, keyspace, size, threads };
            let (ours, theirs) = compare(load, Work::Test(test), args.rounds, (&host, &peer))?;
            judge(&mut report, &mut table, "", (test.as_str(), pipeline), (ours, theirs));
        }
    }
    report.tables.push(table);
    Ok(report)
}

/// Medians of both sides.
pub fn compare(
    load: Load,
    work: Work<'_>,
    rounds: usize,
    (host, peer): (&Host, &Peer),
) -> Result<(Measured, Measured)> {
    let ours = || measure(load, work, host.address, &host.process);
    let theirs = || measure(load, work, peer.address, &peer.process);
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
