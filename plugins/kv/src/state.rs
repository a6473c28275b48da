//! What the server knows, and what it knows about each connection.

use hotshell_plugin_api::collections::{Box, Bytes, HashMap, HashSet, Option, Vec, VecDeque};
use hotshell_plugin_api::ctx::ClientId;
use hotshell_plugin_api::state;

use crate::command_stats::CommandStats;
use crate::deadlines::Deadlines;
use crate::eviction::Candidate;
use crate::latency::Spikes;
use crate::pause::Pause;
use crate::saving::Saving;
use crate::settings::Settings;
use crate::slowlog::SlowLog;
use crate::stream::Id;
use crate::tracking::{Readers, Tracking};
use crate::value::Value;

/// Databases, as in Redis' default configuration.
pub const DATABASES: usize = 16;

/// Everything that outlives a version of the plugin.
#[state(schema = 1)]
#[derive(Debug)]
pub struct State {
    /// The databases. An array, since keyspaces in a list would be converted at once by a swap.
    pub dbs: [Db; DATABASES],
    /// Subscribers of each channel, in the order they came.
    pub channels: HashMap<Bytes, Vec<ClientId>>,
    /// Subscribers of each shard channel, in the order they came.
    pub shards: HashMap<Bytes, Vec<ClientId>>,
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
    /// Who read which key, of all keys that were flushed.
    pub reader_graves: Vec<Readers>,
    /// Large values that were removed and are taken apart in slices.
    pub value_graves: Vec<Value>,
    /// The text of what CONFIG SET changed.
    pub config: HashMap<Bytes, Bytes>,
    /// What the parameters say, as commands need it.
    pub settings: Settings,
    /// What dispatch must look at before a command: see the `MODE_*` bits.
    pub modes: u32,
    /// Counters for INFO.
    pub stats: Stats,
    /// How fast they grew lately.
    pub rates: Rates,
    /// Changes of keys since the start.
    pub changes: u64,
    /// What was asked for of saving.
    pub saving: Saving,
    /// Clients that speak RESP3.
    pub resp3_clients: HashSet<ClientId>,
    /// Counters of each command.
    pub commands: CommandStats,
    /// How often each error code was answered.
    pub error_codes: HashMap<Bytes, u64>,
    /// When the last command ended, on the monotonic clock in nanoseconds.
    pub ended_ns: u64,
    /// Commands that took long.
    pub slowlog: SlowLog,
    /// Events that took long.
    pub latency: HashMap<Bytes, Spikes>,
    /// Clients that see all commands.
    pub monitors: Vec<ClientId>,
    /// Until when clients are held back.
    pub pause: Pause,
    /// Keys that were found good to evict.
    pub eviction: Vec<Candidate>,
    /// When idle clients are looked for next, milliseconds since the Unix epoch.
    pub idle_check_ms: u64,
    /// When some clients' buffers are looked at next, milliseconds since the Unix epoch.
    pub buffers_look_ms: u64,
    /// Since when clients have had more output than their soft limit, milliseconds since the Unix epoch.
    pub slow_readers: HashMap<ClientId, u64>,
    /// DEBUG SET-ACTIVE-EXPIRE 0: keys end only when somebody looks.
    pub lazy_expiry: bool,
    /// The database at which the next expiry cycle begins.
    pub expiry_db: u32,
    /// Clients that keep copies of what they read.
    pub tracking: Tracking,
    /// The [`Level`] of the version that ticked last.
    ///
    /// [`Level`]: crate::table::Level
    pub level: u32,
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
    pub expired_time_caps: u64,
    pub evicted: u64,
    pub evicted_clients: u64,
    pub errors: u64,
    pub since_ms: u64,
    pub peak_since_reset: u64,
}

/// What INFO shows as rates: measured from one look to the next.
#[state]
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// When they were measured, milliseconds since the Unix epoch; 0: never.
    pub at_ms: u64,
    /// Commands a second.
    pub ops: f64,
    /// Bytes a second from clients.
    pub input: f64,
    /// Bytes a second to clients.
    pub output: f64,
    /// Commands until then.
    pub commands: u64,
    /// Bytes from clients until then.
    pub bytes_in: u64,
    /// Bytes to clients until then.
    pub bytes_out: u64,
}

