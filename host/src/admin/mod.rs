//! The admin socket: where it is, who may use it, and what it speaks.

pub mod path;
mod peer;
pub mod resp;
mod session;
mod socket;

use std::rc::Rc;

use tokio::net::UnixListener;

use crate::control::Control;
pub use peer::{Access, group_id};
pub use session::OWN_NAME;
pub use socket::Claim;

/// Accepts admins for as long as the host runs.
pub async fn accept(listener: UnixListener, access: Access, control: Rc<Control>) {
    // Every session holds a clone, so the clones count the open connections.
    let open = Rc::new(());
    let access = Rc::new(access);
    let mut id = 0;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: let those who have one finish.
                tracing::warn!(verb = "admin", "cannot accept an admin: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        id += 1;
        let session = session::Session::new(id, control.clone());
        let others = Rc::strong_count(&open) - 1;
        let (access, open) = (access.clone(), open.clone());
        tokio::task::spawn_local(async move {
            session.run(stream, &access, others).await;
            drop(open);
        });
    }
}

/// How long accepting rests after it failed.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

#[cfg(test)]
#[path = "admin_tests.rs"]
mod tests;
