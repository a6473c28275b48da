//! Stage 4: the first run of foreign code happens in another process, which may crash or hang.
//!
//! The child is an exec of this very program. It is started by `posix_spawn`, never by a bare fork:
//! a fork would copy the page tables of the whole state and slow every engine down.

mod child;
mod host;
mod protocol;
mod trial;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hotshell_plugin_api::migrate::lineage::Lineage;
use hotshell_plugin_api::schema::{Schema, SchemaError};

use super::inspect::Inspected;
use super::reason::Reason;
use crate::error::Code;
use crate::generation::{Artifact, Shape};
pub use child::vet_main;
pub use host::host_table as vet_host_table;
use protocol::{At, Done, Line, Order};
use trial::{Ending, Trial};

/// How the child is started and what it may use.
#[derive(Debug)]
pub(super) struct Vet {
    pub program: PathBuf,
    pub timeout: Duration,
    pub memory: u64,
}

/// What the child found out.
#[derive(Debug)]
pub(super) struct Vetted {
    pub shape: Shape,
    /// Whether the image went when the child closed it.
    pub unmapped: bool,
}

impl Vet {
    /// Runs a staged file in a child: constructors, handshake, `init` and `self_test` on a fresh
    /// state, destructors.
    pub fn run(
        &self,
        staged: &Path,
        inspected: &Inspected,
        config: &BTreeMap<String, String>,
        cancel: &AtomicBool,
    ) -> Result<Vetted, Reason> {
        let order = Order::new(inspected, config, self);
        let trial =
            Trial::start(&self.program, staged, &order).map_err(|e| self.unstartable(&e))?;
        let (ending, said) = trial.watch(self.timeout, cancel);
        let verdict = Verdict { vet: self, artifact: &inspected.artifact, at: said.at };
        match (ending, said.last) {
            (Ending::Cancelled, _) => Err(cancelled()),
            (_, Some(Line::Refused(refusal))) => Err(refusal.into_reason()),
            (_, Some(Line::Done(done))) => verdict.done(done),
            (Ending::TimedOut, _) => Err(verdict.hung(&said.words)),
            (Ending::Exited(status), _) => Err(verdict.died(status, &said.words)),
        }
    }

    fn unstartable(&self, error: &std::io::Error) -> Reason {
        let detail =
            format!("the vet child '{}' cannot be started: {error}", self.program.display());
        Reason::new(Code::Vet, detail, "let the host start processes, then load again")
    }
}

/// The error of a load that somebody called off.
pub(super) fn cancelled() -> Reason {
    let detail = "the load was cancelled by a rollback or a stop";
    Reason::new(Code::Cancelled, detail, "load it again")
}

/// Turns the child's end into words.
struct Verdict<'a> {
    vet: &'a Vet,
    artifact: &'a Artifact,
    at: At,
}

impl Verdict<'_> {
    fn done(&self, done: Done) -> Result<Vetted, Reason> {
        let read = |what: &'static str, hex: &str| {
            let bytes = hex::decode(hex).unwrap_or_default();
            let damaged = move |error: SchemaError| {
                let detail = format!("the vet child's {what}: {error}");
                Reason::new(Code::Vet, detail, "load it again")
            };
            (bytes, damaged)
        };
        let (bytes, damaged) = read("schema", &done.schema);
        let schema = Schema::decode(&bytes).map_err(damaged)?;
        let (bytes, damaged) = read("lineage", &done.lineage);
        let lineage = Lineage::decode(&bytes, &schema).map_err(damaged)?;
        Ok(Vetted { shape: Shape::new(schema, lineage), unmapped: done.unmapped })
    }

    fn hung(&self, words: &str) -> Reason {
        let limit = self.vet.timeout.as_millis();
        let detail = format!(
            "{} hung {}: no answer within {limit} ms{}",
            self.plugin(),
            self.at.words(),
            last_words(words)
        );
        self.contained(detail)
    }

    fn died(&self, status: ExitStatus, words: &str) -> Reason {
        let (end, words) = (end_of(status), last_words(words));
        if self.at == At::Start {
            let program = self.vet.program.display();
            let detail = format!("the vet child '{program}' {end} before it began{words}");
            return Reason::new(Code::Vet, detail, "it must be the hotshell program of this host");
        }
        self.contained(format!("{} {end} {}{words}", self.plugin(), self.at.words()))
    }

    fn plugin(&self) -> String {
        format!("plugin '{}' {}", self.artifact.plugin, self.artifact.version)
    }

    fn contained(&self, detail: String) -> Reason {
        let again = format!(
            "it happened in a child, nothing changed here; correct the plugin, then try \
             `hotshell check {}`",
            self.artifact.path.display()
        );
        Reason::new(Code::Vet, detail, again)
    }
}

/// The end of what the child printed, on one line.
fn last_words(words: &str) -> String {
    const MOST: usize = 240;
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        return String::new();
    }
    let skip = line.chars().count().saturating_sub(MOST);
    format!("; its last words: {}", line.chars().skip(skip).collect::<String>())
}

fn end_of(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was killed by {}", signal_name(signal)),
        (None, code) => format!("ended its process with exit code {}", code.unwrap_or(-1)),
    }
}

fn signal_name(signal: i32) -> String {
    const NAMES: [(i32, &str); 10] = [
        (libc::SIGSEGV, "SIGSEGV (invalid memory access)"),
        (libc::SIGBUS, "SIGBUS (access beyond a file's end)"),
        (libc::SIGABRT, "SIGABRT (abort)"),
        (libc::SIGILL, "SIGILL (illegal instruction)"),
        (libc::SIGFPE, "SIGFPE (arithmetic)"),
        (libc::SIGKILL, "SIGKILL (from outside, or out of memory)"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGXCPU, "SIGXCPU (its processor time is used up)"),
        (libc::SIGXFSZ, "SIGXFSZ (it wrote to a file)"),
        (libc::SIGSYS, "SIGSYS (forbidden system call)"),
    ];
    let known = NAMES.iter().find(|n| n.0 == signal);
    known.map_or_else(|| format!("signal {signal}"), |n| n.1.to_owned())
}
