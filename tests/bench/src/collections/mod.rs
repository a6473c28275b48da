//! The collections of server state against their peers, on the shell's heap, by turns in one run.

pub mod key;
mod map;
mod sequence;
mod tree;

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::bars;
use crate::median::by_turns;
use crate::report::{Report, Table};
use key::Text;

/// Options of `collections`.
#[derive(Debug, Args)]
pub struct CollectionsArgs {
    /// Entries, with commas; trees and sequences stop at a million
    #[arg(long, value_delimiter = ',', default_value = "1000000,10000000")]
    entries: Vec<usize>,
    /// Measurements of each side; the median counts. Half as many above five million entries
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Only cases whose name contains this, such as "HashMap u64" or "get hit"
    #[arg(long, default_value = "")]
    filter: String,
}

/// Whether memory comes in pages of 2 MiB, which large tables are much faster with.
const HUGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
/// Trees and sequences stop here: more tells nothing new and takes minutes.
const MOST_ORDERED: usize = 1_000_000;
/// Keys of 16 bytes stop here, for the memory they take.
const MOST_TEXTS: usize = 2_000_000;

/// Runs the benchmark.
pub fn run(args: &CollectionsArgs) -> Result<Report> {
    hotshell::heap::install();
    let mut bench = Bench {
        report: Report::new("collections"),
        table: Table::new(
            "one operation, our collection on the shell's heap against its peer on mimalloc",
            ["collection", "operation", "entries", "ours ns", "peer ns", "peer / ours"],
        ),
        rounds: args.rounds,
        filter: args.filter.clone(),
    };
    bench.report.note(format!(
        "medians of {} measurements of each side, by turns, each with memory fresh from the system; \
         peers: hashbrown with its own hasher, std's BTreeMap, VecDeque and Vec",
        args.rounds
    ));
    if let Ok(mode) = std::fs::read_to_string(HUGE_PAGES) {
        bench.report.note(format!(
            "transparent huge pages: {}; mimalloc asks for them, MIMALLOC_ALLOW_THP=0 forbids it",
            mode.trim()
        ));
    }
    for &entries in &args.entries {
        bench.rounds = if entries > 5_000_000 { args.rounds.div_ceil(2) } else { args.rounds };
        map::compare::<u64>(&mut bench, "HashMap u64", entries);
        if entries <= MOST_TEXTS {
            map::compare::<Text>(&mut bench, "HashMap 16 bytes", entries);
        }
        map::compare_worst(&mut bench, entries);
    }
    bench.rounds = args.rounds;
    let most = args.entries.iter().copied().max().unwrap_or(0).min(MOST_ORDERED);
    tree::compare(&mut bench, most);
    sequence::compare(&mut bench, most);
    let Bench { mut report, table, .. } = bench;
    report.tables.push(table);
    Ok(report)
}

/// A run under way.
struct Bench {
    report: Report,
    table: Table,
    rounds: usize,
    filter: String,
}

impl Bench {
    /// Whether a case is wanted.
    fn wants(&self, collection: &str, operation: &str) -> bool {
        format!("{collection} {operation}").contains(&self.filter)
    }

    /// Measures `entries` operations of each side.
    fn compare(
        &mut self,
        (collection, operation): (&str, &str),
        entries: usize,
        mut ours: impl FnMut() -> Duration,
        mut peer: impl FnMut() -> Duration,
    ) {
        if !self.wants(collection, operation) {
            return;
        }
        // Neither side finds pages that an earlier measurement has warmed.
        let cold = hotshell::heap::release;
        let (ours, peer) = by_turns(self.rounds, || (cold(), ours()).1, || (cold(), peer()).1);
        let ns = |seconds: f64| seconds * 1e9 / entries as f64;
        let speed = peer / ours;
        self.table.row([
            json!(collection),
            json!(operation),
            json!(entries),
            json!(ns(ours)),
            json!(ns(peer)),
            json!(speed),
        ]);
        let what = format!("{collection} {operation}, {entries}: speed, ours / peer");
        self.report.judge(what, bars::COLLECTION, speed);
    }
}
