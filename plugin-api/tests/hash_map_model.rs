//! Goal: `HashMap` does what std's does, leaks nothing and keeps its promises beyond std.
//! Method: random operations against std's map, seeds printed; a counting heap for what is left over.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap as Model};
use std::panic::{AssertUnwindSafe, catch_unwind};

use hotshell_plugin_api::collections::HashMap;
use hotshell_plugin_api::collections::hash_map::Entry;

mod counting_heap;
use counting_heap::{Leaks, Random};

type Nested = HashMap<u64, HashMap<u32, u64>>;

/// Changes of which `grow` in 100 are inserts, with keys from a range in which they meet again. Answers
/// how many of the full comparisons fell into a move between two tables.
fn phase(
    map: &mut HashMap<u64, u64>,
    model: &mut Model<u64, u64>,
    random: &mut Random,
    grow: u64,
) -> u64 {
    let mut mid_move = 0;
    let range = 1 + random.below(20_000);
    for _ in 0..random.below(20_000) {
        let key = random.below(range);
        let value = random.next();
        if random.below(100) < grow {
            match random.below(4) {
                0 => {
                    map.entry(key).and_modify(|v| *v ^= 1).or_insert(value);
                    model.entry(key).and_modify(|v| *v ^= 1).or_insert(value);
                }
                1 => assert_eq!(
                    *map.entry(key).or_insert_with(|| value),
                    *model.entry(key).or_insert_with(|| value)
                ),
                _ => assert_eq!(map.insert(key, value), model.insert(key, value)),
            }
        } else {
            match random.below(4) {
                0 => assert_eq!(map.remove_entry(&key), model.remove_entry(&key)),
                1 => match map.entry(key) {
                    Entry::Occupied(entry) => {
                        assert_eq!(Some(entry.remove_entry()), model.remove_entry(&key))
                    }
                    Entry::Vacant(entry) => assert!(!model.contains_key(&entry.into_key())),
                },
                _ => assert_eq!(map.remove(&key), model.remove(&key)),
            }
        }
        let probe = random.below(range);
        map.prefetch(&[&probe, &key]);
        assert_eq!(map.get(&probe), model.get(&probe));
        assert_eq!(map.get_mut(&probe), model.get_mut(&probe));
        assert_eq!(map.len(), model.len());
        match random.below(4000) {
            0 => map.reserve(random.below(30_000) as usize),
            1 => whole(map, model),
            _ if map.is_moving() && random.below(400) == 0 => {
                mid_move += 1;
                whole(map, model);
            }
            _ => (),
        }
    }
    mid_move
}

fn whole(map: &mut HashMap<u64, u64>, model: &Model<u64, u64>) {
    assert_eq!(map.iter().len(), model.len());
    assert_eq!(map.iter().map(|(k, v)| (*k, *v)).collect::<Model<_, _>>(), *model);
    assert_eq!(map.iter_mut().map(|(k, v)| (*k, *v)).collect::<Model<_, _>>(), *model);
    assert_eq!(map.keys().copied().collect::<BTreeSet<_>>().len(), model.len());
    assert!(map.capacity() >= map.len());
    assert_eq!(map.clone(), *map);
}

#[test]
fn random_operations_agree_with_std() {
    let leaks = Leaks::start();
    let mut mid_move = 0;
    for seed in 1..=counting_heap::rounds(8) {
        println!("seed {seed}");
        let mut random = Random(seed);
        let (mut map, mut model) = (HashMap::new(), Model::new());
        for _ in 0..8 {
            let grow = [90, 60, 50, 20, 2][random.below(5) as usize];
            mid_move += phase(&mut map, &mut model, &mut random, grow);
            match random.below(8) {
                0 => {
                    map.retain(|k, v| (*k ^ *v) % 3 == 0);
                    model.retain(|k, v| (*k ^ *v) % 3 == 0);
                }
                1 => {
                    let n = random.below(50_000) as usize;
                    map.reserve(n);
                    assert!(map.capacity() >= map.len() + n);
                }
                2 => map.shrink_to_fit(),
                3 => {
                    let drained: Model<_, _> = map.drain().collect();
                    assert_eq!(drained, std::mem::take(&mut model));
                }
                4 => {
                    let first = map.drain().next();
                    assert!(first.is_none_or(|(k, v)| model.get(&k) == Some(&v)));
                    model.clear();
                }
                5 => {
                    let n = random.below(1000) as usize;
                    let taken = map.take_some(n, |k, v| assert_eq!(model.remove(&k), Some(v)));
                    assert!(taken <= n);
                }
                6 => while map.work(1000) {},
                _ => {
                    map.values_mut().for_each(|v| *v ^= 5);
                    model.values_mut().for_each(|v| *v ^= 5);
                }
            }
            whole(&mut map, &model);
        }
        let owned: Model<_, _> = map.into_iter().collect();
        assert_eq!(owned, model);
    }
    println!("{mid_move} comparisons in mid-move");
    assert!(mid_move > 5, "too few comparisons in mid-move: {mid_move}");
    leaks.none();
}

