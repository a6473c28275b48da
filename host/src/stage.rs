//! The loader of a host, and the folder it keeps private copies of plugins in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Result;
use crate::loader::{Loader, LoaderConfig};

/// A loader that tries plugins out for at most so long, and stages into a folder: the one that is
/// configured, or `hotshell-UID-stage` under `$TMPDIR`. Not in the admin socket's folder, since `/run` is
/// often mounted `noexec`.
///
/// # Errors
/// `START` when the folder is of no use.
pub fn loader(folder: Option<&Path>, vet_timeout: Duration) -> Result<Loader> {
    let folder = folder.map_or_else(default_folder, Path::to_path_buf);
    let config = LoaderConfig { vet_timeout, ..LoaderConfig::new(folder) };
    Loader::new(config, crate::engine::host_table())
}

/// One for all hosts of a user, so that a host can remove what one that died has left.
fn default_folder() -> PathBuf {
    let uid = rustix::process::geteuid().as_raw();
    std::env::temp_dir().join(format!("hotshell-{uid}-stage"))
}
