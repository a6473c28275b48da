//! Durability: what a kill loses, what the journal costs, how long a start takes, what a snapshot does
//! to clients. Each against Redis in the same run, where Redis has such a thing.

mod client;
mod kill;
mod snapshot;
mod start;
mod throughput;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::report::Report;

/// Options of `durability`.
#[derive(Debug, Args)]
pub struct DurabilityArgs {
    /// What to look at, with commas
    #[arg(long, value_delimiter = ',', default_value = "kill,throughput,start,snapshot")]
    parts: Vec<Part>,
    /// Rounds of kill -9, half with `always` and half with `everysec`
    #[arg(long, default_value_t = 200)]
    rounds: u64,
    /// The same seed gives the same moments of death
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Measurements of each side; the median counts
    #[arg(long, default_value_t = 5)]
    measurements: usize,
    /// Requests of one measurement with `everysec`; pipelined eight times, with `always` a tenth of it
    #[arg(long, default_value_t = 300_000)]
    requests: u64,
    /// Keys that a start reads back
    #[arg(long, default_value_t = 5_000_000)]
    keys: u64,
    /// Keys that a snapshot is taken of: with ten million the state is some 1 GB
    #[arg(long, default_value_t = 10_000_000)]
    snapshot_keys: u64,
    /// A folder on the disk to measure; by default the system's for temporary files
    #[arg(long)]
    folder: Option<std::path::PathBuf>,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// kill -9 at random moments
    Kill,
    /// Requests per second against appendonly Redis
    Throughput,
    /// From the start until the first answer
    Start,
    /// A snapshot under load against BGSAVE
    Snapshot,
}

/// Runs the benchmark.
pub fn run(args: &DurabilityArgs) -> Result<Report> {
    let mut report = Report::new("durability");
    for part in &args.parts {
        match part {
            Part::Kill => kill::run(args, &mut report)?,
            Part::Throughput => throughput::run(args, &mut report)?,
            Part::Start => start::run(args, &mut report)?,
            Part::Snapshot => snapshot::run(args, &mut report)?,
        }
    }
    Ok(report)
}

impl DurabilityArgs {
    /// A fresh folder on the disk to measure.
    fn fresh_folder(&self) -> Result<tempfile::TempDir> {
        let folder = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        Ok(tempfile::Builder::new().prefix("hotshell-bench-data-").tempdir_in(folder)?)
    }
}
