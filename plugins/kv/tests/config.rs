//! Goal: CONFIG has the parameters of Redis, takes what Redis takes, and refuses the rest in its words; INFO
//! has its fields. Method: both are asked the same of every parameter, with values of all kinds.

mod common;
#[allow(dead_code, reason = "the differential test uses the rest")]
mod peer;
mod resp;

use std::collections::{BTreeMap, BTreeSet};

use common::{One, V1, V2, encode, text};
use hotshell_kv::glob;
use hotshell_kv::parameters::{PARAMETERS, Parameter};
use hotshell_plugin_api::plugin::Plugin;
use peer::Redis;
use resp::{Value, parse};

/// Parameters whose values are not those of a fresh Redis, and why.
const OTHER_VALUES: &[(&str, &str)] = &[
    ("bind", "the peer listens where the test says"),
    ("dir", "of another server"),
    ("enable-debug-command", "DEBUG can be used here"),
    ("port", "of another server"),
    ("slowlog-log-slower-than", "the peer was started with another"),
];

/// Parameters that are not set by this test: the peer would do what they say.
const LEFT_ALONE: &[&str] = &[
    "appendonly",
    "oom-score-adj",
    "bind",
    "dir",
    "logfile",
    "maxclients",
    "maxmemory",
    "port",
    "proc-title-template",
    "requirepass",
    "tls-port",
];

/// Parameters that are not set at a Redis 4: it would close the connection that asks.
const LEFT_ALONE_4: &[&str] =
    &["client-output-buffer-limit", "client-query-buffer-limit", "proto-max-bulk-len"];

/// Values that are not compared with Redis 4: beyond 32 bits it keeps the lowest of them, an empty size is 0
/// to it, a backlog of 0 the least, and its slow log cannot be switched off with -1.
fn is_meant_for_4(name: &str, value: &str) -> bool {
    value.is_empty()
        || value.parse::<u128>().is_ok_and(|n| n > i32::MAX as u128)
        || [("slowlog-log-slower-than", "-1"), ("repl-backlog-size", "0")].contains(&(name, value))
}

/// Values that mean something else on purpose: name, value, why.
const MEANT: &[(&str, &str, &str)] = &[(
    "maxmemory-clients",
    "99999999999999999999",
    "Redis keeps a percentage as a negative number, so that this is 1% to it",
)];

/// What each parameter is set to.
const VALUES: &[&str] = &[
    "",
    "no",
    "yes",
    "x",
    "0",
    "1",
    "-1",
    "5",
    "100",
    "1001",
    "2mb",
    "5%",
    "101%",
    "65536",
    "3000000000",
    "9223372036854775807",
    "99999999999999999999",
    "60 1",
    "1 2 3",
    "50 99",
    "normal 1 2 3",
    "replica 1kb 0 0 pubsub 5 5 5",
    "other 0 0 0",
    "-2000 0 2000",
    "0 0 2001",
    "KEA",
    "a.b-c",
    "a_b",
    "always",
    "debug",
    "volatile-ttl",
];

fn redis() -> Option<Redis> {
    let redis = Redis::start();
    if redis.is_none() {
        println!("skipped: no redis-server");
    }
    redis
}

fn ask_redis(redis: &mut Redis, request: &[&str]) -> Vec<u8> {
    redis.send(0, &encode(request));
    redis.sync();
    redis.read_until(0, |reply| parse(reply).is_some())
}

fn parameters(reply: &[u8]) -> BTreeMap<String, String> {
    let (all, _) = parse(reply).expect("a whole reply");
    let pairs = all.elements().chunks_exact(2);
    pairs.map(|pair| (pair[0].text().to_owned(), pair[1].text().to_owned())).collect()
}

/// A redis-server 4.0, where there is one.
fn redis_4() -> Option<Redis> {
    let redis = Redis::start_4();
    if redis.is_none() {
        println!("skipped: HOTSHELL_REDIS_4 is not set: the path of a redis-server 4.0");
    }
    redis
}

#[test]
fn every_parameter_of_redis_is_there_with_its_value() {
    redis().iter_mut().for_each(parameters_are_those_of::<V2>);
    redis_4().iter_mut().for_each(parameters_are_those_of::<V1>);
}

