//! The image of a value: what a snapshot holds.
//!
//! Format 1, little-endian, no padding. Numbers have their size in bytes; a count or length is a LEB128
//! varint. Struct: its fields in the schema's order. Enum and Option: the tag byte, then the fields of
//! that variant. Array: its elements. Box: its value. Bytes, String: length, content. Vec, VecDeque:
//! length, elements. BTreeMap: length, entries in order; one of which something is set aside has 2^56 added to
//! its length, and its number before the entries, 4 bytes. HashMap, HashSet: length; if there are entries
//! the 16 bytes of the seed, then the entries in the map's order, so that reading them back fills the
//! new table front to back.

use core::slice;

use super::{Reflect, variant_at};
use crate::collections::{Bytes, btree_map, hash_map, vec, vec_deque};
use crate::schema::{Kind, TypeDef, TypeIndex};

/// In the count of a tree: its number follows.
pub const NUMBERED: usize = 1 << 56;

/// Takes the bytes of an image.
pub trait Sink {
    /// Takes some more bytes. A sink that fails remembers that and takes no more.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Reflect<'_> {
    /// Writes the image of the value at `at`. O(size of the value).
    ///
    /// # Safety
    /// As for [`Reflect::each_part`].
    pub unsafe fn write(&self, ty: TypeIndex, at: *mut u8, sink: &mut dyn Sink) {
        let def = self.def(ty);
        // SAFETY: the caller's promise.
        unsafe {
            match def.kind {
                Kind::Unit => return,
                Kind::Bool | Kind::Unsigned | Kind::Signed | Kind::Float => {
                    return sink.put(slice::from_raw_parts(at, def.size as usize));
                }
                Kind::Bytes | Kind::String => {
                    let bytes = &*at.cast::<Bytes>();
                    put_count(sink, bytes.len());
                    return sink.put(bytes);
                }
                Kind::Enum => sink.put(&[variant_at(def, at).map_or(0, |variant| variant.tag)]),
                Kind::Option => sink.put(&[u8::from(at.read() == 1)]),
                Kind::Vec => {
                    let (items, len) = vec::erased::content(at);
                    put_count(sink, len);
                    if let Some(size) = self.number_size(def.args[0]) {
                        return sink.put(slice::from_raw_parts(items, len * size));
                    }
                }
                Kind::VecDeque => put_count(sink, vec_deque::erased::len(at)),
                Kind::BTreeMap => self.write_tree_head(at, btree_map::erased::len(at), sink),
                Kind::HashMap | Kind::HashSet => {
                    self.write_map_head(at, sink);
                }
                Kind::Struct | Kind::Array | Kind::Box => {}
            }
            self.each_part(ty, at, |part, at| self.write(part, at, sink));
        }
    }

    /// Writes what comes before the entries of a hash map.
    ///
    /// # Safety
    /// `at` is a hash map.
    unsafe fn write_map_head(&self, at: *mut u8, sink: &mut dyn Sink) {
        // SAFETY: the caller's promise.
        unsafe {
            put_count(sink, hash_map::erased::len(at));
            self.write_seed(at, sink);
        }
    }

    /// Writes what comes before the entries of a tree: a count, and its number, if it has one.
    ///
    /// # Safety
    /// `at` is a tree.
    pub(super) unsafe fn write_tree_head(&self, at: *mut u8, count: usize, sink: &mut dyn Sink) {
        // SAFETY: the caller's promise.
        match unsafe { btree_map::erased::number(at) } {
            0 => put_count(sink, count),
            number => {
                put_count(sink, count | NUMBERED);
                sink.put(&number.to_le_bytes());
            }
        }
    }

    /// Writes the seed of a hash map, if there are entries.
    ///
    /// # Safety
    /// `at` is a hash map.
    pub(super) unsafe fn write_seed(&self, at: *mut u8, sink: &mut dyn Sink) {
        // SAFETY: the caller's promise.
        unsafe {
            if hash_map::erased::len(at) > 0 {
                let [a, b] = hash_map::erased::seed(at);
                sink.put(&a.to_le_bytes());
                sink.put(&b.to_le_bytes());
            }
        }
    }

    /// Bytes of a number whose every byte pattern is a value, so that many can be copied at once.
    pub(super) fn number_size(&self, ty: TypeIndex) -> Option<usize> {
        let TypeDef { kind, size, .. } = self.def(ty);
        matches!(kind, Kind::Unsigned | Kind::Signed | Kind::Float).then_some(*size as usize)
    }
}

pub(super) fn put_count(sink: &mut dyn Sink, count: usize) {
    let (mut rest, mut bytes, mut n) = (count, [0_u8; 10], 0);
    loop {
        bytes[n] = rest as u8 & 0x7f | u8::from(rest > 0x7f) << 7;
        n += 1;
        rest >>= 7;
        if rest == 0 {
            return sink.put(&bytes[..n]);
        }
    }
}
