//! Stage 1: the bytes, read once. All later stages use these and never the path again, since what
//! lies at a path may change between two looks.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::refuse;
use crate::error::{Code, Error, Result};
use crate::limits::MAX_ARTIFACT_BYTES;

/// A file as it was at one moment.
pub(super) struct Fetched {
    /// Absolute path; symlinks are left as they are.
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    /// `sha256:` and 64 hex digits.
    pub digest: String,
}

/// Reads the file. Follows symlinks.
pub(super) fn fetch(path: &Path) -> Result<Fetched> {
    let path = std::path::absolute(path).map_err(|error| unreadable(path, &error))?;
    let bytes = read(&path)?;
    if bytes.is_empty() {
        let hint = "a build may be writing it right now: load it again when the build is done";
        return Err(refuse(&path, Code::File, "it is empty (0 bytes)", hint));
    }
    let digest = digest_of(&bytes);
    Ok(Fetched { path, bytes, digest })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    // Without NONBLOCK, opening a FIFO would wait for its writer.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let mut file: File = file.map_err(|error| unreadable(path, &error))?;
    let about = file.metadata().map_err(|error| unreadable(path, &error))?;
    if !about.is_file() {
        let what = if about.is_dir() { "a directory" } else { "not a regular file" };
        let detail = format!("it is {what}");
        return Err(refuse(path, Code::File, detail, "name the plugin's .so file"));
    }
    let mut bytes = Vec::with_capacity(about.len().min(MAX_ARTIFACT_BYTES) as usize + 1);
    let read = file.by_ref().take(MAX_ARTIFACT_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > MAX_ARTIFACT_BYTES {
        let detail = format!("it has {} bytes, the limit is {MAX_ARTIFACT_BYTES}", about.len());
        return Err(refuse(path, Code::File, detail, "strip it, or name the right file"));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => "check the path; the host needs an absolute one",
        std::io::ErrorKind::PermissionDenied => "let the host's user read the file",
        _ => "check the path and the disk",
    };
    refuse(path, Code::File, format!("it cannot be read: {error}"), hint)
}

/// `sha256:` and the digest in hex.
pub fn digest_of(bytes: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
