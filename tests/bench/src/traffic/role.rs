//! What each client does. Plain and pipelining ones get their requests from an open-loop schedule;
//! the others hold a state in which a swap can find them, on timers of their own.

use super::expect::Reply;

/// Requests in one burst of a pipelining client.
pub const PIPELINE: usize = 16;
/// Large values that a slow reader asks for at once.
pub const SLOW_REQUESTS: usize = 8;
/// Least number of clients: one of each role, and some plain ones.
pub const CLIENTS_MIN: usize = 16;

/// A role.
#[derive(Debug)]
pub enum Role {
    /// Connected; asks once, at the end.
    Idle,
    /// One request at a time.
    Plain,
    /// Bursts of [`PIPELINE`] requests in one write.
    Pipeline,
    /// Sends a part of a request, and the rest later.
    Half(Option<Half>),
    /// Opens a transaction, and executes it later.
    Multi(Option<Holding>),
    /// Waits at a queue of its own until an element is pushed.
    Blocked(Option<Holding>, u64),
    /// Pushes the elements.
    Producer,
    /// Sends messages to the channels in turn.
    Publisher(u64),
    /// Gets every message of a channel.
    Subscriber(u64),
    /// Asks for more than the sockets hold, and reads it slowly.
    Slow(Holding),
}

/// The rest of a request.
#[derive(Debug)]
pub struct Half {
    /// Its bytes.
    pub rest: Vec<u8>,
    /// What the whole request must get.
    pub reply: Reply,
    /// Since when.
    pub since: Holding,
}

/// Since when a state is held: swaps that had begun by then.
#[derive(Debug, Clone, Copy)]
pub struct Holding(pub u64);

/// How many clients of each role there are.
#[derive(Debug, Clone)]
pub struct Cast {
    /// By role, in the order of [`ROLES`].
    pub counts: [usize; ROLES.len()],
}

/// Names of the roles.
pub const ROLES: [&str; 10] = [
    "idle",
    "plain",
    "pipelining",
    "half-sent",
    "in MULTI",
    "blocked",
    "producer",
    "publisher",
    "subscribed",
    "slow reader",
];

/// Channels.
pub const CHANNELS: u64 = 2;

impl Cast {
    /// Divides `clients` into roles. With `half_busy` every second one is idle, else every tenth.
    pub fn new(clients: usize, half_busy: bool) -> Self {
        let clients = clients.max(CLIENTS_MIN);
        let idle = if half_busy { clients / 2 } else { clients / 10 };
        let busy = clients - idle;
        let share = |part: usize, most: usize| (busy / part).clamp(1, most);
        let (half, multi, blocked) = (share(10, 100), share(10, 100), share(10, 100));
        let (subscribed, slow) = (share(20, 20).max(2), share(30, 8));
        let pipeline = share(8, 200);
        let special = half + multi + blocked + subscribed + slow + pipeline + 2;
        let plain = busy.saturating_sub(special).max(1);
        Self { counts: [idle, plain, pipeline, half, multi, blocked, 1, 1, subscribed, slow] }
    }

    /// The roles, one for each client.
    pub fn roles(&self) -> impl Iterator<Item = Role> + '_ {
        let kinds = self.counts.iter().enumerate();
        kinds.flat_map(|(kind, &count)| (0..count).map(move |n| Role::of(kind, n)))
    }

    /// Clients in all.
    pub fn clients(&self) -> usize {
        self.counts.iter().sum()
    }
}

impl Role {
    fn of(kind: usize, n: usize) -> Self {
        match kind {
            0 => Self::Idle,
            1 => Self::Plain,
            2 => Self::Pipeline,
            3 => Self::Half(None),
            4 => Self::Multi(None),
            5 => Self::Blocked(None, 0),
            6 => Self::Producer,
            7 => Self::Publisher(0),
            8 => Self::Subscriber(n as u64 % CHANNELS),
            _ => Self::Slow(Holding(0)),
        }
    }

    /// Whether replies wait until the client reads them.
    pub fn is_slow(&self) -> bool {
        matches!(self, Self::Slow(_))
    }

    /// Whether it has timers.
    pub fn is_timed(&self) -> bool {
        !matches!(
            self,
            Self::Idle | Self::Plain | Self::Pipeline | Self::Producer | Self::Subscriber(_)
        )
    }
}
