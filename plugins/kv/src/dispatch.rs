//! From a request to its command: unknown names, arity, MULTI, the subscribed mode.

use hotshell_plugin_api::collections::Bytes;

use crate::blocking;
use crate::buffers;
use crate::cx::{After, Cx, Outcome};
use crate::errors;
use crate::eviction::{self, Ended};
use crate::flags::Flags;
use crate::inline::{self, Line};
use crate::journal;
use crate::latency;
use crate::monitor;
use crate::old_errors;
use crate::refusal::{self, refuse, reject};
use crate::reply::Reply;
use crate::resp::{self, Args, Front};
use crate::slowlog;
use crate::state::{
    MODE_AUTH, MODE_MEMORY, MODE_MONITOR, MODE_OUTPUT, MODE_REPLICAS, MODE_TRACKING, MODE_UNSAVED,
    SESSION_AUTHENTICATED, SESSION_DIRTY, SESSION_FAILED, SESSION_MULTI, SESSION_SILENT,
    SESSION_SKIP, SESSION_SKIP_NEXT,
};
use crate::table::{Level, Row, Run, v};
use crate::tracking;

/// Executes one request; `request` is its text, for MULTI.
#[inline]
pub fn request(cx: &mut Cx<'_>, args: &[&[u8]], request: &[u8]) {
    cx.state.commands.learn(cx.table);
    cx.replies_from = cx.out.len();
    match cx.table.find_slot(args[0]) {
        Some((row, slot)) if row.takes(args.len()) => {
            if row.subs.is_empty() || container(cx, row, args) {
                let session = &*cx.session;
                let ordinary = session.flags & SESSION_MULTI == 0
                    && session.subscriptions.is_none()
                    && cx.state.modes == 0;
                if ordinary {
                    run(cx, row, slot, args);
                } else {
                    run_in_mode(cx, row, slot, args, request);
                }
            }
        }
        other => reject(cx, other.map(|(row, _)| row), args),
    }
    if !cx.state.ready.is_empty() {
        serve_waiting(cx);
    }
    if cx.session.flags & (SESSION_SILENT | SESSION_SKIP_NEXT) != 0 {
        silence(cx);
    }
    if cx.state.modes & MODE_TRACKING != 0 {
        tracking::answered(cx, args[0]);
    }
}

/// Serves clients that wait for what this request brought; they hear first that it changed.
#[cold]
fn serve_waiting(cx: &mut Cx<'_>) {
    if cx.state.modes & MODE_TRACKING != 0 {
        tracking::tell_others(cx.state, cx.shell, cx.client);
    }
    let pops_told = cx.has(v(7, 0));
    blocking::serve(cx.state, cx.shell, pops_told);
}

/// Takes back the reply of a client that wants none (CLIENT REPLY). One that waits has none yet.
#[cold]
fn silence(cx: &mut Cx<'_>) {
    if cx.after == After::Block {
        return;
    }
    if cx.session.flags & SESSION_SILENT != 0 {
        cx.out.truncate(cx.replies_from);
    }
    let next = cx.session.has(SESSION_SKIP_NEXT);
    cx.session.flags &= !(SESSION_SKIP | SESSION_SKIP_NEXT);
    if next {
        cx.session.flags |= SESSION_SKIP;
    }
}

/// Runs a command whose arity was checked.
#[inline(always)]
fn run(cx: &mut Cx<'_>, row: &'static Row, slot: u16, args: &[&[u8]]) {
    let (began, errors) = (cx.state.ended_ns.max(cx.began_ns), cx.state.stats.errors);
    let mut number = cx.state.commands.number(slot);
    let mut run = row.run;
    if !row.subs.is_empty() {
        (run, number) = sub_run(cx, row, number, args);
    }
    cx.session.command = u32::from(number);
    cx.mark.begin(row.flags.has(Flags::READONLY));
    cx.state.stats.commands += 1;
    (cx.told, cx.dirty) = (false, false);
    if let Err(text) = run(cx, args) {
        let _ = cx.error(text);
    }
    // One that changed a key and failed then does the same when it is run again.
    let changed = cx.dirty || cx.state.stats.errors == errors;
    if row.flags.has(Flags::WRITE) && changed {
        cx.state.changes += u64::from(cx.dirty);
        tell_journal(cx, args);
    }
    let ended = cx.shell.monotonic_ns_now();
    let took = ended.saturating_sub(began);
    let failed = cx.state.stats.errors != errors;
    cx.state.commands.of(number).count(took, failed, cx.state.settings.untimed);
    cx.state.ended_ns = ended;
    if took >= cx.state.settings.slow_ns {
        note_slow(cx, row, args, took);
    }
}

