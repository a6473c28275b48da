//! Taking a snapshot: begun between two calls, then slice by slice.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use hotshell_plugin_api::snapshot as image;
use tokio::sync::oneshot;

use super::pace::Pace;
use super::sessions::SessionsLeft;
use super::{Snapshot, Snapshots, Waiter};
use crate::data::snapshot::Policy;
use crate::data::snapshot::{Head, Kind, Taken, Taker};
use crate::engine::core::{Core, Server};
use crate::engine::stopwatch::{Lap, Stopwatch, worked};
use crate::error::{Code, Error, Result};
use crate::limits::MEMORY_PATIENCE;
use crate::time::monotonic_ns;
use crate::time::unix_ms;

/// How long a slice takes, nanoseconds.
const SLICE_NS: u64 = 100_000;
/// Between two looks at what is waited for.
const PAUSE: Duration = Duration::from_millis(1);
/// Bytes of entries in a block, about.
const BLOCK: usize = 256 << 10;
/// Room for a block that grows while the slices wait: it need not move. As large as what the C library
/// maps by itself, so that the writer's thread frees it without a lock that the engine needs.
const BLOCK_ROOM: usize = 1 << 20;
/// Bytes that may wait for the disk before the slices wait, too.
const BACKLOG_MAX: usize = 8 << 20;
/// How often the policy is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// One that is being taken.
#[derive(Debug)]
pub(super) struct Taking {
    pub(super) taker: Taker,
    position: u64,
    /// Tells that the journal has come to that position on disk.
    file: oneshot::Receiver<()>,
    pub(super) sessions: Option<SessionsLeft>,
    begun: Instant,
    watch: Stopwatch,
    begin: Lap,
    slice: Lap,
    waiters: Vec<Waiter>,
}

impl Core {
    /// What changed since the start: frames of the journal; calls, where there is none.
    pub(in crate::engine) fn changes(&self) -> u64 {
        match &self.journal {
            Some(journal) if self.replays => journal.frames(),
            _ => self.state.counters.calls,
        }
    }

    /// Whether it is time for a snapshot.
    fn snapshot_is_due(&self) -> bool {
        let Some(snapshots) = &self.snapshots else { return false };
        if snapshots.busy || snapshots.held {
            return false;
        }
        let (changes, Policy { every, after }) =
            (self.changes().saturating_sub(snapshots.changes), snapshots.policy);
        let by_time = changes > 0 && !every.is_zero() && snapshots.last.elapsed() >= every;
        let by_changes = after > 0 && changes >= after;
        let again = snapshots.again.is_some_and(|at| at <= Instant::now());
        !snapshots.asked.is_empty() || snapshots.wanted || by_time || by_changes || again
    }

    /// Writes what is small, and leaves large maps to follow. Between two calls; no change of shape is
    /// under way.
    fn begin_snapshot(&mut self, taker: Taker) {
        let watch = Stopwatch::new();
        let started = watch.start();
        let changes = self.changes();
        let origin = self.active.origin();
        let journal = self.journal.as_mut().expect("a server with snapshots has a journal");
        let (position, file) = journal.begin_file(origin);
        let snapshots = self.snapshots.as_mut().expect("the caller has looked");
        let (taken_ms, next_client) = (unix_ms(), self.state.next_client);
        (snapshots.wanted, snapshots.again, snapshots.changes) = (false, None, changes);
        snapshots.last = Instant::now();
        let waiters = std::mem::take(&mut snapshots.asked);
        let head = Head { position, taken_ms, origin, next_client };
        taker.begin(head);
        snapshots.since_ms = taken_ms;
        let schema = Arc::clone(&self.active.shape.schema);
        taker.block(Kind::Schema, self.active.shape.encoded.to_vec());
        // SAFETY: no plugin code runs, and no change of shape is under way; the root is of this schema.
        // A change of shape, and the end of the server, come after the last slice.
        taker.block(Kind::Root, unsafe { image::begin(&schema, self.state.root, worked) });
        taker.block(Kind::Aside, self.image_of_aside());
        let (begin, begun) = (watch.lap(started), Instant::now());
        let (sessions, slice) = (Some(SessionsLeft::below(next_client)), Lap::default());
        let taking =
            Taking { taker, position, file, sessions, begun, watch, begin, slice, waiters };
        self.snapshots.as_mut().expect("as above").taking = Some(taking);
    }

