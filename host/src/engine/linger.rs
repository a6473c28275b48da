//! [`Linger`]: the engine's thread looks for input a little longer before it sleeps.
//!
//! A sleep costs the thread a few microseconds, and the client that wakes it as many, in which it could
//! have sent more. So where input has lately come about as fast, the thread asks the kernel again
//! instead, for as long as a sleep would cost; where it has not, it never does.

use super::core::{Server, monotonic_ns};

/// For how long the thread looks for input without sleeping: about what a sleep and a wake-up take.
/// Nanoseconds.
const LONGEST_NS: u64 = 10_000;
/// Gaps count as no longer than this, so that one long silence is soon forgotten. Nanoseconds.
const SILENCE_NS: u64 = 8 * LONGEST_NS;

/// What is known of the gaps between an answer and the next input.
#[derive(Debug)]
pub(super) struct Linger {
    /// When the last answers were sent, on the monotonic clock.
    answered_ns: u64,
    /// How long it took lately until there was input again: a moving average of some eight gaps.
    gap_ns: u64,
}

impl Linger {
    pub(super) const fn new() -> Self {
        Self { answered_ns: 0, gap_ns: SILENCE_NS }
    }

    /// Whether input is likely to come before a sleep would have begun and ended.
    const fn pays(&self) -> bool {
        self.gap_ns <= LONGEST_NS
    }

    /// All that was ready is answered: returns when somebody was read, or when it is time to sleep.
    pub(super) async fn look(&mut self, server: &Server) {
        let turn = server.core.borrow().call_number;
        self.answered_ns = monotonic_ns();
        if !self.pays() {
            return;
        }
        while server.core.borrow().call_number == turn
            && monotonic_ns() - self.answered_ns < LONGEST_NS
        {
            tokio::task::yield_now().await;
        }
    }

    /// Somebody was read at this time of the monotonic clock.
    pub(super) fn note(&mut self, read_ns: u64) {
        let gap_ns = read_ns.saturating_sub(self.answered_ns).min(SILENCE_NS);
        self.gap_ns = (self.gap_ns * 7 + gap_ns) / 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(gaps: impl IntoIterator<Item = u64>) -> Linger {
        let mut linger = Linger::new();
        gaps.into_iter().for_each(|gap| linger.note(linger.answered_ns + gap));
        linger
    }

    #[test]
    fn a_thread_that_knows_nothing_sleeps() {
        assert!(!Linger::new().pays());
    }

    #[test]
    fn quick_clients_keep_the_thread_awake_and_slow_ones_let_it_sleep() {
        assert!(after([3_000; 30]).pays());
        assert!(!after([1_000_000; 30]).pays());
        assert!(!after([30_000; 1_000]).pays(), "longer than a sleep would cost");
    }

    #[test]
    fn one_silence_stops_it_and_is_soon_forgotten() {
        let silence =
            |quick| after([2_000; 50].into_iter().chain([u64::MAX / 2]).chain(vec![2_000; quick]));
        assert!(!silence(0).pays());
        assert!(silence(10).pays());
    }

    #[test]
    fn input_from_before_the_answer_is_no_gap() {
        let mut linger = Linger { answered_ns: 5_000_000, gap_ns: 0 };
        linger.note(4_000_000);
        assert_eq!(linger.gap_ns, 0);
    }
}
