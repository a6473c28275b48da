//! CLIENT: who is connected.

use hotshell_plugin_api::abi::ClientInfo;

use super::client_kill::{Kind, kill, unblock};
use super::client_tracking::{caching, getredir, tracking, trackinginfo};
use crate::command_stats::CommandStats;
use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{CONNECTION, Flags};
use crate::help;
use crate::reply::Reply;
use crate::state::{
    SESSION_MONITOR, SESSION_NO_EVICT, SESSION_REPLY_OFF, SESSION_SILENT, SESSION_SKIP_NEXT,
    Session,
};
use crate::table::{NO_KEYS, rows, subs, v};
use crate::tracking::{TRACKS_BROKEN, TRACKS_PREFIXES, Tracker};

rows! { Connection:
    "client", -2, CONNECTION.or(Flags::ADMIN), NO_KEYS, v(2, 4), list,
        "Depends on subcommand.", "A container for client connection commands.", SUBS;
}

subs! {
    "caching", 3, v(6, 0), caching;
    "getname", 2, v(2, 6), getname;
    "getredir", 2, v(6, 0), getredir;
    "help", 2, v(5, 0), help::help;
    "id", 2, v(5, 0), id;
    "info", 2, v(6, 2), info;
    "kill", -3, v(2, 4), kill;
    "list", -2, v(2, 4), list;
    "no-evict", 3, v(7, 0), no_evict;
    "pause", -3, v(2, 9), pause;
    "reply", 3, v(3, 2), reply;
    "setname", 3, v(2, 6), setname;
    "tracking", -3, v(6, 0), tracking;
    "trackinginfo", 2, v(6, 2), trackinginfo;
    "unblock", -3, v(5, 0), unblock;
    "unpause", 2, v(6, 2), unpause;
}

fn id(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    cx.out.int(cx.client as i64);
    Ok(())
}

fn getname(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let name = &cx.session.name[..];
    cx.out.bulk_or_null(Some(name).filter(|name| !name.is_empty()));
    Ok(())
}

fn setname(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    check_name(args[2])?;
    cx.session.name = args[2].into();
    cx.out.ok();
    Ok(())
}

fn info(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let line = own_line(cx);
    cx.out.verbatim(line.as_bytes());
    Ok(())
}

/// There is no eviction of clients: the flag is kept and shown.
fn no_evict(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    match args[2] {
        word if is(word, "on") => cx.session.flags |= SESSION_NO_EVICT,
        word if is(word, "off") => cx.session.flags &= !SESSION_NO_EVICT,
        _ => return Err(errors::SYNTAX),
    }
    cx.out.ok();
    Ok(())
}

/// Whether a name may be set.
///
/// # Errors
/// When it holds a space, a line break or something that cannot be printed.
pub fn check_name(name: &[u8]) -> Outcome {
    if name.iter().all(|b| (b'!'..=b'~').contains(b)) {
        return Ok(());
    }
    Err("ERR Client names cannot contain spaces, newlines or special characters.")
}

fn list(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (mut kind, mut ids) = (None, None);
    match args[2..] {
        [] => {}
        [word, name] if is(word, "type") && cx.has(v(5, 0)) => {
            let Some(found) = Kind::named(name) else { return unknown_kind(cx, name) };
            kind = Some(found);
        }
        [word, ref some @ ..] if is(word, "id") && !some.is_empty() && cx.has(v(6, 2)) => {
            let some: Result<Vec<i64>, _> = some.iter().map(|text| int(text)).collect();
            ids = Some(some.map_err(|_| "ERR Invalid client ID")?);
        }
        _ => return Err(errors::SYNTAX),
    }
    let mut text = String::new();
    let all = cx.shell.client_ids();
    // Clients that are asked for come in the order of the request.
    let wanted = match &ids {
        Some(ids) => ids.iter().map(|&id| id as u64).filter(|id| all.contains(id)).collect(),
        None => all,
    };
    for id in wanted {
        if kind.is_none_or(|kind| Kind::of(cx, id) == kind) {
            text.push_str(&line_of(cx, id).unwrap_or_default());
        }
    }
    cx.out.verbatim(text.as_bytes());
    Ok(())
}

/// The error of a type of clients that there is not.
pub(super) fn unknown_kind(cx: &mut Cx<'_>, name: &[u8]) -> Outcome {
    cx.error(&format!("ERR Unknown client type '{}'", String::from_utf8_lossy(name)))
}

fn line_of(cx: &mut Cx<'_>, id: u64) -> Option<String> {
    let info = cx.shell.client_info(id)?;
    let (own_address, new) = (own_address(cx), cx.has(v(7, 0)));
    let session = match id == cx.client {
        true => &*cx.session,
        false => cx.shell.session_of(id)?,
    };
    let command = last_command(&cx.state.commands, session);
    let tracker = cx.state.tracking.clients.get(&id);
    Some(if new {
        line(&info, session, tracker, cx.now, &own_address, &command)
    } else {
        old_line(&info, session, cx.now, &command)
    })
}

/// The address that clients connect to, as far as the shell tells: the port of the listener. Clients of
/// this machine are on this address.
pub(super) fn own_address(cx: &Cx<'_>) -> String {
    format!("127.0.0.1:{}", cx.shell.server_info().port)
}

fn own_line(cx: &mut Cx<'_>) -> String {
    line_of(cx, cx.client).unwrap_or_default()
}