/// A command may have changed data: the journal hears of it, unless it was told already.
#[inline(never)]
fn tell_journal(cx: &mut Cx<'_>, args: &[&[u8]]) {
    if !cx.told && cx.after != After::Block {
        journal::tell(cx.shell, cx.session.db, args);
    }
}

/// Runs a command that was run before; false when this version has no such command.
pub fn again(cx: &mut Cx<'_>, args: &[&[u8]]) -> bool {
    cx.state.commands.learn(cx.table);
    let found = cx.table.find_slot(args[0]).filter(|(row, _)| row.takes(args.len()));
    if let Some((row, slot)) = found {
        run(cx, row, slot, args);
    }
    found.is_some()
}

/// Remembers a command that took long.
#[cold]
fn note_slow(cx: &mut Cx<'_>, row: &Row, args: &[&[u8]], took_ns: u64) {
    let event = if row.flags.has(Flags::FAST) { "fast-command" } else { "command" };
    latency::note(cx.state, event, took_ns, cx.now);
    let limit = u64::try_from(cx.state.settings.slowlog_us).ok();
    if limit.is_none_or(|us| took_ns / 1000 < us) || row.flags.has(Flags::SKIP_SLOWLOG) {
        return;
    }
    let peer = cx.shell.client_info(cx.client).map(|info| info.peer().to_string());
    let entry = slowlog::Entry {
        id: 0,
        time_s: cx.now / 1000,
        duration_us: took_ns / 1000,
        args: slowlog::cut_args(&monitor::redacted(row, args)),
        peer: Bytes::from(peer.unwrap_or_default().as_bytes()),
        name: cx.session.name.clone(),
    };
    cx.state.slowlog.push(entry, cx.state.settings.slowlog_len);
}

/// Looks up the subcommand before anything is queued, as Redis 7. False when it was refused.
#[cold]
fn container(cx: &mut Cx<'_>, row: &'static Row, args: &[&[u8]]) -> bool {
    let (Some(word), true) = (args.get(1), cx.has(Level::of(7, 0, 0))) else { return true };
    let text = match row.sub(word, cx.table.redis) {
        Some(sub) if sub.takes(args.len()) => return true,
        Some(sub) => {
            format!("ERR wrong number of arguments for '{}|{}' command", row.name, sub.name)
        }
        None => {
            let word = String::from_utf8_lossy(&word[..word.len().min(128)]);
            let upper = row.name.to_ascii_uppercase();
            format!("ERR unknown subcommand '{word}'. Try {upper} HELP.")
        }
    };
    refuse(cx, Some(row), &text);
    false
}

/// What a container runs for these arguments, and the number of the subcommand.
#[cold]
fn sub_run(cx: &mut Cx<'_>, row: &'static Row, number: u16, args: &[&[u8]]) -> (Run, u16) {
    let Some(word) = args.get(1) else { return (row.run, number) };
    let sub = row.sub(word, cx.table.redis);
    if !cx.has(Level::of(7, 0, 0)) {
        let sub = sub.filter(|sub| old_errors::takes(row, sub, args.len()));
        return (sub.map_or(old_errors::of_subcommand, |sub| sub.run), number);
    }
    // What does not fit was refused.
    let Some(sub) = sub else { return (row.run, number) };
    (sub.run, cx.state.commands.number_of(&format!("{}|{}", row.name, sub.name)))
}

/// The error of a subcommand that is given more than it takes, where its row sets no limit.
pub fn too_many(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let word = String::from_utf8_lossy(args[1]).into_owned();
    let upper = String::from_utf8_lossy(args[0]).to_ascii_uppercase();
    cx.error(&format!(
        "ERR unknown subcommand or wrong number of arguments for '{word}'. Try {upper} HELP."
    ))
}