fn parameters_are_those_of<P: Plugin>(redis: &mut Redis) {
    redis.renew(1);
    let theirs = parameters(&ask_redis(redis, &["config", "get", "*"]));
    let mut one = One::<P>::new();
    let mut ours = parameters(&one.server.ask(one.client, &encode(&["config", "get", "*"])));
    for (name, _) in OTHER_VALUES.iter().filter(|(name, _)| theirs.contains_key(*name)) {
        assert_ne!(ours.get(*name), None, "{name}");
        ours.insert((*name).to_owned(), theirs[*name].clone());
    }
    let differ = |name: &&String| ours.get(*name) != theirs.get(*name);
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).filter(differ).collect();
    let shown: Vec<_> =
        names.iter().map(|name| (name, ours.get(*name), theirs.get(*name))).collect();
    assert!(shown.is_empty(), "(name, kv, redis): {shown:#?}");
}

#[test]
fn hidden_parameters_are_found_by_their_names_which_come_back_as_written() {
    let Some(mut redis) = redis() else { return };
    redis.renew(1);
    let mut one = One::<V2>::new();
    for name in [
        "key-load-delay",
        "loading-process-events-interval-bytes",
        "lua-enable-deprecated-api",
        "rdb-key-save-delay",
        "use-exit-on-panic",
        "Watchdog-Period",
        "MaxMemory",
        "MaxMemory?",
    ] {
        let request = ["config", "get", name];
        let ours = one.server.ask(one.client, &encode(&request));
        let theirs = ask_redis(&mut redis, &request);
        assert_eq!(text(ours), text(theirs), "{name}");
    }
}

#[test]
fn the_period_of_the_watchdog_is_two_turns_of_the_timer_at_least() {
    let Some(mut redis) = redis() else { return };
    redis.renew(1);
    let mut one = One::<V2>::new();
    for set in [
        &["watchdog-period", "1"][..],
        &["watchdog-period", "201"],
        &["hz", "100"],
        &["watchdog-period", "5"],
        &["watchdog-period", "0"],
        &["watchdog-period", "1", "hz", "10"],
        &["hz", "20", "watchdog-period", "1"],
        &["watchdog-period", "-1"],
        &["watchdog-period", "0", "hz", "10"],
    ] {
        let set = [&["config", "set"], set].concat();
        for request in [&set[..], &["config", "get", "watchdog-period"]] {
            let ours = one.server.ask(one.client, &encode(request));
            let theirs = ask_redis(&mut redis, request);
            assert_eq!(text(ours), text(theirs), "{set:?}");
        }
    }
}

#[test]
fn every_parameter_takes_and_refuses_what_redis_does() {
    redis().iter_mut().for_each(parameters_are_set_as_by::<V2>);
    redis_4().iter_mut().for_each(parameters_are_set_as_by::<V1>);
}

fn parameters_are_set_as_by<P: Plugin>(redis: &mut Redis) {
    redis.renew(1);
    let mut one = One::<P>::new();
    let mut differences = String::new();
    let all = parameters(&ask_redis(redis, &["config", "get", "*"]));
    let old = !all.contains_key("acllog-max-len");
    let left_alone =
        |name: &str| LEFT_ALONE.contains(&name) || (old && LEFT_ALONE_4.contains(&name));
    for name in all.keys().filter(|name| !left_alone(name)) {
        let is_meant = |value: &str| {
            MEANT.iter().any(|(n, v, _)| *n == name && *v == value)
                || (old && is_meant_for_4(name, value))
        };
        for value in VALUES.iter().filter(|value| !is_meant(value)) {
            let mut both = |request: &[&str]| {
                let ours = one.server.ask(one.client, &encode(request));
                [ours, ask_redis(redis, request)].map(common::text)
            };
            let set = both(&["config", "set", name, value]);
            let get = both(&["config", "get", name]);
            if set[0] != set[1] || (get[0] != get[1] && !is_other(name)) {
                differences.push_str(&format!("{name} {value:?}: {set:?}, then {get:?}\n"));
                break;
            }
        }
    }
    assert!(differences.is_empty(), "[kv, redis]\n{differences}");
}

