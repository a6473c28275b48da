//! Clients that wait for elements: who waits for what, who is served, who gives up.
//!
//! A waiting client is in three places, which this module keeps together: its session
//! ([`Waiting`]), the queue of each key ([`crate::state::Db::waiting`]), and the deadlines.

mod elements;
mod members;
mod readers;

use hotshell_plugin_api::collections::{Box, Bytes, Option};
use hotshell_plugin_api::ctx::ClientId;

use crate::cx::{After, Cx};
use crate::list::End;
use crate::reply::{Out, Reply};
use crate::services::Services;
use crate::state::{Reading, SESSION_SILENT, SESSION_SKIP, Session, State, Waiting};
use crate::value::{Kind, Value};

pub use members::pop_members;

/// What is waited for.
#[derive(Debug)]
pub enum Wish<'a> {
    /// An element of a list; with a count up to so many, in the form of LMPOP.
    Elements(End, core::option::Option<u64>),
    /// An element of a list that goes to an end of another one.
    Move(End, &'a [u8], End),
    /// The member with the lowest or highest score; with a count as of lists.
    Members(End, core::option::Option<u64>),
    /// Entries of streams, at most so many.
    Entries(Reading, u64),
    /// Replicas, of which there are none.
    Replicas,
    /// Nothing: DEBUG SLEEP.
    Sleep,
}

impl Wish<'_> {
    fn waiting(self) -> Waiting {
        match self {
            Self::Elements(end, count) => {
                Waiting { end: end as u8, count: count.unwrap_or(0), ..Waiting::default() }
            }
            Self::Move(end, target, to) => {
                let (end, push, target) = (end as u8, 1 + to as u8, Bytes::from(target));
                Waiting { end, push, target, ..Waiting::default() }
            }
            Self::Members(end, count) => {
                let (end, count) = (end as u8, count.unwrap_or(0));
                Waiting { pops: POPS_MEMBERS, end, count, ..Waiting::default() }
            }
            Self::Entries(reading, count) => {
                let reading = Option::Some(Box::new(reading));
                Waiting { pops: READS_ENTRIES, count, reading, ..Waiting::default() }
            }
            Self::Replicas => Waiting { pops: NO_KEYS, ..Waiting::default() },
            Self::Sleep => Waiting { pops: SLEEPS, ..Waiting::default() },
        }
    }
}

/// [`Waiting::pops`] of sorted sets.
const POPS_MEMBERS: u8 = 1;
/// [`Waiting::pops`] of streams.
const READS_ENTRIES: u8 = 2;
/// [`Waiting::pops`] of a client that waits for nothing but its timeout.
const NO_KEYS: u8 = 3;
/// [`Waiting::pops`] of a client that sleeps.
const SLEEPS: u8 = 4;

/// Lets the client of `cx` wait for one of `keys`; `until_ms` 0 waits for ever.
pub fn wait(cx: &mut Cx<'_>, keys: &[&[u8]], wish: Wish<'_>, until_ms: u64) {
    let db = cx.session.db;
    let mut waiting = Waiting { db, until_ms, ..wish.waiting() };
    for &key in keys {
        let again = waiting.keys.iter().any(|known| known == key);
        let key = Bytes::from(key);
        if !again {
            let queue = cx.state.db(db).waiting.entry(key.clone()).or_default();
            queue.push_back(cx.client);
        } else if waiting.pops != READS_ENTRIES {
            continue;
        }
        waiting.keys.push(key);
    }
    cx.session.waiting = Option::Some(Box::new(waiting));
    if until_ms > 0 {
        cx.state.deadlines.add(until_ms, cx.client);
        cx.shell.wake_at(until_ms);
    }
    cx.after = After::Block;
}

/// Removes all traces of a client's waiting; answers what it waited for.
pub fn forget(
    state: &mut State,
    client: ClientId,
    session: &mut Session,
) -> core::option::Option<Box<Waiting>> {
    let waiting = session.waiting.take()?;
    if waiting.until_ms > 0 {
        state.deadlines.remove(waiting.until_ms, client);
    }
    let queues = &mut state.db(waiting.db).waiting;
    for key in &waiting.keys {
        if let Some(queue) = queues.get_mut(key) {
            queue.retain(|&id| id != client);
            if queue.is_empty() {
                queues.remove(key);
            }
        }
    }
    Some(waiting)
}

/// Serves clients that wait for keys which got elements, first come first served. Redis 4 tells nobody
/// of what they pop: `pops_told` is false there.
#[cold]
pub fn serve(state: &mut State, shell: &mut dyn Services, pops_told: bool) {
    while let Some(ready) = state.ready.pop_front() {
        while serve_one(state, shell, ready.db, &ready.key, pops_told) {}
        readers::serve(state, shell, ready.db, &ready.key);
    }
}

/// Writes the reply of a client that waited, which is taken back if it wants none (CLIENT REPLY).
fn answer(shell: &mut dyn Services, client: ClientId, write: impl FnOnce(&mut Out<'_>)) {
    let Some(session) = shell.session_of(client) else { return };
    let silent = session.flags & SESSION_SILENT != 0;
    session.flags &= !SESSION_SKIP;
    let Some(mut out) = shell.out_of(client) else { return };
    let mark = out.len();
    write(&mut out);
    if silent {
        out.truncate(mark);
    }
}

/// Serves the first client in the queue of a key that waits for what is there. False when there is
/// none.
fn serve_one(
    state: &mut State,
    shell: &mut dyn Services,
    db: u32,
    key: &Bytes,
    pops_told: bool,
) -> bool {
    let space = state.db(db);
    let pops = match space.keys.get(key).map(Value::kind) {
        Some(Kind::List) => 0,
        Some(Kind::Zset) => POPS_MEMBERS,
        _ => return false,
    };
    let Some(queue) = space.waiting.get(key) else { return false };
    let waits = |id: &ClientId| {
        let waiting = shell.session_of(*id)?.waiting.as_std()?;
        (waiting.pops == pops).then_some(*id)
    };
    let Some(client) = queue.iter().find_map(waits) else { return false };
    let Some(session) = shell.session_of(client) else { return false };
    let Some(waiting) = forget(state, client, session) else { return false };
    if pops == POPS_MEMBERS {
        members::give(state, shell, client, &waiting, key);
    } else {
        elements::give(state, shell, client, &waiting, key, pops_told);
    }
    shell.resume(client);
    true
}

/// Sends a client on its way that waits: as if its time were over, or with an error. False when it does
/// not wait.
pub fn release(
    state: &mut State,
    shell: &mut dyn Services,
    client: ClientId,
    error: core::option::Option<&str>,
) -> bool {
    let waiting = shell.session_of(client).and_then(|session| forget(state, client, session));
    let Some(waiting) = waiting else { return false };
    answer(shell, client, |out| match error {
        Some(text) => out.error(text),
        None if waiting.pops == NO_KEYS => out.int(0),
        None if waiting.pops == SLEEPS => out.ok(),
        None => out.null_array(),
    });
    shell.resume(client)
}

/// Sends those whose time is over on their way, and asks for the next wake-up.
pub fn time_out(state: &mut State, shell: &mut dyn Services, now: u64) {
    while let Some(first) = state.deadlines.first() {
        if first.at_ms > now {
            shell.wake_at(first.at_ms);
            return;
        }
        state.deadlines.remove(first.at_ms, first.client);
        release(state, shell, first.client, None);
    }
}
