//! Snapshots as the engine takes them: begun between two calls, then in slices, like a drain.
//!
//! Invariant: a snapshot shows the state as it was at its position of the journal, which a new file
//! begins. Whatever becomes of it, the server goes on as if none were taken.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use hotshell_plugin_api::reflect::Reflect;
use hotshell_plugin_api::snapshot as image;
use serde::Serialize;
use tokio::sync::oneshot;

use super::core::{Core, Server, monotonic_ns, thread_cpu_ns};
use crate::data::snapshot::{Head, Kind, Taken, Taker};
use crate::data::{Store, unix_ms};
use crate::error::{Code, Error, Result};

/// How long a slice takes, nanoseconds.
const SLICE_NS: u64 = 100_000;
/// Between two slices while clients are served: a tenth of the engine's time is the snapshot's.
const PAUSE: Duration = Duration::from_millis(1);
/// A turn of the other tasks that took no longer found nothing to do, nanoseconds.
const IDLE_NS: u64 = 20_000;
/// Bytes of entries in a block, about.
const BLOCK: usize = 256 << 10;
/// Room for a block that grows while the slices wait: it need not move.
const BLOCK_ROOM: usize = 2 * BLOCK;
/// Bytes that may wait for the disk before the slices wait, too.
const BACKLOG_MAX: usize = 8 << 20;
/// How often the policy is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// When snapshots are taken by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// After this time, if anything changed; zero: never.
    pub every: Duration,
    /// After so many changes; 0: never.
    pub after: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { every: Duration::from_secs(900), after: 2_000_000 }
    }
}

/// The answer of `snapshot`.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct Snapshot {
    pub position: u64,
    pub entries: u64,
    pub bytes: u64,
    /// The longest that it kept the engine from its clients at once.
    pub stop_us: f64,
    /// The longest CPU time in one of these stops: the rest of it the engine waited for a processor.
    pub stop_cpu_us: f64,
    /// The first of these stops, in which all is written that does not follow later.
    pub begin_us: f64,
    pub total_us: f64,
    /// Files of the journal that were removed.
    pub journal_files_removed: usize,
}

/// Who waits for a snapshot.
#[derive(Debug)]
pub(super) enum Waiter {
    /// An admin, who wants to know what became of it.
    Admin(oneshot::Sender<Result<Snapshot>>),
    /// A client that the plugin has blocked until then; 0 is nobody.
    Client(u64),
}

/// How snapshots have ended since the start.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// That came to their end, and that did not.
    pub counts: [u64; 2],
    /// The last one did not.
    pub failed: bool,
    /// The last one that did.
    pub last: Option<Snapshot>,
    /// When that was on disk; before the first, when the one was taken that the start read back.
    pub last_ms: u64,
}

/// What the engine knows of its snapshots.
#[derive(Debug)]
pub(super) struct Snapshots {
    store: Store,
    pub(super) policy: Policy,
    pub(super) ended: Ended,
    /// Who asked for one that has not begun.
    asked: Vec<Waiter>,
    /// A switch wants one: what came before is in no journal.
    wanted: bool,
    taking: Option<Taking>,
    /// From the beginning of one until it is on disk.
    pub(super) busy: bool,
    /// When that began, milliseconds since the Unix epoch.
    pub(super) since_ms: u64,
    /// A switch is about to come: none begins.
    held: bool,
    /// When the last one began, or the server started.
    last: Instant,
    /// The changes at that time.
    pub(super) changes: u64,
    /// Whether a stop takes one; by default if anything changed.
    pub(super) at_stop: Option<bool>,
}

#[derive(Debug)]
struct Taking {
    taker: Taker,
    position: u64,
    /// Tells that the journal has come to that position on disk.
    file: oneshot::Receiver<()>,
    begun: Instant,
    begin_ns: u64,
    stop_ns: u64,
    stop_cpu_ns: u64,
    waiters: Vec<Waiter>,
}

