//! Probation: the rules by which a new generation is judged on live traffic, and the judgement.
//!
//! Pure: numbers in, verdict out. The control thread feeds it and acts on it.

use std::time::Duration;

use serde::Serialize;

use crate::engine::Counters;

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
    /// How many times as much CPU time as before a call may take, on average.
    pub max_slowdown: f64,
}

/// Calls that take less CPU time than this, on average, are never too slow. Nanoseconds.
const SLOW_FROM_NS: f64 = 50_000.0;
/// An average wants this many times the calls that a share wants: one slow request must not tip it.
const AVERAGE_CALLS: u64 = 100;

impl Default for Rules {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            max_time: Duration::from_secs(300),
            min_calls: 100,
            max_panics: 2,
            max_failed_percent: 5.0,
            max_slowdown: 5.0,
        }
    }
}

/// What a generation did so far, and what a call cost under the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Sample {
    pub calls: u64,
    pub panics: u64,
    pub failed: u64,
    /// Calls that came while entries of large maps changed their shape: not judged by their CPU time.
    pub calls_unwatched: u64,
    /// CPU time of the engine's thread in the other calls: what other processes do to the machine is
    /// not in it.
    pub cpu_ns: u64,
    pub calls_before: u64,
    pub cpu_before_ns: u64,
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
        let Counters { now, before, .. } = counters;
        Self {
            calls: Counters::get(&now.calls),
            panics: Counters::get(&now.panics),
            failed: Counters::get(&now.failed),
            calls_unwatched: Counters::get(&counters.calls_unwatched),
            cpu_ns: counters.cpu_now_ns(),
            calls_before: Counters::get(&before.calls),
            cpu_before_ns: Counters::get(&before.cpu_ns),
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
        let Sample { calls, panics, failed, cpu_ns, calls_before, cpu_before_ns, .. } = *sample;
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
        let watched = calls.saturating_sub(sample.calls_unwatched);
        if watched.min(calls_before) < self.min_calls * AVERAGE_CALLS {
            return None;
        }
        let now = cpu_ns as f64 / watched as f64;
        let before = cpu_before_ns as f64 / calls_before as f64;
        if now > SLOW_FROM_NS && now > before * self.max_slowdown {
            let (now, before, most) = (now / 1e3, before / 1e3, self.max_slowdown);
            return Some(format!(
                "a call takes {now:.0} us of CPU time, before it was {before:.0} us, \
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
    fn slowness_is_judged_by_cpu_time_against_the_generation_before() {
        let slow = Sample {
            calls: 10_000,
            cpu_ns: 600_000_000,
            calls_before: 10_000,
            cpu_before_ns: 100_000_000,
            ..Sample::default()
        };
        let text =
            "a call takes 60 us of CPU time, before it was 10 us, probation-max-slowdown is 5";
        assert_eq!(judged(0, slow), failed(text));
        assert_eq!(judged(0, Sample { cpu_before_ns: 120_000_000, ..slow }), Verdict::Pending);
        assert_eq!(judged(0, Sample { calls_before: 9_999, ..slow }), Verdict::Pending);
        assert_eq!(judged(0, Sample { calls: 9_999, ..slow }), Verdict::Pending);
        let drained = Sample { calls_unwatched: 1, ..slow };
        assert_eq!(judged(0, drained), Verdict::Pending, "calls beside a drain do not count");
        let fast = Sample { cpu_ns: 490_000_000, cpu_before_ns: 10_000_000, ..slow };
        assert_eq!(judged(0, fast), Verdict::Pending, "under 50 us nothing is slow");
    }
}
