//! kv against a Redis in the same run: all default tests of redis-benchmark, resident memory per key,
//! the longest time for which the server answers nobody, and how long single calls take.

mod calls;
mod client;
mod instructions;
mod large;
mod limit;
mod memory;
mod rates;
mod stops;
mod words;

pub use client::Client;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::artifacts;
use crate::host::Host;
use crate::peer::Peer;
use crate::report::Report;

/// Options of `kv`.
#[derive(Debug, Args)]
pub struct KvArgs {
    /// The peer: redis-server, or a program that takes its options
    #[arg(long, default_value = "redis-server")]
    peer: String,
    /// What is measured, with commas
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "rates,limit,memory,stops,calls"
    )]
    parts: Vec<Part>,
    /// Tests of redis-benchmark, with commas; all if not given
    #[arg(long, value_delimiter = ',')]
    tests: Vec<String>,
    /// Requests in one write, with commas
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    pipeline: Vec<u64>,
    /// Connections
    #[arg(long, default_value_t = 50)]
    clients: u64,
    /// Measurements of each side; the median counts, and of stops and calls the least
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Requests of one measurement without pipelining; with it five times as many
    #[arg(long, default_value_t = 100_000)]
    requests: u64,
    /// Keys, members and fields that are drawn from; 0: always the same, redis-benchmark's default
    #[arg(long, default_value_t = 100_000)]
    keyspace: u64,
    /// Shapes whose memory is measured, parts of their names with commas; all if not given
    #[arg(long, value_delimiter = ',')]
    shapes: Vec<String>,
    /// Strings, and elements in all collections of one kind, whose memory is measured
    #[arg(long, default_value_t = 1_000_000)]
    elements: u64,
    /// Elements of the large value, or large key space, that is removed
    #[arg(long, default_value_t = 1_000_000)]
    large: u64,
    /// Runs the requests of one test and nothing else, for the counting child
    #[arg(long, hide = true)]
    inner: Option<String>,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Requests per second and CPU time per request
    Rates,
    /// The same of pipelines from a client that takes less time than the servers
    Limit,
    /// Resident memory per key
    Memory,
    /// The longest time without an answer
    Stops,
    /// How long one command on something large takes
    Calls,
    /// What the plugin does for each request of redis-benchmark's tests, without a shell
    Instructions,
}

/// Runs the benchmark.
pub fn run(args: &KvArgs) -> Result<Report> {
    let mut report = Report::new("kv");
    if let Some(test) = &args.inner {
        instructions::run_one(test, args.requests)?;
        return Ok(report);
    }
    for part in &args.parts {
        match part {
            Part::Rates => rates::run(args, &mut report)?,
            Part::Limit => limit::run(args, &mut report)?,
            Part::Memory => memory::run(args, &mut report)?,
            Part::Stops => stops::run(args, &mut report)?,
            Part::Calls => calls::run(args, &mut report)?,
            Part::Instructions => instructions::run(args, &mut report)?,
        }
    }
    Ok(report)
}

/// A fresh server of each side.
fn servers(args: &KvArgs) -> Result<(Host, Peer)> {
    Ok((Host::start(&artifacts::kv_v2()?)?, Peer::redis(&args.peer)?))
}
