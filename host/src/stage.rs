//! Folders for private copies of plugins, and the loader that fills them.

use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};
use crate::limits;
use crate::loader::{Loader, LoaderConfig};

/// A fresh folder for private copies of plugins, removed when dropped: inside `parent`, or under
/// `$TMPDIR`. Not in the admin socket's folder, since `/run` is often mounted `noexec`.
///
/// # Errors
/// `START` when it cannot be made.
pub fn folder(parent: Option<&Path>) -> Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    let named = builder.prefix("hotshell-stage-");
    let made = parent.map_or_else(|| named.tempdir(), |parent| named.tempdir_in(parent));
    made.map_err(|error| {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let message = format!("cannot make a folder for plugins in '{}'", parent.display());
        let hint = "set TMPDIR or --stage-dir to a folder that can be written and may hold code";
        Error::new(Code::Start, message, error.to_string(), hint)
    })
}

/// A loader that stages into a folder.
///
/// # Errors
/// The loader's own.
pub fn loader(stage_dir: PathBuf) -> Result<Loader> {
    let config = LoaderConfig {
        stage_dir,
        vet_timeout: limits::VET_TIMEOUT,
        vet_memory: limits::VET_MEMORY,
        vet_program: PathBuf::from("/proc/self/exe"),
    };
    Loader::new(config, crate::engine::host_table())
}
