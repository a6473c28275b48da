//! Clients that wait for elements: who waits for what, who is served, who gives up.
//!
//! A waiting client is in three places, which this module keeps together: its session
//! ([`Waiting`]), the queue of each key ([`crate::state::Db::waiting`]), and the deadlines.

use hotshell_plugin_api::collections::{Box, Bytes, Option};
use hotshell_plugin_api::ctx::ClientId;

use crate::cx::{After, Cx};
use crate::errors;
use crate::journal;
use crate::reply::{NULL_ARRAY, Reply};
use crate::services::Services;
use crate::state::{Ready, Session, State, Waiting};
use crate::value::Value;

/// The end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The left end.
    Head = 0,
    /// The right end.
    Tail = 1,
}

/// Lets the client of `cx` wait for elements of `keys`, and have them pushed to a `target`;
/// `until_ms` 0 waits for ever.
pub fn wait(
    cx: &mut Cx<'_>,
    keys: &[&[u8]],
    end: End,
    target: core::option::Option<(&[u8], End)>,
    until_ms: u64,
) {
    let db = cx.session.db;
    let mut waiting = Waiting { db, end: end as u8, until_ms, ..Waiting::default() };
    if let Some((target, end)) = target {
        (waiting.target, waiting.push) = (Bytes::from(target), 1 + end as u8);
    }
    for &key in keys {
        if waiting.keys.iter().any(|known| known == key) {
            continue;
        }
        let key = Bytes::from(key);
        let queue = cx.state.db(db).waiting.entry(key.clone()).or_default();
        queue.push_back(cx.client);
        waiting.keys.push(key);
    }
    cx.session.waiting = Option::Some(Box::new(waiting));
    if until_ms > 0 {
        cx.state.deadlines.add(until_ms, cx.client);
        cx.shell.wake_at(until_ms);
    }
    cx.after = After::Block;
}

/// Removes all traces of a client's waiting.
pub fn forget(state: &mut State, client: ClientId, session: &mut Session) {
    let Some(waiting) = session.waiting.take() else { return };
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
}

/// Serves clients that wait for keys which got elements, first come first served.
#[cold]
pub fn serve(state: &mut State, shell: &mut dyn Services, now: u64) {
    while let Some(ready) = state.ready.pop_front() {
        while serve_one(state, shell, ready.db, &ready.key, now) {}
    }
}

/// Gives one element to the first client in the queue of a key. False when there is no element, or
/// nobody waits.
fn serve_one(state: &mut State, shell: &mut dyn Services, db: u32, key: &Bytes, now: u64) -> bool {
    let space = state.db(db);
    let Some(&client) = space.waiting.get(key).and_then(|queue| queue.front()) else {
        return false;
    };
    let Some(Value::List(_, list)) = space.keys.get_mut(key) else { return false };
    let Some(session) = shell.session_of(client) else {
        // Invariant: a client in a queue has a session; one that has none cannot be served.
        space.waiting.get_mut(key).map(|queue| queue.pop_front());
        return true;
    };
    let Some(waiting) = session.waiting.as_std() else { return false };
    let from = if waiting.end == End::Tail as u8 { End::Tail } else { End::Head };
    let target = match waiting.push {
        0 => None,
        1 => Some((waiting.target.clone(), End::Head)),
        _ => Some((waiting.target.clone(), End::Tail)),
    };
    let Some(element) = list.pop(from) else { return false };
    forget(state, client, session);
    let done = match &target {
        None => true,
        Some((target, to)) => push(state, shell, db, target, *to, &element),
    };
    if done {
        tell_journal(shell, now, db, key, from, target.as_ref(), &element);
    }
    let space = state.db(db);
    if let (false, Some(Value::List(_, list))) = (done, space.keys.get_mut(key)) {
        list.push(from, element.clone());
    }
    if space.keys.get(key).is_some_and(Value::is_empty) {
        space.remove(key);
    }
    if let Some(mut out) = shell.out_of(client) {
        match target {
            Some(_) if !done => out.error(errors::WRONG_TYPE),
            Some(_) => out.bulk(&element),
            None => {
                out.array(2);
                out.bulk(key);
                out.bulk(&element);
            }
        }
    }
    shell.resume(client);
    true
}

/// An element went to a client that waited for it: after a crash nobody waits, so it is a pop, and a
/// push where it went to another list.
fn tell_journal(
    shell: &mut dyn Services,
    now: u64,
    db: u32,
    key: &[u8],
    from: End,
    target: core::option::Option<&(Bytes, End)>,
    element: &[u8],
) {
    let pop: &[u8] = if from == End::Head { b"LPOP" } else { b"RPOP" };
    journal::tell(shell, now, db, &[pop, key]);
    if let Some((target, to)) = target {
        let push: &[u8] = if *to == End::Head { b"LPUSH" } else { b"RPUSH" };
        journal::tell(shell, now, db, &[push, target, element]);
    }
}

/// Pushes an element for a client that waited for it. False when the target is no list.
fn push(
    state: &mut State,
    shell: &mut dyn Services,
    db: u32,
    target: &Bytes,
    end: End,
    element: &Bytes,
) -> bool {
    let space = state.db(db);
    let value = space.keys.entry(target.clone()).or_insert_with(Value::list);
    let Value::List(_, list) = value else { return false };
    list.push(end, element.clone());
    space.tell_watchers(shell, target);
    if space.waiting.contains_key(target) {
        state.ready.push_back(Ready { db, key: target.clone() });
    }
    true
}

/// Sends those whose time is over on their way, and asks for the next wake-up.
pub fn time_out(state: &mut State, shell: &mut dyn Services, now: u64) {
    while let Some(first) = state.deadlines.first() {
        if first.at_ms > now {
            shell.wake_at(first.at_ms);
            return;
        }
        state.deadlines.remove(first.at_ms, first.client);
        if let Some(session) = shell.session_of(first.client) {
            forget(state, first.client, session);
        }
        if let Some(mut out) = shell.out_of(first.client) {
            out.put(NULL_ARRAY);
        }
        shell.resume(first.client);
    }
}
