//! Sending what calls have written: all of a turn together, and only what the journal's policy allows.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::Server;
use super::handle::Counters;
use super::journal::Journal;
use crate::data::Progress;

/// Clients that do not ask again within this time are not waited for, however long a sync took.
const GATHER_MOST: Duration = Duration::from_millis(2);

/// A client whose output may be sent up to `end` once the journal has come far enough.
struct Ready {
    slot: u32,
    id: u64,
    end: u64,
}

/// Takes the clients with fresh output, as far as it goes now, and hands the journal's frames over.
/// Answers how far the journal must be on disk before any of it is sent.
fn take_batch(server: &Server, batch: &mut Vec<Ready>) -> Option<(u64, Arc<Progress>)> {
    let core = &mut *server.core.borrow_mut();
    for slot in core.dirty.drain(..) {
        if let Some(Some(socket)) = core.sockets.get(slot as usize) {
            // SAFETY: listed, so alive; no plugin code runs in this task.
            let client = unsafe { &mut *socket.client.as_ptr() };
            client.dirty = false;
            if client.unsettled > 0 {
                continue;
            }
            batch.push(Ready { slot, id: client.id, end: client.output_end() });
        }
    }
    core.journal.as_mut().and_then(Journal::hand_over)
}

/// Sends what calls have written. Woken by the first call of a turn, it runs after all connections that
/// were ready then, so one wake-up of the thread reads all and then answers all.
pub(super) async fn flush(server: Rc<Server>) {
    let mut batch = Vec::new();
    loop {
        server.flush.notified().await;
        let wait = take_batch(&server, &mut batch);
        let (answered, waits, mut waited) = (batch.len(), wait.is_some(), Duration::ZERO);
        if let Some((position, progress)) = wait {
            // What this batch shows may not be durable yet. Others are read meanwhile, and what they
            // write goes with the next batch: a group commit.
            let began = Instant::now();
            on_disk(&server, &progress, position).await;
            waited = began.elapsed();
        }
        for Ready { slot, id, end } in batch.drain(..) {
            let socket = server.core.borrow().sockets[slot as usize].clone();
            let Some(socket) = socket else { continue };
            // SAFETY: the socket is listed, so its connection has not removed the client; no plugin
            // code runs in this task.
            let client = unsafe { &mut *socket.client.as_ptr() };
            if client.id != id {
                continue;
            }
            client.release(end);
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
        server.publish();
        if waits {
            // Also tells of those who asked while this one waited.
            gather(&server, answered, (waited / 4).min(GATHER_MOST)).await;
        }
    }
}

/// Returns when frames before `position` are on disk. What is executed meanwhile is told to those who watch:
/// a disk may hang.
async fn on_disk(server: &Server, progress: &Progress, position: u64) {
    server.publish();
    let mut reached = std::pin::pin!(progress.reached(position));
    loop {
        tokio::select! {
            () = &mut reached => return,
            () = server.flush.notified() => server.publish(),
        }
    }
}

/// Lets the clients that were just answered ask again before the next sync begins. Otherwise half of
/// them would always arrive while the other half is synced, and each sync would serve half of them.
async fn gather(server: &Server, answered: usize, limit: Duration) {
    let together = async {
        let waiting = server.core.borrow().dirty.len();
        while server.core.borrow().dirty.len() < waiting + answered {
            server.flush.notified().await;
        }
    };
    // Late ones go with the sync after.
    let _ = tokio::time::timeout(limit, together).await;
    server.flush.notify_one();
}
