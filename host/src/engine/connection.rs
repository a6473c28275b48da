//! One connection: the task that reads its socket, feeds the plugin, and waits when the peer is slow.
//!
//! A read ends in direct calls of the plugin; what those write is sent by the flusher, after every
//! ready client was read, as Redis does. Only when a socket takes no more does this task wait for it.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::ptr::NonNull;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hotshell_plugin_api::abi::Buffer;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::clients::Client;
use super::core::{Core, Server};
use super::roomy::Room;

/// Room for one read. Also the most input that one client gets through before others are read.
const READ_SIZE: usize = 64 << 10;
/// Room for one read of a client that is known to send something large.
const READ_LARGE: usize = 1 << 20;

/// The part of a connection that is not precious: the socket and whom to wake.
pub(super) struct Socket {
    write: OwnedWriteHalf,
    pub client: NonNull<Client>,
    waker: RefCell<Option<Waker>>,
    /// The socket took no more: wait until it does.
    write_blocked: Cell<bool>,
    /// The task waits until the output is sent before it takes more input.
    paused: Cell<bool>,
    /// The peer is gone, or must go: stop at once.
    broken: Cell<bool>,
    /// What its output buffer keeps.
    pub room: Cell<Room>,
}

impl Core {
    /// Lets a connection's task look at its client again.
    pub(super) fn wake(&self, slot: u32) {
        if let Some(Some(socket)) = self.sockets.get(slot as usize) {
            socket.wake();
        }
    }
}

impl Socket {
    pub(super) fn new(write: OwnedWriteHalf, client: NonNull<Client>) -> Self {
        Self {
            write,
            client,
            waker: RefCell::new(None),
            write_blocked: Cell::new(false),
            paused: Cell::new(false),
            broken: Cell::new(false),
            room: Cell::default(),
        }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Gives the connection up without sending what is left.
    pub(super) fn abandon(&self) {
        self.broken.set(true);
        self.wake();
    }

    /// Sends what the socket takes. Answers how many bytes went out.
    fn send(&self, client: &mut Client) -> usize {
        let mut sent = 0;
        self.write_blocked.set(false);
        while client.output_start < client.sendable && !self.broken.get() {
            let ready = &client.output.as_slice()[client.output_start..client.sendable];
            match self.write.try_write(ready) {
                Ok(n) => {
                    sent += n;
                    client.output_start += n;
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.write_blocked.set(true);
                    client.drop_sent();
                    self.wake();
                    return sent;
                }
                Err(_) => self.abandon(),
            }
        }
        client.drop_sent();
        if client.closing || self.paused.get() {
            self.wake();
        }
        sent
    }
}

impl Server {
    /// Sends what a client's socket takes. Called by the flusher, and by the connection's task when the
    /// socket has room again.
    pub(super) fn send(&self, socket: &Rc<Socket>, client: &mut Client) {
        let sent = socket.send(client);
        let core = &mut *self.core.borrow_mut();
        core.state.counters.bytes_out += sent as u64;
        if core.roomy.sent(socket, client) {
            self.looks.notify_one();
        }
    }
}

/// The task of one connection.
pub(super) struct Connection {
    server: Rc<Server>,
    socket: Rc<Socket>,
    read: OwnedReadHalf,
    scratch: Rc<RefCell<Buffer>>,
    /// Whole requests may wait in the client's input: its turn ended before they were done.
    more: bool,
    was_blocked: bool,
}

impl Connection {
    pub(super) fn new(
        server: Rc<Server>,
        socket: Rc<Socket>,
        read: OwnedReadHalf,
        scratch: Rc<RefCell<Buffer>>,
    ) -> Self {
        Self { server, socket, read, scratch, more: false, was_blocked: false }
    }

    /// The client's record. It is a block of its own in the state heap, so the reference is not tied
    /// to `self`; take it anew after every call into the plugin.
    fn client<'a>(&self) -> &'a mut Client {
        // SAFETY: this task alone removes the client, at its end; no plugin code runs while the
        // reference is in use, since `feed` takes the pointer and not the reference.
        unsafe { &mut *self.socket.client.as_ptr() }
    }

    /// Executes what waits in the client's own input buffer.
    fn feed_input(&mut self) {
        let client = self.socket.client;
        // SAFETY: as in `client`. The plugin reads the input while the shell leaves it alone.
        let unread = unsafe {
            let input = &raw const (*client.as_ptr()).input;
            &(*input).as_slice()[(*client.as_ptr()).input_start..]
        };
        let fed = self.server.feed(client, unread);
        let client = self.client();
        client.input_start += fed.consumed;
        self.more = fed.more;
        if client.unread() == 0 {
            client.input_start = 0;
            client.input.truncate(0);
            client.input.shrink_to(0);
        } else if client.input_start > client.input.len / 2 {
            client.input.consume(client.input_start);
            client.input_start = 0;
        }
        self.after_feed();
    }

    /// Executes what was read into the shared scratch buffer; the rest moves to the client's own.
    fn feed_scratch(&mut self, scratch: &Buffer) {
        let fed = self.server.feed(self.socket.client, scratch.as_slice());
        let client = self.client();
        if !client.closing {
            client.input.extend_from_slice(&scratch.as_slice()[fed.consumed..]);
        }
        self.more = fed.more;
        self.after_feed();
    }

