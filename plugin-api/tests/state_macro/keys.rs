//! Goal: a derived key has one meaning, whoever asks. Method: random pairs of few values,
//! compared with tuples of std.

use std::cmp::Ordering;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use hotshell_plugin_api::collections::hash::KeyHasher;
use hotshell_plugin_api::state::StateKey;
use proptest::prelude::*;

use crate::{Place, Shape};

const SEED: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];

fn key_hash<K: StateKey>(key: &K) -> u64 {
    let mut hasher = KeyHasher::new(SEED);
    StateKey::hash_into(key, &mut hasher);
    hasher.finish()
}

fn std_hash<K: Hash>(key: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

type SortKey = (u8, [u128; 3], Option<(bool, i32, [u16; 3])>);

/// The order that a derive would give, from tuples of std.
fn sort_key(shape: &Shape) -> SortKey {
    match shape {
        Shape::Empty => (0, [0; 3], None),
        Shape::Bytes(a, b) => (1, [u128::from(*a), u128::from(*b), 0], None),
        Shape::Wide { first, second, third } => {
            (2, [u128::from(*first), *second, u128::from(*third)], None)
        }
        Shape::Nested(a, place) => (3, [0; 3], Some((*a, place.floor, place.rooms))),
    }
}

/// Few values, so that equal ones come up often.
fn shapes() -> impl Strategy<Value = Shape> {
    let small = 0u8..3;
    prop_oneof![
        Just(Shape::Empty),
        (small.clone(), small.clone()).prop_map(|(a, b)| Shape::Bytes(a, b)),
        (0u16..2, prop_oneof![Just(0u128), Just(1), Just(u128::MAX)], small)
            .prop_map(|(first, second, third)| Shape::Wide { first, second, third }),
        (any::<bool>(), -1i32..2, [0u16..2, 0..2, 0..2])
            .prop_map(|(a, floor, rooms)| Shape::Nested(a, Place { floor, rooms })),
    ]
}

proptest! {
    #[test]
    fn keys_agree_in_hash_equality_and_order(a in shapes(), b in shapes()) {
        let order = sort_key(&a).cmp(&sort_key(&b));
        prop_assert_eq!(a.key_cmp(&b), order);
        prop_assert_eq!(a.cmp(&b), order);
        prop_assert_eq!(a.partial_cmp(&b), Some(order));
        prop_assert_eq!(a.key_eq(&b), order == Ordering::Equal);
        prop_assert_eq!(a == b, order == Ordering::Equal);
        prop_assert_eq!(key_hash(&a) == key_hash(&b), order == Ordering::Equal);
        prop_assert_eq!(std_hash(&a) == std_hash(&b), order == Ordering::Equal);
    }
}

#[test]
fn the_fields_of_a_key_are_hashed_in_order_after_the_tag() {
    let mut expected = KeyHasher::new(SEED);
    for n in [3, 1, 7u64.wrapping_neg(), 1, 2, 3] {
        expected.write_u64(n);
    }
    let key = Shape::Nested(true, Place { floor: -7, rooms: [1, 2, 3] });
    assert_eq!(key_hash(&key), expected.finish());
}
