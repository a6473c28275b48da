//! [`Pace`]: what a snapshot leaves of the engine's time to those who are served meanwhile.

use std::time::Duration;

use crate::time::monotonic_ns;

/// What others have of the engine's time while there is something to do for them, as a multiple of a
/// snapshot's.
const OTHERS: i64 = 9;
/// The least that can be slept: the runtime's timers take about twice as long.
const PAUSE: Duration = Duration::from_millis(1);
/// A turn of the other tasks that took no longer found nothing to do, nanoseconds.
const IDLE_NS: i64 = 20_000;
/// Others that had more than was owed to them get less later, but so much at most: two slices follow each
/// other with a turn of the others between, and not many do, nanoseconds.
const AHEAD_NS: i64 = 5_000_000;

/// Time that others are owed.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Below zero when they had more.
    owed_ns: i64,
}

impl Pace {
    /// Lets others go after a slice that took so long, until they have had their share.
    pub(super) async fn give_way(&mut self, slice_ns: u64) {
        self.owe(slice_ns);
        let turn = monotonic_ns();
        tokio::task::yield_now().await;
        let took = since(turn);
        if took <= IDLE_NS {
            self.owed_ns = 0;
            return;
        }
        self.had(took);
        while self.owed_ns > 0 {
            let pause = monotonic_ns();
            tokio::time::sleep(PAUSE).await;
            self.had(since(pause));
        }
    }

    fn owe(&mut self, slice_ns: u64) {
        self.owed_ns += OTHERS * slice_ns as i64;
    }

    fn had(&mut self, ns: i64) {
        self.owed_ns = (self.owed_ns - ns).max(-AHEAD_NS);
    }
}

fn since(at_ns: u64) -> i64 {
    (monotonic_ns() - at_ns) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_have_nine_times_the_slices_however_long_a_pause_takes() {
        let (mut pace, mut slices, mut others) = (Pace::default(), 0_i64, 0_i64);
        for _ in 0..10_000 {
            pace.owe(100_000);
            slices += 100_000;
            pace.had(150_000);
            others += 150_000;
            while pace.owed_ns > 0 {
                pace.had(2_100_000);
                others += 2_100_000;
            }
        }
        let ratio = others as f64 / slices as f64;
        assert!((8.9..9.1).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_long_wait_is_no_leave_for_a_long_burst() {
        let mut pace = Pace::default();
        pace.had(10_000_000_000);
        let mut slices = 0;
        while pace.owed_ns <= 0 {
            pace.owe(100_000);
            slices += 1;
        }
        assert!(slices <= 6, "{slices}");
    }
}
