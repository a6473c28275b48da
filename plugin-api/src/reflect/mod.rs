//! State without its types: walk, drop, write and build a value by its schema alone.
//!
//! The shell holds state that no code in the process has types for: of a version that is gone, set
//! aside, or being read back from disk. A schema says where every part lies; this module follows it.
//! Each collection keeps the knowledge of its own memory beside its typed code (`erased.rs` there),
//! so a change of a format has both under one roof.
//!
//! | what | how |
//! |---|---|
//! | [`Reflect::each_part`] | the values directly inside a value: fields, elements, keys and values |
//! | [`Reflect::drop_value`] | frees all that a value owns, as its typed drop would |
//! | [`Reflect::write`] | a self-contained, little-endian image of a value |
//! | [`Reflect::build`] | makes a value of such an image |
//! | [`Reflect::write_outline`], [`Rebuilding`] | the same in parts: entries of large maps follow one by one |

mod build;
mod drop;
mod hash;
mod order;
mod outline;
mod write;

use core::alloc::Layout;
use std::borrow::Cow;

use crate::collections::{btree_map, hash_map, vec, vec_deque};
use crate::schema::{Field, Kind, Schema, TypeDef, TypeIndex};

pub use build::{Ends, Source};
pub use outline::{Leave, Left, Rebuilding};
pub use write::{NUMBERED, Sink};

/// A schema, ready to be followed: with what is asked for every value worked out once per type.
#[derive(Debug)]
pub struct Reflect<'s> {
    schema: &'s Schema,
    owners: Cow<'s, Owners>,
}

/// Which types of a schema own memory, and which hold maps, at any depth. Worked out once for a schema
/// that is followed often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owners {
    memory: Vec<bool>,
    maps: Vec<bool>,
}

/// The layout of a map's entry: a `repr(C)` pair of key and value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub key: Layout,
    pub value: Layout,
}

impl Owners {
    /// O(types²) at worst, O(types) as a rule.
    pub fn of(schema: &Schema) -> Self {
        let types = &schema.types;
        let mut memory: Vec<bool> = types.iter().map(|def| has_memory(def.kind)).collect();
        spread(types, &mut memory);
        let is_map =
            |def: &TypeDef| matches!(def.kind, Kind::HashMap | Kind::HashSet | Kind::BTreeMap);
        let mut maps: Vec<bool> = types.iter().map(is_map).collect();
        spread(types, &mut maps);
        Self { memory, maps }
    }
}

/// Marks each type with a part that is marked.
fn spread(types: &[TypeDef], marks: &mut [bool]) {
    loop {
        let mut grown = false;
        for (index, def) in types.iter().enumerate() {
            if !marks[index] && inside(def).any(|ty| marks[ty as usize]) {
                (marks[index], grown) = (true, true);
            }
        }
        if !grown {
            return;
        }
    }
}

impl<'s> Reflect<'s> {
    /// Prepares a schema. As [`Owners::of`].
    pub fn new(schema: &'s Schema) -> Self {
        Self { schema, owners: Cow::Owned(Owners::of(schema)) }
    }

    /// A schema whose owners are known. O(1).
    pub const fn with(schema: &'s Schema, owners: &'s Owners) -> Self {
        Self { schema, owners: Cow::Borrowed(owners) }
    }

