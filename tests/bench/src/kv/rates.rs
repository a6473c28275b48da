//! All default tests of redis-benchmark: requests per second, and CPU time per request.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

use super::KvArgs;
use super::client::Client;
use super::words::TESTS;
use crate::process::Process;
use crate::redis_benchmark::{HEADER, Load, Measured, Work, judge, measure, middle};
use crate::report::{Report, Table};

/// Elements of the list that LRANGE reads from: more than it asks for.
const LIST: u64 = 2_000;

/// The tests that were asked for.
///
/// # Errors
/// When one of them is unknown.
pub fn wanted(args: &KvArgs) -> Result<Vec<&'static str>> {
    for name in &args.tests {
        ensure!(TESTS.contains(&name.as_str()), "no test {name}; there are {}", TESTS.join(", "));
    }
    let asked = |test: &&str| args.tests.is_empty() || args.tests.iter().any(|name| name == test);
    Ok(TESTS.into_iter().filter(asked).collect())
}

/// Runs all tests, each with pipelines of each length.
pub fn run(args: &KvArgs, report: &mut Report) -> Result<()> {
    let tests = wanted(args)?;
    report.note(format!(
        "redis-benchmark, {} connections, -r {}; medians of {} measurements of each side, by turns",
        args.clients, args.keyspace, args.rounds
    ));
    let mut table = Table::new("redis-benchmark", HEADER);
    for &pipeline in &args.pipeline {
        for (test, (ours, theirs)) in measured(args, &tests, pipeline, with_redis_benchmark)? {
            judge(report, &mut table, "", (test, pipeline), (ours, theirs));
        }
    }
    report.tables.push(table);
    Ok(())
}

/// A way to measure one test on one server.
pub type Way = fn(Load, &str, SocketAddr, &Process) -> Result<Measured>;

/// Medians of both sides for each test.
pub fn measured(
    args: &KvArgs,
    tests: &[&'static str],
    pipeline: u64,
    way: Way,
) -> Result<Vec<(&'static str, (Measured, Measured))>> {
    let (host, peer) = super::servers(args)?;
    let load = Load {
        clients: args.clients,
        requests: args.requests * if pipeline > 1 { 5 } else { 1 },
        pipeline,
        keyspace: args.keyspace,
        size: 3,
        threads: 1,
    };
    let mut all = vec![(Vec::new(), Vec::new()); tests.len()];
    for round in 0..args.rounds {
        for address in [host.address, peer.address] {
            Client::connect(address)?.ask(&["FLUSHALL"])?;
        }
        for (test, (ours, theirs)) in tests.iter().zip(&mut all) {
            let mut ours =
                || one(way, load, test, host.address, &host.process).map(|m| ours.push(m));
            let mut theirs =
                || one(way, load, test, peer.address, &peer.process).map(|m| theirs.push(m));
            if round % 2 == 0 {
                theirs()?;
                ours()?;
            } else {
                ours()?;
                theirs()?;
            }
        }
    }
    let medians = all.iter().map(|(ours, theirs)| (middle(ours), middle(theirs)));
    Ok(tests.iter().copied().zip(medians).collect())
}

/// One measurement, on what the test before has left. LRANGE has a list of its own.
fn one(
    way: Way,
    load: Load,
    test: &str,
    address: SocketAddr,
    server: &Process,
) -> Result<Measured> {
    if !test.starts_with("lrange_") {
        return way(load, test, address, server);
    }
    let mut client = Client::connect(address)?;
    client.ask(&["DEL", "mylist"])?;
    for _ in 0..LIST {
        client.send(&[b"LPUSH", b"mylist", b"xxx"])?;
    }
    client.finish()?;
    way(Load { requests: (load.requests / 5).max(1), ..load }, test, address, server)
}

fn with_redis_benchmark(
    load: Load,
    test: &str,
    address: SocketAddr,
    server: &Process,
) -> Result<Measured> {
    let Some(elements) = test.strip_prefix("lrange_") else {
        return measure(load, Work::Test(test), address, server);
    };
    // redis-benchmark fills the list anew for its own test, which is not to be measured.
    let last = (elements.parse::<u64>()? - 1).to_string();
    measure(load, Work::Command(&["LRANGE", "mylist", "0", &last]), address, server)
}
