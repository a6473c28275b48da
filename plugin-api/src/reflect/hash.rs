//! The hash of a key by its schema: what `StateKey::hash_into` feeds, kind by kind.

use super::{Reflect, variant_at};
use crate::collections::Bytes;
use crate::collections::hash::KeyHasher;
use crate::schema::{Kind, TypeIndex};

impl Reflect<'_> {
    /// Feeds the canonical encoding of the key at `at` into `hasher`.
    ///
    /// # Safety
    /// As for [`Reflect::each_part`]; the type is a key's.
    pub(crate) unsafe fn hash_key(&self, ty: TypeIndex, at: *mut u8, hasher: &mut KeyHasher) {
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
