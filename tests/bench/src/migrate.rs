//! A swap that changes the shape of every entry of a large map: how long the server stops, what clients
//! notice while the entries follow, how fast they do, and what memory it takes.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use hdrhistogram::Histogram;
use serde_json::json;

use crate::admin::number;
use crate::artifacts;
use crate::bars;
use crate::clock::{SECOND, Span, now_ns};
use crate::host::{Host, Switched};
use crate::machine::{Latencies, Machine, Seen};
use crate::process::raise_open_files;
use crate::random::Random;
use crate::report::{Report, Table};

/// Options of `migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Entries of the map, each of which gains a field
    #[arg(long, default_value_t = 10_000_000)]
    entries: u64,
    /// Connections
    #[arg(long, default_value_t = 1_000)]
    clients: usize,
    /// Requests per second, by schedule, over all connections in turn, one at a time
    #[arg(long, default_value_t = 4_000.0)]
    rate: f64,
    /// Writes by the new version before it is undone
    #[arg(long, default_value_t = 100_000)]
    writes: u64,
    /// The same seed gives the same requests
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Names that are filled in one go.
const BATCH: u64 = 10_000;
/// How long the steady state is looked at.
const STEADY: Duration = Duration::from_secs(8);
/// How often the host is asked how far its drain is.
const LOOK: Duration = Duration::from_millis(20);
/// A sleep may end later than it should by so much: the rest of a wait is spent looking at the clock.
const WAKE_NS: u64 = 250_000;
/// Room for the requests of one phase.
const REQUESTS: usize = 1 << 18;
/// Names that are read back at the end.
const CHECKED: u64 = 2_000;

/// A switch, and what followed.
struct Phase {
    what: &'static str,
    switched: Switched,
    drain_s: f64,
    latencies: Latencies,
    peak_kib: u64,
    after_kib: u64,
}

/// Runs the benchmark.
pub fn run(args: &MigrateArgs) -> Result<Report> {
    raise_open_files(args.clients as u64 + 100)?;
    let (v1, v2) = (artifacts::guestbook_v1()?, artifacts::guestbook_v2()?);
    let mut host = Host::start(&v1)?;
    let mut filler = Line::connect(host.address)?;
    for from in (0..args.entries).step_by(BATCH as usize) {
        filler.write_all_names(from, (from + BATCH).min(args.entries))?;
    }
    let machine = Machine::watch()?;
    let mut probe = Probe::new(host.address, args, machine.seen().clone())?;
    let before_kib = host.process.rss_kib()?;
    let ((), steady) = probe.beside(|| {
        // As often as a drain is looked at, so that both have the same company.
        let begun = Instant::now();
        while begun.elapsed() < STEADY {
            host.status()?;
            std::thread::sleep(LOOK);
        }
        Ok(())
    })?;

    let mut phases = Vec::new();
    phases.push(phase("to the new shape", &mut host, &mut probe, |host| host.swap(&v2))?);
    for from in (0..args.writes).step_by(BATCH as usize) {
        filler.write_all_names(from, (from + BATCH).min(args.writes))?;
    }
    let back = |host: &mut Host| host.rollback();
    phases.push(phase("back, after the writes", &mut host, &mut probe, back)?);
    let there = host.use_generation(2)?;
    let undone = phase("back, in the middle of the drain", &mut host, &mut probe, back)?;
    phases.push(undone);
    let wrong = wrong_visits(&mut filler, &probe, args)?;
    machine.stop()?;
    Ok(report(args, (before_kib, &steady), there, &phases, wrong))
}

