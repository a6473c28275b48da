//! [`Together`]: whether the clients that were just answered are waited for before the next sync.
//!
//! A sync takes as long for one client as for fifty. Where it takes longer than all clients need to ask
//! again, it pays to wait for them: otherwise half of them would always arrive while the other half is
//! synced. Where it takes less, the next sync had better begin at once, with those who are there.

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
        let again = asked - self.asked;
        if self.answered > 0 {
            self.note(now_ns, again.max(1));
        }
        (self.answered_ns, self.asked, self.answered) = (now_ns, asked, answered);
    }

    /// By this time clients have asked so often.
    pub(super) fn asked(&mut self, now_ns: u64, asked: u64) {
        if self.answered > 0 && self.are_back(asked) {
            self.note(now_ns, asked - self.asked);
            self.answered = 0;
        }
    }

    fn note(&mut self, now_ns: u64, again: u64) {
        let each_ns = now_ns.saturating_sub(self.answered_ns) / again;
        self.each_ns = (self.each_ns * 7 + each_ns.min(SLOWEST_NS)) / 8;
    }

    /// Whether as many have asked again as were answered.
    pub(super) const fn are_back(&self, asked: u64) -> bool {
        asked - self.asked >= self.answered
    }

    /// Whether to wait for `clients` where a sync takes `sync_ns`: who does loses what they need to ask
    /// again, who does not, half of the clients of each sync.
    pub(super) const fn pays(&self, clients: u64, sync_ns: u64) -> bool {
        2 * clients * self.each_ns < sync_ns
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
                together.asked(now_ns, asked);
            }
            assert!(together.are_back(asked));
        }
        together
    }

    #[test]
    fn nobody_is_waited_for_before_it_is_known_how_fast_they_are() {
        assert!(!Together::new().pays(1, 100_000));
    }

    #[test]
    fn clients_who_ask_again_well_within_a_sync_are_waited_for_and_no_others() {
        let quick = after(10_000);
        assert!(quick.pays(50, 4_000_000));
        assert!(!quick.pays(50, 600_000), "half of them are there when a sync ends");
        assert!(quick.pays(5, 600_000));
        assert!(!after(1_000_000).pays(50, 4_000_000));
    }

    #[test]
    fn clients_who_fall_silent_are_soon_forgotten() {
        let mut together = after(10_000);
        let (mut now_ns, mut asked) = (1_000_000_000, 3_000);
        together.answered(now_ns, asked, 50);
        together.asked(now_ns + 20_000_000, asked + 1);
        now_ns += 40_000_000;
        together.answered(now_ns, asked + 1, 50);
        assert!(!together.pays(50, 4_000_000));
        for _ in 0..40 {
            (now_ns, asked) = (now_ns + 500_000, asked + 51);
            together.asked(now_ns, asked);
            together.answered(now_ns, asked, 50);
        }
        assert!(together.pays(50, 4_000_000));
    }
}
