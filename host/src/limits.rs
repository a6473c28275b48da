//! Every limit of the host, with its name, in one file.

use std::time::Duration;

/// Limits of one server. All can be set per server in the configuration file, under these names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most clients connected at once; more are turned away at once.
    pub max_clients: usize,
    /// Most unread input a client may pile up, bytes. A client at the limit whose request is still not
    /// whole is closed.
    pub max_unread_bytes: usize,
    /// Unsent output above which the shell stops reading from that client, bytes.
    pub soft_unsent_bytes: usize,
    /// Unsent output above which a client is closed, bytes.
    pub max_unsent_bytes: usize,
    /// Most generations kept mapped at once per server, the active one included.
    pub max_resident: usize,
    /// Most images that may stay mapped after their generation was discarded, per host.
    pub max_retained: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_clients: 10_000,
            max_unread_bytes: 1 << 30,
            soft_unsent_bytes: 1 << 20,
            max_unsent_bytes: 1 << 30,
            max_resident: 4,
            max_retained: 64,
        }
    }
}

/// How long the vet child may take, unless `vet-timeout` says otherwise. Time in which the machine had none
/// for the host does not count.
pub const VET_TIMEOUT: Duration = Duration::from_secs(5);
/// Address space of the vet child, bytes.
pub const VET_MEMORY: u64 = 4 << 30;
/// Largest plugin file that is read, bytes.
pub const MAX_ARTIFACT_BYTES: u64 = 1 << 30;
/// Longest line, argument or request on the admin socket, bytes.
pub const MAX_ADMIN_REQUEST: usize = 64 << 10;
/// Most admin connections at once.
pub const MAX_ADMIN_CONNECTIONS: usize = 64;
/// An admin that asks nothing for so long, or does not read its answer, is disconnected: whoever forgets
/// connections must not lock the others out. The time that a verb takes does not count.
pub const ADMIN_IDLE: Duration = Duration::from_secs(900);
/// A call of the plugin that takes longer than this is named in the log.
pub const STUCK_AFTER: Duration = Duration::from_millis(500);
/// How often the watchdog looks.
pub const WATCHDOG_PERIOD: Duration = Duration::from_millis(100);
/// How long the entries of large maps are converted at a time, between two turns of the clients,
/// nanoseconds.
pub const DRAIN_SLICE_NS: u64 = 15_000;
/// How long a switch waits for the memory that it is going to need. Without it the stop maps it.
pub const MEMORY_PATIENCE: Duration = Duration::from_millis(50);
/// Above this size a file gets no more parts that were set aside and cannot return, bytes.
pub const MAX_OVERTAKEN_BYTES: u64 = 1 << 30;
/// Parts that were set aside that are read at a time before a switch which brings them back: some tens of
/// microseconds.
pub const READ_PARTS: usize = 32;
/// Most elements of lists and entries of maps that a switch converts at once, without being allowed
/// to stop the server for longer: about a millisecond.
pub const STOP_ELEMENTS_MAX: u64 = 10_000;
/// Sessions that a dry run looks at to say what would be set aside, at most: about a millisecond.
pub const DRY_SESSIONS: usize = 1000;
/// How long a graceful stop waits for clients that do not read their replies.
pub const STOP_PATIENCE: Duration = Duration::from_secs(5);
