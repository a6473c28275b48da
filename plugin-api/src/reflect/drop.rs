//! Freeing a value by its schema.

use core::ptr::{self, NonNull};

use super::Reflect;
use crate::collections::{Bytes, btree_map, hash_map, vec, vec_deque};
use crate::heap;
use crate::schema::{Kind, TypeDef, TypeIndex};

impl Reflect<'_> {
    /// Frees everything that the value at `at` owns. The place itself is the caller's. O(size of the
    /// value), O(1) where the type owns no memory.
    ///
    /// # Safety
    /// As for [`Reflect::each_part`]; the value is not used afterwards.
    pub unsafe fn drop_value(&self, ty: TypeIndex, at: *mut u8) {
        if !self.owns_memory(ty) {
            return;
        }
        let def = self.def(ty);
        // SAFETY: the caller's promise. Parts go first, then the memory they lie in.
        unsafe {
            if matches!(def.kind, Kind::Bytes | Kind::String) {
                // A `String` is a `Bytes` and nothing else.
                return ptr::drop_in_place(at.cast::<Bytes>());
            }
            if inside_owns(self, def) {
                self.each_part(ty, at, |part, at| self.drop_value(part, at));
            }
            match def.kind {
                Kind::Box => {
                    let block = NonNull::new_unchecked(at.cast::<*mut u8>().read());
                    heap::free(block, self.layout(def.args[0]));
                }
                Kind::Vec => vec::erased::free(at, self.layout(def.args[0])),
                Kind::VecDeque => vec_deque::erased::free(at, self.layout(def.args[0])),
                Kind::HashMap | Kind::HashSet => hash_map::erased::free(at, self.pair(def)),
                Kind::BTreeMap => btree_map::erased::free(at, self.pair(def)),
                _ => {}
            }
        }
    }
}

/// Whether anything directly inside owns memory: a vector of numbers needs no walk.
fn inside_owns(reflect: &Reflect<'_>, def: &TypeDef) -> bool {
    super::inside(def).any(|ty| reflect.owns_memory(ty))
}
