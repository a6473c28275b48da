//! What a plugin sets for a client: the client is answered when it is on disk, and nobody else waits.

use std::rc::Rc;

use tokio::sync::{mpsc, oneshot};

use super::core::{Core, Server};

/// Hears that what was set is on disk, or with which error number it was not taken. Dropped unheard when
/// the host stops.
pub(super) type OnDisk = oneshot::Receiver<Result<(), u32>>;

/// A client for which something was set, and who has its answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answered {
    /// The call has written it: it leaves, or the connection ends.
    ByTheCall(u64),
    /// The plugin writes it when it hears of the outcome.
    WhenResumed(u64),
}

/// An answer that waits for the disk.
pub(super) type Settling = (Answered, OnDisk);

impl Core {
    /// Keeps a client's output until something that was set for it is on disk.
    pub(super) fn settle(&mut self, answered: Answered, on_disk: OnDisk) {
        let Some(settling) = &self.settling else { return };
        if let Answered::ByTheCall(id) = answered {
            let Some(client) = self.state.clients.find(id) else { return };
            // SAFETY: found among the living; the running call refers to its session and its output only.
            unsafe { (*client.as_ptr()).unsettled += 1 };
        }
        // The task lives as long as the engine.
        let _ = settling.send((answered, on_disk));
    }

    /// Lets a client have the answer that was kept; with an answer that is not true any more it goes.
    fn settled(&mut self, client: u64, refused: bool) {
        let Some(client) = self.state.clients.find(client) else { return };
        // SAFETY: found among the living; no plugin code runs in this task.
        let client = unsafe { &mut *client.as_ptr() };
        if refused {
            let socket = self.sockets.get(client.slot as usize).cloned().flatten();
            return socket.into_iter().for_each(|socket| socket.abandon());
        }
        client.unsettled -= 1;
        self.mark_dirty(client);
    }
}

/// Lets clients have their answers when what was set is on disk.
pub(super) async fn settle(server: Rc<Server>, mut settling: mpsc::UnboundedReceiver<Settling>) {
    while let Some((answered, on_disk)) = settling.recv().await {
        let refused = on_disk.await.unwrap_or(Ok(())).err();
        server.core.borrow_mut().set_errno = refused.unwrap_or(0);
        match answered {
            Answered::ByTheCall(client) => {
                server.core.borrow_mut().settled(client, refused.is_some());
            }
            Answered::WhenResumed(client) => server.resume_all(&[client]),
        }
        server.flush.notify_one();
    }
}
