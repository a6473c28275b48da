//! `Server`: the server's state and what the engine keeps beside it.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hotshell_plugin_api::abi::{Buffer, Call, NO_WAKE, NOT_BEGUN};
use hotshell_plugin_api::migrate::aside::Shelf;
use hotshell_plugin_api::migrate::change::Change;
use tokio::sync::{Notify, mpsc};

use super::clients::Client;
use super::connection::Socket;
use super::handle::Counters;
use super::journal::Journal;
use super::overtaken::Overtaken;
use super::recover::Set;
use super::roomy::Roomy;
use super::sessions::Sessions;
use super::settling::Settling;
use super::snapshot::Snapshots;
use super::state::ServerState;
use crate::generation::Callable;
use crate::limits::Limits;
use crate::time::monotonic_ns;
use crate::time::unix_ms;

/// A server and its engine's bookkeeping. Lives on the engine's thread, behind an `Rc`.
///
/// Invariant: no borrow of `core` is held while plugin code runs, since the plugin calls back into the
/// services, which borrow it. The `RefCell` turns a mistake into a panic of the host's tests.
pub(super) struct Server {
    /// Its name, for the log.
    pub name: String,
    pub core: RefCell<Core>,
    /// The struct that every call is made with.
    pub call: *mut Call,
    /// Where the two clocks stood when they were last read together: wall clock in milliseconds since
    /// the Unix epoch, monotonic clock in nanoseconds.
    pub clocks: Cell<(u64, u64)>,
    /// How many resumes, closes and outputs to others the running call has left to be settled.
    pub queued: Cell<usize>,
    /// The layout of today: a copy of `ServerState::root_layout`, for a look at every turn.
    pub layout: Cell<u32>,
    /// The running call has told the journal something.
    pub journaled: Cell<bool>,
    /// A snapshot has sessions left to write.
    pub imaging: Cell<bool>,
    /// Wakes the task that sends output.
    pub flush: Notify,
    /// Wakes the task that looks for output buffers with unused room.
    pub looks: Notify,
    /// Wakes the task that ticks.
    pub tick: Notify,
    /// Wakes the task that converts what a switch left for later.
    pub drain: Notify,
    /// Wakes the task that takes snapshots.
    pub snapshot: Notify,
    /// Wakes everybody who waits for the last client to leave.
    pub emptied: Notify,
}

/// What only the engine's own code touches, between calls or from a service.
pub(super) struct Core {
    /// Everything precious.
    pub state: ServerState,
    /// The generation that serves.
    pub active: Callable,
    /// The last change of shape, while entries are left to be converted.
    pub change: Option<Arc<Change>>,
    /// The change whose drains find only what was forgotten already.
    pub forgotten: Option<Arc<Change>>,
    /// Where parts waited that have returned, to be given back.
    pub emptied: Vec<Shelf>,
    /// Where goes what cannot return.
    pub overtaken: Overtaken,
    /// How far the sessions are behind it.
    pub sessions: Sessions,
    pub limits: Limits,
    pub listen: SocketAddr,
    pub counters: Arc<Counters>,
    /// Rings the host when the plugin asks for a stop.
    pub stop: mpsc::UnboundedSender<()>,
    /// Number of the running call, or of the last one.
    pub call_number: u64,
    /// Clients whose output the running call touched, other than its own.
    pub touched: Vec<*mut Client>,
    /// Clients to resume after the running call.
    pub resumes: Vec<u64>,
    /// Clients to close after the running call.
    pub closes: Vec<u64>,
    /// Slots of clients with fresh output.
    pub dirty: Vec<u32>,
    /// Sockets by slot. Not precious.
    pub sockets: Vec<Option<Rc<Socket>>>,
    pub free_slots: Vec<u32>,
    /// Clients whose output buffers stay large for a while.
    pub roomy: Roomy,
    /// What is kept on disk, unless everything is in memory only.
    pub journal: Option<Journal>,
    /// Snapshots of what is kept on disk.
    pub snapshots: Option<Snapshots>,
    /// The error number with which the disk refused what the plugin set last; 0: it took it.
    pub set_errno: u32,
    /// Hears what the plugin sets at run time, if that can be remembered.
    pub remember: Option<mpsc::UnboundedSender<Set>>,
    /// Hears of clients that wait until what was set for them is on disk.
    pub settling: Option<mpsc::UnboundedSender<Settling>>,
    /// The active generation reads its journal back, so it keeps one.
    pub replays: bool,
    /// The plugin's own counters changed since they were published.
    pub plugin_counters_changed: bool,
}

impl Server {
    pub(super) fn new(core: Core) -> Self {
        let call = Box::new(Call {
            size: size_of::<Call>() as u32,
            failed: 0,
            client: 0,
            server: std::ptr::null_mut(),
            state: core.state.root,
            session: std::ptr::null_mut(),
            out: std::ptr::null_mut(),
            input: std::ptr::dangling(),
            input_len: 0,
            begun: NOT_BEGUN,
            need: 0,
            unix_ms: unix_ms(),
            monotonic_ns: monotonic_ns(),
            wake_at_ms: NO_WAKE,
            message: Box::into_raw(Box::new(Buffer::new())),
        });
        Self {
            name: core.state.name.to_string(),
            core: RefCell::new(core),
            call: Box::into_raw(call),
            clocks: Cell::new((0, 0)),
            queued: Cell::new(0),
            layout: Cell::new(0),
            journaled: Cell::new(false),
            imaging: Cell::new(false),
            flush: Notify::new(),
            looks: Notify::new(),
            tick: Notify::new(),
            drain: Notify::new(),
            snapshot: Notify::new(),
            emptied: Notify::new(),
        }
    }

    /// Calls made so far.
    pub(super) fn calls(&self) -> u64 {
        self.core.borrow().call_number
    }

    /// Copies the counters to where other threads read them.
    pub(super) fn publish(&self) {
        let core = &mut *self.core.borrow_mut();
        core.state.aside.sweep();
        let (tally, out) = (&mut core.state.counters, &*core.counters);
        let bytes = crate::heap::bytes();
        tally.state_bytes_peak = tally.state_bytes_peak.max(bytes);
        out.generation.store(core.state.generation, Relaxed);
        out.clients.store(core.state.clients.len() as u64, Relaxed);
        out.connections.store(tally.connections, Relaxed);
        out.rejected.store(tally.rejected, Relaxed);
        out.calls.store(tally.calls, Relaxed);
        out.panics.store(tally.panics, Relaxed);
        out.failed.store(tally.failed, Relaxed);
        out.swaps.store(tally.swaps, Relaxed);
        out.bytes_in.store(tally.bytes_in, Relaxed);
        out.bytes_out.store(tally.bytes_out, Relaxed);
        out.state_bytes.store(bytes, Relaxed);
        let set_aside = core.state.aside.len() as u64 + core.sessions.set_aside();
        out.set_aside.store(set_aside, Relaxed);
        out.state_bytes_peak.store(tally.state_bytes_peak, Relaxed);
        out.replays.store(u64::from(core.replays), Relaxed);
        if let Some(journal) = &core.journal {
            journal.publish(out);
        }
        if std::mem::take(&mut core.plugin_counters_changed) {
            let named = core.state.plugin_counters.iter();
            let named = named.map(|counter| (counter.name.as_str().to_owned(), counter.value));
            out.publish_plugin(named.collect());
        }
    }
}

impl Core {
    /// Puts a client on the list of those with fresh output.
    #[inline]
    pub(super) fn mark_dirty(&mut self, client: &mut Client) {
        if !client.dirty {
            client.dirty = true;
            self.dirty.push(client.slot);
        }
    }
}
