//! INFO.

mod memory;
mod page;
mod persistence;
mod server;
mod stats;

use core::fmt::Write;

use crate::command_stats::Counters;
use crate::cx::{Cx, Outcome, is};
use crate::flags::Flags;
use crate::reply::Reply;
use crate::state::Db;
use crate::table::{Level, NO_KEYS, rows, v};
use page::Page;

rows! { Server:
    "info", -1, Flags::LOADING.or(Flags::STALE), NO_KEYS, v(1, 0), info,
        "O(1)", "Returns information and statistics about the server.";
}

/// A part of the answer.
struct Section {
    /// As it stands over the section.
    title: &'static str,
    /// By which it is asked for, where that is another.
    name: &'static str,
    /// The Redis version that brought it.
    since: Level,
    /// Whether it is there when nothing is asked for.
    default: bool,
    write: fn(&mut Cx<'_>, &mut Page),
}

const fn section(
    title: &'static str,
    since: Level,
    default: bool,
    write: fn(&mut Cx<'_>, &mut Page),
) -> Section {
    Section { title, name: title, since, default, write }
}

/// In the order of the answer.
const SECTIONS: [Section; 14] = [
    section("Server", v(1, 0), true, server::server),
    section("Hotshell", v(1, 0), true, server::hotshell),
    section("Clients", v(1, 0), true, stats::clients),
    section("Memory", v(1, 0), true, memory::memory),
    section("Persistence", v(1, 0), true, persistence::persistence),
    section("Stats", v(1, 0), true, stats::stats),
    section("Replication", v(1, 0), true, server::replication),
    section("CPU", v(1, 0), true, server::cpu),
    Section { name: "module_list", ..section("Modules", v(5, 0), true, |_, _| {}) },
    section("Commandstats", v(2, 6), false, commandstats),
    section("Errorstats", v(6, 2), true, errorstats),
    section("Latencystats", v(7, 0), false, latencystats),
    section("Cluster", v(3, 0), true, |_, page| page.line("cluster_enabled", 0)),
    section("Keyspace", v(1, 0), true, keyspace),
];

fn info(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    if args.len() > 2 && !cx.has(v(7, 0)) {
        return Err("ERR syntax error");
    }
    let (words, new) = (&args[1..], cx.has(v(7, 0)));
    let wanted = |section: &Section| {
        (words.is_empty() && section.default)
            || words.iter().any(|word| {
                let all = is(word, "all") || (new && is(word, "everything"));
                is(word, section.name)
                    || (new && is(word, section.title))
                    || all
                    || (is(word, "default") && section.default)
            })
    };
    let table = cx.table;
    let mut page = Page::new(table.redis);
    for section in SECTIONS.iter().filter(|section| table.has(section.since) && wanted(section)) {
        page.section(section.title);
        (section.write)(cx, &mut page);
    }
    cx.out.verbatim(page.text().as_bytes());
    Ok(())
}

fn commandstats(cx: &mut Cx<'_>, page: &mut Page) {
    let long = cx.has(v(6, 2));
    let called = |counters: &&Counters| counters.calls + counters.rejected > 0;
    for counters in cx.state.commands.iter().filter(called) {
        let us = counters.total_ns / 1000;
        let per_call = us as f64 / counters.calls.max(1) as f64;
        let calls = counters.calls;
        let mut value = format!("calls={calls},usec={us},usec_per_call={per_call:.2}");
        if long {
            let (rejected, failed) = (counters.rejected, counters.failed);
            // Writing to a String cannot fail.
            let _ = write!(value, ",rejected_calls={rejected},failed_calls={failed}");
        }
        page.line(&format!("cmdstat_{}", String::from_utf8_lossy(&counters.name)), value);
    }
}

/// Percentiles of how long commands take, microseconds: those of `latency-tracking-info-percentiles`.
fn latencystats(cx: &mut Cx<'_>, page: &mut Page) {
    let wanted = cx.state.config.get(&b"latency-tracking-info-percentiles"[..]);
    let wanted = wanted.map_or("50 99 99.9".into(), |text| String::from_utf8_lossy(text));
    for counters in cx.state.commands.iter().filter(|counters| counters.timed() > 0) {
        let name = format!("latency_percentiles_usec_{}", String::from_utf8_lossy(&counters.name));
        let percentiles = wanted.split(' ').filter_map(|percent| {
            let us = counters.percentile(percent.parse().ok()?) as f64 / 1e3;
            Some(format!("p{percent}={us:.3}"))
        });
        page.line(&name, percentiles.collect::<Vec<_>>().join(","));
    }
}

fn errorstats(cx: &mut Cx<'_>, page: &mut Page) {
    for (code, count) in cx.state.error_codes.iter() {
        let name = format!("errorstat_{}", String::from_utf8_lossy(code));
        page.line(&name, format_args!("count={count}"));
    }
}

/// Mean time to live in milliseconds of some keys that have one, as Redis' cycle samples it.
fn mean_ttl(db: &Db, now: u64) -> u64 {
    const SAMPLE: usize = 20;
    let some = db.expires.values().take(SAMPLE);
    let sum: u64 = some.map(|at| at.saturating_sub(now)).sum();
    sum.checked_div(db.expires.len().min(SAMPLE) as u64).unwrap_or(0)
}

fn keyspace(cx: &mut Cx<'_>, page: &mut Page) {
    for (n, db) in cx.state.dbs.iter().enumerate().filter(|(_, db)| !db.keys.is_empty()) {
        let (keys, expires, ttl) = (db.keys.len(), db.expires.len(), mean_ttl(db, cx.now));
        page.line(&format!("db{n}"), format_args!("keys={keys},expires={expires},avg_ttl={ttl}"));
    }
}
