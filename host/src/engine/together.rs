//! [`Together`]: whether the clients that were just answered are waited for before the next sync.
//!
//! A sync takes as long for one client as for fifty. Where it takes longer than all clients need to ask
//! again, it pays to wait for them: otherwise half of them would always arrive while the other half is
//! synced. Where it takes less, the next sync had better begin at once, with those who are there.

use std::time::Duration;

/// Clients count as no slower than this, so that one silence is soon forgotten. Nanoseconds.
const SLOWEST_NS: u64 = 1_000_000;

/// What is known of how fast clients ask again.
#[derive(Debug)]
pub(super) struct Together {
    /// From one client that asks again to the next, lately: a moving average of some eight rounds.
    each_ns: u64,
    /// When the last answers were sent, on the monotonic clock.
    answered_ns: u64,
    /// How often clients had asked then, since the start.
    asked: u64,
    /// How many were answered; 0 when all of them have asked again.
    answered: u64,
}

impl Together {
    pub(super) const fn new() -> Self {
        Self { each_ns: SLOWEST_NS, answered_ns: 0, asked: 0, answered: 0 }
    }

    /// So many were answered at this time; until then clients had asked so often.
    pub(super) fn answered(&mut self, now_ns: u64, asked: u64, answered: u64) {
        if self.answered > 0 {
            self.note(now_ns, asked - self.asked);
        }
        (self.answered_ns, self.asked, self.answered) = (now_ns, asked, answered);
    }

    /// Whether as many have asked again as were answered last, and that was not noted yet.
    pub(super) const fn are_back(&self, asked: u64) -> bool {
        self.answered > 0 && asked - self.asked >= self.answered
    }

    /// They are back at this time; until then clients have asked so often.
    pub(super) fn came(&mut self, now_ns: u64, asked: u64) {
        self.note(now_ns, asked - self.asked);
        self.answered = 0;
    }

    fn note(&mut self, now_ns: u64, again: u64) {
        let each_ns = now_ns.saturating_sub(self.answered_ns) / again.max(1);
        self.each_ns = (self.each_ns * 7 + each_ns.min(SLOWEST_NS)) / 8;
    }

    /// For how long to wait for `clients` where a sync takes `sync_ns`; `None`: not at all. Who waits loses
    /// what they need to ask again, who does not, half of the clients of each sync.
    pub(super) fn patience(&self, clients: u64, sync_ns: u64) -> Option<Duration> {
        let twice_ns = 2 * clients * self.each_ns;
        (twice_ns < sync_ns).then(|| Duration::from_nanos(twice_ns.min(sync_ns / 4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After many rounds of fifty clients who ask again one after the other.
    fn after(each_ns: u64) -> Together {
        let (mut together, mut now_ns, mut asked) = (Together::new(), 0, 0);
        for _ in 0..60 {
            together.answered(now_ns, asked, 50);
            for _ in 0..50 {
                assert!(!together.are_back(asked));
                now_ns += each_ns;
                asked += 1;
            }
            assert!(together.are_back(asked));
            together.came(now_ns, asked);
            assert!(!together.are_back(asked), "they are noted once");
        }
        together
    }

    #[test]
    fn nobody_is_waited_for_before_it_is_known_how_fast_they_are() {
        assert_eq!(Together::new().patience(1, 100_000), None);
    }

    #[test]
    fn clients_who_ask_again_well_within_a_sync_are_waited_for_and_no_others() {
        let quick = after(10_000);
        assert!(quick.patience(50, 4_000_000).is_some());
        assert!(quick.patience(50, 600_000).is_none(), "half are there when a sync ends");
        assert!(quick.patience(5, 600_000).is_some());
        assert!(after(1_000_000).patience(50, 4_000_000).is_none());
    }

    #[test]
    fn they_are_waited_for_as_long_as_they_need_however_long_a_sync_took() {
        let ms = |ns: u64| after(10_000).patience(50, ns).expect("it pays").as_millis();
        assert_eq!((ms(1_200_000), ms(60_000_000_000)), (0, 1));
    }

    #[test]
    fn clients_who_fall_silent_are_soon_forgotten() {
        let mut together = after(10_000);
        let (mut now_ns, mut asked) = (1_000_000_000, 3_000);
        together.answered(now_ns, asked, 50);
        now_ns += 40_000_000;
        together.answered(now_ns, asked + 1, 50);
        assert!(together.patience(50, 4_000_000).is_none());
        for _ in 0..40 {
            (now_ns, asked) = (now_ns + 500_000, asked + 51);
            together.answered(now_ns, asked, 50);
        }
        assert!(together.patience(50, 4_000_000).is_some());
    }
}
