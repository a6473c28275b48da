//! Goal: a key whose hash is broken makes a map slow, never wrong. Method: keys that all meet in a few
//! places, so that tables overflow at their end, in steady state and in mid-move.

use std::cmp::Ordering;
use std::collections::HashMap as Model;

use hotshell_plugin_api::collections::HashMap;
use hotshell_plugin_api::collections::hash::KeyHasher;
use hotshell_plugin_api::schema::{Kind, SchemaBuilder, TypeDef, mix};
use hotshell_plugin_api::state::{StateKey, StateType};

mod counting_heap;
use counting_heap::{Leaks, Random};

/// A key with `PLACES` hashes.
#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(transparent)]
struct Meeting<const PLACES: u64>(u64);

// SAFETY: one integer.
unsafe impl<const PLACES: u64> StateType for Meeting<PLACES> {
    const FINGERPRINT: u64 = mix(Kind::Unsigned as u64, PLACES);
    fn describe(_: &mut SchemaBuilder) -> TypeDef {
        TypeDef::new(Kind::Unsigned)
    }
}

// SAFETY: equal keys have equal hashes.
unsafe impl<const PLACES: u64> StateKey for Meeting<PLACES> {
    fn hash_into(&self, hasher: &mut KeyHasher) {
        hasher.write_u64(self.0 % PLACES);
    }
    fn key_eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
    fn key_cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

fn meet<const PLACES: u64>(seed: u64) {
    println!("{PLACES} places, seed {seed}");
    let mut random = Random(seed);
    let mut map: HashMap<Meeting<PLACES>, u64> = HashMap::new();
    let mut model = Model::new();
    for i in 0..3000 {
        let key = random.below(2500);
        if random.below(10) < if i < 2000 { 8 } else { 2 } {
            assert_eq!(map.insert(Meeting(key), i), model.insert(key, i));
        } else {
            assert_eq!(map.remove(&Meeting(key)), model.remove(&key));
        }
        if i % 300 == 0 {
            map.reserve(random.below(2000) as usize);
            assert!(model.iter().all(|(k, v)| map.get(&Meeting(*k)) == Some(v)));
        }
    }
    let (mut cursor, mut shown) = (0, 0);
    loop {
        cursor = map.scan(cursor, 10, |_, _| shown += 1);
        if cursor == 0 {
            break;
        }
    }
    assert!(shown >= model.len());
    map.shrink_to_fit();
    assert_eq!(map.into_iter().map(|(k, v)| (k.0, v)).collect::<Model<_, _>>(), model);
}

#[test]
fn keys_that_all_meet_are_still_found() {
    let leaks = Leaks::start();
    for seed in 1..=4 {
        meet::<1>(seed);
        meet::<2>(seed);
        meet::<5>(seed);
        meet::<40>(seed);
    }
    leaks.none();
}
