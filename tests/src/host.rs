//! A host as a child process, on ports that the system chooses.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::cli::{self, Ran};
use crate::files::Folder;
use crate::lines::Lines;
use crate::poll::{PATIENCE, eventually};
use crate::resp::Resp;
use crate::small_disk::SmallDisk;

/// Lines of a host that are shown when a test has failed.
const MOST_SAID: usize = 40;

/// A running host. Killed when dropped; what it said is shown when the test failed.
#[derive(Debug)]
pub struct Host {
    child: Child,
    /// Its folder: admin socket, stage, and whatever the test puts there.
    pub folder: Folder,
    /// Its admin socket.
    pub admin: PathBuf,
    /// Where its servers listen, by name.
    pub servers: BTreeMap<String, SocketAddr>,
    stdout: Said,
    stderr: Said,
}

/// A host that is to be.
#[derive(Debug)]
pub struct HostBuilder {
    command: Command,
    folder: Folder,
    admin: Option<PathBuf>,
    servers: usize,
}

/// What a stream has said so far.
#[derive(Debug, Clone, Default)]
struct Said(Arc<Mutex<String>>);

impl Said {
    fn listen(from: impl Read + Send + 'static) -> Self {
        let said = Self::default();
        let into = said.clone();
        std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                into.0.lock().expect("no panics").push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        said
    }

    fn text(&self) -> String {
        self.0.lock().expect("no panics").clone()
    }
}

impl HostBuilder {
    /// Another flag of `serve`.
    #[must_use]
    pub fn flag(mut self, flag: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(flag);
        self
    }

    /// Several flags of `serve`.
    #[must_use]
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.command.args(flags);
        self
    }

    /// [`HostBuilder::start`] answers at once, while it starts. It must be told where to listen.
    #[must_use]
    pub fn without_waiting(mut self) -> Self {
        self.servers = 0;
        self
    }

    /// It runs on a small disk. After all flags and its environment.
    #[must_use]
    pub fn inside(mut self, disk: &SmallDisk) -> Self {
        if let Some(admin) = self.admin.take() {
            self.command.arg("--admin").arg(admin);
        }
        self.command = disk.inside(&self.command);
        self
    }

    /// Something in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// A configuration file with this text, which names so many servers.
    #[must_use]
    pub fn toml(mut self, text: &str, servers: usize) -> Self {
        let file = self.folder.write("hotshell.toml", text.as_bytes());
        self.command.arg("--config").arg(file);
        self.servers = servers;
        self
    }

    /// Its admin socket; `None` for the default path.
    #[must_use]
    pub fn admin(mut self, path: Option<PathBuf>) -> Self {
        self.admin = path;
        self
    }

    /// Its folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Starts it, and waits until all its servers have said where they listen.
    ///
    /// # Panics
    /// When it ends or says nothing in time.
    #[track_caller]
    pub fn start(mut self) -> Host {
        if let Some(admin) = &self.admin {
            self.command.arg("--admin").arg(admin);
        }
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("hotshell runs");
        let stdout = Said::listen(child.stdout.take().expect("piped"));
        let stderr = Said::listen(child.stderr.take().expect("piped"));
        let (admin, servers) = (self.admin.unwrap_or_default(), BTreeMap::new());
        let mut host = Host { child, folder: self.folder, admin, servers, stdout, stderr };
        let deadline = Instant::now() + PATIENCE;
        while host.servers.len() < self.servers {
            host.read_announcements();
            let ended = host.child.try_wait().expect("it is our child");
            assert!(ended.is_none(), "the host ended: {ended:?}\n{}", host.stderr.text());
            assert!(Instant::now() < deadline, "the host does not say that it is ready");
            std::thread::sleep(Duration::from_millis(2));
        }
        host
    }
}

impl Host {
    /// A host with one server, `main`, on this plugin.
    #[track_caller]
    pub fn start(plugin: impl AsRef<Path>) -> Self {
        Self::with(plugin).start()
    }

    /// [`Host::start`]; it lets a plugin that hangs hang for long, so that a test can look meanwhile.
    #[track_caller]
    pub fn patient(plugin: impl AsRef<Path>) -> Self {
        Self::with(plugin).flags(&["--vet-timeout", "10m"]).start()
    }

    /// A host with one server, `main`, on this plugin, and more flags.
    pub fn with(plugin: impl AsRef<Path>) -> HostBuilder {
        let builder = Self::bare().flag("--plugin").flag(plugin.as_ref());
        builder.flags(&["--listen", "127.0.0.1:0"])
    }

