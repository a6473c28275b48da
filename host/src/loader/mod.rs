//! The loader: from a path to an image that an engine may call.
//!
//! Runs on any thread but an engine's. A load that fails leaves nothing behind: no mapping, no
//! file, no process, no descriptor.

#[cfg(test)]
#[path = "../../../tests/src/artifacts.rs"]
mod artifacts;
mod elf;
mod fetch;
mod handshake;
mod heap;
mod image;
mod inspect;
mod map;
pub(crate) mod maps;
mod note;
mod reason;
mod shape;
mod stage;
mod vet;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hotshell_plugin_api::abi::HostTable;
use serde::Serialize;

use crate::error::{Code, Result};
use crate::generation::{Artifact, Callable, Shape};
use crate::limits::{VET_MEMORY, VET_TIMEOUT};
use handshake::{Shaken, Tables};
pub use image::{Image, Retained, Unmapping, retained_images};
use inspect::Inspected;
use reason::Reason;
use stage::{Stage, Staged};
use vet::{Vet, Vetted};
pub use vet::{vet_host_table, vet_main};

/// How plugins are staged and vetted.
#[derive(Debug, Clone)]
pub struct LoaderConfig {
    /// Where private copies go. Made with mode 0700; its file system must allow execution.
    pub stage_dir: PathBuf,
    /// How long the vet child may take.
    pub vet_timeout: Duration,
    /// Address space of the vet child, bytes.
    pub vet_memory: u64,
    /// The program that is the vet child: one whose `__vet` verb is [`vet_main`].
    pub vet_program: PathBuf,
}

/// Turns paths into images. One serves all servers of a host.
#[derive(Debug)]
pub struct Loader {
    stage: Stage,
    vet: Vet,
    tables: Tables,
}

/// The server that a file is meant for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Target<'a> {
    /// Number of the generation that is to be; 0 when none is.
    pub generation: u64,
    /// Texts for the plugin: `init` and `self_test` see them in the vet child.
    pub config: Option<&'a BTreeMap<String, String>>,
}

/// What [`Loader::check`] found.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What the file says of itself.
    pub artifact: Artifact,
    /// The shape of its state.
    pub shape: Shape,
    /// What a load would not refuse, but an admin may want to know.
    pub warnings: Vec<String>,
    /// Where the time went.
    pub timings: Timings,
}

/// A generation that an engine may be switched to.
#[derive(Debug)]
pub struct Loaded {
    /// What the file says of itself.
    pub artifact: Artifact,
    /// What the engine needs.
    pub callable: Callable,
    /// The mapped code.
    pub image: Image,
    /// Where the time went.
    pub timings: Timings,
}

/// How long each stage took. A stage that did not run is zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Timings {
    /// Reading the file into a private copy, and its digest.
    pub fetch: Duration,
    /// Looking at the ELF.
    pub inspect: Duration,
    /// Naming the private copy.
    pub stage: Duration,
    /// The vet child.
    pub vet: Duration,
    /// Mapping and touching the pages.
    pub map: Duration,
    /// Handshake.
    pub handshake: Duration,
}

/// What stages 1 to 4 leave for the rest.
struct Vouched {
    inspected: Inspected,
    staged: Staged,
    vetted: Vetted,
}

impl LoaderConfig {
    /// The defaults: this very program as the vet child, and the limits of [`crate::limits`].
    pub fn new(stage_dir: impl Into<PathBuf>) -> Self {
        Self {
            stage_dir: stage_dir.into(),
            vet_timeout: VET_TIMEOUT,
            vet_memory: VET_MEMORY,
            vet_program: PathBuf::from("/proc/self/exe"),
        }
    }
}

impl Loader {
    /// Makes the stage directory and removes what hosts that are gone left in it.
    ///
    /// # Errors
    /// [`Code::Start`] when the directory cannot be made, written, or executed from.
    pub fn new(config: LoaderConfig, host: &'static HostTable) -> Result<Self> {
        let LoaderConfig { stage_dir, vet_timeout: timeout, vet_memory: memory, vet_program } =
            config;
        let vet = Vet { program: vet_program, timeout, memory };
        Ok(Self { stage: Stage::open(&stage_dir)?, vet, tables: Tables::new(host) })
    }

    /// Everything that can be known without mapping the file into this process.
    ///
    /// # Errors
    /// Whatever a load would refuse.
    pub fn check(&self, path: &Path) -> Result<Checked> {
        self.check_for(path, &Target::default())
    }

    /// [`Loader::check`] for a server, whose configuration counts.
    ///
    /// # Errors
    /// Whatever a load would refuse.
    pub fn check_for(&self, path: &Path, target: &Target<'_>) -> Result<Checked> {
        let mut timings = Timings::default();
        let vouched = self.vouch(path, target, &AtomicBool::new(false), &mut timings)?;
        let warnings = warnings(&vouched);
        let Vouched { inspected, vetted, .. } = vouched;
        Ok(Checked { artifact: inspected.artifact, shape: vetted.shape, warnings, timings })
    }

    /// [`Loader::load_for`] a server whose plugins have no configuration.
    ///
    /// # Errors
    /// See [`Loader::load_for`].
    pub fn load(&self, path: &Path, generation: u64, cancel: &AtomicBool) -> Result<Loaded> {
        self.load_for(path, &Target { generation, ..Target::default() }, cancel)
    }

