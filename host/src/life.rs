//! [`Life`]: how far the host is: it starts, reads data back, serves, stops. For `status`, for those who
//! watch, and for the start itself.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::engine::Counters;
use crate::text;

/// How far the host is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Loads plugins and data; nobody is served.
    Starting,
    /// Serves.
    Serving,
    /// Finishes what is owed.
    Stopping,
}

/// How far the host is, for all threads.
#[derive(Debug, Default)]
pub struct Life {
    phase: AtomicU8,
    /// Servers that have begun to start, in that order.
    loading: Mutex<Vec<Loading>>,
}

impl Life {
    /// How far the host is.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            _ => Phase::Stopping,
        }
    }

    /// The host has come so far.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// A server has begun to start.
    pub fn begins(&self, server: &str, counters: &Arc<Counters>) {
        let loading = Loading { server: server.to_owned(), counters: Arc::clone(counters) };
        self.loading.lock().unwrap_or_else(PoisonError::into_inner).push(loading);
    }

    /// How far the servers that have begun to start are.
    pub fn far(&self) -> Vec<Far> {
        let loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        loading.iter().map(Far::of).collect()
    }

    /// What `status` says while the host starts; `None` afterwards.
    pub fn starting(&self) -> Option<Starting> {
        (self.phase() == Phase::Starting).then(|| Starting::new(self.far()))
    }
}

/// A server whose data are read back.
#[derive(Debug, Clone)]
pub struct Loading {
    /// Its name.
    pub server: String,
    /// Its counters.
    pub counters: Arc<Counters>,
}

/// What `status` says while the host starts.
#[derive(Debug, Serialize)]
pub struct Starting {
    phase: &'static str,
    pid: u32,
    servers: Vec<Far>,
}

/// How far one server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Far {
    /// Its name.
    pub server: String,
    /// Bytes that were read back.
    pub loading_bytes: u64,
    /// Of so many.
    pub loading_of_bytes: u64,
}

impl Far {
    fn of(loading: &Loading) -> Self {
        let of = Counters::get(&loading.counters.loading_of_bytes);
        let done = Counters::get(&loading.counters.loading_bytes).min(of);
        Self { server: loading.server.clone(), loading_bytes: done, loading_of_bytes: of }
    }

    /// `main: loading, 45 % of 1.20 GiB`.
    pub fn line(&self) -> String {
        let Self { server, loading_bytes: done, loading_of_bytes: of } = self;
        match (done * 100).checked_div(*of) {
            Some(percent) => format!("{server}: loading, {percent} % of {}", text::bytes(*of)),
            None => format!("{server}: loading"),
        }
    }
}

impl Starting {
    /// With what [`Life::far`] answers.
    pub fn new(servers: Vec<Far>) -> Self {
        Self { phase: "starting", pid: std::process::id(), servers }
    }

    /// One line per server, or that the first plugin is being loaded.
    pub fn lines(&self) -> Vec<String> {
        match self.servers.is_empty() {
            true => vec!["starting: loading the plugin".to_owned()],
            false => self.servers.iter().map(Far::line).collect(),
        }
    }
}
