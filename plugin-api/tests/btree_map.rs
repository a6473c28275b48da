//! Goal: `BTreeMap` behaves as std's, knows ranks, leaks nothing, and keeps its layout.
//! Method: random operations on both twins in trees of up to four levels, all short sequences of
//! operations around the sizes where nodes split and join, golden numbers for the layout.

mod common;

use std::collections::BTreeMap as Std;
use std::ops::Bound;

use common::{Counted, Random, held, leak_checked, panic_of, with_seeds};
use hotshell_plugin_api::collections::hash::KeyHasher;
use hotshell_plugin_api::collections::{BTreeMap, Bytes, btree_map, unit};
use hotshell_plugin_api::schema::{Kind, SchemaBuilder, TypeDef};
use hotshell_plugin_api::state::{StateKey, StateType};

/// A large key that counts: 4 entries to a leaf, 12 children to an inner node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Large(Counted, [u64; 40]);

// SAFETY: numbers only.
unsafe impl StateType for Large {
    const FINGERPRINT: u64 = 1;
    fn describe(_: &mut SchemaBuilder) -> TypeDef {
        TypeDef::new(Kind::Struct)
    }
}

// SAFETY: hash, equality and order of the number.
unsafe impl StateKey for Large {
    fn hash_into(&self, hasher: &mut KeyHasher) {
        hasher.write_u64(self.0.0);
    }
    fn key_eq(&self, other: &Self) -> bool {
        self.0.0 == other.0.0
    }
    fn key_cmp(&self, other: &Self) -> std::cmp::Ordering {
        assert_eq!(self.1[0], self.0.0 ^ 1, "a key that is gone");
        self.0.0.cmp(&other.0.0)
    }
}

trait Key: StateKey + Ord + Clone + std::fmt::Debug {
    fn make(n: u64) -> Self;
}

impl Key for Large {
    fn make(n: u64) -> Self {
        Large(Counted::new(n), [n ^ 1; 40])
    }
}

impl Key for Bytes {
    fn make(n: u64) -> Self {
        // Some inside, some on the heap, with long common beginnings.
        Bytes::from(format!("{:>1$}", n, 5 + (n % 2 * 20) as usize))
    }
}

impl Key for u16 {
    fn make(n: u64) -> Self {
        n as u16
    }
}

type Pair<K> = (BTreeMap<K, Counted>, Std<K, Counted>);

fn step<K: Key>(random: &mut Random, (ours, std): &mut Pair<K>, span: usize) {
    let n = random.below(span) as u64;
    let key = K::make(n);
    match random.below(22) {
        0..=6 => {
            assert_eq!(ours.insert(key.clone(), Counted::new(n)), std.insert(key, Counted::new(n)))
        }
        7..=10 => assert_eq!(ours.remove(&key), std.remove(&key)),
        11 => assert_eq!(ours.pop_first(), std.pop_first()),
        12 => assert_eq!(ours.pop_last(), std.pop_last()),
        13 => {
            ours.entry(key.clone()).and_modify(|v| *v = Counted::new(7)).or_insert(Counted::new(8));
            std.entry(key).and_modify(|v| *v = Counted::new(7)).or_insert(Counted::new(8));
        }
        14 => {
            if let btree_map::Entry::Occupied(entry) = ours.entry(key.clone()) {
                assert_eq!(Some(entry.remove()), std.remove(&key));
            }
            assert!(!std.contains_key(&key));
        }
        15 => {
            let (end, stop) = (K::make(n + random.below(span) as u64), random.below(30));
            let (low, high) = if key <= end { (key, end) } else { (end, key) };
            let bounds = (Bound::Excluded(&low), Bound::Included(&high));
            let (a, b) = (ours.range::<K, _>(bounds), std.range::<K, _>(bounds));
            assert_eq!(a.len(), b.clone().count());
            assert!(a.clone().rev().take(stop).eq(b.clone().rev().take(stop)) && a.eq(b));
            ours.range_mut::<K, _>(&low..=&high).take(stop).for_each(|(_, v)| *v = Counted::new(3));
            std.range_mut::<K, _>(&low..=&high).take(stop).for_each(|(_, v)| *v = Counted::new(3));
        }
        16 => {
            let below = std.range::<K, _>(..&key).count();
            let rank = if std.contains_key(&key) { Ok(below) } else { Err(below) };
            assert_eq!(ours.rank(&key), rank);
            assert_eq!(ours.get_index(below), std.range::<K, _>(&key..).next());
            assert_eq!(
                (ours.get(&key), ours.get_key_value(&key)),
                (std.get(&key), std.get_key_value(&key))
            );
        }
        17 => {
            let range = random.range(std.len());
            let wanted = std.iter().skip(range.start).take(range.len());
            assert!(ours.range_by_rank(range).eq(wanted));
        }
        18 if random.below(40) == 0 => {
            ours.retain(|_, v| v.0 % 3 != n % 3);
            std.retain(|_, v| v.0 % 3 != n % 3);
        }
        19 if random.below(40) == 0 => {
            let count = random.below(std.len() + 2);
            let taken: Vec<_> = ours.take_some(count).take(count / 2).collect();
            let gone: Vec<_> = std::iter::from_fn(|| std.pop_first()).take(count).collect();
            assert_eq!(taken, gone[..gone.len().min(count / 2)]);
        }
        20 if random.below(40) == 0 => *ours = ours.clone(),
        21 if random.below(200) == 0 => {
            let (mut a, mut b) =
                (std::mem::take(ours).into_iter(), std::mem::take(std).into_iter());
            let some = random.below(b.len() + 1);
            assert!(a.by_ref().take(some).eq(b.by_ref().take(some)));
            assert!(a.by_ref().rev().take(some / 2).eq(b.by_ref().rev().take(some / 2)));
        }
        _ => {}
    }
}

