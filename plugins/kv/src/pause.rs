//! CLIENT PAUSE: requests that are held back until a time.

use hotshell_plugin_api::collections::Vec;
use hotshell_plugin_api::ctx::ClientId;
use hotshell_plugin_api::state;

use crate::flags::Flags;
use crate::services::Services;
use crate::state::{MODE_PAUSE, SESSION_PAUSED, Session, State};
use crate::table::Table;

/// Until when clients are held back.
#[state]
#[derive(Debug)]
pub struct Pause {
    /// The end, milliseconds since the Unix epoch.
    pub until_ms: u64,
    /// Requests that cannot change data go on.
    pub writes_only: bool,
    /// Clients whose requests are held back.
    pub held: Vec<ClientId>,
}

/// Commands that may change data although they are not marked so.
const MAY_WRITE: [&str; 3] = ["exec", "publish", "pfcount"];

/// Begins a pause, or makes the present one longer or stricter.
pub fn begin(state: &mut State, shell: &mut dyn Services, until_ms: u64, writes_only: bool) {
    let running = state.modes & MODE_PAUSE != 0;
    let pause = &mut state.pause;
    pause.writes_only = writes_only && (!running || pause.writes_only);
    pause.until_ms = if running { pause.until_ms.max(until_ms) } else { until_ms };
    state.set_mode(MODE_PAUSE, true);
    shell.wake_at(state.pause.until_ms);
}

/// Ends the pause: what was held back goes on.
pub fn end(state: &mut State, shell: &mut dyn Services) {
    state.set_mode(MODE_PAUSE, false);
    for client in core::mem::take(&mut state.pause.held) {
        if let Some(session) = shell.session_of(client) {
            session.flags &= !SESSION_PAUSED;
        }
        shell.resume(client);
    }
}

/// Ends the pause if its time is over, otherwise asks to be woken at its end.
pub fn tick(state: &mut State, shell: &mut dyn Services, now: u64) {
    if state.modes & MODE_PAUSE == 0 {
        return;
    }
    if state.pause.until_ms <= now {
        end(state, shell);
    } else {
        shell.wake_at(state.pause.until_ms);
    }
}

/// Whether this request has to wait. The client is noted then.
#[cold]
pub fn holds(
    state: &mut State,
    shell: &mut dyn Services,
    session: &mut Session,
    client: ClientId,
    request: (&'static Table, &[&[u8]]),
    now: u64,
) -> bool {
    if state.pause.until_ms <= now {
        end(state, shell);
        return false;
    }
    let (table, args) = request;
    let row = args.first().and_then(|name| table.find(name));
    let Some(row) = row.filter(|row| row.takes(args.len())) else { return false };
    let writes = row.flags.has(Flags::WRITE) || MAY_WRITE.contains(&row.name);
    let queued = session.in_multi() && row.name != "exec";
    if (state.pause.writes_only && !writes) || queued {
        return false;
    }
    session.flags |= SESSION_PAUSED;
    state.pause.held.push(client);
    true
}

/// Forgets a client that is gone.
pub fn forget(state: &mut State, client: ClientId) {
    state.pause.held.retain(|&held| held != client);
}