    fn image_of_aside(&mut self) -> Vec<u8> {
        self.state.aside.sweep();
        let mut out = Vec::new();
        for (fingerprint, part) in self.state.aside.encoded() {
            out.extend_from_slice(&fingerprint.to_le_bytes());
            out.extend_from_slice(&(part.len() as u32).to_le_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    /// Goes on for one slice. False when all is written, or none is being taken.
    fn snapshot_slice(&mut self) -> bool {
        let taking = self.snapshots.as_ref().and_then(|snapshots| snapshots.taking.as_ref());
        let (started, until) = (taking.map(|t| t.watch.start()), monotonic_ns() + SLICE_NS);
        let sessions = self.write_sessions(until);
        // SAFETY: as in `begin_snapshot`.
        let more = sessions || unsafe { image::work(|| monotonic_ns() < until) };
        let taking = self.snapshots.as_mut().and_then(|snapshots| snapshots.taking.as_mut());
        if let (Some(taking), Some(started)) = (taking, started) {
            if !more || image::written() >= BLOCK && taking.taker.has_room() {
                let room = || Vec::with_capacity(BLOCK_ROOM);
                let spare =
                    if more { taking.taker.spare().unwrap_or_else(room) } else { Vec::new() };
                taking.taker.block(Kind::Entries, image::take_entries(spare));
            }
            let lap = taking.watch.lap(started);
            taking.slice = taking.slice.max(lap);
        }
        self.counters.unwatch();
        more
    }

    fn backlog(&self) -> usize {
        let taking = self.snapshots.as_ref().and_then(|snapshots| snapshots.taking.as_ref());
        taking.map_or(0, |taking| taking.taker.backlog())
    }

    fn is_taking(&self) -> bool {
        self.snapshots.as_ref().is_some_and(|snapshots| snapshots.taking.is_some())
    }
}

impl Server {
    /// Asks for a snapshot.
    pub(in crate::engine) fn ask_snapshot(&self, waiter: Waiter) {
        let core = &mut *self.core.borrow_mut();
        match (&mut core.snapshots, waiter) {
            (Some(snapshots), waiter) => snapshots.ask(waiter),
            (None, Waiter::Admin(answer)) => _ = answer.send(Err(in_memory())),
            (None, Waiter::Client(_)) => {}
        }
        self.snapshot.notify_one();
    }

    /// Has the heap get the memory ready that a snapshot begins with: whoever maps some waits for the
    /// process's memory map, which others hold.
    async fn memory_for_snapshot(&self) {
        {
            let core = self.core.borrow();
            // SAFETY: no plugin code runs, and no change of shape is under way.
            unsafe { image::announce(&core.active.shape.schema, core.state.root) };
        }
        let patience = Instant::now() + MEMORY_PATIENCE;
        while crate::heap::is_awaited() && Instant::now() < patience {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Takes one snapshot, from its beginning to its end; `serving`: beside clients.
    async fn take_snapshot(self: &Rc<Self>, serving: bool) {
        self.drained().await;
        self.memory_for_snapshot().await;
        self.drained().await;
        if serving && self.core.borrow().snapshots.as_ref().is_some_and(|s| s.held) {
            // A switch came meanwhile; the snapshot is due again after it.
            return;
        }
        // Its thread is there before the stop begins.
        let started =
            self.core.borrow().snapshots.as_ref().map(|s| Taker::start(&s.store, serving));
        match started {
            None => return,
            Some(Ok(taker)) => self.core.borrow_mut().begin_snapshot(taker),
            Some(Err(error)) => {
                let waiters = self.core.borrow_mut().snapshots.as_mut().map(Snapshots::not_begun);
                return self.tell_end(waiters.unwrap_or_default(), &Err(error));
            }
        }
        self.set_busy(true);
        self.flush.notify_one();
        self.imaging.set(true);
        let mut pace = Pace::default();
        loop {
            let began = monotonic_ns();
            let more = self.core.borrow_mut().snapshot_slice();
            self.imaging.set(self.core.borrow().has_sessions_left());
            if !self.core.borrow().is_taking() {
                // Given up: those who wait are told, or wait for the next one.
                return self.set_busy(false);
            }
            if !more {
                break;
            }
            pace.give_way(monotonic_ns() - began).await;
            // Slices wait for a disk that is slower than they are: what they write would pile up in memory.
            while self.core.borrow().backlog() > BACKLOG_MAX {
                tokio::time::sleep(PAUSE).await;
            }
        }
        let in_call = Lap::of_work(image::longest_in_call());
        self.finish_snapshot(image::end(), in_call).await;
    }

    async fn finish_snapshot(&self, entries: u64, in_call: Lap) {
        let taking = self.core.borrow_mut().snapshots.as_mut().and_then(|s| s.taking.take());
        let Some(taking) = taking else { return self.set_busy(false) };
        let Taking { taker, position, file, begun, begin, slice, waiters, .. } = taking;
        let stop = begin.max(slice).max(in_call);
        // A snapshot that the journal does not lead up to would be one with a gap behind it.
        let _ = file.await;
        taker.block(Kind::Done, entries.to_le_bytes().to_vec());
        let done = taker.finish().await.map(|Taken { bytes, cut }| Snapshot {
            position,
            entries,
            bytes,
            stop_us: stop.all_ns as f64 / 1e3,
            stop_own_us: stop.own_ns as f64 / 1e3,
            begin_us: begin.own_ns as f64 / 1e3,
            slice_us: slice.own_ns as f64 / 1e3,
            call_us: in_call.own_ns as f64 / 1e3,
            total_us: begun.elapsed().as_secs_f64() * 1e6,
            journal_files_removed: cut,
        });
        self.set_busy(false);
        self.tell_end(waiters, &done);
    }

    /// A snapshot has ended: notes how, and tells those who wait for it.
    fn tell_end(&self, waiters: Vec<Waiter>, outcome: &Result<Snapshot>) {
        let mut clients = Vec::new();
        if let Some(snapshots) = &mut self.core.borrow_mut().snapshots {
            snapshots.note_end(outcome);
        }
        match outcome {
            Ok(done) => {
                self.core.borrow().counters.snapshot_at_ms.store(unix_ms(), Relaxed);
                tracing::info!(verb = "snapshot", server = self.name, "{}", done.line());
            }
            Err(error) => tracing::error!(verb = "snapshot", server = self.name, "{error}"),
        }
        for waiter in waiters {
            match waiter {
                Waiter::Admin(answer) => _ = answer.send(outcome.clone()),
                Waiter::Client(id) => clients.push(id),
            }
        }
        self.resume_all(&clients);
    }

    /// Gives up a snapshot that is being taken, for a change of shape; returns when its maps are whole.
    /// None begins until [`Snapshots::hold`] is taken back.
    pub(in crate::engine) async fn give_up_snapshot(self: &Rc<Self>) {
        if let Some(snapshots) = &mut self.core.borrow_mut().snapshots {
            snapshots.hold(true);
            if let Some(taking) = snapshots.taking.take() {
                snapshots.want();
                for waiter in taking.waiters {
                    match waiter {
                        Waiter::Admin(answer) => _ = answer.send(Err(switched())),
                        Waiter::Client(_) => snapshots.ask(waiter),
                    }
                }
            }
        }
        self.imaging.set(false);
        image::give_up();
        while image::is_running() {
            if self.core.borrow_mut().snapshot_slice() {
                tokio::task::yield_now().await;
            } else {
                image::end();
            }
        }
    }

    /// The last snapshot of a server that stops, unless nothing changed since the one before.
    pub(in crate::engine) async fn last_snapshot(self: &Rc<Self>) {
        self.give_up_snapshot().await;
        while self.core.borrow().snapshots.as_ref().is_some_and(|snapshots| snapshots.busy) {
            tokio::time::sleep(PAUSE).await;
        }
        let due = {
            let core = self.core.borrow();
            let changed = |s: &Snapshots| s.wanted || core.changes() > s.changes;
            core.snapshots.as_ref().is_some_and(|s| s.at_stop.unwrap_or_else(|| changed(s)))
        };
        if due {
            self.take_snapshot(false).await;
        }
    }

    fn set_busy(&self, busy: bool) {
        let core = &mut *self.core.borrow_mut();
        if let Some(snapshots) = &mut core.snapshots {
            snapshots.busy = busy;
            if !busy {
                snapshots.since_ms = 0;
            }
        }
        core.counters.snapshot_running.store(u64::from(busy), Relaxed);
    }
}

/// Takes snapshots when it is time.
pub(in crate::engine) async fn take(server: Rc<Server>) {
    loop {
        let asked = server.snapshot.notified();
        tokio::select! { () = asked => {}, () = tokio::time::sleep(LOOK) => {} }
        if server.core.borrow().snapshot_is_due() {
            server.take_snapshot(true).await;
        }
    }
}

#[cold]
fn in_memory() -> Error {
    Error::new(
        Code::Data,
        "there is nowhere to keep a snapshot",
        "this host keeps its data in memory only",
        "start it with --data DIR",
    )
}

#[cold]
fn switched() -> Error {
    Error::new(
        Code::Busy,
        "the snapshot was given up",
        "a switch that changes the shape of the state came first",
        "another one is taken after the switch; ask again to wait for one",
    )
}
