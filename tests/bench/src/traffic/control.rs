//! What the thread that swaps and the thread that makes the traffic tell each other.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Result;

use crate::clock::now_ns;

/// From when to when something was, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub begin_ns: u64,
    /// When it ended.
    pub end_ns: u64,
}

/// One swap, from sending the verb to its answer.
#[derive(Debug, Clone, Copy)]
pub struct Swap {
    /// Index into [`MODES`](super::samples::MODES).
    pub mode: usize,
    /// When it was.
    pub span: Span,
}

/// What happened so far that latencies are told apart by.
#[derive(Debug, Default, Clone)]
pub struct Events {
    /// Swaps, in order.
    pub swaps: Vec<Swap>,
    /// Pauses of a processor, as they were noticed.
    pub pauses: Vec<Span>,
}

/// Shared by all threads.
#[derive(Debug, Default)]
pub struct Control {
    begun: AtomicU64,
    done: AtomicU64,
    events: Mutex<Events>,
    stop: AtomicBool,
}

impl Control {
    /// Runs a swap, and keeps its span when it succeeds.
    pub fn swap<T>(&self, mode: usize, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let begin_ns = now_ns();
        let answer = work()?;
        let end_ns = now_ns();
        self.done.fetch_add(1, Ordering::SeqCst);
        self.swapped(Swap { mode, span: Span { begin_ns, end_ns } });
        Ok(answer)
    }

    /// Keeps a swap, which must not begin before the last one.
    pub(super) fn swapped(&self, swap: Swap) {
        self.lock().swaps.push(swap);
    }

    /// Keeps a pause of a processor.
    pub(super) fn paused(&self, span: Span) {
        self.lock().pauses.push(span);
    }

    /// Swaps that have begun.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    /// Swaps that lie whole between now and the time when [`Self::begun`] answered `begun`.
    pub fn swaps_since(&self, begun: u64) -> u64 {
        self.done.load(Ordering::SeqCst).saturating_sub(begun)
    }

    /// What happened so far.
    pub fn events(&self) -> Events {
        self.lock().clone()
    }

    /// Ends the traffic.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Whether the traffic is to end.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
