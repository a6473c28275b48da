//! Medians and histograms, and measuring two sides by turns.

use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};

use crate::clock::SECOND;

/// An empty histogram of nanoseconds.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 100 * SECOND, 3).expect("bounds in order")
}

/// The median; the mean of both in the middle when there is an even number. NaN of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// Runs both sides `rounds` times, in changing order, after one run of each that does not count; the
/// medians of the times they answer, seconds.
pub fn by_turns(
    rounds: usize,
    mut ours: impl FnMut() -> Duration,
    mut peer: impl FnMut() -> Duration,
) -> (f64, f64) {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let _ = (ours(), peer());
    for round in 0..rounds {
        if round % 2 == 0 {
            a.push(ours().as_secs_f64());
            b.push(peer().as_secs_f64());
        } else {
            b.push(peer().as_secs_f64());
            a.push(ours().as_secs_f64());
        }
    }
    (median(a), median(b))
}

/// Processor time that some work takes on this thread, its page faults included: other processes
/// on the core do not count. What the work answers is dropped after the clock is read.
pub fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let now = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    };
    let start = now();
    let answer = std::hint::black_box(work());
    let elapsed = now().saturating_sub(start);
    drop(answer);
    elapsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }
}
