//! [`Rebuilding`]: a value that is being made of its outline and the entries of its maps.

mod tree;

use crate::collections::{hash_map, vec, vec_deque};
use crate::heap;
use crate::reflect::build::{Ends, Source, count, tree_head, word};
use crate::reflect::{Pair, Reflect, variant_at};
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
    pair: Pair,
    /// Entries that are still to come.
    left: usize,
    /// Maps that lie in its entries have this number at least.
    inner_from: usize,
    making: Making,
}

/// What becomes of entries.
enum Making {
    Hashed { builder: hash_map::erased::Builder, seed: [u64; 2] },
    Ordered(tree::Gathered),
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
    pub fn finish(mut self) -> Result<(), Ends> {
        if self.maps.iter().flatten().any(|map| map.left > 0) {
            return Err(Ends { what: "a map has fewer entries than its outline tells" });
        }
        // What lies in the entries of another one is whole before these go where they stay.
        while let Some(map) = self.maps.pop() {
            map.into_iter().for_each(|map| map.finish(&self.reflect, &mut []));
        }
        Ok(())
    }
}

impl core::fmt::Debug for Rebuilding<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Rebuilding").field("maps", &self.maps.len()).finish_non_exhaustive()
    }
}

impl Map {
    /// Makes an entry.
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
        let before = maps.len();
        let slot = match &mut self.making {
            Making::Hashed { builder, .. } => builder.spare(),
            Making::Ordered(gathered) => gathered.next(),
        };
        // SAFETY: the caller's promise; the slot has room for an entry.
        unsafe {
            reflect.build(self.key, slot, source)?;
            if let Some(value) = self.value {
                reflect.build_outline(value, slot.add(self.pair.value_at()), source, maps)?;
            }
            if let Making::Hashed { builder, seed } = &mut self.making {
                let (key, size, inner) = (self.key, self.pair.size(), self.inner_from);
                let mut moved = |from: *mut u8, to: *mut u8| {
                    // Only maps of this entry lie in the spare slot.
                    let first = if from == slot { before } else { inner };
                    maps[first..].iter_mut().flatten().for_each(|map| map.follow(from, to, size));
                };
                builder.put_telling(|at| reflect.hash_of(key, at, *seed), &mut moved);
            }
        }
        Ok(())
    }

    /// Memory has moved in which this map may lie.
    ///
    /// # Safety
    /// So many bytes went from one place to the other.
    unsafe fn follow(&mut self, from: *mut u8, to: *mut u8, size: usize) {
        let at = match &mut self.making {
            Making::Hashed { builder, .. } => builder.at_mut(),
            Making::Ordered(gathered) => &mut gathered.at,
        };
        let within = at.addr().wrapping_sub(from.addr());
        if within < size {
            // SAFETY: as far behind the new place as it was behind the old one.
            *at = unsafe { to.add(within) };
        }
    }

    /// Completes it; all its entries are there. `inner`: maps that may lie in them and are not complete.
    fn finish(self, reflect: &Reflect<'_>, inner: &mut [Option<Self>]) {
        let Self { key, pair, making, .. } = self;
        match making {
            Making::Hashed { builder, .. } => builder.finish(),
            Making::Ordered(gathered) => gathered.finish(reflect, key, &mut |from, to| {
                // SAFETY: a value goes to its leaf.
                let follow = |map: &mut Self| unsafe { map.follow(from, to, pair.value.size()) };
                inner.iter_mut().flatten().for_each(follow);
            }),
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
                Kind::HashMap | Kind::HashSet | Kind::BTreeMap => {
                    self.build_map_outline(def, at, source, maps)
                }
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
    /// As for [`Reflect::build_outline`], of a map, set or tree.
    unsafe fn build_map_outline(
        &self,
        def: &TypeDef,
        at: *mut u8,
        source: &mut dyn Source,
        maps: &mut Vec<Option<Map>>,
    ) -> Result<(), Ends> {
        let (head, number) = match def.kind {
            Kind::BTreeMap => tree_head(source)?,
            _ => (count(source)?, 0),
        };
        let (left, later) = (head >> 1, head & 1 == 1);
        let (key, value, pair) = (def.args[0], Self::value_type(def), self.pair(def));
        // SAFETY: the caller's promise.
        let making = unsafe {
            if def.kind == Kind::BTreeMap {
                Making::Ordered(tree::Gathered::new(at, pair, left, number))
            } else {
                let seed = if left > 0 { [word(source)?, word(source)?] } else { [0; 2] };
                let builder = hash_map::erased::Builder::new(at, pair, left, seed);
                Making::Hashed { builder, seed }
            }
        };
        let inner_from = maps.len() + usize::from(later);
        let mut map = Map { key, value, pair, left, inner_from, making };
        if later {
            maps.push(Some(map));
            return Ok(());
        }
        while map.left > 0 {
            // SAFETY: the caller's promise.
            unsafe { map.entry(self, source, maps) }?;
        }
        map.finish(self, &mut maps[inner_from..]);
        Ok(())
    }
}
