//! Instructions of the plugin for each request of redis-benchmark's default tests, without a shell and
//! without sockets: a figure that no load of the machine changes, for the plugin's own development.
//!
//! Callgrind counts them in a child. Two counts of requests are run and subtracted, so that the start and
//! what is made ready cancel.

use anyhow::{Context, Result};
use serde_json::json;

use super::words::{Requests, each, request_of};
use super::{KvArgs, rates};
use crate::artifacts;
use crate::boundary::{Driver, Loaded};
use crate::callgrind;
use crate::report::{Report, Table};

/// Keys, members and fields that are gone through.
const KEYS: u64 = 1_000;
/// Requests before the counted ones: every key has been touched.
const FIRST: u64 = 2 * KEYS;
/// Requests that are counted.
const COUNTED: u64 = 20_000;
/// Elements of the list that LRANGE reads from.
const LIST: u64 = 1_000;

/// Adds the figures.
pub fn run(args: &KvArgs, report: &mut Report) -> Result<()> {
    report.note(format!(
        "instructions: kv 2, {KEYS} keys, callgrind over {COUNTED} requests after the first {FIRST}"
    ));
    let mut table = Table::new("instructions of the plugin", ["test", "a request"]);
    for test in rates::wanted(args)? {
        let count = |requests: u64| {
            let requests = requests.to_string();
            callgrind::instructions(&["kv", "--inner", test, "--requests", &requests])
        };
        let counted = count(FIRST + COUNTED)? - count(FIRST)?;
        table.row([json!(test), json!(counted as f64 / COUNTED as f64)]);
    }
    report.tables.push(table);
    Ok(())
}

/// Runs so many requests of a test.
pub fn run_one(test: &str, count: u64) -> Result<()> {
    let (made, asked) = requests(test).with_context(|| format!("no test {test}"))?;
    let plugin = Loaded::map(&artifacts::kv_v2()?, c"hotshell_plugin_kv_v2")?;
    let mut driver = Driver::loaded(&plugin)?;
    driver.run_loaded(&plugin, &made, made.len() as u64);
    driver.run_loaded(&plugin, &asked, count);
    Ok(())
}

/// What is made ready, and then asked for in turn.
fn requests(test: &str) -> Option<(Requests, Requests)> {
    let many = FIRST + COUNTED;
    let ready = match test {
        "get" => each(KEYS, "SET key:# xxx"),
        "lpop" | "rpop" => each(many, "LPUSH mylist xxx"),
        "spop" => each(many, "SADD myset element:#"),
        "zpopmin" => each(many, "ZADD myzset 0 element:#"),
        _ if test.starts_with("lrange_") => each(LIST, "LPUSH mylist xxx"),
        _ => Vec::new(),
    };
    let asked = (0..KEYS).map(|n| request_of(test, || n)).collect::<Option<_>>()?;
    Some((ready, asked))
}