/// Fills the map until it moves to a larger table, and goes on while a scan shows what was there before.
fn scan_while_it_grows(map: &mut HashMap<u32, u32>) {
    let before = map.capacity() as u32;
    (map.len() as u32..=before).for_each(|key| assert_eq!(map.insert(key, !key), None));
    assert!(map.is_moving(), "at {before} entries");
    let mut shown = vec![false; before as usize];
    let mut cursor = 0;
    loop {
        cursor = map.scan(cursor, 500, |&key, &value| {
            assert_eq!(value, !key);
            if let Some(shown) = shown.get_mut(key as usize) {
                *shown = true;
            }
        });
        if cursor == 0 {
            break;
        }
        for key in map.len() as u32..map.len() as u32 + 20 {
            map.insert(key, !key);
        }
    }
    assert!(shown.iter().all(|&shown| shown), "a scan missed entries");
    while map.work(1000) {}
}

#[test]
fn a_large_map_grows_by_a_third_and_a_half_and_scans_miss_nothing() {
    let leaks = Leaks::start();
    let mut map = HashMap::with_capacity(900_000);
    let mut capacities = vec![map.capacity()];
    for _ in 0..2 {
        scan_while_it_grows(&mut map);
        capacities.push(map.capacity());
    }
    assert_eq!(capacities, [14 << 16, (14 << 15) * 3, 14 << 17]);
    assert!((0..map.len() as u32).all(|key| map.get(&key) == Some(&!key)));
    let len = map.len();
    assert_eq!(map.iter().count(), len);
    drop(map);
    leaks.none();
}

#[test]
fn a_large_map_that_is_nearly_empty_shrinks() {
    let leaks = Leaks::start();
    let mut map: HashMap<u32, u32> = HashMap::with_capacity(1_000_000);
    assert_eq!(map.capacity(), (14 << 15) * 3);
    (0..1000).for_each(|key| assert_eq!(map.insert(key, key), None));
    map.remove(&0);
    while map.work(1000) {}
    assert!(map.capacity() < 14 << 16, "{}", map.capacity());
    assert!((1..1000).all(|key| map.get(&key) == Some(&key)));
    drop(map);
    leaks.none();
}

#[test]
fn every_short_sequence_agrees_with_std() {
    // 4 keys x {insert, remove, entry, get_mut} + clear, drain, shrink: all sequences of 4 steps.
    const STEPS: usize = 4;
    const KINDS: usize = 19;
    let leaks = Leaks::start();
    for code in 0..KINDS.pow(STEPS as u32) {
        let (mut map, mut model) = (HashMap::<u64, u64>::new(), Model::<u64, u64>::new());
        let mut rest = code;
        for step in 0..STEPS as u64 {
            let (kind, key) = ((rest % KINDS) / 4, (rest % KINDS % 4) as u64);
            rest /= KINDS;
            match (kind, key) {
                (0, _) => assert_eq!(map.insert(key, step), model.insert(key, step)),
                (1, _) => assert_eq!(map.remove(&key), model.remove(&key)),
                (2, _) => assert_eq!(map.entry(key).or_default(), model.entry(key).or_default()),
                (3, _) => assert_eq!(map.get_mut(&key), model.get_mut(&key)),
                (_, 0) => {
                    map.clear();
                    model.clear();
                }
                (_, 1) => assert_eq!(map.drain().count(), model.drain().count()),
                _ => map.shrink_to_fit(),
            }
        }
        assert_eq!(map.into_iter().collect::<Model<_, _>>(), model, "sequence {code}");
    }
    leaks.none();
}

