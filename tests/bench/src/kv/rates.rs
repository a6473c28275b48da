//! All default tests of redis-benchmark: requests per second, and CPU time per request.

use anyhow::{Result, ensure};

use super::KvArgs;
use super::client::Client;
use crate::redis_benchmark::{HEADER, Load, Measured, Work, judge, measure, middle};
use crate::report::{Report, Table};

/// The tests in redis-benchmark's order, in which those that take away find what others brought.
pub const TESTS: [&str; 19] = [
    "ping_inline",
    "ping_mbulk",
    "set",
    "get",
    "incr",
    "lpush",
    "rpush",
    "lpop",
    "rpop",
    "sadd",
    "hset",
    "spop",
    "zadd",
    "zpopmin",
    "lrange_100",
    "lrange_300",
    "lrange_500",
    "lrange_600",
    "mset",
];
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
        for (test, (ours, theirs)) in measured(args, &tests, pipeline)? {
            judge(report, &mut table, (test, pipeline), (ours, theirs));
        }
    }
    report.tables.push(table);
    Ok(())
}

/// Medians of both sides for each test.
fn measured(
    args: &KvArgs,
    tests: &[&'static str],
    pipeline: u64,
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
            let mut ours = || one(load, test, host.address, &host.process).map(|m| ours.push(m));
            let mut theirs =
                || one(load, test, peer.address, &peer.process).map(|m| theirs.push(m));
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

fn one(
    load: Load,
    test: &str,
    address: std::net::SocketAddr,
    server: &crate::process::Process,
) -> Result<Measured> {
    let Some(elements) = test.strip_prefix("lrange_") else {
        return measure(load, Work::Test(test), address, server);
    };
    // redis-benchmark fills the list anew for this test, which is not to be measured.
    let mut client = Client::connect(address)?;
    client.ask(&["DEL", "mylist"])?;
    for _ in 0..LIST {
        client.send(&[b"LPUSH", b"mylist", b"xxx"])?;
    }
    client.finish()?;
    let last = (elements.parse::<u64>()? - 1).to_string();
    let requests = (load.requests / 5).max(1);
    measure(
        Load { requests, ..load },
        Work::Command(&["LRANGE", "mylist", "0", &last]),
        address,
        server,
    )
}
