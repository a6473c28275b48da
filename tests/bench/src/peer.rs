//! A server to compare with, as a child.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::Process;

#[path = "../../src/port.rs"]
mod port;

use port::Port;

/// How long it may take to answer a PING.
const PATIENCE: Duration = Duration::from_secs(1);

/// A running peer. Ends when dropped.
#[derive(Debug)]
pub struct Peer {
    /// The process.
    pub process: Process,
    /// Where its clients connect.
    pub address: SocketAddr,
    _port: Port,
    // Last, so that the folder outlives the process.
    _folder: tempfile::TempDir,
}

impl Peer {
    /// Starts a Redis, or something that takes its options, without persistence.
    pub fn redis(program: &str) -> Result<Self> {
        Self::start(program, |command, port| {
            command.args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]);
            command.args(["--port", &port.to_string()]);
        })
    }

    /// Starts a Redis that keeps its data in a folder.
    pub fn redis_on(folder: &Path, options: &[&str]) -> Result<Self> {
        Self::start("redis-server", |command, port| {
            command.arg("--dir").arg(folder).args(["--save", "", "--bind", "127.0.0.1"]);
            command.args(["--port", &port.to_string()]).args(options);
        })
    }

    /// Starts any command line; `{port}` in it stands for the port.
    pub fn command(line: &str) -> Result<Self> {
        let mut words = line.split_whitespace();
        let program = words.next().context("an empty --peer-cmd")?;
        ensure!(line.contains("{port}"), "--peer-cmd wants {{port}} where the port goes: {line}");
        Self::start(program, |command, port| {
            command.args(words.map(|word| word.replace("{port}", &port.to_string())));
        })
    }

    fn start(program: &str, arguments: impl FnOnce(&mut Command, u16)) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("hotshell-bench-peer-").tempdir()?;
        let port = Port::reserve()?;
        let address = port.address();
        let mut command = Command::new(program);
        arguments(&mut command, address.port());
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = Process::spawn(program, &mut command)?;
        process.until_ready(|| ping(address))?;
        Ok(Self { process, address, _port: port, _folder: folder })
    }
}

fn ping(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    ensure!(&answer == b"+PONG\r\n", "a PING was answered {:?}", String::from_utf8_lossy(&answer));
    Ok(())
}
