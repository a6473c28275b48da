//! SLOWLOG: commands that took long.

use crate::cx::{Cx, Outcome, int};
use crate::flags::Flags;
use crate::help;
use crate::reply::Reply;
use crate::table::{NO_KEYS, rows, subs, v};

rows! { Server:
    "slowlog", -2, Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE).or(Flags::RANDOM), NO_KEYS, v(2, 2), len,
        "Depends on subcommand.", "A container for slow log commands.", SUBS;
}

subs! {
    "get", -2, v(2, 2), get;
    "help", 2, v(5, 0), help::help;
    "len", 2, v(2, 2), len;
    "reset", 2, v(2, 2), reset;
}

/// Entries that GET shows without a count.
const SHOWN: usize = 10;

fn len(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let len = cx.state.slowlog.entries.len();
    cx.out.int(len as i64);
    Ok(())
}

fn reset(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    cx.state.slowlog.entries.clear();
    cx.out.ok();
    Ok(())
}

fn get(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let entries = &cx.state.slowlog.entries;
    let count = match args[2..] {
        [] => SHOWN,
        [text] if !cx.table.has(v(7, 0)) => usize::try_from(int(text)?).unwrap_or(usize::MAX),
        [text] => match int(text) {
            Ok(-1) => entries.len(),
            Ok(n) if n >= 0 => n as usize,
            _ => return Err("ERR count should be greater than or equal to -1"),
        },
        _ => {
            let word = String::from_utf8_lossy(args[1]).into_owned();
            return cx.error(&format!(
                "ERR unknown subcommand or wrong number of arguments for '{word}'. Try SLOWLOG HELP."
            ));
        }
    };
    cx.out.array(count.min(entries.len()));
    for entry in entries.iter().take(count) {
        cx.out.array(6);
        cx.out.int(entry.id as i64);
        cx.out.int(entry.time_s as i64);
        cx.out.int(entry.duration_us as i64);
        cx.out.array(entry.args.len());
        entry.args.iter().for_each(|arg| cx.out.bulk(arg));
        cx.out.bulk(&entry.peer);
        cx.out.bulk(&entry.name);
    }
    Ok(())
}
