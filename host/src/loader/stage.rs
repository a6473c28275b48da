//! Stage 3: a private copy under a name that is never used again.
//!
//! The dynamic loader answers a path it knows with the code it has, so a name serves one load; and
//! a build that overwrites a mapped file means SIGBUS, so what is mapped is never what a build
//! writes.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::StatVfsMountFlags;

use crate::error::{Code, Error, Result};
use crate::generation::Artifact;

/// Counts staged files, so that no name comes twice in this process.
static STAGED: AtomicU64 = AtomicU64::new(0);

/// The directory of staged files.
#[derive(Debug)]
pub(super) struct Stage {
    dir: PathBuf,
    /// `PID.START`: which process these files belong to, told apart from an earlier one with its
    /// pid.
    owner: String,
}

/// A staged file. Removed when this is dropped.
#[derive(Debug)]
pub(super) struct Staged {
    path: PathBuf,
}

impl Stage {
    /// Makes the directory, for this user only, and removes what dead hosts left in it.
    pub fn open(dir: &Path) -> Result<Self> {
        let dir = std::path::absolute(dir).map_err(|e| unusable(dir, &e))?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|e| unusable(&dir, &e))?;
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(&dir, private).map_err(|e| unusable(&dir, &e))?;
        let dir = dir.canonicalize().map_err(|e| unusable(&dir, &e))?;
        ours(&dir)?;
        executable(&dir)?;
        let pid = std::process::id();
        let owner = format!("{pid}.{}", started(pid).unwrap_or(0));
        let stage = Self { dir, owner };
        stage.remove_leftovers();
        Ok(stage)
    }

    /// An empty file for a private copy, under a name that says whose it is: `OWNER-GENERATION.COUNT.so`.
    pub fn create(&self, generation: u64) -> std::io::Result<(File, Staged)> {
        let count = STAGED.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(format!("{}-{generation}.{count}.so", self.owner));
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o500).open(&path)?;
        Ok((file, Staged { path }))
    }

    /// Says in the file's name what it is, for whoever looks at maps or a backtrace:
    /// `OWNER-GENERATION.COUNT-DIGEST-PLUGIN-VERSION.so`.
    pub fn name(&self, staged: &mut Staged, artifact: &Artifact) -> Result<()> {
        let Artifact { plugin, version, digest, .. } = artifact;
        let digest = digest.trim_start_matches("sha256:");
        let digest = &digest[..digest.len().min(12)];
        let stem = staged.path.file_stem().unwrap_or_default().display();
        let path = self.dir.join(format!("{stem}-{digest}-{plugin}-{version}.so"));
        fs::rename(&staged.path, &path).map_err(|e| self.unwritable(&artifact.path, &e))?;
        staged.path = path;
        Ok(())
    }

    /// The error when a private copy of the file at `path` cannot be made.
    pub fn unwritable(&self, path: &Path, error: &std::io::Error) -> Error {
        let detail = format!("no private copy can be made in '{}': {error}", self.dir.display());
        super::reason::refuse(path, Code::File, detail, "make room or fix the directory's rights")
    }

    fn remove_leftovers(&self) {
        self.remove(|name| owner_of(name).is_some_and(is_dead));
    }

    /// Best effort: a leftover costs disk, nothing else.
    fn remove(&self, unwanted: impl Fn(&str) -> bool) {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        for entry in entries {
            if entry.file_name().to_str().is_some_and(&unwanted) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

impl Drop for Stage {
    /// The loader goes with its host: what is still mapped needs no name any more.
    fn drop(&mut self) {
        let ours = format!("{}-", self.owner);
        self.remove(|name| name.starts_with(&ours) && owner_of(name).is_some());
    }
}

impl Staged {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The mistake that the loader never makes: a name used twice.
    #[cfg(test)]
    pub fn again(&self) -> Self {
        Self { path: self.path.clone() }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Pid and start time of the process that staged a file of this name.
fn owner_of(name: &str) -> Option<(u32, u64)> {
    let (owner, rest) = name.split_once('-')?;
    let (pid, start) = owner.split_once('.')?;
    rest.ends_with(".so").then_some((pid.parse().ok()?, start.parse().ok()?))
}

fn is_dead((pid, start): (u32, u64)) -> bool {
    started(pid) != Some(start)
}

/// When a process started, in clock ticks since boot: field 22 of `/proc/PID/stat`.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().nth(19)?.parse().ok()
}

/// Whoever owns the directory could exchange what is mapped from it.
fn ours(dir: &Path) -> Result<()> {
    let owner = dir.metadata().map_err(|e| unusable(dir, &e))?.uid();
    let us = rustix::process::geteuid().as_raw();
    if owner != us {
        let what = format!("cannot stage plugins in '{}'", dir.display());
        let why = format!("it belongs to uid {owner}, this host runs as uid {us}");
        return Err(Error::new(Code::Start, what, why, "remove it, or name another directory"));
    }
    Ok(())
}

fn executable(dir: &Path) -> Result<()> {
    let about = rustix::fs::statvfs(dir).map_err(|e| unusable(dir, &e.into()))?;
    if about.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        let what = format!("cannot stage plugins in '{}'", dir.display());
        let why = "its file system is mounted noexec, and staged plugins are mapped as code";
        return Err(Error::new(Code::Start, what, why, "name a directory on another file system"));
    }
    Ok(())
}

fn unusable(dir: &Path, error: &std::io::Error) -> Error {
    let what = format!("cannot stage plugins in '{}'", dir.display());
    Error::new(Code::Start, what, error.to_string(), "name a directory that this user may write")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_dead_hosts_are_told_from_files_of_live_ones() {
        let me = std::process::id();
        let start = started(me).expect("own stat");
        let owner = |name: &str| owner_of(name).is_some_and(is_dead);
        assert!(!owner(&format!("{me}.{start}-1.0-abc-kv-1.0.0.so")));
        assert!(owner(&format!("{me}.{}-1.0-abc-kv-1.0.0.so", start + 1)), "a pid used again");
        assert!(owner("4194305.1-1.0-abc-kv-1.0.0.so"), "above the highest pid");
        assert!(!owner("notes.txt") && !owner("kv-1.0.so"), "not ours to remove");
    }
}
