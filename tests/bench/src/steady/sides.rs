//! The sides that are compared, and the loops that drive them.

use std::hint::black_box;

use hotshell_plugin_api::collections::HashMap;
use hotshell_plugin_api::collections::hash_map::Still;

use super::Operation;
use crate::collections::key::Key;

/// A map, as far as it is measured.
pub trait Map<K> {
    fn get(&self, key: &K) -> Option<&u64>;
    fn get_mut(&mut self, key: &K) -> Option<&mut u64>;
    fn insert(&mut self, key: K, value: u64) -> Option<u64>;
    fn or_insert(&mut self, key: K, value: u64) -> &mut u64;
    fn remove(&mut self, key: &K) -> Option<u64>;
    fn sum(&self) -> u64;
}

/// The methods that both maps have by the same names.
macro_rules! of_the_map {
    () => {
        #[inline(always)]
        fn get(&self, key: &K) -> Option<&u64> {
            self.get(key)
        }
        #[inline(always)]
        fn get_mut(&mut self, key: &K) -> Option<&mut u64> {
            self.get_mut(key)
        }
        #[inline(always)]
        fn insert(&mut self, key: K, value: u64) -> Option<u64> {
            self.insert(key, value)
        }
        #[inline(always)]
        fn remove(&mut self, key: &K) -> Option<u64> {
            self.remove(key)
        }
    };
}

impl<K: Key> Map<K> for HashMap<K, u64> {
    of_the_map!();
    #[inline(always)]
    fn or_insert(&mut self, key: K, value: u64) -> &mut u64 {
        self.entry(key).or_insert(value)
    }
    #[inline(always)]
    fn sum(&self) -> u64 {
        self.values().sum()
    }
}

impl<K: Key> Map<K> for Still<K, u64> {
    of_the_map!();
    #[inline(always)]
    fn or_insert(&mut self, key: K, value: u64) -> &mut u64 {
        self.or_insert(key, value)
    }
    #[inline(always)]
    fn sum(&self) -> u64 {
        self.fold_values(0, |sum, value| sum + value)
    }
}

/// No map: what the loops cost by themselves.
#[derive(Debug)]
pub struct Loop(pub u64);

impl<K> Map<K> for Loop {
    #[inline(always)]
    fn get(&self, _: &K) -> Option<&u64> {
        Some(&self.0)
    }
    #[inline(always)]
    fn get_mut(&mut self, _: &K) -> Option<&mut u64> {
        Some(&mut self.0)
    }
    #[inline(always)]
    fn insert(&mut self, _: K, value: u64) -> Option<u64> {
        Some(value)
    }
    #[inline(always)]
    fn or_insert(&mut self, _: K, _: u64) -> &mut u64 {
        &mut self.0
    }
    #[inline(always)]
    fn remove(&mut self, _: &K) -> Option<u64> {
        Some(self.0)
    }
    #[inline(always)]
    fn sum(&self) -> u64 {
        self.0
    }
}

/// Does so many operations, going round the keys. Each is a call: what a map pays at one place where it is
/// asked, and not what a loop around it saves.
pub fn run<K: Key>(operation: Operation, map: &mut impl Map<K>, keys: &[K], count: usize) {
    let keys_round = keys.iter().cycle().take(count);
    match operation {
        Operation::GetHit | Operation::GetMiss => {
            keys_round.for_each(|key| _ = black_box(get(map, black_box(key))));
        }
        Operation::GetMut => keys_round.for_each(|key| _ = black_box(get_mut(map, black_box(key)))),
        Operation::Insert | Operation::Replace => {
            keys_round.for_each(|key| _ = black_box(insert(map, *black_box(key))));
        }
        Operation::Entry => keys_round.for_each(|key| _ = black_box(entry(map, *black_box(key)))),
        Operation::Remove => keys_round.for_each(|key| _ = black_box(remove(map, black_box(key)))),
        Operation::Iterate => (0..count / keys.len()).for_each(|_| _ = black_box(sum(map))),
    }
}

#[inline(never)]
fn get<'m, K>(map: &'m impl Map<K>, key: &K) -> Option<&'m u64> {
    map.get(key)
}

#[inline(never)]
fn get_mut<'m, K>(map: &'m mut impl Map<K>, key: &K) -> Option<&'m mut u64> {
    map.get_mut(key)
}

#[inline(never)]
fn insert<K>(map: &mut impl Map<K>, key: K) -> Option<u64> {
    map.insert(key, 1)
}

#[inline(never)]
fn entry<K>(map: &mut impl Map<K>, key: K) -> &mut u64 {
    map.or_insert(key, 1)
}

#[inline(never)]
fn remove<K>(map: &mut impl Map<K>, key: &K) -> Option<u64> {
    map.remove(key)
}

#[inline(never)]
fn sum<K>(map: &impl Map<K>) -> u64 {
    black_box(map).sum()
}