fn phase(
    what: &'static str,
    host: &mut Host,
    probe: &mut Probe,
    switch: impl FnOnce(&mut Host) -> Result<Switched> + Send,
) -> Result<Phase> {
    host.process.forget_peak()?;
    let begun = Instant::now();
    let ((switched, drained), latencies) = probe.beside(|| {
        let switched = switch(host)?;
        while number(&host.status()?, "draining")? != 0.0 {
            std::thread::sleep(LOOK);
        }
        Ok((switched, begun.elapsed()))
    })?;
    let (peak_kib, after_kib) = (host.process.peak_kib()?, host.process.rss_kib()?);
    Ok(Phase { what, switched, drain_s: drained.as_secs_f64(), latencies, peak_kib, after_kib })
}

/// A connection of the guest book.
#[derive(Debug)]
struct Line(BufReader<TcpStream>);

impl Line {
    fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self(BufReader::with_capacity(1 << 20, stream)))
    }

    /// Lets the guests of these numbers come once.
    fn write_all_names(&mut self, from: u64, to: u64) -> Result<()> {
        let names: String = (from..to).map(|guest| format!("guest{guest}\n")).collect();
        let mut sender = self.0.get_ref().try_clone()?;
        std::thread::scope(|scope| -> Result<()> {
            let sending = scope.spawn(move || sender.write_all(names.as_bytes()));
            for _ in from..to {
                self.read()?;
            }
            Ok(sending.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??)
        })
    }

    fn read(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.0.read_line(&mut line)? > 0, "the connection was closed");
        Ok(line)
    }

    /// Lets a guest come once; how often they came so far.
    fn visit(&mut self, guest: u64) -> Result<u64> {
        writeln!(self.0.get_mut(), "guest{guest}")?;
        let answer = self.read()?;
        let visits = answer.split_once(": visit ").and_then(|(_, rest)| rest.split_once(','));
        let visits = visits.with_context(|| format!("not an answer: {answer}"))?.0;
        Ok(visits.parse()?)
    }
}

/// Requests by schedule, over many connections in turn. One that is late counts from its schedule.
#[derive(Debug)]
struct Probe {
    lines: Vec<Line>,
    turn: usize,
    random: Random,
    entries: u64,
    mean_ns: f64,
    machine: Seen,
    /// Visits by guest that this program has made beyond the first.
    visits: std::collections::HashMap<u64, u64>,
}

impl Probe {
    fn new(address: SocketAddr, args: &MigrateArgs, machine: Seen) -> Result<Self> {
        let lines = (0..args.clients).map(|_| Line::connect(address)).collect::<Result<_>>()?;
        Ok(Self {
            lines,
            turn: 0,
            random: Random::new(args.seed),
            entries: args.entries,
            mean_ns: SECOND as f64 / args.rate,
            machine,
            visits: std::collections::HashMap::new(),
        })
    }

    /// Asks while `act` runs on a thread beside; what clients noticed meanwhile.
    fn beside<T: Send>(
        &mut self,
        act: impl FnOnce() -> Result<T> + Send,
    ) -> Result<(T, Latencies)> {
        std::thread::scope(|scope| {
            let acting = scope.spawn(act);
            let requests = self.until(|| acting.is_finished())?;
            let done = acting.join().map_err(|_| anyhow::anyhow!("it panicked"))??;
            let (pauses, mut latencies) = (self.machine.pauses(), Latencies::new());
            requests.into_iter().for_each(|request| latencies.record(request, &pauses));
            Ok((done, latencies))
        })
    }

    fn until(&mut self, done: impl Fn() -> bool) -> Result<Vec<Span>> {
        let mut requests = Vec::with_capacity(REQUESTS);
        let mut next = now_ns() as f64;
        while !done() {
            // Leaves the core to others where it can: the host has threads beside the engine's.
            let wait = (next as u64).saturating_sub(now_ns());
            if wait > WAKE_NS {
                std::thread::sleep(Duration::from_nanos(wait - WAKE_NS));
            }
            while now_ns() < next as u64 {
                std::hint::spin_loop();
            }
            self.turn = (self.turn + 1) % self.lines.len();
            let guest = self.random.below(self.entries);
            let visits = self.lines[self.turn].visit(guest)?;
            requests.push(Span { begin_ns: next as u64, end_ns: now_ns().max(next as u64) });
            *self.visits.entry(guest).or_default() += 1;
            ensure!(visits > 0, "a guest who came was forgotten");
            next += self.random.exponential(self.mean_ns);
        }
        Ok(requests)
    }
}

