//! A child process that ends with this program, and what `/proc` says about it.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, set_parent_process_death_signal};
use rustix::time::Timespec;

use crate::clock::{MILLISECOND, SECOND, now_ns};

/// How long a child may take until it is ready.
const START_PATIENCE_NS: u64 = 300 * SECOND;
/// How often it is asked whether it is ready.
const ASK_AGAIN_NS: u64 = 2 * MILLISECOND;
/// Clock ticks per second in `/proc/PID/stat`: a constant of the Linux interface.
const TICKS: f64 = 100.0;

/// A child that is killed when this is dropped, and by the kernel when this program dies first.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    pidfd: OwnedFd,
}

impl Process {
    /// Starts a child.
    pub fn spawn(name: &str, command: &mut Command) -> Result<Self> {
        // SAFETY: between fork and exec only one system call is made, and nothing is allocated.
        unsafe {
            command.pre_exec(|| {
                set_parent_process_death_signal(Some(Signal::KILL)).map_err(Into::into)
            });
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {name} ({:?})", command.get_program()))?;
        let opened = Pid::from_raw(child.id().cast_signed())
            .context("the child has no id")
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).context("pidfd_open"));
        match opened {
            Ok(pidfd) => Ok(Self { name: name.to_owned(), child, pidfd }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Asks until the child is ready; gives up when it ends, or takes too long.
    pub fn until_ready<T>(&mut self, mut ask: impl FnMut() -> Result<T>) -> Result<T> {
        let deadline = now_ns() + START_PATIENCE_NS;
        loop {
            let error = match ask() {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if let Some(status) = self.ended_within(ASK_AGAIN_NS)? {
                bail!("{} ended while it started: {status}; its output is above", self.name);
            }
            if now_ns() > deadline {
                return Err(error.context(format!("{} does not get ready", self.name)));
            }
        }
    }

    /// Waits a while for the end of the child.
    fn ended_within(&mut self, ns: u64) -> Result<Option<ExitStatus>> {
        let limit = Timespec { tv_sec: 0, tv_nsec: ns as i64 };
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        // An interrupted wait is a short one.
        let _ = poll(&mut fds, Some(&limit));
        Ok(self.child.try_wait()?)
    }

    /// CPU time of all its threads so far, seconds, to the hundredth.
    pub fn cpu_s(&self) -> Result<f64> {
        seconds_in(&format!("/proc/{}/stat", self.child.id()), [11, 12])
    }

    /// CPU time of the threads that it has now, seconds, to the nanosecond: see `schedstat` in the kernel's
    /// documentation.
    pub fn threads_cpu_s(&self) -> Result<f64> {
        let folder = format!("/proc/{}/task", self.child.id());
        let mut sum_ns = 0;
        for thread in std::fs::read_dir(&folder).with_context(|| folder.clone())? {
            let path = thread?.path().join("schedstat");
            // A thread that has ended meanwhile has no such file.
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let on_cpu = text.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok());
            sum_ns += on_cpu.with_context(|| format!("{} has an unknown form", path.display()))?;
        }
        Ok(sum_ns as f64 / SECOND as f64)
    }

    /// Ends the child on the spot: SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Resident memory, KiB.
    pub fn rss_kib(&self) -> Result<u64> {
        self.memory_kib("VmRSS:")
    }

    /// Most resident memory since [`Process::forget_peak`], KiB.
    pub fn peak_kib(&self) -> Result<u64> {
        self.memory_kib("VmHWM:")
    }

    /// Begins to look for the peak anew: `clear_refs` in proc(5).
    pub fn forget_peak(&self) -> Result<()> {
        let path = format!("/proc/{}/clear_refs", self.child.id());
        std::fs::write(&path, "5").with_context(|| path.clone())
    }

    fn memory_kib(&self, name: &str) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .with_context(|| format!("{path} has no {name}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // What a benchmark's child holds is not worth a graceful end.
        self.kill();
    }
}

/// CPU time of all children that have ended, seconds, to the hundredth.
pub fn ended_children_cpu_s() -> Result<f64> {
    seconds_in("/proc/self/stat", [13, 14])
}

/// The sum of two times in a `stat` file, whose fields are counted from the one behind the name.
fn seconds_in(path: &str, fields: [usize; 2]) -> Result<f64> {
    let text = std::fs::read_to_string(path).with_context(|| path.to_owned())?;
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let all: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| all.get(at).and_then(|field| field.parse::<f64>().ok());
    match fields.map(ticks) {
        [Some(user), Some(system)] => Ok((user + system) / TICKS),
        _ => bail!("{path} has an unknown form"),
    }
}

/// Raises the limit of open files as far as this process may; children inherit it.
pub fn raise_open_files(wanted: u64) -> Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|now| now >= wanted) {
        return Ok(());
    }
    limit.current = limit.maximum.map(|most| most.min(wanted)).or(Some(wanted));
    setrlimit(Resource::Nofile, limit)?;
    if limit.current.is_some_and(|now| now < wanted) {
        bail!("so many clients need {wanted} open files; raise the hard limit (ulimit -Hn)");
    }
    Ok(())
}
