//! What follows when a call panicked: its effects are taken back, it is counted, and the client is told in
//! its protocol's words.

use hotshell_plugin_api::abi::{OUTCOME_CLOSE, OUTCOME_PANICKED};

use super::begun_bytes_or_none;
use crate::engine::clients::Client;
use crate::engine::core::Server;
use crate::engine::handle::Counters;
use crate::engine::journal::Journal;

impl Server {
    /// A request panicked: cut what it wrote, drop it, let the plugin say so. Answers the bytes it
    /// consumed.
    #[cold]
    pub(super) fn settle_panic(&self, client: &mut Client, unread: usize, mark: usize) -> usize {
        self.undo_effects();
        client.output.truncate(mark);
        client.need = 0;
        // SAFETY: the call has returned.
        let begun = unsafe { begun_bytes_or_none(&*self.call, unread) };
        let Some(consumed) = begun else {
            tracing::warn!(
                verb = "client",
                server = self.name,
                client = client.id,
                "panic before `begin`: closing the client"
            );
            client.closing = true;
            return unread;
        };
        self.tell_panicked(client);
        consumed
    }

    /// Lets the plugin write its protocol's error for a request that panicked.
    #[cold]
    pub(super) fn tell_panicked(&self, client: &mut Client) {
        let panicked = self.core.borrow().active.table.panicked;
        let mark = client.output.len;
        // SAFETY: between calls `call` and its message are ours. The message is copied, since the
        // plugin may write another one while it reads this one. The context is the client's.
        let outcome = unsafe {
            let message = (*(*self.call).message).as_slice().to_vec();
            (*self.call).input = message.as_ptr();
            (*self.call).input_len = message.len();
            let outcome = panicked(self.call);
            (*self.call).input_len = 0;
            outcome
        };
        match outcome.code {
            OUTCOME_CLOSE => client.closing = true,
            OUTCOME_PANICKED => {
                self.undo_effects();
                client.output.truncate(mark);
                client.closing = true;
            }
            _ => {}
        }
    }

    /// Takes back what the panicked call queued and wrote to other clients, and counts it.
    #[cold]
    pub(super) fn undo_effects(&self) {
        let core = &mut *self.core.borrow_mut();
        core.journal.as_mut().into_iter().for_each(Journal::forget);
        core.state.counters.panics += 1;
        Counters::add(&core.counters.now.panics, 1);
        core.counters.alarm.notify_one();
        for client in core.touched.drain(..) {
            // SAFETY: touched in the call that just returned, so the client still lives.
            let client = unsafe { &mut *client };
            client.output.truncate(client.touched_len);
        }
        for id in core.resumes.drain(..) {
            if let Some(client) = core.state.clients.find(id) {
                // SAFETY: found among the living.
                unsafe { (*client.as_ptr()).resuming = false };
            }
        }
        core.closes.clear();
        self.queued.set(0);
    }
}
