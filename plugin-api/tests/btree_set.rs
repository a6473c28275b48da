//! Goal: `BTreeSet` behaves as std's. Method: random operations on both twins.

mod common;

use std::collections::BTreeSet as Std;

use common::with_seeds;
use hotshell_plugin_api::collections::{BTreeMap, BTreeSet};
use hotshell_plugin_api::state::StateType;

#[test]
fn a_set_does_what_stds_does() {
    with_seeds(5, |random| {
        let (mut ours, mut std) = (BTreeSet::new(), Std::new());
        for _ in 0..3000 {
            let key = random.below(400) as u32;
            match random.below(8) {
                0..=3 => assert_eq!(ours.insert(key), std.insert(key)),
                4 | 5 => assert_eq!(ours.remove(&key), std.remove(&key)),
                6 => assert_eq!(ours.pop_first(), std.pop_first()),
                _ => {
                    assert_eq!(ours.contains(&key), std.contains(&key));
                    assert!(ours.range(key..).eq(std.range(key..)));
                    assert!(ours.range(..=key).rev().eq(std.range(..=key).rev()));
                    let below = std.range(..key).count();
                    assert_eq!(ours.rank(&key).unwrap_or_else(|n| n), below);
                    assert_eq!(ours.get_index(below), std.range(key..).next());
                    assert!(ours.range_by_rank(below..).eq(std.range(key..)));
                }
            }
            assert_eq!(
                (ours.len(), ours.first(), ours.last()),
                (std.len(), std.first(), std.last())
            );
        }
        assert_eq!(format!("{ours:?}"), format!("{std:?}"));
        ours.retain(|k| k % 2 == 0);
        std.retain(|k| k % 2 == 0);
        assert!(ours.is_subset(&ours.clone()) && ours == ours.clone());
        assert!(ours.into_iter().eq(std));
    });
}

#[test]
fn a_set_is_described_as_a_map_without_values() {
    assert_eq!(BTreeSet::<u8>::FINGERPRINT, BTreeMap::<u8, ()>::FINGERPRINT);
    assert_eq!(size_of::<BTreeSet<u8>>(), 32);
}
