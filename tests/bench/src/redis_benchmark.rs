//! redis-benchmark against a server, and the CPU time that the server took for it.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::bars;
use crate::median::median;
use crate::process::{Process, ended_children_cpu_s};
use crate::report::{Report, Table};

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Requests per second, as redis-benchmark counts them.
    pub requests_per_s: f64,
    /// CPU time of the server, microseconds per request.
    pub cpu_us: f64,
    /// Part of the time for which the server was on a processor.
    pub server_busy: f64,
    /// The same of redis-benchmark, whose one thread sends and reads. Near 1 it is the limit: a server that
    /// takes less time for a request waits longer for the next one.
    pub client_busy: f64,
    /// The longest that a request took, as redis-benchmark saw it, milliseconds.
    pub longest_ms: f64,
}

/// What [`judge`] fills the rows of a table with.
pub const HEADER: [&str; 12] = [
    "test",
    "P",
    "req/s",
    "peer's",
    "ratio",
    "CPU us/req",
    "peer's",
    "ratio",
    "busy: server",
    "client",
    "peer",
    "client",
];

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Work<'a> {
    /// A test by its name.
    Test(&'a str),
    /// A command of one's own.
    Command(&'a [&'a str]),
}

/// How it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Connections.
    pub clients: u64,
    /// Requests.
    pub requests: u64,
    /// Requests in one write.
    pub pipeline: u64,
    /// Keys, members, fields that are drawn from; 0: always the same one.
    pub keyspace: u64,
    /// Bytes of a value.
    pub size: u64,
    /// Threads of redis-benchmark.
    pub threads: u64,
}

/// Measures one server.
pub fn measure(
    load: Load,
    work: Work<'_>,
    address: SocketAddr,
    server: &Process,
) -> Result<Measured> {
    let mut command = Command::new("redis-benchmark");
    command.args(["-h", "127.0.0.1", "--csv"]);
    for (option, value) in [
        ("-p", u64::from(address.port())),
        ("-c", load.clients),
        ("-n", load.requests),
        ("-P", load.pipeline),
        ("-d", load.size),
    ] {
        command.args([option, &value.to_string()]);
    }
    if load.keyspace > 0 {
        command.args(["-r", &load.keyspace.to_string()]);
    }
    if load.threads > 1 {
        command.args(["--threads", &load.threads.to_string()]);
    }
    match work {
        Work::Test(name) => command.args(["-t", name]),
        Work::Command(words) => command.args(words),
    };
    let (before_s, ended_s) = (server.threads_cpu_s()?, ended_children_cpu_s()?);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run redis-benchmark; it is in Debian's package redis-tools")?;
    let cpu_s = server.threads_cpu_s()? - before_s;
    ensure!(output.status.success(), "redis-benchmark: {}", output.status);
    let csv = String::from_utf8_lossy(&output.stdout);
    let (requests_per_s, longest_ms) = (rate(&csv, load.requests)?, cell(&csv, LONGEST)?);
    let (requests, client_s) = (load.requests as f64, ended_children_cpu_s()? - ended_s);
    let took_s = requests / requests_per_s;
    Ok(Measured {
        requests_per_s,
        cpu_us: cpu_s * 1e6 / requests,
        server_busy: cpu_s / took_s,
        client_busy: client_s / took_s,
        longest_ms,
    })
}

/// A row of figures, ours beside the peer's, and what the bars say of it; their names begin with `client`.
pub fn judge(
    report: &mut Report,
    table: &mut Table,
    client: &str,
    (test, pipeline): (&str, u64),
    (ours, theirs): (Measured, Measured),
) {
    let speed = ours.requests_per_s / theirs.requests_per_s;
    let cpu = ours.cpu_us / theirs.cpu_us;
    table.row([
        json!(test),
        json!(pipeline),
        json!(ours.requests_per_s),
        json!(theirs.requests_per_s),
        json!(speed),
        json!(ours.cpu_us),
        json!(theirs.cpu_us),
        json!(cpu),
        json!(ours.server_busy),
        json!(ours.client_busy),
        json!(theirs.server_busy),
        json!(theirs.client_busy),
    ]);
    let bar = if pipeline > 1 { bars::RPS_PIPELINED } else { bars::RPS_P1 };
    report.judge(format!("{client}{test} P{pipeline}: requests/s, ours / peer"), bar, speed);
    report.judge(format!("{client}{test} P{pipeline}: CPU, ours / peer"), bars::CPU, cpu);
}

/// The medians of each figure.
pub fn middle(all: &[Measured]) -> Measured {
    let of = |figure: fn(&Measured) -> f64| median(all.iter().map(figure));
    Measured {
        requests_per_s: of(|one| one.requests_per_s),
        cpu_us: of(|one| one.cpu_us),
        server_busy: of(|one| one.server_busy),
        client_busy: of(|one| one.client_busy),
        longest_ms: of(|one| one.longest_ms),
    }
}

/// Cells of a line of redis-benchmark's CSV, counted from its end: the name of a command of one's own, which
/// is in front, may have commas.
const RATE: usize = 6;
const LONGEST: usize = 0;

/// Requests per second. redis-benchmark counts whole milliseconds, and divides by 0 when it was done before
/// the first.
fn rate(csv: &str, requests: u64) -> Result<f64> {
    let rate = cell(csv, RATE)?;
    ensure!(
        rate.is_finite(),
        "redis-benchmark was done with {requests} requests in less than a millisecond, which is the least \
         that it can time; give more with --requests"
    );
    Ok(rate)
}

/// A figure of the last line, `"SET","143266.47","0.208",...,"1.119"`.
fn cell(csv: &str, from_end: usize) -> Result<f64> {
    let line = csv.lines().last().unwrap_or_default();
    let found = line.rsplit("\",\"").nth(from_end);
    match found.and_then(|cell| cell.trim_matches('"').parse().ok()) {
        Some(figure) => Ok(figure),
        None => bail!("redis-benchmark printed other figures: {csv}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_with_and_without_a_header_and_behind_a_name_with_commas() {
        let figures = "\"143266.47\",\"0.208\",\"0.1\",\"0.2\",\"0.3\",\"0.4\",\"1.119\"";
        for csv in [
            format!("\"test\",\"rps\",\"avg_latency_ms\"\n\"GET\",{figures}\n"),
            format!("\"eval a\",\"b 0\",{figures}\n"),
        ] {
            assert_eq!(cell(&csv, RATE).unwrap(), 143266.47);
            assert_eq!(cell(&csv, LONGEST).unwrap(), 1.119);
        }
        let csv = "\"SPOP\",\"inf\",\"0.293\",\"0.096\",\"0.319\",\"0.415\",\"0.423\",\"0.423\"";
        let error = rate(csv, 1_000).unwrap_err().to_string();
        assert_eq!(
            error,
            "redis-benchmark was done with 1000 requests in less than a millisecond, which is the least that \
             it can time; give more with --requests"
        );
        assert!(cell("", RATE).is_err() && cell("\"GET\",\"99.00\"\n", RATE).is_err());
    }
}
