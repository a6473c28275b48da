//! What the host tells those who watch it: health and metrics over HTTP, readiness to systemd.
//!
//! Watchers have a thread of their own. Facts come from the control thread, which answers at once also
//! while an engine is stuck; while it starts, and when it does not answer, that is what is told.

mod events;
mod health;
mod http;
mod loading;
mod metrics;
pub mod systemd;

use std::rc::Rc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::control::watchdog::Stuck;
use crate::control::{Control, Status};
use crate::engine::Counters;
pub use events::Events;
pub use health::UNHEALTHY_AFTER;
pub use http::start;
pub use loading::{AboveBar, Far, Loading, Starting, show};

/// How long the control thread may take to answer a watcher before it counts as gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// How far the host is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Loads plugins and data; nobody is served.
    Starting,
    /// Serves.
    Serving,
    /// Finishes what is owed.
    Stopping,
}

/// One server, as a watcher sees it.
#[derive(Debug)]
pub struct Seen {
    /// What `status` says.
    pub status: Status,
    /// The call that does not return, if there is one.
    pub stuck: Option<Stuck>,
}

type Question = oneshot::Sender<Vec<Seen>>;

/// What watchers look through, from any thread.
#[derive(Debug, Default)]
pub struct Window {
    phase: AtomicU8,
    control: OnceLock<mpsc::UnboundedSender<Question>>,
    /// Servers that have begun to start, in that order.
    loading: Mutex<Vec<Loading>>,
    /// What happened so far.
    pub events: Events,
}

impl Window {
    /// How far the host is.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            _ => Phase::Stopping,
        }
    }

    /// The host has come so far.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// A server has begun to start.
    pub fn begins(&self, server: &str, counters: &Arc<Counters>) {
        let loading = Loading { server: server.to_owned(), counters: Arc::clone(counters) };
        self.loading.lock().unwrap_or_else(PoisonError::into_inner).push(loading);
    }

    /// How far the servers that have begun to start are.
    pub fn far(&self) -> Vec<Far> {
        let loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        loading.iter().map(Far::of).collect()
    }

    /// What `status` says while the host starts; `None` afterwards.
    pub fn starting(&self) -> Option<Starting> {
        (self.phase() == Phase::Starting).then(|| Starting::new(self.far()))
    }

    /// Lets watchers see the servers of a control thread, from a task of it.
    pub fn open(&self, control: Rc<Control>) {
        let (ask, mut asked) = mpsc::unbounded_channel::<Question>();
        // Opened once: a host has one control thread.
        let _ = self.control.set(ask);
        tokio::task::spawn_local(async move {
            while let Some(answer) = asked.recv().await {
                // A watcher that went away needs no answer.
                let _ = answer.send(look(&control));
            }
        });
    }

    /// The servers; `None` when the control thread is not there or does not answer.
    async fn look(&self) -> Option<Vec<Seen>> {
        let (answer, hear) = oneshot::channel();
        self.control.get()?.send(answer).ok()?;
        tokio::time::timeout(PATIENCE, hear).await.ok()?.ok()
    }
}

/// All servers of a host.
pub fn look(control: &Control) -> Vec<Seen> {
    let seen = |server| Seen { status: control.status_of(server), stuck: server.stuck() };
    control.servers().iter().map(seen).collect()
}
