//! Making a value of its image. See `write.rs` for the format.

use core::fmt;
use core::ptr::NonNull;
use core::slice;

use super::Reflect;
use super::write::NUMBERED;
use crate::collections::{Bytes, btree_map, hash_map, vec, vec_deque};
use crate::heap;
use crate::migrate::marks;
use crate::schema::{Field, Kind, TypeDef, TypeIndex};

/// Gives the bytes of an image.
pub trait Source {
    /// Fills `into`.
    ///
    /// # Errors
    /// [`Ends`] when there are not so many bytes, or what they hold cannot be.
    fn take(&mut self, into: &mut [u8]) -> Result<(), Ends>;
}

/// An image that ends early, or holds what its schema does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// What was expected.
    pub what: &'static str,
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl std::error::Error for Ends {}

impl Source for &[u8] {
    #[inline]
    fn take(&mut self, into: &mut [u8]) -> Result<(), Ends> {
        let Some((head, rest)) = self.split_at_checked(into.len()) else {
            return Err(Ends { what: "the image ends early" });
        };
        into.copy_from_slice(head);
        *self = rest;
        Ok(())
    }
}

/// A count that no state in memory reaches: the image is damaged.
const ABSURD: usize = 1 << 48;

impl Reflect<'_> {
    /// Makes a value of the image that `source` gives, in the memory at `at`. O(size of the value).
    ///
    /// # Errors
    /// [`Ends`]. What was made until then is not freed: a host that meets it does not start.
    ///
    /// # Safety
    /// `at` has room for the type, and holds nothing. The schema is sound: its collections have the
    /// formats of this crate. The image was written under an equal schema, and its checksums hold.
    pub unsafe fn build(
        &self,
        ty: TypeIndex,
        at: *mut u8,
        source: &mut dyn Source,
    ) -> Result<(), Ends> {
        let def = self.def(ty);
        // SAFETY: the caller's promise; each kind is written in full before it is read.
        unsafe {
            match def.kind {
                Kind::Unit => Ok(()),
                Kind::Bool => {
                    source.take(slice::from_raw_parts_mut(at, 1))?;
                    if at.read() > 1 {
                        Err(Ends { what: "a bool is neither 0 nor 1" })
                    } else {
                        Ok(())
                    }
                }
                Kind::Unsigned | Kind::Signed | Kind::Float => {
                    source.take(slice::from_raw_parts_mut(at, def.size as usize))
                }
                Kind::Array => self.build_run(def.args[0], at, def.count as usize, source),
                Kind::Struct => self.build_fields(&def.fields, at, source),
                Kind::Enum => {
                    source.take(slice::from_raw_parts_mut(at, 1))?;
                    let unknown = Ends { what: "an enum has no such variant" };
                    let variant = super::variant_at(def, at).ok_or(unknown)?;
                    self.build_fields(&variant.fields, at, source)
                }
                Kind::Option => {
                    source.take(slice::from_raw_parts_mut(at, 1))?;
                    match at.read() {
                        0 => Ok(()),
                        1 => {
                            let value = def.args[0];
                            self.build(value, at.add(self.layout(value).align()), source)
                        }
                        _ => Err(Ends { what: "an option is neither None nor Some" }),
                    }
                }
                Kind::Box => {
                    let block = heap::alloc(self.layout(def.args[0]));
                    at.cast::<NonNull<u8>>().write(block);
                    self.build(def.args[0], block.as_ptr(), source)
                }
                Kind::Bytes | Kind::String => {
                    at.cast::<Bytes>().write(build_bytes(source)?);
                    let text = def.kind == Kind::Bytes
                        || core::str::from_utf8(&*at.cast::<Bytes>()).is_ok();
                    if text { Ok(()) } else { Err(Ends { what: "a text is not UTF-8" }) }
                }
                Kind::Vec => {
                    let len = count(source)?;
                    let items = vec::erased::allocate(at, self.layout(def.args[0]), len);
                    self.build_run(def.args[0], items, len, source)
                }
                Kind::VecDeque => self.build_queue(def, at, source),
                Kind::HashMap | Kind::HashSet => self.build_hash_map(def, at, source),
                Kind::BTreeMap => self.build_tree(def, at, source),
            }
        }
    }

    /// # Safety
    /// As for [`Reflect::build`], with room for `count` values side by side.
    unsafe fn build_run(
        &self,
        ty: TypeIndex,
        at: *mut u8,
        count: usize,
        source: &mut dyn Source,
    ) -> Result<(), Ends> {
        // SAFETY: the caller's promise.
        unsafe {
            if let Some(size) = self.number_size(ty) {
                return source.take(slice::from_raw_parts_mut(at, count * size));
            }
            let size = self.layout(ty).size();
            (0..count).try_for_each(|i| self.build(ty, at.add(i * size), source))
        }
    }

    /// # Safety
    /// As for [`Reflect::build`].
    unsafe fn build_fields(
        &self,
        fields: &[Field],
        at: *mut u8,
        source: &mut dyn Source,
    ) -> Result<(), Ends> {
        let mut fields = fields.iter();
        // SAFETY: the caller's promise; fields lie at their offsets.
        fields.try_for_each(|f| unsafe { self.build(f.ty, at.add(f.offset as usize), source) })
    }

    /// # Safety
    /// As for [`Reflect::build`].
    unsafe fn build_queue(
        &self,
        def: &TypeDef,
        at: *mut u8,
        source: &mut dyn Source,
    ) -> Result<(), Ends> {
        let len = count(source)?;
        // SAFETY: the caller's promise; each slot is filled before the next one is asked for.
        unsafe {
            let mut queue = vec_deque::erased::Builder::new(at, self.layout(def.args[0]), len);
            (0..len).try_for_each(|i| self.build(def.args[0], queue.slot(i), source))
        }
    }

    /// # Safety
    /// As for [`Reflect::build`].
    unsafe fn build_hash_map(
        &self,
        def: &TypeDef,
        at: *mut u8,
        source: &mut dyn Source,
    ) -> Result<(), Ends> {
        let len = count(source)?;
        let seed = if len > 0 { [word(source)?, word(source)?] } else { [0; 2] };
        let pair = self.pair(def);
        // SAFETY: the caller's promise. An entry is made in the table's spare slot and put in its
        // place once its hash is known.
        unsafe {
            let mut map = hash_map::erased::Builder::new(at, pair, len, seed);
            for _ in 0..len {
                let slot = map.spare();
                self.build(def.args[0], slot, source)?;
                if let Some(value) = Self::value_type(def) {
                    self.build(value, slot.add(pair.value_at()), source)?;
                }
                map.put(|key| self.hash_of(def.args[0], key, seed));
            }
            map.finish();
        }
        Ok(())
    }

    /// # Safety
    /// As for [`Reflect::build`].
    unsafe fn build_tree(
        &self,
        def: &TypeDef,
        at: *mut u8,
        source: &mut dyn Source,
    ) -> Result<(), Ends> {
        let (len, number) = tree_head(source)?;
        // SAFETY: the caller's promise; the entries come in order, as they were written.
        unsafe {
            let mut tree = btree_map::erased::Builder::new(at, self.pair(def), len, number);
            for _ in 0..len {
                let (key, place) = tree.next();
                self.build(def.args[0], key, source)?;
                if let Some(value) = Self::value_type(def) {
                    self.build(value, place, source)?;
                }
            }
            tree.finish();
        }
        Ok(())
    }
}

