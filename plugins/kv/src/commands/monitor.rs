//! MONITOR, WAIT, SWAPDB.

use super::connection::db_number;
use crate::cx::{Cx, Outcome, int};
use crate::errors;
use crate::flags::{CONNECTION, Flags};
use crate::monitor;
use crate::reply::Reply;
use crate::state::{DATABASES, SESSION_DIRTY};
use crate::table::{NO_KEYS, rows, v};

rows! { Server:
    "monitor", 1, Flags::ADMIN.or(CONNECTION), NO_KEYS, v(1, 0), watch,
        "", "Listens for all requests received by the server in real-time.";
    "swapdb", 3, Flags::WRITE.or(Flags::FAST), NO_KEYS, v(4, 0), swapdb,
        "O(N) where N is the count of clients watching or blocking on keys from both databases.",
        "Swaps two Redis databases.";
}

fn watch(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    if cx.in_exec {
        return Err("ERR MONITOR isn't allowed for DENY BLOCKING client");
    }
    monitor::begin(cx);
    cx.out.ok();
    Ok(())
}

fn swapdb(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let number = |arg: &[u8], text| int(arg).ok().filter(|n| i32::try_from(*n).is_ok()).ok_or(text);
    let new = cx.has(v(7, 0));
    let check = |arg: &[u8], text| if new { number(arg, text) } else { int(arg).or(Err(text)) };
    check(args[1], "ERR invalid first DB index")?;
    check(args[2], "ERR invalid second DB index")?;
    let db = |arg: &[u8]| db_number(arg).map_err(|_| errors::DB_RANGE);
    let (first, second) = (db(args[1])?, db(args[2])?);
    if first != second {
        swap(cx, first as usize, second as usize);
    }
    cx.out.ok();
    Ok(())
}

/// Exchanges the keys of two databases. Who watches or waits stays with the number.
fn swap(cx: &mut Cx<'_>, first: usize, second: usize) {
    debug_assert!(first < DATABASES && second < DATABASES);
    tell_watchers(cx, first, second);
    let (low, high) = (first.min(second), first.max(second));
    let (front, back) = cx.state.dbs.split_at_mut(high);
    let (a, b) = (&mut front[low], &mut back[0]);
    core::mem::swap(&mut a.keys, &mut b.keys);
    core::mem::swap(&mut a.expires, &mut b.expires);
    for db in [low, high] {
        cx.state.look_at_awaited(db as u32);
    }
}

/// A key that is in either database changes for those who WATCH it.
fn tell_watchers(cx: &mut Cx<'_>, first: usize, second: usize) {
    for (db, other) in [(first, second), (second, first)] {
        let (space, other) = (&cx.state.dbs[db], &cx.state.dbs[other]);
        let changed = |key: &[u8]| space.keys.contains_key(key) || other.keys.contains_key(key);
        let watchers = space.watchers.iter().filter(|(key, _)| changed(key));
        let ids: Vec<u64> = watchers.flat_map(|(_, ids)| ids.iter().copied()).collect();
        for id in ids {
            if id == cx.client {
                cx.session.flags |= SESSION_DIRTY;
            } else if let Some(session) = cx.shell.session_of(id) {
                session.flags |= SESSION_DIRTY;
            }
        }
    }
}
