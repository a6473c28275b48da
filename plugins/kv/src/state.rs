//! What the server knows, and what it knows about each connection.

use hotshell_plugin_api::collections::{Box, Bytes, HashMap, HashSet, Option, Vec, VecDeque};
use hotshell_plugin_api::ctx::ClientId;
use hotshell_plugin_api::state;

use crate::deadlines::Deadlines;
use crate::value::Value;

/// Databases, as in Redis' default configuration.
pub const DATABASES: usize = 16;

/// Everything that outlives a version of the plugin.
#[state(schema = 1)]
#[derive(Debug)]
pub struct State {
    /// The databases; always [`DATABASES`].
    pub dbs: Vec<Db>,
    /// Subscribers of each channel, in the order they came.
    pub channels: HashMap<Bytes, Vec<ClientId>>,
    /// Subscribers of each pattern, in the order they came.
    pub patterns: HashMap<Bytes, Vec<ClientId>>,
    /// Keys that got elements while somebody was waiting for them.
    pub ready: VecDeque<Ready>,
    /// When waiting clients stop waiting.
    pub deadlines: Deadlines,
    /// Keyspaces that were flushed and are taken apart in slices.
    pub graveyard: Vec<Keyspace>,
    /// Their times to live.
    pub expiry_graves: Vec<HashMap<Bytes, u64>>,
    /// Large values that were removed and are taken apart in slices.
    pub value_graves: Vec<Value>,
    /// What CONFIG SET changed.
    pub config: HashMap<Bytes, Bytes>,
    /// Counters for INFO.
    pub stats: Stats,
    /// Clients that speak RESP3.
    pub resp3_clients: u32,
    /// The database at which the next expiry cycle begins.
    pub expiry_db: u32,
}

/// One database.
#[state]
#[derive(Debug)]
pub struct Db {
    /// All keys.
    pub keys: Keyspace,
    /// When keys with a time to live end, milliseconds since the Unix epoch.
    pub expires: HashMap<Bytes, u64>,
    /// Clients that WATCH a key.
    pub watchers: HashMap<Bytes, Vec<ClientId>>,
    /// Clients that wait for elements of a key, first come first served.
    pub waiting: HashMap<Bytes, VecDeque<ClientId>>,
}

/// Keys with their values.
pub type Keyspace = HashMap<Bytes, Value>;

/// A key that got elements.
#[state]
#[derive(Debug)]
pub struct Ready {
    /// Its database.
    pub db: u32,
    /// The key.
    pub key: Bytes,
}

/// Counters, all since the state was made.
#[state]
#[derive(Debug)]
#[allow(missing_docs, reason = "the names are those of INFO")]
pub struct Stats {
    pub commands: u64,
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
    pub errors: u64,
}

/// One connection.
#[state]
#[derive(Debug)]
pub struct Session {
    /// The selected database.
    pub db: u32,
    /// See the `SESSION_*` bits.
    pub flags: u32,
    /// What CLIENT SETNAME set.
    pub name: Bytes,
    /// Requests queued since MULTI, as they came.
    pub queue: Vec<Bytes>,
    /// Keys that the client WATCHes.
    pub watched: Vec<Watched>,
    /// What the client waits for.
    pub waiting: Option<Box<Waiting>>,
    /// What the client is subscribed to.
    pub subscriptions: Option<Box<Subscriptions>>,
}

/// Between MULTI and EXEC.
pub const SESSION_MULTI: u32 = 1;
/// A watched key was changed: EXEC does nothing.
pub const SESSION_DIRTY: u32 = 2;
/// A request could not be queued: EXEC refuses.
pub const SESSION_FAILED: u32 = 4;

/// The client chose RESP3 with HELLO.
pub const SESSION_RESP3: u32 = 8;

/// A key that a client WATCHes.
#[state]
#[derive(Debug)]
pub struct Watched {
    /// Its database.
    pub db: u32,
    /// Whether it was past its time already, so that its removal is no change.
    pub expired: bool,
    /// The key.
    pub key: Bytes,
}

/// What a client that is blocked waits for.
#[state]
#[derive(Debug)]
pub struct Waiting {
    /// The database of the keys.
    pub db: u32,
    /// Which end is popped: 0 head, 1 tail.
    pub end: u8,
    /// Where the element goes: 0 to the client alone, 1 to the target's head, too, 2 to its tail.
    pub push: u8,
    /// The list that it is pushed to.
    pub target: Bytes,
    /// When it stops waiting, milliseconds since the Unix epoch; 0: never.
    pub until_ms: u64,
    /// The keys, each once, in the order of the request.
    pub keys: Vec<Bytes>,
}

/// What a client is subscribed to.
#[state]
#[derive(Debug)]
pub struct Subscriptions {
    /// Channels.
    pub channels: HashSet<Bytes>,
    /// Patterns.
    pub patterns: HashSet<Bytes>,
}

impl State {
    /// The state of an empty server.
    pub fn empty() -> Self {
        let mut state = Self::default();
        for _ in 0..DATABASES {
            state.dbs.push(Db::default());
        }
        state
    }

    /// Chooses the protocol of a client.
    pub fn speak(&mut self, session: &mut Session, resp3: bool) {
        if session.is_resp3() == resp3 {
            return;
        }
        session.flags ^= SESSION_RESP3;
        if resp3 {
            self.resp3_clients += 1;
        } else {
            self.resp3_clients -= 1;
        }
    }

    /// A database by the number that a session or a request holds.
    #[inline(always)]
    pub fn db(&mut self, db: u32) -> &mut Db {
        &mut self.dbs[db as usize]
    }
}

impl Session {
    /// Whether all bits of `flags` are set.
    #[inline(always)]
    pub fn has(&self, flags: u32) -> bool {
        self.flags & flags == flags
    }

    /// Whether replies are written in RESP3. A client that chose it keeps it in all versions.
    #[inline(always)]
    pub fn is_resp3(&self) -> bool {
        self.has(SESSION_RESP3)
    }

    /// Whether the client is between MULTI and EXEC.
    #[inline(always)]
    pub fn in_multi(&self) -> bool {
        self.has(SESSION_MULTI)
    }

    /// Channels and patterns the client is subscribed to.
    pub fn subscribed(&self) -> usize {
        self.subscriptions.as_std().map_or(0, |s| s.channels.len() + s.patterns.len())
    }
}
