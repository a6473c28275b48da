//! [`Rebuilding`]: a value that is being made of its outline and the entries of its maps.

use crate::collections::{hash_map, vec, vec_deque};
use crate::heap;
use crate::reflect::build::{Ends, Source, count, word};
use crate::reflect::{Reflect, variant_at};
use crate::schema::{Field, Kind, TypeDef, TypeIndex};

/// A value that is being made of its outline and the entries of its maps.
pub struct Rebuilding<'s> {
    reflect: Reflect<'s>,
    /// By their numbers. One is away while an entry of it is made.
    maps: Vec<Option<Map>>,
}

struct Map {
    key: TypeIndex,
    value: Option<TypeIndex>,
    value_at: usize,
    /// Bytes of an entry.
    size: usize,
    seed: [u64; 2],
    /// Entries that are still to come.
    left: usize,
    /// Maps that lie in its entries have this number at least.
    inner_from: usize,
    builder: hash_map::erased::Builder,
}

const UNKNOWN: Ends = Ends { what: "an entry is of a map that is not in the outline" };

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
        let number = count(source)?;
        let place = self.maps.get_mut(number).ok_or(UNKNOWN)?;
        let mut map = place.take().expect("it is away only while an entry of it is made");
        let excess = Ends { what: "a map has more entries than its outline tells" };
        let made = match map.left {
            0 => Err(excess),
            // SAFETY: the caller's promise.
            _ => unsafe { map.entry(&self.reflect, source, &mut self.maps) },
        };
        self.maps[number] = Some(map);
        made
    }

    /// Completes the value.
    ///
    /// # Errors
    /// [`Ends`] when entries are missing; the value is not to be used then.
    pub fn finish(self) -> Result<(), Ends> {
        if self.maps.iter().flatten().any(|map| map.left > 0) {
            return Err(Ends { what: "a map has fewer entries than its outline tells" });
        }
        self.maps.into_iter().flatten().for_each(|map| map.builder.finish());
        Ok(())
    }
}

impl core::fmt::Debug for Rebuilding<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Rebuilding").field("maps", &self.maps.len()).finish_non_exhaustive()
    }
}

impl Map {
    /// Makes an entry in the spare slot, and puts it in its place.
    ///
    /// # Safety
    /// As for [`Rebuilding::entry`].
    unsafe fn entry(
        &mut self,
        reflect: &Reflect<'_>,
        source: &mut dyn Source,
        maps: &mut Vec<Option<Self>>,
    ) -> Result<(), Ends> {
        self.left -= 1;
        let (slot, before) = (self.builder.spare(), maps.len());
        // SAFETY: the caller's promise.
        unsafe {
            reflect.build(self.key, slot, source)?;
            if let Some(value) = self.value {
                reflect.build_outline(value, slot.add(self.value_at), source, maps)?;
            }
            let (key, seed, size, inner) = (self.key, self.seed, self.size, self.inner_from);
            let mut moved = |from: *mut u8, to: *mut u8| {
                // Only maps of this entry lie in the spare slot.
                let first = if from == slot { before } else { inner };
                maps[first..].iter_mut().flatten().for_each(|map| map.follow(from, to, size));
            };
            self.builder.put_telling(|at| reflect.hash_of(key, at, seed), &mut moved);
        }
        Ok(())
    }

    /// Memory has moved in which this map may lie.
    ///
    /// # Safety
    /// So many bytes went from one place to the other.
    unsafe fn follow(&mut self, from: *mut u8, to: *mut u8, size: usize) {
        let within = self.builder.at().addr().wrapping_sub(from.addr());
        if within < size {
            // SAFETY: as far behind the new place as it was behind the old one.
            self.builder.follow(unsafe { to.add(within) });
        }
    }
}

