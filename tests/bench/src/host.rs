//! A hotshell host as a child, with its admin connection.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::admin::{Admin, number};
use crate::artifacts;
use crate::process::Process;

/// A running host. Ends when dropped.
#[derive(Debug)]
pub struct Host {
    /// The process.
    pub process: Process,
    /// The admin connection.
    pub admin: Admin,
    /// Where its clients connect.
    pub address: SocketAddr,
    // Last, so that the folder outlives the process.
    folder: TempDir,
}

/// The answer of `use` and `swap`.
#[derive(Debug, Clone, Copy)]
pub struct Switched {
    /// From the last return of the old code until the new code may be called, microseconds.
    pub pause_us: f64,
    /// The whole verb as the host saw it, microseconds.
    pub total_us: f64,
}

impl Host {
    /// Starts a host with a plugin, on a port that the system chooses.
    pub fn start(plugin: &Path) -> Result<Self> {
        Self::with(plugin, |_| {})
    }

    /// Starts a host with a plugin and more flags.
    pub fn with(plugin: &Path, flags: impl FnOnce(&mut Command)) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("hotshell-bench-").tempdir()?;
        let socket = folder.path().join("admin.sock");
        let mut command = Command::new(artifacts::hotshell()?);
        command.arg("serve").arg("--plugin").arg(plugin);
        command.args(["--listen", "127.0.0.1:0"]).arg("--admin").arg(&socket);
        flags(&mut command);
        command.env("XDG_RUNTIME_DIR", folder.path()).env_remove("RUNTIME_DIRECTORY");
        // Lines about each swap are part of its price, but nobody wants to read a thousand of them.
        command.env_remove("HOTSHELL_ADMIN").stdin(Stdio::null()).stdout(Stdio::null());
        let log = std::fs::File::create(folder.path().join("host.log"))?;
        command.stderr(log);
        let mut process = Process::spawn("hotshell serve", &mut command)?;
        let ready = process.until_ready(|| {
            let mut admin = Admin::connect(&socket)?;
            // While it starts, `status` says how far it is.
            admin.ask(&["ping"])?;
            let status = admin.ask(&["status"])?;
            Ok((admin, status))
        });
        let (admin, status) = ready.map_err(|error| match read_log(&folder) {
            Some(log) => error.context(format!("its log:\n{log}")),
            None => error,
        })?;
        let listen = status["listen"].as_str().context("`status --json` has no 'listen'")?;
        let address =
            listen.parse().with_context(|| format!("'listen' is no address: {listen}"))?;
        Ok(Self { process, admin, address, folder })
    }

    /// Where its admin socket is.
    pub fn admin_path(&self) -> PathBuf {
        self.folder.path().join("admin.sock")
    }

    /// Switches to a generation that is loaded.
    pub fn use_generation(&mut self, generation: u64) -> Result<Switched> {
        let answer = self.admin.ask(&["use", &generation.to_string()])?;
        Switched::read(&answer)
    }

    /// Switches back.
    pub fn rollback(&mut self) -> Result<Switched> {
        let answer = self.admin.ask(&["rollback"])?;
        Switched::read(&answer)
    }

    /// Loads a file and switches to it.
    pub fn swap(&mut self, plugin: &Path) -> Result<Switched> {
        let answer = self.admin.ask(&["swap", path_text(plugin)?])?;
        Switched::read(&answer)
    }

    /// Loads a file; answers its generation and how long it took, microseconds.
    pub fn load(&mut self, plugin: &Path) -> Result<(u64, f64)> {
        let answer = self.admin.ask(&["load", path_text(plugin)?])?;
        Ok((number(&answer, "generation")? as u64, number(&answer, "total_us")?))
    }

    /// Gives a generation up; answers whether its image is still mapped.
    pub fn discard(&mut self, generation: u64) -> Result<bool> {
        let answer = self.admin.ask(&["discard", &generation.to_string()])?;
        Ok(answer["mapped"].as_bool().unwrap_or(true))
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("host.log")).unwrap_or_default()
    }

    /// The answer of `status`.
    pub fn status(&mut self) -> Result<Value> {
        self.admin.ask(&["status"])
    }
}

impl Switched {
    fn read(answer: &Value) -> Result<Self> {
        Ok(Self { pause_us: number(answer, "pause_us")?, total_us: number(answer, "total_us")? })
    }
}

fn path_text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// The last lines that the host wrote.
fn read_log(folder: &TempDir) -> Option<String> {
    let path: PathBuf = folder.path().join("host.log");
    let text = std::fs::read_to_string(path).ok()?;
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(20)..];
    (!last.is_empty()).then(|| last.join("\n"))
}