pub(super) fn word(source: &mut dyn Source) -> Result<u64, Ends> {
    let mut bytes = [0; 8];
    source.take(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

pub(super) fn count(source: &mut dyn Source) -> Result<usize, Ends> {
    possible(varint(source)?)
}

/// What comes before the entries of a tree: a count, and its number, 0 if it has none.
pub(super) fn tree_head(source: &mut dyn Source) -> Result<(usize, u32), Ends> {
    let head = varint(source)?;
    if head & NUMBERED == 0 {
        return Ok((possible(head)?, 0));
    }
    let mut number = [0; 4];
    source.take(&mut number)?;
    let number = u32::from_le_bytes(number);
    marks::know_tree(number);
    Ok((possible(head & !NUMBERED)?, number))
}

fn possible(count: usize) -> Result<usize, Ends> {
    let absurd = Err(Ends { what: "a length is larger than any memory" });
    if count < ABSURD { Ok(count) } else { absurd }
}

fn varint(source: &mut dyn Source) -> Result<usize, Ends> {
    let mut varint = 0;
    for shift in (0..63).step_by(7) {
        let mut byte = [0];
        source.take(&mut byte)?;
        varint |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            return Ok(varint);
        }
    }
    Err(Ends { what: "a length has more than nine bytes" })
}

fn build_bytes(source: &mut dyn Source) -> Result<Bytes, Ends> {
    let mut bytes = Bytes::new();
    bytes.resize(count(source)?, 0);
    source.take(&mut bytes)?;
    Ok(bytes)
}