#[test]
fn every_size_grows_and_empties() {
    let leaks = Leaks::start();
    for n in (0..300).chain([895, 896, 897, 1791, 1792, 1793, 5000]) {
        let mut map = HashMap::with_capacity(n as usize);
        let capacity = map.capacity();
        (0..n).for_each(|i| assert_eq!(map.insert(i, !i), None));
        assert!(capacity >= n as usize);
        assert_eq!(map.capacity(), capacity, "room was made for {n}");
        let mut grown = HashMap::new();
        (0..n).for_each(|i| assert_eq!(grown.insert(i, !i), None));
        assert_eq!(map, grown);
        map.shrink_to_fit();
        (0..n).for_each(|i| assert_eq!(map.get(&i), Some(&!i)));
        (0..n).for_each(|i| assert_eq!(grown.remove(&i), Some(!i)));
        assert!(grown.is_empty() && grown.iter().next().is_none());
        grown.shrink_to_fit();
        assert_eq!(grown.capacity(), 0);
    }
    leaks.none();
}

#[test]
fn nested_maps_are_dropped_once() {
    let leaks = Leaks::start();
    for seed in 1..=counting_heap::rounds(6) {
        println!("seed {seed}");
        let mut random = Random(seed);
        let mut map = Nested::new();
        for _ in 0..random.below(6000) {
            let key = random.below(3000);
            match random.below(8) {
                0..=3 => {
                    map.entry(key).or_default().insert(1, random.next());
                }
                4 => drop(map.insert(key, HashMap::from([(1, 1), (2, 2)]))),
                _ => drop(map.remove(&key)),
            }
        }
        match seed % 8 {
            0 => drop(map.clone()),
            1 => map.retain(|k, _| k % 2 == 0),
            2 => drop(map.drain().nth(3)),
            3 => map.clear(),
            4 => drop(map.into_iter().nth(5)),
            5 => while map.take_some(100, |_, _| ()) > 0 {},
            6 => drop(map.into_values().nth(7)),
            _ => map.extend((0..2000).map(|k| (k, HashMap::new()))),
        }
    }
    leaks.none();
}

#[test]
fn a_panicking_closure_leaves_the_map_whole() {
    let leaks = Leaks::start();
    for panic_at in [0, 1, 700, 2499] {
        let mut map: Nested = (0..2500).map(|k| (k, HashMap::from([(0, k)]))).collect();
        let mut n = 0;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            map.retain(|k, _| {
                n += 1;
                assert!(n <= panic_at, "on purpose");
                k % 2 == 0
            });
        }));
        assert!(panicked.is_err());
        assert!(map.iter().all(|(k, v)| v[&0] == *k));
        let before = map.len();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            map.take_some(10, |_, _| panic!("on purpose"));
        }));
        assert!(panicked.is_err());
        assert_eq!(map.len(), before - 1);
        assert_eq!(map.iter().count(), before - 1);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            map.entry(9999).or_insert_with(|| panic!("on purpose"));
        }));
        assert!(panicked.is_err() && !map.contains_key(&9999));
    }
    leaks.none();
}

