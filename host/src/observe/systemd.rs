//! What a service manager hears (sd_notify(3)): readiness, a line of status, reloads, the end, and signs
//! of life for its watchdog. Without `NOTIFY_SOCKET` nothing is sent.

use std::rc::Rc;
use std::time::Duration;

use sd_notify::NotifyState;

use super::health;
use super::look;
use crate::control::Control;
use crate::life::Phase;

/// How often the line of status is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Tells the service manager; one that is not there hears nothing.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(verb = "systemd", %error, "the service manager does not listen");
    }
}

/// A start is under way: how far it is, and that it may take another minute from now on.
pub fn starting(line: &str) {
    const MINUTE_US: u32 = 60_000_000;
    tell(&[NotifyState::Status(line), NotifyState::ExtendTimeoutUsec(MINUTE_US)]);
}

/// All servers answer.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// SIGHUP was heard; [`ready`] tells the end of it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The host finishes what is owed.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Keeps the line of status fresh, and gives signs of life as long as the host is healthy: a call that
/// does not return is left to the manager's `WatchdogSec`.
pub async fn run(control: Rc<Control>) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let half = sd_notify::watchdog_enabled().map(|limit| limit / 2);
    let mut tick = tokio::time::interval(half.unwrap_or(LOOK).min(LOOK));
    let mut told = String::new();
    loop {
        tick.tick().await;
        let seen = look(&control);
        let healthy = health::alive(Phase::Serving, Some(&seen));
        if half.is_some() && healthy.good {
            tell(&[NotifyState::Watchdog]);
        }
        let lines = health::ready(Phase::Serving, &[], Some(&seen)).lines;
        let line: Vec<String> = seen
            .iter()
            .zip(lines)
            .map(|(seen, line)| format!("{line}, {}", seen.status.title()))
            .collect();
        let line = line.join("; ");
        if line != told {
            tell(&[NotifyState::Status(&line)]);
            told = line;
        }
    }
}