/// Reads a sample back; answers how many guests came another number of times than they should.
fn wrong_visits(line: &mut Line, probe: &Probe, args: &MigrateArgs) -> Result<u64> {
    let mut wrong = 0;
    let step = (args.entries / CHECKED).max(1);
    for guest in (0..args.entries).step_by(step as usize) {
        let written = u64::from(guest < args.writes);
        let expected = 1 + written + probe.visits.get(&guest).copied().unwrap_or(0) + 1;
        wrong += u64::from(line.visit(guest)? != expected);
    }
    Ok(wrong)
}

fn report(
    args: &MigrateArgs,
    (before_kib, steady): (u64, &Latencies),
    there: Switched,
    phases: &[Phase],
    wrong: u64,
) -> Report {
    let us = |ns: u64| ns as f64 / 1e3;
    let mut report = Report::new("migrate");
    report.note(format!(
        "{} entries of which each gains a field, widens one and converts one by function; {} \
         connections, {:.0} requests/s by schedule",
        args.entries, args.clients, args.rate
    ));
    let disturbed: u64 = phases.iter().map(|phase| phase.latencies.disturbed()).sum();
    report.note(format!(
        "{disturbed} requests met a pause of a processor or its aftermath: \"undisturbed\" and the bars \
         are without them"
    ));
    let mut table = Table::new(
        "switches that change the shape, and what clients notice until all entries have followed (us)",
        [
            "what",
            "stop",
            "drain s",
            "entries/s",
            "p50",
            "p99.9",
            "max",
            "undisturbed p99.9",
            "/ steady",
        ],
    );
    let p999 = |latency: &Histogram<u64>| latency.value_at_quantile(0.999);
    let ratio = |of: &Latencies| p999(&of.undisturbed) as f64 / p999(&steady.undisturbed) as f64;
    let mut row = |what: &str, stop, drain_s: Option<f64>, of: &Latencies| {
        table.row([
            json!(what),
            stop,
            json!(drain_s),
            json!(drain_s.map(|s| args.entries as f64 / s)),
            json!(us(of.all.value_at_quantile(0.5))),
            json!(us(p999(&of.all))),
            json!(us(of.all.max())),
            json!(us(p999(&of.undisturbed))),
            json!(ratio(of)),
        ]);
    };
    row("steady", serde_json::Value::Null, None, steady);
    for phase in phases {
        row(phase.what, json!(phase.switched.pause_us), Some(phase.drain_s), &phase.latencies);
    }
    report.tables.push(table);
    let mut memory = Table::new("memory of the host (KiB)", ["when", "peak", "after"]);
    memory.row([json!("before"), json!(null), json!(before_kib)]);
    for phase in phases {
        memory.row([json!(phase.what), json!(phase.peak_kib), json!(phase.after_kib)]);
    }
    report.tables.push(memory);
    report.judge("to the new shape, again: stop (us)", bars::STOP_MAX_US, there.pause_us);
    for phase in phases {
        let Phase { what, switched, drain_s, latencies, .. } = phase;
        report.judge(format!("{what}: stop (us)"), bars::STOP_MAX_US, switched.pause_us);
        report.judge(format!("{what}: p99.9 / steady"), bars::CLIENT_P999_RATIO, ratio(latencies));
        report.judge(format!("{what}: entries/s"), bars::DRAIN, args.entries as f64 / drain_s);
    }
    let first = &phases[0];
    let peak = first.peak_kib as f64 / before_kib.max(first.after_kib) as f64;
    report.judge("peak memory / larger of before and after", bars::DRAIN_MEMORY, peak);
    report.judge("guests with a wrong number of visits", bars::LOST, wrong as f64);
    report
}
