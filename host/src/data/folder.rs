//! The folder of `--data`: who has it, and where each server's files lie.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::{Artifacts, Fsync, file};
use crate::error::{Code, Error, Result};

/// Looks at a lock that a child of a host that was killed may hold: two seconds of them, and more on a machine
/// that stands still meanwhile, where the child does so, too.
const LOOKS: u32 = 400;
/// Between two of them.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The folder, locked for as long as this lives. The lock goes with the process, however it ends.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

/// Where one server's data lie, and when they reach the disk.
#[derive(Debug, Clone)]
pub struct Store {
    /// The server's folder.
    pub folder: PathBuf,
    /// When its journal reaches the disk.
    pub fsync: Fsync,
}

impl Folder {
    /// Takes the folder, and makes it where there is none.
    ///
    /// # Errors
    /// `DATA`: another process has it, or it cannot be written to.
    pub fn open(path: &Path) -> Result<Self> {
        make(path).map_err(|error| cannot(path, &error))?;
        let lock = path.join("lock");
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&lock).map_err(|error| cannot(&lock, &error))?;
        let mut looks = LOOKS;
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                // A host that was killed may have left a child between fork and exec, which has the lock
                // until it comes to that.
                Err(Errno::WOULDBLOCK) if looks > 0 && is_gone(&lock) => {
                    looks -= 1;
                    std::thread::sleep(LOOK_AGAIN);
                }
                Err(Errno::WOULDBLOCK) => return Err(taken(path, &mut file)),
                Err(errno) => return Err(cannot(&lock, &errno.into())),
            }
        }
        let told = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        told.map_err(|error| cannot(&lock, &error))?;
        Ok(Self { path: path.to_owned(), _lock: file })
    }

    /// The place of a server.
    ///
    /// # Errors
    /// `DATA` when it cannot be made.
    pub fn store(&self, server: &str, fsync: Fsync) -> Result<Store> {
        let folder = self.path.join(server);
        make(&folder).map_err(|error| cannot(&folder, &error))?;
        Ok(Store { folder, fsync })
    }
}

impl Store {
    /// Copies of the artifacts that are needed to read the rest.
    pub fn artifacts(&self) -> Artifacts {
        Artifacts::new(self.folder.join("artifacts"))
    }
}

impl Store {
    /// Removes the files that a crash has left without their names; answers their bytes. For who has the
    /// folder's lock.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_leftovers(&self) -> io::Result<u64> {
        let mut bytes = 0;
        for folder in [self.folder.clone(), self.folder.join("artifacts")] {
            let entries = match fs::read_dir(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                if file::is_beside(&entry.path()) {
                    bytes += entry.metadata()?.len();
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(bytes)
    }
}

/// Makes a folder for this user only, for good, unless there is one.
pub(super) fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Files named PREFIX, digits, SUFFIX, by their number.
pub(super) fn numbered(
    folder: &Path,
    prefix: &str,
    suffix: &str,
) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix(prefix).and_then(|name| name.strip_suffix(suffix));
        if let Some(number) = number.and_then(|digits| digits.parse().ok()) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether the process that a lock file names has ended: it holds nothing any more.
fn is_gone(lock: &Path) -> bool {
    let told = fs::read_to_string(lock).unwrap_or_default();
    let Ok(pid) = told.trim().parse::<u32>() else { return false };
    // The name may have brackets and spaces in it; the state comes behind.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    // Number 1 of a container is number 1 of the next one.
    pid == std::process::id() || matches!(state, None | Some('Z' | 'X'))
}

fn taken(path: &Path, lock: &mut File) -> Error {
    let mut pid = String::new();
    let _ = lock.read_to_string(&mut pid);
    let holder = match pid.trim() {
        "" => "another process has locked it".to_owned(),
        pid => format!("process {pid} has locked it"),
    };
    let hint = "stop that host, or choose another folder for --data";
    Error::new(Code::Data, format!("the data folder '{}' is taken", path.display()), holder, hint)
}

/// A file of the data folder that the system refuses.
pub fn cannot(path: &Path, error: &io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::StorageFull => "make room on that file system, then start again",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "let this user write there, or choose another folder for --data"
        }
        _ => "choose another folder for --data, or look at the disk",
    };
    let message = format!("cannot keep data in '{}'", path.display());
    Error::new(Code::Data, message, error.to_string(), hint)
}
