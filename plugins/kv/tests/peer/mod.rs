//! A real redis-server, started for one test.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use port::Port;

#[path = "../../../../tests/src/port.rs"]
mod port;

/// The wall clock.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// The process and its connections.
pub struct Redis {
    process: Child,
    port: u16,
    /// What it says of itself.
    log: PathBuf,
    control: TcpStream,
    clients: Vec<TcpStream>,
    _reserved: Port,
}

impl Redis {
    /// Starts `redis-server` on a free port; `None` when there is none, or not version 7.0.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same with further options.
    ///
    /// # Panics
    /// When there is none, and `HOTSHELL_REQUIRE_PEERS=1`.
    pub fn start_with(options: &[&str]) -> Option<Self> {
        let debug = ["--enable-debug-command", "yes"];
        let options = [&debug, options].concat();
        let redis = Self::start_program(Path::new("redis-server"), "v=7.0.", &options);
        assert!(
            redis.is_some() || std::env::var("HOTSHELL_REQUIRE_PEERS").as_deref() != Ok("1"),
            "HOTSHELL_REQUIRE_PEERS=1, but there is no redis-server 7.0 in PATH"
        );
        redis
    }

    /// Starts the redis-server of version 4.0 that `HOTSHELL_REDIS_4` names; `None` without it.
    pub fn start_4() -> Option<Self> {
        let program = PathBuf::from(std::env::var_os("HOTSHELL_REDIS_4")?);
        let redis = Self::start_program(&program, "v=4.0.", &[]);
        assert!(redis.is_some(), "HOTSHELL_REDIS_4={} is no redis-server 4.0", program.display());
        redis
    }

    fn start_program(program: &Path, wanted: &str, options: &[&str]) -> Option<Self> {
        let version = Command::new(program).arg("--version").output().ok()?;
        if !String::from_utf8_lossy(&version.stdout).contains(wanted) {
            return None;
        }
        let reserved = Port::reserve().ok()?;
        let port = reserved.address().port();
        let log = std::env::temp_dir().join(format!("hotshell-peer-{port}.log"));
        let process = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--dir", "/tmp", "--daemonize", "no"])
            // A loaded machine makes commands slow, which would be in the log of one server only.
            .args(["--slowlog-log-slower-than", "-1"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(File::create(&log).ok()?)
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let control = connect_within(port, Duration::from_secs(60));
        Some(Self { process, port, log, control, clients: Vec::new(), _reserved: reserved })
    }

    /// Empties the server and connects so many new clients.
    pub fn renew(&mut self, clients: usize) {
        self.clients.clear();
        self.sync();
        self.round_trip(b"*1\r\n$8\r\nFLUSHALL\r\n", b"+OK\r\n");
        for _ in 0..clients {
            let client = TcpStream::connect(("127.0.0.1", self.port)).expect("redis accepts");
            client.set_nodelay(true).expect("TCP_NODELAY");
            client.set_nonblocking(true).expect("O_NONBLOCK");
            self.clients.push(client);
        }
        self.sync();
    }

    /// Sends bytes as one client. A connection that redis closed takes them silently.
    pub fn send(&mut self, client: usize, bytes: &[u8]) {
        let _ = self.clients[client].write_all(bytes);
    }

    /// Returns when redis has read and answered what was sent before: after two round trips, since
    /// within one turn of its loop the order of clients is open.
    pub fn sync(&mut self) {
        for _ in 0..2 {
            self.round_trip(b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n");
        }
    }

    fn round_trip(&mut self, request: &[u8], reply: &[u8]) {
        let bytes = self.exchange(request, reply.len());
        assert_eq!(bytes, reply);
    }

    fn exchange(&mut self, request: &[u8], len: usize) -> Vec<u8> {
        let mut reply = vec![0; len];
        let answered =
            self.control.write_all(request).and_then(|()| self.control.read_exact(&mut reply));
        if let Err(error) = answered {
            panic!(
                "redis does not answer any more: {error}; what it says is in {}",
                self.log.display()
            );
        }
        reply
    }

    /// The digest of all its data, as a reply.
    pub fn digest(&mut self) -> Vec<u8> {
        self.exchange(b"DEBUG DIGEST\r\n", "+\r\n".len() + 40)
    }

    /// What redis has sent to a client: as much as `enough` accepts, if it comes at all.
    pub fn read_until(&mut self, client: usize, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let mut all = self.read(client);
        for _ in 0..20 {
            if enough(&all) {
                break;
            }
            self.sync();
            all.extend(self.read(client));
        }
        all
    }

    fn read(&mut self, client: usize) -> Vec<u8> {
        let mut all = Vec::new();
        let mut some = [0; 4096];
        loop {
            match self.clients[client].read(&mut some) {
                Ok(0) => return all,
                Ok(n) => all.extend_from_slice(&some[..n]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return all,
            }
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if !std::thread::panicking() {
            let _ = std::fs::remove_file(&self.log);
        }
    }
}

fn connect_within(port: u16, patience: Duration) -> TcpStream {
    let until = Instant::now() + patience;
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => {
                stream.set_nodelay(true).expect("TCP_NODELAY");
                return stream;
            }
            Err(error) if Instant::now() >= until => panic!("redis does not listen: {error}"),
            Err(_) => std::thread::yield_now(),
        }
    }
}
