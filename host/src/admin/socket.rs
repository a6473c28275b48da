//! Claiming the admin socket's path: one live host per path, and nobody else gets in.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
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
            return Err(taken(path, None));
        }
        remove_stale(path)?;
        let listener = listen(path, gid)?;
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
    let made = !folder.exists();
    if made {
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(|e| failed(&e))?;
    }
    let ours_by_default = folder == super::path::default_folder();
    if ours_by_default {
        is_safe(folder)?;
    }
    // The group has to get through to the socket, also where an earlier start made the folder without
    // one; nobody else does. A folder that somebody else made, for us to be in, stays as it is.
    let closed = || fs::metadata(folder).is_ok_and(|found| found.mode() & 0o007 == 0);
    if let Some(gid) = gid.filter(|_| made || (ours_by_default && closed())) {
        chown(folder, None, Some(gid)).map_err(|error| no_member(gid, &error))?;
        fs::set_permissions(folder, Permissions::from_mode(0o710)).map_err(|e| failed(&e))?;
    }
    Ok(())
}

/// Whether nobody else can put anything into the folder.
fn is_safe(folder: &Path) -> Result<()> {
    let failed = |error: &io::Error| cannot_make(folder, error);
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
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(taken(path, pid_in(lock_path))),
            Err(error) => return Err(cannot_make(lock_path, &error.into())),
        }
        // The one who held it before may have removed the file between our open and our lock.
        let ours = file.metadata().map_err(|error| cannot_make(lock_path, &error))?;
        let there = fs::metadata(lock_path).ok();
        if there.is_some_and(|there| there.ino() == ours.ino()) {
            // For whoever comes while the socket does not answer; without it the text is less clear.
            let _ = file.set_len(0).and_then(|()| (&file).write_all(own_pid().as_bytes()));
            return Ok(file);
        }
    }
}

fn own_pid() -> String {
    format!("{}\n", std::process::id())
}

/// The pid of the host that holds the lock.
fn pid_in(lock_path: &Path) -> Option<i32> {
    fs::read_to_string(lock_path).ok()?.trim().parse().ok()
}

fn taken(path: &Path, locked_by: Option<i32>) -> Error {
    let answers = UnixStream::connect(path).ok().and_then(|stream| owner(&stream));
    let why = match (answers, locked_by) {
        (Some(pid), _) => format!("the host with pid {pid} answers there"),
        (None, Some(pid)) => format!("the host with pid {pid} holds it"),
        (None, None) => "another host holds it".to_owned(),
    };
    Error::new(
        Code::Start,
        format!("the admin socket '{}' is taken", path.display()),
        why,
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
fn listen(path: &Path, gid: Option<u32>) -> Result<UnixListener> {
    const BACKLOG: i32 = 128;
    let failed = |error: io::Error| cannot_make(path, &error);
    let bound = || -> io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket: OwnedFd =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(socket)
    };
    let socket = bound().map_err(failed)?;
    let mode = if gid.is_some() { 0o660 } else { 0o600 };
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
    if let Some(gid) = gid {
        chown(path, None, Some(gid)).map_err(|error| no_member(gid, &error))?;
    }
    rustix::net::listen(&socket, BACKLOG).map_err(|error| failed(error.into()))?;
    Ok(UnixListener::from(socket))
}

/// Only members of a group may give files to it.
fn no_member(gid: u32, error: &io::Error) -> Error {
    let message = format!("cannot let group {gid} use the admin socket");
    let hint = "name a group that this user is in with --admin-group, or start as root";
    Error::new(Code::Start, message, error.to_string(), hint)
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
        // A socket that somebody removed is not free: its host still runs.
        fs::remove_file(&path).expect("there");
        let refused = Claim::new(&path, None).expect_err("taken");
        assert_eq!(refused.detail, format!("the host with pid {pid} holds it"));
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