/// The names and patterns between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_readme_says_of_every_parameter_whether_it_takes_effect() {
    let readme = include_str!("../README.md");
    let from = |text: &'static str, mark: &str| text.split_once(mark).expect("a mark").1;
    let text = from(from(readme, "## What takes effect"), "how the server works: ");
    let (effective, rest) = text.split_once("\n| parameters").expect("a table");
    let table = rest.split("\n\n").next().unwrap_or_default();
    let kept = table.lines().flat_map(|line| quoted(line.split('|').nth(1).unwrap_or_default()));
    let (effective, kept): (Vec<&str>, Vec<&str>) = (quoted(effective), kept.collect());
    let hits = |patterns: &[&str], name: &str| {
        let name = name.replace("ziplist", "listpack").replace("slave", "replica");
        patterns.iter().any(|pattern| {
            let pattern = pattern.replace("slave", "replica");
            glob::matches(pattern.as_bytes(), name.as_bytes(), false)
        })
    };
    // These have no setter: the shell takes one, and INFO reads the other as it was set.
    let elsewhere = ["appendfsync", "latency-tracking-info-percentiles"];
    for Parameter { name, set, .. } in PARAMETERS {
        let works = set.is_some() || elsewhere.contains(name);
        assert_eq!((hits(&effective, name), hits(&kept, name)), (works, !works), "{name}");
    }
    for pattern in kept {
        let of_none = |p: &Parameter| !glob::matches(pattern.as_bytes(), p.name.as_bytes(), false);
        assert!(!PARAMETERS.iter().all(of_none), "{pattern} names nothing");
    }
}

fn is_other(name: &str) -> bool {
    OTHER_VALUES.iter().any(|(other, _)| *other == name)
}

fn fields(info: &str) -> BTreeSet<String> {
    // Lines that are there for each command, error or database.
    let many = ["cmdstat_", "errorstat_", "latency_percentiles_usec_", "db0"];
    let lines = info.lines().filter_map(|line| line.split_once(':'));
    let names =
        lines.map(|(name, _)| name).filter(|name| !many.iter().any(|m| name.starts_with(m)));
    names.map(str::to_owned).collect()
}

#[test]
fn info_has_the_sections_and_fields_of_redis() {
    redis().iter_mut().for_each(info_is_that_of::<V2>);
    redis_4().iter_mut().for_each(info_is_that_of::<V1>);
}

fn info_is_that_of<P: Plugin>(redis: &mut Redis) {
    redis.renew(1);
    let sections = |info: &str| -> Vec<String> {
        let titles = info.lines().filter(|line| line.starts_with("# ") && *line != "# Hotshell");
        titles.map(str::to_owned).collect()
    };
    let mut one = One::<P>::new();
    for request in
        [&["info"][..], &["info", "all"], &["info", "everything"], &["info", "cpu", "memory"]]
    {
        let ours = one.server.ask(one.client, &encode(request));
        let theirs = ask_redis(redis, request);
        if theirs.starts_with(b"-") {
            assert_eq!(text(ours), text(theirs), "{request:?}");
            continue;
        }
        let [ours, theirs] = [ours, theirs].map(|reply| {
            let Some((Value::Text(text), _)) = parse(&reply) else { panic!("no text") };
            text
        });
        assert_eq!(sections(&ours), sections(&theirs), "{request:?}");
        let missing: Vec<_> = fields(&theirs).difference(&fields(&ours)).cloned().collect();
        assert!(missing.is_empty(), "{request:?}: {missing:?}");
        let more = fields(&ours);
        let more: Vec<_> = more.difference(&fields(&theirs)).cloned().collect();
        let own = ["generation", "plugin_name", "plugin_version", "swaps"];
        assert!(more.iter().all(|name| own.contains(&name.as_str())), "{request:?}: {more:?}");
    }
}

fn info<P: Plugin>() -> String {
    let mut one = One::<P>::new();
    one.ask("set k v");
    one.ask("info")
}

#[test]
fn info_of_the_older_level_has_nothing_of_the_newer() {
    let (old, new) = (info::<V1>(), info::<V2>());
    for since in ["errorstat", "tracking_clients", "used_memory_vm_eval", "server_time_usec"] {
        assert!(!old.contains(since), "{since}");
    }
    for both in ["used_memory_rss:", "instantaneous_ops_per_sec:", "run_id:", "db0:keys=1,"] {
        assert!(old.contains(both) && new.contains(both), "{both}");
    }
    assert!(new.contains("rdb_changes_since_last_save:1\r\n"), "{new}");
}
