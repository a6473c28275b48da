//! Probation: the rules by which a new generation is judged on live traffic, and the judgement.
//!
//! Pure: numbers in, verdict out. The control thread feeds it and acts on it.

use std::time::Duration;

use serde::Serialize;

use crate::engine::{Conduct, Counters};

/// When a generation is undone, and when it is good. Each has a flag and a key of the same name.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// How long a generation is watched. Zero: not at all.
    pub time: Duration,
    /// How long at most, when calls are too few to tell.
    pub max_time: Duration,
    /// Calls below which shares and durations say nothing.
    pub min_calls: u64,
    /// Most calls that may panic.
    pub max_panics: u64,
    /// Most replies, in percent of the calls, that the plugin may mark as failed.
    pub max_failed_percent: f64,
    /// How many times as long as before 99 of 100 calls may take.
    pub max_slowdown: f64,
}

/// Calls shorter than this are never too slow, whatever they took before.
const SLOW_FROM_NS: u64 = 1_000_000;

impl Default for Rules {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            max_time: Duration::from_secs(300),
            min_calls: 100,
            max_panics: 2,
            max_failed_percent: 5.0,
            max_slowdown: 8.0,
        }
    }
}

/// What a generation did so far, and how fast the one before was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Sample {
    pub calls: u64,
    pub panics: u64,
    pub failed: u64,
    pub p99_ns: u64,
    pub calls_before: u64,
    pub p99_before_ns: u64,
}

/// What is known about a generation on probation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Pending,
    /// It held for the time, over enough calls.
    Proven,
    /// The longest time is over and calls were too few to tell.
    Unproven,
    /// It broke a rule; with the numbers that tipped it.
    Failed(String),
}

impl Sample {
    /// Reads the published counters.
    pub fn read(counters: &Counters) -> Self {
        let calls = |conduct: &Conduct| Counters::get(&conduct.calls);
        Self {
            calls: calls(&counters.now),
            panics: Counters::get(&counters.now.panics),
            failed: Counters::get(&counters.now.failed),
            p99_ns: counters.now.p99_ns().unwrap_or(0),
            calls_before: calls(&counters.before),
            p99_before_ns: counters.before.p99_ns().unwrap_or(0),
        }
    }
}

impl Rules {
    /// The verdict on a generation that was switched to `elapsed` ago.
    pub fn judge(&self, elapsed: Duration, sample: &Sample) -> Verdict {
        if let Some(broken) = self.broken(sample) {
            return Verdict::Failed(broken);
        }
        let enough = sample.calls >= self.min_calls;
        if elapsed >= self.time && enough {
            Verdict::Proven
        } else if elapsed >= self.max_time.max(self.time) {
            Verdict::Unproven
        } else {
            Verdict::Pending
        }
    }

    fn broken(&self, sample: &Sample) -> Option<String> {
        let Sample { calls, panics, failed, p99_ns, calls_before, p99_before_ns } = *sample;
        if panics > self.max_panics {
            let most = self.max_panics;
            return Some(format!(
                "{panics} of {calls} calls panicked, probation-max-panics is {most}"
            ));
        }
        if calls < self.min_calls {
            return None;
        }
        let percent = failed as f64 * 100.0 / calls as f64;
        if percent > self.max_failed_percent {
            let most = self.max_failed_percent;
            return Some(format!(
                "{failed} of {calls} replies failed ({percent:.1} %), probation-max-failed is {most} %"
            ));
        }
        let slower = p99_ns as f64 > p99_before_ns as f64 * self.max_slowdown;
        if slower && p99_ns > SLOW_FROM_NS && calls_before >= self.min_calls {
            let (now, before) = (p99_ns as f64 / 1e3, p99_before_ns as f64 / 1e3);
            let most = self.max_slowdown;
            return Some(format!(
                "99 of 100 calls take up to {now:.0} us, before it was {before:.0} us, \
                 probation-max-slowdown is {most}"
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(seconds: u64, sample: Sample) -> Verdict {
        Rules::default().judge(Duration::from_secs(seconds), &sample)
    }

    fn failed(text: &str) -> Verdict {
        Verdict::Failed(text.to_owned())
    }

    #[test]
    fn time_and_calls_together_prove_a_generation() {
        let few = Sample { calls: 99, ..Sample::default() };
        let enough = Sample { calls: 100, ..Sample::default() };
        assert_eq!(judged(29, enough), Verdict::Pending);
        assert_eq!(judged(30, enough), Verdict::Proven);
        assert_eq!(judged(30, few), Verdict::Pending, "too few calls: probation goes on");
        assert_eq!(judged(299, few), Verdict::Pending);
        assert_eq!(judged(300, few), Verdict::Unproven);
    }

    #[test]
    fn panics_count_from_the_first_call_on() {
        let two = Sample { calls: 10, panics: 2, ..Sample::default() };
        assert_eq!(judged(0, two), Verdict::Pending);
        let three = Sample { panics: 3, ..two };
        assert_eq!(judged(0, three), failed("3 of 10 calls panicked, probation-max-panics is 2"));
    }

    #[test]
    fn failed_replies_need_a_sample() {
        let few = Sample { calls: 99, failed: 99, ..Sample::default() };
        assert_eq!(judged(0, few), Verdict::Pending);
        let enough = Sample { calls: 100, failed: 6, ..Sample::default() };
        let text = "6 of 100 replies failed (6.0 %), probation-max-failed is 5 %";
        assert_eq!(judged(0, enough), failed(text));
        assert_eq!(judged(0, Sample { failed: 5, ..enough }), Verdict::Pending);
    }

    #[test]
    fn slowness_is_judged_against_the_generation_before() {
        let slow = Sample {
            calls: 100,
            p99_ns: 1 << 24,
            calls_before: 100,
            p99_before_ns: 1 << 20,
            ..Sample::default()
        };
        let text = "99 of 100 calls take up to 16777 us, before it was 1049 us, \
                    probation-max-slowdown is 8";
        assert_eq!(judged(0, slow), failed(text));
        assert_eq!(judged(0, Sample { p99_before_ns: 1 << 21, ..slow }), Verdict::Pending);
        assert_eq!(judged(0, Sample { calls_before: 99, ..slow }), Verdict::Pending);
        let fast = Sample { p99_ns: 900_000, p99_before_ns: 1000, ..slow };
        assert_eq!(judged(0, fast), Verdict::Pending, "under a millisecond nothing is slow");
    }
}
