//! The schema: what a plugin's state looks like in memory, as data.
//!
//! `#[state]` generates it, the handshake copies it into host memory, and `use` compares two of them
//! to choose a plan. It names every field with its offset, every enum variant, and the format number
//! of every collection, so that "the same bytes" is checked and not hoped for.

mod difference;
mod formats;
mod wire;

use std::any::TypeId;
use std::collections::HashMap;

use crate::migrate::lineage::LineageBuilder;
use crate::state::StateType;

pub use self::difference::Difference;
pub use self::formats::ForeignFormat;
pub use self::wire::SchemaError;
pub(crate) use self::wire::{Decoder, Encoder};

/// How deep [`Schema::type_name`] follows type arguments.
const MAX_NAME_DEPTH: u32 = 32;

/// Index of a type in [`Schema::types`].
pub type TypeIndex = u32;

/// What kind of thing a [`TypeDef`] is. The numbers are ABI.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `()`.
    Unit = 0,
    /// `bool`: one byte, 0 or 1.
    Bool = 1,
    /// An unsigned integer of `size` bytes.
    Unsigned = 2,
    /// A signed integer of `size` bytes.
    Signed = 3,
    /// An IEEE 754 float of `size` bytes.
    Float = 4,
    /// An array; `count` elements of `args[0]`.
    Array = 5,
    /// A `#[state]` struct.
    Struct = 6,
    /// A `#[state]` enum: a `u8` tag, then the variant's fields.
    Enum = 7,
    /// `collections::Option`, of `args[0]`.
    Option = 8,
    /// `collections::Box`, of `args[0]`.
    Box = 9,
    /// `collections::Bytes`.
    Bytes = 10,
    /// `collections::String`.
    String = 11,
    /// `collections::Vec`, of `args[0]`.
    Vec = 12,
    /// `collections::VecDeque`, of `args[0]`.
    VecDeque = 13,
    /// `collections::HashMap`, from `args[0]` to `args[1]`.
    HashMap = 14,
    /// `collections::HashSet`, of `args[0]`.
    HashSet = 15,
    /// `collections::BTreeMap`, from `args[0]` to `args[1]`.
    BTreeMap = 16,
}

impl Kind {
    fn is_number(self) -> bool {
        matches!(self, Self::Unsigned | Self::Signed | Self::Float)
    }

    fn from_u8(n: u8) -> Option<Self> {
        const ALL: [Kind; 17] = [
            Kind::Unit,
            Kind::Bool,
            Kind::Unsigned,
            Kind::Signed,
            Kind::Float,
            Kind::Array,
            Kind::Struct,
            Kind::Enum,
            Kind::Option,
            Kind::Box,
            Kind::Bytes,
            Kind::String,
            Kind::Vec,
            Kind::VecDeque,
            Kind::HashMap,
            Kind::HashSet,
            Kind::BTreeMap,
        ];
        ALL.get(usize::from(n)).copied()
    }
}

/// A field of a struct or of an enum variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The field's name; `0`, `1`, … in tuple structs and variants.
    pub name: String,
    /// Bytes from the start of the struct or enum.
    pub offset: u32,
    /// The field's type.
    pub ty: TypeIndex,
}

/// A variant of an enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// The variant's name.
    pub name: String,
    /// The tag byte in memory.
    pub tag: u8,
    /// Its fields; offsets count from the start of the enum, tag included.
    pub fields: Vec<Field>,
}

/// One type of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeDef {
    /// What it is.
    pub kind: Kind,
    /// Type name for `#[state]` types, empty for the rest.
    pub name: String,
    /// Bytes a value takes.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
    /// The collection's format number; for `#[state]` types the author's schema number.
    pub format: u32,
    /// Elements of an array, otherwise 0.
    pub count: u32,
    /// Type arguments.
    pub args: Vec<TypeIndex>,
    /// Fields of a struct.
    pub fields: Vec<Field>,
    /// Variants of an enum.
    pub variants: Vec<Variant>,
}

/// The shape of a plugin's state: the state root, the session, and all that hangs off them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The author's schema number of the root.
    pub number: u32,
    /// The compile-time fingerprint over everything below; equal schemas have equal fingerprints.
    pub fingerprint: u64,
    /// The state root.
    pub root: TypeIndex,
    /// The per-connection session.
    pub session: TypeIndex,
    /// All types, each once.
    pub types: Vec<TypeDef>,
}

