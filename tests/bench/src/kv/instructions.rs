//! Instructions of the plugin for each request of redis-benchmark's default tests, without a shell and
//! without sockets: a figure that no load of the machine changes, for the plugin's own development.
//!
//! Callgrind counts them in a child. Two counts of requests are run and subtracted, so that the start and
//! what is made ready cancel.

use anyhow::{Context, Result};
use serde_json::json;

use super::{KvArgs, rates};
use crate::artifacts;
use crate::boundary::{Driver, Loaded};
use crate::callgrind;
use crate::report::{Report, Table};
use crate::resp::request;

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

/// Requests, whole.
type Requests = Vec<Vec<u8>>;

/// What is made ready, and then asked for in turn: the words of redis-benchmark.
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
    let ten = "key:# xxx ".repeat(10);
    let asked = match test {
        "ping_inline" => return Some((ready, vec![b"PING\r\n".to_vec()])),
        "ping_mbulk" => "PING",
        "set" => "SET key:# xxx",
        "get" => "GET key:#",
        "incr" => "INCR counter:#",
        "lpush" => "LPUSH mylist xxx",
        "rpush" => "RPUSH mylist xxx",
        "lpop" => "LPOP mylist",
        "rpop" => "RPOP mylist",
        "sadd" => "SADD myset element:#",
        "hset" => "HSET myhash element:# xxx",
        "spop" => "SPOP myset",
        "zadd" => "ZADD myzset 0 element:#",
        "zpopmin" => "ZPOPMIN myzset",
        "lrange_100" => "LRANGE mylist 0 99",
        "lrange_300" => "LRANGE mylist 0 299",
        "lrange_500" => "LRANGE mylist 0 499",
        "lrange_600" => "LRANGE mylist 0 599",
        "mset" => &format!("MSET {}", ten.trim_end()),
        _ => return None,
    };
    Some((ready, each(KEYS, asked)))
}

/// A request for each number, which takes the place of `#`.
fn each(count: u64, words: &str) -> Requests {
    let of = |n: u64| {
        let words = words.replace('#', &format!("{n:012}"));
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        let mut bytes = Vec::new();
        request(&mut bytes, &words);
        bytes
    };
    (0..count).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_of_redis_benchmark_has_its_requests() {
        for test in rates::TESTS {
            let (_, asked) = requests(test).expect(test);
            assert!(!asked.is_empty(), "{test}");
        }
        assert!(requests("unknown").is_none());
    }
}
