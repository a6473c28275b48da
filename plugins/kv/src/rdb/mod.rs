//! One value as Redis writes it into its dump files: the payload of DUMP and RESTORE.
//!
//! Layout: a byte that says what it is, the value, two bytes with the version of the format
//! (little-endian), eight bytes of CRC-64 over all of that. What we write is of the plainest form, which
//! every Redis since 4.0 reads, streams as Redis 7.0; what we read is what any Redis up to 7.0 writes.

mod crc64;
mod listpack;
mod lzf;
mod packed;
mod read;
#[cfg(feature = "streams")]
mod stream;
mod write;
mod ziplist;

use crate::level::{Level, v};
use crate::settings::Limits;
use crate::value::Value;

/// What a payload holds; the numbers are Redis'.
mod kind {
    pub const STRING: u8 = 0;
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    pub const ZSET: u8 = 3;
    pub const HASH: u8 = 4;
    pub const ZSET_2: u8 = 5;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const ZSET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    pub const LIST_QUICKLIST: u8 = 14;
    #[cfg(feature = "streams")]
    pub const STREAM: u8 = 15;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    pub const LIST_QUICKLIST_2: u8 = 18;
    #[cfg(feature = "streams")]
    pub const STREAM_2: u8 = 19;
}

/// Marks in front of a length: a string in another form follows.
mod encoded {
    pub const INT8: u8 = 0;
    pub const INT16: u8 = 1;
    pub const INT32: u8 = 2;
    pub const LZF: u8 = 3;
}

/// Bytes of version and checksum.
const FOOT: usize = 10;

/// The version of the format that a Redis of a level writes, and the newest that it reads.
fn version(level: Level) -> u16 {
    match level {
        level if level >= v(7, 0) => 10,
        level if level >= v(5, 0) => 9,
        _ => 8,
    }
}

/// A value as payload.
pub fn dump(value: &Value, level: Level) -> Vec<u8> {
    with_foot(write::value(value), level)
}

/// Bytes of a value in a payload, the one for its kind included. O(its size).
pub fn length(value: &Value) -> usize {
    write::value(value).len()
}

/// A payload that holds nothing: what a dump of no functions is.
pub fn nothing(level: Level) -> Vec<u8> {
    with_foot(Vec::new(), level)
}

/// Whether a payload that [`is_sound`] holds nothing.
pub fn is_nothing(payload: &[u8]) -> bool {
    payload.len() == FOOT
}

fn with_foot(mut bytes: Vec<u8>, level: Level) -> Vec<u8> {
    bytes.extend_from_slice(&version(level).to_le_bytes());
    let sum = crc64::of(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// Whether version and checksum of a payload are right.
pub fn is_sound(payload: &[u8], level: Level) -> bool {
    let Some((body, sum)) = payload.split_last_chunk::<8>() else { return false };
    let Some(format) = body.last_chunk::<2>() else { return false };
    u16::from_le_bytes(*format) <= version(level)
        && (*sum == [0; 8] || u64::from_le_bytes(*sum) == crc64::of(body))
}

/// The value of a payload that [`is_sound`]; `None` when it makes no sense, or is of a kind that there is
/// not here.
pub fn restore(payload: &[u8], limits: Limits) -> Option<Value> {
    read::value(payload.get(..payload.len().checked_sub(FOOT)?)?, limits)
}
