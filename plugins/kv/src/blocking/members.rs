//! Clients that wait for members of sorted sets.

use hotshell_plugin_api::collections::Bytes;
use hotshell_plugin_api::ctx::ClientId;

use super::answer;
use crate::journal;
use crate::list::End;
use crate::notify;
use crate::reply::{Out, Reply};
use crate::services::Services;
use crate::state::{State, Waiting};
use crate::value::Value;
use crate::zset;

/// Pops members of a sorted set for a client.
pub(super) fn give(
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
pub fn pop_members(value: &mut Value, max: bool, count: Option<usize>, out: &mut Out<'_>) {
    let n = count.unwrap_or(1).min(value.len());
    if count.is_some() {
        out.array(n);
    }
    zset::pop(value, max, n, |member, score| {
        if count.is_some() {
            out.array(2);
        }
        out.bulk(member);
        out.double(score);
    });
}
