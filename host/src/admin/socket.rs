//! Claiming the admin socket's path: one live host per path, and nobody else gets in.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::error::{Code, Error, Result};

/// A claimed admin socket; given back when dropped.
#[derive(Debug)]
pub struct Claim {
    /// Where it is.
    pub path: PathBuf,
    listener: Option<UnixListener>,
    lock_path: PathBuf,
    /// Holds the lock for as long as the claim lives.
    _lock: File,
}

impl Claim {
    /// Claims a path: makes its folder if need be, replaces a stale socket, refuses a live one.
    ///
    /// Mode 0600, or 0660 with a group.
    ///
    /// # Errors
    /// `START`: another host lives there (with its pid), or the file system refuses.
    pub fn new(path: &Path, gid: Option<u32>) -> Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        make_folder(folder, gid)?;
        let lock_path = with_suffix(path, ".lock");
        let lock = lock(path, &lock_path)?;
        if UnixStream::connect(path).is_ok() {
            return Err(taken(path));
        }
        remove_stale(path)?;
        let listener = listen(path, gid).map_err(|error| cannot_make(path, &error))?;
        let path = path.to_owned();
        Ok(Self { path, listener: Some(listener), lock_path, _lock: lock })
    }

    /// The listener, once.
    ///
    /// # Errors
    /// `START` when the runtime cannot take it.
    pub fn listener(&mut self) -> Result<tokio::net::UnixListener> {
        let listener = self.listener.take().expect("the listener is taken once, at the start");
        tokio::net::UnixListener::from_std(listener)
            .map_err(|error| cannot_make(&self.path, &error))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // What stays behind is stale, and the next host replaces it.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.lock_path);
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn make_folder(folder: &Path, gid: Option<u32>) -> Result<()> {
    let failed = |error: &io::Error| {
        Error::new(
            Code::Start,
            format!("cannot make the admin socket's folder '{}'", folder.display()),
            error.to_string(),
            "make it, or choose another path with --admin",
        )
    };
    if !folder.exists() {
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        // The group has to get through to the socket; nobody else does.
        let mode = if gid.is_some() { 0o710 } else { 0o700 };
        fs::set_permissions(folder, Permissions::from_mode(mode)).map_err(|e| failed(&e))?;
        if gid.is_some() {
            chown(folder, None, gid).map_err(|error| failed(&error))?;
        }
    }
    if folder != super::path::default_folder() {
        return Ok(());
    }
    // /tmp is everybody's: somebody else may have made the folder first.
    let found = fs::symlink_metadata(folder).map_err(|error| failed(&error))?;
    let uid = rustix::process::geteuid().as_raw();
    let sound = found.is_dir() && found.uid() == uid && found.mode() & 0o022 == 0;
    if sound {
        return Ok(());
    }
    let (owner, mode) = (found.uid(), found.mode() & 0o7777);
    Err(Error::new(
        Code::Start,
        format!("the admin socket's folder '{}' is not safe", folder.display()),
        format!("owner {owner}, mode {mode:04o}; expected a folder of user {uid}, mode 0700"),
        "remove it, or choose another path with --admin",
    ))
}

/// Takes the lock beside the socket, so that two hosts that start at once cannot both win.
fn lock(path: &Path, lock_path: &Path) -> Result<File> {
    loop {
        let mut options = OpenOptions::new();
        let opened = options.create(true).truncate(false).write(true).mode(0o600).open(lock_path);
        let file = opened.map_err(|error| cannot_make(lock_path, &error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(taken(path)),
            Err(error) => return Err(cannot_make(lock_path, &error.into())),
        }
        // The one who held it before may have removed the file between our open and our lock.
        let ours = file.metadata().map_err(|error| cannot_make(lock_path, &error))?;
        let there = fs::metadata(lock_path).ok();
        if there.is_some_and(|there| there.ino() == ours.ino()) {
            return Ok(file);
        }
    }
}

fn taken(path: &Path) -> Error {
    let pid = UnixStream::connect(path).ok().and_then(|stream| owner(&stream));
    let who = pid.map_or("another host".to_owned(), |pid| format!("the host with pid {pid}"));
    Error::new(
        Code::Start,
        format!("the admin socket '{}' is taken", path.display()),
        format!("{who} answers there"),
        "stop that host, or choose another path with --admin or another --listen port",
    )
}

/// The process behind a connected socket.
pub fn owner(stream: &UnixStream) -> Option<i32> {
    let credentials = rustix::net::sockopt::socket_peercred(stream).ok()?;
    Some(credentials.pid.as_raw_nonzero().get())
}

fn remove_stale(path: &Path) -> Result<()> {
    use std::os::unix::fs::FileTypeExt;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(found) if found.file_type().is_socket() => {
            fs::remove_file(path).map_err(|error| cannot_make(path, &error))
        }
        Ok(_) => Err(Error::new(
            Code::Start,
            format!("cannot make the admin socket '{}'", path.display()),
            "a file that is not a socket is in its place",
            "move that file away, or choose another path with --admin",
        )),
        Err(error) => Err(cannot_make(path, &error)),
    }
}

/// Between bind and listen nobody can connect yet, so the mode is right before anybody gets in.
fn listen(path: &Path, gid: Option<u32>) -> io::Result<UnixListener> {
    const BACKLOG: i32 = 128;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket: OwnedFd =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    let mode = if gid.is_some() { 0o660 } else { 0o600 };
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    if gid.is_some() {
        chown(path, None, gid)?;
    }
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

fn cannot_make(path: &Path, error: &io::Error) -> Error {
    let long = path.as_os_str().len() > 107;
    let why = if long { "a socket's path has at most 107 bytes" } else { &error.to_string() };
    let message = format!("cannot make the admin socket '{}'", path.display());
    Error::new(Code::Start, message, why, "choose another path with --admin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_socket_is_refused_with_its_pid_and_a_stale_one_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("made/6380.sock");
        let first = Claim::new(&path, None).expect("free");
        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().expect("folder"))), (0o600, 0o700));
        let refused = Claim::new(&path, None).expect_err("taken");
        assert_eq!(refused.code, Code::Start);
        let pid = std::process::id();
        assert_eq!(refused.detail, format!("the host with pid {pid} answers there"));
        drop(first);
        assert!(!path.exists());
        drop(UnixListener::bind(&path).expect("leaves a stale socket behind"));
        assert!(path.exists());
        drop(Claim::new(&path, None).expect("a stale socket is replaced"));
    }

    #[test]
    fn a_file_in_the_way_is_never_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notes.sock");
        fs::write(&path, "precious").expect("written");
        let refused = Claim::new(&path, None).expect_err("in the way");
        assert_eq!(refused.detail, "a file that is not a socket is in its place");
        assert_eq!(fs::read(&path).expect("still there"), b"precious");
    }
}
