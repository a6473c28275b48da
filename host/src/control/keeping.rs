//! What a server remembers beyond its process: the permanent artifact, copies of code, numbers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Control, Server};
use crate::config::Live;
use crate::data::{Digest, Kept, Permanent, Store, cannot};
use crate::engine::Set;
use crate::error::{Code, Error, Result};
use crate::generation::Artifact;
use crate::registry::Fresh;

/// Between two tries to write what is to be remembered to a disk that did not take it.
const AGAIN: Duration = Duration::from_secs(2);

/// Where a server keeps its data, and what it is started from next.
#[derive(Debug)]
pub struct Keeping {
    /// What outlives the process.
    pub memory: Rc<Memory>,
    /// What the configuration says of what can be set at run time.
    pub configured: Live,
    /// What the plugin sets; taken by who listens.
    pub set: RefCell<Option<UnboundedReceiver<Set>>>,
}

/// [`Permanent`], here and on disk.
#[derive(Debug)]
pub struct Memory {
    /// The server's folder.
    pub store: Store,
    permanent: RefCell<Permanent>,
    /// What is on disk of it. Held while it is written: whoever comes second has the newer one.
    on_disk: Mutex<Permanent>,
    /// It is tried again until the disk takes it.
    trying: Cell<bool>,
}

/// A key that can be set while a server runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct Setting {
    pub server: String,
    pub key: &'static str,
    /// What holds.
    pub value: String,
    /// What the configuration says.
    pub configured: String,
    /// Whether it was set at run time.
    pub set: bool,
}

impl Setting {
    /// `fsync is always, set at run time; the configuration says everysec`.
    pub fn line(&self) -> String {
        let Self { key, value, configured, .. } = self;
        match self.set {
            true => {
                format!("{key} is {value}, set at run time; the configuration says {configured}")
            }
            false => format!("{key} is {value}, as the configuration says"),
        }
    }
}

impl From<&Artifact> for Kept {
    fn from(artifact: &Artifact) -> Self {
        let Artifact { digest, plugin, version, path, .. } = artifact.clone();
        Self { digest, plugin, version, path }
    }
}

impl Memory {
    /// What is on disk already.
    pub fn new(store: Store, permanent: Permanent) -> Rc<Self> {
        let (on_disk, permanent) = (Mutex::new(permanent.clone()), RefCell::new(permanent));
        Rc::new(Self { store, permanent, on_disk, trying: Cell::new(false) })
    }

    /// Changes what is remembered, and returns when that is on disk. A disk that fails is told in the
    /// log, and asked again until it takes it: what was done stands, and cannot be refused any more.
    async fn change(self: &Rc<Self>, change: impl FnOnce(&mut Permanent)) {
        change(&mut self.permanent.borrow_mut());
        let Err(error) = self.write().await else { return };
        let error = cannot(&self.store.permanent_path(), &error);
        tracing::error!(verb = "remember", "{error}; it is tried again until it is on disk");
        self.write_later();
    }

    /// Sets a key of [`Live`], or takes it back (`None`), and returns when that is on disk.
    ///
    /// # Errors
    /// What the system says; nothing is changed then, here or on disk.
    async fn set(self: &Rc<Self>, key: &str, text: Option<&str>) -> io::Result<()> {
        let before = self.put(key, text);
        let Err(error) = self.write().await else { return Ok(()) };
        self.put(key, before.as_deref());
        if *self.on_disk.lock().await != *self.permanent.borrow() {
            self.write_later();
        }
        Err(error)
    }

    /// Answers what was set before.
    fn put(&self, key: &str, text: Option<&str>) -> Option<String> {
        let settings = &mut self.permanent.borrow_mut().settings;
        match text {
            Some(text) => settings.insert(key.to_owned(), text.to_owned()),
            None => settings.remove(key),
        }
    }

    /// Returns when what is remembered now is on disk.
    async fn write(&self) -> io::Result<()> {
        let mut on_disk = self.on_disk.lock().await;
        let wanted = self.permanent.borrow().clone();
        if *on_disk != wanted {
            let (store, permanent) = (self.store.clone(), wanted.clone());
            let write = move || store.write_permanent(&permanent);
            let written = tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?;
            if let Err(error) = written {
                // It may have failed behind the rename.
                *on_disk = self.store.permanent().ok().flatten().unwrap_or_default();
                return Err(error);
            }
            *on_disk = wanted;
        }
        Ok(())
    }

