//! `ServerState`: everything about a server that is worth keeping, in one struct of stable layout.
//!
//! Invariant: what is not reachable from here is not precious. Sockets and tasks can be made anew; the
//! clients, their unread input and unsent output, the plugin's state and the counters cannot.

use abi_stable::StableAbi;
use hotshell_plugin_api::abi::{Buffer, NO_WAKE};
use hotshell_plugin_api::collections::{String, Vec};
use hotshell_plugin_api::migrate::aside::Aside;

use super::clients::Clients;

/// The server. Owned by its engine's thread; a plugin sees it only through the host's functions.
#[repr(C)]
#[derive(Debug, StableAbi)]
pub(super) struct ServerState {
    /// Layout version of this struct, for a later shell that takes it over.
    pub format: u32,
    /// Reserved, zero.
    pub reserved: u32,
    /// Name of the server.
    pub name: String,
    /// The active generation.
    pub generation: u64,
    /// The plugin's state root, in the layout of `layouts[root_layout]`.
    pub root: *mut u8,
    /// Which layout the root has: that of today. Each client says which one its session has.
    pub root_layout: u32,
    /// Reserved, zero.
    pub reserved2: u32,
    /// Every layout that state was ever written in: encoded schemas, by layout id.
    pub layouts: Vec<Buffer>,
    /// What versions that are not active left behind of the root.
    pub aside: Aside,
    /// Size and alignment of a session of today in bytes.
    pub session_size: usize,
    /// See `session_size`.
    pub session_align: usize,
    /// The clients.
    pub clients: Clients,
    /// The id that the next client gets. Ids are never reused.
    pub next_client: u64,
    /// When the plugin wants its tick, milliseconds since the Unix epoch.
    pub wake_at_ms: u64,
    /// Texts under the server's `config`, for the plugin, sorted by key.
    pub config: Vec<Setting>,
    /// Counters that the plugin named, in the order of their first use.
    pub plugin_counters: Vec<PluginCounter>,
    /// What the host counts.
    pub counters: Tally,
}

/// One configured text.
#[repr(C)]
#[derive(Debug, StableAbi)]
pub(super) struct Setting {
    pub key: String,
    pub value: String,
}

/// A counter that the plugin named.
#[repr(C)]
#[derive(Debug, StableAbi)]
pub(super) struct PluginCounter {
    pub name: String,
    pub value: u64,
}

/// What the host counts about a server, since its start.
#[repr(C)]
#[derive(Debug, Default, StableAbi)]
pub(super) struct Tally {
    /// When the server started, milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections turned away at the limit.
    pub rejected: u64,
    /// Calls of `data` and `resume`.
    pub calls: u64,
    /// Calls that panicked.
    pub panics: u64,
    /// Replies that the plugin marked as failed.
    pub failed: u64,
    /// Defaults and conversions that panicked over a value.
    pub conversions_panicked: u64,
    /// Bytes read from clients.
    pub bytes_in: u64,
    /// Bytes sent to clients.
    pub bytes_out: u64,
    /// Switches of generation.
    pub swaps: u64,
    /// Most bytes of state ever held.
    pub state_bytes_peak: u64,
}

impl ServerState {
    /// A server without clients and without a state root.
    pub(super) fn new(name: &str, started_ms: u64) -> Self {
        Self {
            format: 1,
            reserved: 0,
            name: String::from(name),
            generation: 0,
            root: core::ptr::null_mut(),
            root_layout: 0,
            reserved2: 0,
            layouts: Vec::new(),
            aside: Aside::of_root(),
            session_size: 0,
            session_align: 1,
            clients: Clients::new(),
            next_client: 1,
            wake_at_ms: NO_WAKE,
            config: Vec::new(),
            plugin_counters: Vec::new(),
            counters: Tally { started_ms, ..Tally::default() },
        }
    }
}
