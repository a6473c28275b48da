//! The image of a state in parts: the outline, which is small, and the entries of its large maps and trees,
//! which may follow one by one, in any order, while the state is used.
//!
//! Maps and trees may have in the outline only their length, and hash maps their seed. These are numbered in
//! the order in which they are written. An entry is the number of its map, as a varint, its key, and the
//! outline of its value: so a map within an entry may follow later in its turn, and has the next number.
//!
//! An outline is an image as `write.rs` has it, but for the length of a map or tree, which is doubled, plus
//! one where the entries follow.

mod rebuild;

use super::write::{Sink, put_count};
use super::{Reflect, variant_at};
use crate::collections::{btree_map, hash_map, vec, vec_deque};
use crate::schema::{Kind, TypeIndex};

pub use rebuild::Rebuilding;

/// A map whose entries may be left out of the outline. It has some.
#[derive(Debug, Clone, Copy)]
pub struct Left {
    /// Its type.
    pub ty: TypeIndex,
    /// Where it is.
    pub at: *mut u8,
}

/// Says of a map whether its entries are left out; if so they have the next number.
pub type Leave<'l> = dyn FnMut(Left) -> bool + 'l;

impl Reflect<'_> {
    /// Writes the outline of a value. O(size of what is not left out).
    ///
    /// # Safety
    /// As for [`Reflect::each_part`].
    pub unsafe fn write_outline(
        &self,
        ty: TypeIndex,
        at: *mut u8,
        sink: &mut dyn Sink,
        leave: &mut Leave<'_>,
    ) {
        let def = self.def(ty);
        // SAFETY: the caller's promise.
        unsafe {
            if !self.holds_maps(ty) {
                return self.write(ty, at, sink);
            }
            match def.kind {
                Kind::HashMap | Kind::HashSet => {
                    let len = hash_map::erased::len(at);
                    let later = len > 0 && leave(Left { ty, at });
                    put_count(sink, len << 1 | usize::from(later));
                    self.write_seed(at, sink);
                    if later {
                        return;
                    }
                }
                Kind::BTreeMap => {
                    let len = btree_map::erased::len(at);
                    let later = len > 0 && leave(Left { ty, at });
                    self.write_tree_head(at, len << 1 | usize::from(later), sink);
                    if later {
                        return;
                    }
                }
                Kind::Enum => sink.put(&[variant_at(def, at).map_or(0, |variant| variant.tag)]),
                Kind::Option => sink.put(&[u8::from(at.read() == 1)]),
                Kind::Vec => put_count(sink, vec::erased::content(at).1),
                Kind::VecDeque => put_count(sink, vec_deque::erased::len(at)),
                // Structs, arrays and boxes are their parts; others hold no maps.
                _ => {}
            }
            self.each_part(ty, at, |part, at| self.write_outline(part, at, sink, leave));
        }
    }

    /// Writes an entry of the map with this number and type: its key, and its value, if there is one.
    ///
    /// # Safety
    /// Key and value are where an entry of that map has them.
    pub unsafe fn write_entry(
        &self,
        number: usize,
        (ty, key, value): (TypeIndex, *mut u8, *mut u8),
        sink: &mut dyn Sink,
        leave: &mut Leave<'_>,
    ) {
        let def = self.def(ty);
        put_count(sink, number);
        // SAFETY: the caller's promise.
        unsafe {
            self.write(def.args[0], key, sink);
            if let Some(ty) = Self::value_type(def) {
                self.write_outline(ty, value, sink, leave);
            }
        }
    }
}