/// Collects types while [`StateType::describe`] walks them.
#[derive(Debug, Default)]
pub struct SchemaBuilder {
    seen: HashMap<TypeId, TypeIndex>,
    types: Vec<Option<TypeDef>>,
    lineages: Vec<fn(&mut LineageBuilder)>,
}

impl SchemaBuilder {
    /// The index of `T`, describing it first if this is the first time it is met.
    pub fn add<T: StateType>(&mut self) -> TypeIndex {
        if let Some(&index) = self.seen.get(&TypeId::of::<T>()) {
            return index;
        }
        let index = self.types.len() as TypeIndex;
        self.seen.insert(TypeId::of::<T>(), index);
        self.types.push(None);
        self.lineages.push(T::lineage);
        let mut def = T::describe(self);
        def.size = size_of::<T>() as u32;
        def.align = align_of::<T>() as u32;
        self.types[index as usize] = Some(def);
        index
    }

    /// How the type at an index tells of its older versions; `None` past the last type.
    pub(crate) fn lineage_of(&self, index: TypeIndex) -> Option<fn(&mut LineageBuilder)> {
        self.lineages.get(index as usize).copied()
    }

    /// All types that were added.
    pub(crate) fn finish(self) -> Vec<TypeDef> {
        self.types.into_iter().flatten().collect()
    }
}

impl TypeDef {
    /// A definition without fields, variants or arguments; size and alignment are filled in by the
    /// builder.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            name: String::new(),
            size: 0,
            align: 0,
            format: 0,
            count: 0,
            args: Vec::new(),
            fields: Vec::new(),
            variants: Vec::new(),
        }
    }

    /// A collection with its format number and type arguments.
    pub fn collection(kind: Kind, format: u32, args: Vec<TypeIndex>) -> Self {
        Self { format, args, ..Self::new(kind) }
    }
}

impl Schema {
    /// The schema of a plugin with this state root and session.
    pub fn of<Root: StateType, Session: StateType>() -> Self {
        let mut builder = SchemaBuilder::default();
        let root = builder.add::<Root>();
        let session = builder.add::<Session>();
        let types = builder.finish();
        Self {
            number: types[root as usize].format,
            fingerprint: fingerprint_of::<Root, Session>(),
            root,
            session,
            types,
        }
    }

    /// The type as an author would write it: `HashMap<Bytes, Entry>`.
    pub fn type_name(&self, index: TypeIndex) -> String {
        self.type_name_within(index, MAX_NAME_DEPTH)
    }

    /// Only a damaged schema nests without a named type in between; its names end in `..`.
    fn type_name_within(&self, index: TypeIndex, depth: u32) -> String {
        let Some(depth) = depth.checked_sub(1) else { return "..".to_owned() };
        let def = &self.types[index as usize];
        let bits = u64::from(def.size) * 8;
        match def.kind {
            Kind::Unit => "()".to_owned(),
            Kind::Bool => "bool".to_owned(),
            Kind::Unsigned => format!("u{bits}"),
            Kind::Signed => format!("i{bits}"),
            Kind::Float => format!("f{bits}"),
            Kind::Array => {
                format!("[{}; {}]", self.type_name_within(def.args[0], depth), def.count)
            }
            Kind::Struct | Kind::Enum => def.name.clone(),
            Kind::Bytes | Kind::String => format!("{:?}", def.kind),
            kind => {
                let name = |&arg| self.type_name_within(arg, depth);
                let args: Vec<String> = def.args.iter().map(name).collect();
                format!("{kind:?}<{}>", args.join(", "))
            }
        }
    }
}

/// The fingerprint of a plugin with this root and session; evaluated at compile time for the note.
pub const fn fingerprint_of<Root: StateType, Session: StateType>() -> u64 {
    mix(mix(0x686f_7473_6865_6c6c, Root::FINGERPRINT), Session::FINGERPRINT)
}

/// Folds `n` into the fingerprint `h`. Stable for ever: fingerprints are compared across builds.
pub const fn mix(h: u64, n: u64) -> u64 {
    let x = (h ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (x ^ (x >> 29)).rotate_left(17).wrapping_add(n)
}

/// Folds a text, with its length, into the fingerprint `h`.
pub const fn mix_text(h: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut h = mix(h, bytes.len() as u64);
    let mut i = 0;
    while i < bytes.len() {
        h = mix(h, bytes[i] as u64);
        i += 1;
    }
    h
}
