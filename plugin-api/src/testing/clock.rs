//! The clock and the random numbers of a test: they move when the test says so.

use std::cell::Cell;

/// Where every server's clock starts: 2023-11-14 22:13:20 UTC.
pub(super) const START_UNIX_MS: u64 = 1_700_000_000_000;
const START_MONOTONIC_NS: u64 = 1_000_000_000;
/// What each look at the monotonic clock inside a call costs, so that loops with a time budget end.
const LOOK_NS: u64 = 1_000;

thread_local! {
    static NOW: Cell<(u64, u64)> = const { Cell::new((START_UNIX_MS, START_MONOTONIC_NS)) };
    static RANDOM: Cell<u64> = const { Cell::new(0x5eed) };
}

/// The two clocks of one server.
#[derive(Debug)]
pub(super) struct Clock {
    pub unix_ms: u64,
    pub monotonic_ns: u64,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { unix_ms: START_UNIX_MS, monotonic_ns: START_MONOTONIC_NS }
    }

    /// Moves both clocks to a wall-clock time; never back.
    pub(super) fn move_to(&mut self, unix_ms: u64) {
        let ms = unix_ms.saturating_sub(self.unix_ms);
        self.unix_ms += ms;
        self.monotonic_ns += ms * 1_000_000;
    }

    /// Makes this the clock that [`unix_ms`] and [`monotonic_ns`] on this thread tell.
    pub(super) fn show(&self) {
        NOW.set((self.unix_ms, self.monotonic_ns));
    }
}

pub(super) extern "C" fn unix_ms() -> u64 {
    NOW.get().0
}

pub(super) extern "C" fn monotonic_ns() -> u64 {
    let (unix_ms, ns) = NOW.get();
    NOW.set((unix_ms, ns + LOOK_NS));
    ns
}

/// SplitMix64 per thread: the same numbers in every run of a test.
pub(super) extern "C" fn random() -> u64 {
    let state = RANDOM.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    RANDOM.set(state);
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
