//! Every call into plugin code that touches state: here those for a client, in `panics` what follows when
//! one does not return well, in `server` the others. Between two calls comes the `switch`. Nothing else
//! makes such calls.
//!
//! Invariant: all of it runs on the engine's thread, one call at a time, and no call is made from
//! inside another one: what a service asks for is queued and done here, after the call.

mod panics;
mod server;
mod switch;

use core::alloc::Layout;
use core::ptr::NonNull;

use hotshell_plugin_api::abi::{
    Buffer, Call, NOT_BEGUN, OUTCOME_BLOCKED, OUTCOME_CLOSE, OUTCOME_DONE, OUTCOME_NEED_MORE,
    OUTCOME_PANICKED, Outcome,
};
use hotshell_plugin_api::heap;

use super::clients::Client;
use super::core::Server;
use super::handle::{CallKind, Counters};
use super::journal::Journal;
use crate::time::monotonic_ns;
use crate::time::unix_ms;

/// Most requests of one client before the others get their turn.
const CALLS_PER_TURN: usize = 512;

/// For how long the wall clock is told from the monotonic one, which is read for every turn anyway.
/// A wall clock that is set is noticed after this time. Nanoseconds.
const CLOCKS_AGREE_NS: u64 = 100_000_000;

/// What became of a client's unread input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fed {
    /// Bytes that left the input.
    pub consumed: usize,
    /// The turn is over but whole requests may be left.
    pub more: bool,
}

impl Server {
    /// Reads the clocks for the calls of this turn.
    pub(super) fn refresh_clocks(&self) {
        // SAFETY: `call` is ours, and no plugin code runs now.
        let call = unsafe { &mut *self.call };
        call.monotonic_ns = monotonic_ns();
        let (unix, monotonic) = self.clocks.get();
        let since = call.monotonic_ns - monotonic;
        if since < CLOCKS_AGREE_NS && monotonic > 0 {
            call.unix_ms = unix + since / 1_000_000;
        } else {
            call.unix_ms = unix_ms();
            self.clocks.set((call.unix_ms, call.monotonic_ns));
        }
    }

    /// The wall clock as the calls of this turn see it, milliseconds since the Unix epoch.
    pub(super) fn unix_ms(&self) -> u64 {
        // SAFETY: a plain read of a field that only the engine writes.
        unsafe { (*self.call).unix_ms }
    }

    /// Executes the requests in `unread`, which is the client's input from its first unread byte on.
    pub(super) fn feed(&self, client: NonNull<Client>, unread: &[u8]) -> Fed {
        let data = self.enter(CallKind::Data).data;
        let (call, client_ptr) = (self.call, client.as_ptr());
        let mut fed = Fed { consumed: 0, more: false };
        let mut calls = 0;
        self.aim(client);
        // SAFETY: the client lives until its connection removes it, which is not now; between two
        // calls of the plugin nobody else refers to it or to `call`.
        unsafe {
            loop {
                // The calls below change these.
                if (*client_ptr).closing || (*client_ptr).blocked {
                    break;
                }
                let rest = &unread[fed.consumed..];
                if rest.is_empty() || (rest.len() as u64) < (*client_ptr).need {
                    break;
                }
                if calls == CALLS_PER_TURN {
                    fed.more = true;
                    break;
                }
                calls += 1;
                (*call).input = rest.as_ptr();
                (*call).input_len = rest.len();
                (*call).begun = NOT_BEGUN;
                (*call).need = 0;
                let mark = (*client_ptr).output.len;
                let outcome = data(call);
                fed.consumed += self.settle_data(client, outcome, rest.len(), mark);
                if outcome.code == OUTCOME_NEED_MORE {
                    break;
                }
                if self.journaled.get() {
                    self.seal_journal();
                }
                if self.queued.get() > 0 {
                    self.run_queued();
                    self.aim(client);
                }
            }
        }
        self.leave(calls as u64);
        fed
    }

    /// What the outcome of `data` means for the client; answers the bytes it consumed.
    #[inline]
    fn settle_data(
        &self,
        client: NonNull<Client>,
        outcome: Outcome,
        unread: usize,
        mark: usize,
    ) -> usize {
        // SAFETY: the call has returned; the client lives, as in `feed`.
        let (client, call) = unsafe { (&mut *client.as_ptr(), &mut *self.call) };
        match outcome.code {
            OUTCOME_DONE if outcome.consumed > 0 && outcome.consumed <= unread as u64 => {
                client.need = 0;
                outcome.consumed as usize
            }
            OUTCOME_NEED_MORE => {
                client.need = call.need.max(unread as u64 + 1);
                0
            }
            OUTCOME_BLOCKED => {
                client.blocked = true;
                client.need = 0;
                begun_bytes(call, unread)
            }
            OUTCOME_CLOSE => {
                client.closing = true;
                unread
            }
            OUTCOME_PANICKED => self.settle_panic(client, unread, mark),
            _ => {
                tracing::error!(
                    verb = "client",
                    server = self.name,
                    client = client.id,
                    code = outcome.code,
                    consumed = outcome.consumed,
                    unread,
                    "the plugin broke the contract of `data`: closing the client"
                );
                client.closing = true;
                unread
            }
        }
    }

