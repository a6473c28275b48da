//! What happens when a client's timer fires.

use super::expect::{self, Reply};
use super::generator::{Client, Generator};
use super::role::{CHANNELS, Half, Holding, Role, SLOW_REQUESTS};
use crate::clock::MILLISECOND;

/// Between two reads of a slow reader: 3 MB a second. Much faster ones would be a load of their own,
/// the most of which is not requests but copying.
const SLOW_TICK_NS: u64 = 10 * MILLISECOND;
/// What it reads at once, bytes.
const SLOW_READ: usize = 32 << 10;
/// Between two messages on the channels.
const PUBLISH_NS: u64 = 5 * MILLISECOND;
/// Shortest pause of a client between holding a state and holding it again.
const PAUSE_NS: u64 = MILLISECOND;

/// Swaps that happened, whole, while a client held a state.
#[derive(Debug, Default, Clone, Copy)]
pub struct Met {
    /// A request was half sent.
    pub half: u64,
    /// A transaction was open.
    pub multi: u64,
    /// A client was blocked.
    pub blocked: u64,
    /// A client had not read all its replies.
    pub unread: u64,
}

impl Generator {
    /// Does the next step of a client; answers when the one after it is due.
    pub(super) fn act(&mut self, id: usize, due_ns: u64) -> Option<u64> {
        let hold = due_ns + self.random.between(MILLISECOND / 4, self.hold_ns);
        let pause = due_ns + self.random.between(PAUSE_NS, 4 * PAUSE_NS);
        let waits = !self.clients[id].connection.expected.is_empty();
        match &self.clients[id].role {
            Role::Half(None) | Role::Multi(None) | Role::Blocked(None, _) if waits => Some(pause),
            Role::Half(None) => self.begin(id, Self::send_half).map(|()| hold),
            Role::Half(Some(_)) => self.send_rest(id, due_ns).map(|()| pause),
            Role::Multi(None) => self.begin(id, Self::open_transaction).map(|()| hold),
            Role::Multi(Some(_)) => self.execute(id, due_ns).map(|()| pause),
            Role::Blocked(None, _) => self.begin(id, Self::wait_at_queue).map(|()| hold),
            Role::Blocked(Some(_), _) => self.push_element(id, due_ns).map(|()| pause),
            Role::Publisher(_) => self.begin(id, Self::publish).map(|()| due_ns + PUBLISH_NS),
            Role::Slow(_) if waits => self.read_slowly(id).map(|()| due_ns + SLOW_TICK_NS),
            Role::Slow(_) => self.begin(id, Self::ask_for_much).map(|()| due_ns + SLOW_TICK_NS),
            _ => None,
        }
    }

    /// A first step: not taken any more once the traffic ends.
    fn begin(&mut self, id: usize, step: fn(&mut Self, usize)) -> Option<()> {
        if self.finishing {
            return None;
        }
        step(self, id);
        self.mark(id);
        Some(())
    }

    fn send_half(&mut self, id: usize) {
        let since = Holding(self.control.begun());
        let Client { connection, role, own } = &mut self.clients[id];
        let mut bytes = Vec::new();
        let reply = own.any(&mut bytes, &mut self.random, self.keys);
        let cut = self.random.between(1, bytes.len() as u64) as usize;
        connection.put(&bytes[..cut]);
        *role = Role::Half(Some(Half { rest: bytes.split_off(cut), reply, since }));
    }

    fn send_rest(&mut self, id: usize, due_ns: u64) -> Option<()> {
        let Client { connection, role, .. } = &mut self.clients[id];
        let Role::Half(half) = role else { return None };
        let Half { rest, reply, since } = half.take()?;
        connection.put(&rest);
        connection.expect(reply, due_ns);
        self.met.half += self.control.swaps_since(since.0);
        self.mark(id);
        Some(())
    }

    fn open_transaction(&mut self, id: usize) {
        let since = Holding(self.control.begun());
        let Client { connection, role, own } = &mut self.clients[id];
        connection.ask(&[b"MULTI"], Reply::Ok, 0);
        let mut bytes = Vec::new();
        let queued = vec![own.raise(&mut bytes), own.set(&mut bytes, 0), own.get(&mut bytes, 0)];
        connection.put(&bytes);
        queued.iter().for_each(|_| connection.expect(Reply::Queued, 0));
        connection.queued = queued;
        *role = Role::Multi(Some(since));
    }

    fn execute(&mut self, id: usize, due_ns: u64) -> Option<()> {
        let Client { connection, role, .. } = &mut self.clients[id];
        let Role::Multi(held) = role else { return None };
        let since = held.take()?;
        let queued = std::mem::take(&mut connection.queued);
        connection.ask(&[b"EXEC"], Reply::Exec(queued), due_ns);
        self.met.multi += self.control.swaps_since(since.0);
        self.mark(id);
        Some(())
    }

    fn wait_at_queue(&mut self, id: usize) {
        let since = Holding(self.control.begun());
        let Client { connection, role, .. } = &mut self.clients[id];
        let Role::Blocked(held, seq) = role else { return };
        *held = Some(since);
        *seq += 1;
        let reply = Reply::Popped { queue: id, seq: *seq };
        connection.ask(&[b"BLPOP", &expect::queue_key(id), b"0"], reply, 0);
    }

    fn push_element(&mut self, id: usize, due_ns: u64) -> Option<()> {
        let Client { connection, role, .. } = &mut self.clients[id];
        let Role::Blocked(held, seq) = role else { return None };
        let (since, element) = (held.take()?, seq.to_string());
        if let Some(popped) = connection.expected.back_mut() {
            popped.due_ns = due_ns;
        }
        self.met.blocked += self.control.swaps_since(since.0);
        // One element at a time, so the list is as long as this one.
        let request: &[&[u8]] = &[b"RPUSH", &expect::queue_key(id), element.as_bytes()];
        let producer = self.producer;
        self.clients[producer].connection.ask(request, Reply::Int(1), due_ns);
        self.mark(producer);
        Some(())
    }

    fn publish(&mut self, id: usize) {
        let Role::Publisher(sent) = &mut self.clients[id].role else { return };
        let (channel, seq) = (*sent % CHANNELS, *sent);
        *sent += 1;
        let due_ns = self.acting_ns;
        let receivers = std::mem::take(&mut self.subscribers[channel as usize]);
        let mut there = 0;
        for &receiver in &receivers {
            let connection = &mut self.clients[receiver].connection;
            if connection.alive {
                connection.expect(Reply::Message { channel, seq }, due_ns);
                there += 1;
            }
        }
        self.subscribers[channel as usize] = receivers;
        let text = seq.to_string();
        let request: &[&[u8]] = &[b"PUBLISH", &expect::channel_name(channel), text.as_bytes()];
        self.clients[id].connection.ask(request, Reply::Int(there), due_ns);
    }

    fn ask_for_much(&mut self, id: usize) {
        let since = Holding(self.control.begun());
        let Client { connection, role, .. } = &mut self.clients[id];
        for _ in 0..SLOW_REQUESTS {
            connection.ask(&[b"GET", &expect::big_key(id)], Reply::Big(id), 0);
        }
        *role = Role::Slow(since);
    }

    fn read_slowly(&mut self, id: usize) -> Option<()> {
        let limit = if self.finishing { usize::MAX } else { SLOW_READ };
        self.read(id, limit);
        let Client { connection, role, .. } = &self.clients[id];
        let Role::Slow(since) = role else { return None };
        if connection.expected.is_empty() {
            self.met.unread += self.control.swaps_since(since.0);
        }
        connection.alive.then_some(())
    }
}
