//! CLIENT: who is connected.

use hotshell_plugin_api::abi::ClientInfo;

use crate::command_stats::CommandStats;
use crate::cx::{Cx, Outcome, int, is};
use crate::dispatch;
use crate::errors;
use crate::flags::{CONNECTION, Flags};
use crate::reply::Reply;
use crate::state::{SESSION_REPLY_OFF, SESSION_SILENT, SESSION_SKIP_NEXT, Session};
use crate::table::{NO_KEYS, rows, subs, v};

rows! { Connection:
    "client", -2, CONNECTION.or(Flags::ADMIN), NO_KEYS, v(2, 4), list,
        "Depends on subcommand.", "A container for client connection commands.", SUBS;
}

subs! {
    "getname", 2, v(2, 6), getname;
    "help", 2, v(5, 0), dispatch::help;
    "id", 2, v(5, 0), id;
    "info", 2, v(6, 2), info;
    "kill", -3, v(2, 4), kill;
    "list", -2, v(2, 4), list;
    "no-evict", 3, v(7, 0), no_evict;
    "pause", -3, v(2, 9), pause;
    "reply", 3, v(3, 2), reply;
    "setname", 3, v(2, 6), setname;
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

/// There is no eviction of clients, so this changes nothing.
fn no_evict(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    if !is(args[2], "on") && !is(args[2], "off") {
        return Err(errors::SYNTAX);
    }
    cx.out.ok();
    Ok(())
}

fn kill(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    match *args {
        [_, _, address] => kill_address(cx, address),
        [_, _, word, id] if is(word, "id") => {
            let id = int(id).ok().filter(|&id| id > 0);
            let id = id.ok_or("ERR client-id should be greater than 0")?;
            let found = cx.shell.close(id as u64);
            cx.out.int(i64::from(found));
            Ok(())
        }
        _ => Err(errors::SYNTAX),
    }
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
    let kind = match *args {
        [_, _] => None,
        [_, _, word, kind] if is(word, "type") => Some(kind),
        _ => return Err(errors::SYNTAX),
    };
    let normal = kind.is_none_or(|kind| is(kind, "normal"));
    let pubsub = kind.is_none_or(|kind| is(kind, "pubsub"));
    let mut text = String::new();
    for id in cx.shell.client_ids() {
        let subscribed = match cx.shell.session_of(id) {
            Some(session) => session.subscribed() > 0,
            None => cx.session.subscribed() > 0,
        };
        if (subscribed && pubsub) || (!subscribed && normal) {
            if id == cx.client {
                text.push_str(&own_line(cx));
            } else if let Some(info) = cx.shell.client_info(id) {
                let now = cx.now;
                let session = cx.shell.session_of(id);
                let Some(session) = session else { continue };
                let command = last_command(&cx.state.commands, session);
                text.push_str(&line(&info, session, now, &command));
            }
        }
    }
    cx.out.verbatim(text.as_bytes());
    Ok(())
}

fn own_line(cx: &Cx<'_>) -> String {
    let info = cx.shell.client_info(cx.client);
    let command = last_command(&cx.state.commands, cx.session);
    info.map_or(String::new(), |info| line(&info, cx.session, cx.now, &command))
}

/// The name of a client's last command; `NULL` before its first.
fn last_command(commands: &CommandStats, session: &Session) -> String {
    let name = String::from_utf8_lossy(commands.name(session.command as u16));
    if name.is_empty() { "NULL".to_owned() } else { name.into_owned() }
}

/// A client as CLIENT LIST shows it.
fn line(info: &ClientInfo, session: &Session, now: u64, command: &str) -> String {
    let age = now.saturating_sub(info.connected_ms) / 1000;
    let (channels, patterns) = session
        .subscriptions
        .as_std()
        .map_or((0, 0), |own| (own.channels.len(), own.patterns.len()));
    let mut flags = String::new();
    flags.extend((channels + patterns > 0).then_some('P'));
    flags.extend(session.in_multi().then_some('x'));
    flags.extend(session.waiting.is_some().then_some('b'));
    flags.extend(session.has(crate::state::SESSION_DIRTY).then_some('d'));
    if flags.is_empty() {
        flags.push('N');
    }
    let multi = if session.in_multi() { session.queue.len() as i64 } else { -1 };
    format!(
        "id={} addr={} laddr=127.0.0.1:0 fd={} name={} age={age} idle={} flags={flags} db={} \
         sub={channels} psub={patterns} ssub=0 multi={multi} qbuf={} qbuf-free=0 argv-mem=0 \
         multi-mem=0 rbs=0 rbp=0 obl={} oll=0 omem=0 tot-mem=0 events=r cmd={command} user=default \
         redir=-1 resp={}\n",
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

/// CLIENT KILL addr:port, the old form.
fn kill_address(cx: &mut Cx<'_>, address: &[u8]) -> Outcome {
    for id in cx.shell.client_ids() {
        let peer = cx.shell.client_info(id).map(|info| info.peer().to_string());
        if peer.is_some_and(|peer| peer.as_bytes() == address) {
            cx.shell.close(id);
            cx.out.ok();
            return Ok(());
        }
    }
    Err("ERR No such client")
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
            cx.session.flags &= !SESSION_SILENT;
            cx.out.ok();
        }
        word if is(word, "off") => cx.session.flags |= SESSION_REPLY_OFF,
        word if is(word, "skip") => {
            if !cx.session.has(SESSION_REPLY_OFF) {
                cx.session.flags |= SESSION_SKIP_NEXT;
            }
        }
        _ => return Err(errors::SYNTAX),
    }
    Ok(())
}
