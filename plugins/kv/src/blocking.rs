//! Clients that wait for elements: who waits for what, who is served, who gives up.
//!
//! A waiting client is in three places, which this module keeps together: its session
//! ([`Waiting`]), the queue of each key ([`crate::state::Db::waiting`]), and the deadlines.

use hotshell_plugin_api::collections::{Box, Bytes, Option};
use hotshell_plugin_api::ctx::ClientId;

use crate::cx::{After, Cx};
use crate::errors;
use crate::journal;
use crate::list;
use crate::notify;
use crate::reading;
use crate::reply::{Out, Reply};
use crate::services::Services;
use crate::state::{Reading, Ready, SESSION_SILENT, SESSION_SKIP, Session, State, Waiting};
use crate::value::{Kind, Value};
use crate::zset;

/// The end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The left end.
    Head = 0,
    /// The right end.
    Tail = 1,
}

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
        }
    }
}

/// [`Waiting::pops`] of sorted sets.
const POPS_MEMBERS: u8 = 1;
/// [`Waiting::pops`] of streams.
const READS_ENTRIES: u8 = 2;
/// [`Waiting::pops`] of a client that waits for nothing but its timeout.
const NO_KEYS: u8 = 3;

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

/// Serves clients that wait for keys which got elements, first come first served.
#[cold]
pub fn serve(state: &mut State, shell: &mut dyn Services) {
    while let Some(ready) = state.ready.pop_front() {
        while serve_one(state, shell, ready.db, &ready.key) {}
        serve_readers(state, shell, ready.db, &ready.key);
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
fn serve_one(state: &mut State, shell: &mut dyn Services, db: u32, key: &Bytes) -> bool {
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
        give_members(state, shell, client, &waiting, key);
    } else {
        give_elements(state, shell, client, &waiting, key);
    }
    shell.resume(client);
    true
}

/// Serves all clients that read a stream and have not got its last entries, or whose group is gone
/// with it.
fn serve_readers(state: &mut State, shell: &mut dyn Services, db: u32, key: &Bytes) {
    let queue = state.db(db).waiting.get(key);
    let clients: Vec<ClientId> = queue.into_iter().flatten().copied().collect();
    for client in clients {
        serve_reader(state, shell, db, key, client);
    }
}

fn serve_reader(
    state: &mut State,
    shell: &mut dyn Services,
    db: u32,
    key: &Bytes,
    client: ClientId,
) -> core::option::Option<()> {
    let now = shell.unix_ms();
    let session = shell.session_of(client)?;
    let waiting = session.waiting.as_std()?;
    let reading = waiting.reading.as_std()?;
    let place = waiting.keys.iter().position(|known| known == key)?;
    let stream = state.db(db).keys.get(key).and_then(Value::stream);
    let group = stream.and_then(|stream| stream.groups.get(&reading.group));
    let error = match (stream, group) {
        (None, _) if !reading.in_group => return None,
        (None, _) => Some("UNBLOCKED the stream key no longer exists"),
        (_, None) if reading.in_group => {
            Some("NOGROUP the consumer group this client was blocked on no longer exists")
        }
        _ => None,
    };
    let from = match group {
        Some(group) if reading.in_group => group.last,
        _ => *reading.ids.get(place)?,
    };
    if error.is_none() && stream.is_none_or(|stream| stream.last <= from) {
        return None;
    }
    let is_new = reading.in_group
        && group.is_some_and(|group| !group.consumers.contains_key(&reading.consumer));
    let waiting = forget(state, client, session)?;
    if is_new {
        notify::notify(state, shell, notify::STREAM, "xgroup-createconsumer", db, key);
    }
    let stream = state.db(db).keys.get_mut(key).and_then(Value::stream_mut);
    match (error, stream, waiting.reading.as_std()) {
        (Some(error), ..) => answer(shell, client, |out| out.error(error)),
        (None, Some(stream), Some(reading)) => {
            answer(shell, client, |out| {
                reading::give(out, stream, key, (reading, from), waiting.count, now);
            });
            if reading.in_group {
                tell_delivery(shell, db, key, reading, waiting.count);
            }
        }
        _ => {}
    }
    shell.resume(client);
    Some(())
}

/// What was delivered to a consumer that waited, as if it had asked now.
fn tell_delivery(shell: &mut dyn Services, db: u32, key: &[u8], reading: &Reading, count: u64) {
    let count = count.to_string();
    let (group, consumer) = (&reading.group[..], &reading.consumer[..]);
    let mut words: Vec<&[u8]> = vec![b"XREADGROUP", b"GROUP", group, consumer, b"COUNT"];
    words.push(count.as_bytes());
    words.extend(reading.no_ack.then_some(&b"NOACK"[..]));
    words.extend([&b"STREAMS"[..], key, b">"]);
    journal::tell(shell, db, &words);
}

/// Pops members of a sorted set for a client.
fn give_members(
    state: &mut State,
    shell: &mut dyn Services,
    client: ClientId,
    waiting: &Waiting,
    key: &Bytes,
) {
    let space = state.db(waiting.db);
    let Some(value) = space.keys.get_mut(key) else { return };
    let max = waiting.end == End::Tail as u8;
    answer(shell, client, |out| {
        out.array(if waiting.count == 0 { 3 } else { 2 });
        out.bulk(key);
        let count = usize::try_from(waiting.count).unwrap_or(usize::MAX);
        pop_members(value, max, (count > 0).then_some(count), out);
    });
    let pop: &[u8] = if max { b"ZPOPMAX" } else { b"ZPOPMIN" };
    let count = waiting.count.max(1).to_string();
    journal::tell(shell, waiting.db, &[pop, key, count.as_bytes()]);
    let empty = value.is_empty();
    if empty {
        space.remove(key);
    }
    state.key_changed(shell, waiting.db, key, client);
    let event = if max { "zpopmax" } else { "zpopmin" };
    notify::notify(state, shell, notify::ZSET, event, waiting.db, key);
    if empty {
        notify::notify(state, shell, notify::GENERIC, "del", waiting.db, key);
    }
}

/// Pops members and writes them: one flat, or up to a count as pairs.
pub fn pop_members(
    value: &mut Value,
    max: bool,
    count: core::option::Option<usize>,
    out: &mut Out<'_>,
) {
    let len = value.len();
    let n = count.unwrap_or(1).min(len);
    let ranks = if max { len - n..len } else { 0..n };
    if count.is_some() {
        out.array(n);
    }
    zset::each(value, ranks.clone(), max, |member, score| {
        if count.is_some() {
            out.array(2);
        }
        out.bulk(member);
        out.double(score);
    });
    zset::remove_ranks(value, ranks);
}

/// Pops elements of a list for a client, or moves one to its target.
fn give_elements(
    state: &mut State,
    shell: &mut dyn Services,
    client: ClientId,
    waiting: &Waiting,
    key: &Bytes,
) {
    let db = waiting.db;
    let from = if waiting.end == End::Tail as u8 { End::Tail } else { End::Head };
    let Some(list) = list_at(state, db, key) else { return };
    let (pop, event): (&[u8], _) =
        if from == End::Head { (b"LPOP", "lpop") } else { (b"RPOP", "rpop") };
    let pop = [pop, key.as_slice()];
    if waiting.push == 0 {
        let n = list.len().min(usize::try_from(waiting.count).unwrap_or(usize::MAX));
        answer(shell, client, |out| {
            out.array(2);
            out.bulk(key);
            if waiting.count > 0 {
                out.array(n);
            }
            for _ in 0..n.max(1) {
                list::pop_shown(list, from, |element| element.reply(out));
            }
        });
        // After a crash nobody waits: what went to a client is a pop.
        for _ in 0..n.max(1) {
            journal::tell(shell, db, &pop);
        }
        notify::notify(state, shell, notify::LIST, event, db, key);
    } else if let Some(element) = list::pop(list, from) {
        let to = if waiting.push == 1 { End::Head } else { End::Tail };
        let done = push(state, shell, db, (&waiting.target, to), &element, client);
        if let (false, Some(list)) = (done, list_at(state, db, key)) {
            list::push(list, from, &element);
        }
        if done {
            let push: &[u8] = if to == End::Head { b"LPUSH" } else { b"RPUSH" };
            notify::notify(state, shell, notify::LIST, event, db, key);
            journal::tell(shell, db, &pop);
            journal::tell(shell, db, &[push, &waiting.target, &element]);
        }
        answer(shell, client, |out| {
            if done { out.bulk(&element) } else { out.error(errors::WRONG_TYPE) }
        });
    }
    let space = state.db(db);
    if space.keys.get(key).is_some_and(Value::is_empty) {
        space.remove(key);
        notify::notify(state, shell, notify::GENERIC, "del", db, key);
    }
}

fn list_at<'a>(state: &'a mut State, db: u32, key: &[u8]) -> core::option::Option<&'a mut Value> {
    state.db(db).keys.get_mut(key).filter(|value| value.kind() == Kind::List)
}

/// Pushes an element for the client that waited for it. False when the target is no list.
fn push(
    state: &mut State,
    shell: &mut dyn Services,
    db: u32,
    (target, end): (&Bytes, End),
    element: &Bytes,
    client: ClientId,
) -> bool {
    let space = state.db(db);
    let new = !space.keys.contains_key(target);
    let value = space.keys.entry(target.clone()).or_insert_with(Value::list);
    if value.kind() != Kind::List {
        return false;
    }
    list::push(value, end, element);
    state.key_changed(shell, db, target, client);
    if new && state.db(db).waiting.contains_key(target) {
        state.ready.push_back(Ready { db, key: target.clone() });
    }
    let event = if end == End::Head { "lpush" } else { "rpush" };
    notify::notify(state, shell, notify::LIST, event, db, target);
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
