//! Bringing one server up: which artifact it starts from, and what must be mapped to read its data.
//!
//! Without `--data` that is `--plugin`. With it, `--plugin` is the first start's artifact; from then on
//! the permanent one is, a copy of which lies in the folder. A start that does not come to its end is
//! counted, and after [`STARTS`] of them in a row the permanent artifact before is started from.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::config::{Live, ServerConfig};
use crate::control::{Job, Keeping, Loads, Looks, Memory, Server, Texts, unmap};
use crate::data::snapshot::Policy;
use crate::data::{Digest, Folder, Kept, Permanent, STARTS, Store};
use crate::engine::{self, Durable, EngineConfig};
use crate::error::{Code, Error, Result};
use crate::observe::Window;
use crate::registry::{Fresh, Registry};

/// Where servers may put files.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The folder of `--data`.
    pub data: Option<&'a Folder>,
    /// The folder of the admin socket.
    pub beside: &'a Path,
}

/// Brings a server up.
///
/// # Errors
/// The loader's refusals, `START`, `DATA`, `SCHEMA`, and the plugin's own.
pub async fn server(
    config: &ServerConfig,
    places: Places<'_>,
    loads: &Loads,
    stop: mpsc::UnboundedSender<()>,
    window: &Window,
) -> Result<Server> {
    let texts = Arc::new(config.config.clone());
    let start = Start { config, beside: places.beside, loads, texts, stop, window };
    match places.data {
        None => start.without_data().await,
        Some(folder) => start.with_data(folder.store(&config.name, config.fsync)?).await,
    }
}

struct Start<'a> {
    config: &'a ServerConfig,
    beside: &'a Path,
    loads: &'a Loads,
    texts: Texts,
    stop: mpsc::UnboundedSender<()>,
    window: &'a Window,
}

/// The count of failed starts, while one is under way. A start that is given up for a reason that is not
/// the artifact's does not count; one that the process does not survive does.
struct Attempt<'a> {
    store: &'a Store,
    /// How many failed before this one.
    failed: u32,
    /// What the count is to be.
    verdict: u32,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.store.note_starts(self.verdict) {
            tracing::error!(verb = "serve", "{error}");
        }
    }
}

