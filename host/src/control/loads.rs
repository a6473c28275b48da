//! Slow work on threads of its own, at low priority: loading, checking, unmapping.
//!
//! A thread per piece of work, ended with it: thread-locals that a plugin's constructors leave
//! behind go with their thread, so they do not keep the image mapped.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::oneshot;

use super::report::Checked;
use crate::error::{Code, Error, Result};
use crate::loader::{Image, Loader, Retained, Target, Unmapping};
use crate::registry::Fresh;

/// Texts that a server's configuration holds for its plugin.
pub type Texts = Arc<BTreeMap<String, String>>;

/// A file on its way to a server.
#[derive(Debug, Clone)]
pub struct Job {
    /// The file.
    pub file: PathBuf,
    /// The number it gets as a generation; 0 when it is only looked at.
    pub generation: u64,
    /// The server's texts for its plugin.
    pub config: Texts,
    /// Rises when nobody wants it any more.
    pub cancel: Arc<AtomicBool>,
}

type Load = dyn Fn(&Job) -> Result<Fresh> + Send + Sync;
type Check = dyn Fn(&Job) -> Result<Checked> + Send + Sync;

/// How artifacts become generations: the loader, or what a test puts in its place.
#[derive(Clone)]
pub struct Loads {
    load: Arc<Load>,
    check: Arc<Check>,
}

impl fmt::Debug for Loads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Loads")
    }
}

impl Loads {
    /// Loads with these two functions, which may block.
    pub fn new(
        load: impl Fn(&Job) -> Result<Fresh> + Send + Sync + 'static,
        check: impl Fn(&Job) -> Result<Checked> + Send + Sync + 'static,
    ) -> Self {
        Self { load: Arc::new(load), check: Arc::new(check) }
    }

    /// Loads with the loader. The control thread compares names and schemas by itself.
    pub fn from_loader(loader: Loader) -> Self {
        let loader = Arc::new(loader);
        let checker = loader.clone();
        let load = move |job: &Job| {
            let loaded = loader.load_for(&job.file, &job.target(), &job.cancel)?;
            let (artifact, callable) = (loaded.artifact, loaded.callable);
            Ok(Fresh { artifact, callable, image: Some(loaded.image) })
        };
        Self::new(load, move |job| {
            let checked = checker.check_for(&job.file, &job.target())?;
            Ok(Checked::from(checked))
        })
    }

    /// Maps an artifact as a generation.
    ///
    /// # Errors
    /// The loader's refusals.
    pub async fn load(&self, job: Job) -> Result<Fresh> {
        let load = self.load.clone();
        at_low_priority("loader", move || load(&job)).await?
    }

    /// Looks at an artifact.
    ///
    /// # Errors
    /// The loader's refusals.
    pub async fn check(&self, job: Job) -> Result<Checked> {
        let check = self.check.clone();
        at_low_priority("checker", move || check(&job)).await?
    }
}

impl Job {
    fn target(&self) -> Target<'_> {
        Target { generation: self.generation, config: Some(&self.config) }
    }
}

/// Unmaps an image that nothing can reach any more; answers why it stayed, if it did.
pub async fn unmap(image: Option<Image>) -> Option<Retained> {
    let image = image?;
    match at_low_priority("unmapper", move || image.unmap()).await {
        Ok(Unmapping::Unmapped) => None,
        Ok(Unmapping::Retained(retained)) => Some(retained),
        Err(error) => Some(Retained::because(error.to_string())),
    }
}

/// Runs blocking work on a thread of its own, at low priority.
///
/// # Errors
/// `INTERNAL` when the thread cannot be made, or the work panics.
pub async fn at_low_priority<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let (answer, hear) = oneshot::channel();
    let body = move || {
        crate::priority::give_way();
        let _ = answer.send(work());
    };
    let failed = |detail: String| {
        let message = format!("the {name} thread failed");
        Error::new(Code::Internal, message, detail, "look at the host's log; nothing changed")
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.map_err(|error| failed(error.to_string()))?;
    hear.await.map_err(|_| failed("it panicked".to_owned()))
}
