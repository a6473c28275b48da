//! The hash of a key by its schema: what `StateKey::hash_into` feeds, kind by kind.

use core::slice;

use super::{Reflect, variant_at};
use crate::collections::Bytes;
use crate::collections::hash::KeyHasher;
use crate::schema::{Kind, TypeIndex};

impl Reflect<'_> {
    /// The hash of the key at `at` in a map with this seed.
    ///
    /// # Safety
    /// As for [`Reflect::each_part`]; the type is a key's.
    pub(crate) unsafe fn hash_of(&self, ty: TypeIndex, at: *mut u8, seed: [u64; 2]) -> u64 {
        let mut hasher = KeyHasher::new(seed);
        // SAFETY: the caller's promise.
        unsafe { self.hash_key(ty, at, &mut hasher) };
        hasher.finish()
    }

    /// Feeds the canonical encoding of the key at `at` into `hasher`.
    ///
    /// # Safety
    /// As for [`Reflect::each_part`]; the type is a key's.
    unsafe fn hash_key(&self, ty: TypeIndex, at: *mut u8, hasher: &mut KeyHasher) {
        let def = self.def(ty);
        // SAFETY: the caller's promise.
        unsafe {
            match def.kind {
                Kind::Bytes | Kind::String => {
                    return hasher.write_bytes(&*at.cast::<Bytes>());
                }
                Kind::Bool | Kind::Unsigned | Kind::Signed => {
                    return write_number(at, def.size, def.kind == Kind::Signed, hasher);
                }
                Kind::Array if self.is_byte(def.args[0]) => {
                    return hasher.write_bytes(slice::from_raw_parts(at, def.count as usize));
                }
                Kind::Option => hasher.write_u64(u64::from(at.read() == 1)),
                Kind::Enum => {
                    let tag = variant_at(def, at).map_or(0, |variant| variant.tag);
                    hasher.write_u64(u64::from(tag));
                }
                _ => {}
            }
            self.each_part(ty, at, |part, at| self.hash_key(part, at, hasher));
        }
    }

    fn is_byte(&self, ty: TypeIndex) -> bool {
        let def = self.def(ty);
        def.kind == Kind::Unsigned && def.size == 1
    }
}

/// An integer as its key encoding has it: extended to 64 bits by its sign; of 128 bits both halves.
///
/// # Safety
/// An integer of `size` bytes lies at `at`.
unsafe fn write_number(at: *mut u8, size: u32, signed: bool, hasher: &mut KeyHasher) {
    // SAFETY: the caller's promise.
    let word = unsafe {
        match (size, signed) {
            (1, false) => u64::from(at.read()),
            (1, true) => at.cast::<i8>().read() as u64,
            (2, false) => u64::from(at.cast::<u16>().read()),
            (2, true) => at.cast::<i16>().read() as u64,
            (4, false) => u64::from(at.cast::<u32>().read()),
            (4, true) => at.cast::<i32>().read() as u64,
            _ => at.cast::<u64>().read(),
        }
    };
    hasher.write_u64(word);
    if size == 16 {
        // SAFETY: the upper half of a little-endian integer of 128 bits.
        hasher.write_u64(unsafe { at.cast::<u64>().add(1).read() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collections::{Box, Bytes, Option, String};
    use crate::schema::Schema;
    use crate::state;
    use crate::state::StateKey;

    #[state(key)]
    #[derive(Debug, Clone)]
    struct Place {
        floor: i16,
        rooms: [u32; 3],
        name: String,
        door: Door,
    }

    #[state(key)]
    #[derive(Debug, Clone)]
    enum Door {
        #[state(default)]
        Open,
        Closed {
            since: i64,
            by: Bytes,
        },
        Painted(u8, bool),
    }

    fn agrees<K: StateKey>(mut key: K) {
        let schema = Schema::of::<K, ()>();
        let reflect = Reflect::new(&schema);
        let seed = [0x1234_5678_9abc_def0, 42];
        let (mut typed, mut erased) = (KeyHasher::new(seed), KeyHasher::new(seed));
        key.hash_into(&mut typed);
        // SAFETY: the key is a value of its own schema's root.
        unsafe { reflect.hash_key(schema.root, (&raw mut key).cast(), &mut erased) };
        assert_eq!(typed.finish(), erased.finish(), "{}", schema.type_name(schema.root));
    }

    /// A map is searched by typed code and drained by its schema: both must look in the same place.
    #[test]
    fn the_hash_by_schema_is_the_one_that_typed_code_has() {
        agrees(true);
        agrees(200_u8);
        agrees(-3_i8);
        agrees(60_000_u16);
        agrees(-1_i16);
        agrees(7_u32);
        agrees(-7_i32);
        agrees(u64::MAX);
        agrees(i64::MIN);
        agrees(u128::MAX - 5);
        agrees(-(1_i128 << 100));
        let long = "more than fifteen bytes, on the heap";
        for text in ["", "a", "four", "eight by", "fifteen bytes..", long] {
            agrees(String::from(text));
            agrees(Bytes::from(text));
        }
        agrees([1_u16, 2, 3]);
        agrees([7_u8; 16]);
        agrees([[1_u8, 2], [3, 4]]);
        agrees([-1_i8, 1]);
        agrees([true, false]);
        agrees([String::from("x"), String::from("y")]);
        agrees(Option::Some(5_u32));
        agrees(Option::<u32>::None);
        agrees(Box::new(String::from("in a box")));
        let closed = Door::Closed { since: -9, by: Bytes::from("somebody with a long name") };
        for door in [Door::Open, closed, Door::Painted(3, true)] {
            agrees(door.clone());
            agrees(Place { floor: -2, rooms: [1, 2, 3], name: "hall".into(), door });
        }
    }
}