impl Snapshots {
    /// `read_back_ms`: when the snapshot was taken that the start has read back; 0 without one.
    pub(super) fn new(store: Store, policy: Policy, read_back_ms: u64) -> Self {
        Self {
            store,
            policy,
            ended: Ended { last_ms: read_back_ms, ..Ended::default() },
            asked: Vec::new(),
            wanted: false,
            taking: None,
            busy: false,
            since_ms: 0,
            held: false,
            last: Instant::now(),
            changes: 0,
            at_stop: None,
        }
    }

    /// One is taken as soon as can be, and somebody hears of its end.
    pub(super) fn ask(&mut self, waiter: Waiter) {
        self.asked.push(waiter);
    }

    /// Until this is taken back none begins.
    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// One is taken as soon as can be.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }
}

impl Ended {
    fn note(&mut self, outcome: &Result<Snapshot>) {
        self.failed = outcome.is_err();
        self.counts[usize::from(self.failed)] += 1;
        if let Ok(done) = outcome {
            (self.last, self.last_ms) = (Some(done.clone()), unix_ms());
        }
    }
}

impl Core {
    /// What changed since the start: frames of the journal; calls, where there is none.
    pub(super) fn changes(&self) -> u64 {
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
        !snapshots.asked.is_empty() || snapshots.wanted || by_time || by_changes
    }

    /// Writes what is small, and leaves large maps to follow. Between two calls; no change of shape is
    /// under way.
    fn begin_snapshot(&mut self) -> std::result::Result<(), (Vec<Waiter>, Error)> {
        let (began, cpu_began) = (monotonic_ns(), thread_cpu_ns());
        let changes = self.changes();
        let origin = self.active.origin();
        let journal = self.journal.as_mut().expect("a server with snapshots has a journal");
        let (position, file) = journal.begin_file(origin);
        let snapshots = self.snapshots.as_mut().expect("the caller has looked");
        let (taken_ms, next_client) = (unix_ms(), self.state.next_client);
        (snapshots.wanted, snapshots.last, snapshots.changes) = (false, Instant::now(), changes);
        let waiters = std::mem::take(&mut snapshots.asked);
        let head = Head { position, taken_ms, origin, next_client };
        let taker = match Taker::start(&snapshots.store, head) {
            Ok(taker) => taker,
            Err(error) => return Err((waiters, error)),
        };
        snapshots.since_ms = taken_ms;
        let schema = Arc::clone(&self.active.shape.schema);
        taker.block(Kind::Schema, schema.encode());
        // SAFETY: no plugin code runs, and no change of shape is under way; the root is of this schema.
        // A change of shape, and the end of the server, come after the last slice.
        taker.block(Kind::Root, unsafe { image::begin(&schema, self.state.root) });
        taker.block(Kind::Sessions, self.image_of_sessions(&Reflect::new(&schema)));
        taker.block(Kind::Aside, self.image_of_aside());
        let begin_ns = monotonic_ns() - began;
        let (stop_ns, stop_cpu_ns) = (begin_ns, thread_cpu_ns() - cpu_began);
        let begun = Instant::now();
        let taking =
            Taking { taker, position, file, begun, begin_ns, stop_ns, stop_cpu_ns, waiters };
        self.snapshots.as_mut().expect("as above").taking = Some(taking);
        Ok(())
    }

    /// Clients do not outlive the process, but the state knows of them: at a restart each is told gone.
    fn image_of_sessions(&self, reflect: &Reflect<'_>) -> Vec<u8> {
        let (mut out, mut after, session) = (Vec::new(), 0, reflect.schema().session);
        while let Some(client) = self.state.clients.after(after) {
            // SAFETY: found among the living; no plugin code runs.
            let client = unsafe { client.as_ref() };
            after = client.id;
            if client.connected {
                out.extend_from_slice(&client.id.to_le_bytes());
                // SAFETY: connected, so it has a session, which is in the layout of today.
                unsafe { reflect.write(session, client.session, &mut out) };
            }
        }
        out
    }

