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

impl<K: Key> Map<K> for HashMap<K, u64> {
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
    fn or_insert(&mut self, key: K, value: u64) -> &mut u64 {
        self.entry(key).or_insert(value)
    }
    #[inline(always)]
    fn remove(&mut self, key: &K) -> Option<u64> {
        self.remove(key)
    }
    #[inline(always)]
    fn sum(&self) -> u64 {
        self.values().fold(0, |sum, value| sum + value)
    }
}

impl<K: Key> Map<K> for Still<'_, K, u64> {
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
    fn or_insert(&mut self, key: K, value: u64) -> &mut u64 {
        self.or_insert(key, value)
    }
    #[inline(always)]
    fn remove(&mut self, key: &K) -> Option<u64> {
        self.remove(key)
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

/// Does so many operations, going round the keys.
pub fn run<K: Key>(operation: Operation, map: &mut impl Map<K>, keys: &[K], count: usize) {
    let sum = match operation {
        Operation::GetHit | Operation::GetMiss => get(map, keys, count),
        Operation::GetMut => get_mut(map, keys, count),
        Operation::Insert | Operation::Replace => insert(map, keys, count),
        Operation::Entry => entry(map, keys, count),
        Operation::Remove => remove(map, keys, count),
        Operation::Iterate => iterate(map, count / keys.len()),
    };
    black_box(sum);
}

fn round<K>(keys: &[K], count: usize) -> impl Iterator<Item = &K> {
    keys.iter().cycle().take(count).map(black_box)
}

#[inline(never)]
fn get<K>(map: &impl Map<K>, keys: &[K], count: usize) -> u64 {
    round(keys, count).map(|key| map.get(key).copied().unwrap_or(1)).sum()
}

#[inline(never)]
fn get_mut<K>(map: &mut impl Map<K>, keys: &[K], count: usize) -> u64 {
    let mut found = 0;
    for key in round(keys, count) {
        if let Some(value) = map.get_mut(key) {
            *value += 1;
            found += 1;
        }
    }
    found
}

#[inline(never)]
fn insert<K: Copy>(map: &mut impl Map<K>, keys: &[K], count: usize) -> u64 {
    round(keys, count).filter_map(|key| map.insert(*key, 1)).sum()
}

#[inline(never)]
fn entry<K: Copy>(map: &mut impl Map<K>, keys: &[K], count: usize) -> u64 {
    round(keys, count).for_each(|key| *map.or_insert(*key, 0) += 1);
    0
}

#[inline(never)]
fn remove<K>(map: &mut impl Map<K>, keys: &[K], count: usize) -> u64 {
    round(keys, count).filter_map(|key| map.remove(key)).sum()
}

#[inline(never)]
fn iterate<K>(map: &impl Map<K>, walks: usize) -> u64 {
    (0..walks).map(|_| black_box(map).sum()).sum()
}
