//! redis-benchmark against a server, and the CPU time that the server took for it.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::bars;
use crate::median::median;
use crate::process::Process;
use crate::report::{Report, Table};

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Requests per second, as redis-benchmark counts them.
    pub requests_per_s: f64,
    /// CPU time of the server, microseconds per request.
    pub cpu_us: f64,
}

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
    let before_s = server.cpu_s()?;
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run redis-benchmark; it is in Debian's package redis-tools")?;
    let cpu_s = server.cpu_s()? - before_s;
    ensure!(output.status.success(), "redis-benchmark: {}", output.status);
    let cpu_us = cpu_s * 1e6 / load.requests as f64;
    Ok(Measured { requests_per_s: rate_in(&String::from_utf8_lossy(&output.stdout))?, cpu_us })
}

/// A row of figures, ours beside the peer's, and what the bars say of it.
pub fn judge(
    report: &mut Report,
    table: &mut Table,
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
    ]);
    let bar = if pipeline > 1 { bars::RPS_PIPELINED } else { bars::RPS_P1 };
    report.judge(format!("{test} P{pipeline}: requests/s, ours / peer"), bar, speed);
    report.judge(format!("{test} P{pipeline}: CPU, ours / peer"), bars::CPU, cpu);
}

/// The medians of both figures.
pub fn middle(all: &[Measured]) -> Measured {
    Measured {
        requests_per_s: median(all.iter().map(|one| one.requests_per_s)),
        cpu_us: median(all.iter().map(|one| one.cpu_us)),
    }
}

/// Requests per second in redis-benchmark's CSV: `"SET","143266.47","0.208",...`. The name of a
/// command of one's own may have commas.
fn rate_in(csv: &str) -> Result<f64> {
    let found = csv.lines().filter_map(|line| line.split("\",\"").nth(1));
    let mut rates = found.filter_map(|cell| cell.trim_matches('"').parse().ok());
    match rates.next() {
        Some(rate) => Ok(rate),
        None => bail!("redis-benchmark printed no rate: {csv}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_found_with_and_without_a_header() {
        let new = "\"test\",\"rps\",\"avg_latency_ms\"\n\"GET\",\"143266.47\",\"0.208\"\n";
        assert_eq!(rate_in(new).unwrap(), 143266.47);
        assert_eq!(rate_in("\"GET\",\"99.00\"\n").unwrap(), 99.0);
        assert_eq!(rate_in("\"eval a, b 0\",\"7.50\",\"1\"\n").unwrap(), 7.5);
        assert!(rate_in("").is_err());
    }
}
