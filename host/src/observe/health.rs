//! Whether the host is alive, and whether it should be given clients: pure functions of what is seen.

use std::time::Duration;

use super::Seen;
use crate::life::{Far, Phase};
use crate::time::short_duration;

/// A call of the plugin that takes longer than this makes the process unhealthy: nothing but a restart
/// helps then. Supervisors ask several times before they act.
pub const UNHEALTHY_AFTER: Duration = Duration::from_secs(10);

/// An answer to a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// 200 or 503.
    pub good: bool,
    /// One line per fact.
    pub lines: Vec<String>,
}

impl Health {
    fn new(good: bool, line: impl Into<String>) -> Self {
        Self { good, lines: vec![line.into()] }
    }
}

/// Liveness: whether a restart would help. `None`: the control thread does not answer.
pub fn alive(phase: Phase, seen: Option<&[Seen]>) -> Health {
    match (phase, seen) {
        (Phase::Starting, _) => Health::new(true, "starting"),
        (Phase::Stopping, _) => Health::new(true, "stopping"),
        (Phase::Serving, None) => Health::new(false, "the control thread does not answer"),
        (Phase::Serving, Some(seen)) => {
            let hangs = |seen: &Seen| {
                let stuck = seen.stuck.filter(|stuck| stuck.time >= UNHEALTHY_AFTER)?;
                Some(stuck_line(seen, &stuck))
            };
            let hanging: Vec<String> = seen.iter().filter_map(hangs).collect();
            match hanging.is_empty() {
                true => Health::new(true, "alive"),
                false => Health { good: false, lines: hanging },
            }
        }
    }
}

/// Readiness: whether new clients would be answered.
pub fn ready(phase: Phase, far: &[Far], seen: Option<&[Seen]>) -> Health {
    match (phase, seen) {
        (Phase::Starting, _) if far.is_empty() => Health::new(false, "starting"),
        (Phase::Starting, _) => Health { good: false, lines: far.iter().map(Far::line).collect() },
        (Phase::Stopping, _) => Health::new(false, "stopping"),
        (Phase::Serving, None) => Health::new(false, "the control thread does not answer"),
        (Phase::Serving, Some(seen)) => {
            let verdicts: Vec<(bool, String)> = seen.iter().map(of_server).collect();
            let good = verdicts.iter().all(|(good, _)| *good);
            Health { good, lines: verdicts.into_iter().map(|(_, line)| line).collect() }
        }
    }
}

fn of_server(seen: &Seen) -> (bool, String) {
    let name = &seen.status.server;
    if let Some(stuck) = seen.stuck {
        return (false, stuck_line(seen, &stuck));
    }
    match &seen.status.journal {
        Some(journal) if journal.state != "ok" => (false, format!("{name}: {}", journal.line())),
        _ => (true, format!("{name}: ready")),
    }
}

fn stuck_line(seen: &Seen, stuck: &crate::control::watchdog::Stuck) -> String {
    let time = short_duration(u64::try_from(stuck.time.as_nanos()).unwrap_or(u64::MAX));
    format!("{}: stuck in {}(), {time}", seen.status.server, stuck.function)
}
