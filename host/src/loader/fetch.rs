//! Stage 1: the bytes, read once, into a private copy. All later stages use that and never the path
//! again, since what lies at a path may change between two looks.
//!
//! It goes in small pieces: the engine shares its cores with loads, and a kernel without preemption
//! lets nobody in before a system call is done.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::mm::{MapFlags, ProtFlags};
use sha2::{Digest as _, Sha256};

use super::reason::refuse;
use super::stage::{Stage, Staged};
use crate::data::Digest;
use crate::error::{Code, Error, Result};
use crate::limits::MAX_ARTIFACT_BYTES;

/// Bytes that are read, digested and written at once. They stay in the processor's cache.
const PIECE: usize = 64 << 10;

/// A file as it was at one moment.
pub(super) struct Fetched {
    /// Absolute path; symlinks are left as they are.
    pub path: PathBuf,
    /// `sha256:` and 64 hex digits.
    pub digest: String,
    /// What was read.
    pub copy: Copied,
    /// The file that the copy is.
    pub staged: Staged,
}

/// A private copy, mapped for reading.
pub(super) struct Copied {
    start: *const u8,
    len: usize,
}

/// Copies the file into the stage. Follows symlinks.
pub(super) fn fetch(path: &Path, stage: &Stage, generation: u64) -> Result<Fetched> {
    let path = std::path::absolute(path).map_err(|error| unreadable(path, &error))?;
    let source = open(&path)?;
    let unwritable = |error: std::io::Error| stage.unwritable(&path, &error);
    let (mut copy, staged) = stage.create(generation).map_err(unwritable)?;
    let (len, digest) =
        transfer((&path, source), |piece| copy.write_all(piece).map_err(unwritable))?;
    let copy = Copied::map(&copy, len).map_err(unwritable)?;
    Ok(Fetched { path, digest, copy, staged })
}

fn open(path: &Path) -> Result<File> {
    // Without NONBLOCK, opening a FIFO would wait for its writer.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file: File = file.map_err(|error| unreadable(path, &error))?;
    let about = file.metadata().map_err(|error| unreadable(path, &error))?;
    if about.is_file() {
        return Ok(file);
    }
    let what = if about.is_dir() { "a directory" } else { "not a regular file" };
    Err(refuse(path, Code::File, format!("it is {what}"), "name the plugin's .so file"))
}

/// Hands a file on, piece by piece; answers its length and digest.
fn transfer(
    (path, mut source): (&Path, File),
    mut put: impl FnMut(&[u8]) -> Result<()>,
) -> Result<(usize, String)> {
    let (mut piece, mut len, mut digest) = (vec![0; PIECE], 0, Sha256::new());
    loop {
        let n = match source.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(path, &error)),
        };
        len += n;
        if len as u64 > MAX_ARTIFACT_BYTES {
            let bytes = source.metadata().map_or(len as u64, |about| about.len());
            let detail = format!("it has {bytes} bytes, the limit is {MAX_ARTIFACT_BYTES}");
            return Err(refuse(path, Code::File, detail, "strip it, or name the right file"));
        }
        digest.update(&piece[..n]);
        put(&piece[..n])?;
    }
    if len == 0 {
        let hint = "a build may be writing it right now: load it again when the build is done";
        return Err(refuse(path, Code::File, "it is empty (0 bytes)", hint));
    }
    Ok((len, Digest(digest.finalize().into()).to_string()))
}

impl Copied {
    /// Maps a file of this length, which is not 0.
    fn map(file: &File, len: usize) -> std::io::Result<Self> {
        let (access, kind) = (ProtFlags::READ, MapFlags::PRIVATE);
        // SAFETY: a new mapping, of which nobody knows the place.
        let start = unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, access, kind, file, 0) }?;
        Ok(Self { start: start.cast(), len })
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: mapped as long as `self`; the file is in a directory of this user alone, and nobody
        // writes to it any more: it is going to be mapped as code.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // SAFETY: the mapping of `map`, whose bytes nobody has any more. On failure it stays.
        let _ = unsafe { rustix::mm::munmap(self.start.cast_mut().cast(), self.len) };
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => "check the path; the host needs an absolute one",
        std::io::ErrorKind::PermissionDenied => "let the host's user read the file",
        _ => "check the path and the disk",
    };
    refuse(path, Code::File, format!("it cannot be read: {error}"), hint)
}
