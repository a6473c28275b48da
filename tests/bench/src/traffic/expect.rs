//! What a reply must be, exactly. Every value is a function of who wrote it and when, so a reply that
//! is missing, doubled or out of order differs from the expected one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::rc::Rc;

use crate::random::mix;
use crate::resp::bulk;

/// Slots that each connection writes and reads back.
pub const SLOTS: u64 = 8;
/// Bytes of the values that slow readers fetch.
pub const BIG: usize = 256 << 10;

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`
    Ok,
    /// `+QUEUED`
    Queued,
    /// A number: a counter that only this connection raises, a length, a count of receivers.
    Int(u64),
    /// The value that a key was filled with.
    Filled(u64),
    /// What a connection last wrote into a slot; nothing when `seq` is 0.
    Slot { owner: usize, slot: u64, seq: u64 },
    /// The value of a connection's counter, as text; nothing when it is 0.
    Count(u64),
    /// A number sent along with ECHO.
    Echo(u64),
    /// The replies of a transaction.
    Exec(Vec<Self>),
    /// An element of a queue, popped.
    Popped { queue: usize, seq: u64 },
    /// The subscription to a channel.
    Subscribed(u64),
    /// A message on a channel.
    Message { channel: u64, seq: u64 },
    /// The large value of a connection.
    Big(usize),
}

/// A reply that is due.
#[derive(Debug, Clone)]
pub struct Expected {
    /// What it must be.
    pub reply: Reply,
    /// When its request was scheduled, nanoseconds; 0: not measured.
    pub due_ns: u64,
}

impl Reply {
    /// Appends the reply's bytes.
    pub fn render(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ok => out.extend_from_slice(b"+OK\r\n"),
            Self::Queued => out.extend_from_slice(b"+QUEUED\r\n"),
            Self::Int(n) => write!(out, ":{n}\r\n").expect("a Vec takes everything"),
            Self::Filled(n) => bulk(out, &filled_value(*n)),
            Self::Slot { seq: 0, .. } | Self::Count(0) => out.extend_from_slice(b"$-1\r\n"),
            Self::Slot { owner, slot, seq } => bulk(out, &slot_value(*owner, *slot, *seq)),
            Self::Count(n) | Self::Echo(n) => bulk(out, n.to_string().as_bytes()),
            Self::Exec(replies) => {
                write!(out, "*{}\r\n", replies.len()).expect("a Vec takes everything");
                replies.iter().for_each(|reply| reply.render(out));
            }
            Self::Popped { queue, seq } => {
                out.extend_from_slice(b"*2\r\n");
                bulk(out, &queue_key(*queue));
                bulk(out, seq.to_string().as_bytes());
            }
            Self::Subscribed(channel) => {
                out.extend_from_slice(b"*3\r\n$9\r\nsubscribe\r\n");
                bulk(out, &channel_name(*channel));
                out.extend_from_slice(b":1\r\n");
            }
            Self::Message { channel, seq } => {
                out.extend_from_slice(b"*3\r\n$7\r\nmessage\r\n");
                bulk(out, &channel_name(*channel));
                bulk(out, seq.to_string().as_bytes());
            }
            Self::Big(owner) => bulk(out, &big_value(*owner)),
        }
    }

    /// Whether no other reply on the same connection looks like it, so that a second one of these is
    /// a doubled one.
    pub fn is_unique(&self) -> bool {
        matches!(self, Self::Echo(_) | Self::Exec(_) | Self::Popped { .. } | Self::Message { .. })
    }
}

/// A key that is filled before the traffic starts.
pub fn filled_key(n: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    let mut rest = n;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// Its value.
pub fn filled_value(n: u64) -> [u8; 32] {
    hex(mix(n), mix(!n))
}

/// A slot of a connection.
pub fn slot_key(owner: usize, slot: u64) -> Vec<u8> {
    format!("slot:{owner}:{slot}").into_bytes()
}

/// What the connection wrote into it, the `seq`-th time it wrote anything.
pub fn slot_value(owner: usize, slot: u64, seq: u64) -> [u8; 32] {
    hex(mix(owner as u64 ^ slot << 48), mix(seq))
}

/// The counter of a connection.
pub fn count_key(owner: usize) -> Vec<u8> {
    format!("count:{owner}").into_bytes()
}

/// The queue that a connection waits at.
pub fn queue_key(queue: usize) -> Vec<u8> {
    format!("queue:{queue}").into_bytes()
}

/// A channel.
pub fn channel_name(channel: u64) -> Vec<u8> {
    format!("channel:{channel}").into_bytes()
}

/// The key of a large value.
pub fn big_key(owner: usize) -> Vec<u8> {
    format!("big:{owner}").into_bytes()
}

/// The large value of a connection. Made once: to make one takes as long as to send it, and the
/// thread that checks replies also measures when they came.
pub fn big_value(owner: usize) -> Rc<[u8]> {
    thread_local! {
        static MADE: RefCell<HashMap<usize, Rc<[u8]>>> = RefCell::default();
    }
    let make = || {
        let blocks = 0..BIG as u64 / 32;
        blocks.flat_map(|block| hex(mix(owner as u64), mix(block))).collect()
    };
    MADE.with_borrow_mut(|made| Rc::clone(made.entry(owner).or_insert_with(make)))
}

fn hex(a: u64, b: u64) -> [u8; 32] {
    let mut text = [0; 32];
    let mut bits = u128::from(a) << 64 | u128::from(b);
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(bits & 15) as usize];
        bits >>= 4;
    }
    text
}
