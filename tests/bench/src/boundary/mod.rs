//! What the boundary costs: one plugin, linked into this program and loaded as a `.so`.
//!
//! Instructions are counted by callgrind in a child. Two counts of requests are run and subtracted, so
//! that the start, the load and the first touch of the keys cancel.

mod driver;
mod loaded;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::artifacts;
use crate::bars;
use crate::callgrind::{self, word};
use crate::median::{by_turns, time};
use crate::report::{Report, Table};
use crate::resp::request;

pub use driver::Driver;
pub use loaded::Loaded;

/// Options of `boundary`.
#[derive(Debug, Args)]
pub struct BoundaryArgs {
    /// Requests whose instructions are counted
    #[arg(long, default_value_t = 20_000)]
    requests: u64,
    /// Measurements of time, of each side, by turns
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Runs one side only, for the counting child
    #[arg(long, hide = true)]
    inner: Option<Side>,
    /// Which request the counting child runs
    #[arg(long, hide = true, value_enum, default_value_t = Test::Get)]
    test: Test,
}

/// How the plugin is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    Static,
    Loaded,
}

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Test {
    Get,
    Set,
    Incr,
}

const TESTS: [Test; 3] = [Test::Get, Test::Set, Test::Incr];
/// Keys of the requests.
const KEYS: u64 = 1_000;
/// Requests before the counted ones: every key has been touched.
const FIRST: u64 = 2 * KEYS;
/// Requests in one measurement of time.
const TIMED: u64 = 1_000_000;

/// Runs the benchmark, or one side of it.
pub fn run(args: &BoundaryArgs) -> Result<Report> {
    if let Some(side) = args.inner {
        run_side(side, args.test, args.requests)?;
        return Ok(Report::new("boundary"));
    }
    let mut report = Report::new("boundary");
    report.note(format!(
        "kv 1, {KEYS} keys; instructions by callgrind over {} requests after the first {FIRST}; \
         time without it, medians of {} by turns",
        args.requests, args.rounds
    ));
    let mut table = Table::new(
        "one request: linked statically (direct calls) against loaded (through the table)",
        [
            "request",
            "static instr.",
            "loaded instr.",
            "loaded / static",
            "static ns",
            "loaded ns",
            "loaded / static",
        ],
    );
    for test in TESTS {
        let (linked_ns, loaded_ns) = nanoseconds(test, args.rounds)?;
        let linked = instructions(Side::Static, test, args.requests)?;
        let loaded = instructions(Side::Loaded, test, args.requests)?;
        let ratio = loaded / linked;
        table.row([
            json!(test.name()),
            json!(linked),
            json!(loaded),
            json!(ratio),
            json!(linked_ns),
            json!(loaded_ns),
            json!(loaded_ns / linked_ns),
        ]);
        let what = format!("{}: instructions, loaded / static", test.name());
        report.judge(what, bars::BOUNDARY, ratio);
    }
    report.tables.push(table);
    Ok(report)
}

impl Test {
    const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Set => "SET",
            Self::Incr => "INCR",
        }
    }

    fn requests(self) -> Vec<Vec<u8>> {
        let of = |n: u64| {
            let mut bytes = Vec::new();
            let key = format!("key:{n:012}").into_bytes();
            match self {
                Self::Get => request(&mut bytes, &[b"GET", &key]),
                Self::Set => request(&mut bytes, &[b"SET", &key, b"a value of 24 bytes here"]),
                Self::Incr => request(&mut bytes, &[b"INCR", &key]),
            }
            bytes
        };
        (0..KEYS).map(of).collect()
    }

    /// Requests that make the keys there are.
    fn preparation(self) -> Vec<Vec<u8>> {
        if self == Self::Incr { Vec::new() } else { Self::Set.requests() }
    }
}

fn run_side(side: Side, test: Test, count: u64) -> Result<()> {
    let (preparation, requests) = (test.preparation(), test.requests());
    let prepared = preparation.len() as u64;
    match side {
        Side::Static => {
            let mut driver = Driver::linked()?;
            driver.run_linked(&preparation, prepared);
            driver.run_linked(&requests, count);
        }
        Side::Loaded => {
            let plugin = Loaded::map(&artifacts::kv_v1()?, c"hotshell_plugin_kv_v1")?;
            let mut driver = Driver::loaded(&plugin)?;
            driver.run_loaded(&plugin, &preparation, prepared);
            driver.run_loaded(&plugin, &requests, count);
        }
    }
    Ok(())
}

/// Instructions of one request.
fn instructions(side: Side, test: Test, requests: u64) -> Result<f64> {
    let few = collected(side, test, FIRST)?;
    let many = collected(side, test, FIRST + requests)?;
    Ok((many as f64 - few as f64) / requests as f64)
}

/// Instructions of a whole child.
fn collected(side: Side, test: Test, requests: u64) -> Result<u64> {
    let (side, test, requests) = (word(&side), word(&test), requests.to_string());
    let inner = ["boundary", "--inner", &side, "--test", &test, "--requests", &requests];
    callgrind::instructions(&inner)
}

/// Time of one request, linked and loaded, nanoseconds.
fn nanoseconds(test: Test, rounds: usize) -> Result<(f64, f64)> {
    let (preparation, requests) = (test.preparation(), test.requests());
    let plugin = Loaded::load()?;
    let (mut linked, mut loaded) = (Driver::linked()?, Driver::loaded(&plugin)?);
    linked.run_linked(&preparation, preparation.len() as u64);
    loaded.run_loaded(&plugin, &preparation, preparation.len() as u64);
    let (linked_s, loaded_s) = by_turns(
        rounds,
        || time(|| linked.run_linked(&requests, TIMED)),
        || time(|| loaded.run_loaded(&plugin, &requests, TIMED)),
    );
    Ok((linked_s * 1e9 / TIMED as f64, loaded_s * 1e9 / TIMED as f64))
}
