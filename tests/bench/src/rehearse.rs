//! The traffic of `swap` against any server that speaks RESP, without swaps: whether the checks and
//! the server agree, and what its latencies are.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::bars;
use crate::clock::{MILLISECOND, SECOND};
use crate::process::raise_open_files;
use crate::report::{Report, Table};
use crate::traffic::{Cast, Pace, Points, Style, Traffic, fill, verify_filled};

/// Options of `rehearse`.
#[derive(Debug, Args)]
pub struct RehearseArgs {
    /// The server
    #[arg(long)]
    address: SocketAddr,
    /// Keys that are filled before, and read back after
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
    /// Connections
    #[arg(long, default_value_t = 100)]
    clients: usize,
    /// Every second client is idle
    #[arg(long)]
    half_busy: bool,
    /// How long, milliseconds
    #[arg(long, default_value_t = 3_000)]
    for_ms: u64,
    /// Requests per second; 40 % of what clients without pauses reach if not given
    #[arg(long)]
    rate: Option<f64>,
    /// The same seed gives the same traffic
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the traffic.
pub fn run(args: &RehearseArgs) -> Result<Report> {
    let cast = Cast::new(args.clients, args.half_busy);
    raise_open_files(cast.clients() as u64 + 100)?;
    fill(args.address, args.keys)?;
    let (hold_ns, window_ns) = (100 * MILLISECOND, 5 * MILLISECOND);
    let style = Style { cast, keys: args.keys, hold_ns, window_ns, seed: args.seed };
    let pace = args.rate.map_or(Pace::Part(0.4, SECOND), Pace::Rate);
    let traffic = Traffic::start(args.address, &style, pace)?;
    let started = traffic.running()?;
    std::thread::sleep(Duration::from_millis(args.for_ms));
    let outcome = traffic.stop()?;
    let keys_wrong = verify_filled(args.address, args.keys)?;

    let mut report = Report::new("rehearse");
    report.note(format!("{:.0} requests/s by schedule", started.rate));
    let mut table = Table::new(
        "latency from the scheduled time (us)",
        ["what", "requests", "p50", "p99", "p99.9", "max"],
    );
    for (what, samples) in [("client", &outcome.samples.steady.all), ("generator", &outcome.late)] {
        let points = Points::of(samples);
        table.row([
            json!(what),
            json!(points.count),
            json!(points.p50),
            json!(points.p99),
            json!(points.p999),
            json!(points.max),
        ]);
    }
    report.tables.push(table);
    let tally = &outcome.tally;
    tally.examples.iter().for_each(|example| report.note(example.clone()));
    report.judge("connections lost", bars::LOST, tally.lost_connections as f64);
    report.judge("replies wrong", bars::LOST, tally.wrong as f64);
    report.judge("replies missing", bars::LOST, tally.missing as f64);
    report.judge("replies doubled", bars::LOST, tally.doubled as f64);
    report.judge("keys changed", bars::LOST, keys_wrong as f64);
    Ok(report)
}
