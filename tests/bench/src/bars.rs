//! Every bar, with its name, in one file.

use std::fmt;

use serde::Serialize;

/// What a figure must be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bar {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

use Bar::{AtLeast, AtMost};

/// Connections closed, replies wrong, missing or doubled: by any number of swaps.
pub const LOST: Bar = AtMost(0.0);
/// The longest stop of 99 % of the swaps, microseconds.
pub const STOP_P99_US: Bar = AtMost(50.0);
/// The stop of half of the swaps, microseconds.
pub const STOP_P50_US: Bar = AtMost(20.0);
/// The longest stop of all, microseconds: a preemption of the engine's thread may fall into one.
pub const STOP_MAX_US: Bar = AtMost(1_000.0);
/// A client's p99.9 in the windows around swaps, against the steady state.
pub const CLIENT_P999_RATIO: Bar = AtMost(1.5);
/// Part of the time for which the engine is on a CPU in the steady state: above it, what is measured
/// is the wait for a CPU that engine, loader and clients share.
pub const ENGINE_BUSY: Bar = AtMost(0.5);
/// `use`, microseconds.
pub const USE_US: Bar = AtMost(1_000.0);
/// `load`, milliseconds.
pub const LOAD_MS: Bar = AtMost(50.0);
/// Resident memory at the end against that after ten swaps.
pub const RSS_RATIO: Bar = AtMost(1.1);
/// Requests per second without pipelining, against the peer.
pub const RPS_P1: Bar = AtLeast(1.0);
/// Requests per second with pipelining, against the peer.
pub const RPS_PIPELINED: Bar = AtLeast(1.5);
/// CPU time per request, against the peer.
pub const CPU: Bar = AtMost(1.0);
/// Instructions per request of a loaded plugin, against the same one linked statically.
pub const BOUNDARY: Bar = AtMost(1.01);
/// Instructions of an operation on a map at rest, against the same one in a map that cannot drain.
pub const STEADY: Bar = AtMost(1.02);
/// Entries that change their shape per second, while clients are served.
pub const DRAIN: Bar = AtLeast(1_000_000.0);
/// Most memory while entries change their shape, against the larger of before and after.
pub const DRAIN_MEMORY: Bar = AtMost(1.15);
/// From the panic that crosses the limit to the first answer of the version before, milliseconds.
pub const BACK_MS: Bar = AtMost(10.0);
/// Until a call that does not return is named with its stack, seconds.
pub const NAMED_S: Bar = AtMost(1.0);
/// Requests per second with a journal, against the peer with its own.
pub const JOURNAL_RPS: Bar = AtLeast(1.0);
/// From the start until the first answer, against the peer.
pub const START: Bar = AtMost(1.0);
/// The longest stop of a snapshot, microseconds.
pub const SNAPSHOT_STOP_US: Bar = AtMost(1000.0);
/// Requests per second during a snapshot, against steady state.
pub const SNAPSHOT_RPS: Bar = AtLeast(0.9);
/// Peak memory of a snapshot, against that before it.
pub const SNAPSHOT_MEMORY: Bar = AtMost(1.15);
/// What `everysec` may lose: a second and a bit.
pub const EVERYSEC_LOST_S: Bar = AtMost(1.5);
/// Speed of a collection against its peer.
pub const COLLECTION: Bar = AtLeast(0.9);
/// The worst single insert of a growing map against its peer's.
pub const WORST_INSERT: Bar = AtMost(1.0);

/// Resident bytes per key, against the peer.
pub const MEMORY: Bar = AtMost(1.0);
/// The longest time in which nobody is answered, milliseconds, beyond the peer's.
pub const STOP_BEYOND_PEER_MS: Bar = AtMost(1.0);

impl Bar {
    /// Whether a figure is on the right side. One that is not a number is not.
    pub fn holds(self, measured: f64) -> bool {
        match self {
            AtLeast(limit) => measured >= limit,
            AtMost(limit) => measured <= limit,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AtLeast(limit) => write!(f, ">= {limit}"),
            AtMost(limit) => write!(f, "<= {limit}"),
        }
    }
}
