//! Swaps under traffic: how long the server stops, what clients notice, whether anything is lost.

mod tables;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::admin::number;
use crate::artifacts;
use crate::clock::{MILLISECOND, SECOND, now_ns, own_cpu_s};
use crate::host::{Host, Switched};
use crate::process::raise_open_files;
use crate::random::Random;
use crate::report::Report;
use crate::traffic::{
    CLIENTS_MIN, Cast, MODES, Outcome, Pace, Started, Style, Traffic, fill, verify_filled,
};

/// Memory is first looked at after so many swaps: by then what is made once is made.
const SETTLED_SWAPS: usize = 10;

/// Options of `swap`.
#[derive(Debug, Clone, Args)]
pub struct SwapArgs {
    /// Keys that are filled before, and read back after
    #[arg(long, default_value_t = 100_000)]
    pub keys: u64,
    /// Connections; at least 16, since there are clients of ten kinds
    #[arg(long, default_value_t = 200)]
    pub clients: usize,
    /// Swaps in each mode, there and back by turns
    #[arg(long, default_value_t = 200)]
    pub swaps: usize,
    /// `warm`: `use` between two loaded generations; `fresh`: `swap`, with a load each time
    #[arg(long, value_enum, default_value_t = Mode::Both)]
    pub mode: Mode,
    /// What is swapped: kv 1 for itself, or kv 1 for kv 2, whose values have another schema
    #[arg(long, value_enum, default_value_t = Pair::Same)]
    pub pair: Pair,
    /// Every second client is idle, instead of every tenth
    #[arg(long)]
    pub half_busy: bool,
    /// Mean time between two swaps, milliseconds
    #[arg(long, default_value_t = 100)]
    pub every_ms: u64,
    /// Requests less than this from a swap count as around it, milliseconds
    #[arg(long, default_value_t = 5)]
    pub window_ms: u64,
    /// Requests per second; calibrated to `--load` of what clients without pauses reach if not given
    #[arg(long)]
    pub rate: Option<f64>,
    /// Part of the saturated rate
    #[arg(long, default_value_t = 0.3)]
    pub load: f64,
    /// The same seed gives the same traffic
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// A bounded slice for test suites: few keys, clients and swaps, no bars on times
    #[arg(long)]
    pub quick: bool,
}

/// Between what the server is swapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Pair {
    /// Two generations of one schema.
    Same,
    /// Two versions of which the second has a kind of value more.
    Versions,
}

/// Which swaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Between two warm generations.
    Warm,
    /// With a fresh load each time.
    Fresh,
    /// First the one, then the other.
    Both,
}

/// What the host answered to the swaps of one mode.
#[derive(Debug, Default)]
struct Answers {
    pause_us: Vec<f64>,
    total_us: Vec<f64>,
    /// After [`SETTLED_SWAPS`] swaps of this mode.
    rss_settled_kib: Option<u64>,
    /// After all of them.
    rss_end_kib: Option<u64>,
}

/// A swap run under way.
struct Run {
    host: Host,
    traffic: Traffic,
    random: Random,
    every_ns: u64,
    answers: [Answers; MODES.len()],
}

/// What a run found, beside the traffic's outcome.
struct Found {
    started: Started,
    answers: [Answers; MODES.len()],
    /// Part of the time for which the host was on a CPU while nothing was swapped.
    engine_busy: f64,
    /// The same for this program.
    clients_busy: f64,
    status: Value,
    keys_wrong: u64,
    outcome: Outcome,
}

/// Runs the benchmark.
pub fn run(args: &SwapArgs) -> Result<Report> {
    let args = if args.quick { args.quick() } else { args.clone() };
    let cast = Cast::new(args.clients.max(CLIENTS_MIN), args.half_busy);
    let found = measure(&args, &cast)?;
    Ok(tables::report(&args, &cast, &found))
}

impl SwapArgs {
    /// The slice for test suites; the seed stays.
    fn quick(&self) -> Self {
        let (keys, clients, swaps, every_ms) = (2_000, 40, 8, 25);
        Self { keys, clients, swaps, every_ms, mode: Mode::Both, ..self.clone() }
    }

