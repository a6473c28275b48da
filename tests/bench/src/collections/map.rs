//! `HashMap` against hashbrown.

use std::time::{Duration, Instant};

use hotshell_plugin_api::collections::HashMap;
use serde_json::json;

use super::Bench;
use super::key::{Key, Keys};
use crate::bars;
use crate::median::time;
use crate::random;

type Peer<K> = hashbrown::HashMap<K, u64>;

/// Entries that one call of `work` may move.
const WORK: usize = 1 << 20;
/// A single insert above this is counted as slow.
const SLOW: Duration = Duration::from_micros(100);

/// Reads and writes.
pub fn compare<K: Key>(bench: &mut Bench, name: &str, entries: usize) {
    let operations =
        ["get hit", "get miss", "iterate", "insert growing", "insert reserved", "remove"];
    if !operations.iter().any(|operation| bench.wants(name, operation)) {
        return;
    }
    let keys = Keys::<K>::new(entries);
    compare_reads(bench, name, &keys);
    compare_writes(bench, name, &keys);
}

fn ours<K: Key>(keys: &Keys<K>) -> HashMap<K, u64> {
    let mut map = HashMap::new();
    keys.all.iter().for_each(|key| _ = map.insert(*key, 1));
    map
}

/// With no growth under way, as a map is that was left alone for a while.
fn ours_settled<K: Key>(keys: &Keys<K>) -> HashMap<K, u64> {
    let mut map = ours(keys);
    while map.work(WORK) {}
    map
}

fn peer<K: Key>(keys: &Keys<K>) -> Peer<K> {
    let mut map = Peer::new();
    keys.all.iter().for_each(|key| _ = map.insert(*key, 1));
    map
}

fn compare_reads<K: Key>(bench: &mut Bench, name: &str, keys: &Keys<K>) {
    let n = keys.all.len();
    let (ours, peer) = (ours_settled(keys), peer(keys));
    bench.compare(
        (name, "get hit"),
        n,
        || time(|| keys.shuffled.iter().filter_map(|key| ours.get(key)).sum::<u64>()),
        || time(|| keys.shuffled.iter().filter_map(|key| peer.get(key)).sum::<u64>()),
    );
    bench.compare(
        (name, "get miss"),
        n,
        || time(|| keys.absent.iter().filter(|key| ours.contains_key(*key)).count()),
        || time(|| keys.absent.iter().filter(|key| peer.contains_key(*key)).count()),
    );
    bench.compare(
        (name, "iterate"),
        n,
        || time(|| ours.values().sum::<u64>()),
        || time(|| peer.values().sum::<u64>()),
    );
}

fn compare_writes<K: Key>(bench: &mut Bench, name: &str, keys: &Keys<K>) {
    let n = keys.all.len();
    bench.compare((name, "insert growing"), n, || time(|| ours(keys)), || time(|| peer(keys)));
    bench.compare(
        (name, "insert reserved"),
        n,
        || {
            time(|| {
                let mut map = HashMap::<K, u64>::with_capacity(n);
                keys.all.iter().for_each(|key| _ = map.insert(*key, 1));
                map
            })
        },
        || {
            time(|| {
                let mut map = Peer::<K>::with_capacity(n);
                keys.all.iter().for_each(|key| _ = map.insert(*key, 1));
                map
            })
        },
    );
    bench.compare(
        (name, "remove"),
        n,
        || {
            let mut map = ours_settled(keys);
            time(|| keys.shuffled.iter().for_each(|key| _ = map.remove(key)))
        },
        || {
            let mut map = peer(keys);
            time(|| keys.shuffled.iter().for_each(|key| _ = map.remove(key)))
        },
    );
}

/// The worst single insert on the way to so many entries.
pub fn compare_worst(bench: &mut Bench, entries: usize) {
    if !bench.wants("HashMap u64", "worst insert") {
        return;
    }
    let ours = {
        let mut map = HashMap::<u64, u64>::new();
        worst(entries, |key| _ = map.insert(key, 1))
    };
    let peer = {
        let mut map = Peer::<u64>::new();
        worst(entries, |key| _ = map.insert(key, 1))
    };
    let ratio = ours.0.as_secs_f64() / peer.0.as_secs_f64();
    bench.table.row([
        json!("HashMap u64"),
        json!("worst insert"),
        json!(entries),
        json!(ours.0.as_nanos() as f64),
        json!(peer.0.as_nanos() as f64),
        json!(1.0 / ratio),
    ]);
    bench.report.note(format!(
        "single inserts above {SLOW:?} on the way to {entries}: {} ours, {} hashbrown",
        ours.1, peer.1
    ));
    let what = format!("HashMap u64 worst insert, {entries}: time, ours / peer");
    bench.report.judge(what, bars::WORST_INSERT, ratio);
}

/// The slowest of so many single calls, and how many were slow.
fn worst(entries: usize, mut insert: impl FnMut(u64)) -> (Duration, usize) {
    let (mut worst, mut slow) = (Duration::ZERO, 0);
    for n in 0..entries as u64 {
        let start = Instant::now();
        insert(random::mix(n));
        let elapsed = start.elapsed();
        worst = worst.max(elapsed);
        slow += usize::from(elapsed > SLOW);
    }
    (worst, slow)
}
