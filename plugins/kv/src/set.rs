//! Sets: an [`intset`], a [`pack`] while small, then a table. Values of other types count as empty here.

use hotshell_plugin_api::collections::{Box, Bytes, HashSet};

use crate::element::Element;
use crate::intset::{self, IntSet};
use crate::number::{Decimal, parse_i64};
use crate::pack::{self, Pack};
use crate::settings::Limits;
use crate::value::Value;

/// Members of a small set, at most.
const ENTRIES: usize = 128;
/// Bytes of a member of a small set, at most.
const LENGTH: usize = 64;

/// Whether it is a member. O(1); O(log n) in an intset, O(n) in a small set.
pub fn contains(set: &Value, member: &[u8]) -> bool {
    match set {
        Value::IntSet(_, ints) => parse_i64(member).is_some_and(|n| IntSet::of(ints).contains(n)),
        Value::SetPack(_, bytes) => Pack::of(bytes).find(member, 1).is_some(),
        Value::SetMap(_, map) => map.contains(member),
        _ => false,
    }
}

/// [`contains`] for a member of another set.
pub fn has(set: &Value, member: Element<'_>) -> bool {
    match (set, member) {
        (Value::IntSet(_, ints), Element::Int(n)) => IntSet::of(ints).contains(n),
        _ => contains(set, member.text(&mut Decimal::new())),
    }
}

/// [`insert`] for a member of another set.
pub fn add(set: &mut Value, member: Element<'_>, limits: Limits) -> bool {
    insert(set, member.text(&mut Decimal::new()), limits)
}

/// Adds a member; false when it was there already.
pub fn insert(set: &mut Value, member: &[u8], limits: Limits) -> bool {
    if let Value::IntSet(_, ints) = set {
        if let Some(n) = parse_i64(member) {
            let new = intset::insert(ints, n);
            if IntSet::of(ints).len() as u64 > limits.intset_entries {
                to_table(set);
            }
            return new;
        }
        to_pack(set);
    }
    match set {
        Value::SetPack(_, bytes) => {
            let pack = Pack::of(bytes);
            if pack.find(member, 1).is_some() {
                return false;
            }
            if pack.len() < ENTRIES && member.len() <= LENGTH {
                pack::append(bytes, &[member]);
                return true;
            }
            to_table(set);
            insert(set, member, limits)
        }
        Value::SetMap(_, map) => !map.contains(member) && map.insert(Bytes::from(member)),
        _ => false,
    }
}

/// Makes a small set of an intset, or a table if it is too large for that.
fn to_pack(set: &mut Value) {
    let Value::IntSet(head, ints) = set else { return };
    if IntSet::of(ints).len() >= ENTRIES {
        return to_table(set);
    }
    let mut bytes = Bytes::with_capacity(ints.len() + 8);
    let mut room = Decimal::new();
    for n in IntSet::of(ints).iter() {
        pack::append(&mut bytes, &[room.integer(n)]);
    }
    *set = Value::SetPack(*head, bytes);
}

fn to_table(set: &mut Value) {
    let mut map = HashSet::with_capacity(set.len() + 1);
    set.each(|(member, _)| {
        map.insert(member.to_bytes());
    });
    *set = Value::SetMap(*set.head(), Box::new(map));
}

/// Removes a member; false when it was not there.
pub fn remove(set: &mut Value, member: &[u8]) -> bool {
    match set {
        Value::IntSet(_, ints) => parse_i64(member).is_some_and(|n| intset::remove(ints, n)),
        Value::SetPack(_, bytes) => {
            let Some(place) = Pack::of(bytes).find(member, 1) else { return false };
            pack::splice(bytes, place, 1, &[]);
            true
        }
        Value::SetMap(_, map) => map.remove(member),
        _ => false,
    }
}