impl Start<'_> {
    async fn without_data(self) -> Result<Server> {
        let fresh = self.load(self.config.plugin.clone(), 1).await?;
        self.run(Vec::new(), fresh, None, self.config.plugin.clone()).await
    }

    async fn with_data(self, store: Store) -> Result<Server> {
        self.remove_leftovers(&store);
        let mut permanent = store.permanent()?.unwrap_or_default();
        let live = self.live(&mut permanent);
        let store = Store { fsync: live.fsync, ..store };
        let failed = store.begin_start()?;
        let mut attempt = Attempt { store: &store, failed, verdict: failed };
        if failed >= STARTS {
            self.fall_back(&mut permanent, &mut attempt)?;
        }
        let outcome = self.go_on(&store, permanent, live.snapshots).await;
        attempt.verdict = match &outcome {
            Ok(_) => 0,
            Err(error) if matches!(error.code, Code::Start | Code::Data) => attempt.failed,
            Err(_) => attempt.failed + 1,
        };
        outcome
    }

    /// Files that a crash has left without their names mean nothing, and each may be as large as the state.
    fn remove_leftovers(&self, store: &Store) {
        match store.remove_leftovers() {
            Ok(0) => {}
            Ok(bytes) => {
                let server = &self.config.name;
                tracing::info!(
                    verb = "serve",
                    server,
                    bytes,
                    "removed what a crash left unfinished"
                );
            }
            Err(error) => {
                tracing::warn!(verb = "serve", "what a crash left unfinished stays: {error}")
            }
        }
    }

    /// What holds of what can be set at run time. What was set then goes before the configuration, unless
    /// nothing that was remembered counts.
    fn live(&self, permanent: &mut Permanent) -> Live {
        let configured = self.config.live();
        let mut live = configured;
        if self.config.ignore_permanent {
            permanent.settings.clear();
        }
        let server = &self.config.name;
        for (key, text) in &permanent.settings {
            match (live.set(key, text), configured.show(key)) {
                (Ok(()), Some(says)) if live.show(key).as_ref() != Some(&says) => tracing::info!(
                    verb = "serve",
                    server,
                    "{key} is {text}, as it was set at run time; the configuration says {says}, to \
                     which `set {key}` goes back"
                ),
                (Ok(()), _) => {}
                (Err(_), _) => tracing::warn!(
                    verb = "serve",
                    server,
                    "{key} was set to '{text}' at run time; this version has nothing like it"
                ),
            }
        }
        live
    }

    /// The permanent artifact before becomes the permanent one.
    fn fall_back(&self, permanent: &mut Permanent, attempt: &mut Attempt<'_>) -> Result<()> {
        if permanent.artifacts.len() < 2 || self.config.ignore_permanent {
            return Ok(());
        }
        let bad = permanent.artifacts.pop().expect("there are two");
        let good = permanent.last().expect("one is left");
        tracing::error!(
            verb = "serve",
            server = self.config.name,
            "{} starts in a row failed with {}: falling back to {}",
            attempt.failed,
            bad.title(),
            good.title()
        );
        attempt.failed = 0;
        attempt.store.remember(permanent)?;
        attempt.store.note_starts(1)
    }

    async fn go_on(
        &self,
        store: &Store,
        mut permanent: Permanent,
        policy: Policy,
    ) -> Result<Server> {
        let wrote = store.origins()?;
        let taken = wrote.iter().map(|origin| origin.generation + 1).max().unwrap_or(1);
        permanent.next_generation = permanent.next_generation.max(taken);
        let (before, fresh, from) = self.artifacts(store, &mut permanent).await?;
        let (artifacts, digest) = (store.artifacts(), fresh.callable.digest);
        if let Some(image) = &fresh.image {
            artifacts.keep(&digest, image.staged_path())?;
        }
        permanent.set(Kept::from(&fresh.artifact));
        permanent.next_generation = fresh.callable.generation + 1;
        let mut needed: BTreeSet<Digest> = permanent.digests().collect();
        let mut mapped: Vec<Digest> = before.iter().map(|one| one.callable.digest).collect();
        mapped.push(digest);
        let readers = self.readers(store, &wrote, &mapped).await;
        let all = readers.iter().chain(&before).map(|one| one.callable.clone()).collect();
        let (remember, set) = mpsc::unbounded_channel();
        let durable = Durable { store: store.clone(), readers: all, policy, remember };
        let keeping = Keeping {
            // It is written below, once the server is up.
            memory: Memory::new(store.clone(), permanent.clone()),
            configured: self.config.live(),
            set: RefCell::new(Some(set)),
        };
        let started = self.run(before, fresh, Some((durable, keeping)), from).await;
        for reader in readers {
            unmap(reader.image).await;
        }
        if started.is_ok() {
            store.remember(&permanent)?;
            needed.extend(wrote.iter().map(|origin| origin.digest));
            let cleaned = artifacts.retain(&needed);
            cleaned.map_err(|error| crate::data::cannot(&store.folder, &error))?;
        }
        started
    }

    /// The artifacts that were permanent before, the one to serve, and the file that it is from.
    async fn artifacts(
        &self,
        store: &Store,
        permanent: &mut Permanent,
    ) -> Result<(Vec<Fresh>, Fresh, PathBuf)> {
        let mut number = permanent.next_generation;
        let chosen = permanent.last().filter(|_| !self.config.ignore_permanent).cloned();
        let before = match &chosen {
            Some(_) => &permanent.artifacts[..permanent.artifacts.len() - 1],
            None => &permanent.artifacts[..],
        };
        let mut ways_back = Vec::new();
        for kept in before {
            match self.load_kept(store, kept, number).await {
                Ok(fresh) => {
                    ways_back.push(fresh);
                    number += 1;
                }
                Err(error) => tracing::warn!(
                    verb = "serve",
                    server = self.config.name,
                    "{} is no way back any more: {error}",
                    kept.title()
                ),
            }
        }
        let Some(chosen) = chosen else {
            let file = self.config.plugin.clone();
            let fresh = self.load(file.clone(), number).await?;
            return Ok((ways_back, fresh, file));
        };
        let fresh = self.load_kept(store, &chosen, number).await.map_err(|error| {
            let hint = format!(
                "{}; or --ignore-permanent, which starts from --plugin instead",
                error.hint
            );
            Error { hint, ..error }
        })?;
        let copy = store.artifacts().path(&fresh.callable.digest);
        tracing::info!(
            verb = "serve",
            server = self.config.name,
            from = %copy.display(),
            "starting from the permanent {}; --ignore-permanent would start from {}",
            chosen.title(),
            self.config.plugin.display()
        );
        Ok((ways_back, fresh, copy))
    }

    async fn load(&self, file: PathBuf, generation: u64) -> Result<Fresh> {
        let (config, cancel) = (self.texts.clone(), Arc::default());
        self.loads.load(Job { file, generation, config, cancel }).await
    }

    /// Loads a copy as what it was loaded from.
    async fn load_kept(&self, store: &Store, kept: &Kept, generation: u64) -> Result<Fresh> {
        let digest = kept.digest.parse().map_err(|why: String| {
            let message = format!("'{}' is no digest of an artifact", kept.digest);
            Error::new(Code::Data, message, why, "remove permanent.json, and start with --plugin")
        })?;
        let mut fresh = self.load(store.artifacts().path(&digest), generation).await?;
        if fresh.callable.digest != digest {
            let path = fresh.artifact.path.display().to_string();
            let detail = format!("it has digest {}, not {digest}", fresh.callable.digest);
            unmap(fresh.image).await;
            let message = format!("the copy '{path}' is damaged");
            let hint = format!("put '{}' there again", kept.path.display());
            return Err(Error::new(Code::Data, message, detail, hint));
        }
        fresh.artifact.path.clone_from(&kept.path);
        Ok(fresh)
    }

    /// The generations that wrote what is there, other than those that are mapped already. One whose
    /// code is gone is left out: the engine says what that means.
    async fn readers(
        &self,
        store: &Store,
        wrote: &[crate::data::Origin],
        mapped: &[Digest],
    ) -> Vec<Fresh> {
        let wanted: BTreeSet<Digest> = wrote.iter().map(|origin| origin.digest).collect();
        let mut readers = Vec::new();
        for digest in wanted.into_iter().filter(|digest| !mapped.contains(digest)) {
            match self.load(store.artifacts().path(&digest), 0).await {
                Ok(fresh) => readers.push(fresh),
                Err(error) => tracing::warn!(verb = "recover", "{error}"),
            }
        }
        readers
    }

    async fn run(
        &self,
        before: Vec<Fresh>,
        fresh: Fresh,
        kept: Option<(Durable, Keeping)>,
        started_from: PathBuf,
    ) -> Result<Server> {
        let config = self.config;
        // Without `--data` it is of this process alone, as the state is.
        let overtaken = match &kept {
            Some((durable, _)) => durable.store.folder.join("overtaken.jsonl"),
            None => {
                let process = std::process::id();
                self.beside.join(format!("{}-{process}.overtaken.jsonl", config.name))
            }
        };
        let (data, keeping) = kept.unzip();
        let engine_config = EngineConfig {
            name: config.name.clone(),
            listen: config.listen,
            limits: config.limits.clone(),
            plugin: config.config.clone(),
            data,
            overtaken: overtaken.clone(),
            stop: self.stop.clone(),
        };
        let (handle, starting) = engine::begin(engine_config, fresh.callable.clone())?;
        self.window.life.begins(&config.name, &handle.counters);
        starting.done().await?;
        Ok(Server {
            name: config.name.clone(),
            handle,
            limits: config.limits.clone(),
            config: self.texts.clone(),
            started_from,
            overtaken,
            keeping,
            looks: Looks::default(),
            registry: RefCell::new(Registry::resume(&config.name, before, fresh)),
            rules: config.rules.clone(),
            probation: RefCell::new(None),
            judged: RefCell::new(None),
            ways: RefCell::default(),
            events: self.window.events.clone(),
        })
    }
}
