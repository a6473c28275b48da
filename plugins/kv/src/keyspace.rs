//! One database: keys, their times to live, and how they end.

use hotshell_plugin_api::collections::{Bytes, HashMap, Vec};
use hotshell_plugin_api::ctx::ClientId;
use hotshell_plugin_api::state::StateType;

use crate::latency;
use crate::notify;
use crate::services::Services;
use crate::state::{DATABASES, Db, MODE_TRACKING, Ready, SESSION_DIRTY, State};
use crate::tracking;
use crate::value::{HEAD_EXPIRES, Kind, Value};

/// Time until the next cycle when the last one ran out of time, milliseconds.
const BUSY_CYCLE_MS: u64 = 10;
/// Most time a tick may take for each of its two jobs, nanoseconds; more for keys that are due, where
/// `active-expire-effort` asks for it.
const BUDGET_NS: u64 = 200_000;
/// Entries of a flushed keyspace that are freed in a row.
const BURY: usize = 256;

/// How much is spent on keys that are due, as `active-expire-effort` says; growing as in Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Effort {
    /// Keys with a time to live that are looked at in a row.
    sample: usize,
    /// Of a hundred keys so many may be due when a cycle goes on to the next database.
    stale: usize,
    /// Most time of a cycle, nanoseconds.
    budget_ns: u64,
}

impl Effort {
    /// Of a setting from 1 to 10.
    fn of(setting: u32) -> Self {
        let more = u64::from(setting.clamp(1, 10) - 1);
        Self {
            sample: 20 + 5 * more as usize,
            stale: 10 - more as usize,
            budget_ns: BUDGET_NS * (25 + 2 * more) / 25,
        }
    }
}

/// What a string took the place of.
#[derive(Debug)]
pub enum Put {
    /// Nothing.
    New,
    /// Another string.
    String,
    /// A collection, which is to be freed.
    Collection(Value),
}

impl Db {
    /// Sets a key, without a time to live; answers what was there. O(1).
    #[inline]
    pub fn put(&mut self, key: &[u8], value: Value) -> Option<Value> {
        match self.keys.get_mut(key) {
            Some(old) => {
                let old = core::mem::replace(old, value);
                if old.expires() {
                    self.expires.remove(key);
                }
                Some(old)
            }
            None => self.keys.insert(Bytes::from(key), value),
        }
    }

    /// Sets a string, in place where there is one; answers what was there. O(length).
    #[inline]
    pub fn put_string(&mut self, key: &[u8], bytes: &[u8], access: [u8; 3]) -> Put {
        match self.keys.get_mut(key) {
            Some(old) if old.kind() != Kind::String => {
                let mut value = Value::string(bytes);
                value.head_mut().access = access;
                self.put(key, value).map_or(Put::New, Put::Collection)
            }
            Some(old) => {
                let expires = old.expires();
                old.set_string(bytes);
                old.head_mut().access = access;
                if expires {
                    self.expires.remove(key);
                }
                Put::String
            }
            None => {
                let mut value = Value::string(bytes);
                value.head_mut().access = access;
                self.keys.insert(Bytes::from(key), value);
                Put::New
            }
        }
    }

    /// Removes a key with its time to live. O(1), apart from freeing the value.
    pub fn remove(&mut self, key: &[u8]) -> Option<Value> {
        let value = self.keys.remove(key)?;
        if value.expires() {
            self.expires.remove(key);
        }
        Some(value)
    }

    /// When a key ends, if it does.
    pub fn expiry(&self, key: &[u8]) -> Option<u64> {
        let expires = self.keys.get(key)?.expires();
        if expires { self.expires.get(key).copied() } else { None }
    }

    /// Sets when a key ends. False when there is no such key.
    pub fn set_expiry(&mut self, key: &[u8], at_ms: u64) -> bool {
        let Some(value) = self.keys.get_mut(key) else { return false };
        value.head_mut().flags |= HEAD_EXPIRES;
        match self.expires.get_mut(key) {
            Some(at) => *at = at_ms,
            None => {
                self.expires.insert(Bytes::from(key), at_ms);
            }
        }
        true
    }

    /// Lets a key live for ever. False when it does already, or is not there.
    pub fn persist(&mut self, key: &[u8]) -> bool {
        match self.keys.get_mut(key) {
            Some(value) if value.expires() => {
                value.head_mut().flags &= !HEAD_EXPIRES;
                self.expires.remove(key);
                true
            }
            _ => false,
        }
    }
}

impl State {
    /// Tells of a key that changed while no command of a client was run, or another client's: those
    /// who WATCH it, and those who keep a copy. It was changed for a client that waited; 0: for nobody.
    pub fn key_changed(&mut self, shell: &mut dyn Services, db: u32, key: &[u8], by: ClientId) {
        for &id in self.db(db).watchers.get(key).into_iter().flatten() {
            if let Some(session) = shell.session_of(id) {
                session.flags |= SESSION_DIRTY;
            }
        }
        if self.modes & MODE_TRACKING != 0 {
            tracking::changed(self, by, key);
        }
    }

