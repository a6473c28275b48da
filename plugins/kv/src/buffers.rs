//! How much may wait for a client, and of it: `client-output-buffer-limit`, `client-query-buffer-limit`
//! and `maxmemory-clients`.

use hotshell_plugin_api::ctx::{ClientId, Level};

use crate::cx::{After, Cx};
use crate::services::Services;
use crate::settings::{OutputLimit, Settings};
use crate::state::{SESSION_NO_EVICT, State};

/// Time between two looks at one client, milliseconds.
const LOOK_MS: u64 = 1000;
/// Turns in which every client is looked at once, so that many of them make no long call.
const TURNS: u64 = 10;
/// Output that every client may have, bytes: Redis has a buffer of that size in each, which it does not
/// count.
const UNCOUNTED: u64 = 16 << 10;

/// Bytes of requests and replies that the shell holds for clients.
pub fn held(shell: &dyn Services) -> u64 {
    held_by_each(shell).map(|(bytes, _)| bytes).sum()
}

fn held_by_each(shell: &dyn Services) -> impl Iterator<Item = (u64, ClientId)> {
    let infos = shell.client_ids().into_iter().filter_map(|id| shell.client_info(id));
    infos.map(|client| (client.unread + client.unsent, client.id))
}

/// Whether a client's unread input is over the limit, or what its request announces would be.
pub fn query_is_over(state: &State, bytes: usize) -> bool {
    bytes as u64 > state.settings.query_bytes
}

/// Closes the client when its reply is over the limit of its class. For servers that have one.
#[cold]
pub fn answered(cx: &mut Cx<'_>) {
    let limit = limit_of(cx.state, cx.session.subscribed() > 0);
    let unsent = || cx.shell.client_info(cx.client).map_or(0, |info| info.unsent);
    if limit.is_over(counted(cx.out.len() as u64)) && limit.is_over(counted(unsent())) {
        cx.shell.log(Level::Warn, "a client is over the limit of its output: closing it");
        cx.out.truncate(0);
        cx.after = After::Close;
    }
}

fn counted(unsent: u64) -> u64 {
    unsent.saturating_sub(UNCOUNTED)
}

fn limit_of(state: &State, listens: bool) -> OutputLimit {
    if listens { state.settings.listeners_output } else { state.settings.output }
}

/// Looks at some of the clients, and closes those that take too much. O(clients / [`TURNS`]).
pub fn tick(state: &mut State, shell: &mut dyn Services, now: u64) {
    let Settings { output, listeners_output, clients_share, maxmemory, .. } = &state.settings;
    let listeners = state.channels.len() + state.patterns.len() + state.shards.len();
    let most = clients_share.bytes(*maxmemory);
    let limited = output.is_set() || (listeners > 0 && listeners_output.is_set());
    if !limited && most.is_none() {
        return state.slow_readers.clear();
    }
    if now < state.buffers_look_ms {
        return shell.wake_at(state.buffers_look_ms);
    }
    state.buffers_look_ms = now + LOOK_MS / TURNS;
    shell.wake_at(state.buffers_look_ms);
    let turn = state.buffers_look_ms / (LOOK_MS / TURNS) % TURNS;
    for id in shell.client_ids().into_iter().filter(|id| id % TURNS == turn) {
        look(state, shell, id, now);
    }
    if let Some(most) = most.filter(|_| turn == 0) {
        evict(state, shell, most);
    }
}

/// Closes a client whose output is over a limit, or has been for too long.
fn look(state: &mut State, shell: &mut dyn Services, id: ClientId, now: u64) {
    let Some(listens) = shell.session_of(id).map(|session| session.subscribed() > 0) else {
        return;
    };
    let unsent = counted(shell.client_info(id).map_or(0, |info| info.unsent));
    let limit = limit_of(state, listens);
    let lasts = if limit.soft > 0 && unsent > limit.soft {
        let since = *state.slow_readers.entry(id).or_insert(now);
        now - since > limit.soft_s.saturating_mul(1000)
    } else {
        state.slow_readers.remove(&id);
        false
    };
    if lasts || limit.is_over(unsent) {
        shell.log(Level::Warn, "a client is over the limit of its output: closing it");
        drop_client(shell, id);
    }
}

/// Closes a client at once: what it did not read would take memory until it does.
fn drop_client(shell: &mut dyn Services, id: ClientId) {
    if let Some(mut out) = shell.out_of(id) {
        out.truncate(0);
    }
    shell.close(id);
}

/// Closes the clients with the largest buffers until the others take no more than `most` bytes.
fn evict(state: &mut State, shell: &mut dyn Services, most: u64) {
    let mut all: Vec<(u64, ClientId)> = held_by_each(shell).collect();
    let mut sum: u64 = all.iter().map(|(bytes, _)| bytes).sum();
    if sum <= most {
        return;
    }
    all.sort_unstable();
    for (bytes, id) in all.into_iter().rev() {
        let stays = shell.session_of(id).is_none_or(|session| session.has(SESSION_NO_EVICT));
        if sum <= most {
            break;
        }
        if !stays {
            shell.log(Level::Warn, "clients are over maxmemory-clients: closing the largest");
            drop_client(shell, id);
            state.stats.evicted_clients += 1;
            sum -= bytes;
        }
    }
}

/// Forgets a client that leaves.
pub fn forget(state: &mut State, client: ClientId) {
    if !state.slow_readers.is_empty() {
        state.slow_readers.remove(&client);
    }
}
