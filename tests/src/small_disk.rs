//! A file system of a few megabytes, in a mount namespace of its own, that a test can fill and make
//! read-only. Programs enter the namespace; the test reaches it through `/proc/PID/root`.

use std::fs;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::cli::skipped;
use crate::files::Folder;

/// Mounts it, says so, and remounts it read-only or writable as it is told, until its input ends.
const HOLD: &str = r#"mount -t tmpfs -o size="$1"m none "$0" && echo mounted &&
while read -r how; do mount -o remount,"$how" "$0" && echo "$how"; done"#;

/// A small file system. Gone with everything on it when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    holder: Child,
    orders: Option<ChildStdin>,
    said: BufReader<std::process::ChildStdout>,
    at: Folder,
}

impl SmallDisk {
    /// One of so many MiB; `None`, with a word about it, where this user may not make one.
    ///
    /// # Panics
    /// When the child's streams break.
    pub fn new(mib: u64) -> Option<Self> {
        let at = Folder::new();
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", HOLD]);
        unshare.arg(at.path()).arg(mib.to_string());
        unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut holder) = unshare.spawn() else {
            skipped("unshare(1) is not installed");
            return None;
        };
        let (orders, said) = (holder.stdin.take(), holder.stdout.take().expect("piped"));
        let mut disk = Self { holder, orders, said: BufReader::new(said), at };
        if disk.heard() == "mounted" {
            return Some(disk);
        }
        skipped("this user may not mount a file system in a namespace of its own");
        None
    }

    /// Its root, for programs that are inside.
    pub fn path(&self) -> &Path {
        self.at.path()
    }

    /// Where the test finds what a program inside calls `path`.
    pub fn outside(&self, path: &Path) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.holder.id(), path.display()))
    }

    /// A program that runs inside.
    pub fn inside(&self, program: &Command) -> Command {
        let mut enter = Command::new("nsenter");
        enter.args(["--user", "--mount", "--preserve-credentials", "--target"]);
        enter.arg(self.holder.id().to_string()).arg(program.get_program());
        enter.args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => enter.env(name, value),
                None => enter.env_remove(name),
            };
        }
        enter
    }

    /// Leaves no byte free.
    ///
    /// # Panics
    /// When something else than the end of the room stops it.
    pub fn fill(&self) {
        let mut ballast = fs::File::create(self.ballast()).expect("a file");
        let mut chunk = vec![1; 1 << 20];
        while !chunk.is_empty() {
            match ballast.write(&chunk) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    chunk.truncate(chunk.len() / 2);
                }
                Err(error) => panic!("cannot fill the disk: {error}"),
            }
        }
    }

    /// Makes room again.
    ///
    /// # Panics
    /// When it was not full.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("the ballast is there");
    }

    /// Lets nobody write to it any more. Nobody may have a file open for writing.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn make_read_only(&mut self) {
        self.remount("ro");
    }

    fn remount(&mut self, how: &str) {
        let orders = self.orders.as_mut().expect("open until dropped");
        writeln!(orders, "{how}").expect("the holder reads");
        assert_eq!(self.heard(), how, "it is remounted");
    }

    fn heard(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("the holder's output is text");
        line.trim_end().to_owned()
    }

    fn ballast(&self) -> PathBuf {
        self.outside(&self.path().join("ballast"))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.holder.wait();
    }
}
