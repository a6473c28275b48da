//! Order and equality of keys by their schema: what `StateKey::key_cmp` answers, kind by kind.

use core::cmp::Ordering;

use super::Reflect;
use crate::collections::Bytes;
use crate::schema::{Kind, TypeIndex};

impl Reflect<'_> {
    /// The order of two keys of the same type.
    ///
    /// # Safety
    /// As for [`Reflect::each_part`], for both; the type is a key's.
    pub(crate) unsafe fn compare_keys(&self, ty: TypeIndex, a: *mut u8, b: *mut u8) -> Ordering {
        let def = self.def(ty);
        // SAFETY: the caller's promise.
        unsafe {
            match def.kind {
                Kind::Bytes | Kind::String => {
                    return (**a.cast::<Bytes>()).cmp(&**b.cast::<Bytes>());
                }
                Kind::Bool | Kind::Unsigned | Kind::Signed => {
                    let signed = def.kind == Kind::Signed;
                    return compare_numbers(def.size, signed, a, b);
                }
                Kind::Enum | Kind::Option => {
                    let tags = a.read().cmp(&b.read());
                    if tags.is_ne() {
                        return tags;
                    }
                }
                _ => {}
            }
            // Of one type, and one variant, the parts of both are the same.
            let (mut left, mut right) = (Vec::new(), Vec::new());
            self.each_part(ty, a, |part, at| left.push((part, at)));
            self.each_part(ty, b, |_, at| right.push(at));
            let parts = left.into_iter().zip(right);
            let mut orders = parts.map(|((part, a), b)| self.compare_keys(part, a, b));
            orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        }
    }
}

/// # Safety
/// Both are integers of `size` bytes.
unsafe fn compare_numbers(size: u32, signed: bool, a: *mut u8, b: *mut u8) -> Ordering {
    /// # Safety
    /// Both are `T`s.
    unsafe fn compare<T: Ord + Copy>(a: *mut u8, b: *mut u8) -> Ordering {
        // SAFETY: the caller's promise.
        unsafe { a.cast::<T>().read().cmp(&b.cast::<T>().read()) }
    }
    // SAFETY: the caller's promise about the size.
    unsafe {
        match (size, signed) {
            (1, false) => compare::<u8>(a, b),
            (2, false) => compare::<u16>(a, b),
            (4, false) => compare::<u32>(a, b),
            (8, false) => compare::<u64>(a, b),
            (_, false) => compare::<u128>(a, b),
            (1, true) => compare::<i8>(a, b),
            (2, true) => compare::<i16>(a, b),
            (4, true) => compare::<i32>(a, b),
            (8, true) => compare::<i64>(a, b),
            (_, true) => compare::<i128>(a, b),
        }
    }
}
