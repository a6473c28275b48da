//! DBSIZE, FLUSHDB, FLUSHALL, TIME.

use hotshell_plugin_api::ctx::ClientId;

use crate::cx::{Cx, Outcome, is};
use crate::errors;
use crate::flags::{Flags, READ_FAST};
use crate::reply::Reply;
use crate::state::{DATABASES, SESSION_DIRTY};
use crate::table::{NO_KEYS, rows, v};
use crate::tracking;

rows! { Server:
    "dbsize", 1, READ_FAST, NO_KEYS, v(1, 0), dbsize,
        "O(1)", "Returns the number of keys in the database.";
    "flushdb", -1, Flags::WRITE, NO_KEYS, v(1, 0), flushdb,
        "O(N) where N is the number of keys in the selected database",
        "Remove all keys from the current database.";
    "flushall", -1, Flags::WRITE, NO_KEYS, v(1, 0), flushall,
        "O(N) where N is the total number of keys in all databases",
        "Removes all keys from all databases.";
    "time", 1, Flags::FAST.or(Flags::LOADING).or(Flags::STALE).or(Flags::RANDOM), NO_KEYS, v(2, 6), time,
        "O(1)", "Returns the server time.";
}

fn dbsize(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let len = cx.db().keys.len();
    cx.out.int(len as i64);
    Ok(())
}

fn flushdb(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    check_flush(cx, args)?;
    flush(cx, cx.session.db);
    tracking::flushed(cx.state, cx.shell);
    cx.out.ok();
    Ok(())
}

fn flushall(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    check_flush(cx, args)?;
    for db in 0..DATABASES as u32 {
        flush(cx, db);
    }
    // Nor does another version bring anything back.
    cx.shell.forget_entries();
    tracking::flushed(cx.state, cx.shell);
    cx.out.ok();
    Ok(())
}

fn check_flush(cx: &Cx<'_>, args: &[&[u8]]) -> Outcome {
    match *args {
        [_] => Ok(()),
        [_, word] if is(word, "async") || (is(word, "sync") && cx.has(v(6, 2))) => Ok(()),
        _ => Err(errors::SYNTAX),
    }
}

fn flush(cx: &mut Cx<'_>, db: u32) {
    let space = cx.state.db(db);
    let gone = space.watchers.iter().filter(|(key, _)| space.keys.contains_key(&key[..]));
    let dirty: Vec<ClientId> = gone.flat_map(|(_, ids)| ids.iter().copied()).collect();
    for id in dirty {
        if id == cx.client {
            cx.session.flags |= SESSION_DIRTY;
        } else if let Some(session) = cx.shell.session_of(id) {
            session.flags |= SESSION_DIRTY;
        }
    }
    cx.state.flush(db);
    if cx.state.has_graves() {
        cx.shell.wake_at(cx.now);
    }
}

fn time(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let now = cx.now as i64;
    cx.out.array(2);
    cx.out.bulk_int(now / 1000);
    cx.out.bulk_int(now % 1000 * 1000);
    Ok(())
}
