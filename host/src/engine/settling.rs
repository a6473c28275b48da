//! What a plugin sets for a client: the client is answered when it is on disk, and nobody else waits.

use std::rc::Rc;

use tokio::sync::{mpsc, oneshot};

use super::core::{Core, Server};

/// A client, and who tells that what was set for it is on disk. Dropped unheard when the host stops.
pub(super) type Settling = (u64, oneshot::Receiver<()>);

impl Core {
    /// Keeps a client's output until something that was set for it is on disk.
    pub(super) fn settle(&mut self, id: u64, on_disk: oneshot::Receiver<()>) {
        let Some(settling) = &self.settling else { return };
        let Some(client) = self.state.clients.find(id) else { return };
        // The task lives as long as the engine.
        let _ = settling.send((id, on_disk));
        // SAFETY: found among the living; the running call refers to its session and its output only.
        unsafe { (*client.as_ptr()).unsettled += 1 };
    }
}

/// Lets clients have their answers when what was set is on disk.
pub(super) async fn settle(server: Rc<Server>, mut settling: mpsc::UnboundedReceiver<Settling>) {
    while let Some((client, on_disk)) = settling.recv().await {
        let _ = on_disk.await;
        let core = &mut *server.core.borrow_mut();
        if let Some(client) = core.state.clients.find(client) {
            // SAFETY: found among the living; no plugin code runs in this task.
            let client = unsafe { &mut *client.as_ptr() };
            client.unsettled -= 1;
            core.mark_dirty(client);
        }
        server.flush.notify_one();
    }
}