fn compare<K: Key>((ours, std): &mut Pair<K>) {
    ours.check();
    assert_eq!(ours.len(), std.len());
    assert!(ours.iter().eq(std.iter()) && ours.iter().rev().eq(std.iter().rev()));
    assert!(ours.iter_mut().eq(std.iter_mut()));
    assert!(ours.keys().eq(std.keys()) && ours.values().rev().eq(std.values().rev()));
    assert_eq!(ours.first_key_value(), std.first_key_value());
    assert_eq!(ours.last_key_value(), std.last_key_value());
}

/// Grows, stays, and shrinks: the span of keys moves with the phase.
fn does_what_stds_does<K: Key>(random: &mut Random, steps: usize, span: usize) {
    let mut pair = (BTreeMap::new(), Std::new());
    for n in 0..steps {
        step::<K>(random, &mut pair, span);
        if n % 16 == 0 {
            compare(&mut pair);
        }
    }
    compare(&mut pair);
    while let Some(key) = pair.1.keys().nth(random.below(pair.1.len().max(1))).cloned() {
        assert_eq!(pair.0.remove_entry(&key), pair.1.remove_entry(&key));
        pair.0.check();
    }
    assert!(pair.0.is_empty());
}

#[test]
fn a_map_does_what_stds_does() {
    with_seeds(8, |random| {
        does_what_stds_does::<u16>(random, 3000, 600);
        does_what_stds_does::<Bytes>(random, 3000, 400);
        does_what_stds_does::<Large>(random, 3000, 300);
    });
}

#[test]
fn large_trees_from_every_direction_agree() {
    with_seeds(2, |random| {
        for direction in 0..3 {
            let mut pair: Pair<Large> = (BTreeMap::new(), Std::new());
            for i in 0..1500u64 {
                let n = match direction {
                    0 => i,
                    1 => 1500 - i,
                    _ => random.next() % 100_000,
                };
                pair.0.insert(Large::make(n), Counted::new(n));
                pair.1.insert(Large::make(n), Counted::new(n));
            }
            compare(&mut pair);
            for (i, key) in pair.1.keys().enumerate().step_by(17) {
                assert_eq!(pair.0.rank(key), Ok(i));
                assert_eq!(pair.0.get_index(i).map(|e| e.0), Some(key));
            }
            for i in 0..1400 {
                let at = match direction {
                    0 => 0,
                    1 => pair.1.len() - 1,
                    _ => random.below(pair.1.len()),
                };
                let key = pair.0.get_index(at).unwrap().0.clone();
                assert_eq!(pair.0.remove(&key), pair.1.remove(&key));
                if i % 50 == 0 {
                    compare(&mut pair);
                }
            }
            compare(&mut pair);
        }
    });
}

/// From each size around a split or a join of leaves, all sequences of four operations.
#[test]
fn every_short_sequence_of_operations_agrees() {
    fn walk((ours, std): &Pair<Large>, depth: usize) {
        ours.check();
        assert!(ours.iter().eq(std.iter()));
        if depth == 0 {
            return;
        }
        let last = std.keys().next_back().map_or(100, |k| k.0.0);
        for op in 0..6 {
            let (mut a, mut b) = (ours.clone(), std.clone());
            let mut put = |n: u64| {
                let old = a.insert(Large::make(n), Counted::new(n));
                assert_eq!(old, b.insert(Large::make(n), Counted::new(n)));
            };
            match op {
                0 => put(last + 10),
                1 => put(depth as u64),
                2 => put(last / 2 + depth as u64),
                3 => assert_eq!(a.pop_first(), b.pop_first()),
                4 => assert_eq!(a.pop_last(), b.pop_last()),
                _ => {
                    let middle = std.keys().nth(std.len() / 2).cloned();
                    if let Some(key) = middle {
                        assert_eq!(a.remove(&key), b.remove(&key));
                    }
                }
            }
            walk(&(a, b), depth - 1);
        }
    }
    leak_checked(|| {
        for len in [0, 1, 2, 3, 4, 5, 8, 24, 25, 30, 31] {
            let entries = (0..len).map(|n| (Large::make(n * 10), Counted::new(n)));
            let std: Std<_, _> = entries.collect();
            let ours = std.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            walk(&(ours, std), 4);
        }
    });
}

