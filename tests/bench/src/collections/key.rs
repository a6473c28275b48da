//! Keys to measure with, and the order to ask for them in.

use std::cmp::Ordering;
use std::hash::Hash;

use hotshell_plugin_api::collections::hash::KeyHasher;
use hotshell_plugin_api::schema::{Kind, SchemaBuilder, TypeDef, mix};
use hotshell_plugin_api::state::{StateKey, StateType};

use crate::random::{self, Random};

/// Sixteen bytes, hashed as one string, as `Bytes` does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Text([u8; 16]);

// SAFETY: an array of bytes.
unsafe impl StateType for Text {
    const FINGERPRINT: u64 = mix(Kind::Array as u64, 16);
    fn describe(schema: &mut SchemaBuilder) -> TypeDef {
        <[u8; 16]>::describe(schema)
    }
}

// SAFETY: hash, equality and order are those of the bytes.
unsafe impl StateKey for Text {
    #[inline]
    fn hash_into(&self, hasher: &mut KeyHasher) {
        hasher.write_bytes(&self.0);
    }
    #[inline]
    fn key_eq(&self, other: &Self) -> bool {
        self == other
    }
    fn key_cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

/// A key that can be made from a number; different ones from different numbers.
pub trait Key: StateKey + Copy + Ord + Hash {
    /// The key of a number.
    fn of(n: u64) -> Self;
}

impl Key for u64 {
    fn of(n: u64) -> Self {
        random::mix(n)
    }
}

impl Key for Text {
    fn of(n: u64) -> Self {
        let mut text = *b"key:000000000000";
        // Odd factors are bijections on the low bits, of which twelve digits hold 48.
        let mut rest = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for digit in text[4..].iter_mut().rev() {
            *digit = b"0123456789abcdef"[(rest & 15) as usize];
            rest >>= 4;
        }
        Self(text)
    }
}

/// Keys in the order they are inserted, the same in another order, and as many that are not there.
pub struct Keys<K> {
    pub all: Vec<K>,
    pub shuffled: Vec<K>,
    pub absent: Vec<K>,
}

impl<K: Key> Keys<K> {
    /// So many.
    pub fn new(n: usize) -> Self {
        let all: Vec<K> = (0..n as u64).map(K::of).collect();
        let absent = (n as u64..2 * n as u64).map(K::of).collect();
        let mut shuffled = all.clone();
        Random::new(n as u64).shuffle(&mut shuffled);
        Self { all, shuffled, absent }
    }
}
