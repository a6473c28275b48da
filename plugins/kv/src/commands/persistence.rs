//! SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF, SHUTDOWN: Redis' words for what the shell does. Either kind of
//! background work is a snapshot, behind which the journal is cut ([`crate::saving`]).

use crate::cx::{After, Cx, Outcome, is};
use crate::errors;
use crate::flags::Flags;
use crate::reply::Reply;
use crate::saving::{self, Work};
use crate::state::SESSION_SAVING;
use crate::table::{NO_KEYS, rows, v};

const BACKGROUND: Flags = Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING);

rows! { Server:
    "save", 1, BACKGROUND.or(Flags::NO_MULTI), NO_KEYS, v(1, 0), save,
        "O(N) where N is the total number of keys in all databases",
        "Synchronously saves the database(s) to disk.";
    "bgsave", -1, BACKGROUND, NO_KEYS, v(1, 0), bgsave,
        "O(1)", "Asynchronously saves the database(s) to disk.";
    "lastsave", 1, Flags::LOADING.or(Flags::STALE).or(Flags::FAST).or(Flags::RANDOM), NO_KEYS, v(1, 0), lastsave,
        "O(1)", "Returns the Unix timestamp of the last successful save to disk.";
    "bgrewriteaof", 1, BACKGROUND, NO_KEYS, v(1, 0), bgrewriteaof,
        "O(1)", "Asynchronously rewrites the append-only file to disk.";
    "shutdown", -1, Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE)
        .or(Flags::NO_MULTI).or(Flags::ALLOW_BUSY),
        NO_KEYS, v(1, 0), shutdown,
        "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
        "Synchronously saves the database(s) to disk and shuts down the Redis server.";
}

/// What a server answers that keeps nothing.
const IN_MEMORY: &str =
    "ERR This server keeps its data in memory only. Start hotshell with --data to save them.";
const SAVING: &str = "ERR Background save already in progress";
const REWRITING: &str = "ERR Background append only file rewriting already in progress";

/// The client waits for a snapshot; all others are served meanwhile.
fn save(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    if saving::running(cx.state, cx.shell).is_some() {
        return Err(SAVING);
    }
    if !saving::begin(cx.state, cx.shell, Work::Save, cx.client) {
        return Err(IN_MEMORY);
    }
    cx.session.flags |= SESSION_SAVING;
    cx.after = After::Block;
    Ok(())
}

fn bgsave(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let scheduled = match args[1..] {
        [] => false,
        [word] if is(word, "schedule") => true,
        _ => return Err(errors::SYNTAX),
    };
    let reply = match saving::running(cx.state, cx.shell) {
        Some(Work::Save) => return Err(SAVING),
        Some(Work::Rewrite) if !scheduled && !cx.in_exec => {
            return Err(if cx.has(v(5, 0)) {
                "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE \
                 SCHEDULE in order to schedule a BGSAVE whenever possible."
            } else {
                "ERR An AOF log rewriting in progress: can't BGSAVE right now. Use BGSAVE SCHEDULE in \
                 order to schedule a BGSAVE whenever possible."
            });
        }
        None if !cx.in_exec => "Background saving started",
        _ => "Background saving scheduled",
    };
    background(cx, Work::Save, reply)
}

fn bgrewriteaof(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let reply = match saving::running(cx.state, cx.shell) {
        Some(Work::Rewrite) => return Err(REWRITING),
        None if !cx.in_exec => "Background append only file rewriting started",
        _ => "Background append only file rewriting scheduled",
    };
    background(cx, Work::Rewrite, reply)
}

fn background(cx: &mut Cx<'_>, work: Work, reply: &str) -> Outcome {
    if !saving::begin(cx.state, cx.shell, work, 0) {
        return Err(IN_MEMORY);
    }
    cx.out.simple(reply);
    Ok(())
}

fn lastsave(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let seconds = saving::last_save_ms(cx.shell) / 1000;
    cx.out.int(seconds as i64);
    Ok(())
}

/// The words of SHUTDOWN.
#[derive(Default)]
struct Words {
    save: bool,
    nosave: bool,
    now: bool,
    force: bool,
    abort: bool,
}

impl Words {
    fn read(cx: &Cx<'_>, words: &[&[u8]]) -> Result<Self, &'static str> {
        let (mut all, new) = (Self::default(), cx.has(v(7, 0)));
        if words.len() > 1 && !new {
            return Err(errors::SYNTAX);
        }
        for word in words {
            match () {
                () if is(word, "save") => all.save = true,
                () if is(word, "nosave") => all.nosave = true,
                () if is(word, "now") && new => all.now = true,
                () if is(word, "force") && new => all.force = true,
                () if is(word, "abort") && new => all.abort = true,
                () => return Err(errors::SYNTAX),
            }
        }
        let stops = all.save || all.nosave || all.now || all.force;
        if (all.abort && stops) || (all.save && all.nosave) {
            return Err(errors::SYNTAX);
        }
        Ok(all)
    }
}

/// Nothing is answered: the connection closes with the server.
fn shutdown(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let words = Words::read(cx, &args[1..])?;
    if words.abort {
        // A stop does not wait for replicas, so there is none that could still be called off.
        return Err("ERR No shutdown in progress.");
    }
    if words.save && !saving::is_kept(cx.shell) && !words.force {
        return Err("ERR Errors trying to SHUTDOWN. Check logs.");
    }
    match words {
        Words { save: true, .. } => cx.shell.stop_saving(true),
        Words { nosave: true, .. } => cx.shell.stop_saving(false),
        _ => cx.shell.stop(),
    }
    cx.after = After::Block;
    Ok(())
}
