//! MEMORY: what keys and the server take.

use crate::buffers;
use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::READ;
use crate::help;
use crate::memory;
use crate::process;
use crate::reply::Reply;
use crate::table::{Keys, rows, subs, v};

const SECOND: Keys = (2, 2, 1);

rows! { Server:
    "memory", -2, READ, SECOND, v(4, 0), help::help,
        "Depends on subcommand.", "A container for memory diagnostics commands.", SUBS;
}

subs! {
    "doctor", 2, v(4, 0), doctor;
    "help", 2, v(4, 0), help::help;
    "malloc-stats", 2, v(4, 0), malloc_stats;
    "purge", 2, v(4, 0), purge;
    "stats", 2, v(4, 0), stats;
    "usage", -3, v(4, 0), usage;
}

/// Elements of a collection that are measured when nothing is said.
const SAMPLES: usize = 5;
/// Below it the doctor sees nothing.
const LITTLE: u64 = 5 << 20;

fn usage(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let mut samples = SAMPLES;
    let (pairs, rest) = args[3..].as_chunks::<2>();
    for &[word, count] in pairs {
        if !is(word, "samples") {
            return Err(errors::SYNTAX);
        }
        samples = usize::try_from(int(count)?).map_err(|_| errors::SYNTAX)?;
    }
    if !rest.is_empty() {
        return Err(errors::SYNTAX);
    }
    cx.refresh(args[2]);
    let found = cx.state.dbs[cx.session.db as usize].keys.get_key_value(args[2]);
    match found.map(|(key, value)| memory::usage(key, value, samples)) {
        Some(bytes) => cx.out.int(bytes as i64),
        None => cx.out.null(),
    }
    Ok(())
}

fn doctor(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let text = if cx.shell.server_info().state_bytes < LITTLE {
        "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be \
         used in these conditions. Please, leave for your mission on Earth and fill it with some data. \
         The new Sam and I will be back to our programming as soon as I finished rebooting.\n"
    } else {
        "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on \
         this base.\n"
    };
    cx.out.verbatim(text.as_bytes());
    Ok(())
}

/// Redis' answer without its usual allocator.
fn malloc_stats(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    cx.out.verbatim(b"Stats not supported for the current allocator");
    Ok(())
}

/// The shell gives freed memory back by itself.
fn purge(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    cx.out.ok();
    Ok(())
}

/// A number of MEMORY STATS.
enum Number {
    Whole(u64),
    Ratio(f64),
    /// Bytes of the tables of a database: its keys, its times to live.
    Tables(usize, usize),
}

fn stats(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    use Number::{Ratio, Tables, Whole};
    let new = cx.has(v(7, 0));
    let total = cx.shell.server_info().state_bytes;
    let (peak, resident) = (cx.state.stats.peak_since_reset.max(total), process::resident());
    let clients = buffers::held(cx.shell);
    let dbs = cx.state.dbs.iter().enumerate().filter(|(_, db)| !db.keys.is_empty());
    let tables: Vec<(usize, usize, usize)> = dbs
        .map(|(n, db)| (n, memory::table_bytes(&db.keys), memory::table_bytes(&db.expires)))
        .collect();
    let keys = cx.state.dbs.iter().map(|db| db.keys.len() as u64).sum::<u64>();
    let overhead = tables.iter().map(|(_, keys, ends)| (keys + ends) as u64).sum::<u64>();
    let dataset = total.saturating_sub(overhead);
    let ratio = |part: u64, of: u64| part as f64 / of.max(1) as f64;
    let mut all: Vec<(String, Number)> = Vec::new();
    let mut add = |since: bool, name: &str, number| {
        if since {
            all.push((name.to_owned(), number));
        }
    };
    add(true, "peak.allocated", Whole(peak));
    add(true, "total.allocated", Whole(total));
    for name in ["startup.allocated", "replication.backlog", "clients.slaves"] {
        add(true, name, Whole(0));
    }
    add(true, "clients.normal", Whole(clients));
    add(new, "cluster.links", Whole(0));
    add(true, "aof.buffer", Whole(0));
    add(new, "lua.caches", Whole(0));
    add(new, "functions.caches", Whole(0));
    for (n, keys, ends) in tables {
        add(true, &format!("db.{n}"), Tables(keys, ends));
    }
    add(true, "overhead.total", Whole(overhead));
    add(true, "keys.count", Whole(keys));
    add(true, "keys.bytes-per-key", Whole(total.checked_div(keys).unwrap_or(0)));
    add(true, "dataset.bytes", Whole(dataset));
    add(true, "dataset.percentage", Ratio(100.0 * ratio(dataset, total)));
    add(true, "peak.percentage", Ratio(100.0 * ratio(total, peak)));
    // The heap of the state is the allocator; what the process has beyond it is as if it held it back.
    let beyond = resident.saturating_sub(total);
    add(new, "allocator.allocated", Whole(total));
    add(new, "allocator.active", Whole(total));
    add(new, "allocator.resident", Whole(resident));
    add(new, "allocator-fragmentation.ratio", Ratio(1.0));
    add(new, "allocator-fragmentation.bytes", Whole(0));
    add(new, "allocator-rss.ratio", Ratio(ratio(resident, total)));
    add(new, "allocator-rss.bytes", Whole(beyond));
    add(new, "rss-overhead.ratio", Ratio(1.0));
    add(new, "rss-overhead.bytes", Whole(0));
    add(true, "fragmentation", Ratio(ratio(resident, total)));
    add(new, "fragmentation.bytes", Whole(beyond));
    cx.out.map(all.len());
    for (name, number) in all {
        cx.out.bulk(name.as_bytes());
        match number {
            Whole(n) => cx.out.int(n as i64),
            Ratio(ratio) => cx.out.double(ratio),
            Tables(keys, ends) => reply_tables(cx, keys, ends),
        }
    }
    Ok(())
}

fn reply_tables(cx: &mut Cx<'_>, keys: usize, ends: usize) {
    let new = cx.has(v(7, 0));
    let slots = new.then_some(("overhead.hashtable.slot-to-keys", 0));
    let tables = [("overhead.hashtable.main", keys), ("overhead.hashtable.expires", ends)];
    cx.out.map(tables.len() + usize::from(new));
    for (name, bytes) in tables.into_iter().chain(slots) {
        cx.out.bulk(name.as_bytes());
        cx.out.int(bytes as i64);
    }
}
