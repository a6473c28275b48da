//! Latencies, sorted into those around a swap and those of the steady state; once all of them, and once
//! without those that met a pause of the machine.

use std::collections::VecDeque;

use hdrhistogram::Histogram;

use super::control::{Control, Swap};
use crate::clock::{MICROSECOND, SECOND, Span};
use crate::machine::Pauses;
use crate::median::histogram;

/// A swap is known at the latest so long after it began.
const KNOWN_AFTER_NS: u64 = 5 * SECOND;
/// The known swaps are asked for so often.
const ASK_EVERY_NS: u64 = SECOND;
/// Most latencies that one call sorts: whoever measures must not pause for it.
const SORT_MOST: usize = 64;
/// Room for the latencies of [`KNOWN_AFTER_NS`], so that their queue hardly ever grows.
const ROOM: usize = 1 << 20;

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

/// Latencies by what was near, nanoseconds.
#[derive(Debug)]
pub struct Latencies {
    /// Far from any swap.
    pub steady: Histogram<u64>,
    /// Near a swap, by mode.
    pub around: [Histogram<u64>; 2],
}

/// Latencies of all requests.
#[derive(Debug)]
pub struct Samples {
    /// Not sorted yet, in the order in which they were read.
    pending: VecDeque<Sample>,
    /// What was known at `asked_ns`.
    swaps: Vec<Swap>,
    pauses: Pauses,
    asked_ns: u64,
    window_ns: u64,
    /// All of them.
    pub all: Latencies,
    /// Those of requests during which no processor paused.
    pub undisturbed: Latencies,
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
            pending: VecDeque::with_capacity(ROOM),
            swaps: Vec::new(),
            pauses: Pauses::default(),
            asked_ns: 0,
            window_ns,
            all: Latencies::new(),
            undisturbed: Latencies::new(),
            in_flight: [0; 2],
        }
    }

    /// Takes a latency, which must not be read before the last one.
    pub fn push(&mut self, sample: Sample) {
        self.pending.push_back(sample);
    }

    /// Sorts a few of the latencies of which it is known by now what was near. O(1), but for a copy of
    /// the events once a second.
    pub fn settle(&mut self, control: &Control, now_ns: u64) {
        if self.asked_ns + ASK_EVERY_NS <= now_ns {
            self.ask(control);
            self.asked_ns = now_ns;
        }
        let before_ns = self.asked_ns.saturating_sub(KNOWN_AFTER_NS);
        let known = self.pending.iter().take(SORT_MOST);
        let known = known.take_while(|sample| sample.done_ns < before_ns).count();
        for _ in 0..known {
            let sample = self.pending.pop_front().expect("it was counted");
            self.place(sample);
        }
    }

    /// Sorts all that are left, once the last swap is over.
    pub fn settle_all(&mut self, control: &Control) {
        self.ask(control);
        while let Some(sample) = self.pending.pop_front() {
            self.place(sample);
        }
    }

    fn ask(&mut self, control: &Control) {
        self.swaps = control.swaps();
        self.pauses = control.machine().pauses();
    }

    fn place(&mut self, sample: Sample) {
        let Sample { due_ns, done_ns } = sample;
        let swaps = &self.swaps;
        let first = swaps.partition_point(|swap| swap.span.end_ns + self.window_ns < due_ns);
        let near = swaps.get(first);
        let near = near.filter(|s| s.span.begin_ns.saturating_sub(self.window_ns) <= done_ns);
        if let Some(swap) = near {
            let waiting = due_ns <= swap.span.begin_ns && done_ns >= swap.span.begin_ns;
            self.in_flight[swap.mode] += u64::from(waiting);
        }
        let mode = near.map(|swap| swap.mode);
        self.all.record(mode, sample);
        if !self.pauses.met(Span { begin_ns: due_ns, end_ns: done_ns }) {
            self.undisturbed.record(mode, sample);
        }
    }
}

impl Latencies {
    fn new() -> Self {
        Self { steady: histogram(), around: [histogram(), histogram()] }
    }

    fn record(&mut self, mode: Option<usize>, Sample { due_ns, done_ns }: Sample) {
        let histogram = mode.map_or(&mut self.steady, |mode| &mut self.around[mode]);
        histogram.saturating_record(done_ns.saturating_sub(due_ns));
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.steady.len() + self.around.iter().map(Histogram::len).sum::<u64>()
    }
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

    /// Swaps at times in nanoseconds, each of them 10 long.
    fn swaps(begins: &[(usize, u64)]) -> Control {
        let control = Control::default();
        for &(mode, begin_ns) in begins {
            control.swapped(Swap { mode, span: Span { begin_ns, end_ns: begin_ns + 10 } });
        }
        control
    }

    #[test]
    fn requests_near_a_swap_are_told_from_the_others() {
        let mut samples = Samples::new(100);
        for (due_ns, done_ns) in [(10, 20), (890, 899), (890, 900), (1005, 1006), (990, 1020)] {
            samples.push(Sample { due_ns, done_ns });
        }
        for (due_ns, done_ns) in [(1110, 1111), (1111, 1112), (1500, 2500), (2111, 2112)] {
            samples.push(Sample { due_ns, done_ns });
        }
        samples.settle_all(&swaps(&[(0, 1000), (1, 2000)]));
        assert_eq!(samples.all.steady.len(), 4);
        assert_eq!(samples.all.around.each_ref().map(Histogram::len), [4, 1]);
        assert_eq!(samples.in_flight, [1, 1]);
        assert_eq!(samples.undisturbed.count(), 9);
    }

    #[test]
    fn a_latency_waits_until_the_swaps_near_it_are_known_and_few_are_sorted_at_once() {
        let control = swaps(&[(0, 1000)]);
        let mut samples = Samples::new(100);
        for done_ns in 0..SORT_MOST as u64 + 5 {
            samples.push(Sample { due_ns: 0, done_ns });
        }
        samples.settle(&control, KNOWN_AFTER_NS);
        assert_eq!(samples.all.count(), 0, "a swap may still be under way");
        samples.settle(&control, KNOWN_AFTER_NS + ASK_EVERY_NS);
        assert_eq!(samples.all.count(), SORT_MOST as u64);
        samples.settle(&control, KNOWN_AFTER_NS + ASK_EVERY_NS);
        assert_eq!(samples.all.count(), SORT_MOST as u64 + 5);
    }

    #[test]
    fn requests_during_a_pause_and_as_long_after_it_are_disturbed() {
        let control = swaps(&[(0, 5000)]);
        control.machine().tell(Span { begin_ns: 100, end_ns: 200 });
        let mut samples = Samples::new(10);
        for (due_ns, done_ns) in [(90, 99), (90, 100), (300, 310), (301, 310)] {
            samples.push(Sample { due_ns, done_ns });
        }
        samples.settle_all(&control);
        assert_eq!(samples.all.count(), 4);
        assert_eq!(samples.undisturbed.count(), 2);
    }
}