    /// Does what the last call asked for: closes and resumes, and what those ask for in turn.
    fn run_queued(&self) {
        loop {
            let resumes = self.settle_queued();
            if resumes.is_empty() {
                return;
            }
            for client in resumes {
                self.resume(client);
            }
        }
    }

    /// Lets blocked clients go on, between two calls; others stay as they are.
    pub(super) fn resume_all(&self, clients: &[u64]) {
        for &id in clients {
            let found = self.core.borrow().state.clients.find(id);
            // SAFETY: found among the living; no plugin code runs.
            let Some(client) = found.filter(|client| unsafe { (*client.as_ptr()).blocked }) else {
                continue;
            };
            self.refresh_clocks();
            self.enter(CallKind::Data);
            self.resume(client);
            self.finish_call(Some(client));
        }
    }

    /// Ends the last call for good: its writes to others stay, its closes happen. Answers the clients
    /// that it resumed.
    fn settle_queued(&self) -> Vec<NonNull<Client>> {
        let core = &mut *self.core.borrow_mut();
        self.queued.set(0);
        core.touched.clear();
        core.call_number += 1;
        for id in std::mem::take(&mut core.closes) {
            let Some(client) = core.state.clients.find(id) else { continue };
            // SAFETY: found among the living; no plugin code runs.
            let client = unsafe { &mut *client.as_ptr() };
            client.closing = true;
            core.wake(client.slot);
        }
        let resumes = std::mem::take(&mut core.resumes);
        resumes.iter().filter_map(|&id| core.state.clients.find(id)).collect()
    }

    /// Lets a blocked client go on.
    fn resume(&self, client: NonNull<Client>) {
        let resume = {
            let core = &mut *self.core.borrow_mut();
            core.state.counters.calls += 1;
            core.active.table.resume
        };
        self.aim(client);
        // SAFETY: the client lives, since connections are removed by their own task only; between
        // calls nobody else refers to it or to `call`.
        let (outcome, mark) = unsafe {
            (*client.as_ptr()).resuming = false;
            (*client.as_ptr()).blocked = false;
            let mark = (*client.as_ptr()).output.len;
            (resume(self.call), mark)
        };
        // SAFETY: as above; the call has returned.
        let client = unsafe { &mut *client.as_ptr() };
        match outcome.code {
            OUTCOME_BLOCKED => client.blocked = true,
            OUTCOME_CLOSE => client.closing = true,
            OUTCOME_PANICKED => {
                self.undo_effects();
                client.output.truncate(mark);
                self.tell_panicked(client);
            }
            _ => {}
        }
        if self.journaled.get() {
            self.seal_journal();
        }
        let core = &mut *self.core.borrow_mut();
        core.mark_dirty(client);
        core.wake(client.slot);
    }

    /// What the call that has returned told the journal becomes one frame.
    fn seal_journal(&self) {
        self.journaled.set(false);
        self.core.borrow_mut().journal.as_mut().into_iter().for_each(Journal::seal);
    }

    /// Tells the plugin about a new client. A panic there closes it.
    pub(super) fn connect(&self, client: NonNull<Client>) {
        let connect = self.enter(CallKind::Connect).connect;
        let layout = self.session_layout();
        let session = heap::alloc(layout);
        // SAFETY: the client was just made and belongs to us; its session is raw memory of the layout
        // that the plugin's schema names.
        let outcome = unsafe {
            (*client.as_ptr()).session = session.as_ptr();
            (*client.as_ptr()).layout = self.layout.get();
            self.aim(client);
            connect(self.call)
        };
        self.core.borrow_mut().sessions.joined(self.layout.get());
        // SAFETY: as above; the call has returned.
        let client_ref = unsafe { &mut *client.as_ptr() };
        client_ref.connected = outcome.code == OUTCOME_DONE;
        if !client_ref.connected {
            self.undo_effects();
            client_ref.session = std::ptr::null_mut();
            // SAFETY: taken above; nothing says that there is a session in it.
            unsafe { heap::free(session, layout) };
            client_ref.output.truncate(0);
            client_ref.closing = true;
        }
        self.finish_call(Some(client));
    }

