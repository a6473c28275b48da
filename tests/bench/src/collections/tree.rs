//! `BTreeMap` against std's.

use hotshell_plugin_api::collections::BTreeMap;

use super::Bench;
use super::key::Keys;
use crate::median::time;

type Peer = std::collections::BTreeMap<u64, u64>;
type Ours = BTreeMap<u64, u64>;

const NAME: &str = "BTreeMap u64";

/// Reads and writes.
pub fn compare(bench: &mut Bench, n: usize) {
    let operations = [
        "get hit",
        "get miss",
        "iterate",
        "insert random",
        "insert ascending",
        "remove",
        "pop_first",
    ];
    if !operations.iter().any(|operation| bench.wants(NAME, operation)) {
        return;
    }
    let keys = Keys::<u64>::new(n);
    compare_reads(bench, &keys);
    compare_writes(bench, &keys);
}

fn ours(keys: &[u64]) -> Ours {
    let mut map = Ours::new();
    keys.iter().for_each(|key| _ = map.insert(*key, 1));
    map
}

fn peer(keys: &[u64]) -> Peer {
    let mut map = Peer::new();
    keys.iter().for_each(|key| _ = map.insert(*key, 1));
    map
}

fn compare_reads(bench: &mut Bench, keys: &Keys<u64>) {
    let n = keys.all.len();
    let (ours, peer) = (ours(&keys.all), peer(&keys.all));
    bench.compare(
        (NAME, "get hit"),
        n,
        || time(|| keys.shuffled.iter().filter_map(|key| ours.get(key)).sum::<u64>()),
        || time(|| keys.shuffled.iter().filter_map(|key| peer.get(key)).sum::<u64>()),
    );
    bench.compare(
        (NAME, "get miss"),
        n,
        || time(|| keys.absent.iter().filter(|key| ours.contains_key(*key)).count()),
        || time(|| keys.absent.iter().filter(|key| peer.contains_key(*key)).count()),
    );
    bench.compare(
        (NAME, "iterate"),
        n,
        || time(|| ours.values().sum::<u64>()),
        || time(|| peer.values().sum::<u64>()),
    );
}

fn compare_writes(bench: &mut Bench, keys: &Keys<u64>) {
    let n = keys.all.len();
    bench.compare(
        (NAME, "insert random"),
        n,
        || time(|| ours(&keys.all)),
        || time(|| peer(&keys.all)),
    );
    let ascending: Vec<u64> = (0..n as u64).collect();
    bench.compare(
        (NAME, "insert ascending"),
        n,
        || time(|| ours(&ascending)),
        || time(|| peer(&ascending)),
    );
    bench.compare(
        (NAME, "remove"),
        n,
        || {
            let mut map = ours(&keys.all);
            time(|| keys.shuffled.iter().for_each(|key| _ = map.remove(key)))
        },
        || {
            let mut map = peer(&keys.all);
            time(|| keys.shuffled.iter().for_each(|key| _ = map.remove(key)))
        },
    );
    bench.compare(
        (NAME, "pop_first"),
        n,
        || {
            let mut map = ours(&keys.all);
            time(|| while map.pop_first().is_some() {})
        },
        || {
            let mut map = peer(&keys.all);
            time(|| while map.pop_first().is_some() {})
        },
    );
}