    /// Writes what is remembered, however often the disk must be asked.
    fn write_later(self: &Rc<Self>) {
        if !self.trying.replace(true) {
            tokio::task::spawn_local(Rc::clone(self).write_in_the_end());
        }
    }

    async fn write_in_the_end(self: Rc<Self>) {
        loop {
            tokio::time::sleep(AGAIN).await;
            if self.write().await.is_ok() {
                break;
            }
        }
        self.trying.set(false);
        tracing::warn!(verb = "remember", "what the next start starts from is on disk");
    }

    /// Digests of the artifacts that are needed, whatever the next start finds on disk.
    fn digests(&self) -> Result<BTreeSet<Digest>> {
        let mut needed: BTreeSet<Digest> = self.permanent.borrow().digests().collect();
        needed.extend(self.store.permanent()?.unwrap_or_default().digests());
        needed.extend(self.store.origins()?.iter().map(|origin| origin.digest));
        Ok(needed)
    }
}

impl Control {
    /// Keeps a copy of a fresh generation's code, so that what it is going to write can be read back. Those
    /// that nothing needs any more make room for it.
    pub(super) async fn keep_copy(&self, server: &Server, fresh: &Fresh) -> Result<()> {
        let (Some(keeping), Some(image)) = (&server.keeping, &fresh.image) else { return Ok(()) };
        let memory = &keeping.memory;
        let (artifacts, digest) = (memory.store.artifacts(), fresh.callable.digest);
        let mut needed = memory.digests();
        if let Ok(needed) = &mut needed {
            needed.insert(digest);
            needed.extend(server.registry.borrow().digests());
        }
        let staged = image.staged_path().to_owned();
        super::loads::at_low_priority("keeper", move || {
            // Files come and go while it is looked at: the next load looks again.
            let cleaned = needed.map(|needed| artifacts.retain(&needed));
            if let Ok(Err(error)) = cleaned {
                tracing::warn!(verb = "load", "copies that nothing needs stay: {error}");
            }
            artifacts.keep(&digest, &staged)
        })
        .await?
    }
}

/// Listens to what plugins set, and remembers it.
pub fn listen(control: &Rc<Control>) {
    for (at, server) in control.servers().iter().enumerate() {
        let set = server.keeping.as_ref().and_then(|keeping| keeping.set.borrow_mut().take());
        let Some(mut set) = set else { continue };
        let control = Rc::clone(control);
        tokio::task::spawn_local(async move {
            while let Some(set) = set.recv().await {
                control.servers()[at].remember_set(set).await;
            }
        });
    }
}

impl Server {
    /// Remembers what the plugin has set; where the disk does not take it, it is taken back.
    async fn remember_set(&self, Set { key, text, before, on_disk }: Set) {
        let Some(keeping) = &self.keeping else { return };
        tracing::info!(verb = "set", server = self.name, by = "the plugin", "{key} {text}");
        let done = match keeping.memory.set(&key, Some(&text)).await {
            Ok(()) => Ok(()),
            Err(error) => {
                // Gone only when the host is stopping.
                let _ = self.handle.set(&key, &before).await;
                let refused = keeping.not_set(&key, Some(&text), &before, &error);
                tracing::error!(verb = "set", server = self.name, by = "the plugin", "{refused}");
                Err(error.raw_os_error().unwrap_or(libc::EIO) as u32)
            }
        };
        // Nobody waits when no client asked, or the host is stopping.
        let _ = on_disk.send(done);
    }
}

