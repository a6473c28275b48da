//! Measures `collections::HashMap` against hashbrown in the same run, alternately, and prints medians
//! and ratios: `cargo run --release -p hotshell-plugin-api --example hash_map_bench [ROUNDS] [FILTER]`.

use std::alloc::Layout;
use std::hash::Hash;
use std::hint::black_box;
use std::time::{Duration, Instant};

use hotshell_plugin_api::collections::HashMap;
use hotshell_plugin_api::collections::hash::KeyHasher;
use hotshell_plugin_api::schema::{Kind, SchemaBuilder, TypeDef, mix};
use hotshell_plugin_api::state::{StateKey, StateType};

type Peer<K> = hashbrown::HashMap<K, u64>;

/// Sixteen bytes hashed as one string, as `Bytes` does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
struct Text([u8; 16]);

// SAFETY: an array of bytes.
unsafe impl StateType for Text {
    const FINGERPRINT: u64 = mix(Kind::Array as u64, 16);
    fn describe(schema: &mut SchemaBuilder) -> TypeDef {
        <[u8; 16]>::describe(schema)
    }
}

// SAFETY: hash, equality and order are those of the bytes.
unsafe impl StateKey for Text {
    #[inline]
    fn hash_into(&self, hasher: &mut KeyHasher) {
        hasher.write_bytes(&self.0);
    }
    #[inline]
    fn key_eq(&self, other: &Self) -> bool {
        self == other
    }
    fn key_cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

trait Key: StateKey + Copy + Eq + Hash {
    fn of(n: u64) -> Self;
}

impl Key for u64 {
    fn of(n: u64) -> Self {
        scramble(n)
    }
}

impl Key for Text {
    fn of(n: u64) -> Self {
        let mut text = *b"key:000000000000";
        let mut rest = scramble(n) >> 24;
        for digit in text[4..].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        Self(text)
    }
}

/// A bijection, so keys are distinct and in no order.
fn scramble(n: u64) -> u64 {
    let n = (n ^ n >> 31).wrapping_mul(0x7fb5_d329_728e_a185);
    (n ^ n >> 27).wrapping_mul(0x81da_def4_bc2d_d44d)
}

/// Times one run of `work` on each side, in changing order, `rounds` times; the medians.
fn pair(
    rounds: usize,
    mut ours: impl FnMut() -> Duration,
    mut peer: impl FnMut() -> Duration,
) -> (Duration, Duration) {
    let (mut a, mut b) = (vec![], vec![]);
    for round in 0..rounds {
        if round % 2 == 0 {
            a.push(ours());
            b.push(peer());
        } else {
            b.push(peer());
            a.push(ours());
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    (median(&mut a), median(&mut b))
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

fn report(case: &str, what: &str, n: usize, (ours, peer): (Duration, Duration)) {
    let ns = |time: Duration| time.as_nanos() as f64 / n as f64;
    let ratio = peer.as_secs_f64() / ours.as_secs_f64();
    let mark = if ratio < 0.9 { " <-- below 0.9" } else { "" };
    println!("{case:<14} {what:<18} {:>7.1} {:>7.1} {ratio:>6.2}{mark}", ns(ours), ns(peer));
}

fn bench<K: Key>(case: &str, n: usize, rounds: usize, filter: &str) {
    let keys: Vec<K> = (0..n as u64).map(K::of).collect();
    let absent: Vec<K> = (n as u64..2 * n as u64).map(K::of).collect();
    let mut order = keys.clone();
    let mut random = 88172645463325252_u64;
    for i in (1..n).rev() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        order.swap(i, (random % (i as u64 + 1)) as usize);
    }
    let fill_ours = || {
        let mut map = HashMap::<K, u64>::new();
        keys.iter().for_each(|key| _ = map.insert(*key, 1));
        map
    };
    let fill_peer = || {
        let mut map = Peer::<K>::new();
        keys.iter().for_each(|key| _ = map.insert(*key, 1));
        map
    };
    let run = |what: &str, times: &mut dyn FnMut() -> (Duration, Duration)| {
        if what.contains(filter) {
            report(case, what, n, times());
        }
    };
    let (mut ours, mut peer) = (fill_ours(), fill_peer());
    while ours.work(1 << 20) {}
    let hits = order.iter();
    run("get hit", &mut || {
        pair(
            rounds,
            || time(|| hits.clone().map(|key| *ours.get(key).unwrap()).sum::<u64>()),
            || time(|| hits.clone().map(|key| *peer.get(key).unwrap()).sum::<u64>()),
        )
    });
    run("get miss", &mut || {
        pair(
            rounds,
            || time(|| absent.iter().filter(|key| ours.contains_key(*key)).count()),
            || time(|| absent.iter().filter(|key| peer.contains_key(*key)).count()),
        )
    });
    run("get_mut", &mut || {
        pair(
            rounds,
            || time(|| order.iter().for_each(|key| *ours.get_mut(key).unwrap() += 1)),
            || time(|| order.iter().for_each(|key| *peer.get_mut(key).unwrap() += 1)),
        )
    });
    run("iterate", &mut || {
        pair(
            rounds,
            || time(|| ours.iter().map(|(_, v)| *v).sum::<u64>()),
            || time(|| peer.iter().map(|(_, v)| *v).sum::<u64>()),
        )
    });
    drop((ours, peer));
    run("insert growing", &mut || {
        pair(
            rounds,
            || {
                let start = Instant::now();
                let map = black_box(fill_ours());
                let elapsed = start.elapsed();
                drop(map);
                elapsed
            },
            || {
                let start = Instant::now();
                let map = black_box(fill_peer());
                let elapsed = start.elapsed();
                drop(map);
                elapsed
            },
        )
    });
    run("insert reserved", &mut || {
        pair(
            rounds,
            || {
                let mut map = HashMap::<K, u64>::with_capacity(n);
                time(|| keys.iter().for_each(|key| _ = map.insert(*key, 1)))
            },
            || {
                let mut map = Peer::<K>::with_capacity(n);
                time(|| keys.iter().for_each(|key| _ = map.insert(*key, 1)))
            },
        )
    });
    run("remove", &mut || {
        pair(
            rounds,
            || {
                let mut map = fill_ours();
                while map.work(1 << 20) {}
                time(|| order.iter().for_each(|key| _ = map.remove(key)))
            },
            || {
                let mut map = fill_peer();
                time(|| order.iter().for_each(|key| _ = map.remove(key)))
            },
        )
    });
}

/// The slowest of `n` single calls, and how many took longer than 100 us.
fn worst(n: u64, mut insert: impl FnMut(u64)) -> (Duration, usize) {
    let mut worst = Duration::ZERO;
    let mut slow = 0;
    for i in 0..n {
        let start = Instant::now();
        insert(scramble(i));
        let elapsed = start.elapsed();
        worst = worst.max(elapsed);
        slow += usize::from(elapsed > Duration::from_micros(100));
    }
    (worst, slow)
}

fn main() {
    let mut args = std::env::args().skip(1);
    let rounds = args.next().and_then(|n| n.parse().ok()).unwrap_or(7);
    let filter = args.next().unwrap_or_default();
    println!("map header {} bytes", Layout::new::<HashMap<u64, u64>>().size());
    println!("{:<14} {:<18} {:>7} {:>7} {:>6}", "case", "what", "ours ns", "peer ns", "ratio");
    bench::<u64>("1M u64", 1_000_000, rounds, &filter);
    bench::<Text>("1M 16 bytes", 1_000_000, rounds, &filter);
    bench::<u64>("10M u64", 10_000_000, (rounds / 2).max(3), &filter);
    if "worst insert".contains(&filter) {
        let mut map = HashMap::<u64, u64>::new();
        let ours = worst(10_000_000, |key| _ = map.insert(key, 1));
        drop(map);
        let mut map = Peer::<u64>::new();
        let peer = worst(10_000_000, |key| _ = map.insert(key, 1));
        for (who, (worst, slow)) in [("ours", ours), ("peer", peer)] {
            println!("worst insert on the way to 10M, {who}: {worst:?}; above 100 us: {slow}");
        }
    }
}
