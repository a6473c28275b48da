//! The engine: the one thread that owns a server.

mod handle;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::sync::mpsc;

use crate::error::Result;
use crate::generation::Callable;
use crate::limits::Limits;
pub use handle::{Command, Counters, EngineHandle, Switch, Switched};
use hotshell_plugin_api::abi::HostTable;

/// What a server is started with.
#[derive(Debug)]
pub struct EngineConfig {
    /// The server's name.
    pub name: String,
    /// Where clients connect; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Its limits.
    pub limits: Limits,
    /// Texts under `[plugin]`, for the plugin.
    pub plugin: BTreeMap<String, String>,
    /// Rings when the plugin asks the host to stop.
    pub stop: mpsc::UnboundedSender<()>,
}

/// Binds the listener, makes the state with `first`, and starts the engine's thread.
///
/// # Errors
/// The address cannot be bound, or the plugin's `init` refused or panicked.
pub fn start(config: EngineConfig, first: Callable) -> Result<EngineHandle> {
    let _ = (config, first);
    todo!("the engine is being written")
}

/// The functions that plugins call; one table for the whole process.
pub fn host_table() -> &'static HostTable {
    todo!("the engine is being written")
}
