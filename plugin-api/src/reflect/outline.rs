//! The image of a state in two parts: the outline, which is small, and the entries of its hash maps,
//! which may follow one by one, in any order, while the state is used.
//!
//! Hash maps that lie in the state itself, or in its structs, enums, options, boxes and arrays, have in
//! the outline only their length and, if there are entries, their seed. They are numbered in the order
//! of the outline, those without entries left out. An entry is the number of its map, as a varint, its
//! key and its value. Maps inside of entries, lists and trees are written with these, as a whole.

use super::build::{Ends, Source, count, word};
use super::write::{Sink, put_count};
use super::{Reflect, variant_at};
use crate::collections::hash_map;
use crate::heap;
use crate::schema::{Kind, TypeIndex};

/// A map whose entries are not in the outline.
#[derive(Debug, Clone, Copy)]
pub struct Left {
    /// Its type.
    pub ty: TypeIndex,
    /// Where it is.
    pub at: *mut u8,
}

impl Reflect<'_> {
    /// Writes the outline of a value; answers the maps whose entries it leaves out. O(size of the rest).
    ///
    /// # Safety
    /// As for [`Reflect::each_part`].
    pub unsafe fn write_outline(
        &self,
        ty: TypeIndex,
        at: *mut u8,
        sink: &mut dyn Sink,
    ) -> Vec<Left> {
        let mut left = Vec::new();
        // SAFETY: the caller's promise.
        unsafe { self.outline(ty, at, sink, &mut left) };
        left
    }

    unsafe fn outline(
        &self,
        ty: TypeIndex,
        at: *mut u8,
        sink: &mut dyn Sink,
        left: &mut Vec<Left>,
    ) {
        let def = self.def(ty);
        // SAFETY: the caller's promise.
        unsafe {
            match def.kind {
                Kind::HashMap | Kind::HashSet => {
                    self.write_map_head(at, sink);
                    if hash_map::erased::len(at) > 0 {
                        left.push(Left { ty, at });
                    }
                    return;
                }
                Kind::Enum => sink.put(&[variant_at(def, at).map_or(0, |variant| variant.tag)]),
                Kind::Option => sink.put(&[u8::from(at.read() == 1)]),
                Kind::Struct | Kind::Array | Kind::Box => {}
                _ => return self.write(ty, at, sink),
            }
            self.each_part(ty, at, |part, at| self.outline(part, at, sink, left));
        }
    }

    /// Writes an entry of the map with this number.
    ///
    /// # Safety
    /// `slot` is a full slot of a map of type `ty`.
    pub unsafe fn write_entry(
        &self,
        number: usize,
        ty: TypeIndex,
        slot: *mut u8,
        sink: &mut dyn Sink,
    ) {
        let def = self.def(ty);
        put_count(sink, number);
        // SAFETY: the caller's promise.
        unsafe {
            self.write(def.args[0], slot, sink);
            if let Some(value) = Self::value_type(def) {
                self.write(value, slot.add(self.pair(def).value_at()), sink);
            }
        }
    }
}

/// A value that is being made of its outline and the entries of its maps.
pub struct Rebuilding<'s> {
    reflect: Reflect<'s>,
    maps: Vec<Map>,
}

struct Map {
    key: TypeIndex,
    value: Option<TypeIndex>,
    value_at: usize,
    seed: [u64; 2],
    /// Entries that are still to come.
    left: usize,
    builder: hash_map::erased::Builder,
}

impl<'s> Rebuilding<'s> {
    /// Makes a value of its outline, in the memory at `at`; tables have room for all their entries.
    ///
    /// # Errors
    /// [`Ends`], as for [`Reflect::build`].
    ///
    /// # Safety
    /// As for [`Reflect::build`]. The value is not used before [`Rebuilding::finish`].
    pub unsafe fn begin(
        reflect: Reflect<'s>,
        ty: TypeIndex,
        at: *mut u8,
        source: &mut dyn Source,
    ) -> Result<Self, Ends> {
        let mut maps = Vec::new();
        // SAFETY: the caller's promise.
        unsafe { reflect.build_outline(ty, at, source, &mut maps) }?;
        Ok(Self { reflect, maps })
    }

