//! The way up with data on disk: read back what is there, each part with the code that wrote it, then
//! go over to the generation that is to serve.
//!
//! Invariant: a start ends with the state of all that is on disk under the generation that was asked
//! for, or not at all. What that one cannot hold is set aside, as in any switch.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hotshell_plugin_api::migrate::change::Change;
use tokio::sync::{mpsc, oneshot};

use super::core::Server;
use super::handle::{Counters, Switch};
use super::journal::Journal;
use super::migrate::{Ready, version};
use super::snapshot::Snapshots;
use crate::data::snapshot::Policy;
use crate::data::{Origin, Replay, Store, Writer};
use crate::error::{Code, Error, Result};
use crate::generation::{Callable, ReplayFn};
use crate::time::monotonic_ns;

/// What an engine needs to keep its data, and to read back what is there.
#[derive(Debug)]
pub struct Durable {
    /// Where they lie.
    pub store: Store,
    /// The generations that wrote what is there, as far as their code can be had.
    pub readers: Vec<Callable>,
    /// When snapshots are taken.
    pub policy: Policy,
    /// Hears what the plugin sets at run time.
    pub remember: mpsc::UnboundedSender<Set>,
}

/// A key of [`Live`](crate::config::Live) and its new value, as text.
#[derive(Debug)]
pub struct Set {
    /// The key of the configuration.
    pub key: String,
    /// Its value, which holds already.
    pub text: String,
    /// The value before: what holds again if the disk does not take the new one.
    pub before: String,
    /// Is told when it is on disk, or with which error number (errno) that failed and it was taken back.
    pub on_disk: oneshot::Sender<std::result::Result<(), u32>>,
}

impl Durable {
    /// The code that reads what `origin` wrote: its own; or that which is going to serve, if both have
    /// the same schema.
    fn reader(&self, origin: &Origin, serves: &Callable) -> Result<Callable> {
        let own = |callable: &&Callable| callable.digest == origin.digest;
        if let Some(own) = [serves].into_iter().chain(&self.readers).find(own) {
            return Ok(own.clone());
        }
        if serves.shape.schema.fingerprint != origin.fingerprint {
            return Err(no_reader(&self.store, origin));
        }
        tracing::warn!(
            verb = "recover",
            generation = origin.generation,
            "the artifact that wrote a part of the data is gone: {} {} reads it",
            serves.plugin,
            serves.version
        );
        Ok(serves.clone())
    }

    /// The generation that the state is made with: the one that wrote the first of what is there.
    pub(super) fn first(&self, serves: &Callable) -> Result<Callable> {
        let origins = self.store.origins()?;
        origins.first().map_or(Ok(serves.clone()), |origin| self.reader(origin, serves))
    }
}

/// A start that reads back.
struct Recovering<'a> {
    server: &'a Server,
    durable: &'a Durable,
    serves: &'a Callable,
    replay: Option<ReplayFn>,
    /// Where others see how far it is.
    counters: Arc<Counters>,
    /// Why what follows cannot be read; no matter while nothing follows.
    gone: Option<Error>,
}