    fn image_of_aside(&self) -> Vec<u8> {
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
        let (began, cpu_began) = (monotonic_ns(), thread_cpu_ns());
        // SAFETY: as in `begin_snapshot`.
        let more = unsafe { image::work(|| monotonic_ns() < began + SLICE_NS) };
        let taking = self.snapshots.as_mut().and_then(|snapshots| snapshots.taking.as_mut());
        if let Some(taking) = taking {
            if image::written() >= BLOCK || !more {
                let room = || Vec::with_capacity(BLOCK_ROOM);
                let spare =
                    if more { taking.taker.spare().unwrap_or_else(room) } else { Vec::new() };
                taking.taker.block(Kind::Entries, image::take_entries(spare));
            }
            taking.stop_ns = taking.stop_ns.max(monotonic_ns() - began);
            taking.stop_cpu_ns = taking.stop_cpu_ns.max(thread_cpu_ns() - cpu_began);
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
    pub(super) fn ask_snapshot(&self, waiter: Waiter) {
        let core = &mut *self.core.borrow_mut();
        match (&mut core.snapshots, waiter) {
            (Some(snapshots), waiter) => snapshots.ask(waiter),
            (None, Waiter::Admin(answer)) => _ = answer.send(Err(in_memory())),
            (None, Waiter::Client(_)) => {}
        }
        self.snapshot.notify_one();
    }

    /// Takes one snapshot, from its beginning to its end. Clients are served meanwhile.
    async fn take_snapshot(self: &Rc<Self>) {
        self.drained().await;
        let begun = self.core.borrow_mut().begin_snapshot();
        if let Err((waiters, error)) = begun {
            return self.tell_end(waiters, &Err(error));
        }
        self.set_busy(true);
        self.flush.notify_one();
        loop {
            let more = self.core.borrow_mut().snapshot_slice();
            if !self.core.borrow().is_taking() {
                // Given up: those who wait are told, or wait for the next one.
                return self.set_busy(false);
            }
            if !more {
                break;
            }
            let turn = monotonic_ns();
            tokio::task::yield_now().await;
            let busy = monotonic_ns() - turn > IDLE_NS;
            if busy || self.core.borrow().backlog() > BACKLOG_MAX {
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.finish_snapshot(image::end()).await;
    }

    async fn finish_snapshot(&self, entries: u64) {
        let taking = self.core.borrow_mut().snapshots.as_mut().and_then(|s| s.taking.take());
        let Some(taking) = taking else { return self.set_busy(false) };
        let Taking { taker, position, file, begun, begin_ns, stop_ns, stop_cpu_ns, waiters } =
            taking;
        // A snapshot that the journal does not lead up to would be one with a gap behind it.
        let _ = file.await;
        taker.block(Kind::Done, entries.to_le_bytes().to_vec());
        let done = taker.finish().await.map(|Taken { bytes, cut }| Snapshot {
            position,
            entries,
            bytes,
            stop_us: stop_ns as f64 / 1e3,
            stop_cpu_us: stop_cpu_ns as f64 / 1e3,
            begin_us: begin_ns as f64 / 1e3,
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
            snapshots.ended.note(outcome);
        }
        match outcome {
            Ok(done) => {
                self.core.borrow().counters.snapshot_at_ms.store(unix_ms(), Relaxed);
                tracing::info!(verb = "snapshot", "{}", done.line());
            }
            Err(error) => tracing::error!(verb = "snapshot", "{error}"),
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
    pub(super) async fn give_up_snapshot(self: &Rc<Self>) {
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
    pub(super) async fn last_snapshot(self: &Rc<Self>) {
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
            self.take_snapshot().await;
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
pub(super) async fn take(server: Rc<Server>) {
    loop {
        let asked = server.snapshot.notified();
        tokio::select! { () = asked => {}, () = tokio::time::sleep(LOOK) => {} }
        if server.core.borrow().snapshot_is_due() {
            server.take_snapshot().await;
        }
    }
}

impl Snapshot {
    /// `snapshot of 5000000 entries, 412.0 MiB, stop 0.3 ms, total 3.1 s; 7 files of the journal removed`.
    pub fn line(&self) -> String {
        let [stop, total] =
            [self.stop_us, self.total_us].map(|us| crate::time::short_duration((us * 1e3) as u64));
        let (bytes, cut) = (crate::render::bytes(self.bytes), self.journal_files_removed);
        let entries = self.entries;
        format!(
            "snapshot of {entries} entries, {bytes}, stop {stop}, total {total}; {cut} files of the \
             journal removed"
        )
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
