//! [`Progress`]: how far the journal is on disk, for those who wait for it and those who watch.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::Fsync;
use crate::time::monotonic_ns;

/// Frames that have waited for the disk for so long hold output back, whatever the policy: what is
/// shown to clients is never further ahead of the disk than this.
pub(super) const LATE_AFTER: Duration = Duration::from_secs(2);

/// How far the journal is on disk, and how the disk does. Written by the journal's thread only.
#[derive(Debug, Default)]
pub struct Progress {
    durable: AtomicU64,
    /// Somebody waits for this position.
    wanted: AtomicU64,
    moved: Notify,
    /// Monotonic nanoseconds at which the batch that is being written and synced was begun; 0 between
    /// batches.
    busy_since_ns: AtomicU64,
    /// Monotonic nanoseconds at which the disk was found full; 0 while it is not.
    full_since_ns: AtomicU64,
    /// An [`Fsync`].
    fsync: AtomicU8,
    syncs: AtomicU64,
    sync_ns: AtomicU64,
    sync_ns_max: AtomicU64,
    segments: AtomicU64,
}

impl Progress {
    pub(super) fn new(fsync: Fsync) -> Self {
        Self { fsync: AtomicU8::new(fsync as u8), ..Self::default() }
    }

    /// When the journal reaches the disk.
    pub fn fsync(&self) -> Fsync {
        let number = self.fsync.load(Ordering::Relaxed);
        let all = [Fsync::EverySec, Fsync::Always, Fsync::No];
        all.into_iter().find(|fsync| *fsync as u8 == number).unwrap_or_default()
    }

    /// Changes that, from the next batch on.
    pub fn set_fsync(&self, fsync: Fsync) {
        self.fsync.store(fsync as u8, Ordering::Relaxed);
    }

    /// Frames before this position are on disk; under `no`, with the system.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Returns when frames before `position` are on disk. For one waiter at a time.
    pub async fn reached(&self, position: u64) {
        self.wanted.store(position, Ordering::Relaxed);
        while self.durable() < position {
            self.moved.notified().await;
        }
    }

    /// Whether frames wait for a disk that is full or slow, for so long that output must wait, too.
    pub fn is_late(&self) -> bool {
        let since = self.busy_since_ns.load(Ordering::Relaxed);
        since > 0 && monotonic_ns().saturating_sub(since) > LATE_AFTER.as_nanos() as u64
    }

    /// For how long the disk has been full; `None` while it is not.
    pub fn full_for(&self) -> Option<Duration> {
        let since = self.full_since_ns.load(Ordering::Relaxed);
        (since > 0).then(|| Duration::from_nanos(monotonic_ns().saturating_sub(since)))
    }

    /// Syncs so far, the time that all of them took, and the longest, nanoseconds.
    pub fn syncs(&self) -> (u64, u64, u64) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (get(&self.syncs), get(&self.sync_ns), get(&self.sync_ns_max))
    }

    /// Segments that were begun because one had grown large.
    pub fn rotations(&self) -> u64 {
        self.segments.load(Ordering::Relaxed)
    }

    /// Frames before `position` are on disk.
    pub(super) fn reach(&self, position: u64) {
        self.durable.store(position, Ordering::Release);
        self.moved.notify_one();
    }

    /// A sync has ended.
    pub(super) fn synced(&self, took_ns: u64) {
        let add = |counter: &AtomicU64, by| {
            counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
        };
        add(&self.syncs, 1);
        add(&self.sync_ns, took_ns);
        self.sync_ns_max.fetch_max(took_ns, Ordering::Relaxed);
    }

    /// A batch is going to be written and synced.
    pub(super) fn begin_batch(&self) {
        self.busy_since_ns.store(monotonic_ns(), Ordering::Relaxed);
    }

    /// It is written, and synced if it was to be.
    pub(super) fn end_batch(&self) {
        self.busy_since_ns.store(0, Ordering::Relaxed);
    }

    /// Whether somebody waits for what is not on disk.
    pub(super) fn is_awaited(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) > self.durable()
    }

    /// The disk was found full.
    pub(super) fn note_full(&self) {
        self.full_since_ns.store(monotonic_ns(), Ordering::Relaxed);
    }

    /// It has room again; answers how long it had none.
    pub(super) fn note_room(&self) -> Duration {
        let full_for = self.full_for().unwrap_or_default();
        self.full_since_ns.store(0, Ordering::Relaxed);
        full_for
    }

    /// A segment has grown large, and another one was begun.
    pub(super) fn rotated(&self) {
        self.segments.fetch_add(1, Ordering::Relaxed);
    }
}
