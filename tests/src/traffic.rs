//! Clients of kv in every situation that a swap may find them in. Each checks every reply: none may be
//! lost, doubled, reordered or wrong, and no connection may close.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::poll::{PATIENCE, eventually};
use crate::resp::{Resp, Value, bulk, ok, request};

/// What a client is doing when the swap comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Situation {
    /// Connected, silent.
    Idle,
    /// Sends requests in batches all the time.
    Pipelining,
    /// Half of a request is sent.
    HalfSent,
    /// Between MULTI and EXEC.
    InMulti,
    /// After WATCH.
    Watching,
    /// Waits in BLPOP.
    Blocked,
    /// After SUBSCRIBE.
    Subscribed,
    /// Does not read: megabytes of replies are unsent.
    SlowReader,
}

impl Situation {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Idle,
        Self::Pipelining,
        Self::HalfSent,
        Self::InMulti,
        Self::Watching,
        Self::Blocked,
        Self::Subscribed,
        Self::SlowReader,
    ];

    fn run(self, addr: SocketAddr, turn: &Turn, name: &str) {
        match self {
            Self::Idle => idle(addr, turn),
            Self::Pipelining => pipelining(addr, turn, name),
            Self::HalfSent => half_sent(addr, turn, name),
            Self::InMulti => in_multi(addr, turn, name),
            Self::Watching => watching(addr, turn, name),
            Self::Blocked => blocked(addr, turn, name),
            Self::Subscribed => subscribed(addr, turn, name),
            Self::SlowReader => slow_reader(addr, turn, name),
        }
    }
}

/// Clients at work.
#[derive(Debug)]
pub struct Traffic {
    shared: Arc<Shared>,
    clients: Vec<(Turn, JoinHandle<()>)>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    swaps: AtomicU64,
    replies: AtomicU64,
}

/// One client's view of the swaps.
#[derive(Debug, Clone)]
struct Turn {
    shared: Arc<Shared>,
    /// How often it was in its situation.
    rounds: Arc<AtomicU64>,
}

impl Turn {
    fn goes_on(&self) -> bool {
        !self.shared.stop.load(Ordering::SeqCst)
    }

