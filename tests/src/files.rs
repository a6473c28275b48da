//! Plugin files, made to order in a folder that goes with the test.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{artifacts, patch};

/// A folder of a test.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// An empty folder.
    ///
    /// # Panics
    /// When it cannot be made.
    #[allow(clippy::new_without_default, reason = "making a folder is no default")]
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("hs").tempdir().expect("a temporary folder"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of a file in it.
    pub fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file in place, as `cp` does.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.at(name);
        fs::write(&path, bytes).expect("a file");
        path
    }

    /// Writes a file beside its place and renames it, as `install` does.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn install(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let (new, path) = (self.at(&format!("{name}.new")), self.at(name));
        fs::write(&new, bytes).expect("a file");
        fs::rename(new, &path).expect("renamed");
        path
    }
}

/// The bytes of a built plugin.
///
/// # Panics
/// When it cannot be built or read.
pub fn built(package: &str) -> Vec<u8> {
    fs::read(artifacts::plugin(package)).expect("a built plugin")
}

/// `misbehave`, told what to do.
pub fn misbehave(behaviour: &str) -> Vec<u8> {
    let mut bytes = built("misbehave");
    patch::behaviour(&mut bytes, behaviour);
    bytes
}

/// kv 1.0.0.
pub fn kv_v1() -> PathBuf {
    artifacts::plugin("kv-v1")
}

/// kv 2.0.0.
pub fn kv_v2() -> PathBuf {
    artifacts::plugin("kv-v2")
}
