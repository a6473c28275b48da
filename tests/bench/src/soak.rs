//! Many swaps with fresh loads under light traffic: whether memory and images stay flat.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::admin::number;
use crate::artifacts;
use crate::bars;
use crate::clock::MILLISECOND;
use crate::host::Host;
use crate::report::{Report, Table};
use crate::traffic::{Cast, Pace, Style, Traffic, fill, verify_filled};

/// Options of `soak`.
#[derive(Debug, Args)]
pub struct SoakArgs {
    /// Swaps, each with a fresh load
    #[arg(long, default_value_t = 1_000)]
    swaps: usize,
    /// Keys
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
    /// Requests per second
    #[arg(long, default_value_t = 2_000.0)]
    rate: f64,
    /// The same seed gives the same traffic
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Memory is looked at this often.
const LOOKS: usize = 10;
/// The first look that counts: by then what is made once is made.
const SETTLED_SWAPS: usize = 10;
/// Connections.
const CLIENTS: usize = 32;

/// What was seen after so many swaps.
struct Look {
    swaps: usize,
    rss_kib: u64,
    status: Value,
}

/// Runs the benchmark.
pub fn run(args: &SoakArgs) -> Result<Report> {
    let plugins = [artifacts::kv_v1()?, artifacts::kv_v2()?];
    let mut host = Host::start(&plugins[0])?;
    fill(host.address, args.keys)?;
    let style = Style {
        cast: Cast::new(CLIENTS, false),
        keys: args.keys,
        hold_ns: 100 * MILLISECOND,
        window_ns: 5 * MILLISECOND,
        seed: args.seed,
    };
    let traffic = Traffic::start(host.address, &style, Pace::Rate(args.rate))?;
    traffic.running()?;
    let every = (args.swaps / LOOKS).max(1);
    let mut looks = Vec::new();
    for swap in 1..=args.swaps {
        traffic.control().swap(1, || host.swap(&plugins[swap % 2]))?;
        if swap == SETTLED_SWAPS || swap % every == 0 {
            let (rss_kib, status) = (host.process.rss_kib()?, host.status()?);
            looks.push(Look { swaps: swap, rss_kib, status });
        }
    }
    let outcome = traffic.stop()?;
    let keys_wrong = verify_filled(host.address, args.keys)?;

    let mut report = Report::new("soak");
    report.note(format!("{} swaps with fresh loads, one after the other", args.swaps));
    let tally = &outcome.tally;
    tally.examples.iter().for_each(|example| report.note(example.clone()));
    report.tables.push(memory(&looks));
    let lost = tally.wrong + tally.missing + tally.doubled + tally.lost_connections + keys_wrong;
    report.judge("replies, connections, keys lost or wrong", bars::LOST, lost as f64);
    if let (Some(settled), Some(end)) =
        (looks.iter().find(|look| look.swaps >= SETTLED_SWAPS), looks.last())
    {
        let ratio = end.rss_kib as f64 / settled.rss_kib as f64;
        report.judge("RSS at the end / after 10 swaps", bars::RSS_RATIO, ratio);
        let state = |look: &Look| number(&look.status, "state_bytes").unwrap_or(f64::NAN);
        report.judge("state bytes at the end / after 10 swaps", bars::RSS_RATIO, {
            state(end) / state(settled)
        });
    }
    Ok(report)
}

fn memory(looks: &[Look]) -> Table {
    let mut table = Table::new(
        "memory and images",
        ["swaps", "RSS (KiB)", "state (bytes)", "resident", "retained"],
    );
    for Look { swaps, rss_kib, status } in looks {
        let status = |name: &str| status[name].clone();
        table.row([
            json!(swaps),
            json!(rss_kib),
            status("state_bytes"),
            status("generations_resident"),
            status("images_retained"),
        ]);
    }
    table
}
