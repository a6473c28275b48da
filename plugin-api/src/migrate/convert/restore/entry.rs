//! Entries of maps and trees that no code has types for: found and put in by the images of their keys.

use core::ptr;

use super::block::{KeyBlock, build};
use crate::collections::{btree_map, hash_map};
use crate::migrate::convert::{Lost, Step};
use crate::reflect::Reflect;
use crate::schema::{Kind, TypeIndex};

/// The value behind the key with this image, in the map or tree at `at`.
///
/// # Safety
/// As for [`restore`](super::restore()).
pub(in crate::migrate::convert) unsafe fn find(
    reflect: &Reflect<'_>,
    map: TypeIndex,
    at: *mut u8,
    image: &[u8],
) -> Option<*mut u8> {
    let ty = reflect.def(map).args[0];
    // SAFETY: the caller's promise.
    unsafe {
        let key = KeyBlock::new(reflect, ty, image);
        find_key(reflect, map, at, key.at())
    }
}

/// The value behind a key in the map or tree at `at`.
///
/// # Safety
/// As for [`restore`](super::restore()); `key` is one of the map's.
unsafe fn find_key(
    reflect: &Reflect<'_>,
    map: TypeIndex,
    at: *mut u8,
    key: *mut u8,
) -> Option<*mut u8> {
    let def = reflect.def(map);
    let (ty, pair) = (def.args[0], reflect.pair(def));
    // SAFETY: the caller's promise.
    unsafe {
        if def.kind == Kind::BTreeMap {
            let mut compare = |of| reflect.compare_keys(ty, of, key);
            return btree_map::erased::find(at, pair, &mut compare);
        }
        let mut eq = |slot: *mut u8| reflect.compare_keys(ty, slot, key).is_eq();
        let hash = reflect.hash_of(ty, key, hash_map::erased::seed(at));
        let slot = hash_map::erased::find(at, hash, &mut eq);
        slot.map(|slot| slot.add(pair.value_at()))
    }
}

/// Puts an entry back whose key has this image into the hash map at `at`. False when the key is there: the
/// live one wins.
///
/// # Safety
/// As for [`restore`](super::restore()), with a hash map at `at`.
pub(super) unsafe fn insert(
    reflect: &Reflect<'_>,
    map: TypeIndex,
    at: *mut u8,
    image: &[u8],
    lost: &Lost,
) -> bool {
    let def = reflect.def(map);
    let (ty, pair) = (def.args[0], reflect.pair(def));
    // SAFETY: the caller's promise; the slot is written whole.
    unsafe {
        let key = KeyBlock::new(reflect, ty, image);
        if find_key(reflect, map, at, key.at()).is_some() {
            return false;
        }
        hash_map::erased::prepare(at);
        let seed = hash_map::erased::seed(at);
        let hash_of = |key| reflect.hash_of(ty, key, seed);
        let slot = hash_map::erased::insert(at, pair, hash_of(key.at()), hash_of);
        key.move_to(slot);
        build(reflect, lost.ty, slot.add(pair.value_at()), &lost.image);
    }
    true
}

/// Puts entries back into the tree at `at`, all at once, and answers those whose key is there. O(entries of
/// the tree), and O(log n) for each.
///
/// # Safety
/// As for [`restore`](super::restore()), with a tree at `at`; the last step of each part is its key.
pub(super) unsafe fn insert_all(
    reflect: &Reflect<'_>,
    map: TypeIndex,
    at: *mut u8,
    lost: Vec<Lost>,
) -> Vec<Lost> {
    let def = reflect.def(map);
    let (ty, pair) = (def.args[0], reflect.pair(def));
    let (mut left, mut coming) = (Vec::new(), Vec::<(KeyBlock<'_>, Lost)>::new());
    for lost in lost {
        let Some(Step::Key(image)) = lost.path.last() else {
            unreachable!("the last step is a key")
        };
        // SAFETY: the caller's promise.
        unsafe {
            let key = KeyBlock::new(reflect, ty, image);
            let compare = |of: &(KeyBlock<'_>, Lost)| reflect.compare_keys(ty, of.0.at(), key.at());
            match coming.binary_search_by(compare) {
                Err(place) if find_key(reflect, map, at, key.at()).is_none() => {
                    coming.insert(place, (key, lost));
                }
                _ => left.push(lost),
            }
        }
    }
    if coming.is_empty() {
        return left;
    }
    // SAFETY: the caller's promise; entries move bit by bit, then the old nodes go.
    unsafe {
        let mut present = Vec::new();
        btree_map::erased::each(at, pair, &mut |key, value| present.push((key, value)));
        let (number, len) = (btree_map::erased::number(at), present.len() + coming.len());
        let mut header = [0_u64; 4];
        let new = header.as_mut_ptr().cast::<u8>();
        let mut tree = btree_map::erased::Builder::new(new, pair, len, number);
        let mut present = present.into_iter().peekable();
        let keep = |tree: &mut btree_map::erased::Builder, (key, value): (*mut u8, *mut u8)| {
            let (key_place, value_place) = tree.next();
            ptr::copy_nonoverlapping(key, key_place, pair.key.size());
            ptr::copy_nonoverlapping(value, value_place, pair.value.size());
        };
        for (key, lost) in coming {
            let is_below =
                |of: &(*mut u8, *mut u8)| reflect.compare_keys(ty, of.0, key.at()).is_lt();
            while let Some(entry) = present.next_if(is_below) {
                keep(&mut tree, entry);
            }
            let (key_place, value_place) = tree.next();
            key.move_to(key_place);
            build(reflect, lost.ty, value_place, &lost.image);
        }
        present.for_each(|entry| keep(&mut tree, entry));
        tree.finish();
        btree_map::erased::free(at, pair);
        ptr::copy_nonoverlapping(new, at, size_of_val(&header));
    }
    left
}
