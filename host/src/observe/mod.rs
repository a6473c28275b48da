//! What the host tells those who watch it: health and metrics over HTTP, readiness to systemd.
//!
//! Watchers have a thread of their own. Facts come from the control thread, which answers at once also
//! while an engine is stuck; while it starts, and when it does not answer, that is what is told.

mod health;
mod http;
mod loading;
mod metrics;
pub mod systemd;

use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::control::watchdog::Stuck;
use crate::control::{Control, Status};
use crate::events::Events;
use crate::life::Life;
pub use health::UNHEALTHY_AFTER;
pub use http::start;
pub use loading::{AboveBar, show};

/// How long the control thread may take to answer a watcher before it counts as gone.
const PATIENCE: Duration = Duration::from_secs(2);

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
    /// How far the host is.
    pub life: Arc<Life>,
    control: OnceLock<mpsc::UnboundedSender<Question>>,
    /// What happened so far.
    pub events: Events,
}

impl Window {
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
