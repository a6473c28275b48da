//! Clients that wait for elements of lists.

use hotshell_plugin_api::collections::Bytes;
use hotshell_plugin_api::ctx::ClientId;

use super::answer;
use crate::errors;
use crate::journal;
use crate::list;
use crate::list::End;
use crate::notify;
use crate::reply::Reply;
use crate::services::Services;
use crate::state::{Ready, State, Waiting};
use crate::value::{Kind, Value};

/// Pops elements of a list for a client, or moves one to its target.
pub(super) fn give(
    state: &mut State,
    shell: &mut dyn Services,
    client: ClientId,
    waiting: &Waiting,
    key: &Bytes,
    pops_told: bool,
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
        if pops_told {
            notify::notify(state, shell, notify::LIST, event, db, key);
        }
    } else if let Some(element) = list::pop(list, from) {
        let to = if waiting.push == 1 { End::Head } else { End::Tail };
        let done = push(state, shell, db, (&waiting.target, to), &element, client);
        if let (false, Some(list)) = (done, list_at(state, db, key)) {
            list::push(list, from, &element);
        }
        if done {
            let push: &[u8] = if to == End::Head { b"LPUSH" } else { b"RPUSH" };
            if pops_told {
                notify::notify(state, shell, notify::LIST, event, db, key);
            }
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
        if pops_told {
            notify::notify(state, shell, notify::GENERIC, "del", db, key);
        }
    }
}

fn list_at<'a>(state: &'a mut State, db: u32, key: &[u8]) -> Option<&'a mut Value> {
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