impl Control {
    /// What can be set of a server while it runs: all of it, or one key, after setting it.
    ///
    /// # Errors
    /// `CONFIG`: no such key, no such value. `DATA`: the data are in memory only, or the disk does not
    /// take it. Nothing is changed then.
    pub async fn set(
        &self,
        server: &Server,
        key: Option<&str>,
        text: Option<&str>,
    ) -> Result<Vec<Setting>> {
        let keeping = server.keeping.as_ref().ok_or_else(in_memory)?;
        let Some(key) = key else { return Ok(keeping.settings(server)) };
        let back = keeping.configured.show(key).ok_or_else(|| unknown(key))?;
        let row = |setting: &Setting| setting.key == key;
        let before = keeping.settings(server).into_iter().find(row).map(|found| found.value);
        let set = server.handle.set(key, text.unwrap_or(&back)).await?;
        set.map_err(|_| wrong(key, text.unwrap_or_default()))?;
        if let Err(error) = keeping.memory.set(key, text).await {
            let before = before.unwrap_or(back);
            _ = server.handle.set(key, &before).await?;
            return Err(keeping.not_set(key, text, &before, &error));
        }
        Ok(keeping.settings(server).into_iter().filter(row).collect())
    }
}

impl Keeping {
    /// Every key that can be set while the server runs.
    fn settings(&self, server: &Server) -> Vec<Setting> {
        let permanent = self.memory.permanent.borrow();
        let one = |key: &'static str| {
            let configured = self.configured.show(key).unwrap_or_default();
            let set = permanent.settings.get(key);
            let value = set.unwrap_or(&configured).clone();
            Setting { server: server.name.clone(), key, value, configured, set: set.is_some() }
        };
        Live::KEYS.into_iter().map(one).collect()
    }

    #[cold]
    fn not_set(&self, key: &str, text: Option<&str>, before: &str, error: &io::Error) -> Error {
        let path = self.memory.store.permanent_path();
        let what = match text {
            Some(text) => format!("{key} = '{text}' was not set"),
            None => format!("{key} was not taken back"),
        };
        Error::new(
            Code::Data,
            format!("{what}: it is {before}, as before"),
            format!("'{}' cannot be written: {error}", path.display()),
            "make room on that file system, or look at the disk; then set it again",
        )
    }
}

#[cold]
fn unknown(key: &str) -> Error {
    Error::new(
        Code::Config,
        format!("'{key}' cannot be set while the server runs"),
        format!("these can: {}", Live::KEYS.join(", ")),
        "change it in the configuration, and restart the host",
    )
}

#[cold]
fn wrong(key: &str, text: &str) -> Error {
    let expected = match key {
        "fsync" => "it must be always, everysec or no",
        "snapshot-every" => "it must be a duration, as in 500ms, 900s or 15m; 0 switches it off",
        _ => "it must be a number; 0 switches it off",
    };
    let text: String = text.chars().take(80).collect();
    let what = format!("{key} = '{text}' is refused");
    Error::new(Code::Config, what, expected, "ask `help set`; nothing was changed")
}

#[cold]
fn in_memory() -> Error {
    let why = "this host keeps its data in memory only";
    Error::new(Code::Data, "there is nothing to set", why, "start it with --data DIR")
}

impl Server {
    /// What was set at run time, by key of the configuration.
    pub(super) fn set_at_run_time(&self) -> std::collections::BTreeMap<String, String> {
        let keeping = self.keeping.as_ref();
        keeping.map_or_else(Default::default, |keeping| {
            keeping.memory.permanent.borrow().settings.clone()
        })
    }

    /// Remembers that numbers of generations up to the registry's are taken.
    pub(super) async fn remember_numbers(&self) {
        let Some(keeping) = &self.keeping else { return };
        let next = self.registry.borrow().next_number();
        keeping.memory.change(|permanent| permanent.next_generation = next).await;
    }

    /// A generation is good: it is what the next start starts from.
    pub(super) async fn make_permanent(&self, number: u64) {
        self.registry.borrow_mut().make_permanent(number);
        if let (Some(keeping), Some(kept)) = (&self.keeping, self.kept(number)) {
            keeping.memory.change(|permanent| permanent.set(kept)).await;
        }
    }

    /// The engine has gone back to a generation: it is what the next start starts from.
    pub(super) async fn remember_rollback(&self, number: u64) {
        if let (Some(keeping), Some(kept)) = (&self.keeping, self.kept(number)) {
            keeping.memory.change(|permanent| permanent.back_to(kept)).await;
        }
    }

    fn kept(&self, number: u64) -> Option<Kept> {
        self.registry.borrow().get(number).ok().map(|generation| Kept::from(&generation.artifact))
    }
}
