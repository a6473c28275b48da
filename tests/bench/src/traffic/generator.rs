//! The thread that makes the traffic: one epoll loop, an open-loop schedule, timers.
//!
//! Open loop: when a request is sent is decided beforehand, by a Poisson process, and its latency
//! counts from then. A server that stands still gets the requests all the same, so its stop is seen.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::acts::Met;
use super::connection::Connection;
use super::control::Control;
use super::expect::{self, Reply};
use super::own::Own;
use super::role::{CHANNELS, Cast, PIPELINE, Role};
use super::samples::Samples;
use super::verify::Tally;
use crate::clock::{MILLISECOND, SECOND, Span, now_ns};
use crate::median::histogram;
use crate::random::Random;

/// How long the replies that are due may take once the traffic ends.
const FINISH_PATIENCE_NS: u64 = 10 * SECOND;
/// Most sockets looked at in one turn.
const EVENTS: usize = 256;
/// Part of the scheduled requests that come in bursts.
const BURST_SHARE: f64 = 0.25;

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    pub connection: Connection,
    pub role: Role,
    pub own: Own,
}

/// What the traffic is like.
#[derive(Debug, Clone)]
pub struct Style {
    /// Clients by role.
    pub cast: Cast,
    /// Keys that were filled.
    pub keys: u64,
    /// Longest time for which a client holds a state, nanoseconds.
    pub hold_ns: u64,
    /// Requests so near to a swap count as around it, nanoseconds.
    pub window_ns: u64,
    /// The same seed gives the same traffic.
    pub seed: u64,
}

/// The traffic.
#[derive(Debug)]
pub struct Generator {
    epoll: OwnedFd,
    events: Vec<(usize, EventFlags)>,
    pub(super) clients: Vec<Client>,
    plain: Vec<usize>,
    bursts: Vec<usize>,
    pub(super) producer: usize,
    pub(super) subscribers: [Vec<usize>; CHANNELS as usize],
    timers: BinaryHeap<Reverse<(u64, usize)>>,
    dirty: Vec<usize>,
    pub(super) random: Random,
    pub(super) keys: u64,
    pub(super) hold_ns: u64,
    pub(super) control: Arc<Control>,
    /// When the timer that is acted on was due.
    pub(super) acting_ns: u64,
    /// No state is held anew.
    pub(super) finishing: bool,
    /// A client that has its replies asks again at once.
    closed_loop: bool,
    read_scratch: Vec<u8>,
    render_scratch: Vec<u8>,
    /// How replies were judged.
    pub tally: Tally,
    /// Latencies.
    pub samples: Samples,
    /// Swaps met in each state.
    pub met: Met,
    /// How long after its schedule a request was sent, nanoseconds.
    pub late: Histogram<u64>,
}