impl Reflect<'_> {
    /// As [`Reflect::build`], of an outline. Maps that are left out are added to `maps`.
    ///
    /// # Safety
    /// As there.
    unsafe fn build_outline(
        &self,
        ty: TypeIndex,
        at: *mut u8,
        source: &mut dyn Source,
        maps: &mut Vec<Option<Map>>,
    ) -> Result<(), Ends> {
        let def = self.def(ty);
        // SAFETY: the caller's promise; each kind is written in full before it is read.
        unsafe {
            if !self.holds_maps(ty) {
                return self.build(ty, at, source);
            }
            match def.kind {
                Kind::HashMap | Kind::HashSet => self.build_map_outline(def, at, source, maps),
                Kind::Enum => {
                    let mut tag = [0];
                    source.take(&mut tag)?;
                    at.write(tag[0]);
                    let unknown = Ends { what: "an enum has no such variant" };
                    let variant = variant_at(def, at).ok_or(unknown)?;
                    self.build_fields_outline(&variant.fields, at, source, maps)
                }
                Kind::Option => {
                    let mut tag = [0];
                    source.take(&mut tag)?;
                    at.write(tag[0]);
                    let value = def.args[0];
                    match tag[0] {
                        0 => Ok(()),
                        1 => {
                            let place = at.add(self.layout(value).align());
                            self.build_outline(value, place, source, maps)
                        }
                        _ => Err(Ends { what: "an option is neither None nor Some" }),
                    }
                }
                Kind::Box => {
                    let block = heap::alloc(self.layout(def.args[0]));
                    at.cast::<*mut u8>().write(block.as_ptr());
                    self.build_outline(def.args[0], block.as_ptr(), source, maps)
                }
                Kind::Array | Kind::Vec | Kind::VecDeque => {
                    self.build_items_outline(def, at, source, maps)
                }
                _ => self.build_fields_outline(&def.fields, at, source, maps),
            }
        }
    }

    /// # Safety
    /// As for [`Reflect::build_outline`], with the fields at their offsets from `at`.
    unsafe fn build_fields_outline(
        &self,
        fields: &[Field],
        at: *mut u8,
        source: &mut dyn Source,
        maps: &mut Vec<Option<Map>>,
    ) -> Result<(), Ends> {
        let mut fields = fields.iter();
        fields.try_for_each(|field| {
            // SAFETY: the caller's promise.
            unsafe { self.build_outline(field.ty, at.add(field.offset as usize), source, maps) }
        })
    }

    /// # Safety
    /// As for [`Reflect::build_outline`], of an array or a list.
    unsafe fn build_items_outline(
        &self,
        def: &TypeDef,
        at: *mut u8,
        source: &mut dyn Source,
        maps: &mut Vec<Option<Map>>,
    ) -> Result<(), Ends> {
        let (item, layout) = (def.args[0], self.layout(def.args[0]));
        // SAFETY: the caller's promise; items lie side by side, those of a queue where it says.
        unsafe {
            if def.kind == Kind::VecDeque {
                let len = count(source)?;
                let mut queue = vec_deque::erased::Builder::new(at, layout, len);
                return (0..len)
                    .try_for_each(|i| self.build_outline(item, queue.slot(i), source, maps));
            }
            let (items, len) = match def.kind {
                Kind::Array => (at, def.count as usize),
                _ => {
                    let len = count(source)?;
                    (vec::erased::allocate(at, layout, len), len)
                }
            };
            (0..len).try_for_each(|i| {
                self.build_outline(item, items.add(i * layout.size()), source, maps)
            })
        }
    }

    /// # Safety
    /// As for [`Reflect::build_outline`], of a hash map or set.
    unsafe fn build_map_outline(
        &self,
        def: &TypeDef,
        at: *mut u8,
        source: &mut dyn Source,
        maps: &mut Vec<Option<Map>>,
    ) -> Result<(), Ends> {
        let head = count(source)?;
        let (left, later) = (head >> 1, head & 1 == 1);
        let seed = if left > 0 { [word(source)?, word(source)?] } else { [0; 2] };
        let (pair, number) = (self.pair(def), maps.len());
        let (key, value, value_at) = (def.args[0], Self::value_type(def), pair.value_at());
        // SAFETY: the caller's promise.
        unsafe {
            let builder = hash_map::erased::Builder::new(at, pair, left, seed);
            let (size, inner_from) = (pair.size(), number + usize::from(later));
            let mut map = Map { key, value, value_at, size, seed, left, inner_from, builder };
            if later {
                maps.push(Some(map));
                return Ok(());
            }
            while map.left > 0 {
                map.entry(self, source, maps)?;
            }
            map.builder.finish();
        }
        Ok(())
    }
}
