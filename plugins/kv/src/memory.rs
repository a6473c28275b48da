//! Bytes that keys take: MEMORY USAGE. An estimate from sizes and capacities, as in Redis, which does not
//! ask its allocator either.

use hotshell_plugin_api::collections::{Bytes, HashMap};
use hotshell_plugin_api::state::StateType;

use crate::value::Value;

/// Control bytes of a map, per slot.
const CONTROL: usize = 1;
/// What a tree takes per entry beside it, about.
const TREE: usize = 4;

/// Bytes of a key's entry in the keyspace: its slot, its name and its value. Of large collections `samples`
/// elements are measured and taken for all; 0: all. O(samples).
pub fn usage(key: &Bytes, value: &Value, samples: usize) -> usize {
    size_of::<Bytes>() + size_of::<Value>() + CONTROL + block(key) + below(value, samples)
}

/// The block of a string that is not kept in its handle.
fn block(bytes: &Bytes) -> usize {
    if bytes.capacity() <= Bytes::new().capacity() { 0 } else { bytes.capacity() }
}

/// Bytes below a value.
fn below(value: &Value, samples: usize) -> usize {
    match value {
        Value::Int(..) => 0,
        Value::Str(_, bytes)
        | Value::ListPack(_, bytes)
        | Value::HashPack(_, bytes)
        | Value::IntSet(_, bytes)
        | Value::SetPack(_, bytes)
        | Value::ZsetPack(_, bytes) => block(bytes),
        Value::List(_, list) => {
            let blocks = list.blocks().map(|chunk| size_of::<Bytes>() + block(chunk));
            sampled(list.chunks(), samples, blocks)
        }
        Value::HashMap(_, map) => {
            let slot = 2 * size_of::<Bytes>() + CONTROL;
            let blocks = map.iter().map(|(field, value)| block(field) + block(value));
            map.capacity() * slot + sampled(map.len(), samples, blocks)
        }
        Value::SetMap(_, set) => {
            let slot = size_of::<Bytes>() + CONTROL;
            set.capacity() * slot + sampled(set.len(), samples, set.iter().map(block))
        }
        Value::Zset(_, ranking) => {
            let scores = ranking.scores();
            let slot = size_of::<Bytes>() + size_of::<f64>();
            let slots = scores.capacity() * (slot + CONTROL) + scores.len() * (slot + TREE);
            // A member is in both.
            slots + 2 * sampled(scores.len(), samples, scores.keys().map(block))
        }
        #[cfg(feature = "streams")]
        Value::Stream(_, stream) => stream.bytes(),
    }
}

/// The sum of some sizes, as if all were like them.
fn sampled(len: usize, samples: usize, sizes: impl Iterator<Item = usize>) -> usize {
    let samples = if samples == 0 { len } else { samples.min(len) };
    let sum = sizes.take(samples).sum::<usize>() * len;
    sum.checked_div(samples).unwrap_or(0)
}

/// Bytes of the slots of a map by key, whatever hangs below them.
pub fn table_bytes<V: StateType>(map: &HashMap<Bytes, V>) -> usize {
    map.capacity() * (size_of::<Bytes>() + size_of::<V>() + CONTROL)
}