    /// Puts the client on the flusher's list and holds it to its limits.
    fn after_feed(&mut self) {
        let client = self.client();
        let core = &mut *self.server.core.borrow_mut();
        if client.unsent() > 0 {
            core.mark_dirty(client);
        }
        if client.unread() > core.limits.max_unread_bytes {
            let (limit, unread) = (core.limits.max_unread_bytes, client.unread());
            tracing::warn!(
                verb = "client",
                server = self.server.name,
                client = client.id,
                unread,
                limit,
                "unread input over the limit: closing"
            );
            super::Counters::add(&core.counters.closed_unread, 1);
            client.closing = true;
        }
    }

    /// Reads once. `None` when nothing is there yet.
    fn read_once(&mut self, cx: &mut Context<'_>) -> Option<()> {
        let scratch = Rc::clone(&self.scratch);
        let mut scratch = scratch.borrow_mut();
        let own = self.client().unread() > 0;
        let buffer = if own { &mut self.client().input } else { &mut *scratch };
        if !own {
            buffer.truncate(0);
        }
        let expected = (self.client().need as usize).saturating_sub(buffer.len);
        buffer.reserve(expected.clamp(READ_SIZE, READ_LARGE));
        let mut room = ReadBuf::uninit(buffer.spare());
        let Poll::Ready(result) = Pin::new(&mut self.read).poll_read(cx, &mut room) else {
            return None;
        };
        let n = room.filled().len();
        if result.is_err() {
            self.socket.broken.set(true);
            return Some(());
        }
        if n == 0 {
            self.client().input_ended = true;
            return Some(());
        }
        // SAFETY: `poll_read` filled `n` bytes of the spare room.
        unsafe { buffer.advance(n) };
        self.server.refresh_clocks();
        self.client().active_ms = self.server.unix_ms();
        self.server.core.borrow_mut().state.counters.bytes_in += n as u64;
        if own {
            drop(scratch);
            self.feed_input();
        } else {
            self.feed_scratch(&scratch);
        }
        Some(())
    }

    /// Whether the client reads what it is sent; one that does not is not read either.
    fn has_room(&self) -> bool {
        let room = self.client().unsent() <= self.server.core.borrow().limits.soft_unsent_bytes;
        self.socket.paused.set(!room);
        room
    }

    /// Whether more input may be taken now.
    fn wants_input(&self) -> bool {
        let client = self.client();
        let piled_up = client.blocked && client.unread() >= READ_LARGE;
        !client.closing && !client.input_ended && !piled_up && !self.socket.broken.get()
    }

    /// Whether this connection is at its end.
    fn is_over(&self) -> bool {
        let client = self.client();
        let unsent = client.unsent() > 0;
        self.socket.broken.get() || (!unsent && !client.dirty && client.closing)
    }

    fn finish(&mut self) {
        let client = self.socket.client;
        let (id, slot) = (self.client().id, self.client().slot);
        self.server.refresh_clocks();
        self.server.disconnect(client);
        let core = &mut *self.server.core.borrow_mut();
        core.roomy.forget(&self.socket);
        core.state.clients.remove(id);
        core.sockets[slot as usize] = None;
        core.free_slots.push(slot);
        if core.state.clients.len() == 0 {
            self.server.emptied.notify_waiters();
        }
    }

    /// Sends what waits for room in the socket, if there is some now.
    fn send_rest(&mut self, cx: &mut Context<'_>) {
        while self.socket.write_blocked.get() && !self.socket.broken.get() {
            match self.socket.write.as_ref().poll_write_ready(cx) {
                Poll::Ready(Ok(())) => {
                    self.server.send(&self.socket, self.client());
                }
                Poll::Ready(Err(_)) => self.socket.broken.set(true),
                Poll::Pending => return,
            }
        }
    }

    /// One turn: at most one read, at most one batch of calls. Answers whether another turn is due
    /// without waiting.
    fn turn(&mut self, cx: &mut Context<'_>) -> bool {
        let blocked = self.client().blocked;
        self.more |= std::mem::replace(&mut self.was_blocked, blocked) && !blocked;
        self.more &= self.client().unread() > 0 && !self.client().closing;
        if !self.has_room() {
            return false;
        }
        if self.more && !blocked {
            self.server.refresh_clocks();
            self.feed_input();
        } else if self.wants_input() && self.read_once(cx).is_none() {
            return false;
        }
        self.was_blocked = self.client().blocked;
        if self.client().input_ended && (self.was_blocked || !self.more) {
            self.client().closing = true;
        }
        if !self.has_room() {
            return false;
        }
        (self.more && !self.was_blocked)
            || (self.wants_input() && self.read.as_ref().poll_read_ready(cx).is_ready())
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        {
            let waker = &mut *this.socket.waker.borrow_mut();
            if waker.as_ref().is_none_or(|known| !known.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
        }
        this.send_rest(cx);
        let again = this.turn(cx);
        if this.is_over() {
            this.finish();
            return Poll::Ready(());
        }
        if again {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
