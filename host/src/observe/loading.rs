//! How far a start is: for `status`, `/readyz`, systemd, and a bar on a terminal.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde::Serialize;

use super::{Window, systemd};
use crate::engine::Counters;
use crate::render;

/// How often a bar moves.
const LOOK: Duration = Duration::from_millis(100);
/// Looks between two words to the service manager.
const LOOKS_PER_WORD: u32 = 10;

/// The bar that is on the terminal.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// The standard error stream, for lines that are not to be lost in a bar that is shown there.
#[derive(Debug, Clone, Copy)]
pub struct AboveBar;

impl Write for AboveBar {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let write = || io::stderr().write(bytes);
        match &*SHOWN.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A server whose data are read back.
#[derive(Debug, Clone)]
pub struct Loading {
    /// Its name.
    pub server: String,
    /// Its counters.
    pub counters: Arc<Counters>,
}

/// What `status` says while the host starts.
#[derive(Debug, Serialize)]
pub struct Starting {
    phase: &'static str,
    pid: u32,
    servers: Vec<Far>,
}

/// How far one server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Far {
    /// Its name.
    pub server: String,
    /// Bytes that were read back.
    pub loading_bytes: u64,
    /// Of so many.
    pub loading_of_bytes: u64,
}

impl Far {
    pub(super) fn of(loading: &Loading) -> Self {
        let of = Counters::get(&loading.counters.loading_of_bytes);
        let done = Counters::get(&loading.counters.loading_bytes).min(of);
        Self { server: loading.server.clone(), loading_bytes: done, loading_of_bytes: of }
    }

    /// `main: loading, 45 % of 1.20 GiB`.
    pub fn line(&self) -> String {
        let Self { server, loading_bytes: done, loading_of_bytes: of } = self;
        match (done * 100).checked_div(*of) {
            Some(percent) => format!("{server}: loading, {percent} % of {}", render::bytes(*of)),
            None => format!("{server}: loading"),
        }
    }
}

impl Starting {
    pub(super) fn new(servers: Vec<Far>) -> Self {
        Self { phase: "starting", pid: std::process::id(), servers }
    }

    /// One line per server, or that the first plugin is being loaded.
    pub fn lines(&self) -> Vec<String> {
        match self.servers.is_empty() {
            true => vec!["starting: loading the plugin".to_owned()],
            false => self.servers.iter().map(Far::line).collect(),
        }
    }
}

/// Shows how far the start is until it is dropped: on a terminal where one looks at, and to systemd.
pub async fn show(window: &Window, on_terminal: bool) -> std::convert::Infallible {
    let on_terminal = on_terminal && std::io::stderr().is_terminal();
    let bar = ProgressBar::with_draw_target(Some(0), target(on_terminal));
    bar.set_style(style());
    // Whatever ends the wait for this takes the bar away.
    let bar = Shown::new(bar);
    let mut tick = tokio::time::interval(LOOK);
    let mut looks = 0_u32;
    loop {
        tick.tick().await;
        let far = window.far();
        if let Some(last) = far.last().filter(|far| far.loading_of_bytes > 0) {
            bar.0.set_message(format!("{}: loading", last.server));
            bar.0.set_length(last.loading_of_bytes);
            bar.0.set_position(last.loading_bytes);
        }
        if looks.is_multiple_of(LOOKS_PER_WORD) {
            systemd::starting(&Starting::new(far).lines().join("; "));
        }
        looks = looks.wrapping_add(1);
    }
}

fn target(on_terminal: bool) -> ProgressDrawTarget {
    if on_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {bytes} of {total_bytes}{left}");
    let left = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // Before anything is read nobody knows.
        if state.pos() > 0 {
            // A bar has nobody to tell that it cannot be written.
            let _ = write!(out, ", {:#} left", HumanDuration(state.eta()));
        }
    };
    style.expect("the template is sound").progress_chars("=> ").with_key("left", left)
}

/// A bar, for as long as it is there.
struct Shown(ProgressBar);

impl Shown {
    fn new(bar: ProgressBar) -> Self {
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Self(bar)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.finish_and_clear();
    }
}
