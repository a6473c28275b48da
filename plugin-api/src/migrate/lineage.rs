//! [`Lineage`]: what a version of a plugin knows of the versions before it.
//!
//! Renames, defaults of fields and conversions, as the author wrote them in `#[state(...)]`. It
//! crosses the boundary through the extension table `"migrate"`, apart from the schema: nothing in
//! it is part of the shape, and a plugin without it is still a plugin.

mod build;
mod wire;

use crate::schema::{Schema, TypeDef, TypeIndex};

pub use self::build::LineageBuilder;

/// What an image knows about coming from older shapes, and about going back to them.
///
/// Functions are numbers here. The image's own list ([`Functions`]) says where they are; it lives
/// no longer than the image, while a lineage is plain data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lineage {
    /// All types: those of the schema, with the same indices, then the older types that
    /// conversions start from, with all that hangs off them.
    pub types: Vec<TypeDef>,
    /// Older names.
    pub renames: Vec<Rename>,
    /// What new fields start with.
    pub defaults: Vec<FieldDefault>,
    /// Conversions between two types.
    pub conversions: Vec<Conversion>,
    /// What a session starts with, also where an older one cannot be converted: a [`DefaultFn`].
    pub session: Option<FunctionIndex>,
    /// How many functions the image exports: all numbers of functions are below.
    pub functions: u32,
}

/// A number of a function of an image: index into its [`Functions`].
pub type FunctionIndex = u32;

/// A name and one that it had before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// The thing that was renamed.
    pub place: Place,
    /// A name that it had in an older version.
    pub was: String,
}

/// What a rename speaks of, in [`Lineage::types`].
///
/// A struct counts as one variant, at position 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// A type.
    Type(TypeIndex),
    /// A variant of an enum, by its position.
    Variant(TypeIndex, u32),
    /// A field: the type, the variant's position (0 for a struct), the field's position.
    Field(TypeIndex, u32, u32),
}

/// The value that a field starts with when the state comes from a version without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDefault {
    /// The type that has the field.
    pub ty: TypeIndex,
    /// Position of the variant, 0 for a struct.
    pub variant: u32,
    /// Position of the field.
    pub field: u32,
    /// A [`DefaultFn`].
    pub function: FunctionIndex,
}

/// A conversion from an older type to one of the schema, and perhaps the way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// The older type, as the author wrote it down in the newer crate.
    pub old: TypeIndex,
    /// The newer type.
    pub new: TypeIndex,
    /// A [`ConvertFn`] from `old` to `new`.
    pub up: FunctionIndex,
    /// A [`ConvertFn`] from `new` to `old`; `None` means that there is no way back.
    pub back: Option<FunctionIndex>,
}

/// Writes a default to raw memory of the field's size and alignment. True when it did, false when
/// it panicked and wrote nothing.
///
/// `[engine]`
pub type DefaultFn = unsafe extern "C" fn(to: *mut u8) -> bool;

/// Reads a value at `from`, which stays as it is and stays the caller's, and writes its conversion
/// to raw memory at `to`. True when it did, false when it panicked and wrote nothing.
///
/// `[engine]`
pub type ConvertFn = unsafe extern "C" fn(from: *const u8, to: *mut u8) -> bool;

/// Addresses of an image's [`DefaultFn`]s and [`ConvertFn`]s, by number. Not valid after the image
/// was retired.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Functions(pub Vec<usize>);

impl Lineage {
    /// The lineage of a version that says nothing: no renames, no defaults, no conversions.
    pub fn of_schema(schema: &Schema) -> Self {
        Self { types: schema.types.clone(), ..Self::default() }
    }

    /// The number of the function that makes a field's default.
    pub fn default_of(&self, ty: TypeIndex, variant: u32, field: u32) -> Option<FunctionIndex> {
        let found = |d: &&FieldDefault| (d.ty, d.variant, d.field) == (ty, variant, field);
        self.defaults.iter().find(found).map(|default| default.function)
    }

    /// The names that something had before.
    pub fn names_before(&self, place: Place) -> impl Iterator<Item = &str> {
        self.renames.iter().filter(move |r| r.place == place).map(|r| r.was.as_str())
    }
}
