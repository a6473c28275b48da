//! One client connection: its socket, its buffers, and the replies it waits for.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result};

use super::expect::{Expected, Reply};
use super::verify::{Tally, Verdict, judge};
use crate::resp::{self, reply_len};

/// Room for one read.
const READ_SIZE: usize = 64 << 10;

/// A connection.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    unsent: Vec<u8>,
    sent: usize,
    input: Vec<u8>,
    /// Replies that are due, first to last.
    pub expected: VecDeque<Expected>,
    /// Replies that an open transaction owes.
    pub queued: Vec<Reply>,
    /// The last reply that was right.
    last: Option<Reply>,
    /// Still connected.
    pub alive: bool,
    /// On the list of those with something to send.
    pub dirty: bool,
}

impl Connection {
    /// Connects, with a small receive buffer if the connection is to read slowly.
    pub fn open(address: SocketAddr, slow: bool) -> Result<Self> {
        let socket = TcpStream::connect(address).with_context(|| format!("connect {address}"))?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        if slow {
            rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 16 << 10)?;
        }
        Ok(Self {
            socket,
            unsent: Vec::new(),
            sent: 0,
            input: Vec::new(),
            expected: VecDeque::new(),
            queued: Vec::new(),
            last: None,
            alive: true,
            dirty: false,
        })
    }

    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Queues a request and the reply it must get.
    pub fn ask(&mut self, args: &[&[u8]], reply: Reply, due_ns: u64) {
        resp::request(&mut self.unsent, args);
        self.expect(reply, due_ns);
    }

    /// What is to be sent, for requests that are written in place.
    pub fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.unsent
    }

    /// Queues bytes.
    pub fn put(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    /// Waits for a reply.
    pub fn expect(&mut self, reply: Reply, due_ns: u64) {
        self.expected.push_back(Expected { reply, due_ns });
    }

    /// Sends what the socket takes. Answers whether the connection is still there.
    pub fn flush(&mut self) -> bool {
        while self.sent < self.unsent.len() {
            match self.socket.write(&self.unsent[self.sent..]) {
                Ok(n) => self.sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        self.unsent.clear();
        self.sent = 0;
        true
    }

    /// Reads at most `limit` bytes. Answers whether the connection is still there.
    pub fn fill(&mut self, limit: usize, scratch: &mut Vec<u8>) -> bool {
        scratch.resize(READ_SIZE, 0);
        let mut left = limit;
        while left > 0 {
            let room = left.min(READ_SIZE);
            match self.socket.read(&mut scratch[..room]) {
                Ok(0) => return false,
                Ok(n) => {
                    self.input.extend_from_slice(&scratch[..n]);
                    left -= n;
                    if n < room {
                        return true;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Holds the replies that have arrived against the expected ones. Calls `right` for each that is
    /// the expected one.
    pub fn check(
        &mut self,
        id: usize,
        tally: &mut Tally,
        scratch: &mut Vec<u8>,
        mut right: impl FnMut(&Expected),
    ) {
        let mut at = 0;
        loop {
            let rest = &self.input[at..];
            let len = match reply_len(rest) {
                Ok(Some(len)) => len,
                Ok(None) if !rest.is_empty() && self.expected.is_empty() => rest.len(),
                Ok(None) => break,
                Err(_) => rest.len(),
            };
            let got = &rest[..len];
            at += len;
            let verdict = judge(got, &self.expected, self.last.as_ref(), scratch);
            tally.count(id, &verdict, got, &self.expected);
            match verdict {
                Verdict::Right { skipped } => {
                    self.expected.drain(..skipped);
                    let expected = self.expected.pop_front().expect("judged against it");
                    right(&expected);
                    self.last = Some(expected.reply);
                }
                Verdict::Wrong => drop(self.expected.pop_front()),
                Verdict::Doubled | Verdict::Unasked => {}
            }
            if at == self.input.len() {
                break;
            }
        }
        self.input.drain(..at);
    }
}