#[test]
fn a_scan_shows_what_is_there_from_start_to_end() {
    let leaks = Leaks::start();
    let mut moved = 0;
    for seed in 1..=counting_heap::rounds(40) {
        println!("seed {seed}");
        let mut random = Random(seed);
        let stay = random.below(4000);
        let mut map: HashMap<u64, u64> = (0..stay).map(|k| (k, k)).collect();
        let mut passing = random.below(30_000);
        (0..passing).for_each(|k| _ = map.insert(1 << 32 | k, k));
        let (mut cursor, mut seen, mut shown) = (0, BTreeSet::new(), 0_u64);
        let grows = seed % 2 == 0;
        loop {
            cursor = map.scan(cursor, 1 + random.below(40) as usize, |k, v| {
                assert_eq!(*k as u32, *v as u32);
                shown += 1;
                seen.insert(*k);
            });
            if cursor == 0 {
                break;
            }
            for _ in 0..random.below(300) {
                if grows {
                    map.insert(1 << 32 | passing, passing);
                    passing += 1;
                } else if passing > 0 {
                    passing -= 1;
                    map.remove(&(1 << 32 | passing));
                }
            }
            match random.below(200) {
                0 => map.reserve(random.below(100_000) as usize),
                1 => map.shrink_to_fit(),
                _ => moved += u64::from(map.is_moving()),
            }
        }
        assert!((0..stay).all(|k| seen.contains(&k)), "seed {seed}");
    }
    assert!(moved > 100, "scans must meet moves: {moved}");
    leaks.none();
}

#[test]
fn a_quiet_scan_shows_each_entry_once_and_little_at_a_time() {
    let map: HashMap<u64, u64> = (0..50_000).map(|k| (k, k)).collect();
    let (mut cursor, mut shown, mut most) = (0, 0, 0);
    loop {
        let mut now = 0;
        cursor = map.scan(cursor, 10, |_, _| now += 1);
        shown += now;
        most = most.max(now);
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(shown, 50_000);
    assert!(most < 400, "{most} entries in one call");
}

#[test]
fn random_entries_are_uniform() {
    // Full, sparse after removals, and in mid-move; chi-square with 999 degrees of freedom.
    for keep in [1000_u64, 20_000, 60_000] {
        let mut map: HashMap<u64, u64> = (0..keep).map(|k| (k, k)).collect();
        (1000..keep).for_each(|k| _ = map.remove(&k));
        let mut random = Random(7 + keep);
        let mut counts = vec![0_u64; 1000];
        let calls = Cell::new(0_u64);
        for _ in 0..100_000 {
            let draw = || {
                calls.set(calls.get() + 1);
                random.next()
            };
            counts[*map.random_entry(draw).expect("not empty").0 as usize] += 1;
        }
        let chi: f64 = counts.iter().map(|&n| (n as f64 - 100.0).powi(2) / 100.0).sum();
        println!("keep {keep}: chi-square {chi:.0}, {} draws", calls.get());
        assert!((800.0..1200.0).contains(&chi), "chi-square {chi}");
        assert!(calls.get() < 100_000 * 24, "{} draws for 100000 entries", calls.get());
    }
    assert!(HashMap::<u64, u64>::new().random_entry(|| 0).is_none());
}

#[test]
fn removal_gives_memory_back_in_small_steps() {
    let leaks = Leaks::start();
    let mut map: HashMap<u64, u64> = (0..200_000).map(|k| (k, k)).collect();
    let full = leaks.bytes();
    (100..200_000).for_each(|k| _ = map.remove(&k));
    while map.work(512) {}
    assert!(leaks.bytes() * 20 < full, "{} bytes of {full}", leaks.bytes());
    let mut map: HashMap<u64, u64> = (0..200_000).map(|k| (k, k)).collect();
    let mut sum = 0;
    while !map.is_empty() {
        assert!(map.take_some(1000, |k, _| sum += k) <= 1000);
    }
    assert_eq!(sum, 199_999 * 100_000);
    assert_eq!(map.capacity(), 0);
    drop(map);
}

#[test]
fn units_are_stamped_when_they_are_made() {
    use hotshell_plugin_api::collections::hash_map::UnitHead;
    let mut map: HashMap<u64, u64> = (0..100_000).map(|k| (k, k)).collect();
    while map.work(1000) {}
    let units = map.unit_heads().count();
    assert!(map.unit_heads().all(|head| head == UnitHead::default()));
    let stamp = UnitHead { layout: 3, epoch: 9 };
    map.set_stamp(stamp);
    map.reserve(200_000);
    while map.work(1000) {}
    assert!(map.unit_heads().count() > units);
    assert!(map.unit_heads().all(|head| head == stamp));
    map.clear();
    assert!(map.unit_heads().all(|head| head == stamp));
}
