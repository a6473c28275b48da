//! How the rest of the host talks to an engine: commands through a channel, counters through memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hotshell_plugin_api::durability::NotSet;
use hotshell_plugin_api::migrate::plan::Plan;
use tokio::sync::{Notify, mpsc, oneshot};

use super::asleep::is_asleep;
use super::snapshot::Snapshot;
use crate::data::Progress;
use crate::error::{Code, Error, Result};
use crate::generation::Callable;

/// What the control thread asks of an engine. Each carries the sender of its answer.
#[derive(Debug)]
pub enum Command {
    /// Make another generation the active one.
    Use(Box<Switch>, oneshot::Sender<Result<Switched>>),
    /// Let the active plugin look at the live state; the answer is its refusal, if any.
    SelfTest(oneshot::Sender<Result<()>>),
    /// Run an admin verb of the plugin; the answer is its text.
    Plugin(Vec<Vec<u8>>, oneshot::Sender<Result<Vec<u8>>>),
    /// Set a key of [`Live`](crate::config::Live).
    Set(String, String, oneshot::Sender<std::result::Result<(), NotSet>>),
    /// Take a snapshot; the answer comes when it is on disk.
    Snapshot(oneshot::Sender<Result<Snapshot>>),
    /// Finish what is being answered, close every client, end the thread.
    Stop(oneshot::Sender<()>),
}

/// A switch to another generation, prepared by the control thread.
#[derive(Debug)]
pub struct Switch {
    /// The generation to switch to.
    pub to: Callable,
    /// How the active generation's state becomes its state.
    pub plan: Arc<Plan>,
    /// Convert lists of any length at once.
    pub allow_stop: bool,
    /// Only look: answer with the plan, switch nothing.
    pub dry_run: bool,
}

/// What a switch did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Switched {
    /// From the last return of the old code until the new code may be called, nanoseconds.
    pub pause_ns: u64,
    /// Page faults in that time: memory that was not ready. 0 where the shape stays.
    pub faults: u64,
    /// The generation that served before.
    pub from: u64,
    /// Parts of the state that the new generation cannot hold: set aside, or in a dry run what would be.
    pub set_aside: u64,
    /// Parts that were set aside and are there again.
    pub returned: u64,
    /// What would be converted while nobody is served: in a dry run only.
    pub whole: Whole,
}

/// What a switch converts at once: elements of lists, and entries of trees that may lose some.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Whole {
    /// How many elements and entries.
    pub elements: u64,
    /// About how long that takes, nanoseconds, told from the first of them; 0 when it cannot be told.
    pub expected_ns: u64,
}

/// Counters that an engine publishes and anybody may read. Written by the engine only, so a plain
/// load and store of relaxed atomics is exact.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "the names say it; units last, plain numbers otherwise")]
pub struct Counters {
    pub generation: AtomicU64,
    pub clients: AtomicU64,
    pub connections: AtomicU64,
    pub rejected: AtomicU64,
    pub calls: AtomicU64,
    pub panics: AtomicU64,
    pub failed: AtomicU64,
    pub swaps: AtomicU64,
    pub swap_pause_ns_last: AtomicU64,
    pub swap_pause_ns_max: AtomicU64,
    pub state_bytes: AtomicU64,
    pub state_bytes_peak: AtomicU64,
    pub set_aside: AtomicU64,
    /// Parts that were set aside and cannot return.
    pub overtaken: AtomicU64,
    pub conversions_panicked: AtomicU64,
    /// Entries of large maps, and sessions, that are still to be converted.
    pub draining: AtomicU64,
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
    /// Bytes that a start has read back so far, of so many.
    pub loading_bytes: AtomicU64,
    /// See `loading_bytes`; 0 when there is nothing to read back.
    pub loading_of_bytes: AtomicU64,
    /// Position behind the last frame that the journal was given.
    pub journal_position: AtomicU64,
    /// How far the journal is on disk; none without a journal.
    pub journal: OnceLock<Arc<Progress>>,
    /// 1 while the active generation reads its journal back.
    pub replays: AtomicU64,
    /// When the last snapshot was on disk, milliseconds since the Unix epoch; 0 before the first.
    pub snapshot_at_ms: AtomicU64,
    /// 1 while one is being taken.
    pub snapshot_running: AtomicU64,
    pub closed_slow: AtomicU64,
    pub closed_unread: AtomicU64,
    /// What the active generation did since it was switched to.
    pub now: Conduct,
    /// What the one before did, up to that switch.
    pub before: Conduct,
    /// CPU time of the engine's thread when the active generation was switched to, nanoseconds.
    pub cpu_at_switch_ns: AtomicU64,
    /// Told of each panic, so that probation looks at once.
    pub alarm: Notify,
    /// Calls of the active generation whose CPU time cannot be told from that of a drain.
    pub calls_unwatched: AtomicU64,
    /// The engine thread's id in the kernel, for its CPU clock and for a look at its stack.
    pub thread: AtomicU64,
    /// Counters that the plugin named, in the order of their first use.
    plugin: Mutex<Vec<(String, u64)>>,
    /// Monotonic nanoseconds at which the running call began; 0 between calls.
    pub call_since_ns: AtomicU64,
    /// Which function of the table the running call is in: an index into [`CALL_KINDS`].
    pub call_kind: AtomicU64,
}