    /// Puts one entry in its map.
    ///
    /// # Errors
    /// [`Ends`]: as above, or more entries than the outline told.
    ///
    /// # Safety
    /// As for [`Reflect::build`]; no key comes twice.
    pub unsafe fn entry(&mut self, source: &mut dyn Source) -> Result<(), Ends> {
        let unknown = Ends { what: "an entry is of a map that is not in the outline" };
        let (reflect, map) = (&self.reflect, self.maps.get_mut(count(source)?).ok_or(unknown)?);
        let excess = Ends { what: "a map has more entries than its outline tells" };
        map.left = map.left.checked_sub(1).ok_or(excess)?;
        // SAFETY: the caller's promise. The entry is made in the spare slot first.
        unsafe {
            let slot = map.builder.spare();
            reflect.build(map.key, slot, source)?;
            if let Some(value) = map.value {
                reflect.build(value, slot.add(map.value_at), source)?;
            }
            let (key, seed) = (map.key, map.seed);
            map.builder.put(|at| reflect.hash_of(key, at, seed));
        }
        Ok(())
    }

    /// Completes the value.
    ///
    /// # Errors
    /// [`Ends`] when entries are missing; the value is not to be used then.
    pub fn finish(self) -> Result<(), Ends> {
        if self.maps.iter().any(|map| map.left > 0) {
            return Err(Ends { what: "a map has fewer entries than its outline tells" });
        }
        self.maps.into_iter().for_each(|map| map.builder.finish());
        Ok(())
    }
}

impl core::fmt::Debug for Rebuilding<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Rebuilding").field("maps", &self.maps.len()).finish_non_exhaustive()
    }
}

impl Reflect<'_> {
    unsafe fn build_outline(
        &self,
        ty: TypeIndex,
        at: *mut u8,
        source: &mut dyn Source,
        maps: &mut Vec<Map>,
    ) -> Result<(), Ends> {
        let def = self.def(ty);
        // SAFETY: the caller's promise; each kind is written in full before it is read.
        unsafe {
            match def.kind {
                Kind::HashMap | Kind::HashSet => {
                    let left = count(source)?;
                    let seed = if left > 0 { [word(source)?, word(source)?] } else { [0; 2] };
                    let pair = self.pair(def);
                    let builder = hash_map::erased::Builder::new(at, pair, left, seed);
                    if left == 0 {
                        builder.finish();
                        return Ok(());
                    }
                    let (key, value) = (def.args[0], Self::value_type(def));
                    let value_at = pair.value_at();
                    maps.push(Map { key, value, value_at, seed, left, builder });
                    Ok(())
                }
                Kind::Enum => {
                    let mut tag = [0];
                    source.take(&mut tag)?;
                    at.write(tag[0]);
                    let unknown = Ends { what: "an enum has no such variant" };
                    let variant = variant_at(def, at).ok_or(unknown)?;
                    let mut fields = variant.fields.iter();
                    fields.try_for_each(|field| {
                        self.build_outline(field.ty, at.add(field.offset as usize), source, maps)
                    })
                }
                Kind::Struct => {
                    let mut fields = def.fields.iter();
                    fields.try_for_each(|field| {
                        self.build_outline(field.ty, at.add(field.offset as usize), source, maps)
                    })
                }
                Kind::Array => {
                    let size = self.layout(def.args[0]).size();
                    (0..def.count as usize).try_for_each(|i| {
                        self.build_outline(def.args[0], at.add(i * size), source, maps)
                    })
                }
                Kind::Option => {
                    let mut tag = [0];
                    source.take(&mut tag)?;
                    at.write(tag[0]);
                    let value = def.args[0];
                    let place = at.add(self.layout(value).align());
                    match tag[0] {
                        0 => Ok(()),
                        1 => self.build_outline(value, place, source, maps),
                        _ => Err(Ends { what: "an option is neither None nor Some" }),
                    }
                }
                Kind::Box => {
                    let block = heap::alloc(self.layout(def.args[0]));
                    at.cast::<*mut u8>().write(block.as_ptr());
                    self.build_outline(def.args[0], block.as_ptr(), source, maps)
                }
                _ => self.build(ty, at, source),
            }
        }
    }
}