impl Generator {
    /// Connects all clients and brings them to where the traffic can start.
    pub fn connect(address: SocketAddr, style: &Style, control: Arc<Control>) -> Result<Self> {
        let mut this = Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(EVENTS),
            clients: Vec::with_capacity(style.cast.clients()),
            plain: Vec::new(),
            bursts: Vec::new(),
            producer: 0,
            subscribers: Default::default(),
            timers: BinaryHeap::new(),
            dirty: Vec::new(),
            random: Random::new(style.seed),
            keys: style.keys,
            hold_ns: style.hold_ns,
            control,
            acting_ns: 0,
            finishing: false,
            closed_loop: false,
            read_scratch: Vec::new(),
            render_scratch: Vec::new(),
            tally: Tally::default(),
            samples: Samples::new(style.window_ns),
            met: Met::default(),
            late: histogram(),
        };
        for role in style.cast.roles() {
            this.add(address, role)?;
        }
        this.until_answered()?;
        let start = now_ns();
        for id in 0..this.clients.len() {
            if this.clients[id].role.is_timed() {
                let first = start + this.random.below(this.hold_ns);
                this.timers.push(Reverse((first, id)));
            }
        }
        Ok(this)
    }

    fn add(&mut self, address: SocketAddr, role: Role) -> Result<()> {
        let id = self.clients.len();
        let mut connection = Connection::open(address, role.is_slow())?;
        // Edge-triggered, so that nothing is registered again while the traffic runs.
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, connection.socket(), EventData::new_u64(id as u64), flags)?;
        match role {
            Role::Plain => self.plain.push(id),
            Role::Pipeline => self.bursts.push(id),
            Role::Producer => self.producer = id,
            Role::Subscriber(channel) => {
                self.subscribers[channel as usize].push(id);
                let name = expect::channel_name(channel);
                connection.ask(&[b"SUBSCRIBE", &name], Reply::Subscribed(channel), 0);
            }
            Role::Slow(_) => {
                let (key, value) = (expect::big_key(id), expect::big_value(id));
                connection.ask(&[b"SET", &key, &value], Reply::Ok, 0);
            }
            _ => {}
        }
        self.clients.push(Client { connection, role, own: Own::new(id) });
        self.mark(id);
        Ok(())
    }

    /// Runs clients without pause for a while; answers the replies per second, in the mix that
    /// [`Self::run`] sends.
    pub fn calibrate(&mut self, ns: u64) -> f64 {
        let plain = self.saturate(&self.plain.clone(), ns / 2);
        let bursts = self.saturate(&self.bursts.clone(), ns / 2);
        1.0 / ((1.0 - BURST_SHARE) / plain + BURST_SHARE / bursts)
    }

    fn saturate(&mut self, clients: &[usize], ns: u64) -> f64 {
        let (start, before) = (now_ns(), self.tally.right);
        self.closed_loop = true;
        for &id in clients {
            self.again(id);
        }
        while now_ns() < start + ns {
            self.turn(start + ns);
        }
        self.closed_loop = false;
        let rate = (self.tally.right - before) as f64 * SECOND as f64 / (now_ns() - start) as f64;
        let deadline = now_ns() + FINISH_PATIENCE_NS;
        let due = |this: &Self, id: usize| !this.clients[id].connection.expected.is_empty();
        while now_ns() < deadline && clients.iter().any(|&id| due(self, id)) {
            self.turn(now_ns() + MILLISECOND);
        }
        rate
    }

    /// Lets a client ask at once.
    fn again(&mut self, id: usize) {
        match self.clients[id].role {
            Role::Plain => self.request(id, 0),
            Role::Pipeline => self.burst(id, 0),
            _ => {}
        }
    }

    /// Sends so many requests per second until the traffic is to end.
    pub fn run(&mut self, rate: f64) {
        let burst_chance = BURST_SHARE / (BURST_SHARE + (1.0 - BURST_SHARE) * PIPELINE as f64);
        let arrivals = rate / (1.0 + burst_chance * (PIPELINE as f64 - 1.0));
        let mean_ns = SECOND as f64 / arrivals;
        let burst_below = (burst_chance * u64::MAX as f64) as u64;
        let mut next = now_ns() as f64;
        let (mut plain_turn, mut burst_turn) = (0, 0);
        while !self.control.stopped() {
            let now = now_ns();
            while (next as u64) <= now {
                let due_ns = next as u64;
                self.late.saturating_record(now - due_ns);
                if self.random.next() < burst_below {
                    burst_turn = (burst_turn + 1) % self.bursts.len();
                    self.burst(self.bursts[burst_turn], due_ns);
                } else {
                    plain_turn = (plain_turn + 1) % self.plain.len();
                    self.request(self.plain[plain_turn], due_ns);
                }
                next += self.random.exponential(mean_ns);
            }
            self.samples.settle(&self.control, now);
            self.turn(next as u64);
        }
    }

    /// Completes every state that is held, asks every client once more, and sorts the latencies.
    pub fn finish(&mut self) {
        self.finishing = true;
        let now = now_ns();
        for id in 0..self.clients.len() {
            let slow = self.clients[id].role.is_slow();
            if !self.clients[id].connection.alive {
                continue;
            }
            if !slow && self.clients[id].role.is_timed() {
                self.acting_ns = now;
                self.act(id, now);
            }
            if !matches!(self.clients[id].role, Role::Subscriber(_)) {
                let Client { connection, own, .. } = &mut self.clients[id];
                for ask in [Own::count, Own::echo] {
                    let reply = ask(own, connection.outbox());
                    connection.expect(reply, 0);
                }
                self.mark(id);
            }
        }
        self.wait_for_replies();
        for client in &mut self.clients {
            let due = client.connection.expected.len() as u64;
            self.tally.missing += due;
            if let Some(first) = client.connection.expected.front() {
                let role = &client.role;
                self.tally.example(format!("{due} missing, first {first:?}, {role:?}"));
            }
        }
        self.samples.settle_all(&self.control);
    }

    fn until_answered(&mut self) -> Result<()> {
        self.wait_for_replies();
        let due = self.clients.iter().find(|client| !client.connection.expected.is_empty());
        if let Some(client) = due {
            let first = client.connection.expected.front();
            bail!("the server does not answer: {first:?} is due to {:?}", client.role);
        }
        let first = self.tally.examples.first();
        first.is_none().then_some(()).with_context(|| format!("a wrong reply: {first:?}"))
    }

    fn wait_for_replies(&mut self) {
        let deadline = now_ns() + FINISH_PATIENCE_NS;
        let due = |client: &Client| !client.connection.expected.is_empty();
        while now_ns() < deadline && self.clients.iter().any(due) {
            self.turn(now_ns() + MILLISECOND);
            for id in 0..self.clients.len() {
                if self.clients[id].role.is_slow() {
                    self.read(id, usize::MAX);
                }
            }
        }
    }

    fn request(&mut self, id: usize, due_ns: u64) {
        let Client { connection, own, .. } = &mut self.clients[id];
        if !connection.alive {
            return;
        }
        let reply = own.any(connection.outbox(), &mut self.random, self.keys);
        connection.expect(reply, due_ns);
        self.mark(id);
    }

    fn burst(&mut self, id: usize, due_ns: u64) {
        for _ in 0..PIPELINE {
            self.request(id, due_ns);
        }
    }

    /// Puts a client on the list of those with something to send.
    pub(super) fn mark(&mut self, id: usize) {
        let connection = &mut self.clients[id].connection;
        if !connection.dirty {
            connection.dirty = true;
            self.dirty.push(id);
        }
    }

    /// Sends, waits for sockets or timers until `until_ns` at the latest, and does what is due.
    fn turn(&mut self, until_ns: u64) {
        for id in std::mem::take(&mut self.dirty) {
            self.clients[id].connection.dirty = false;
            self.send(id);
        }
        let timer = self.timers.peek().map_or(u64::MAX, |Reverse((due, _))| *due);
        self.wait(until_ns.min(timer));
        for at in 0..self.events.len() {
            let (id, flags) = self.events[at];
            if flags.intersects(EventFlags::OUT) {
                self.send(id);
            }
            let slow = self.clients[id].role.is_slow() && !self.finishing;
            if !slow || flags.intersects(EventFlags::HUP | EventFlags::ERR) {
                self.read(id, usize::MAX);
            }
        }
        let now = now_ns();
        while let Some(&Reverse((due, id))) = self.timers.peek()
            && due <= now
        {
            self.timers.pop();
            if !self.clients[id].connection.alive {
                continue;
            }
            self.acting_ns = due;
            if let Some(next) = self.act(id, due) {
                self.timers.push(Reverse((next, id)));
            }
        }
    }

    fn wait(&mut self, until_ns: u64) {
        self.events.clear();
        let left = until_ns.saturating_sub(now_ns());
        if left > 0 {
            // `epoll_wait` counts in milliseconds, `ppoll` in nanoseconds.
            let (tv_sec, tv_nsec) = ((left / SECOND) as i64, (left % SECOND) as i64);
            let mut fds = [PollFd::new(&self.epoll, PollFlags::IN)];
            // An interrupted wait is a short one.
            if let Ok(0) = poll(&mut fds, Some(&Timespec { tv_sec, tv_nsec })) {
                return;
            }
        }
        let mut room = [const { MaybeUninit::uninit() }; EVENTS];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        if let Ok((events, _)) = epoll::wait(&self.epoll, &mut room, Some(&at_once)) {
            self.events.extend(events.iter().map(|e| (e.data.u64() as usize, e.flags)));
        }
    }

    fn send(&mut self, id: usize) {
        let connection = &mut self.clients[id].connection;
        if connection.alive && !connection.flush() {
            self.lose(id);
        }
    }

    /// Reads and judges at most `limit` bytes.
    pub(super) fn read(&mut self, id: usize, limit: usize) {
        let Self { clients, samples, tally, read_scratch, render_scratch, .. } = self;
        let connection = &mut clients[id].connection;
        if !connection.alive {
            return;
        }
        let connected = connection.fill(limit, read_scratch);
        let done_ns = now_ns();
        connection.check(id, tally, render_scratch, |expected| {
            if expected.due_ns > 0 {
                samples.push(Span { begin_ns: expected.due_ns, end_ns: done_ns });
            }
        });
        let idle = connection.expected.is_empty();
        if !connected {
            self.lose(id);
        } else if self.closed_loop && idle {
            self.again(id);
        }
    }

    fn lose(&mut self, id: usize) {
        let Client { connection, role, .. } = &mut self.clients[id];
        connection.alive = false;
        let due = connection.expected.len();
        connection.expected.clear();
        self.tally.missing += due as u64;
        self.tally.lost_connections += 1;
        self.tally.example(format!("connection {id} lost, {due} replies missing, {role:?}"));
    }
}
