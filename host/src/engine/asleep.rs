//! Whether a thread is asleep, as somebody else sees it. The thread itself pays nothing for that.

/// Whether a thread of this process has given its processor up to wait for something. One that has none
/// although it wants one is not asleep.
pub(super) fn is_asleep(thread: u64) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")) else {
        return false;
    };
    // Behind the name, which may hold anything, comes the state (proc(5)).
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.as_bytes()[0]);
    matches!(state, Some(b'S' | b'D'))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::engine::handle::{CallKind, Counters};
    use crate::testing::PATIENCE;

    fn until(what: &str, is_so: impl Fn() -> bool) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while !is_so() {
            assert!(std::time::Instant::now() < deadline, "{what}");
            std::thread::yield_now();
        }
    }

    /// Counters of an engine whose thread does this.
    fn counters_of(work: impl FnOnce() + Send + 'static) -> Counters {
        let counters = Counters::default();
        let (tell, hear) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let thread = rustix::thread::gettid().as_raw_nonzero().get();
            tell.send(thread as u64).expect("somebody hears");
            work();
        });
        counters.thread.store(hear.recv().expect("it tells"), Ordering::Relaxed);
        counters
    }

    #[test]
    fn a_thread_that_waits_in_a_call_is_asleep_and_between_calls_it_is_not() {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let counters = counters_of(move || _ = ended.recv());
        let thread = Counters::get(&counters.thread);
        until("it falls asleep", || is_asleep(thread));
        assert_eq!(counters.asleep_since_ns(), None, "in no call");
        counters.enter(CallKind::Tick, 5);
        assert_eq!(counters.asleep_since_ns(), None, "in no call of a client");
        counters.enter(CallKind::Data, 7);
        until("it waits there", || counters.asleep_since_ns() == Some(7));
        counters.leave();
        assert_eq!(counters.asleep_since_ns(), None);
        drop(end);
    }

    /// More threads than processors: most of them have none.
    #[test]
    fn a_thread_that_works_or_wants_to_is_never_asleep() {
        let stop = Arc::new(AtomicBool::new(false));
        let spin = |stop: &Arc<AtomicBool>| {
            let stop = Arc::clone(stop);
            counters_of(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let many = std::thread::available_parallelism().map_or(4, usize::from) * 2;
        let all: Vec<_> = (0..many).map(|_| spin(&stop)).collect();
        for counters in &all {
            counters.enter(CallKind::Data, 7);
            // The channel's end may have been slept for.
            until("it spins", || counters.asleep_since_ns().is_none());
            assert!((0..100).all(|_| counters.asleep_since_ns().is_none()));
        }
        stop.store(true, Ordering::Relaxed);
    }
}
