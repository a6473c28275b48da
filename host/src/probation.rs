//! Probation: the rules by which a new generation is judged on live traffic, and the judgement.
//!
//! Pure: numbers in, verdict out. The control thread feeds it and acts on it.

use std::time::Duration;

use serde::Serialize;

use crate::limits::WATCHDOG_PERIOD;

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
    /// How many times as much CPU time as before a call may take, on average; and how many times as long
    /// as it took before it may wait.
    pub max_slowdown: f64,
    /// How often the self-test looks at the live state.
    pub self_test_every: Duration,
    /// Most self-tests that may fail.
    pub max_self_tests: u64,
    /// Most defaults and conversions that may panic over a value.
    pub max_conversions: u64,
}

/// Calls that take less CPU time than this, on average, are never too slow. Nanoseconds.
const SLOW_FROM_NS: f64 = 50_000.0;
/// An average wants this many times the calls that a share wants: one slow request must not tip it.
const AVERAGE_CALLS: u64 = 100;
/// Calls that must have been found waiting before it is told how long a call waits.
const MIN_WAITS: u64 = 16;
/// What a look stands for that missed a wait of the generation before, nanoseconds.
const LOOK_NS: f64 = WATCHDOG_PERIOD.as_nanos() as f64;

impl Default for Rules {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            max_time: Duration::from_secs(300),
            min_calls: 100,
            max_panics: 2,
            max_failed_percent: 5.0,
            max_slowdown: 5.0,
            self_test_every: Duration::from_secs(1),
            max_self_tests: 0,
            max_conversions: 0,
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
    /// Turns of calls in which a look found the engine's thread asleep: in a lock, a file, a sleep.
    pub waits: u64,
    /// How long about it was asleep in them. A thread that has no processor is not.
    pub waited_ns: u64,
    pub waits_before: u64,
    pub waited_before_ns: u64,
    /// Defaults and conversions that panicked: what each was to make is set aside.
    pub conversions_panicked: u64,
    pub self_tests: u64,
    pub self_tests_failed: u64,
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
    /// It broke a rule.
    Failed(Broken),
}

/// A rule that a generation broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// One word for it: `panics`, `failed`, `slowdown`, `self-test`, `conversions`.
    pub rule: &'static str,
    /// The numbers that tipped it, and the limit.
    pub reason: String,
}

