//! The task that sends what calls have written, and not before the journal allows it.
//!
//! Frames go to the journal's thread when calls have returned, also while a sync runs: as soon as it ends the
//! next one begins with all that came meanwhile, and beside it this thread sends what waited for the last
//! one. Where it pays ([`Together`]), they are kept back until those who are answered have asked again.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, Server, monotonic_ns};
use super::handle::Counters;
use super::journal::Journal;
use super::together::Together;
use crate::data::Progress;

/// A client whose output may be sent up to `end` once the journal is on disk up to `position`.
struct Held {
    slot: u32,
    id: u64,
    end: u64,
    position: u64,
}

/// Output that calls have written, in that order.
#[derive(Default)]
struct Outbox {
    held: VecDeque<Held>,
    /// What it waits for; `None` when nothing keeps it from being sent.
    waits: Option<Arc<Progress>>,
    /// Those who ask while others wait are taken together, after these.
    grouped: bool,
}

impl Outbox {
    /// Returns when there is fresh output, or when some may be sent that was held back.
    async fn changed(&self, server: &Server) {
        match self.waits.as_ref().filter(|_| !self.held.is_empty()) {
            Some(progress) => tokio::select! {
                () = server.flush.notified() => {}
                () = progress.moved() => {}
            },
            None => server.flush.notified().await,
        }
    }

    /// Takes the clients with fresh output, as far as it goes now, and hands the journal's frames over.
    fn take(&mut self, core: &mut Core) {
        let position = core.journal.as_ref().map_or(0, Journal::position);
        for slot in core.dirty.drain(..) {
            if let Some(Some(socket)) = core.sockets.get(slot as usize) {
                // SAFETY: listed, so alive; no plugin code runs in this task.
                let client = unsafe { &mut *socket.client.as_ptr() };
                client.dirty = false;
                let (id, end) = (client.id, client.output_end());
                self.held.push_back(Held { slot, id, end, position });
            }
        }
        self.waits = core.journal.as_mut().and_then(Journal::hand_over);
    }

    /// Sends what may be sent now; answers to how many clients.
    fn send(&mut self, server: &Server) -> u64 {
        let durable = self.waits.as_ref().map_or(u64::MAX, |progress| progress.durable());
        let mut answered = 0;
        while self.held.front().is_some_and(|held| held.position <= durable) {
            self.held.pop_front().iter().for_each(|held| send(server, held));
            answered += 1;
        }
        answered
    }
}

/// Sends what calls have written. Woken by the first call of a turn, it runs after all connections that
/// were ready then, so one wake-up of the thread reads all and then answers all.
pub(super) async fn flush(server: Rc<Server>) {
    let (mut outbox, mut together) = (Outbox::default(), Together::new());
    loop {
        outbox.changed(&server).await;
        let waited = outbox.waits.clone();
        {
            let core = &mut *server.core.borrow_mut();
            if together.are_back(core.marked) {
                together.came(monotonic_ns(), core.marked);
            }
            if !outbox.grouped || outbox.held.is_empty() {
                outbox.take(core);
            }
        }
        let answered = outbox.send(&server);
        server.publish();
        if let Some(progress) = waited.filter(|_| answered > 0) {
            let (asked, fresh) = server.core.borrow().asked();
            together.answered(monotonic_ns(), asked, answered);
            let clients = answered + outbox.held.len() as u64 + fresh;
            let patience = together.patience(clients, progress.last_sync_ns());
            outbox.grouped = patience.is_some();
            if let Some(patience) = patience.filter(|_| outbox.held.is_empty()) {
                gather(&server, &together, patience).await;
            }
            // Whoever asked meanwhile was not taken, and has told so already.
            if !server.core.borrow().dirty.is_empty() {
                server.flush.notify_one();
            }
        }
    }
}

/// Lets the clients that were just answered ask again before the next sync begins.
async fn gather(server: &Server, together: &Together, patience: Duration) {
    let all = async {
        while !together.are_back(server.core.borrow().marked) {
            server.flush.notified().await;
        }
    };
    // Late ones go with the sync after.
    let _ = tokio::time::timeout(patience, all).await;
}

/// Sends the output of one client.
fn send(server: &Server, held: &Held) {
    let socket = server.core.borrow().sockets[held.slot as usize].clone();
    let Some(socket) = socket else { return };
    // SAFETY: the socket is listed, so its connection has not removed the client; no plugin code runs
    // in this task.
    let client = unsafe { &mut *socket.client.as_ptr() };
    if client.id != held.id {
        return;
    }
    client.release(held.end);
    server.send(&socket, client);
    let core = server.core.borrow();
    if client.unsent() > core.limits.max_unsent_bytes {
        let (unsent, limit) = (client.unsent(), core.limits.max_unsent_bytes);
        tracing::warn!(
            verb = "client",
            server = server.name,
            client = client.id,
            unsent,
            limit,
            "unsent output over the limit: closing"
        );
        Counters::add(&core.counters.closed_slow, 1);
        socket.abandon();
    }
}
