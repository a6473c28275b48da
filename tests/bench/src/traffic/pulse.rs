//! What the machine itself does: on each processor a thread that only wakes every millisecond.
//!
//! They come before every other thread, so what delays them is not the load: a virtual machine whose
//! host gave the processor to somebody else, or fetched a page. Such a pause delays everybody on that
//! processor and is seen on no other one.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use thread_priority::{RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
use thread_priority::{set_thread_priority_and_policy, thread_native_id};

use super::control::{Control, Span};
use super::samples::histogram;
use crate::clock::{MILLISECOND, now_ns};

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

/// The threads, which end with the traffic.
#[derive(Debug)]
pub struct Pulse(Vec<JoinHandle<Beats>>);

impl Pulse {
    /// Starts one on each processor that this process may use. `control` learns of every pause.
    pub fn start(control: &Arc<Control>) -> Result<Self> {
        let allowed = sched_getaffinity(None).context("which processors may be used")?;
        let cpus = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu));
        let spawn = |cpu| {
            let control = Arc::clone(control);
            let name = format!("pulse-{cpu}");
            std::thread::Builder::new().name(name).spawn(move || beat(cpu, &control))
        };
        Ok(Self(cpus.map(spawn).collect::<Result<_, _>>()?))
    }

    /// Waits for them, once the traffic was told to end.
    pub fn join(self) -> Result<Vec<Beats>> {
        let join = |thread: JoinHandle<Beats>| {
            thread.join().map_err(|_| anyhow!("a pulse's thread panicked"))
        };
        self.0.into_iter().map(join).collect()
    }
}

fn beat(cpu: usize, control: &Control) -> Beats {
    let mut beats =
        Beats { cpu, first: stand_first(cpu), late: histogram(), pauses: 0, paused_ns: 0 };
    let mut due_ns = now_ns();
    while !control.stopped() {
        due_ns += MILLISECOND;
        std::thread::sleep(Duration::from_nanos(due_ns.saturating_sub(now_ns())));
        let done_ns = now_ns();
        let late_ns = done_ns.saturating_sub(due_ns);
        beats.late.saturating_record(late_ns);
        if beats.first && late_ns >= PAUSE_NS {
            beats.pauses += 1;
            beats.paused_ns += late_ns;
            control.paused(Span { begin_ns: due_ns, end_ns: done_ns });
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
    fn there_is_a_thread_for_each_processor_and_it_ends_with_the_traffic() {
        let control = Arc::new(Control::default());
        let pulse = Pulse::start(&control).expect("threads");
        control.stop();
        let found = pulse.join().expect("they end");
        let cpus = std::thread::available_parallelism().expect("a count").get();
        assert_eq!(found.len(), cpus);
        assert!(found.iter().zip(&found[1..]).all(|(one, next)| one.cpu < next.cpu));
    }
}
