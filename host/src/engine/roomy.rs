//! [`Roomy`]: connections whose output buffer stays large for a while after it was sent.
//!
//! A client that asks for much once often does so again. If its buffer were given back each time, each
//! reply would grow it anew, from 64 bytes up: copies, page tables, and the kernel clearing every page,
//! in which nobody else is served. So it keeps its room as long as it uses it, within a limit for all.

use std::rc::Rc;
use std::time::Duration;

use super::clients::Client;
use super::connection::Socket;

/// Output buffers up to this many bytes are nobody's business.
const SMALL: usize = 64 << 10;
/// Most bytes that empty output buffers of all clients keep. Where that is not enough, the buffer that
/// was just sent is given back at once.
const MOST: usize = 32 << 20;
/// A buffer that was not used between two looks, this far apart, is given back.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a connection's output buffer keeps. Part of its [`Socket`].
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Bytes that count against the limit, 0 for a connection that is not listed.
    bytes: usize,
    /// It was used since the last look.
    used: bool,
}

/// The connections whose output buffers keep their room.
#[derive(Default)]
pub(super) struct Roomy {
    sockets: Vec<Rc<Socket>>,
    bytes: usize,
}

impl Roomy {
    /// Whether any buffer keeps its room.
    pub(super) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// All output of a client was sent: its buffer keeps its room, or loses it. O(1). Answers whether
    /// it is the first to keep it, so that looks are due from now on.
    pub(super) fn sent(&mut self, socket: &Rc<Socket>, client: &mut Client) -> bool {
        let (capacity, known) = (client.output.cap, socket.room.get());
        if client.output.len > 0 || (capacity <= SMALL && known.bytes == 0) {
            return false;
        }
        let others = self.bytes - known.bytes;
        if capacity <= SMALL || others + capacity > MOST {
            client.output.shrink_to(0);
            self.forget(socket);
            return false;
        }
        self.bytes = others + capacity;
        socket.room.set(Room { bytes: capacity, used: true });
        if known.bytes == 0 {
            self.sockets.push(Rc::clone(socket));
        }
        self.sockets.len() == 1 && known.bytes == 0
    }

    /// The connection is over, or keeps nothing any more. O(listed) if it was listed, which at most
    /// 512 are.
    pub(super) fn forget(&mut self, socket: &Rc<Socket>) {
        let known = socket.room.take();
        if known.bytes > 0 {
            self.bytes -= known.bytes;
            self.sockets.retain(|listed| !Rc::ptr_eq(listed, socket));
        }
    }

    /// Takes the room from those that did not use it since the last look.
    pub(super) fn look(&mut self) {
        self.sockets.retain(|socket| {
            // SAFETY: listed, so its connection has not removed the client; no plugin code runs now.
            let client = unsafe { &mut *socket.client.as_ptr() };
            let room = socket.room.get();
            if room.used || client.output.len > 0 {
                socket.room.set(Room { used: false, ..room });
                return true;
            }
            client.output.shrink_to(0);
            socket.room.take();
            self.bytes -= room.bytes;
            false
        });
    }
}