/// The name of a client's last command; `NULL` before its first.
fn last_command(commands: &CommandStats, session: &Session) -> String {
    let name = String::from_utf8_lossy(commands.name(session.command as u16));
    if name.is_empty() { "NULL".to_owned() } else { name.into_owned() }
}

/// Channels, patterns and shard channels that a client is subscribed to.
fn subscriptions(session: &Session) -> [usize; 3] {
    let own = session.subscriptions.as_std();
    own.map_or([0; 3], |own| [own.channels.len(), own.patterns.len(), own.shards.len()])
}

/// What a client is doing, by letters.
fn flags(session: &Session, tracker: Option<&Tracker>) -> String {
    let [channels, patterns, shards] = subscriptions(session);
    let flags = [
        ('O', session.has(SESSION_MONITOR)),
        ('P', channels + patterns + shards > 0),
        ('x', session.in_multi()),
        ('b', session.waiting.is_some()),
        ('t', tracker.is_some()),
        ('R', tracker.is_some_and(|tracker| tracker.has(TRACKS_BROKEN))),
        ('B', tracker.is_some_and(|tracker| tracker.has(TRACKS_PREFIXES))),
        ('d', session.has(crate::state::SESSION_DIRTY)),
        ('e', session.has(SESSION_NO_EVICT)),
    ];
    let flags: String = flags.iter().filter(|(_, set)| *set).map(|(letter, _)| letter).collect();
    if flags.is_empty() { "N".to_owned() } else { flags }
}

/// A client as Redis 4 shows it.
fn old_line(info: &ClientInfo, session: &Session, now: u64, command: &str) -> String {
    let age = now.saturating_sub(info.connected_ms) / 1000;
    let [channels, patterns, _] = subscriptions(session);
    let multi = if session.in_multi() { session.queue.len() as i64 } else { -1 };
    format!(
        "id={} addr={} fd={} name={} age={age} idle={} flags={} db={} sub={channels} psub={patterns} \
         multi={multi} qbuf={} qbuf-free=0 obl={} oll=0 omem=0 events=r cmd={command}\n",
        info.id,
        info.peer(),
        info.id,
        String::from_utf8_lossy(&session.name),
        info.idle_ms / 1000,
        flags(session, None),
        session.db,
        info.unread,
        info.unsent,
    )
}

/// A client as CLIENT LIST shows it.
fn line(
    info: &ClientInfo,
    session: &Session,
    tracker: Option<&Tracker>,
    now: u64,
    own_address: &str,
    command: &str,
) -> String {
    let age = now.saturating_sub(info.connected_ms) / 1000;
    let [channels, patterns, shards] = subscriptions(session);
    let flags = flags(session, tracker);
    let redirect = tracker.map_or(-1, |tracker| tracker.redirect as i64);
    let multi = if session.in_multi() { session.queue.len() as i64 } else { -1 };
    format!(
        "id={} addr={} laddr={own_address} fd={} name={} age={age} idle={} flags={flags} db={} \
         sub={channels} psub={patterns} ssub={shards} multi={multi} qbuf={} qbuf-free=0 argv-mem=0 \
         multi-mem=0 rbs=0 rbp=0 obl={} oll=0 omem=0 tot-mem=0 events=r cmd={command} user=default \
         redir={redirect} resp={}\n",
        info.id,
        info.peer(),
        info.id,
        String::from_utf8_lossy(&session.name),
        info.idle_ms / 1000,
        session.db,
        info.unread,
        info.unsent,
        if session.is_resp3() { 3 } else { 2 },
    )
}

/// Holds requests back for some milliseconds; those that cannot change data go on with WRITE.
fn pause(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let writes_only = match args[3..] {
        [] => false,
        [word] if is(word, "write") && cx.has(v(6, 2)) => true,
        [word] if is(word, "all") && cx.has(v(6, 2)) => false,
        _ if cx.has(v(6, 2)) => return Err("ERR CLIENT PAUSE mode must be WRITE or ALL"),
        _ => return Err(errors::SYNTAX),
    };
    let ms = int(args[2]).map_err(|_| "ERR timeout is not an integer or out of range")?;
    let ms = u64::try_from(ms).map_err(|_| "ERR timeout is negative")?;
    let until = cx.now.saturating_add(ms);
    crate::pause::begin(cx.state, cx.shell, until, writes_only);
    cx.out.ok();
    Ok(())
}

fn unpause(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    crate::pause::end(cx.state, cx.shell);
    cx.out.ok();
    Ok(())
}

/// Which replies the client wants: all, none, or all but the next one.
fn reply(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    match args[2] {
        word if is(word, "on") => {
            if cx.session.flags & SESSION_SILENT != 0 {
                cx.out.truncate(cx.replies_from);
                cx.session.flags &= !SESSION_SILENT;
            }
            cx.out.ok();
        }
        word if is(word, "off") => {
            // In a transaction what came before it was answered.
            if cx.session.flags & SESSION_SILENT == 0 {
                cx.replies_from = cx.out.len();
            }
            cx.session.flags |= SESSION_REPLY_OFF;
        }
        word if is(word, "skip") => {
            if !cx.session.has(SESSION_REPLY_OFF) {
                cx.session.flags |= SESSION_SKIP_NEXT;
            }
        }
        _ => return Err(errors::SYNTAX),
    }
    Ok(())
}
