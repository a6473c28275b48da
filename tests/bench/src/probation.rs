//! Versions that misbehave under traffic: how soon a storm of panics is over, and whether anybody is
//! disconnected; how soon an endless loop is named with its stack, and whether the admin is answered meanwhile.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::json;
use tempfile::TempDir;

use crate::artifacts;
use crate::bars;
use crate::clock::{MILLISECOND, SECOND, now_ns};
use crate::host::Host;
use crate::median::median;
use crate::report::{Report, Table};

/// Options of `probation`.
#[derive(Debug, Args)]
pub struct ProbationArgs {
    /// Connections that are in use while a version panics
    #[arg(long, default_value_t = 100)]
    clients: usize,
    /// How often each is tried, with a host of its own
    #[arg(long, default_value_t = 10)]
    rounds: usize,
}

/// How long a reply, or a line of the log, is waited for.
const PATIENCE_NS: u64 = 30 * SECOND;
/// Panics that probation allows by default.
const ALLOWED: usize = 2;

/// A connection that speaks lines.
#[derive(Debug)]
struct Lines {
    reader: BufReader<TcpStream>,
}

impl Lines {
    fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_nanos(PATIENCE_NS)))?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    fn send(&mut self, line: &str) -> Result<()> {
        Ok(self.reader.get_mut().write_all(line.as_bytes())?)
    }

    fn read(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.reader.read_line(&mut line)? > 0, "the connection was closed");
        Ok(line)
    }

    fn ask(&mut self, line: &str) -> Result<String> {
        self.send(line)?;
        self.read()
    }
}

/// What came of a storm of panics.
#[derive(Debug)]
struct Storm {
    /// From the error that crossed the limit to the first answer of the version before, milliseconds.
    back_ms: f64,
    panics: u64,
    lost: usize,
}

/// What came of an endless loop.
#[derive(Debug)]
struct Loop {
    named_s: f64,
    admin_ms: f64,
}

/// Runs the benchmark.
pub fn run(args: &ProbationArgs) -> Result<Report> {
    ensure!(args.clients > ALLOWED && args.rounds > 0, "--clients and --rounds are too few");
    let files = TempDir::new()?;
    let [sound, panics, loops] = [
        misbehaving(&files, "none")?,
        misbehaving(&files, "data-panic-after-begin")?,
        misbehaving(&files, "loop-in-data")?,
    ];
    let mut report = Report::new("probation");
    report.note(format!(
        "{} rounds, {} connections; each host has the default limits of probation",
        args.rounds, args.clients
    ));
    let rounds = 0..args.rounds;
    let storms = rounds.clone().map(|_| storm(args.clients, &sound, &panics));
    let storms = storms.collect::<Result<Vec<Storm>>>()?;
    let loops = rounds.map(|_| endless(&sound, &loops)).collect::<Result<Vec<Loop>>>()?;
    let worst = |of: &[f64]| of.iter().copied().fold(0.0, f64::max);
    let back: Vec<f64> = storms.iter().map(|storm| storm.back_ms).collect();
    let named: Vec<f64> = loops.iter().map(|of| of.named_s).collect();
    let admin: Vec<f64> = loops.iter().map(|of| of.admin_ms).collect();
    let lost: usize = storms.iter().map(|storm| storm.lost).sum();
    let mut table = Table::new("a version that misbehaves", ["what", "median", "worst"]);
    for (what, figures) in [
        ("back on the old version after the panic that crossed the limit, ms", &back),
        ("an endless loop is named with its stack, s", &named),
        ("`status` meanwhile, ms", &admin),
    ] {
        let middle = median(figures.iter().copied());
        table.row([json!(what), json!(middle), json!(worst(figures))]);
    }
    let most = storms.iter().map(|storm| storm.panics).max();
    table.row([json!("calls that panicked until then, of one storm"), json!(null), json!(most)]);
    table.row([json!("connections lost"), json!(null), json!(lost)]);
    report.tables.push(table);
    report.judge("panic storm: back, ms, worst", bars::BACK_MS, worst(&back));
    report.judge("panic storm: connections lost", bars::LOST, lost as f64);
    report.judge("endless loop: named with its stack, s, worst", bars::NAMED_S, worst(&named));
    Ok(report)
}

/// Everybody sends requests that panic, until somebody is answered by the version before.
fn storm(clients: usize, sound: &Path, panics: &Path) -> Result<Storm> {
    let mut host = Host::start(sound)?;
    let mut all = (0..clients).map(|_| Lines::connect(host.address)).collect::<Result<Vec<_>>>()?;
    for client in &mut all {
        ensure!(client.ask("hello\n")? == "hello ok\n", "the sound version answers");
    }
    host.swap(panics)?;
    for client in &mut all[..=ALLOWED] {
        let said = client.ask("boom\n")?;
        ensure!(said.starts_with("error "), "a request that panics is answered: {said}");
    }
    let crossed = now_ns();
    let mut back = None;
    while back.is_none() {
        ensure!(now_ns() - crossed < PATIENCE_NS, "nobody took the version back");
        all.iter_mut().try_for_each(|client| client.send("boom\n"))?;
        for client in &mut all {
            if client.read()? == "boom ok\n" {
                back.get_or_insert_with(now_ns);
            }
        }
    }
    let back_ms = (back.unwrap_or(crossed) - crossed) as f64 / MILLISECOND as f64;
    let lives = |client: &mut Lines| client.ask("hello\n").is_ok_and(|said| said == "hello ok\n");
    let lost = all.iter_mut().filter_map(|client| (!lives(client)).then_some(())).count();
    let panics = host.status()?["panics"].as_u64().context("`status` has no panics")?;
    Ok(Storm { back_ms, panics, lost })
}

/// One call that never returns.
fn endless(sound: &Path, loops: &Path) -> Result<Loop> {
    let mut host = Host::start(sound)?;
    let mut client = Lines::connect(host.address)?;
    host.swap(loops)?;
    let asked = now_ns();
    client.send("boom\n")?;
    let mut admin_ns = 0;
    while !host.log().contains("misbehave::spin") {
        ensure!(now_ns() - asked < PATIENCE_NS, "nobody named it");
        let begun = now_ns();
        host.status()?;
        admin_ns = admin_ns.max(now_ns() - begun);
    }
    let named_s = (now_ns() - asked) as f64 / SECOND as f64;
    ensure!(host.log().contains("stuck in data() of generation 2"), "it is named by its place");
    Ok(Loop { named_s, admin_ms: admin_ns as f64 / MILLISECOND as f64 })
}

/// A copy of the plugin that misbehaves on demand, told to do this.
fn misbehaving(files: &TempDir, behaviour: &str) -> Result<PathBuf> {
    const MARKER: &[u8] = b"HOTSHELL-BEHAVIOUR:";
    let mut bytes = std::fs::read(artifacts::misbehave()?)?;
    let at = bytes.windows(MARKER.len()).position(|window| window == MARKER);
    let at = at.context("the plugin has no place for its behaviour")? + MARKER.len();
    bytes[at..at + "none".len()].fill(b'.');
    bytes[at..at + behaviour.len()].copy_from_slice(behaviour.as_bytes());
    let path = files.path().join(format!("{behaviour}.so"));
    std::fs::write(&path, bytes)?;
    Ok(path)
}
