//! What a server remembers beyond its process: the permanent artifact, copies of code, numbers.

use std::cell::RefCell;

use super::{Control, Server};
use crate::data::{Kept, Permanent, Store};
use crate::error::Result;
use crate::generation::Artifact;
use crate::registry::Fresh;

/// Where a server keeps its data, and what it is started from next.
#[derive(Debug)]
pub struct Keeping {
    /// Its folder.
    pub store: Store,
    /// What is on disk of [`Permanent`].
    pub permanent: RefCell<Permanent>,
}

impl From<&Artifact> for Kept {
    fn from(artifact: &Artifact) -> Self {
        let Artifact { digest, plugin, version, path, .. } = artifact.clone();
        Self { digest, plugin, version, path }
    }
}

impl Keeping {
    /// Changes what is remembered, and returns when that is on disk. A disk that fails is told in the
    /// log: what was done stands, and cannot be refused any more.
    async fn change(&self, change: impl FnOnce(&mut Permanent)) {
        let mut permanent = self.permanent.borrow().clone();
        change(&mut permanent);
        if permanent == *self.permanent.borrow() {
            return;
        }
        *self.permanent.borrow_mut() = permanent.clone();
        let store = self.store.clone();
        let written = tokio::task::spawn_blocking(move || store.remember(&permanent)).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(verb = "remember", "{error}"),
            Err(panic) => tracing::error!(verb = "remember", "{panic}"),
        }
    }
}

impl Control {
    /// Keeps a copy of a fresh generation's code, so that what it is going to write can be read back.
    pub(super) async fn keep_copy(&self, server: &Server, fresh: &Fresh) -> Result<()> {
        let (Some(keeping), Some(image)) = (&server.keeping, &fresh.image) else { return Ok(()) };
        let (artifacts, digest) = (keeping.store.artifacts(), fresh.callable.digest);
        let staged = image.staged_path().to_owned();
        super::loads::at_low_priority("keeper", move || artifacts.keep(&digest, &staged)).await?
    }
}

impl Server {
    /// Remembers that numbers of generations up to the registry's are taken.
    pub(super) async fn remember_numbers(&self) {
        let Some(keeping) = &self.keeping else { return };
        let next = self.registry.borrow().next_number();
        keeping.change(|permanent| permanent.next_generation = next).await;
    }

    /// A generation is good: it is what the next start starts from.
    pub(super) async fn make_permanent(&self, number: u64) {
        self.registry.borrow_mut().make_permanent(number);
        if let (Some(keeping), Some(kept)) = (&self.keeping, self.kept(number)) {
            keeping.change(|permanent| permanent.set(kept)).await;
        }
    }

    /// The engine has gone back to a generation: it is what the next start starts from.
    pub(super) async fn remember_rollback(&self, number: u64) {
        if let (Some(keeping), Some(kept)) = (&self.keeping, self.kept(number)) {
            keeping.change(|permanent| permanent.back_to(kept)).await;
        }
    }

    fn kept(&self, number: u64) -> Option<Kept> {
        self.registry.borrow().get(number).ok().map(|generation| Kept::from(&generation.artifact))
    }
}
