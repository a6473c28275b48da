//! Entries of maps and trees that no code has types for: found and put in by the images of their keys.

use core::ptr;

use super::block::{Block, build};
use crate::collections::{btree_map, hash_map};
use crate::migrate::convert::Lost;
use crate::reflect::Reflect;
use crate::schema::{Kind, TypeDef, TypeIndex};

/// The value behind the key with this image, in the map or tree at `at`.
///
/// # Safety
/// As for [`restore`](super::restore()).
pub(super) unsafe fn find(
    reflect: &Reflect<'_>,
    map: TypeIndex,
    at: *mut u8,
    image: &[u8],
) -> Option<*mut u8> {
    let ty = reflect.def(map).args[0];
    // SAFETY: the caller's promise.
    unsafe {
        let key = Block::of(reflect, ty, image);
        let found = find_key(reflect, map, at, key.at);
        reflect.drop_value(ty, key.at);
        found
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
            let mut found = None;
            btree_map::erased::each(at, pair, &mut |k, v| {
                if found.is_none() && reflect.compare_keys(ty, k, key).is_eq() {
                    found = Some(v);
                }
            });
            return found;
        }
        let mut eq = |slot: *mut u8| reflect.compare_keys(ty, slot, key).is_eq();
        let hash = reflect.hash_of(ty, key, hash_map::erased::seed(at));
        let slot = hash_map::erased::find(at, hash, &mut eq);
        slot.map(|slot| slot.add(pair.value_at()))
    }
}

/// Puts an entry back whose key has this image. False when the key is there: the live one wins.
///
/// # Safety
/// As for [`restore`](super::restore()), with a map or tree at `at`.
pub(super) unsafe fn insert(
    reflect: &Reflect<'_>,
    map: TypeIndex,
    at: *mut u8,
    image: &[u8],
    lost: &Lost,
) -> bool {
    let def = reflect.def(map);
    let ty = def.args[0];
    // SAFETY: the caller's promise.
    unsafe {
        let key = Block::of(reflect, ty, image);
        if find_key(reflect, map, at, key.at).is_some() {
            reflect.drop_value(ty, key.at);
            return false;
        }
        match def.kind {
            Kind::BTreeMap => insert_into_tree(reflect, def, at, key.at, lost),
            _ => insert_into_map(reflect, def, at, key.at, lost),
        }
    }
    true
}

/// # Safety
/// As for [`insert`]; the key moves in, and is not in the map yet.
unsafe fn insert_into_map(
    reflect: &Reflect<'_>,
    def: &TypeDef,
    at: *mut u8,
    key: *mut u8,
    lost: &Lost,
) {
    let (ty, pair) = (def.args[0], reflect.pair(def));
    // SAFETY: the caller's promise; the slot is written whole.
    unsafe {
        hash_map::erased::prepare(at);
        let seed = hash_map::erased::seed(at);
        let hash_of = |key| reflect.hash_of(ty, key, seed);
        let slot = hash_map::erased::insert(at, pair, hash_of(key), hash_of);
        ptr::copy_nonoverlapping(key, slot, pair.key.size());
        build(reflect, lost.ty, slot.add(pair.value_at()), &lost.image);
    }
}

/// # Safety
/// As for [`insert_into_map`], with a tree.
unsafe fn insert_into_tree(
    reflect: &Reflect<'_>,
    def: &TypeDef,
    at: *mut u8,
    key: *mut u8,
    lost: &Lost,
) {
    let (ty, pair) = (def.args[0], reflect.pair(def));
    // SAFETY: the caller's promise; entries move bit by bit, then the old nodes go.
    unsafe {
        let value = Block::of(reflect, lost.ty, &lost.image);
        let mut entries = Vec::new();
        btree_map::erased::each(at, pair, &mut |k, v| entries.push((k, v)));
        let place = entries.partition_point(|&(k, _)| reflect.compare_keys(ty, k, key).is_lt());
        entries.insert(place, (key, value.at));
        let mut header = [0_u64; 4];
        let new = header.as_mut_ptr().cast::<u8>();
        let mut tree = btree_map::erased::Builder::new(new, pair, entries.len());
        for (k, v) in entries {
            let (key_place, value_place) = tree.next();
            ptr::copy_nonoverlapping(k, key_place, pair.key.size());
            ptr::copy_nonoverlapping(v, value_place, pair.value.size());
        }
        tree.finish();
        btree_map::erased::free(at, pair);
        ptr::copy_nonoverlapping(new, at, size_of_val(&header));
    }
}
