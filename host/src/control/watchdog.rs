//! The watchdog: names a call of a plugin that does not return.
//!
//! Nothing on an engine's thread can be interrupted, so it only tells, and where the admin wants that
//! unattended, ends the process.

use std::rc::Rc;
use std::time::Duration;

use super::{Control, Server};
use crate::engine::{CALL_KINDS, Counters, stack};
use crate::error::{Code, Error, Result};
use crate::limits::{STUCK_AFTER, WATCHDOG_PERIOD};
use crate::time::monotonic_ns;
use crate::time::short_duration;

/// A call that has not returned for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck {
    /// Which function of the plugin.
    pub function: &'static str,
    /// Since when, on the monotonic clock; tells one call from the next.
    pub since_ns: u64,
    /// For how long.
    pub time: Duration,
}

impl Server {
    /// The call that does not return, if there is one.
    pub fn stuck(&self) -> Option<Stuck> {
        let since_ns = Counters::get(&self.handle.counters.call_since_ns);
        if since_ns == 0 {
            return None;
        }
        let time = Duration::from_nanos(monotonic_ns().saturating_sub(since_ns));
        let kind = Counters::get(&self.handle.counters.call_kind) as usize;
        let function = CALL_KINDS.get(kind).unwrap_or(&"unknown");
        (time >= STUCK_AFTER).then_some(Stuck { function, since_ns, time })
    }

    fn stuck_text(&self, stuck: &Stuck) -> String {
        let generation = Counters::get(&self.handle.counters.generation);
        let time = short_duration(u64::try_from(stuck.time.as_nanos()).unwrap_or(u64::MAX));
        format!("stuck in {}() of generation {generation}, {time}", stuck.function)
    }
}

/// Refuses what the engine could not do now: `switch`, `run a command`.
///
/// # Errors
/// `STUCK`, with what a restart will load.
pub fn not_stuck(server: &Server, what: &str) -> Result<()> {
    let Some(stuck) = server.stuck() else { return Ok(()) };
    let (name, from) = (&server.name, server.started_from.display());
    Err(Error::new(
        Code::Stuck,
        format!("server '{name}' cannot {what} now"),
        format!(
            "its engine is {}; a running call cannot be interrupted",
            server.stuck_text(&stuck)
        ),
        format!(
            "wait, or `kill -9 {}` and start again, which loads '{from}' \
             (--stuck-abort does it unattended)",
            std::process::id()
        ),
    ))
}

/// Watches all servers for as long as the host runs.
pub async fn run(control: Rc<Control>, abort_after: Option<Duration>) {
    let mut told: Vec<Option<Told>> = control.servers().iter().map(|_| None).collect();
    let mut look = tokio::time::interval(WATCHDOG_PERIOD);
    loop {
        look.tick().await;
        for (server, told) in control.servers().iter().zip(&mut told) {
            server.look_for_waits();
            look_at(server, told, abort_after).await;
        }
    }
}

/// What was told of a call last.
#[derive(Debug)]
struct Told {
    since_ns: u64,
    time: Duration,
    frames: Vec<String>,
}

/// Tells once per call, and again whenever its time has doubled: then the stack only if it is another.
async fn look_at(server: &Server, told: &mut Option<Told>, abort: Option<Duration>) {
    let name = server.name.as_str();
    let Some(stuck) = server.stuck() else {
        if told.take().is_some() {
            tracing::warn!(verb = "engine", server = name, "the call returned");
        }
        return;
    };
    let known = told.take().filter(|told| told.since_ns == stuck.since_ns);
    *told = match known {
        Some(known) if stuck.time < known.time * 2 => Some(known),
        known => Some(tell(server, &stuck, known.map(|known| known.frames)).await),
    };
    if abort.is_some_and(|limit| stuck.time >= limit) {
        let text = server.stuck_text(&stuck);
        tracing::error!(
            verb = "engine",
            server = name,
            "{text}: ending the process (--stuck-abort)"
        );
        std::process::abort();
    }
}

async fn tell(server: &Server, stuck: &Stuck, known: Option<Vec<String>>) -> Told {
    let (name, text) = (server.name.as_str(), server.stuck_text(stuck));
    tracing::error!(verb = "engine", server = name, "{text}");
    let thread = Counters::get(&server.handle.counters.thread);
    let frames = tokio::task::spawn_blocking(move || stack::of_thread(thread)).await;
    let frames = frames.unwrap_or_default();
    if known.as_ref() == Some(&frames) {
        tracing::error!(verb = "engine", server = name, "    the stack is as it was");
    } else {
        for frame in &frames {
            tracing::error!(verb = "engine", server = name, "    {frame}");
        }
    }
    Told { since_ns: stuck.since_ns, time: stuck.time, frames }
}
