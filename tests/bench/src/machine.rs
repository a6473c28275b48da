//! What the machine itself does: on each processor a thread that only wakes every millisecond.
//!
//! They come before every other thread, so what delays them is not the load: a virtual machine whose
//! host gave the processor to somebody else, or fetched a page. Such a pause delays everybody on that
//! processor and is seen on no other one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use thread_priority::{RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
use thread_priority::{set_thread_priority_and_policy, thread_native_id};

use crate::clock::{MILLISECOND, Span, now_ns};
use crate::median::histogram;

/// Who is woken so late did not just wait for a system call to end.
const PAUSE_NS: u64 = 2 * MILLISECOND;

/// What one thread found.
#[derive(Debug)]
pub struct Beats {
    /// Its processor.
    pub cpu: usize,
    /// Whether it came before every other thread, which takes a privilege.
    pub first: bool,
    /// How late it was, nanoseconds.
    pub late: Histogram<u64>,
    /// Pauses it saw.
    pub pauses: u64,
    /// Their sum, nanoseconds.
    pub paused_ns: u64,
}

/// The threads, which end with this.
#[derive(Debug)]
pub struct Machine {
    seen: Seen,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Beats>>,
}

/// The pauses seen so far, of all processors.
#[derive(Debug, Default, Clone)]
pub struct Seen(Arc<Mutex<Vec<Span>>>);

/// When pauses were felt, in order and without overlaps.
#[derive(Debug, Default)]
pub struct Pauses(Vec<Span>);

impl Machine {
    /// Starts a thread on each processor that this process may use.
    pub fn watch() -> Result<Self> {
        let allowed = sched_getaffinity(None).context("which processors may be used")?;
        let mut this = Self { seen: Seen::default(), stop: Arc::default(), threads: Vec::new() };
        for cpu in (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)) {
            let (seen, stop) = (this.seen.clone(), Arc::clone(&this.stop));
            let thread = std::thread::Builder::new().name(format!("pulse-{cpu}"));
            this.threads.push(thread.spawn(move || beat(cpu, &seen, &stop))?);
        }
        Ok(this)
    }

    /// What they see.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Ends them; answers what each found.
    pub fn stop(mut self) -> Result<Vec<Beats>> {
        self.stop.store(true, Ordering::SeqCst);
        let join = |thread: JoinHandle<Beats>| {
            thread.join().map_err(|_| anyhow!("a pulse's thread panicked"))
        };
        self.threads.drain(..).map(join).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

impl Seen {
    /// Adds a pause.
    pub fn tell(&self, pause: Span) {
        self.lock().push(pause);
    }

    /// When the pauses so far were felt: what waited through one is served in at most as much time
    /// again while the processors are half busy.
    pub fn pauses(&self) -> Pauses {
        let mut spans = self.lock().clone();
        for span in &mut spans {
            span.end_ns += span.end_ns - span.begin_ns;
        }
        spans.sort_unstable_by_key(|span| span.begin_ns);
        spans.dedup_by(|next, last| {
            let overlap = next.begin_ns <= last.end_ns;
            if overlap {
                last.end_ns = last.end_ns.max(next.end_ns);
            }
            overlap
        });
        Pauses(spans)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Span>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Pauses {
    /// Whether something from then to then felt one. O(log pauses).
    pub fn met(&self, Span { begin_ns, end_ns }: Span) -> bool {
        let first = self.0.partition_point(|pause| pause.end_ns < begin_ns);
        self.0.get(first).is_some_and(|pause| pause.begin_ns <= end_ns)
    }
}

/// Latencies of requests, from the schedule to the reply, nanoseconds.
#[derive(Debug)]
pub struct Latencies {
    /// Of all.
    pub all: Histogram<u64>,
    /// Of those during which no processor paused.
    pub undisturbed: Histogram<u64>,
}

impl Latencies {
    /// None yet.
    pub fn new() -> Self {
        Self { all: histogram(), undisturbed: histogram() }
    }

    /// Takes a request's: it was scheduled when the span begins and answered when it ends.
    pub fn record(&mut self, request: Span, pauses: &Pauses) {
        let latency = request.end_ns.saturating_sub(request.begin_ns);
        self.all.saturating_record(latency);
        if !pauses.met(request) {
            self.undisturbed.saturating_record(latency);
        }
    }

    /// Requests that met a pause.
    pub fn disturbed(&self) -> u64 {
        self.all.len() - self.undisturbed.len()
    }
}

fn beat(cpu: usize, seen: &Seen, stop: &AtomicBool) -> Beats {
    let mut beats =
        Beats { cpu, first: stand_first(cpu), late: histogram(), pauses: 0, paused_ns: 0 };
    let mut due_ns = now_ns();
    while !stop.load(Ordering::SeqCst) {
        due_ns += MILLISECOND;
        std::thread::sleep(Duration::from_nanos(due_ns.saturating_sub(now_ns())));
        let done_ns = now_ns();
        let late_ns = done_ns.saturating_sub(due_ns);
        beats.late.saturating_record(late_ns);
        if beats.first && late_ns >= PAUSE_NS {
            beats.pauses += 1;
            beats.paused_ns += late_ns;
            seen.tell(Span { begin_ns: due_ns, end_ns: done_ns });
        }
        // One pause counts once, however many beats it held.
        due_ns = due_ns.max(done_ns - done_ns % MILLISECOND);
    }
    beats
}

/// Moves the calling thread to a processor and in front of all others there; answers whether it is.
fn stand_first(cpu: usize) -> bool {
    let mut one = CpuSet::new();
    one.set(cpu);
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let first = || set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy);
    sched_setaffinity(None, &one).is_ok() && first().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_thread_for_each_processor_and_it_ends_when_told() {
        let found = Machine::watch().and_then(Machine::stop).expect("threads that end");
        let cpus = std::thread::available_parallelism().expect("a count").get();
        assert_eq!(found.len(), cpus);
        assert!(found.iter().zip(&found[1..]).all(|(one, next)| one.cpu < next.cpu));
    }

    #[test]
    fn a_pause_is_felt_as_long_again_and_those_that_touch_are_one() {
        let span = |(begin_ns, end_ns)| Span { begin_ns, end_ns };
        let seen = Seen::default();
        for pause in [(500, 510), (300, 340), (100, 200), (150, 160)].map(span) {
            seen.tell(pause);
        }
        let pauses = seen.pauses();
        assert_eq!(pauses.0, [(100, 380), (500, 520)].map(span), "100 to 300 touches 300 to 380");
        for during in [(90, 100), (120, 130), (300, 301), (380, 390), (400, 600), (0, 900)] {
            assert!(pauses.met(span(during)), "{during:?}");
        }
        for clear in [(90, 99), (381, 400), (381, 499), (521, 600)] {
            assert!(!pauses.met(span(clear)), "{clear:?}");
        }
    }
}
