//! Snapshots as the engine takes them: begun between two calls, then in slices, like a drain.
//!
//! Invariant: a snapshot shows the state as it was at its position of the journal, which a new file
//! begins. Whatever becomes of it, the server goes on as if none were taken.

mod pace;
mod sessions;
mod take;

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::oneshot;

use self::take::Taking;
pub(super) use self::take::take;
use crate::data::Store;
use crate::data::snapshot::Policy;
use crate::error::Result;
use crate::time::unix_ms;

/// After one that failed.
const AGAIN: Duration = Duration::from_secs(60);

/// The answer of `snapshot`.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct Snapshot {
    pub position: u64,
    pub entries: u64,
    pub bytes: u64,
    /// The longest that it kept the engine from its clients at once, by the clock.
    pub stop_us: f64,
    /// The same without the time in which the engine's thread had no processor: what the machine does
    /// beside is not the snapshot's.
    pub stop_own_us: f64,
    /// The first of these stops, in which all is written that does not follow later; without such time.
    pub begin_us: f64,
    /// The longest of the slices that follow, without such time.
    pub slice_us: f64,
    /// The longest that a call had to write at once since it was going to change that, without such time.
    pub call_us: f64,
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
    /// The last one failed: when another one is tried.
    again: Option<Instant>,
    /// When the last one began, or the server started.
    last: Instant,
    /// The changes at that time.
    pub(super) changes: u64,
    /// Whether a stop takes one; by default if anything changed.
    pub(super) at_stop: Option<bool>,
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
            again: None,
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

    /// One that was due has not begun, and is not due again at once. Answers who waits for it.
    fn not_begun(&mut self) -> Vec<Waiter> {
        (self.wanted, self.last) = (false, Instant::now());
        std::mem::take(&mut self.asked)
    }

    /// One has ended, or could not begin.
    fn note_end(&mut self, outcome: &Result<Snapshot>) {
        self.ended.note(outcome);
        self.again = outcome.is_err().then(|| Instant::now() + AGAIN);
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

impl Snapshot {
    /// `snapshot of 5000000 entries, 412.0 MiB, stop 0.3 ms, total 3.1 s; 7 files of the journal removed`.
    pub fn line(&self) -> String {
        let [stop, total] = [self.stop_own_us, self.total_us]
            .map(|us| crate::time::short_duration((us * 1e3) as u64));
        let (bytes, cut) = (crate::text::bytes(self.bytes), self.journal_files_removed);
        let entries = self.entries;
        format!(
            "snapshot of {entries} entries, {bytes}, stop {stop}, total {total}; {cut} files of the \
             journal removed"
        )
    }
}