    /// It is in its situation: waits for the next swap, or for the end.
    fn meet_swap(&self) {
        let before = self.shared.swaps.load(Ordering::SeqCst);
        self.rounds.fetch_add(1, Ordering::SeqCst);
        let deadline = Instant::now() + PATIENCE;
        while self.goes_on() && self.shared.swaps.load(Ordering::SeqCst) == before {
            assert!(Instant::now() < deadline, "no swap comes");
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    fn right(&self, reply: Value, wanted: &Value) {
        assert_eq!(&reply, wanted);
        self.shared.replies.fetch_add(1, Ordering::Relaxed);
    }
}

impl Traffic {
    /// Starts a client in each of these situations.
    pub fn start(addr: SocketAddr, situations: &[Situation]) -> Self {
        let shared = Arc::new(Shared::default());
        let client = |(at, situation): (usize, &Situation)| {
            let turn = Turn { shared: shared.clone(), rounds: Arc::default() };
            let (theirs, situation) = (turn.clone(), *situation);
            let name = format!("{situation:?}{at}");
            let thread = std::thread::Builder::new().name(name.clone());
            let run = move || situation.run(addr, &theirs, &name);
            (turn, thread.spawn(run).expect("a thread"))
        };
        let clients = situations.iter().enumerate().map(client).collect();
        Self { shared, clients }
    }

    /// Waits until every client has been in its situation once more.
    ///
    /// # Panics
    /// When one has failed.
    #[track_caller]
    pub fn ready(&self) {
        let before: Vec<u64> =
            self.clients.iter().map(|(turn, _)| turn.rounds.load(Ordering::SeqCst)).collect();
        let swaps = self.shared.swaps.load(Ordering::SeqCst);
        eventually("every client is in its situation", || {
            let ready = |((turn, thread), before): (&(Turn, JoinHandle<()>), &u64)| {
                assert!(!thread.is_finished(), "a client has failed: {:?}", thread.thread().name());
                let rounds = turn.rounds.load(Ordering::SeqCst);
                rounds > swaps || rounds > *before
            };
            self.clients.iter().zip(&before).all(ready)
        });
    }

    /// Tells the clients that a swap is done.
    pub fn swapped(&self) {
        self.shared.swaps.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends the clients; answers how many replies were checked.
    ///
    /// # Panics
    /// When a client has heard something wrong.
    #[track_caller]
    pub fn finish(self) -> u64 {
        self.shared.stop.store(true, Ordering::SeqCst);
        for (_, client) in self.clients {
            let name = client.thread().name().unwrap_or("").to_owned();
            assert!(client.join().is_ok(), "client {name} has heard something wrong");
        }
        self.shared.replies.load(Ordering::SeqCst)
    }
}

fn idle(addr: SocketAddr, turn: &Turn) {
    let mut client = Resp::connect(addr);
    let id = client.call(&["CLIENT", "ID"]);
    while turn.goes_on() {
        turn.meet_swap();
    }
    assert!(client.is_silent(), "nothing came unasked");
    turn.right(client.call(&["CLIENT", "ID"]), &id);
}

fn pipelining(addr: SocketAddr, turn: &Turn, name: &str) {
    const BATCH: i64 = 32;
    let mut client = Resp::connect(addr);
    let batch = request(&["INCR", name]).repeat(BATCH as usize);
    let mut count = 0;
    while turn.goes_on() {
        client.send(&batch);
        for n in 1..=BATCH {
            turn.right(client.read(), &Value::Int(count + n));
        }
        count += BATCH;
        turn.rounds.fetch_add(1, Ordering::SeqCst);
    }
    turn.right(client.call(&["GET", name]), &bulk(&count.to_string()));
}

fn half_sent(addr: SocketAddr, turn: &Turn, name: &str) {
    let mut client = Resp::connect(addr);
    let mut round = 0;
    while turn.goes_on() {
        let value = format!("value {round}");
        let whole = request(&["SET", name, &value]);
        let cut = 1 + round % (whole.len() - 1);
        client.send(&whole[..cut]);
        turn.meet_swap();
        assert!(client.is_silent(), "half a request is not answered");
        client.send(&whole[cut..]);
        turn.right(client.read(), &ok());
        turn.right(client.call(&["GET", name]), &bulk(&value));
        round += 1;
    }
}

fn in_multi(addr: SocketAddr, turn: &Turn, name: &str) {
    let mut client = Resp::connect(addr);
    let queued = Value::Simple("QUEUED".to_owned());
    let mut count = 0;
    while turn.goes_on() {
        turn.right(client.call(&["MULTI"]), &ok());
        turn.right(client.call(&["INCR", name]), &queued);
        turn.meet_swap();
        turn.right(client.call(&["INCR", name]), &queued);
        let both = Value::Array(vec![Value::Int(count + 1), Value::Int(count + 2)]);
        turn.right(client.call(&["EXEC"]), &both);
        count += 2;
    }
}

fn watching(addr: SocketAddr, turn: &Turn, name: &str) {
    let (mut client, mut other) = (Resp::connect(addr), Resp::connect(addr));
    let mut round = 0;
    while turn.goes_on() {
        turn.right(client.call(&["WATCH", name]), &ok());
        let touched = round % 3;
        if touched == 1 {
            turn.right(other.call(&["SET", name, "before"]), &ok());
        }
        turn.meet_swap();
        if touched == 2 {
            turn.right(other.call(&["SET", name, "after"]), &ok());
        }
        turn.right(client.call(&["MULTI"]), &ok());
        let queued = client.call(&["SET", name, "mine"]);
        turn.right(queued, &Value::Simple("QUEUED".to_owned()));
        let outcome = if touched == 0 { Value::Array(vec![ok()]) } else { Value::Nil };
        turn.right(client.call(&["EXEC"]), &outcome);
        round += 1;
    }
}

fn blocked(addr: SocketAddr, turn: &Turn, name: &str) {
    let (mut client, mut other) = (Resp::connect(addr), Resp::connect(addr));
    let mut round = 0;
    while turn.goes_on() {
        let behind = request(&["ECHO", "behind"]);
        client.send([request(&["BLPOP", name, "0"]), behind.clone()].concat());
        // Not before it is blocked: then the push would find nobody.
        let blocked = || other.call(&["INFO", "clients"]).text().contains("blocked_clients:1");
        eventually("BLPOP waits", blocked);
        turn.meet_swap();
        // What comes behind it waits with it, whether it came before the swap or after.
        client.send(&behind);
        turn.right(other.call(&["LLEN", name]), &Value::Int(0));
        assert!(client.is_silent(), "it waits");
        let value = format!("value {round}");
        turn.right(other.call(&["RPUSH", name, &value]), &Value::Int(1));
        turn.right(client.read(), &Value::Array(vec![bulk(name), bulk(&value)]));
        turn.right(client.read(), &bulk("behind"));
        turn.right(client.read(), &bulk("behind"));
        turn.right(other.call(&["LLEN", name]), &Value::Int(0));
        round += 1;
    }
}

fn subscribed(addr: SocketAddr, turn: &Turn, name: &str) {
    let (mut client, mut other) = (Resp::connect(addr), Resp::connect(addr));
    let confirmed = Value::Array(vec![bulk("subscribe"), bulk(name), Value::Int(1)]);
    turn.right(client.call(&["SUBSCRIBE", name]), &confirmed);
    let mut round = 0;
    while turn.goes_on() {
        let mut publish = |text: &str| {
            turn.right(other.call(&["PUBLISH", name, text]), &Value::Int(1));
            Value::Array(vec![bulk("message"), bulk(name), bulk(text)])
        };
        let before = publish(&format!("before {round}"));
        turn.meet_swap();
        let after = publish(&format!("after {round}"));
        turn.right(client.read(), &before);
        turn.right(client.read(), &after);
        assert!(client.is_silent(), "no message came twice");
        round += 1;
    }
}

fn slow_reader(addr: SocketAddr, turn: &Turn, name: &str) {
    const TIMES: i64 = 6;
    let mut client = Resp::connect(addr);
    let big = "0123456789abcdef".repeat(64 << 10);
    turn.right(client.call(&["SET", name, &big]), &ok());
    let counter = format!("{name}:count");
    let batch = [request(&["GET", name]), request(&["INCR", &counter])].concat();
    let mut count = 0;
    while turn.goes_on() {
        for _ in 0..TIMES {
            client.send(&batch);
        }
        turn.meet_swap();
        for n in 1..=TIMES {
            let Value::Bulk(got) = client.read() else { panic!("a value") };
            assert!(got == big.as_bytes(), "a large reply is whole");
            turn.right(client.read(), &Value::Int(count + n));
        }
        count += TIMES;
    }
}
