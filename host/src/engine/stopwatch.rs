//! [`Stopwatch`]: how long the engine's thread was at something, and what of that was its own doing: not
//! that it waited for a processor, or that a virtual machine had none. Both are the machine's.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use crate::time::monotonic_ns;

/// Measures the thread that made it.
#[derive(Debug)]
pub(super) struct Stopwatch {
    /// `/proc/thread-self/schedstat` (proc(5)): time on a processor, which lags behind, time that the
    /// thread was runnable without one, both in nanoseconds, and a count.
    schedule: Option<File>,
}

/// A moment that a time is measured from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    at_ns: u64,
    ran_ns: u64,
    waited_ns: u64,
    slept: i64,
}

/// A time that was measured, nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lap {
    /// By the clock.
    pub all_ns: u64,
    /// Work, and waiting for anything but a processor.
    pub own_ns: u64,
}

impl Stopwatch {
    /// One for the calling thread.
    pub(super) fn new() -> Self {
        Self { schedule: File::open("/proc/thread-self/schedstat").ok() }
    }

    /// Begins to measure. Three system calls, a microsecond or two.
    pub(super) fn start(&self) -> Start {
        let waited_ns = self.waited_ns().unwrap_or_default();
        Start { ran_ns: ran_ns(), waited_ns, slept: slept(), at_ns: monotonic_ns() }
    }

    /// The time since.
    pub(super) fn lap(&self, start: Start) -> Lap {
        let all_ns = monotonic_ns() - start.at_ns;
        let own_ns = if slept() == start.slept {
            ran_ns() - start.ran_ns
        } else {
            // What it slept for counts, and what the machine took meanwhile cannot be told from it.
            let waited_ns = self.waited_ns().map_or(0, |now| now - start.waited_ns);
            all_ns.saturating_sub(waited_ns)
        };
        Lap { all_ns, own_ns: own_ns.min(all_ns) }
    }

    /// How long the thread had no processor so far.
    fn waited_ns(&self) -> Option<u64> {
        let mut text = [0; 64];
        let read = self.schedule.as_ref()?.read_at(&mut text, 0).ok()?;
        std::str::from_utf8(&text[..read]).ok()?.split(' ').nth(1)?.parse().ok()
    }
}

/// How long the calling thread has been at work so far.
pub(super) fn worked() -> Duration {
    Duration::from_nanos(ran_ns())
}

/// CPU time of the calling thread.
fn ran_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// How often the calling thread has given its processor up to wait for something.
fn slept() -> i64 {
    usage().ru_nvcsw
}

/// How often the calling thread has touched memory that was not mapped yet.
pub(super) fn faults() -> u64 {
    usage().ru_minflt.cast_unsigned()
}

fn usage() -> libc::rusage {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel fills the struct, which is plain numbers; on failure it stays zero.
    unsafe {
        libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
        usage.assume_init()
    }
}

impl Lap {
    /// One of which nothing but the work is known.
    pub(super) fn of_work(took: Duration) -> Self {
        let ns = took.as_nanos() as u64;
        Self { all_ns: ns, own_ns: ns }
    }

    /// The longest of both.
    pub(super) fn max(self, other: Self) -> Self {
        Self { all_ns: self.all_ns.max(other.all_ns), own_ns: self.own_ns.max(other.own_ns) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn work_and_sleep_are_ones_own_and_no_lap_is_longer_than_it_was() {
        let watch = Stopwatch::new();
        let (start, began) = (watch.start(), Instant::now());
        while began.elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        let worked = watch.lap(start);
        assert!(worked.all_ns >= 5_000_000 && worked.own_ns <= worked.all_ns, "{worked:?}");
        let start = watch.start();
        let (never, asleep) = std::sync::mpsc::channel::<()>();
        let _ = asleep.recv_timeout(Duration::from_millis(50));
        let slept = watch.lap(start);
        drop(never);
        assert!(slept.own_ns > 20_000_000 && slept.own_ns <= slept.all_ns, "{slept:?}");
        let longest = Lap { all_ns: 9, own_ns: 2 }.max(Lap { all_ns: 5, own_ns: 4 });
        assert_eq!(longest, Lap { all_ns: 9, own_ns: 4 });
    }

    /// Two threads on one processor: each waits for it half of the time.
    #[test]
    fn what_a_thread_waits_for_a_processor_is_not_its_own() {
        // Otherwise one may be done before the other has begun.
        let both = std::sync::Barrier::new(2);
        let work = || {
            let mut one = rustix::thread::CpuSet::new();
            one.set(0);
            rustix::thread::sched_setaffinity(None, &one).expect("there is a first processor");
            let watch = Stopwatch::new();
            both.wait();
            let (start, began) = (watch.start(), Instant::now());
            while began.elapsed() < Duration::from_millis(200) {
                std::hint::spin_loop();
            }
            watch.lap(start)
        };
        let (one, other) = std::thread::scope(|scope| {
            let one = scope.spawn(work);
            let other = scope.spawn(work);
            (one.join().expect("no panics"), other.join().expect("no panics"))
        });
        let own = one.own_ns + other.own_ns;
        assert!(own < (one.all_ns + other.all_ns) * 9 / 10, "{one:?} {other:?}");
        assert!(one.own_ns > 0 && other.own_ns > 0, "{one:?} {other:?}");
    }
}
