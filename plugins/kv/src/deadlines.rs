//! When waiting clients stop waiting: an index by time.

use hotshell_plugin_api::collections::BTreeSet;
use hotshell_plugin_api::ctx::ClientId;
use hotshell_plugin_api::state;

/// Deadlines of clients, earliest first.
#[state]
#[derive(Debug)]
pub struct Deadlines {
    sorted: BTreeSet<Deadline>,
}

/// One client's deadline.
#[state(key)]
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The client.
    pub client: ClientId,
}

impl Deadlines {
    /// Adds one. O(log n).
    pub fn add(&mut self, at_ms: u64, client: ClientId) {
        self.sorted.insert(Deadline { at_ms, client });
    }

    /// Removes one, if it is there. O(log n).
    pub fn remove(&mut self, at_ms: u64, client: ClientId) {
        self.sorted.remove(&Deadline { at_ms, client });
    }

    /// The earliest.
    pub fn first(&self) -> Option<Deadline> {
        self.sorted.first().copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }
}
