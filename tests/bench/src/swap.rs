//! Swaps under traffic: how long the server stops, what clients notice, whether anything is lost.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::admin::number;
use crate::artifacts;
use crate::bars;
use crate::clock::{MILLISECOND, SECOND, now_ns};
use crate::host::{Host, Switched};
use crate::process::raise_open_files;
use crate::random::Random;
use crate::report::{Report, Table};
use crate::traffic::{
    CLIENTS_MIN, Cast, MODES, Outcome, Pace, Points, ROLES, Started, Style, Traffic, fill,
    verify_filled,
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
    status: Value,
    keys_wrong: u64,
    outcome: Outcome,
}

/// Runs the benchmark.
pub fn run(args: &SwapArgs) -> Result<Report> {
    let args = if args.quick { args.quick() } else { args.clone() };
    let cast = Cast::new(args.clients.max(CLIENTS_MIN), args.half_busy);
    let found = measure(&args, &cast)?;
    Ok(report(&args, &cast, &found))
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
    let (cpu_s, begin_ns) = (run.host.process.cpu_s()?, now_ns());
    run.steady();
    let elapsed_s = (now_ns() - begin_ns) as f64 / SECOND as f64;
    let engine_busy = (run.host.process.cpu_s()? - cpu_s) / elapsed_s;
    run.warm(args.swaps_of(Mode::Warm), &plugins)?;
    run.fresh(args.swaps_of(Mode::Fresh), &plugins)?;
    run.steady();
    let Run { mut host, traffic, answers, .. } = run;
    let outcome = traffic.stop()?;
    let status = host.status()?;
    let keys_wrong = verify_filled(host.address, args.keys)?;
    Ok(Found { started, answers, engine_busy, status, keys_wrong, outcome })
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

fn report(args: &SwapArgs, cast: &Cast, found: &Found) -> Report {
    let mut report = Report::new("swap");
    let Found { started, outcome, .. } = found;
    let Started { saturated, rate } = started;
    report.note(match saturated {
        Some(most) => format!(
            "{rate:.0} requests/s by schedule: {} of the {most:.0} that clients without pauses reach",
            args.load
        ),
        None => format!("{rate:.0} requests/s by schedule"),
    });
    let late = Points::of(&outcome.late);
    report.note(format!(
        "without swaps the host is on a CPU {:.0} % of the time; the generator sent {:.0} us late at \
         p99, which counts into the latencies",
        100.0 * found.engine_busy,
        late.p99
    ));
    let roles: Vec<String> =
        cast.counts.iter().zip(ROLES).map(|(count, role)| format!("{count} {role}")).collect();
    report.note(format!("{} clients: {}", cast.clients(), roles.join(", ")));
    report.tables.extend([
        stops(found),
        clients(args, outcome),
        states(outcome),
        verdicts(found),
        memory(found),
    ]);
    outcome.tally.examples.iter().for_each(|example| report.note(example.clone()));
    judge_loss(&mut report, found);
    if !args.quick {
        judge_times(&mut report, found);
    }
    report
}

fn stops(found: &Found) -> Table {
    let mut table = Table::new(
        "stop of the server, and the whole verb (us, as the host measured them)",
        ["mode", "swaps", "stop p50", "stop p99", "stop max", "verb p50", "verb p99", "verb max"],
    );
    for (mode, answers) in MODES.iter().zip(&found.answers) {
        let (pause, total) =
            (Points::of_micros(&answers.pause_us), Points::of_micros(&answers.total_us));
        if pause.count > 0 {
            table.row([
                json!(mode),
                json!(pause.count),
                json!(pause.p50),
                json!(pause.p99),
                json!(pause.max),
                json!(total.p50),
                json!(total.p99),
                json!(total.max),
            ]);
        }
    }
    table
}

fn clients(args: &SwapArgs, outcome: &Outcome) -> Table {
    let title = format!(
        "latency from the scheduled time (us); around: within {} ms of the verb or its answer",
        args.window_ms
    );
    let mut table =
        Table::new(title, ["when", "requests", "p50", "p99", "p99.9", "max", "p99.9 / steady"]);
    let steady = Points::of(&outcome.samples.steady);
    let around = MODES.iter().zip(&outcome.samples.around);
    let rows = [("steady".to_owned(), steady)]
        .into_iter()
        .chain(around.map(|(mode, samples)| (format!("around {mode} swaps"), Points::of(samples))));
    for (when, points) in rows.filter(|(_, points)| points.count > 0) {
        table.row([
            json!(when),
            json!(points.count),
            json!(points.p50),
            json!(points.p99),
            json!(points.p999),
            json!(points.max),
            json!(points.p999 / steady.p999),
        ]);
    }
    table
}

fn states(outcome: &Outcome) -> Table {
    let mut table = Table::new(
        "swaps met by clients in a state (swap times client)",
        ["half-sent request", "open MULTI", "blocked", "unread replies", "awaiting a reply"],
    );
    let met = outcome.met;
    let in_flight: u64 = outcome.samples.in_flight.iter().sum();
    table.row([met.half, met.multi, met.blocked, met.unread, in_flight].map(|n| json!(n)));
    table
}

fn verdicts(found: &Found) -> Table {
    let mut table = Table::new(
        "replies, each compared byte by byte",
        ["right", "wrong", "missing", "doubled", "connections lost", "keys changed"],
    );
    let tally = &found.outcome.tally;
    let Found { keys_wrong, .. } = *found;
    let row = [
        tally.right,
        tally.wrong,
        tally.missing,
        tally.doubled,
        tally.lost_connections,
        keys_wrong,
    ];
    table.row(row.map(|n| json!(n)));
    table
}

fn memory(found: &Found) -> Table {
    let mut table = Table::new(
        "memory of the host (KiB), and images at the end",
        ["mode", "RSS after 10 swaps", "RSS after all", "resident", "retained", "panics"],
    );
    let status = |name: &str| found.status[name].clone();
    for (mode, answers) in MODES.iter().zip(&found.answers).filter(|(_, a)| a.rss_end_kib.is_some())
    {
        table.row([
            json!(mode),
            json!(answers.rss_settled_kib),
            json!(answers.rss_end_kib),
            status("generations_resident"),
            status("images_retained"),
            status("panics"),
        ]);
    }
    table
}

fn judge_loss(report: &mut Report, found: &Found) {
    let tally = &found.outcome.tally;
    report.judge("connections lost", bars::LOST, tally.lost_connections as f64);
    report.judge("replies wrong", bars::LOST, tally.wrong as f64);
    report.judge("replies missing", bars::LOST, tally.missing as f64);
    report.judge("replies doubled", bars::LOST, tally.doubled as f64);
    report.judge("keys changed", bars::LOST, found.keys_wrong as f64);
    report.judge("panics", bars::LOST, found.status["panics"].as_f64().unwrap_or(f64::NAN));
    let asked: usize = found.answers.iter().map(|answers| answers.pause_us.len()).sum();
    let counted = found.status["swaps"].as_f64().unwrap_or(f64::NAN);
    report.judge("swaps the host did not do", bars::LOST, (asked as f64 - counted).abs());
}

fn judge_times(report: &mut Report, found: &Found) {
    for (mode, answers) in MODES.iter().zip(&found.answers) {
        let pause = Points::of_micros(&answers.pause_us);
        if pause.count > 0 {
            report.judge(format!("{mode}: stop p50 (us)"), bars::STOP_P50_US, pause.p50);
            report.judge(format!("{mode}: stop p99 (us)"), bars::STOP_P99_US, pause.p99);
            report.judge(format!("{mode}: stop max (us)"), bars::STOP_MAX_US, pause.max);
        }
    }
    let total = Points::of_micros(&found.answers[0].total_us);
    if total.count > 0 {
        report.judge("warm: use p50 (us)", bars::USE_US, total.p50);
    }
    report.judge("engine busy without swaps", bars::ENGINE_BUSY, found.engine_busy);
    let samples = &found.outcome.samples;
    let steady = Points::of(&samples.steady);
    for (mode, around) in MODES.iter().zip(&samples.around) {
        let around = Points::of(around);
        if around.count > 0 {
            let ratio = around.p999 / steady.p999;
            let what = format!("{mode}: client p99.9 around / steady");
            report.judge(what, bars::CLIENT_P999_RATIO, ratio);
        }
    }
    for (mode, answers) in MODES.iter().zip(&found.answers) {
        if let (Some(settled), Some(end)) = (answers.rss_settled_kib, answers.rss_end_kib) {
            let ratio = end as f64 / settled as f64;
            report.judge(format!("{mode}: RSS after all / after 10 swaps"), bars::RSS_RATIO, ratio);
        }
    }
}
