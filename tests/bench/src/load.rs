//! How long a load takes, stage by stage, and a use.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use hotshell::loader::{Loader, LoaderConfig, Timings};
use serde_json::json;

use crate::artifacts;
use crate::bars;
use crate::host::Host;
use crate::report::{Report, Table};
use crate::traffic::Points;

/// Options of `load`.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// Loads and uses
    #[arg(long, default_value_t = 50)]
    rounds: usize,
}

/// One stage's time.
type StageOf = fn(&Timings) -> Duration;

/// Runs the benchmark.
pub fn run(args: &LoadArgs) -> Result<Report> {
    let plugins = [artifacts::kv_v2()?, artifacts::kv_v1()?];
    let mut report = Report::new("load");
    report.note(format!(
        "{} rounds without traffic; the plugin has {} KiB; the stages by the loader in this \
         process, `load` and `use` by a host",
        args.rounds,
        std::fs::metadata(&plugins[0])?.len() >> 10
    ));
    report.tables.push(stages(&plugins[0], args.rounds)?);
    let mut host = Host::start(&plugins[1])?;
    let (mut load_us, mut use_us, mut pause_us) = (Vec::new(), Vec::new(), Vec::new());
    let mut active = None;
    for round in 0..args.rounds {
        let (generation, us) = host.load(&plugins[round % 2])?;
        load_us.push(us);
        let switched = host.use_generation(generation)?;
        use_us.push(switched.total_us);
        pause_us.push(switched.pause_us);
        if let Some(before) = active.replace(generation) {
            host.discard(before)?;
        }
    }
    let points = [&load_us, &use_us, &pause_us].map(|values| Points::of_micros(values));
    let mut table = Table::new("verbs (us)", ["verb", "p50", "p99", "max"]);
    for (verb, points) in ["load", "use", "the stop in use"].iter().zip(&points) {
        table.row([json!(verb), json!(points.p50), json!(points.p99), json!(points.max)]);
    }
    report.tables.push(table);
    report.judge("load p50 (ms)", bars::LOAD_MS, points[0].p50 / 1e3);
    report.judge("use p50 (us)", bars::USE_US, points[1].p50);
    Ok(report)
}

fn stages(plugin: &Path, rounds: usize) -> Result<Table> {
    let folder = tempfile::tempdir()?;
    let mut config = LoaderConfig::new(folder.path());
    config.vet_program = artifacts::hotshell()?;
    let loader = Loader::new(config, hotshell::engine::host_table())?;
    let mut all = Vec::new();
    for round in 0..rounds as u64 {
        let loaded = loader.load(plugin, round + 1, &AtomicBool::new(false))?;
        all.push(loaded.timings);
        loaded.image.unmap();
    }
    let mut table = Table::new("stages of a load (us)", ["stage", "p50", "p99", "max", "share"]);
    let points = |stage: StageOf| {
        let us: Vec<f64> = all.iter().map(|timings| stage(timings).as_secs_f64() * 1e6).collect();
        Points::of_micros(&us)
    };
    let total = points(Timings::total);
    let stages: [(&str, StageOf); 7] = [
        ("fetch", |timings| timings.fetch),
        ("inspect", |timings| timings.inspect),
        ("stage", |timings| timings.stage),
        ("vet", |timings| timings.vet),
        ("map", |timings| timings.map),
        ("handshake", |timings| timings.handshake),
        ("all", Timings::total),
    ];
    for (name, stage) in stages {
        let points = points(stage);
        table.row([
            json!(name),
            json!(points.p50),
            json!(points.p99),
            json!(points.max),
            json!(points.p50 / total.p50),
        ]);
    }
    Ok(table)
}
