//! Paths as admins give them, made absolute.

use std::path::{Component, Path, PathBuf};

/// The absolute form of a path, by its text: symlinks stay, both in its folders and as its last name,
/// so that what `current` means is asked anew each time that the path is opened.
///
/// What lies before a `..` is resolved, since only the file system knows where that leads; where that
/// is nowhere, the text stays as it is.
pub fn absolute(path: &Path, base: &Path) -> PathBuf {
    let whole: PathBuf =
        base.join(path).components().filter(|part| *part != Component::CurDir).collect();
    let parts: Vec<Component<'_>> = whole.components().collect();
    let Some(last_up) = parts.iter().rposition(|part| *part == Component::ParentDir) else {
        return whole;
    };
    let (before, behind) = parts.split_at(last_up + 1);
    match before.iter().collect::<PathBuf>().canonicalize() {
        Ok(resolved) => resolved.join(behind.iter().collect::<PathBuf>()),
        Err(_) => whole,
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
    fn symlinks_stay_and_only_what_lies_before_a_step_up_is_resolved() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("there");
        std::fs::create_dir_all(root.join("releases/7")).expect("made");
        std::os::unix::fs::symlink("releases/7", root.join("current")).expect("made");
        for (given, wanted) in [
            ("./current/./kv.so", "current/kv.so"),
            ("current/../kv.so", "releases/kv.so"),
            ("releases/../current/kv.so", "current/kv.so"),
            ("no/../kv.so", "no/../kv.so"),
        ] {
            assert_eq!(absolute(Path::new(given), &root), root.join(wanted), "{given}");
        }
        assert_eq!(absolute(Path::new("/a/b.so"), &root), Path::new("/a/b.so"));
        assert_eq!(absolute(Path::new("/.."), &root), Path::new("/"));
    }
}
