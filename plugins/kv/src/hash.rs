//! Hashes: a [`pack`] while small, then a map. Values of other types count as empty here.

use hotshell_plugin_api::collections::{Box, Bytes, HashMap};

use crate::pack::{self, Pack};
use crate::settings::Limits;
use crate::value::Value;

/// The value of a field. O(1); O(n) in a small hash.
pub fn get<'a>(hash: &'a Value, field: &[u8]) -> Option<&'a [u8]> {
    match hash {
        Value::HashPack(_, bytes) => {
            let pack = Pack::of(bytes);
            pack.at(pack.find(field, 2)?.end)
        }
        Value::HashMap(_, map) => map.get(field).map(|value| &value[..]),
        _ => None,
    }
}

/// Sets a field; true when it is new.
pub fn set(hash: &mut Value, field: &[u8], value: &[u8], limits: Limits) -> bool {
    make_room(hash, &[field, value], limits);
    match hash {
        Value::HashPack(_, bytes) => {
            let pack = Pack::of(bytes);
            if let Some(place) = pack.find(field, 2) {
                let end = pack.end_of(place.end);
                pack::splice(bytes, place.end..end, 1, &[value]);
                return false;
            }
            pack::append(bytes, &[field, value]);
            if Pack::of(bytes).len() / 2 > pack::most(limits.hash_entries) {
                unpack(hash);
            }
            true
        }
        Value::HashMap(_, map) => match map.get_mut(field) {
            Some(old) => {
                *old = Bytes::from(value);
                false
            }
            None => map.insert(Bytes::from(field), Bytes::from(value)).is_none(),
        },
        _ => false,
    }
}

/// Leaves the small form when one of these is too long for it.
pub fn make_room(hash: &mut Value, texts: &[&[u8]], limits: Limits) {
    let long = |text: &&[u8]| text.len() as u64 > limits.hash_value;
    if matches!(hash, Value::HashPack(..)) && texts.iter().any(long) {
        unpack(hash);
    }
}

fn unpack(hash: &mut Value) {
    let Value::HashPack(head, bytes) = hash else { return };
    let mut map = HashMap::with_capacity(Pack::of(bytes).len() / 2 + 1);
    for (field, value) in Pack::of(bytes).pairs() {
        map.insert(Bytes::from(field), Bytes::from(value));
    }
    *hash = Value::HashMap(*head, Box::new(map));
}

/// Removes a field; false when it was not there.
pub fn remove(hash: &mut Value, field: &[u8]) -> bool {
    match hash {
        Value::HashPack(_, bytes) => {
            let pack = Pack::of(bytes);
            let Some(place) = pack.find(field, 2) else { return false };
            let end = pack.end_of(place.end);
            pack::splice(bytes, place.start..end, 2, &[]);
            true
        }
        Value::HashMap(_, map) => map.remove(field).is_some(),
        _ => false,
    }
}
