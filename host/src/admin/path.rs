//! Where admin sockets are: one rule for the host that makes them and the CLI that looks for them.

use std::env;
use std::path::{Path, PathBuf};

/// The folder a host puts its socket into when no path is configured: `$RUNTIME_DIRECTORY`, else
/// `$XDG_RUNTIME_DIR/hotshell`, else `/tmp/hotshell-UID`.
pub fn default_folder() -> PathBuf {
    folders(|name| env::var_os(name).map(PathBuf::from)).swap_remove(0)
}

/// The socket's path for a server's port.
pub fn default_path(port: u16) -> PathBuf {
    default_folder().join(format!("{port}.sock"))
}

/// Every socket file in the default folders, alive or not.
pub fn candidates() -> Vec<PathBuf> {
    let folders = folders(|name| env::var_os(name).map(PathBuf::from));
    let mut found: Vec<PathBuf> = folders.iter().flat_map(|folder| sockets(folder)).collect();
    found.sort();
    found.dedup();
    found
}

fn folders(var: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let mut folders = Vec::new();
    if let Some(list) = var("RUNTIME_DIRECTORY") {
        // systemd separates several with colons; the first is ours.
        let first = env::split_paths(list.as_os_str()).next();
        folders.extend(first.filter(absolute));
    }
    let runtime = var("XDG_RUNTIME_DIR").filter(absolute);
    folders.extend(runtime.map(|folder| folder.join("hotshell")));
    let uid = rustix::process::geteuid().as_raw();
    folders.push(PathBuf::from(format!("/tmp/hotshell-{uid}")));
    folders
}

fn sockets(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "sock")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_that_the_environment_names_is_taken() {
        let var = |name: &str| match name {
            "RUNTIME_DIRECTORY" => Some(PathBuf::from("/run/a:/run/b")),
            "XDG_RUNTIME_DIR" => Some(PathBuf::from("/run/user/7")),
            _ => None,
        };
        let all = folders(var);
        assert_eq!(all[..2], [PathBuf::from("/run/a"), PathBuf::from("/run/user/7/hotshell")]);
        let uid = rustix::process::geteuid().as_raw();
        assert_eq!(folders(|_| None), [PathBuf::from(format!("/tmp/hotshell-{uid}"))]);
    }
}