    fn pace(&self) -> Pace {
        let calibration_ns = if self.quick { SECOND / 5 } else { 2 * SECOND };
        self.rate.map_or(Pace::Part(self.load, calibration_ns), Pace::Rate)
    }

    fn swaps_of(&self, mode: Mode) -> usize {
        if self.mode == mode || self.mode == Mode::Both { self.swaps } else { 0 }
    }
}

fn measure(args: &SwapArgs, cast: &Cast) -> Result<Found> {
    raise_open_files(cast.clients() as u64 + 100)?;
    let first = artifacts::kv_v1()?;
    let second = match args.pair {
        Pair::Same => first.clone(),
        Pair::Versions => artifacts::kv_v2()?,
    };
    let plugins = [first, second];
    let host = Host::start(&plugins[0])?;
    fill(host.address, args.keys)?;
    let style = Style {
        cast: cast.clone(),
        keys: args.keys,
        hold_ns: 2 * args.every_ms * MILLISECOND,
        window_ns: args.window_ms * MILLISECOND,
        seed: args.seed,
    };
    let traffic = Traffic::start(host.address, &style, args.pace())?;
    let started = traffic.running()?;
    let mut run = Run {
        host,
        traffic,
        random: Random::new(!args.seed),
        every_ns: args.every_ms * MILLISECOND,
        answers: Default::default(),
    };
    let (cpu_s, own_s, begin_ns) = (run.host.process.cpu_s()?, own_cpu_s(), now_ns());
    run.steady();
    let elapsed_s = (now_ns() - begin_ns) as f64 / SECOND as f64;
    let engine_busy = (run.host.process.cpu_s()? - cpu_s) / elapsed_s;
    let clients_busy = (own_cpu_s() - own_s) / elapsed_s;
    run.warm(args.swaps_of(Mode::Warm), &plugins)?;
    run.fresh(args.swaps_of(Mode::Fresh), &plugins)?;
    run.steady();
    let Run { mut host, traffic, answers, .. } = run;
    let outcome = traffic.stop()?;
    let status = host.status()?;
    let keys_wrong = verify_filled(host.address, args.keys)?;
    Ok(Found { started, answers, engine_busy, clients_busy, status, keys_wrong, outcome })
}

impl Run {
    fn warm(&mut self, swaps: usize, plugins: &[PathBuf; 2]) -> Result<()> {
        if swaps == 0 {
            return Ok(());
        }
        let first = number(&self.host.status()?, "generation")? as u64;
        let (second, _) = self.host.load(&plugins[1])?;
        // An even number, so that the next mode starts with version 1.
        for at in 0..swaps.next_multiple_of(2) {
            let to = if at % 2 == 0 { second } else { first };
            self.swap(0, |host| host.use_generation(to))?;
        }
        Ok(())
    }

    fn fresh(&mut self, swaps: usize, plugins: &[PathBuf; 2]) -> Result<()> {
        for at in 0..swaps {
            self.swap(1, |host| host.swap(&plugins[(at + 1) % 2]))?;
        }
        Ok(())
    }

    /// Lets some time pass, then swaps.
    fn swap(
        &mut self,
        mode: usize,
        swap: impl FnOnce(&mut Host) -> Result<Switched>,
    ) -> Result<()> {
        let half = self.every_ns / 2;
        pass(half + self.random.below(2 * half.max(1)));
        let switched = self.traffic.control().swap(mode, || swap(&mut self.host))?;
        let answers = &mut self.answers[mode];
        answers.pause_us.push(switched.pause_us);
        answers.total_us.push(switched.total_us);
        let rss_kib = Some(self.host.process.rss_kib()?);
        if answers.pause_us.len() == SETTLED_SWAPS {
            answers.rss_settled_kib = rss_kib;
        }
        answers.rss_end_kib = rss_kib;
        Ok(())
    }

    /// Traffic without a swap, to compare with.
    fn steady(&self) {
        pass((10 * self.every_ns).min(2 * SECOND));
    }
}

/// Lets time pass.
fn pass(ns: u64) {
    std::thread::sleep(Duration::from_nanos(ns));
}
