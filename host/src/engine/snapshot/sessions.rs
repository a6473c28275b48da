//! The sessions of a snapshot: those of the clients that were there at its beginning, in slices.
//!
//! Clients do not outlive the process, but the state knows of them: at a restart each is told gone. Who is
//! going to use a session that has not been written has it written first.

use std::collections::HashSet;
use std::ptr::NonNull;

use hotshell_plugin_api::reflect::Reflect;

use crate::data::snapshot::Kind;
use crate::engine::clients::Client;
use crate::engine::core::{Core, Server};
use crate::time::monotonic_ns;

/// Bytes of sessions in a block, about.
const BLOCK: usize = 64 << 10;

/// Sessions that are still to be written.
#[derive(Debug)]
pub(super) struct SessionsLeft {
    /// Those of clients up to this id are written.
    after: u64,
    /// Clients from this id on came later.
    until: u64,
    /// Those behind `after` that are written, too.
    early: HashSet<u64>,
    out: Vec<u8>,
}

impl SessionsLeft {
    /// All sessions of the clients below an id.
    pub(super) fn below(until: u64) -> Self {
        Self { after: 0, until, early: HashSet::new(), out: Vec::new() }
    }

    /// # Safety
    /// No plugin code runs, and a connected client's session is in the schema's layout.
    unsafe fn write(&mut self, reflect: &Reflect<'_>, client: &Client) {
        if client.connected {
            self.out.extend_from_slice(&client.id.to_le_bytes());
            // SAFETY: the caller's promise.
            unsafe { reflect.write(reflect.schema().session, client.session, &mut self.out) };
        }
    }
}

impl Core {
    /// Whether there are sessions that a snapshot has not written.
    pub(super) fn has_sessions_left(&self) -> bool {
        let taking = self.snapshots.as_ref().and_then(|snapshots| snapshots.taking.as_ref());
        taking.is_some_and(|taking| taking.sessions.is_some())
    }

    /// Writes sessions until a time, in nanoseconds. False when all are written.
    pub(super) fn write_sessions(&mut self, until_ns: u64) -> bool {
        let taking = self.snapshots.as_mut().and_then(|snapshots| snapshots.taking.as_mut());
        let Some(taking) = taking else { return false };
        let Some(left) = &mut taking.sessions else { return false };
        let reflect = Reflect::new(&self.active.shape.schema);
        let next = |after| self.state.clients.after(after);
        while let Some(client) = next(left.after) {
            // SAFETY: found among the living; no plugin code runs.
            let client = unsafe { client.as_ref() };
            if client.id >= left.until {
                break;
            }
            left.after = client.id;
            if !left.early.remove(&client.id) {
                // SAFETY: between two calls; a change of shape gives the snapshot up first.
                unsafe { left.write(&reflect, client) };
            }
            if left.out.len() >= BLOCK {
                taking.taker.block(Kind::Sessions, std::mem::take(&mut left.out));
            }
            if monotonic_ns() >= until_ns {
                return true;
            }
        }
        taking.taker.block(Kind::Sessions, std::mem::take(&mut left.out));
        taking.sessions = None;
        false
    }

    fn write_session_early(&mut self, client: &Client) {
        let taking = self.snapshots.as_mut().and_then(|snapshots| snapshots.taking.as_mut());
        let Some(left) = taking.and_then(|taking| taking.sessions.as_mut()) else { return };
        let waits = client.id > left.after && client.id < left.until;
        if waits && left.early.insert(client.id) {
            // SAFETY: as above; the call that uses the session has not begun with it.
            unsafe { left.write(&Reflect::new(&self.active.shape.schema), client) };
        }
    }
}

impl Server {
    /// A client's session is going to be used: has it written first, if a snapshot still needs it as it
    /// is.
    #[inline]
    pub(in crate::engine) fn before_session(&self, client: NonNull<Client>) {
        if self.imaging.get() {
            // SAFETY: the client lives; the plugin holds no reference to its session yet.
            self.core.borrow_mut().write_session_early(unsafe { client.as_ref() });
        }
    }
}
