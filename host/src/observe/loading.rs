//! How far a start is, on a terminal as a bar, and to systemd.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::systemd;
use crate::life::{Life, Starting};

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

/// Shows how far the start is until it is dropped: on a terminal where one looks at, and to systemd.
pub async fn show(life: &Life, on_terminal: bool) -> std::convert::Infallible {
    let on_terminal = on_terminal && std::io::stderr().is_terminal();
    let bar = ProgressBar::with_draw_target(Some(0), target(on_terminal));
    bar.set_style(style());
    // Whatever ends the wait for this takes the bar away.
    let bar = Shown::new(bar);
    let mut tick = tokio::time::interval(LOOK);
    let mut looks = 0_u32;
    loop {
        tick.tick().await;
        let far = life.far();
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
