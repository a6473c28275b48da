//! Latencies, sorted into those around a swap and those of the steady state.

use hdrhistogram::Histogram;

use super::control::Span;
use crate::clock::{MICROSECOND, SECOND};

/// So many latencies are kept until it is known whether a swap was near.
const KEEP: usize = 1 << 20;
/// A swap is known at the latest so long after it began.
const KNOWN_AFTER_NS: u64 = 5 * SECOND;

/// Kinds of swap that are told apart.
pub const MODES: [&str; 2] = ["warm", "fresh"];

/// One request: when it was scheduled, and when its reply was read.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When it was scheduled, nanoseconds.
    pub due_ns: u64,
    /// When its reply was read, nanoseconds.
    pub done_ns: u64,
}

/// Latencies of all requests, nanoseconds.
#[derive(Debug)]
pub struct Samples {
    /// Not sorted yet.
    pub pending: Vec<Sample>,
    window_ns: u64,
    /// Far from any swap.
    pub steady: Histogram<u64>,
    /// Near a swap, by mode.
    pub around: [Histogram<u64>; 2],
    /// Requests that were waiting for their reply when a swap began, by mode.
    pub in_flight: [u64; 2],
}

/// A few points of a distribution, microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Points {
    /// Half are below.
    pub p50: f64,
    /// 99 % are below.
    pub p99: f64,
    /// 99.9 % are below.
    pub p999: f64,
    /// The largest.
    pub max: f64,
    /// How many there are.
    pub count: u64,
}

impl Samples {
    /// Nothing yet. Requests less than `window_ns` from a swap count as around it.
    pub fn new(window_ns: u64) -> Self {
        Self {
            pending: Vec::new(),
            window_ns,
            steady: histogram(),
            around: [histogram(), histogram()],
            in_flight: [0; 2],
        }
    }

    /// Sorts what can be sorted by now, if there is much of it.
    pub fn settle(&mut self, spans: &[Span], now_ns: u64) {
        if self.pending.len() >= KEEP {
            self.sort(spans, now_ns.saturating_sub(KNOWN_AFTER_NS));
        }
    }

    /// Whether a call of [`Self::settle`] would do anything.
    pub fn is_full(&self) -> bool {
        self.pending.len() >= KEEP
    }

    /// Sorts all requests that were answered before a time.
    pub fn sort(&mut self, spans: &[Span], before_ns: u64) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.retain(|&sample| {
            let known = sample.done_ns < before_ns;
            if known {
                self.place(spans, sample);
            }
            !known
        });
        self.pending = pending;
    }

    fn place(&mut self, spans: &[Span], sample: Sample) {
        let Sample { due_ns, done_ns } = sample;
        let latency = done_ns.saturating_sub(due_ns);
        let first = spans.partition_point(|span| span.end_ns + self.window_ns < due_ns);
        match spans.get(first) {
            Some(span) if span.begin_ns.saturating_sub(self.window_ns) <= done_ns => {
                self.around[span.mode].saturating_record(latency);
                let waiting = due_ns <= span.begin_ns && done_ns >= span.begin_ns;
                self.in_flight[span.mode] += u64::from(waiting);
            }
            _ => self.steady.saturating_record(latency),
        }
    }
}

/// An empty histogram of nanoseconds.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 100 * SECOND, 3).expect("bounds in order")
}

impl Points {
    /// Of a histogram of nanoseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / MICROSECOND as f64;
        Self {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / MICROSECOND as f64,
            count: histogram.len(),
        }
    }

    /// Of microseconds.
    pub fn of_micros(values: &[f64]) -> Self {
        let mut histogram = histogram();
        for value in values {
            histogram.saturating_record((value * MICROSECOND as f64) as u64);
        }
        Self::of(&histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_near_a_swap_are_told_from_the_others() {
        let span = |mode, begin_ns| Span { mode, begin_ns, end_ns: begin_ns + 10 };
        let spans = [span(0, 1000), span(1, 2000)];
        let mut samples = Samples::new(100);
        for (due_ns, done_ns) in [(10, 20), (890, 899), (890, 900), (1005, 1006), (990, 1020)] {
            samples.pending.push(Sample { due_ns, done_ns });
        }
        for (due_ns, done_ns) in [(1110, 1111), (1111, 1112), (1500, 2500), (2111, 2112)] {
            samples.pending.push(Sample { due_ns, done_ns });
        }
        samples.sort(&spans, 2500);
        assert_eq!(samples.pending.len(), 1, "one is not known yet");
        samples.sort(&spans, u64::MAX);
        assert_eq!(samples.steady.len(), 4);
        assert_eq!(samples.around.each_ref().map(Histogram::len), [4, 1]);
        assert_eq!(samples.in_flight, [1, 1]);
    }
}
