//! Eviction: which keys go when memory is short (`evict.c`).
//!
//! Some keys are drawn by lot, and the best of them wait in a small pool from round to round, so that
//! the choice is near to the best of all without an index.

use hotshell_plugin_api::collections::Bytes;
use hotshell_plugin_api::state;

use crate::access::Access;
use crate::journal;
use crate::latency;
use crate::notify;
use crate::services::Services;
use crate::settings::Policy;
use crate::state::{DATABASES, State};

/// Keys that wait to be evicted, at most (`EVPOOL_SIZE`).
const POOL: usize = 16;
/// Most time that one command spends on eviction at a tenacity of [`USUAL`], nanoseconds.
const BUDGET_NS: u64 = 500_000;
/// The tenacity up to which that time grows evenly; above, by [`GROWTH`] for each.
const USUAL: u32 = 10;
const GROWTH: f64 = 1.15;
/// The tenacity that ends only when there is enough memory.
const MOST: u32 = 100;

/// A key that may be evicted.
#[state]
#[derive(Debug)]
pub struct Candidate {
    /// The higher, the sooner it goes.
    pub score: u64,
    /// Its database.
    pub db: u32,
    /// The key.
    pub key: Bytes,
}

/// How an eviction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There is enough memory.
    Enough,
    /// There is not, but it goes on at the next tick.
    Later,
    /// There is not, and nothing may be evicted.
    Short,
}

/// Most time that one command spends on eviction (`maxmemory-eviction-tenacity`), nanoseconds.
fn budget_ns(tenacity: u32) -> u64 {
    match tenacity {
        ..=USUAL => BUDGET_NS / u64::from(USUAL) * u64::from(tenacity),
        MOST.. => u64::MAX,
        _ => (BUDGET_NS as f64 * GROWTH.powi((tenacity - USUAL) as i32)) as u64,
    }
}

/// Evicts keys until memory is below its limit, or time is up.
pub fn run(state: &mut State, shell: &mut dyn Services, now: u64) -> Ended {
    let limit = state.settings.maxmemory;
    if limit == 0 || shell.server_info().state_bytes <= limit {
        return Ended::Enough;
    }
    let budget = budget_ns(state.settings.eviction_tenacity);
    let start = shell.monotonic_ns_now();
    let ended = loop {
        // What was evicted or flushed before counts once it is freed.
        if state.has_graves() {
            state.bury(shell);
        } else if !evict_one(state, shell, now) {
            break Ended::Short;
        }
        if shell.server_info().state_bytes <= limit {
            break Ended::Enough;
        }
        if shell.monotonic_ns_now() - start > budget {
            shell.wake_at(now);
            break Ended::Later;
        }
    };
    let took = shell.monotonic_ns_now() - start;
    latency::note(state, "eviction-cycle", took, now);
    ended
}

/// Evicts one key. False when there is none that may go.
fn evict_one(state: &mut State, shell: &mut dyn Services, now: u64) -> bool {
    let found = match state.settings.policy {
        Policy::NoEviction => None,
        Policy::AllKeysRandom | Policy::VolatileRandom => random_key(state, shell),
        _ => best_key(state, shell, now),
    };
    let Some((db, key)) = found else { return false };
    journal::tell(shell, db, &[b"DEL", &key]);
    let space = state.db(db);
    if let Some(value) = space.remove(&key) {
        state.value_went(db, &key, &value);
        state.key_changed(shell, db, &key, 0);
        if value.is_big() {
            state.value_graves.push(value);
            shell.wake_at(now);
        }
        state.stats.evicted += 1;
        notify::notify(state, shell, notify::EVICTED, "evicted", db, &key);
    }
    true
}

/// A key of any database, the databases in turn.
fn random_key(state: &mut State, shell: &mut dyn Services) -> Option<(u32, Bytes)> {
    let volatile = state.settings.policy.volatile();
    for _ in 0..DATABASES as u32 {
        let db = state.expiry_db % DATABASES as u32;
        state.expiry_db = db + 1;
        let space = state.db(db);
        let key = if volatile {
            space.expires.random_entry(|| shell.random()).map(|(key, _)| key.clone())
        } else {
            space.keys.random_entry(|| shell.random()).map(|(key, _)| key.clone())
        };
        if let Some(key) = key {
            return Some((db, key));
        }
    }
    None
}

/// The best key of the pool, after new keys were drawn.
fn best_key(state: &mut State, shell: &mut dyn Services, now: u64) -> Option<(u32, Bytes)> {
    loop {
        let mut keys = 0;
        for db in 0..DATABASES as u32 {
            keys += draw(state, shell, db, now);
        }
        while let Some(Candidate { db, key, .. }) = state.eviction.pop() {
            let volatile = state.settings.policy.volatile();
            let value = state.db(db).keys.get(&key);
            if value.is_some_and(|value| !volatile || value.expires()) {
                return Some((db, key));
            }
        }
        if keys == 0 {
            return None;
        }
    }
}

/// Draws some keys of a database into the pool; answers how many it could draw from.
fn draw(state: &mut State, shell: &mut dyn Services, db: u32, now: u64) -> usize {
    let (policy, samples) = (state.settings.policy, state.settings.samples);
    let space = &state.dbs[db as usize];
    let len = if policy.volatile() { space.expires.len() } else { space.keys.len() };
    if len == 0 {
        return 0;
    }
    for _ in 0..samples {
        let space = &state.dbs[db as usize];
        let key = if policy.volatile() {
            space.expires.random_entry(|| shell.random()).map(|(key, _)| key.clone())
        } else {
            space.keys.random_entry(|| shell.random()).map(|(key, _)| key.clone())
        };
        let Some(key) = key else { break };
        let Some(value) = space.keys.get(&key) else { continue };
        let access = Access::of(value.head().access);
        let score = match policy {
            Policy::VolatileTtl => u64::MAX - space.expires.get(&key).copied().unwrap_or(u64::MAX),
            _ if policy.by_frequency() => 255 - u64::from(access.frequency(&state.settings, now)),
            _ => access.idle_seconds(now),
        };
        remember(state, Candidate { score, db, key });
    }
    len
}

/// Puts a key into the pool, which is sorted by score, if it is good enough.
fn remember(state: &mut State, new: Candidate) {
    let pool = &mut state.eviction;
    if pool.iter().any(|known| known.db == new.db && known.key == new.key) {
        return;
    }
    let at = pool.iter().take_while(|known| known.score < new.score).count();
    if pool.len() < POOL {
        pool.insert(at, new);
    } else if at > 0 {
        pool.remove(0);
        pool.insert(at - 1, new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_is_time_as_in_redis() {
        let us = [0, 1, 10, 11, 50, 99].map(|tenacity| budget_ns(tenacity) / 1000);
        assert_eq!(us, [0, 50, 500, 575, 133_931, 126_205_358]);
        assert_eq!(budget_ns(100), u64::MAX);
    }
}
