//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.

use hotshell_plugin_api::collections::Bytes;

use crate::cx::{Cx, Outcome};
use crate::dispatch;
use crate::flags::{CONNECTION, Flags};
use crate::reply::Reply;
use crate::state::{SESSION_DIRTY, SESSION_FAILED, SESSION_MULTI, Watched};
use crate::table::{ALL_KEYS, NO_KEYS, rows, v};

const MODE: Flags = CONNECTION.or(Flags::FAST).or(Flags::ALLOW_BUSY).or(Flags::AT_ONCE);

rows! { Transactions:
    "multi", 1, MODE, NO_KEYS, v(1, 2), multi,
        "O(1)", "Starts a transaction.";
    "exec", 1, CONNECTION.or(Flags::SKIP_SLOWLOG).or(Flags::AT_ONCE), NO_KEYS, v(1, 2), exec,
        "Depends on commands in the transaction", "Executes all commands in a transaction.";
    "discard", 1, MODE, NO_KEYS, v(2, 0), discard,
        "O(N), when N is the number of queued commands", "Discards a transaction.";
    "watch", -2, MODE, ALL_KEYS, v(2, 2), watch,
        "O(1) for every key.", "Monitors changes to keys to determine the execution of a transaction.";
    "unwatch", 1, CONNECTION.or(Flags::FAST).or(Flags::ALLOW_BUSY), NO_KEYS, v(2, 2), unwatch,
        "O(1)", "Forgets about watched keys of a transaction.";
}

fn multi(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    if cx.session.in_multi() {
        return Err("ERR MULTI calls can not be nested");
    }
    cx.session.flags |= SESSION_MULTI;
    cx.out.ok();
    Ok(())
}

fn exec(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    if !cx.session.in_multi() {
        return Err("ERR EXEC without MULTI");
    }
    refresh_watched(cx);
    if cx.session.has(SESSION_FAILED) {
        dispatch::discard(cx);
        return Err("EXECABORT Transaction discarded because of previous errors.");
    }
    if cx.session.has(SESSION_DIRTY) {
        dispatch::discard(cx);
        cx.out.null_array();
        return Ok(());
    }
    dispatch::exec(cx);
    Ok(())
}

/// A watched key whose time ended since WATCH has changed, also when nobody looked at it.
fn refresh_watched(cx: &mut Cx<'_>) {
    for i in 0..cx.session.watched.len() {
        let Watched { db, expired, ref key } = cx.session.watched[i];
        let (now, key) = (cx.now, key.clone());
        let over = cx.state.db(db).expiry(&key).is_some_and(|at| at <= now);
        if over && !expired {
            cx.session.flags |= SESSION_DIRTY;
        }
    }
}

fn discard(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    if !cx.session.in_multi() {
        return Err("ERR DISCARD without MULTI");
    }
    dispatch::discard(cx);
    cx.out.ok();
    Ok(())
}

fn watch(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    if cx.session.in_multi() {
        return Err("ERR WATCH inside MULTI is not allowed");
    }
    let db = cx.session.db;
    for &key in &args[1..] {
        if cx.session.watched.iter().any(|w| w.db == db && w.key == key) {
            continue;
        }
        cx.refresh(key);
        let watchers = &mut cx.state.db(db).watchers;
        watchers.entry(Bytes::from(key)).or_default().push(cx.client);
        cx.session.watched.push(Watched { db, expired: false, key: Bytes::from(key) });
    }
    cx.out.ok();
    Ok(())
}

fn unwatch(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    dispatch::unwatch(cx);
    cx.out.ok();
    Ok(())
}