/// One connection.
#[state]
#[derive(Debug)]
pub struct Session {
    /// The selected database.
    pub db: u32,
    /// See the `SESSION_*` bits.
    pub flags: u32,
    /// Number of its last command among [`State::commands`].
    pub command: u32,
    /// Bytes from the next request on whose keys have been fetched.
    pub fetched: u32,
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
/// The client gave the password.
pub const SESSION_AUTHENTICATED: u32 = 8;
/// CLIENT REPLY OFF.
pub const SESSION_REPLY_OFF: u32 = 16;
/// CLIENT REPLY SKIP was the last request.
pub const SESSION_SKIP_NEXT: u32 = 32;
/// This request's reply is left out.
pub const SESSION_SKIP: u32 = 64;
/// CLIENT NO-EVICT.
pub const SESSION_NO_EVICT: u32 = 128;
/// The client sees all commands.
pub const SESSION_MONITOR: u32 = 256;
/// A request of the client waits for the end of CLIENT PAUSE.
pub const SESSION_PAUSED: u32 = 512;
/// Replies are left out.
pub const SESSION_SILENT: u32 = SESSION_REPLY_OFF | SESSION_SKIP;
/// The client chose RESP3 with HELLO.
pub const SESSION_RESP3: u32 = 1024;
/// The client waits for a snapshot.
pub const SESSION_SAVING: u32 = 2048;
/// The client waits until what it has set is on disk.
pub const SESSION_SETTING: u32 = 4096;

/// A password is set.
pub const MODE_AUTH: u32 = 1;
/// Somebody watches with MONITOR.
pub const MODE_MONITOR: u32 = 2;
/// Clients are held back.
pub const MODE_PAUSE: u32 = 4;
/// Memory is limited.
pub const MODE_MEMORY: u32 = 8;
/// Clients keep copies of what they read.
pub const MODE_TRACKING: u32 = 16;
/// Data are not saved, so they are not changed.
pub const MODE_UNSAVED: u32 = 32;
/// Data are changed only with replicas, which never are.
pub const MODE_REPLICAS: u32 = 64;
/// Output of clients without subscriptions is limited.
pub const MODE_OUTPUT: u32 = 128;

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
    /// What is waited for: 0 elements of lists, 1 members of sorted sets, 2 entries of streams, 3 replicas, 4 nothing.
    pub pops: u8,
    /// Which end is popped: 0 head or lowest score, 1 tail or highest score.
    pub end: u8,
    /// Where the element goes: 0 to the client alone, 1 to the target's head, too, 2 to its tail.
    pub push: u8,
    /// The list that it is pushed to.
    pub target: Bytes,
    /// Most elements that are popped; 0: one, answered in the form of BLPOP and BZPOPMIN.
    pub count: u64,
    /// From where streams are read.
    pub reading: Option<Box<Reading>>,
    /// When it stops waiting, milliseconds since the Unix epoch; 0: never.
    pub until_ms: u64,
    /// The keys, each once, in the order of the request.
    pub keys: Vec<Bytes>,
}

/// How a client that waits for entries of streams reads them.
#[state]
#[derive(Debug)]
pub struct Reading {
    /// Behind which id, for each of the keys; in a group [`Id::MAX`] means what is new to it.
    pub ids: Vec<Id>,
    /// The group.
    pub group: Bytes,
    /// Its consumer.
    pub consumer: Bytes,
    /// Whether there is a group.
    pub in_group: bool,
    /// Nothing becomes pending.
    pub no_ack: bool,
}

/// What a client is subscribed to.
#[state]
#[derive(Debug)]
pub struct Subscriptions {
    /// Channels.
    pub channels: HashSet<Bytes>,
    /// Patterns.
    pub patterns: HashSet<Bytes>,
    /// Shard channels.
    pub shards: HashSet<Bytes>,
}

impl State {
    /// Chooses the protocol of a client.
    pub fn speak(&mut self, client: ClientId, session: &mut Session, resp3: bool) {
        if resp3 {
            session.flags |= SESSION_RESP3;
            self.resp3_clients.insert(client);
        } else {
            session.flags &= !SESSION_RESP3;
            self.resp3_clients.remove(&client);
        }
    }

    /// Counts an error that is answered.
    pub fn note_error(&mut self, text: &[u8]) {
        self.stats.errors += 1;
        let code = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        *self.error_codes.entry(Bytes::from(code)).or_default() += 1;
    }

    /// Sets or clears a `MODE_*` bit.
    pub fn set_mode(&mut self, mode: u32, on: bool) {
        self.modes = if on { self.modes | mode } else { self.modes & !mode };
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

    /// Whether only requests about channels are taken: a subscriber of RESP2 could not tell replies
    /// from messages.
    pub fn only_listens(&self) -> bool {
        self.subscribed() + self.shards_subscribed() > 0 && !self.is_resp3()
    }

    /// Shard channels the client is subscribed to, which count apart.
    pub fn shards_subscribed(&self) -> usize {
        self.subscriptions.as_std().map_or(0, |s| s.shards.len())
    }

    /// Channels and patterns the client is subscribed to.
    pub fn subscribed(&self) -> usize {
        self.subscriptions.as_std().map_or(0, |s| s.channels.len() + s.patterns.len())
    }
}