    /// Loads a file as a generation. `cancel` is looked at between the stages and while the vet
    /// child runs.
    ///
    /// # Errors
    /// Each stage has its codes; after any error nothing is left of the load.
    pub fn load_for(
        &self,
        path: &Path,
        target: &Target<'_>,
        cancel: &AtomicBool,
    ) -> Result<Loaded> {
        let mut timings = Timings::default();
        let Vouched { inspected, staged, vetted } =
            self.vouch(path, target, cancel, &mut timings)?;
        let artifact = inspected.artifact.clone();
        let refuse = |reason: Reason| reason.about(&artifact.path);
        let image = timed(&mut timings.map, || Image::map(staged, &inspected)).map_err(refuse)?;
        let shaken = timed(&mut timings.handshake, || self.shake(&image, &inspected, &vetted));
        let shaken = match shaken.and_then(|found| wanted(cancel).map(|()| found)) {
            Ok(found) => found,
            Err(reason) => return Err(undo(image, reason).about(&artifact.path)),
        };
        let callable = callable(target.generation, &artifact, shaken);
        Ok(Loaded { artifact, callable, image, timings })
    }

    /// Stages 1 to 4: nothing is mapped here.
    fn vouch(
        &self,
        path: &Path,
        target: &Target<'_>,
        cancel: &AtomicBool,
        timings: &mut Timings,
    ) -> Result<Vouched> {
        let fetch = || fetch::fetch(path, &self.stage, target.generation);
        let fetched = timed(&mut timings.fetch, fetch)?;
        let inspected = timed(&mut timings.inspect, || inspect::inspect(&fetched))?;
        let artifact = &inspected.artifact;
        let refuse = |reason: Reason| reason.about(&artifact.path);
        wanted(cancel).map_err(refuse)?;
        let fetch::Fetched { copy, mut staged, .. } = fetched;
        drop(copy);
        timed(&mut timings.stage, || self.stage.name(&mut staged, artifact))?;
        wanted(cancel).map_err(refuse)?;
        let config = target.config.unwrap_or(const { &BTreeMap::new() });
        let run = || self.vet.run(staged.path(), &inspected, config, cancel);
        let vetted = timed(&mut timings.vet, run).map_err(refuse)?;
        wanted(cancel).map_err(refuse)?;
        Ok(Vouched { inspected, staged, vetted })
    }

    fn shake(
        &self,
        image: &Image,
        inspected: &Inspected,
        vetted: &Vetted,
    ) -> Result<Shaken, Reason> {
        // SAFETY: the entry is in the image, which stays mapped.
        let shaken = unsafe { handshake::shake(image.entry(), &inspected.artifact, &self.tables) };
        let shaken = shaken?;
        if shaken.shape != vetted.shape {
            let detail = "its schema here is another one than in the vet child";
            let hint = "its schema must not depend on the process it runs in";
            return Err(Reason::new(Code::NotAPlugin, detail, hint));
        }
        Ok(shaken)
    }
}

impl Timings {
    /// All stages together.
    pub fn total(&self) -> Duration {
        let Self { fetch, inspect, stage, vet, map, handshake } = *self;
        fetch + inspect + stage + vet + map + handshake
    }
}

/// Gives up what a failed load has mapped. Cannot fail; an image that stays is harmless.
fn undo(image: Image, reason: Reason) -> Reason {
    image.unmap();
    reason
}

fn wanted(cancel: &AtomicBool) -> Result<(), Reason> {
    if cancel.load(Ordering::Relaxed) { Err(vet::cancelled()) } else { Ok(()) }
}

fn warnings(vouched: &Vouched) -> Vec<String> {
    let mut warnings = Vec::new();
    match (vouched.inspected.pinned, vouched.vetted.unmapped) {
        (Some(why), _) => warnings.push(format!("stays mapped after a discard: {why}")),
        (None, false) => warnings.push(
            "stays mapped after a discard: in a trial its image outlived dlclose, so it starts \
             threads or uses thread-locals with destructors"
                .to_owned(),
        ),
        (None, true) => {}
    }
    warnings
}

fn callable(generation: u64, artifact: &Artifact, shaken: Shaken) -> Callable {
    Callable {
        generation,
        plugin: Arc::from(artifact.plugin.as_str()),
        version: Arc::from(artifact.version.as_str()),
        digest: artifact.digest.parse().expect("stage 1 made the digest"),
        table: shaken.table,
        shape: shaken.shape,
        functions: Arc::new(shaken.functions),
    }
}

fn timed<T>(into: &mut Duration, stage: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let answer = stage();
    *into = start.elapsed();
    answer
}

#[cfg(test)]
mod tests {
    use hotshell_plugin_api::schema::Schema;

    use super::*;

    /// What the vet child lets pass hardly ever fails here, so the schema is made to differ.
    #[test]
    fn a_load_that_fails_after_mapping_leaves_nothing() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let config = LoaderConfig::new(dir.path());
        let loader = Loader::new(config, vet_host_table()).expect("a loader");
        let plugin = artifacts::plugin("misbehave");
        let fetched = fetch::fetch(&plugin, &loader.stage, 1).expect("a plugin");
        let inspected = inspect::inspect(&fetched).expect("a good plugin");
        let fetch::Fetched { path, copy, staged, .. } = fetched;
        drop(copy);
        let image = Image::map(staged, &inspected).unwrap_or_else(|r| panic!("{}", r.detail));
        let shape = Shape::without_lineage(Schema::of::<bool, ()>());
        let vetted = Vetted { shape, unmapped: true };
        let Err(reason) = loader.shake(&image, &inspected, &vetted) else { panic!("it differs") };
        assert!(reason.detail.contains("another one than in the vet child"), "{}", reason.detail);
        let error = undo(image, reason).about(&path);
        assert_eq!(error.code, Code::NotAPlugin);
        let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
        assert!(!maps.contains(&dir.path().display().to_string()), "nothing stays mapped");
        assert_eq!(std::fs::read_dir(dir.path()).expect("the stage").count(), 0, "no file stays");
    }
}