#[cold]
fn run_in_mode(cx: &mut Cx<'_>, row: &'static Row, slot: u16, args: &[&[u8]], request: &[u8]) {
    if cx.state.modes & MODE_AUTH != 0
        && !cx.session.has(SESSION_AUTHENTICATED)
        && !row.flags.has(Flags::NO_AUTH)
    {
        return refuse(cx, Some(row), "NOAUTH Authentication required.");
    }
    if cx.state.modes & MODE_MEMORY != 0 && !has_memory(cx, row) {
        let text = "OOM command not allowed when used memory > 'maxmemory'.";
        return refuse(cx, Some(row), text);
    }
    if cx.state.modes & MODE_UNSAVED != 0 && refusal::needs_saving(cx, row) {
        let new = cx.has(Level::of(6, 2, 0));
        return refuse(cx, Some(row), if new { errors::UNSAVED } else { errors::UNSAVED_4 });
    }
    if cx.state.modes & MODE_REPLICAS != 0 && refusal::writes(cx, row) {
        let new = cx.has(Level::of(5, 0, 0));
        return refuse(
            cx,
            Some(row),
            if new { errors::NO_REPLICAS } else { errors::NO_REPLICAS_4 },
        );
    }
    if cx.session.only_listens() && !row.flags.has(Flags::IN_SUBSCRIBED) {
        return refusal::only_listens(cx, row, args);
    }
    if cx.session.in_multi() && !row.flags.has(Flags::AT_ONCE) {
        if row.flags.has(Flags::NO_MULTI) {
            return refuse(cx, Some(row), "ERR Command not allowed inside a transaction");
        }
        cx.session.queue.push(Bytes::from(request));
        cx.out.put(b"+QUEUED\r\n");
        return;
    }
    run_shown(cx, row, slot, args);
    if cx.state.modes & MODE_OUTPUT != 0 {
        buffers::answered(cx);
    }
}

/// [`run_tracked`], and shows it to those who see all commands.
fn run_shown(cx: &mut Cx<'_>, row: &'static Row, slot: u16, args: &[&[u8]]) {
    let (seen, first) = (cx.state.modes & MODE_MONITOR != 0, monitor::shows_first(cx, row));
    if seen && first {
        monitor::show(cx, row, args);
    }
    run_tracked(cx, row, slot, args);
    if seen && !first {
        monitor::show(cx, row, args);
    }
}

/// [`run`], and notes what was read for clients that keep copies.
fn run_tracked(cx: &mut Cx<'_>, row: &'static Row, slot: u16, args: &[&[u8]]) {
    run(cx, row, slot, args);
    if cx.state.modes & MODE_TRACKING != 0 {
        tracking::after(cx, row, args);
    }
}

/// Makes room if memory is short. False when that failed and the command may need more.
fn has_memory(cx: &mut Cx<'_>, row: &Row) -> bool {
    if eviction::run(cx.state, cx.shell, cx.now) != Ended::Short {
        return true;
    }
    let queued = cx.session.in_multi() && !row.flags.has(Flags::AT_ONCE);
    !row.flags.has(Flags::DENYOOM) && !queued
}

/// Runs what was queued since MULTI, and writes the array of replies.
pub fn exec(cx: &mut Cx<'_>) {
    let queue = core::mem::take(&mut cx.session.queue);
    cx.session.flags &= !(SESSION_MULTI | SESSION_DIRTY | SESSION_FAILED);
    unwatch(cx);
    cx.in_exec = true;
    cx.out.array(queue.len());
    for request in &queue {
        exec_one(cx, request);
    }
    cx.in_exec = false;
}

fn exec_one(cx: &mut Cx<'_>, request: &[u8]) {
    let mut args = Args::new();
    let words;
    let inline: Vec<&[u8]>;
    let args = match resp::parse(request, &mut args) {
        Front::Request(_) => args.as_slice(),
        _ => {
            words = inline::parse(request);
            let Line::Words(words, _) = &words else { return };
            inline = words.iter().map(AsRef::as_ref).collect();
            &inline
        }
    };
    // A version that was switched to in the middle may know the command no more.
    match cx.table.find_slot(args[0]) {
        Some((row, slot)) if row.takes(args.len()) => {
            run_shown(cx, row, slot, args);
            if cx.state.modes & MODE_TRACKING != 0 {
                // Others hear of a change before they hear of what comes behind it.
                tracking::tell_others(cx.state, cx.shell, cx.client);
            }
        }
        other => reject(cx, other.map(|(row, _)| row), args),
    }
    if cx.after == After::Block {
        cx.after = After::Next;
    }
}

/// Forgets the queue of MULTI.
pub fn discard(cx: &mut Cx<'_>) {
    cx.session.queue = Default::default();
    cx.session.flags &= !(SESSION_MULTI | SESSION_DIRTY | SESSION_FAILED);
    unwatch(cx);
}

/// Takes the client off the watchers of all keys it watches.
pub fn unwatch(cx: &mut Cx<'_>) {
    for watched in core::mem::take(&mut cx.session.watched) {
        let watchers = &mut cx.state.db(watched.db).watchers;
        if let Some(ids) = watchers.get_mut(&watched.key) {
            ids.retain(|&id| id != cx.client);
            if ids.is_empty() {
                watchers.remove(&watched.key);
            }
        }
    }
    cx.session.flags &= !SESSION_DIRTY;
}
