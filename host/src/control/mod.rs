//! The control thread: owns the registries of all servers and does what admins ask.
//!
//! One OS thread, one current-thread runtime, no locks: whatever changes a list runs here. Slow
//! work (loading, unmapping) goes to threads of its own and comes back here to be recorded. The
//! engines are asked through their handles, and `list` and `status` answer from the registry and
//! from published counters, so they answer while an engine is stuck or a load runs.

mod asked;
mod discard;
mod gate;
mod keeping;
mod loads;
mod probation;
mod report;
mod standing;
mod swap;
#[cfg(test)]
pub(crate) mod tests;
mod waits;
pub mod watchdog;

use std::cell::{OnceCell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::engine::EngineHandle;
use crate::error::{Code, Error, Result};
use crate::events::Events;
use crate::life::{Life, Phase, Starting};
use crate::limits::Limits;
use crate::migration::{Version, Ways};
use crate::probation::Rules;
use crate::registry::Registry;
pub use asked::Asked;
pub use gate::{Gate, Work};
pub use keeping::{Keeping, Memory, Setting, listen};
pub use loads::{Job, Loads, Texts, unmap};
pub use probation::{Judged, Running, Watched};
pub use report::{Checked, Discarded, Loaded, Swapped};
pub use standing::{JournalStatus, Listed, Status};
pub use waits::Looks;

/// One server, as the control thread knows it.
#[derive(Debug)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Its engine.
    pub handle: EngineHandle,
    /// Its limits.
    pub limits: Limits,
    /// Texts for its plugin.
    pub config: Texts,
    /// The file it was started from: the one that was asked for, or the copy of the permanent one.
    pub started_from: PathBuf,
    /// The file for what was set aside and cannot return.
    pub overtaken: PathBuf,
    /// What is remembered of it on disk, if its data are kept.
    pub keeping: Option<Keeping>,
    /// The last look whether its calls wait.
    pub looks: Looks,
    /// Its generations.
    pub registry: RefCell<Registry>,
    /// How new generations are judged.
    pub rules: Rules,
    /// The generation that is being judged.
    pub probation: RefCell<Option<Running>>,
    /// The last verdict.
    pub judged: RefCell<Option<Judged>>,
    /// The ways between its generations that were asked for last.
    pub ways: RefCell<Ways>,
    /// Where what happens to it is counted.
    pub events: Events,
}

impl Server {
    /// What serves now, for comparing an artifact with it.
    pub fn serving(&self) -> Version {
        let registry = self.registry.borrow();
        let active = registry.active();
        let callable = registry.callable(active.number).expect("the active generation is warm");
        Version {
            title: active.title(),
            plugin: active.artifact.plugin.clone(),
            shape: callable.shape,
        }
    }
}

/// The host: its servers and what may be done to them. Control thread only.
#[derive(Debug)]
pub struct Control {
    /// Empty while the host starts.
    servers: OnceCell<Vec<Server>>,
    /// How far the start is.
    life: Arc<Life>,
    gate: Gate,
    loads: Loads,
    started: Timestamp,
    stop: mpsc::UnboundedSender<()>,
}

impl Control {
    /// A host that starts; `stop` rings when an admin asks for `shutdown`.
    pub fn new(life: Arc<Life>, loads: Loads, stop: mpsc::UnboundedSender<()>) -> Rc<Self> {
        let (servers, gate) = (OnceCell::new(), Gate::default());
        Rc::new(Self { servers, life, gate, loads, started: Timestamp::now(), stop })
    }

    /// The start has come to its end: these are the servers.
    ///
    /// # Panics
    /// When it had come to its end before.
    pub fn serve(&self, servers: Vec<Server>) {
        assert!(self.servers.set(servers).is_ok(), "a host starts once");
        self.life.enter(Phase::Serving);
    }

    /// How far the start is; `None` when it has come to its end.
    pub fn starting(&self) -> Option<Starting> {
        self.life.starting()
    }

    /// Refuses what a host that starts cannot do yet.
    ///
    /// # Errors
    /// `BUSY`, with how far it is.
    pub fn has_started(&self) -> Result<()> {
        let Some(starting) = self.starting() else { return Ok(()) };
        let hint = "`status` shows how far it is; ask again when it serves";
        Err(Error::new(Code::Busy, "the host is starting", starting.lines().join(", "), hint))
    }

    /// Looks at an artifact as a load into a server would, up to mapping it.
    ///
    /// # Errors
    /// The loader's refusals.
    pub async fn check(&self, file: PathBuf, server: Option<&Server>) -> Result<Checked> {
        let config = server.map(|server| server.config.clone()).unwrap_or_default();
        let job = Job { file, generation: 0, config, cancel: Arc::default() };
        self.loads.check(job).await
    }

    /// All servers, in the order of the configuration.
    pub fn servers(&self) -> &[Server] {
        self.servers.get().map_or(&[], Vec::as_slice)
    }

    /// Work that is under way may end, new clients of the control thread hear of the end.
    pub fn cancel_loads(&self, by: &str) {
        self.gate.cancel_all(by);
    }

    /// Asks for a graceful stop of the whole host.
    pub fn ask_stop(&self) {
        // Fails only when the stop is under way already.
        let _ = self.stop.send(());
    }

    /// The server with this name, or the only one.
    ///
    /// # Errors
    /// `SERVER`, with the names there are.
    pub fn server(&self, name: Option<&str>) -> Result<&Server> {
        self.has_started()?;
        let servers = self.servers();
        let names: Vec<&str> = servers.iter().map(|s| s.name.as_str()).collect();
        let there = format!("this host runs {}", names.join(", "));
        match name {
            Some(name) => servers.iter().find(|s| s.name == name).ok_or_else(|| {
                let message = format!("there is no server '{name}'");
                Error::new(Code::Server, message, there, "pass one of these names to --server")
            }),
            None if servers.len() == 1 => Ok(&servers[0]),
            None => Err(Error::new(
                Code::Server,
                "the server must be named",
                there,
                "pass one of these names to --server",
            )),
        }
    }
}
