//! One run of the vet child, seen from the host: started, listened to, ended for certain.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::protocol::{At, Line, Order};

/// How often a waiting host looks whether the load was called off.
const CANCEL_LOOK: Duration = Duration::from_millis(10);
/// Most of the child's time that may pass between two such looks.
const MOST_PER_LOOK: Duration = Duration::from_millis(100);
/// Most bytes kept of the report. A schema of a thousand types is about 100 kB.
const MAX_REPORT: usize = 16 << 20;
/// Most bytes kept of what the child prints; the rest is read and thrown away.
const MAX_WORDS: usize = 64 << 10;
/// Environment that the child keeps: what decides which libraries are found, and texts.
const KEPT_ENV: [&str; 3] = ["LD_LIBRARY_PATH", "TZ", "LANG"];

/// A running child.
pub(super) struct Trial {
    child: Child,
    ended: OwnedFd,
    report: Pipe,
    words: [Pipe; 2],
}

/// How a child ended.
pub(super) enum Ending {
    Exited(ExitStatus),
    TimedOut,
    Cancelled,
}

/// What a child left behind.
pub(super) struct Said {
    /// The last step it announced.
    pub at: At,
    /// Its verdict, if it came to one.
    pub last: Option<Line>,
    /// What it printed.
    pub words: String,
}

impl Trial {
    pub fn start(program: &Path, staged: &Path, order: &Order) -> io::Result<Self> {
        let (mut report, theirs) = UnixStream::pair()?;
        let order = serde_json::to_string(order)? + "\n";
        let mut command = Command::new(program);
        command.arg("__vet").arg(staged);
        command
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.env_clear().current_dir("/").process_group(0);
        command.envs(KEPT_ENV.iter().filter_map(|k| Some((*k, std::env::var_os(k)?))));
        let mut child = command.spawn()?;
        let out = child.stdout.take().map(OwnedFd::from);
        let err = child.stderr.take().map(OwnedFd::from);
        let ended = match pidfd(&child) {
            Ok(ended) => ended,
            Err(error) => {
                end(&mut child);
                return Err(error);
            }
        };
        // Not an argument: arguments can be seen by all. A child that is gone cannot read it.
        let _ = report.write_all(order.as_bytes());
        let report = Pipe::new(Some(report.into()), MAX_REPORT, Keep::First);
        let words = [out, err].map(|fd| Pipe::new(fd, MAX_WORDS, Keep::Last));
        Ok(Self { child, ended, report, words })
    }

    /// Waits for the child's end, not longer than `limit`, and not longer than anybody wants it.
    /// Afterwards no process of its group is left.
    pub fn watch(mut self, limit: Duration, cancel: &AtomicBool) -> (Ending, Said) {
        let mut left = limit;
        let stopped = loop {
            if cancel.load(Ordering::Relaxed) {
                break Some(Ending::Cancelled);
            }
            if left.is_zero() {
                break Some(Ending::TimedOut);
            }
            let before = Instant::now();
            if self.wait_for_news(left.min(CANCEL_LOOK)) {
                break None;
            }
            left = left.saturating_sub(counted(before.elapsed()));
        };
        let status = end(&mut self.child);
        self.listen();
        let said = self.said();
        (stopped.or(status.map(Ending::Exited)).unwrap_or(Ending::TimedOut), said)
    }

    /// Waits for a word or the end; `true` when the child has ended.
    fn wait_for_news(&mut self, at_most: Duration) -> bool {
        let pipes = [&self.report, &self.words[0], &self.words[1]];
        let open = pipes.into_iter().filter_map(|p| p.fd.as_ref()).map(File::as_fd);
        let all = [self.ended.as_fd()].into_iter().chain(open);
        let mut fds: Vec<PollFd<'_>> =
            all.map(|fd: BorrowedFd<'_>| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let timeout = Timespec {
            tv_sec: at_most.as_secs() as i64,
            tv_nsec: i64::from(at_most.subsec_nanos()),
        };
        // An interrupted wait is a short one.
        let _ = poll(&mut fds, Some(&timeout));
        let ended = !fds[0].revents().is_empty();
        drop(fds);
        self.listen();
        ended
    }

    fn listen(&mut self) {
        self.report.drain();
        self.words.iter_mut().for_each(Pipe::drain);
    }

    fn said(self) -> Said {
        let mut said = Said { at: At::Start, last: None, words: String::new() };
        for line in self.report.bytes.split(|&b| b == b'\n') {
            match serde_json::from_slice(line) {
                Ok(Line::At(at)) => said.at = at,
                Ok(last) => said.last = Some(last),
                Err(_) => {}
            }
        }
        let [out, err] = self.words;
        let words = if err.bytes.is_empty() { out.bytes } else { err.bytes };
        said.words = String::from_utf8_lossy(&words).into_owned();
        said
    }
}

/// How much of a wait counts against the child. A machine that stood still, or had no time for this
/// thread, had none for the child either.
fn counted(waited: Duration) -> Duration {
    waited.min(MOST_PER_LOOK)
}

fn pidfd(child: &Child) -> io::Result<OwnedFd> {
    Ok(pidfd_open(pid(child), PidfdFlags::empty())?)
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Kills whatever is left of the child and of what it started, then buries it. Its pid is not used
/// again before the `wait`, so the group is the right one.
fn end(child: &mut Child) -> Option<ExitStatus> {
    let _ = kill_process_group(pid(child), Signal::KILL);
    // It may have left its group, and the wait below has no limit.
    let _ = child.kill();
    child.wait().ok()
}

/// A pipe that is read as far as it goes without waiting.
struct Pipe {
    fd: Option<File>,
    bytes: Vec<u8>,
    most: usize,
    keep: Keep,
}

/// Which bytes are kept of a pipe that says too much.
enum Keep {
    First,
    Last,
}

impl Pipe {
    fn new(fd: Option<OwnedFd>, most: usize, keep: Keep) -> Self {
        let fd = fd.filter(|fd| {
            let flags = fcntl_getfl(fd).unwrap_or(OFlags::empty());
            fcntl_setfl(fd, flags | OFlags::NONBLOCK).is_ok()
        });
        Self { fd: fd.map(File::from), bytes: Vec::new(), most, keep }
    }

    /// Reads at most 1 MiB a time, so that a child that prints without end cannot hold the host.
    fn drain(&mut self) {
        let mut chunk = [0; 16 << 10];
        for _ in 0..64 {
            let Some(file) = &mut self.fd else { return };
            match file.read(&mut chunk) {
                Ok(0) => self.fd = None,
                Ok(n) => self.take(&chunk[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.fd = None,
            }
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        match self.keep {
            Keep::First => {
                let room = self.most - self.bytes.len().min(self.most);
                self.bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Keep::Last => {
                self.bytes.extend_from_slice(chunk);
                if self.bytes.len() > 2 * self.most {
                    self.bytes.drain(..self.bytes.len() - self.most);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_stood_still_costs_the_child_no_time() {
        assert_eq!(counted(CANCEL_LOOK), CANCEL_LOOK);
        assert_eq!(counted(Duration::from_secs(173)), MOST_PER_LOOK);
    }
}
