//! CLIENT KILL and CLIENT UNBLOCK.

use super::client::{own_address, unknown_kind};
use crate::blocking;
use crate::cx::{After, Cx, Outcome, int, is};
use crate::dispatch;
use crate::errors;
use crate::reply::Reply;
use crate::table::v;

/// Redis' types of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    PubSub,
    /// There are none: replication is absent.
    Replica,
    Master,
}

impl Kind {
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        match () {
            () if is(name, "normal") => Some(Self::Normal),
            () if is(name, "pubsub") => Some(Self::PubSub),
            () if is(name, "slave") || is(name, "replica") => Some(Self::Replica),
            () if is(name, "master") => Some(Self::Master),
            () => None,
        }
    }

    pub(super) fn of(cx: &mut Cx<'_>, id: u64) -> Self {
        let subscribed = match id == cx.client {
            true => cx.session.subscribed(),
            false => cx.shell.session_of(id).map_or(0, |session| session.subscribed()),
        };
        if subscribed > 0 { Self::PubSub } else { Self::Normal }
    }
}

/// Which clients are closed: those that all of it fits.
#[derive(Debug, Default)]
struct Filter<'a> {
    id: Option<u64>,
    address: Option<&'a [u8]>,
    own_address: Option<&'a [u8]>,
    kind: Option<Kind>,
    spares_self: bool,
}

pub(super) fn kill(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    if args.len() == 2 {
        return Err(errors::SYNTAX);
    }
    if let [_, _, address] = *args {
        let filter = Filter { address: Some(address), ..Filter::default() };
        if close_all(cx, &filter) == 0 {
            return Err("ERR No such client");
        }
        cx.out.ok();
        return Ok(());
    }
    let mut filter = Filter { spares_self: true, ..Filter::default() };
    let (pairs, rest) = args[2..].as_chunks::<2>();
    for &[word, value] in pairs {
        match () {
            // To Redis 4 no client has such a number.
            () if is(word, "id") && !cx.has(v(6, 0)) => filter.id = Some(int(value)? as u64),
            () if is(word, "id") => {
                let id = int(value).ok().and_then(|id| u64::try_from(id).ok());
                let id = id.filter(|&id| id > 0);
                filter.id = Some(id.ok_or("ERR client-id should be greater than 0")?);
            }
            () if is(word, "type") => {
                let Some(kind) = Kind::named(value) else { return unknown_kind(cx, value) };
                filter.kind = Some(kind);
            }
            () if is(word, "addr") => filter.address = Some(value),
            () if is(word, "laddr") && cx.has(v(6, 2)) => filter.own_address = Some(value),
            () if is(word, "user") && cx.has(v(6, 0)) => {
                if value != b"default" {
                    let name = String::from_utf8_lossy(value);
                    return cx.error(&format!("ERR No such user '{name}'"));
                }
            }
            () if is(word, "skipme") && is(value, "yes") => filter.spares_self = true,
            () if is(word, "skipme") && is(value, "no") => filter.spares_self = false,
            () => return Err(errors::SYNTAX),
        }
    }
    if !rest.is_empty() {
        return Err(errors::SYNTAX);
    }
    let closed = close_all(cx, &filter);
    cx.out.int(closed);
    Ok(())
}

/// Closes clients; the one that asks gets its reply first. Answers how many there were.
fn close_all(cx: &mut Cx<'_>, filter: &Filter<'_>) -> i64 {
    let own = own_address(cx);
    let mut closed = 0;
    for id in cx.shell.client_ids() {
        let Some(info) = cx.shell.client_info(id) else { continue };
        let peer = info.peer();
        let fits = filter.id.is_none_or(|wanted| wanted == id)
            && filter.address.is_none_or(|wanted| wanted == peer.to_string().as_bytes())
            && filter.own_address.is_none_or(|wanted| wanted == own.as_bytes())
            && filter.kind.is_none_or(|wanted| wanted == Kind::of(cx, id))
            && !(filter.spares_self && id == cx.client);
        if !fits {
            continue;
        }
        if id == cx.client {
            cx.after = After::Close;
        } else {
            cx.shell.close(id);
        }
        closed += 1;
    }
    closed
}

/// Sends a client that waits on its way, as if its time were over or with an error.
pub(super) fn unblock(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let with_error = match args[3..] {
        [] => false,
        [word] if is(word, "timeout") => false,
        [word] if is(word, "error") => true,
        [_] => return Err("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        _ => return dispatch::too_many(cx, args),
    };
    let id = int(args[2])? as u64;
    let error = with_error.then_some("UNBLOCKED client unblocked via CLIENT UNBLOCK");
    let waited = id != cx.client && blocking::release(cx.state, cx.shell, id, error);
    cx.out.int(i64::from(waited));
    Ok(())
}
