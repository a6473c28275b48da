//! When waiting clients stop waiting: an index by time.

use hotshell_plugin_api::collections::Vec;
use hotshell_plugin_api::ctx::ClientId;
use hotshell_plugin_api::state;

/// Deadlines of clients, earliest first.
#[state]
#[derive(Debug)]
pub struct Deadlines {
    sorted: Vec<Deadline>,
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
    /// Adds one. O(log n) when it is among the latest, as those of equal timeouts are.
    pub fn add(&mut self, at_ms: u64, client: ClientId) {
        let deadline = Deadline { at_ms, client };
        let at = self.sorted.partition_point(|other| *other < deadline);
        self.sorted.insert(at, deadline);
    }

    /// Removes one, if it is there.
    pub fn remove(&mut self, at_ms: u64, client: ClientId) {
        if let Ok(at) = self.sorted.binary_search(&Deadline { at_ms, client }) {
            self.sorted.remove(at);
        }
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
