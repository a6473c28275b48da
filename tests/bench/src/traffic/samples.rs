//! Latencies, sorted into those around a swap and those of the steady state.

use std::collections::VecDeque;

use hdrhistogram::Histogram;

use super::control::{Control, Swap};
use crate::clock::{MICROSECOND, SECOND, Span};
use crate::machine::{Latencies, Pauses};
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

/// Latencies of all requests.
#[derive(Debug)]
pub struct Samples {
    /// Not sorted yet, in the order in which they were read.
    pending: VecDeque<Span>,
    /// What was known at `asked_ns`.
    swaps: Vec<Swap>,
    pauses: Pauses,
    asked_ns: u64,
    window_ns: u64,
    /// Far from any swap.
    pub steady: Latencies,
    /// Near a swap, by mode.
    pub around: [Latencies; 2],
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
            steady: Latencies::new(),
            around: [Latencies::new(), Latencies::new()],
            in_flight: [0; 2],
        }
    }

    /// Takes a request, from its schedule to its reply, which must not be read before the last one.
    pub fn push(&mut self, request: Span) {
        self.pending.push_back(request);
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
        let known = known.take_while(|request| request.end_ns < before_ns).count();
        for _ in 0..known {
            let request = self.pending.pop_front().expect("it was counted");
            self.place(request);
        }
    }

    /// Sorts all that are left, once the last swap is over.
    pub fn settle_all(&mut self, control: &Control) {
        self.ask(control);
        while let Some(request) = self.pending.pop_front() {
            self.place(request);
        }
    }

    fn ask(&mut self, control: &Control) {
        self.swaps = control.swaps();
        self.pauses = control.machine().pauses();
    }

    fn place(&mut self, request: Span) {
        let Span { begin_ns: due_ns, end_ns: done_ns } = request;
        let swaps = &self.swaps;
        let first = swaps.partition_point(|swap| swap.span.end_ns + self.window_ns < due_ns);
        let near = swaps.get(first);
        let near = near.filter(|s| s.span.begin_ns.saturating_sub(self.window_ns) <= done_ns);
        let latencies = match near {
            Some(swap) => {
                let waiting = due_ns <= swap.span.begin_ns && done_ns >= swap.span.begin_ns;
                self.in_flight[swap.mode] += u64::from(waiting);
                &mut self.around[swap.mode]
            }
            None => &mut self.steady,
        };
        latencies.record(request, &self.pauses);
    }

    /// All kinds.
    pub fn latencies(&self) -> impl Iterator<Item = &Latencies> {
        [&self.steady].into_iter().chain(&self.around)
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

    fn all(samples: &Samples) -> u64 {
        samples.latencies().map(|latencies| latencies.all.len()).sum()
    }

    fn undisturbed(samples: &Samples) -> u64 {
        samples.latencies().map(|latencies| latencies.undisturbed.len()).sum()
    }

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
            samples.push(Span { begin_ns: due_ns, end_ns: done_ns });
        }
        for (due_ns, done_ns) in [(1110, 1111), (1111, 1112), (1500, 2500), (2111, 2112)] {
            samples.push(Span { begin_ns: due_ns, end_ns: done_ns });
        }
        samples.settle_all(&swaps(&[(0, 1000), (1, 2000)]));
        assert_eq!(samples.steady.all.len(), 4);
        assert_eq!(samples.around.each_ref().map(|around| around.all.len()), [4, 1]);
        assert_eq!(samples.in_flight, [1, 1]);
        assert_eq!(undisturbed(&samples), 9);
    }

    #[test]
    fn a_latency_waits_until_the_swaps_near_it_are_known_and_few_are_sorted_at_once() {
        let control = swaps(&[(0, 1000)]);
        let mut samples = Samples::new(100);
        for done_ns in 0..SORT_MOST as u64 + 5 {
            samples.push(Span { begin_ns: 0, end_ns: done_ns });
        }
        samples.settle(&control, KNOWN_AFTER_NS);
        assert_eq!(all(&samples), 0, "a swap may still be under way");
        samples.settle(&control, KNOWN_AFTER_NS + ASK_EVERY_NS);
        assert_eq!(all(&samples), SORT_MOST as u64);
        samples.settle(&control, KNOWN_AFTER_NS + ASK_EVERY_NS);
        assert_eq!(all(&samples), SORT_MOST as u64 + 5);
    }

    #[test]
    fn requests_during_a_pause_and_as_long_after_it_are_disturbed() {
        let control = swaps(&[(0, 5000)]);
        control.machine().tell(Span { begin_ns: 100, end_ns: 200 });
        let mut samples = Samples::new(10);
        for (due_ns, done_ns) in [(90, 99), (90, 100), (300, 310), (301, 310)] {
            samples.push(Span { begin_ns: due_ns, end_ns: done_ns });
        }
        samples.settle_all(&control);
        assert_eq!(all(&samples), 4);
        assert_eq!(undisturbed(&samples), 2);
    }
}
