//! HELP of commands that have subcommands. The texts since Redis 7 are data, in `help.txt`: the name of
//! the command, then its lines, each behind a space. The test `containers` compares them with what a real
//! server says, and writes them when told to.

use crate::cx::{Cx, Outcome};
use crate::errors;
use crate::level::v;
use crate::reply::Reply;

const TEXT: &str = include_str!("help.txt");
/// What Redis says of HELP itself, last of all.
const OF_ITSELF: [&str; 2] = ["HELP", "    Prints this help."];

/// The lines of a command.
fn lines(name: &str) -> Vec<&'static str> {
    let mut all = TEXT.lines().skip_while(|line| *line != name);
    all.next();
    all.map_while(|line| line.strip_prefix(' ')).collect()
}

/// HELP of MEMORY in Redis 4.
const MEMORY_4: [&str; 5] = [
    "MEMORY DOCTOR                        - Outputs memory problems report",
    "MEMORY USAGE <key> [SAMPLES <count>] - Estimate memory usage of key",
    "MEMORY STATS                         - Show memory usage details",
    "MEMORY PURGE                         - Ask the allocator to release memory",
    "MEMORY MALLOC-STATS                  - Show allocator internal stats",
];
/// HELP of OBJECT in Redis 4.
const OBJECT_4: [&str; 5] = [
    "OBJECT <subcommand> key. Subcommands:",
    "refcount -- Return the number of references of the value associated with the specified key.",
    "encoding -- Return the kind of internal representation used in order to store the value \
     associated with a key.",
    "idletime -- Return the idle time of the key, that is the approximated number of seconds elapsed \
     since the last access to the key.",
    "freq -- Return the access frequency index of the key. The returned integer is proportional to the \
     logarithm of the recent access frequency of the key.",
];

/// HELP of the command that the request names.
pub fn help(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let row = cx.table.find(args[0]).ok_or(errors::SYNTAX)?;
    if !cx.has(v(7, 0)) {
        old_help(cx, row.name);
        return Ok(());
    }
    let upper = row.name.to_ascii_uppercase();
    let lines = lines(row.name);
    cx.out.array(1 + lines.len() + OF_ITSELF.len());
    cx.out.simple(&format!("{upper} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    lines.into_iter().chain(OF_ITSELF).for_each(|line| cx.out.simple(line));
    Ok(())
}

/// Of these two only: others had none yet.
fn old_help(cx: &mut Cx<'_>, name: &str) {
    cx.out.array(OBJECT_4.len());
    match name {
        "memory" => MEMORY_4.iter().for_each(|line| cx.out.bulk(line.as_bytes())),
        _ => OBJECT_4.iter().for_each(|line| cx.out.simple(line)),
    }
}
