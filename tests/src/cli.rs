//! Programs that are run to their end: the command line, and other people's clients.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::artifacts;
use crate::poll::PATIENCE;

/// What became of a program.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained.
    pub stderr: String,
}

impl Ran {
    /// Itself, when the exit code is this.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Its standard output as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        let why = |error| panic!("{error}\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        serde_json::from_str(&self.stdout).unwrap_or_else(why)
    }

    /// The `error` object of a failure with `--json`, whose four parts are texts.
    ///
    /// # Panics
    /// When it is not of that shape.
    #[track_caller]
    pub fn error(&self) -> Value {
        let error = self.json()["error"].clone();
        for part in ["code", "message", "detail", "hint"] {
            assert!(error[part].is_string(), "{part} is missing: {error}");
        }
        error
    }
}

/// The `hotshell` program of this build.
pub fn program() -> PathBuf {
    artifacts::plugin("kv-v1").with_file_name("hotshell")
}

/// The `hotshell` program with nothing in its environment that names a socket.
pub fn command() -> Command {
    let mut command = Command::new(program());
    for name in ["HOTSHELL_ADMIN", "XDG_RUNTIME_DIR", "RUNTIME_DIRECTORY", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

/// Runs `hotshell` with these arguments.
pub fn hotshell<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    let mut command = command();
    command.args(args);
    run(&mut command)
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be started, or does not end in time; it is killed then.
#[track_caller]
pub fn run(command: &mut Command) -> Ran {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, so that what it has started in the background ends with it, too.
    command.process_group(0);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut out = child.stdout.take().expect("piped");
    let mut err = child.stderr.take().expect("piped");
    let read = |from: &mut dyn Read| {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let stdout = std::thread::spawn(move || read(&mut out));
    let stderr = std::thread::spawn(move || read(&mut err));
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break Some(status);
        }
        if Instant::now() > deadline {
            end_group(&child);
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let (stdout, stderr) = (stdout.join().expect("no panic"), stderr.join().expect("no panic"));
    let Some(status) = status else {
        panic!("{command:?} did not end\nstdout: {stdout}\nstderr: {stderr}")
    };
    Ran { code: status.code().unwrap_or(-1), stdout, stderr }
}

fn end_group(child: &Child) {
    let group = i32::try_from(child.id()).expect("a pid");
    // SAFETY: the child leads the group and has not been waited for, so the group is its.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}

/// A program of the system, if it is installed. Without it a test says that it is skipped; with
/// `HOTSHELL_REQUIRE_PEERS=1` it fails.
///
/// # Panics
/// When it is required and missing.
pub fn peer(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| p.is_file());
    if found.is_none() {
        let required = std::env::var("HOTSHELL_REQUIRE_PEERS").is_ok_and(|v| v == "1");
        assert!(!required, "{name} is not installed, and HOTSHELL_REQUIRE_PEERS=1");
        skipped(&format!("{name} is not installed"));
    }
    found
}

/// Says on the terminal, past the test harness's capture, that something was not tested.
pub fn skipped(why: &str) {
    use std::io::Write;
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "skipped: {name}: {why}");
}
