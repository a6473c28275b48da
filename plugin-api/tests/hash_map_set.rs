//! Goal: `HashSet` answers as std's does. Method: pairs of small random sets.

use std::collections::{BTreeSet, HashSet as Model};

use hotshell_plugin_api::collections::HashSet;

mod counting_heap;
use counting_heap::{Leaks, Random};

fn sorted<'a>(keys: impl Iterator<Item = &'a u64>) -> Vec<u64> {
    let mut keys: Vec<u64> = keys.copied().collect();
    keys.sort_unstable();
    keys
}

#[test]
fn set_algebra_agrees_with_std() {
    let leaks = Leaks::start();
    for seed in 1..200 {
        let mut random = Random(seed);
        let mut draw = || {
            let range = 1 + random.below(60);
            (0..random.below(40)).map(|_| random.below(range)).collect::<Vec<u64>>()
        };
        let (a, b) = (draw(), draw());
        let (x, y): (HashSet<u64>, HashSet<u64>) = (set_of(&a), set_of(&b));
        let (m, n): (Model<u64>, Model<u64>) =
            (a.iter().copied().collect(), b.iter().copied().collect());
        assert_eq!(sorted(x.union(&y)), sorted(m.union(&n)), "seed {seed}");
        assert_eq!(sorted(x.intersection(&y)), sorted(m.intersection(&n)));
        assert_eq!(sorted(x.difference(&y)), sorted(m.difference(&n)));
        assert_eq!(sorted(x.symmetric_difference(&y)), sorted(m.symmetric_difference(&n)));
        assert_eq!(x.is_subset(&y), m.is_subset(&n));
        assert_eq!(x.is_superset(&y), m.is_superset(&n));
        assert_eq!(x.is_disjoint(&y), m.is_disjoint(&n));
        assert_eq!(x == y, m == n);
        assert_eq!(sorted((&x | &y).iter()), sorted((&m | &n).iter()));
        assert_eq!(sorted((&x ^ &y).iter()), sorted((&m ^ &n).iter()));
        assert_eq!(sorted((&x & &y).iter()), sorted((&m & &n).iter()));
        assert_eq!(sorted((&x - &y).iter()), sorted((&m - &n).iter()));
        assert_eq!(x.clone().into_iter().collect::<BTreeSet<_>>(), m.into_iter().collect());
    }
    leaks.none();
}

fn set_of(keys: &[u64]) -> HashSet<u64> {
    let mut set = HashSet::new();
    set.extend(keys);
    set
}

#[test]
fn keys_come_and_go_as_in_std() {
    let mut set = HashSet::with_capacity(2);
    assert!(set.insert(1_u32) && !set.insert(1) && set.contains(&1));
    assert_eq!((set.get(&1), set.get(&2)), (Some(&1), None));
    assert_eq!((set.replace(1), set.replace(2)), (Some(1), None));
    assert_eq!((set.take(&2), set.take(&2)), (Some(2), None));
    assert!(set.remove(&1) && !set.remove(&1) && set.is_empty());
    set.extend(0..1000);
    set.retain(|key| key % 10 == 0);
    assert_eq!(set.len(), 100);
    let mut shown = 0;
    let mut cursor = 0;
    loop {
        cursor = set.scan(cursor, 7, |_| shown += 1);
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(shown, 100);
    assert!(set.random_entry(|| 7 << 40).is_some());
    let mut taken = 0;
    while !set.is_empty() {
        taken += set.take_some(13, |key| assert_eq!(key % 10, 0));
    }
    assert_eq!(taken, 100);
    set.extend([1, 2, 3]);
    assert_eq!(set.drain().count(), 3);
    assert_eq!(format!("{:?}", HashSet::from([5_u8])), "{5}");
    assert_eq!(HashSet::<[u8; 0]>::from([[]]).len(), 1, "keys of no size");
}
