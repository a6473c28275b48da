//! What the thread that swaps and the thread that makes the traffic tell each other.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Result;

use crate::clock::{Span, now_ns};
use crate::machine::Seen;

/// One swap, from sending the verb to its answer.
#[derive(Debug, Clone, Copy)]
pub struct Swap {
    /// Index into [`MODES`](super::samples::MODES).
    pub mode: usize,
    /// When it was.
    pub span: Span,
}

/// Shared by all threads.
#[derive(Debug, Default)]
pub struct Control {
    begun: AtomicU64,
    done: AtomicU64,
    swaps: Mutex<Vec<Swap>>,
    machine: Seen,
    stop: AtomicBool,
}

impl Control {
    /// Nothing has happened yet.
    pub fn new(machine: Seen) -> Self {
        Self { machine, ..Self::default() }
    }

    /// What the machine did.
    pub fn machine(&self) -> &Seen {
        &self.machine
    }

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
        self.lock().push(swap);
    }

    /// Swaps that have begun.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    /// Swaps that lie whole between now and the time when [`Self::begun`] answered `begun`.
    pub fn swaps_since(&self, begun: u64) -> u64 {
        self.done.load(Ordering::SeqCst).saturating_sub(begun)
    }

    /// All swaps so far, in order.
    pub fn swaps(&self) -> Vec<Swap> {
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Swap>> {
        self.swaps.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
