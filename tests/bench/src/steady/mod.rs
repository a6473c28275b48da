//! What a hash map at rest pays for being able to grow in steps and to change its shape while it is used: an
//! operation against the same code without the looks that tell whether something is under way.
//!
//! Instructions are counted by callgrind in a child, and only while the operations run: each is a call of a
//! function of its own. The loop around them is counted alone, and taken off.
//!
//! What the look tells besides is whether there is a table at all, which any map has to know. So the map
//! without it asks for that.

mod sides;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use hotshell_plugin_api::collections::HashMap;
use serde_json::json;

use crate::bars;
use crate::callgrind::{self, word};
use crate::collections::key::{Key, Keys, Text};
use crate::report::{Report, Table};
use sides::Loop;

/// Options of `steady`.
#[derive(Debug, Args)]
pub struct SteadyArgs {
    /// Operations whose instructions are counted, a multiple of 50000
    #[arg(long, default_value_t = 2 * ENTRIES)]
    operations: usize,
    /// Runs one side only, for the counting child
    #[arg(long, hide = true)]
    inner: Option<Side>,
    /// Which operation the counting child runs
    #[arg(long, hide = true, value_enum, default_value_t = Operation::GetHit)]
    operation: Operation,
    /// Which keys it runs it with
    #[arg(long, hide = true, value_enum, default_value_t = Keyed::U64)]
    keys: Keyed,
}

/// Which map is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    /// A map as plugins have it.
    Able,
    /// The same without its looks.
    Still,
    /// None: the loop alone.
    Loop,
}

/// What is done with each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Operation {
    GetHit,
    GetMiss,
    GetMut,
    Insert,
    Replace,
    Entry,
    Remove,
    Iterate,
}

/// What the keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Keyed {
    U64,
    Text,
}

const KEYED: [(Keyed, &str); 2] = [(Keyed::U64, "u64"), (Keyed::Text, "16 bytes")];
/// With whether a bar is held against them: an entry is handed over in memory, and a removal looks whether
/// something is set aside.
const OPERATIONS: [(Operation, &str, bool); 8] = [
    (Operation::GetHit, "get hit", true),
    (Operation::GetMiss, "get miss", true),
    (Operation::GetMut, "get_mut", true),
    (Operation::Insert, "insert, new", true),
    (Operation::Replace, "insert, present", true),
    (Operation::Entry, "entry, present", false),
    (Operation::Remove, "remove", false),
    (Operation::Iterate, "iterate", true),
];
/// Entries that are read.
const ENTRIES: usize = 50_000;

/// Runs the benchmark, or one side of it.
pub fn run(args: &SteadyArgs) -> Result<Report> {
    ensure!(args.operations.is_multiple_of(ENTRIES), "--operations is a multiple of {ENTRIES}");
    let mut report = Report::new("steady");
    if let Some(side) = args.inner {
        match args.keys {
            Keyed::U64 => run_side::<u64>(side, args),
            Keyed::Text => run_side::<Text>(side, args),
        }
        return Ok(report);
    }
    report.note(format!(
        "a HashMap with values of 8 bytes; instructions by callgrind over {} operations, without those of \
         the loop",
        args.operations
    ));
    let mut table = Table::new(
        "one operation: a map that can change its shape against one that asks for nothing under way",
        ["keys", "operation", "able, instr.", "still, instr.", "able / still"],
    );
    for (keys, keys_name) in KEYED {
        for (operation, name, judged) in OPERATIONS {
            let of = |side| instructions(side, operation, keys, args.operations);
            let alone = if operation == Operation::Iterate { 0.0 } else { of(Side::Loop)? };
            let (able, still) = (of(Side::Able)? - alone, of(Side::Still)? - alone);
            let ratio = able / still;
            let cells = [json!(keys_name), json!(name), json!(able), json!(still), json!(ratio)];
            table.row(cells);
            if judged {
                let what = format!("{keys_name} {name}: instructions, able / still");
                report.judge(what, bars::STEADY, ratio);
            }
        }
    }
    report.tables.push(table);
    Ok(report)
}

/// Instructions of one operation, and of one turn of the loop.
fn instructions(side: Side, operation: Operation, keys: Keyed, counted: usize) -> Result<f64> {
    let [side, operation, keys] = [word(&side), word(&operation), word(&keys)];
    let all = counted.to_string();
    let child = ["steady", "--inner", &side, "--operation", &operation, "--keys", &keys];
    let sum = callgrind::instructions_within(
        "steady*counted",
        &[&child[..], &["--operations", &all]].concat(),
    )?;
    Ok(sum as f64 / counted as f64)
}

/// What the child does: makes the map, then runs so many operations.
fn run_side<K: Key>(side: Side, args: &SteadyArgs) {
    hotshell::heap::install();
    let (operation, all) = (args.operation, args.operations);
    let (entries, room) = match operation {
        Operation::Insert => (0, all),
        // So many that the map never shrinks.
        Operation::Remove => (2 * all, 2 * all),
        _ => (ENTRIES, ENTRIES),
    };
    let keys = Keys::<K>::new(all.max(entries));
    let mut map = HashMap::<K, u64>::with_capacity(room);
    keys.all[..entries].iter().for_each(|key| _ = map.insert(*key, 1));
    let keys = match operation {
        Operation::GetMiss => &keys.absent[..ENTRIES],
        Operation::Insert | Operation::Remove => &keys.all[..all],
        _ => &keys.all[..ENTRIES],
    };
    match side {
        Side::Able => counted(|| sides::run(operation, &mut map, keys, all)),
        Side::Still => {
            let mut still = map.still().expect("a map with a table and nothing under way");
            counted(|| sides::run(operation, &mut still, keys, all));
        }
        Side::Loop => counted(|| sides::run(operation, &mut Loop(1), keys, all)),
    }
}

/// Callgrind counts while this runs, and no longer.
#[inline(never)]
fn counted(work: impl FnOnce()) {
    work();
    std::hint::black_box(());
}
