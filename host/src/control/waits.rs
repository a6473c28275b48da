//! Calls that wait: in a lock, a file, a sleep. Such a wait takes no CPU time, and by the clock it cannot
//! be told from a machine that had no processor. So the control thread looks now and then whether the
//! engine's thread is asleep inside a call: the share of looks that find it so is the share of time.
//! The calls pay nothing for it.

use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;

use super::Server;
use crate::limits::WATCHDOG_PERIOD;
use crate::time::monotonic_ns;

/// The last look at an engine.
#[derive(Debug, Default)]
pub struct Looks {
    at_ns: Cell<u64>,
    /// The turn of calls that was found waiting last, by the time of its beginning.
    found_ns: Cell<u64>,
}

impl Server {
    /// Looks once: the watchdog does all the time, probation more often.
    pub(super) fn look_for_waits(&self) {
        let now_ns = monotonic_ns();
        let since_ns = now_ns - self.looks.at_ns.replace(now_ns);
        let counters = &self.handle.counters;
        let Some(turn_ns) = counters.asleep_since_ns() else { return };
        let passed_ns = since_ns.min(WATCHDOG_PERIOD.as_nanos() as u64);
        counters.now.waited_ns.fetch_add(passed_ns, Relaxed);
        if self.looks.found_ns.replace(turn_ns) != turn_ns {
            counters.now.waits.fetch_add(1, Relaxed);
        }
    }
}