    /// The schema.
    pub const fn schema(&self) -> &'s Schema {
        self.schema
    }

    /// Whether values of this type own memory, at any depth.
    pub fn owns_memory(&self, ty: TypeIndex) -> bool {
        self.owners.memory[ty as usize]
    }

    /// Whether maps or trees lie in values of this type, at any depth.
    fn holds_maps(&self, ty: TypeIndex) -> bool {
        self.owners.maps[ty as usize]
    }

    /// Size and alignment of a type's values.
    ///
    /// # Panics
    /// When the schema is damaged: its alignment is no power of two.
    pub fn layout(&self, ty: TypeIndex) -> Layout {
        let def = self.def(ty);
        Layout::from_size_align(def.size as usize, def.align as usize)
            .expect("a type of a schema has a size and an alignment")
    }

    pub(crate) fn def(&self, ty: TypeIndex) -> &'s TypeDef {
        &self.schema.types[ty as usize]
    }

    /// Type of a map's values; `None` in a set.
    fn value_type(def: &TypeDef) -> Option<TypeIndex> {
        def.args.get(1).copied()
    }

    pub(crate) fn pair(&self, def: &TypeDef) -> Pair {
        let value = Self::value_type(def).map_or(Layout::new::<()>(), |ty| self.layout(ty));
        Pair { key: self.layout(def.args[0]), value }
    }

    /// Calls `visit` with the type and the address of each value directly inside the one at `at`:
    /// fields, elements in their order, keys each before its value.
    ///
    /// # Safety
    /// `at` is a valid value of type `ty`, whose memory this heap gave, and nobody changes it meanwhile.
    pub unsafe fn each_part(
        &self,
        ty: TypeIndex,
        at: *mut u8,
        mut visit: impl FnMut(TypeIndex, *mut u8),
    ) {
        let def = self.def(ty);
        let element = def.args.first().copied();
        // SAFETY: the caller's promise, and the schema's: each kind says what lies at `at`.
        unsafe {
            match def.kind {
                Kind::Struct => each_field(&def.fields, at, visit),
                Kind::Enum => {
                    if let Some(variant) = variant_at(def, at) {
                        each_field(&variant.fields, at, visit);
                    }
                }
                Kind::Array => {
                    let element = element.expect("an array has an element type");
                    let size = self.layout(element).size();
                    (0..def.count as usize).for_each(|i| visit(element, at.add(i * size)));
                }
                Kind::Option => {
                    let element = element.expect("an option has a value type");
                    if at.read() == 1 {
                        visit(element, at.add(self.layout(element).align()));
                    }
                }
                Kind::Box => {
                    let element = element.expect("a box has a value type");
                    visit(element, at.cast::<*mut u8>().read());
                }
                Kind::Vec => {
                    let element = element.expect("a vector has an element type");
                    vec::erased::each(at, self.layout(element), |item| visit(element, item));
                }
                Kind::VecDeque => {
                    let element = element.expect("a queue has an element type");
                    vec_deque::erased::each(at, self.layout(element), |item| visit(element, item));
                }
                Kind::HashMap | Kind::HashSet | Kind::BTreeMap => {
                    let key = element.expect("a map has a key type");
                    let value = Self::value_type(def);
                    let mut entry = |k, v| {
                        visit(key, k);
                        value.into_iter().for_each(|value| visit(value, v));
                    };
                    if def.kind == Kind::BTreeMap {
                        btree_map::erased::each(at, self.pair(def), &mut entry);
                    } else {
                        hash_map::erased::each(at, self.pair(def), &mut entry);
                    }
                }
                Kind::Unit
                | Kind::Bool
                | Kind::Unsigned
                | Kind::Signed
                | Kind::Float
                | Kind::Bytes
                | Kind::String => {}
            }
        }
    }
}

impl Pair {
    /// Bytes from the start of a slot to its value.
    pub fn value_at(self) -> usize {
        self.key.size().next_multiple_of(self.value.align())
    }

    /// The layout of a slot.
    pub fn slot(self) -> Layout {
        Layout::from_size_align(self.size(), self.align()).expect("a slot has a layout")
    }

    /// The alignment of a slot.
    pub fn align(self) -> usize {
        self.key.align().max(self.value.align())
    }

    /// Bytes of a slot.
    pub fn size(self) -> usize {
        (self.value_at() + self.value.size()).next_multiple_of(self.align())
    }
}

/// The layout of so many values side by side.
pub(crate) fn run(value: Layout, count: usize) -> Layout {
    let size = value.size().checked_mul(count).expect("capacity overflow");
    Layout::from_size_align(size, value.align()).expect("capacity overflow")
}

/// The variant that an enum's tag names; `None` when the value is damaged.
///
/// # Safety
/// A byte is readable at `at`.
pub(crate) unsafe fn variant_at(def: &TypeDef, at: *mut u8) -> Option<&crate::schema::Variant> {
    // SAFETY: the caller's promise.
    let tag = unsafe { at.read() };
    def.variants.iter().find(|variant| variant.tag == tag)
}

/// # Safety
/// The fields lie at their offsets from `at`.
unsafe fn each_field(fields: &[Field], at: *mut u8, mut visit: impl FnMut(TypeIndex, *mut u8)) {
    for field in fields {
        // SAFETY: the caller's promise.
        visit(field.ty, unsafe { at.add(field.offset as usize) });
    }
}

const fn has_memory(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Box
            | Kind::Bytes
            | Kind::String
            | Kind::Vec
            | Kind::VecDeque
            | Kind::HashMap
            | Kind::HashSet
            | Kind::BTreeMap
    )
}

/// Types of the parts of a type.
fn inside(def: &TypeDef) -> impl Iterator<Item = TypeIndex> + '_ {
    let variants = def.variants.iter().flat_map(|variant| &variant.fields);
    let fields = def.fields.iter().chain(variants).map(|field| field.ty);
    def.args.iter().copied().chain(fields)
}