/// How one generation behaves: what probation looks at. Published like [`Counters`].
#[derive(Debug, Default)]
pub struct Conduct {
    /// Calls of `data`.
    pub calls: AtomicU64,
    /// Calls that panicked.
    pub panics: AtomicU64,
    /// Replies that the plugin marked as failed.
    pub failed: AtomicU64,
    /// Defaults and conversions that panicked since it was switched to.
    pub conversions_panicked: AtomicU64,
    /// Turns of calls of `data` in which somebody who looked found the engine's thread asleep. Whoever
    /// looks adds to it.
    pub waits: AtomicU64,
    /// For how long about it was asleep in such calls, nanoseconds: the time between two looks counts
    /// as the second one finds it. Whoever looks adds to it.
    pub waited_ns: AtomicU64,
    /// CPU time that the engine's thread has used in this generation's time, nanoseconds. Known only
    /// once that time is over.
    pub cpu_ns: AtomicU64,
}

impl Conduct {
    /// Takes over what `other` holds, and empties that. Engine thread only.
    pub(super) fn take(&self, other: &Self, cpu_ns: u64) {
        let pairs = [
            (&self.calls, &other.calls),
            (&self.panics, &other.panics),
            (&self.failed, &other.failed),
            (&self.conversions_panicked, &other.conversions_panicked),
            (&self.waits, &other.waits),
            (&self.waited_ns, &other.waited_ns),
        ];
        for (mine, theirs) in pairs {
            mine.store(theirs.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        }
        self.cpu_ns.store(cpu_ns, Ordering::Relaxed);
    }
}

/// The functions of a plugin that an engine calls, by [`Counters::call_kind`].
pub const CALL_KINDS: [&str; 10] = [
    "none",
    "data",
    "connect",
    "disconnect",
    "tick",
    "command",
    "shutdown",
    "init",
    "self_test",
    "replay",
];

impl Counters {
    /// Adds to a counter. Engine thread only.
    #[inline]
    pub fn add(counter: &AtomicU64, by: u64) {
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    /// Counters that the plugin named, in the order of their first use.
    pub fn plugin(&self) -> Vec<(String, u64)> {
        self.plugin.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn publish_plugin(&self, named: Vec<(String, u64)>) {
        *self.plugin.lock().unwrap_or_else(PoisonError::into_inner) = named;
    }

    /// Notes that a call of `kind` begins, for the watchdog.
    #[inline]
    pub(super) fn enter(&self, kind: CallKind, now_ns: u64) {
        self.call_kind.store(kind as u64, Ordering::Relaxed);
        self.call_since_ns.store(now_ns, Ordering::Relaxed);
    }

    /// Notes that no call runs.
    #[inline]
    pub(super) fn leave(&self) {
        self.call_since_ns.store(0, Ordering::Relaxed);
    }

    /// CPU time that the engine's thread has used since the active generation was switched to,
    /// nanoseconds. Can be asked from any thread; one system call.
    pub fn cpu_now_ns(&self) -> u64 {
        let thread = Self::get(&self.thread) as libc::pid_t;
        thread_cpu_ns(thread).saturating_sub(Self::get(&self.cpu_at_switch_ns))
    }

    /// Since when the engine's thread is asleep in a call of `data`, on the monotonic clock: in a lock, a
    /// file, a sleep. `None` while it runs, wants to run, or is in no such call.
    pub fn asleep_since_ns(&self) -> Option<u64> {
        let call = || {
            let is_data = Self::get(&self.call_kind) == CallKind::Data as u64;
            Some(Self::get(&self.call_since_ns)).filter(|&since_ns| is_data && since_ns > 0)
        };
        let since_ns = call()?;
        let asleep = is_asleep(Self::get(&self.thread));
        // Between two calls it sleeps until a client asks.
        (asleep && call() == Some(since_ns)).then_some(since_ns)
    }

    /// Leaves the calls so far, their CPU time and their waits out of what probation compares: while entries are
    /// converted, the thread's time is not that of the calls. Engine thread only.
    pub(super) fn unwatch(&self) {
        Self::add(&self.cpu_at_switch_ns, self.cpu_now_ns());
        self.calls_unwatched.store(Self::get(&self.now.calls), Ordering::Relaxed);
        self.now.waits.store(0, Ordering::Relaxed);
        self.now.waited_ns.store(0, Ordering::Relaxed);
    }

    /// Reads a counter.
    #[inline]
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

/// CPU time of a thread of this process, nanoseconds; 0 when there is no such thread.
fn thread_cpu_ns(thread: libc::pid_t) -> u64 {
    // How the kernel names the CPU clock of a thread (clock_getcpuclockid(3)).
    let clock = (!thread << 3) | 6;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes into `time` only; a clock that is unknown is an error.
    match unsafe { libc::clock_gettime(clock, &raw mut time) } {
        0 => time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64,
        _ => 0,
    }
}

/// A function of a plugin, as an index into [`CALL_KINDS`].
#[derive(Debug, Clone, Copy)]
pub(super) enum CallKind {
    Data = 1,
    Connect,
    Disconnect,
    Tick,
    Command,
    Shutdown,
    Init,
    SelfTest,
    Replay,
}

/// A running engine, as the control thread sees it.
#[derive(Debug, Clone)]
pub struct EngineHandle {
    /// The server's name.
    pub name: String,
    /// The address it listens on, with the real port.
    pub listen: std::net::SocketAddr,
    /// When it started, milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// Published counters.
    pub counters: Arc<Counters>,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
}

impl EngineHandle {
    /// Switches to another generation.
    ///
    /// # Errors
    /// What the engine or the plugin refused; nothing changed then.
    pub async fn switch(&self, switch: Switch) -> Result<Switched> {
        self.ask(|answer| Command::Use(Box::new(switch), answer)).await?
    }

    /// Runs an admin verb of the active plugin.
    ///
    /// # Errors
    /// What the plugin refused, or its panic.
    pub async fn plugin_command(&self, args: Vec<Vec<u8>>) -> Result<Vec<u8>> {
        self.ask(|answer| Command::Plugin(args, answer)).await?
    }

    /// Lets the active plugin look at the live state.
    ///
    /// # Errors
    /// What the self-test refused, or its panic.
    pub async fn self_test(&self) -> Result<()> {
        self.ask(Command::SelfTest).await?
    }

    /// Takes a snapshot; returns when it is on disk and the journal before it is gone.
    ///
    /// # Errors
    /// `DATA` without a folder, and what the disk says; `BUSY` when a switch came first.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        self.ask(Command::Snapshot).await?
    }

    /// Sets a key of [`Live`](crate::config::Live), which the caller has looked at. Nobody but the engine
    /// is told.
    ///
    /// # Errors
    /// When the engine is gone already.
    pub async fn set(&self, key: &str, text: &str) -> Result<std::result::Result<(), NotSet>> {
        self.ask(|answer| Command::Set(key.to_owned(), text.to_owned(), answer)).await
    }

    /// Stops the engine gracefully; returns when its clients are served and closed.
    ///
    /// # Errors
    /// When the engine is gone already.
    pub async fn stop(&self) -> Result<()> {
        self.ask(Command::Stop).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T> {
        let (answer, hear) = oneshot::channel();
        let gone = || {
            Error::new(
                Code::Internal,
                format!("server '{}' does not answer", self.name),
                "its engine has ended",
                "look at the host's log, then restart the host",
            )
        };
        self.commands.send(command(answer)).map_err(|_| gone())?;
        hear.await.map_err(|_| gone())
    }
}
