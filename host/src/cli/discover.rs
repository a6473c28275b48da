//! Which admin socket to talk to when none is named: the only live one.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::admin::path::{candidates, default_folder};
use crate::error::{Code, Error, Result};

/// The socket that was named, or the only live one in the default folders.
///
/// # Errors
/// `UNREACHABLE` when none is alive, `USAGE` with their paths when several are.
pub fn socket(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    let alive = |path: &PathBuf| UnixStream::connect(path).is_ok();
    let mut live: Vec<PathBuf> = candidates().into_iter().filter(alive).collect();
    match live.len() {
        1 => Ok(live.swap_remove(0)),
        0 => {
            let detail = format!("no live admin socket in '{}'", default_folder().display());
            let hint = "start one with `hotshell serve --plugin FILE.so`, or name its socket with \
                        --admin PATH or HOTSHELL_ADMIN";
            Err(Error::new(Code::Unreachable, "no host is running", detail, hint))
        }
        _ => {
            let paths: Vec<String> = live.iter().map(|path| path.display().to_string()).collect();
            let hint = "name one with --admin PATH or HOTSHELL_ADMIN";
            let message = "several hosts are running";
            Err(Error::new(Code::Usage, message, paths.join(", "), hint))
        }
    }
}
