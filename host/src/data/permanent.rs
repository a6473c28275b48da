//! [`Permanent`]: what a server is started from, remembered in `permanent.json`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::{Store, cannot};
use super::{Digest, file};
use crate::error::{Code, Error, Result};

/// The format that this version writes, and the newest it reads.
pub const FORMAT: u32 = 1;
/// Permanent artifacts that are remembered: the one to start from, and the ways back from it.
pub const KEPT: usize = 3;
/// Starts in a row that may fail before the one before is started from.
pub const STARTS: u32 = 3;

/// What a server is started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permanent {
    format: u32,
    /// The number that the next generation gets.
    pub next_generation: u64,
    /// Artifacts that were permanent, the present one last; at most [`KEPT`].
    pub artifacts: Vec<Kept>,
    /// What an admin set at run time, by key of the configuration.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

/// An artifact that was permanent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its digest, by which its copy is found.
    pub digest: String,
    /// Plugin name.
    pub plugin: String,
    /// Semver.
    pub version: String,
    /// The file that it was loaded from: what `reload` loads again.
    pub path: PathBuf,
}

/// What every format of the file begins with.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Default for Permanent {
    fn default() -> Self {
        let (artifacts, settings) = (Vec::new(), BTreeMap::new());
        Self { format: FORMAT, next_generation: 1, artifacts, settings }
    }
}

impl Permanent {
    /// The artifact to start from.
    pub fn last(&self) -> Option<&Kept> {
        self.artifacts.last()
    }

    /// Makes an artifact the one to start from; those before it are the ways back.
    pub fn set(&mut self, kept: Kept) {
        self.artifacts.retain(|known| known.digest != kept.digest);
        self.artifacts.push(kept);
        let excess = self.artifacts.len().saturating_sub(KEPT);
        self.artifacts.drain(..excess);
    }

    /// Goes back to an artifact: what came after it is no way back.
    pub fn back_to(&mut self, kept: Kept) {
        if let Some(at) = self.artifacts.iter().position(|known| known.digest == kept.digest) {
            self.artifacts.truncate(at);
        }
        self.set(kept);
    }

    /// Digests of all that are remembered.
    pub fn digests(&self) -> impl Iterator<Item = Digest> + '_ {
        self.artifacts.iter().filter_map(|kept| kept.digest.parse().ok())
    }
}

impl Kept {
    /// `kv 2.0.0 (sha256:...)`.
    pub fn title(&self) -> String {
        format!("{} {} ({})", self.plugin, self.version, self.digest)
    }
}

impl Store {
    /// The file of what a server is started from.
    pub fn permanent_path(&self) -> PathBuf {
        self.folder.join("permanent.json")
    }

    fn starts_path(&self) -> PathBuf {
        self.folder.join("starts")
    }

    /// What the server is started from; `None` before its first start.
    ///
    /// # Errors
    /// `DATA`: of a newer version, damaged, unreadable.
    pub fn permanent(&self) -> Result<Option<Permanent>> {
        let path = self.permanent_path();
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| cannot(&path, &error))?,
        };
        let format = serde_json::from_str::<Format>(&text).map_err(|why| damaged(&path, &why))?;
        if format.format > FORMAT {
            return Err(newer(&path, format.format));
        }
        serde_json::from_str(&text).map(Some).map_err(|why| damaged(&path, &why))
    }

    /// Remembers what the server is started from. On disk when this returns.
    ///
    /// # Errors
    /// `DATA`.
    pub fn remember(&self, permanent: &Permanent) -> Result<()> {
        let written = self.write_permanent(permanent);
        written.map_err(|error| cannot(&self.permanent_path(), &error))
    }

    /// [`Store::remember`], with the system's own word for what went wrong.
    ///
    /// # Errors
    /// What the system says.
    pub fn write_permanent(&self, permanent: &Permanent) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(permanent).expect("texts and numbers are JSON");
        text.push('\n');
        file::replace(&self.permanent_path(), 0o600, text.as_bytes()).map(drop)
    }

    /// Notes that a start begins; answers how many before it, in a row, have not come to their end.
    ///
    /// # Errors
    /// `DATA`.
    pub fn begin_start(&self) -> Result<u32> {
        let path = self.starts_path();
        let failed = fs::read_to_string(&path).ok();
        let failed = failed.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        self.note_starts(failed + 1)?;
        Ok(failed)
    }

    /// Notes that so many starts in a row have failed.
    ///
    /// # Errors
    /// `DATA`.
    pub fn note_starts(&self, failed: u32) -> Result<()> {
        let path = self.starts_path();
        let noted = match failed {
            0 => file::remove(&path),
            n => file::replace(&path, 0o600, format!("{n}\n").as_bytes()).map(drop),
        };
        noted.map_err(|error| cannot(&path, &error))
    }
}

#[cold]
fn newer(path: &Path, format: u32) -> Error {
    Error::new(
        Code::Data,
        format!("'{}' is of a newer version", path.display()),
        format!("it has format {format}, this version reads {FORMAT}"),
        "start it with the version of hotshell that wrote it, or a later one",
    )
}

#[cold]
fn damaged(path: &Path, why: &serde_json::Error) -> Error {
    Error::new(
        Code::Data,
        format!("'{}' is damaged", path.display()),
        why.to_string(),
        "restore it from a copy; or remove it, and --plugin says what is started",
    )
}
