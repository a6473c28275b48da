//! Files that are there as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The name under which a file is written before it gets its own.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Whether a file has such a name: who wrote it did not come to its end.
pub fn is_beside(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "new")
}

/// Writes a file beside, syncs it, renames it, and syncs its folder. A crash leaves the old file or the
/// new one.
pub fn replace(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<File> {
    let new = beside(path);
    let mut file = File::options().write(true).create(true).truncate(true).mode(mode).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    publish(path)?;
    Ok(file)
}

/// Gives a file that was written beside its name, for good.
pub fn publish(path: &Path) -> io::Result<()> {
    fs::rename(beside(path), path)?;
    sync_folder_of(path)
}

/// Removes a file, for good. One that is not there is no error.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_folder_of(path),
    }
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