#[test]
fn small_maps_are_small_and_nodes_are_a_kibibyte() {
    leak_checked(|| {
        let mut map: BTreeMap<u64, u64> = BTreeMap::new();
        assert_eq!(held(), (0, 0));
        map.insert(1, 1);
        assert_eq!(held(), (1, 32 + 4 * 16));
        map.extend((2..=9).map(|n| (n, n)));
        assert_eq!(held(), (1, 32 + 16 * 16));
        map.extend((10..100_000).map(|n| (n, n)));
        assert!(held().1 < 100_000 * 16 * 17 / 10, "{:?}", held());
        assert!(held().1 / held().0 <= 1024);
        let before = held().1;
        assert_eq!(map.take_some(50_000).count(), 50_000);
        assert!(held().1 < before * 6 / 10);
        map.clear();
        assert_eq!(held(), (0, 0));
    });
}

#[test]
fn lookups_take_what_stands_for_a_key() {
    leak_checked(|| {
        let mut map: BTreeMap<Bytes, u32> = BTreeMap::from([("b".into(), 2), ("a".into(), 1)]);
        assert_eq!((map.get("a"), map.get(b"b"), map.get(&b"c"[..])), (Some(&1), Some(&2), None));
        assert_eq!((map["a"], map.range::<&str, _>("aa"..).count()), (1, 1));
        *map.entry("c".into()).or_default() += 5;
        assert_eq!(format!("{map:?}"), r#"{b"a": 1, b"b": 2, b"c": 5}"#);
        assert_eq!(panic_of(|| map["x"]), "no entry found for key");
        let said = panic_of(|| map.range_by_rank(1..4).count());
        assert_eq!(said, "range end index 4 out of range for slice of length 3");
        assert_eq!(map.range::<&str, _>("z".."a").count(), 0);
    });
}

#[test]
fn a_panicking_filter_or_drop_loses_nothing_else() {
    leak_checked(|| {
        let mut map: BTreeMap<u32, Counted> = (0..500).map(|n| (n, Counted::new(9))).collect();
        panic_of(|| {
            map.retain(|&k, _| {
                assert!(k < 400);
                k % 2 == 0
            });
        });
        map.check();
        assert_eq!((map.len(), map.get(&401).is_some()), (300, true));
    });
    struct Bomb(#[allow(dead_code)] Counted);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert_ne!(self.0.0, 3, "boom");
        }
    }
    leak_checked(|| {
        let map: BTreeMap<u32, Bomb> =
            (0..500).map(|n| (n, Bomb(Counted::new(u64::from(n))))).collect();
        assert!(panic_of(|| drop(map)).contains("boom"));
    });
}

#[test]
fn the_layout_is_golden() {
    const SAY: &str = "the layout of BTreeMap changed: raise btree_map::FORMAT, then this test";
    leak_checked(|| {
        assert_eq!((size_of::<BTreeMap<u64, u32>>(), btree_map::FORMAT), (32, 1), "{SAY}");
        assert_eq!(size_of::<unit::UnitHead>(), 8, "{SAY}");
        let map: BTreeMap<u64, u32> = (0..300).map(|n| (n, n as u32 + 1000)).collect();
        // SAFETY: header and nodes are repr(C) and initialised up to their lengths; the offsets are
        // the test.
        unsafe {
            let header = std::ptr::from_ref(&map).cast::<u8>();
            let root = header.cast::<*const u8>().read();
            assert_eq!(header.add(8).cast::<usize>().read(), 300, "{SAY}");
            assert_eq!(header.add(16).cast::<[u32; 4]>().read(), [0, 0, 1, 0], "{SAY}");
            // Inner node: unit, len, cap, height; 42 children; 42 counts; 42 separators.
            assert_eq!(root.cast::<[u32; 2]>().read(), [0, 0], "{SAY}");
            let [len, cap] = root.add(8).cast::<[u16; 2]>().read();
            assert_eq!((len, cap, root.add(12).cast::<u32>().read()), (5, 42, 1), "{SAY}");
            let leaf = root.add(16 + 8).cast::<*const u8>().read();
            let counts = root.add(16 + 42 * 8).cast::<[u64; 5]>().read();
            assert_eq!(counts, [55, 55, 55, 55, 80], "{SAY}");
            assert_eq!(root.add(16 + 84 * 8 + 8).cast::<u64>().read(), 55, "{SAY}");
            // Leaf: unit, len, cap, height, previous, next; 82 keys; 82 values.
            let [len, cap] = leaf.add(8).cast::<[u16; 2]>().read();
            assert_eq!((len, cap, leaf.add(12).cast::<u32>().read()), (55, 82, 0), "{SAY}");
            let first = root.add(16).cast::<*const u8>().read();
            assert_eq!(leaf.add(16).cast::<*const u8>().read(), first, "{SAY}");
            assert_eq!(leaf.add(32).cast::<u64>().read(), 55, "{SAY}");
            assert_eq!(leaf.add(32 + 82 * 8).cast::<u32>().read(), 1055, "{SAY}");
        }
    });
}