impl Sample {
    /// Calls whose time is known.
    fn watched(&self) -> u64 {
        self.calls.saturating_sub(self.calls_unwatched)
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

    fn broken(&self, sample: &Sample) -> Option<Broken> {
        let found = self.too_many(sample).or_else(|| self.too_large_a_share(sample));
        let slow = || self.too_much_work(sample).or_else(|| self.too_long_a_wait(sample));
        let (rule, reason) = found.or_else(|| Some(("slowdown", slow()?)))?;
        Some(Broken { rule, reason })
    }

    /// What counts from the first one on.
    fn too_many(&self, sample: &Sample) -> Option<(&'static str, String)> {
        let Sample { calls, panics, conversions_panicked: conversions, .. } = *sample;
        // The call that panicked last may not be counted yet.
        let calls = calls.max(panics);
        let Sample { self_tests, self_tests_failed: tests, .. } = *sample;
        if panics > self.max_panics {
            let most = self.max_panics;
            let reason =
                format!("{panics} of {calls} calls panicked, probation-max-panics is {most}");
            return Some(("panics", reason));
        }
        if conversions > self.max_conversions {
            let most = self.max_conversions;
            let reason = format!(
                "{conversions} conversions of values panicked, probation-max-conversions is {most}"
            );
            return Some(("conversions", reason));
        }
        if tests > self.max_self_tests {
            let most = self.max_self_tests;
            let reason = format!(
                "{tests} of {self_tests} self-tests failed, probation-max-self-tests is {most}"
            );
            return Some(("self-test", reason));
        }
        None
    }

    fn too_large_a_share(&self, sample: &Sample) -> Option<(&'static str, String)> {
        let Sample { calls, failed, .. } = *sample;
        if calls < self.min_calls {
            return None;
        }
        let (percent, most) = (failed as f64 * 100.0 / calls as f64, self.max_failed_percent);
        (percent > most).then(|| {
            let reason = format!(
                "{failed} of {calls} replies failed ({percent:.1} %), probation-max-failed is {most} %"
            );
            ("failed", reason)
        })
    }

    fn too_much_work(&self, sample: &Sample) -> Option<String> {
        let Sample { cpu_ns, calls_before, cpu_before_ns, .. } = *sample;
        let watched = sample.watched();
        if watched.min(calls_before) < self.min_calls * AVERAGE_CALLS {
            return None;
        }
        let now = cpu_ns as f64 / watched as f64;
        let before = cpu_before_ns as f64 / calls_before as f64;
        (now > SLOW_FROM_NS && now > before * self.max_slowdown).then(|| {
            let (now, before, most) = (now / 1e3, before / 1e3, self.max_slowdown);
            format!(
                "a call takes {now:.0} us of CPU time, before it was {before:.0} us, \
                 probation-max-slowdown is {most}"
            )
        })
    }

    /// What was seen by looking now and then can be chance. So the least that it can mean for the new
    /// generation is compared with the most that it can mean for the one before.
    fn too_long_a_wait(&self, sample: &Sample) -> Option<String> {
        let Sample { waits, waited_ns, calls_before, cpu_before_ns, .. } = *sample;
        let watched = sample.watched();
        if watched.min(calls_before) < self.min_calls.max(1) || waits < MIN_WAITS {
            return None;
        }
        let per_call = |ns: f64, calls: u64| ns / calls as f64;
        let least = per_call(waited_ns as f64 * (1.0 - 3.0 / (waits as f64).sqrt()), watched);
        let missed = (7.0 + 3.0 * (sample.waits_before as f64).sqrt()) * LOOK_NS;
        let before_ns = (cpu_before_ns + sample.waited_before_ns) as f64;
        let most_before = per_call(before_ns + missed, calls_before);
        (least > SLOW_FROM_NS && least > most_before * self.max_slowdown).then(|| {
            let now = per_call(waited_ns as f64, watched) / 1e3;
            let before = per_call(before_ns, calls_before) / 1e3;
            let most = self.max_slowdown;
            format!(
                "a call waits for {now:.0} us, {waits} were found waiting, before it took \
                 {before:.0} us in all, probation-max-slowdown is {most}"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(seconds: u64, sample: Sample) -> Verdict {
        Rules::default().judge(Duration::from_secs(seconds), &sample)
    }

    fn failed(rule: &'static str, reason: &str) -> Verdict {
        Verdict::Failed(Broken { rule, reason: reason.to_owned() })
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
        assert_eq!(
            judged(0, three),
            failed("panics", "3 of 10 calls panicked, probation-max-panics is 2")
        );
    }

    #[test]
    fn one_conversion_that_panics_is_one_too_many() {
        let one = Sample { conversions_panicked: 1, ..Sample::default() };
        let text = "1 conversions of values panicked, probation-max-conversions is 0";
        assert_eq!(judged(0, one), failed("conversions", text));
        let lenient = Rules { max_conversions: 1, ..Rules::default() };
        assert_eq!(lenient.judge(Duration::ZERO, &one), Verdict::Pending);
    }

    #[test]
    fn one_self_test_that_fails_is_one_too_many() {
        let one = Sample { self_tests: 4, self_tests_failed: 1, ..Sample::default() };
        let text = "1 of 4 self-tests failed, probation-max-self-tests is 0";
        assert_eq!(judged(0, one), failed("self-test", text));
        let lenient = Rules { max_self_tests: 1, ..Rules::default() };
        assert_eq!(lenient.judge(Duration::ZERO, &one), Verdict::Pending);
    }

    #[test]
    fn failed_replies_need_a_sample() {
        let few = Sample { calls: 99, failed: 99, ..Sample::default() };
        assert_eq!(judged(0, few), Verdict::Pending);
        let enough = Sample { calls: 100, failed: 6, ..Sample::default() };
        let text = "6 of 100 replies failed (6.0 %), probation-max-failed is 5 %";
        assert_eq!(judged(0, enough), failed("failed", text));
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
        assert_eq!(judged(0, slow), failed("slowdown", text));
        assert_eq!(judged(0, Sample { cpu_before_ns: 120_000_000, ..slow }), Verdict::Pending);
        assert_eq!(judged(0, Sample { calls_before: 9_999, ..slow }), Verdict::Pending);
        assert_eq!(judged(0, Sample { calls: 9_999, ..slow }), Verdict::Pending);
        let drained = Sample { calls_unwatched: 1, ..slow };
        assert_eq!(judged(0, drained), Verdict::Pending, "calls beside a drain do not count");
        let fast = Sample { cpu_ns: 490_000_000, cpu_before_ns: 10_000_000, ..slow };
        assert_eq!(judged(0, fast), Verdict::Pending, "under 50 us nothing is slow");
    }

    #[test]
    fn waits_are_judged_against_all_that_a_call_took_before() {
        let waits = Sample {
            calls: 100,
            waits: 100,
            waited_ns: 500_000_000,
            calls_before: 10_000,
            cpu_before_ns: 100_000_000,
            ..Sample::default()
        };
        let text = "a call waits for 5000 us, 100 were found waiting, before it took 10 us in all, \
                    probation-max-slowdown is 5";
        assert_eq!(judged(0, waits), failed("slowdown", text));
        assert_eq!(judged(0, Sample { calls: 99, ..waits }), Verdict::Pending);
        assert_eq!(judged(0, Sample { calls_before: 99, ..waits }), Verdict::Pending);
        let once = Sample { waits: 15, ..waits };
        assert_eq!(judged(0, once), Verdict::Pending, "a few long calls do not tip it");
        let rare = Sample { waits: 16, waited_ns: 16_000_000, ..waits };
        assert_eq!(judged(0, rare), Verdict::Pending, "so little may be chance");
        let unseen = Sample { calls_before: 900, ..waits };
        assert_eq!(
            judged(0, unseen),
            Verdict::Pending,
            "what waited before may not have been seen"
        );
        let as_before = Sample { waits_before: 100, waited_before_ns: 10_000_000_000, ..waits };
        assert_eq!(judged(0, as_before), Verdict::Pending);
        let short = Sample { calls: 10_000, ..waits };
        assert_eq!(judged(0, short), Verdict::Pending, "under 50 us nothing is slow");
        let drained = Sample { calls_unwatched: 1, ..waits };
        assert_eq!(judged(0, drained), Verdict::Pending, "calls beside a drain do not count");
    }
}
