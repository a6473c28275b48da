//! MEMORY: what keys and the server take.

use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::READ;
use crate::help;
use crate::memory;
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

fn stats(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let info = cx.shell.server_info();
    let used: Vec<(usize, usize, usize)> = cx
        .state
        .dbs
        .iter()
        .enumerate()
        .filter(|(_, db)| !db.keys.is_empty())
        .map(|(n, db)| (n, memory::table_bytes(&db.keys), memory::table_bytes(&db.expires)))
        .collect();
    let keys: usize = cx.state.dbs.iter().map(|db| db.keys.len()).sum();
    let overhead: usize = used.iter().map(|(_, keys, expires)| keys + expires).sum();
    let (total, overhead) = (info.state_bytes, overhead as u64);
    let dataset = total.saturating_sub(overhead);
    let numbers = [
        ("peak.allocated", cx.state.stats.peak_since_reset.max(total)),
        ("total.allocated", total),
        ("startup.allocated", 0),
        ("replication.backlog", 0),
        ("clients.slaves", 0),
        ("clients.normal", 0),
        ("aof.buffer", 0),
        ("overhead.total", overhead),
        ("keys.count", keys as u64),
        ("keys.bytes-per-key", total.checked_div(keys as u64).unwrap_or(0)),
        ("dataset.bytes", dataset),
    ];
    cx.out.map(numbers.len() + used.len() + 1);
    for (name, n) in numbers {
        cx.out.bulk(name.as_bytes());
        cx.out.int(n as i64);
    }
    cx.out.bulk(b"dataset.percentage");
    cx.out.double(if total == 0 { 0.0 } else { 100.0 * dataset as f64 / total as f64 });
    for (n, keys, expires) in used {
        cx.out.bulk(format!("db.{n}").as_bytes());
        cx.out.map(2);
        cx.out.bulk(b"overhead.hashtable.main");
        cx.out.int(keys as i64);
        cx.out.bulk(b"overhead.hashtable.expires");
        cx.out.int(expires as i64);
    }
    Ok(())
}
