//! Paths as admins give them, made absolute.

use std::path::{Component, Path, PathBuf};

/// The absolute form of a path: its folder without symlinks, its last name as it was given, so that
/// a symlink to the current version stays one.
///
/// A path whose folder does not exist is made absolute by its text alone.
pub fn absolute(path: &Path, base: &Path) -> PathBuf {
    let whole = base.join(path);
    let (Some(folder), Some(name)) = (whole.parent(), whole.file_name()) else {
        return whole.canonicalize().unwrap_or(whole);
    };
    match folder.canonicalize() {
        Ok(folder) => folder.join(name),
        Err(_) => whole.components().filter(|part| *part != Component::CurDir).collect(),
    }
}

/// [`absolute`], from the working directory.
pub fn from_here(path: &Path) -> PathBuf {
    absolute(path, &std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_resolved_and_the_name_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("there");
        std::fs::create_dir(root.join("real")).expect("made");
        std::os::unix::fs::symlink("real", root.join("link")).expect("made");
        std::os::unix::fs::symlink("v1.so", root.join("real/current.so")).expect("made");
        let found = absolute(Path::new("./link/current.so"), &root);
        assert_eq!(found, root.join("real/current.so"));
        assert_eq!(absolute(Path::new("./no/kv.so"), &root), root.join("no/kv.so"));
    }
}