    /// Tells the plugin that a client is gone and frees its session.
    pub(super) fn disconnect(&self, client: NonNull<Client>) {
        let disconnect = self.enter(CallKind::Disconnect).disconnect;
        // SAFETY: the client lives until our caller removes it.
        unsafe {
            if (*client.as_ptr()).connected {
                self.aim(client);
                if disconnect(self.call).code == OUTCOME_PANICKED {
                    self.undo_effects();
                }
            }
            if let Some(session) = NonNull::new((*client.as_ptr()).session) {
                heap::free(session, self.session_layout());
            }
            self.core.borrow_mut().sessions.left(client.as_ref());
        }
        self.finish_call(None);
    }

    /// The text that the last call left behind.
    fn message(&self) -> String {
        // SAFETY: between calls `call` and its message are ours.
        let bytes = unsafe { (*(*self.call).message).as_slice() };
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn session_layout(&self) -> Layout {
        let core = self.core.borrow();
        Layout::from_size_align(core.state.session_size, core.state.session_align)
            .expect("the schema was checked when the generation was taken in")
    }

    /// Points the call at a client.
    #[inline]
    fn aim(&self, client: NonNull<Client>) {
        self.bring(client);
        self.before_session(client);
        // SAFETY: `call` is ours between calls; the client lives. Only addresses are taken.
        unsafe {
            let client = client.as_ptr();
            (*self.call).client = (*client).id;
            (*self.call).session = (*client).session;
            (*self.call).out = &raw mut (*client).output;
            (*self.call).input_len = 0;
            (*self.call).begun = NOT_BEGUN;
        }
    }

    /// Points the call at nobody.
    fn aim_at_none(&self, out: *mut Buffer) {
        // SAFETY: `call` is ours between calls.
        unsafe {
            (*self.call).client = 0;
            (*self.call).session = std::ptr::null_mut();
            (*self.call).out = out;
            (*self.call).input_len = 0;
            (*self.call).begun = NOT_BEGUN;
            (*(*self.call).message).truncate(0);
        }
    }

    /// Begins a turn of calls: answers the active generation's table and starts the watchdog's clock.
    #[inline]
    fn enter(&self, kind: CallKind) -> hotshell_plugin_api::abi::PluginTable {
        let core = &mut *self.core.borrow_mut();
        core.call_number += 1;
        core.touched.clear();
        // SAFETY: `call` is ours between calls.
        let now = unsafe {
            (*self.call).server = std::ptr::from_ref(self).cast_mut().cast();
            (*self.call).state = core.state.root;
            (*self.call).wake_at_ms = core.state.wake_at_ms;
            (*self.call).failed = 0;
            (*self.call).monotonic_ns
        };
        core.counters.enter(kind, now);
        core.active.table
    }

    /// Ends a turn of `calls` calls of `data`.
    #[inline]
    fn leave(&self, calls: u64) {
        let core = &mut *self.core.borrow_mut();
        // SAFETY: `call` is ours between calls.
        let Call { wake_at_ms: wake_at, failed, .. } = *unsafe { &*self.call };
        if calls > 0 {
            core.state.counters.calls += calls;
            Counters::add(&core.counters.now.calls, calls);
        }
        if failed > 0 {
            core.state.counters.failed += u64::from(failed);
            Counters::add(&core.counters.now.failed, u64::from(failed));
        }
        if wake_at != core.state.wake_at_ms {
            core.state.wake_at_ms = wake_at;
            self.tick.notify_one();
        }
        core.counters.leave();
        if self.journaled.replace(false) {
            core.journal.as_mut().into_iter().for_each(Journal::seal);
        }
        self.flush.notify_one();
    }

    /// Ends a turn that was not of `data`: queued work, output, clocks.
    fn finish_call(&self, client: Option<NonNull<Client>>) {
        // Before those that it resumed: a panic of theirs forgets only their own records.
        if self.journaled.get() {
            self.seal_journal();
        }
        if self.queued.get() > 0 {
            self.run_queued();
        }
        if let Some(client) = client {
            // SAFETY: the client lives, and no plugin code runs.
            self.core.borrow_mut().mark_dirty(unsafe { &mut *client.as_ptr() });
        }
        self.leave(0);
    }
}

fn begun_bytes(call: &Call, unread: usize) -> usize {
    begun_bytes_or_none(call, unread).unwrap_or(0)
}

fn begun_bytes_or_none(call: &Call, unread: usize) -> Option<usize> {
    (call.begun != NOT_BEGUN).then(|| (call.begun as usize).min(unread))
}
