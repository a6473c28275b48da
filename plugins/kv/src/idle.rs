//! Clients that say nothing for too long: the parameter `timeout`.

use crate::services::Services;
use crate::state::State;

/// Time between two looks, milliseconds.
const LOOK_MS: u64 = 1000;

/// Closes clients that were idle too long. Those that wait or listen may stay, as in Redis.
pub fn tick(state: &mut State, shell: &mut dyn Services, now: u64) {
    let timeout_ms = state.settings.timeout_s.saturating_mul(1000);
    if timeout_ms == 0 {
        return;
    }
    if now < state.idle_check_ms {
        return shell.wake_at(state.idle_check_ms);
    }
    state.idle_check_ms = now + LOOK_MS;
    shell.wake_at(state.idle_check_ms);
    for id in shell.client_ids() {
        let Some(info) = shell.client_info(id) else { continue };
        let listens = shell.session_of(id).is_some_and(|session| session.subscribed() > 0);
        if info.idle_ms > timeout_ms && info.blocked == 0 && !listens {
            shell.close(id);
        }
    }
}