    /// Another level has other types, and streams were set aside or are there again. EXEC of whoever watches a
    /// key that may have been one, or is one, fails; whoever tracks forgets all that it has, as behind
    /// FLUSHALL. O(n) of watched keys and of clients that track.
    #[cold]
    pub fn streams_came_or_went(&mut self, shell: &mut dyn Services, has_streams: bool) {
        for db in self.dbs.iter() {
            let concerned = |key: &Bytes| match db.keys.get(key) {
                Some(value) => value.kind() == Kind::Stream,
                None => !has_streams,
            };
            for (_, ids) in db.watchers.iter().filter(|(key, _)| concerned(key)) {
                for &id in ids.iter() {
                    if let Some(session) = shell.session_of(id) {
                        session.flags |= SESSION_DIRTY;
                    }
                }
            }
        }
        if !self.tracking.clients.is_empty() {
            tracking::flushed(self, shell);
        }
    }

    /// A value went away: who waits for entries of a stream in a group is told after this request.
    #[inline]
    pub fn value_went(&mut self, db: u32, key: &[u8], old: &Value) {
        if old.kind() == Kind::Stream && self.db(db).waiting.contains_key(key) {
            self.ready.push_back(Ready { db, key: Bytes::from(key) });
        }
    }

    /// All keys that somebody waits for are looked at after this request, since any may be gone or new.
    pub fn look_at_awaited(&mut self, db: u32) {
        let keys = self.dbs[db as usize].waiting.keys();
        self.ready.extend(keys.map(|key| Ready { db, key: key.clone() }));
    }

    /// Empties a database: its keys go to the graveyard. O(1), and O(n) of the keys that are watched or
    /// waited for.
    pub fn flush(&mut self, db: u32) {
        self.look_at_awaited(db);
        let db = &mut self.dbs[db as usize];
        // Nor does what another version could hold of them come back.
        db.keys.forget_aside();
        let keys = core::mem::take(&mut db.keys);
        let expires = core::mem::take(&mut db.expires);
        if keys.len() > BURY {
            self.graveyard.push(keys);
            self.expiry_graves.push(expires);
        }
    }

    /// Whether something that was flushed is not freed yet.
    pub fn has_graves(&self) -> bool {
        !self.graveyard.is_empty()
            || !self.expiry_graves.is_empty()
            || !self.reader_graves.is_empty()
            || !self.value_graves.is_empty()
    }

    /// Frees some of what was flushed. True while some is left.
    pub fn bury(&mut self, shell: &mut dyn Services) -> bool {
        let until = shell.monotonic_ns_now() + BUDGET_NS;
        while self.has_graves() && shell.monotonic_ns_now() < until {
            let values = &mut self.value_graves;
            if values.is_empty() {
                bury_some(&mut self.graveyard, |value| {
                    if value.is_big() {
                        values.push(value);
                    }
                });
            }
            bury_some(&mut self.expiry_graves, |_| {});
            bury_some(&mut self.reader_graves, drop);
            bury_values(values);
        }
        self.has_graves()
    }

    /// One cycle of active expiry: looks at random keys with a time to live, database by database,
    /// and stays with one as long as many of them are due (`activeExpireCycle`). Answers in how many
    /// milliseconds the next cycle is wanted.
    pub fn expire_cycle(&mut self, shell: &mut dyn Services, now: u64) -> Option<u64> {
        if self.lazy_expiry {
            return None;
        }
        let Effort { sample, stale, budget_ns } = Effort::of(self.settings.expire_effort);
        let start = shell.monotonic_ns_now();
        for _ in 0..DATABASES {
            let db = self.expiry_db % DATABASES as u32;
            loop {
                let due = self.expire_sample(shell, db, now, sample);
                let took = shell.monotonic_ns_now() - start;
                if took >= budget_ns {
                    self.stats.expired_time_caps += 1;
                    latency::note(self, "expire-cycle", took, now);
                    return Some(BUSY_CYCLE_MS);
                }
                if due * 100 <= sample * stale {
                    break;
                }
            }
            self.expiry_db = db + 1;
        }
        self.dbs.iter().any(|db| !db.expires.is_empty()).then_some(self.settings.cycle_ms())
    }

    /// Looks at so many random keys with a time to live; answers how many were due.
    fn expire_sample(
        &mut self,
        shell: &mut dyn Services,
        db: u32,
        now: u64,
        sample: usize,
    ) -> usize {
        let mut due = 0;
        for _ in 0..sample {
            let space = &mut self.dbs[db as usize];
            let Some((key, &at)) = space.expires.random_entry(|| shell.random()) else { break };
            if at > now {
                continue;
            }
            let key = key.clone();
            if let Some(value) = space.remove(&key) {
                self.value_went(db, &key, &value);
                self.value_graves.extend(Some(value).filter(Value::is_big));
            }
            self.key_changed(shell, db, &key, 0);
            notify::notify(self, shell, notify::EXPIRED, "expired", db, &key);
            self.stats.expired += 1;
            due += 1;
        }
        due
    }
}

fn bury_values(graves: &mut Vec<Value>) {
    if let Some(value) = graves.last_mut() {
        value.crumble(BURY);
        if !value.is_big() {
            graves.pop();
        }
    }
}

fn bury_some<V: StateType>(graves: &mut Vec<HashMap<Bytes, V>>, mut take: impl FnMut(V)) {
    if let Some(grave) = graves.last_mut() {
        grave.take_some(BURY, |key, value| {
            drop(key);
            take(value);
        });
        if grave.is_empty() {
            graves.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effort_grows_as_in_redis() {
        let least = Effort { sample: 20, stale: 10, budget_ns: 200_000 };
        assert_eq!(Effort::of(1), least);
        assert_eq!(Effort::of(10), Effort { sample: 65, stale: 1, budget_ns: 344_000 });
    }
}