/// Makes the state out of what is on disk, and goes on with the journal. Before the first client; the
/// server's active generation is [`Durable::first`].
pub(super) fn recover(server: &Server, durable: &Durable, serves: &Callable) -> Result<()> {
    let began = monotonic_ns();
    let counters = Arc::clone(&server.core.borrow().counters);
    counters.loading_of_bytes.store(durable.store.bytes(), Ordering::Relaxed);
    let snapshot = durable.store.snapshot()?;
    let taken_ms = snapshot.as_ref().map_or(0, |snapshot| snapshot.head.taken_ms);
    let from = match snapshot {
        None => server.init().map(|()| 0)?,
        Some(snapshot) => super::restore::restore(server, snapshot)?,
    };
    let replay = server.core.borrow().active.replay();
    let mut recovering = Recovering { server, durable, serves, replay, counters, gone: None };
    server.core.borrow_mut().overtaken.repeat(true);
    let found = durable.store.recover(from, &mut recovering)?;
    server.core.borrow_mut().overtaken.repeat(false);
    let last = server.core.borrow().active.clone();
    let wrote = durable.store.origins()?.last().map_or(0, |origin| origin.generation);
    recovering.go_to(serves)?;
    let took_ms = (monotonic_ns() - began) / 1_000_000;
    let (records, bytes) = (found.records, found.bytes);
    tracing::info!(
        verb = "recover",
        server = server.name,
        records,
        bytes,
        took_ms,
        "the journal was read back"
    );
    let writer = Writer::start(&durable.store, found.position, serves.origin())?;
    let mut journal = Journal::new(writer, found.position);
    if last.digest != serves.digest {
        tracing::warn!(
            verb = "recover",
            server = server.name,
            "the state was taken from {} {}, generation {wrote}, to {} {}, which is to serve",
            last.plugin,
            last.version,
            serves.plugin,
            serves.version
        );
        journal.tell_use("start");
    }
    if serves.replay().is_none() {
        tracing::info!(
            verb = "recover",
            server = server.name,
            "this plugin keeps no journal: what a crash leaves is the last snapshot"
        );
    }
    let core = &mut *server.core.borrow_mut();
    core.journal = Some(journal);
    core.snapshots = Some(Snapshots::new(durable.store.clone(), durable.policy, taken_ms));
    core.remember = Some(durable.remember.clone());
    core.replays = serves.replay().is_some();
    Ok(())
}

impl Recovering<'_> {
    /// Repeats a switch through its plan, to the end of its drain.
    fn go_to(&mut self, to: &Callable) -> Result<()> {
        let change = {
            let active = &self.server.core.borrow().active;
            if active.digest == to.digest {
                return Ok(());
            }
            Change::between(&version(active), &version(to)).map_err(|refused| {
                let [from, to] = [active, to].map(|c| format!("{} {}", c.plugin, c.version));
                no_way(&from, &to, &refused.path)
            })?
        };
        let plan = Arc::clone(&change.plan);
        let switch = Switch { to: to.clone(), plan, allow_stop: true, dry_run: false };
        let ready = {
            let core = &mut *self.server.core.borrow_mut();
            let mut ready = Ready::new(core, switch);
            while ready.read_on(core) {}
            ready
        };
        self.server.take_over(ready)?;
        while self.server.drain_slice() {}
        self.replay = to.replay();
        Ok(())
    }
}

impl Replay for Recovering<'_> {
    fn origin(&mut self, origin: &Origin) -> Result<()> {
        self.gone = None;
        match self.durable.reader(origin, self.serves) {
            Ok(reader) => self.go_to(&reader),
            Err(gone) => {
                self.gone = Some(gone);
                Ok(())
            }
        }
    }

    fn record(&mut self, record: &[u8]) -> Result<()> {
        if let Some(gone) = self.gone.take() {
            return Err(gone);
        }
        match self.replay {
            Some(replay) => {
                let counters = &self.counters;
                Counters::add(&counters.loading_bytes, record.len() as u64);
                self.server.replay(replay, record)
            }
            None => Err(Error::new(
                Code::Data,
                "the data cannot be read back",
                "there is a journal, and this plugin keeps none",
                "start with the plugin that wrote it",
            )),
        }
    }
}

#[cold]
fn no_reader(store: &Store, origin: &Origin) -> Error {
    let path = store.artifacts().path(&origin.digest);
    Error::new(
        Code::Data,
        format!("the data were written by generation {}, whose code is gone", origin.generation),
        format!(
            "'{}' cannot be loaded, and the state of what is to be started has another shape",
            path.display()
        ),
        "put that artifact back; or start with a version whose state has the same shape \
         (--plugin FILE --ignore-permanent)",
    )
}

#[cold]
fn no_way(from: &str, to: &str, path: &str) -> Error {
    Error::new(
        Code::Schema,
        format!("{to} cannot take over the state of {from}, which is on disk"),
        format!("{path} has no way between the two"),
        format!("start with {from}, or with a version that knows the way from it"),
    )
}
