//! The errors of Redis 4 for subcommands, which it looks up when the command is run, each command with
//! texts of its own.

use core::ops::RangeInclusive;

use crate::cx::{Cx, Outcome, is};
use crate::errors;
use crate::table::{Row, Sub};

/// How many arguments subcommands took that take others since.
const TAKEN: [(&str, &str, RangeInclusive<usize>); 9] = [
    ("client", "kill", 2..=usize::MAX),
    ("client", "list", 2..=2),
    ("client", "pause", 3..=3),
    ("command", "getkeys", 3..=usize::MAX),
    ("config", "get", 3..=3),
    ("config", "set", 4..=4),
    ("script", "exists", 2..=usize::MAX),
    ("script", "flush", 2..=2),
    ("slowlog", "get", 2..=3),
];

/// Whether a subcommand took so many arguments.
pub fn takes(row: &Row, sub: &Sub, args: usize) -> bool {
    let known = TAKEN.iter().find(|(name, word, _)| *name == row.name && *word == sub.name);
    known.map_or(sub.takes(args), |(_, _, taken)| taken.contains(&args))
}

/// What a command answers that has no such subcommand, or not with so many arguments.
pub fn of_subcommand(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let word = args.get(1).copied().unwrap_or_default();
    let shown = String::from_utf8_lossy(word).into_owned();
    let name = String::from_utf8_lossy(args[0]).to_ascii_lowercase();
    match name.as_str() {
        "client" => {
            Err("ERR Syntax error, try CLIENT (LIST | KILL | GETNAME | SETNAME | PAUSE | REPLY)")
        }
        // Looked at before the subcommand.
        "cluster" => Err(errors::NO_CLUSTER),
        "command" => Err("ERR Unknown subcommand or wrong number of arguments."),
        "config" if ["get", "set", "resetstat", "rewrite"].iter().any(|known| is(word, known)) => {
            cx.error(&format!("ERR Wrong number of arguments for CONFIG {shown}"))
        }
        "config" => Err("ERR CONFIG subcommand must be one of GET, SET, RESETSTAT, REWRITE"),
        "debug" if args.len() == 1 => {
            Err("ERR You must specify a subcommand for DEBUG. Try DEBUG HELP for info.")
        }
        "latency" | "module" => Err(errors::SYNTAX),
        "memory" => Err("ERR Syntax error. Try MEMORY HELP"),
        "object" => cx.error(&format!(
            "ERR Unknown subcommand or wrong number of arguments for '{shown}'. Try OBJECT help"
        )),
        "script" => Err("ERR Unknown SCRIPT subcommand or wrong # of args."),
        "slowlog" => Err("ERR Unknown SLOWLOG subcommand or wrong # of args. Try GET, RESET, LEN."),
        _ => {
            let name = name.to_ascii_uppercase();
            cx.error(&format!(
                "ERR Unknown {name} subcommand or wrong number of arguments for '{shown}'"
            ))
        }
    }
}
