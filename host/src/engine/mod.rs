//! The engine: the one thread that owns a server, its sockets, its state, and every call into its
//! plugin that touches state.
//!
//! So between two calls nothing is in flight, and a swap there is one pointer write: no lock around the
//! state, no reference count per call, no channel between socket and plugin.

mod asleep;
mod call;
mod clients;
mod connection;
mod core;
mod flush;
mod handle;
mod journal;
mod linger;
mod migrate;
mod overtaken;
mod recover;
mod restore;
mod roomy;
mod services;
mod sessions;
mod settling;
mod snapshot;
pub mod stack;
mod state;
mod stopwatch;
mod tasks;
mod waiting_room;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};

use crate::error::{Code, Error, Result};
use crate::generation::Callable;
use crate::limits::Limits;
pub use handle::{CALL_KINDS, Command, Conduct, Counters, EngineHandle, Switch, Switched, Whole};
pub use recover::{Durable, Set};
pub use services::host_table;
pub use snapshot::Snapshot;

/// What the names of engines' threads begin with; the server's follows.
const THREAD: &str = "engine-";

/// What a server is started with.
#[derive(Debug)]
pub struct EngineConfig {
    /// The server's name.
    pub name: String,
    /// Where clients connect; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Its limits.
    pub limits: Limits,
    /// Texts under the server's `config`, for the plugin.
    pub plugin: BTreeMap<String, String>,
    /// How its data are kept, if they are.
    pub data: Option<Durable>,
    /// The file for what was set aside and cannot return.
    pub overtaken: PathBuf,
    /// Rings when the plugin asks the host to stop.
    pub stop: mpsc::UnboundedSender<()>,
}

/// Binds the listener, makes the state with `first`, and starts the engine's thread. Returns when it
/// serves.
///
/// # Errors
/// The address cannot be bound, the data cannot be read back, or the plugin's `init` refused or
/// panicked.
pub fn start(config: EngineConfig, first: Callable) -> Result<EngineHandle> {
    let (handle, starting) = begin(config, first)?;
    let outcome = starting.outcome.blocking_recv();
    outcome.unwrap_or_else(|_| Err(gone(&handle.name))).map(|()| handle)
}

/// An engine that makes or reads back its state.
#[derive(Debug)]
pub struct Starting {
    outcome: oneshot::Receiver<Result<()>>,
    name: String,
}

impl Starting {
    /// Returns when it serves.
    ///
    /// # Errors
    /// Those of [`start`].
    pub async fn done(self) -> Result<()> {
        self.outcome.await.unwrap_or_else(|_| Err(gone(&self.name)))
    }
}

#[cold]
fn gone(name: &str) -> Error {
    Error::new(
        Code::Internal,
        format!("the engine of server '{name}' ended while it started"),
        "its thread is gone without an answer",
        "look at the host's log above",
    )
}

/// Binds the listener and starts the engine's thread; what it does then can be waited for. Clients that
/// come meanwhile are answered by the plugin's `loading`, or wait.
///
/// # Errors
/// The address cannot be bound, or there is no thread.
pub fn begin(config: EngineConfig, first: Callable) -> Result<(EngineHandle, Starting)> {
    crate::heap::install();
    let listener = bind(config.listen)?;
    let listen = listener.local_addr().map_err(|error| bind_error(config.listen, &error))?;
    let (commands, inbox) = mpsc::unbounded_channel();
    let counters = std::sync::Arc::default();
    let handle = EngineHandle {
        name: config.name.clone(),
        listen,
        started_ms: crate::time::unix_ms(),
        counters: std::sync::Arc::clone(&counters),
        commands,
    };
    let started_ms = handle.started_ms;
    let (ready, outcome) = oneshot::channel();
    let name = format!("{THREAD}{}", config.name);
    let run = move || {
        let _guard = AbortOnPanic;
        tasks::run(config, first, listener, listen, started_ms, counters, inbox, ready);
    };
    std::thread::Builder::new().name(name).spawn(run).map_err(|error| {
        Error::new(
            Code::Start,
            format!("cannot start the engine of server '{}'", handle.name),
            error.to_string(),
            "raise the limit of threads (ulimit -u)",
        )
    })?;
    let starting = Starting { outcome, name: handle.name.clone() };
    Ok((handle, starting))
}

/// A panic of the host itself on an engine's thread ends the process: clients that hang on a server
/// without an engine are worse off than clients that reconnect to one that a supervisor restarted.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(
                "engine: the host panicked; aborting, so that a supervisor restarts it"
            );
            std::process::abort();
        }
    }
}

fn bind(address: SocketAddr) -> Result<std::net::TcpListener> {
    use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
    let bind = || -> std::io::Result<std::net::TcpListener> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        net::bind(&socket, &address)?;
        net::listen(&socket, 4096)?;
        Ok(socket.into())
    };
    bind().map_err(|error| bind_error(address, &error))
}

fn bind_error(address: SocketAddr, error: &std::io::Error) -> Error {
    let port = address.port();
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("find who has it with `ss -ltnp 'sport = :{port}'`, or choose another --listen")
        }
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher one".to_owned()
        }
        _ => "--listen takes an address of this machine, such as 127.0.0.1:6380".to_owned(),
    };
    Error::new(Code::Start, format!("cannot listen on {address}"), error.to_string(), hint)
}
