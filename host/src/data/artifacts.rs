//! Copies of artifacts, by digest: the code that wrote what is on disk must be there to read it back.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::folder::cannot;
use super::{Digest, file};
use crate::error::{Code, Error, Result};

/// The folder of copies of one server.
#[derive(Debug, Clone)]
pub struct Artifacts {
    folder: PathBuf,
}

impl Artifacts {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the copy of an artifact lies, or would.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.so", digest.hex()))
    }

    /// Whether there is a copy.
    pub fn has(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    /// Keeps a copy of the file `from`, unless there is one. O(bytes of the file) then.
    ///
    /// # Errors
    /// `DATA` when it cannot be written, or `from` is not what the digest says.
    pub fn keep(&self, digest: &Digest, from: &Path) -> Result<()> {
        let path = self.path(digest);
        if path.is_file() {
            return Ok(());
        }
        let bytes = fs::read(from).map_err(|error| cannot(from, &error))?;
        let found = Digest::of(&bytes);
        if found != *digest {
            return Err(Error::new(
                Code::Data,
                format!("no copy of '{}' can be kept", from.display()),
                format!("it has digest {found} now, {digest} was loaded"),
                "load it again when whoever writes to it is done",
            ));
        }
        let made = super::folder::make(&self.folder);
        let written = made.and_then(|()| file::replace(&path, 0o500, &bytes));
        written.map(drop).map_err(|error| cannot(&path, &error))
    }

    /// Removes the copies that nothing needs any more.
    pub fn retain(&self, needed: &BTreeSet<Digest>) -> io::Result<()> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            let hex = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let digest = format!("sha256:{hex}").parse::<Digest>();
            if digest.is_ok_and(|digest| !needed.contains(&digest)) {
                file::remove(&path)?;
            }
        }
        Ok(())
    }
}
