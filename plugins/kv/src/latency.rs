//! Events that took long: LATENCY (`latency.c`).

use hotshell_plugin_api::collections::{Bytes, VecDeque};
use hotshell_plugin_api::state;

use crate::sparkline;
use crate::state::State;

/// Samples that are kept of an event.
const SAMPLES: usize = 160;

/// What is remembered of one event, such as `command`.
#[state]
#[derive(Debug)]
pub struct Spikes {
    /// The longest since the last reset, milliseconds.
    pub max_ms: u64,
    /// The last ones, oldest first.
    pub samples: VecDeque<Sample>,
}

/// The longest of one second.
#[state]
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When, seconds since the Unix epoch.
    pub time_s: u64,
    /// How long, milliseconds.
    pub ms: u64,
}

/// Remembers an event if it took at least as long as the threshold.
pub fn note(state: &mut State, event: &str, ns: u64, now_ms: u64) {
    let (ms, threshold) = (ns / 1_000_000, state.settings.latency_ms);
    if threshold == 0 || ms < threshold {
        return;
    }
    let spikes = state.latency.entry(Bytes::from(event.as_bytes())).or_default();
    let time_s = now_ms / 1000;
    spikes.max_ms = spikes.max_ms.max(ms);
    match spikes.samples.back_mut() {
        Some(last) if last.time_s == time_s => last.ms = last.ms.max(ms),
        _ => {
            if spikes.samples.len() == SAMPLES {
                spikes.samples.pop_front();
            }
            spikes.samples.push_back(Sample { time_s, ms });
        }
    }
}

/// The samples of an event as LATENCY GRAPH draws them: oldest first, each with how long it was ago.
pub fn picture(event: &str, spikes: &Spikes, now_s: u64) -> String {
    let all = spikes.samples.iter().map(|sample| sample.ms);
    let (low, high) = (all.clone().min().unwrap_or(0), all.max().unwrap_or(0));
    let samples = spikes.samples.iter();
    let samples = samples.map(|sample| (sample.ms, age(now_s.saturating_sub(sample.time_s))));
    let samples: Vec<(u64, String)> = samples.collect();
    let (line, picture) = ("-".repeat(sparkline::COLUMNS), sparkline::draw(&samples));
    format!(
        "{event} - high {high} ms, low {low} ms (all time high {} ms)\n{line}\n{picture}",
        spikes.max_ms
    )
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