    /// A host with nothing but its folders.
    pub fn bare() -> HostBuilder {
        let folder = Folder::new();
        let mut command = cli::command();
        command.arg("serve").arg("--stage-dir").arg(folder.at("stage"));
        let admin = Some(folder.at("admin.sock"));
        HostBuilder { command, folder, admin, servers: 1 }
    }

    /// `serve: main listening on 127.0.0.1:1, plugin kv 1.0.0 (generation 1), admin /path`.
    fn read_announcements(&mut self) {
        let said = self.stdout.text();
        // A line without its end is still being written.
        for line in said.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let Some(line) = line.trim_end().strip_prefix("serve: ") else { continue };
            let (name, rest) = line.split_once(" listening on ").expect("an announcement");
            let (addr, rest) = rest.split_once(", plugin ").expect("an announcement");
            let (_, admin) = rest.split_once(", admin ").expect("an announcement");
            self.servers.insert(name.to_owned(), addr.parse().expect("an address"));
            self.admin = PathBuf::from(admin);
        }
    }

    /// Where the only server listens.
    ///
    /// # Panics
    /// When there are several.
    pub fn addr(&self) -> SocketAddr {
        assert_eq!(self.servers.len(), 1, "name one of {:?}", self.servers);
        *self.servers.values().next().expect("there is one")
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A client of the only server that speaks RESP.
    #[track_caller]
    pub fn resp(&self) -> Resp {
        Resp::connect(self.addr())
    }

    /// A client of the only server that speaks lines.
    #[track_caller]
    pub fn lines(&self) -> Lines {
        Lines::connect(self.addr())
    }

    /// A connection to the admin socket.
    #[track_caller]
    pub fn admin(&self) -> Resp {
        Resp::admin(&self.admin)
    }

    /// Runs a verb of the command line on this host.
    #[track_caller]
    pub fn cli(&self, args: &[&str]) -> Ran {
        let mut command = cli::command();
        command.env("HOTSHELL_ADMIN", &self.admin).args(args);
        cli::run(&mut command)
    }

    /// Runs a verb that must succeed; answers its JSON.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Json {
        self.cli(&with_json(args)).expect(0).json()
    }

    /// Runs a verb that must fail with this exit code; answers the error's JSON.
    #[track_caller]
    pub fn refused(&self, code: i32, args: &[&str]) -> Json {
        self.cli(&with_json(args)).expect(code).error()
    }

    /// Swaps to a file; answers the JSON.
    #[track_caller]
    pub fn swap(&self, file: impl AsRef<Path>) -> Json {
        self.json(&["swap", text(file.as_ref())])
    }

    /// A number of `status`.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn status(&self, field: &str) -> u64 {
        let status = self.json(&["status"]);
        status[field].as_u64().unwrap_or_else(|| panic!("{field} is no number in {status}"))
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.stderr.text()
    }

    /// Waits until it has logged this.
    #[track_caller]
    pub fn logs(&self, text: &str) {
        eventually(&format!("the log has {text:?}"), || self.log().contains(text));
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        // SAFETY: the child has not been waited for, so the pid is its.
        let sent = unsafe { libc::kill(pid, signal) };
        assert_eq!(sent, 0, "the host is gone");
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the host ends", || {
            status = self.child.try_wait().expect("it is our child");
            status.is_some()
        });
        status.expect("it ended")
    }

    /// Lines of its memory map that name this.
    ///
    /// # Panics
    /// When it is gone.
    #[track_caller]
    pub fn maps_of(&self, name: &str) -> usize {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.pid())).expect("it runs");
        maps.lines().filter(|line| line.contains(name)).count()
    }

    /// Its open descriptors.
    ///
    /// # Panics
    /// When it is gone.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it runs").count()
    }

    /// Its resident memory, bytes.
    ///
    /// # Panics
    /// When it is gone.
    pub fn resident_bytes(&self) -> u64 {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.pid())).expect("it runs");
        let pages: u64 = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number");
        pages * 4096
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = self.stdout.text() + &self.stderr.text();
            let lines: Vec<&str> = said.lines().collect();
            let last = lines.len().saturating_sub(MOST_SAID);
            eprintln!("--- the host said, at last ---\n{}", lines[last..].join("\n"));
        }
    }
}

fn with_json<'a>(args: &[&'a str]) -> Vec<&'a str> {
    // Before the arguments: `command` hands everything after its first argument to the plugin.
    let mut all = args.to_vec();
    all.insert(1, "--json");
    all
}

/// A path as an argument.
///
/// # Panics
/// When it is not UTF-8.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("tests use paths that are UTF-8")
}
