//! [`Lost`]: a part of the old value that the new type cannot hold, as it is set aside.

mod wire;

use core::fmt;

use super::{Converter, Work};
use crate::migrate::marks::Mark;
use crate::schema::{Kind, TypeDef, TypeIndex};

/// A part that has no place in the new value: where it was, and what it was.
///
/// It is kept as an image ([`Reflect::write`](crate::reflect::Reflect::write)), which owns no memory
/// of the state and needs no code: it can be counted, written to disk, and made a value again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The way to it from the value that was converted.
    pub path: Vec<Step>,
    /// Its type in the schema that it was lost from.
    pub ty: TypeIndex,
    /// Its image.
    pub image: Vec<u8>,
    /// The default that started in its place, if one did. It comes back only while that is there.
    pub instead: Option<Instead>,
    /// The entries that it is below, or is, one for each key of the path; empty where they do not matter.
    pub marks: Vec<Mark>,
}

/// A default that is in the place of a [`Lost`] part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead {
    /// Fingerprint of the schema that it is in. A third version may have moved it: then nobody knows.
    pub schema: u64,
    /// The way to it.
    pub path: Vec<Step>,
    /// Its type.
    pub ty: TypeIndex,
    /// Its image.
    pub image: Vec<u8>,
}

/// One step down a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To the field at this offset.
    Field(u32),
    /// Into the variant with this tag: the steps below count from the start of the enum.
    Variant(u8),
    /// Into an option that is `Some`.
    Some,
    /// To what a box holds.
    Boxed,
    /// To an element, by its position when it was lost: the last step, or one of an array.
    Item(u64),
    /// To an element of a list that lost a part: by the position it had in the new list, and the hash of its
    /// image there under this seed.
    Element {
        /// The position.
        at: u64,
        /// Key of the hash.
        seed: u64,
        /// The hash.
        image: u64,
    },
    /// To the same, once it was found: its position in a list of so many. Not kept.
    There {
        /// The position.
        at: u64,
        /// Elements of the list. When it has another number by then, the position says nothing.
        of: u64,
    },
    /// To the value behind the key with this image. As the last step it means the whole entry.
    Key(Vec<u8>),
}

impl Step {
    /// Whether this step can be taken from a value of this kind.
    pub fn leads_from(&self, def: &TypeDef) -> bool {
        match self {
            Self::Field(_) => matches!(def.kind, Kind::Struct | Kind::Enum),
            Self::Variant(_) => def.kind == Kind::Enum,
            Self::Some => def.kind == Kind::Option,
            Self::Boxed => def.kind == Kind::Box,
            Self::Item(_) => matches!(def.kind, Kind::Array | Kind::Vec | Kind::VecDeque),
            Self::Element { .. } | Self::There { .. } => {
                matches!(def.kind, Kind::Vec | Kind::VecDeque)
            }
            Self::Key(_) => matches!(def.kind, Kind::HashMap | Kind::BTreeMap),
        }
    }
}

impl fmt::Display for Lost {
    /// `@24."key"@8 (17 bytes)`: offsets and keys on the way, and the size of the image.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.path {
            match step {
                Step::Field(offset) => write!(f, "@{offset}")?,
                Step::Variant(tag) => write!(f, "::{tag}")?,
                Step::Some => f.write_str("?")?,
                Step::Boxed => f.write_str("*")?,
                Step::Item(at) | Step::Element { at, .. } | Step::There { at, .. } => {
                    write!(f, "[{at}]")?;
                }
                Step::Key(key) => write!(f, "[\"{}\"]", key.escape_ascii())?,
            }
        }
        write!(f, " ({} bytes)", self.image.len())
    }
}

impl Lost {
    /// Whether it is an entry of a map or an element of a list, or a part of one.
    pub fn is_of_entry(&self) -> bool {
        let one_of_many = |step: &Step| matches!(step, Step::Key(_) | Step::Element { .. });
        self.is_element() || self.path.iter().any(one_of_many)
    }

    /// Whether both are whole entries of one map.
    pub fn is_beside(&self, other: &Self) -> bool {
        fn way(part: &Lost) -> Option<&[Step]> {
            part.path.split_last().filter(|(last, _)| matches!(last, Step::Key(_))).map(|of| of.1)
        }
        way(self).is_some() && way(self) == way(other)
    }

    /// Whether an element of a list: its position means nothing once the list has changed, so it
    /// goes to the end.
    pub fn is_element(&self) -> bool {
        matches!(self.path.last(), Some(Step::Item(_)))
    }
}

impl Converter<'_> {
    /// Sets the part of the old value at `at` aside.
    ///
    /// # Safety
    /// `at` is a value of the type in the old schema.
    pub(super) unsafe fn lose(&self, ty: TypeIndex, at: *mut u8, work: &mut Work<'_>) {
        let mut image = Vec::new();
        // SAFETY: the caller's promise.
        unsafe { self.old.reflect.write(ty, at, &mut image) };
        let (path, marks) = (work.path.clone(), work.marks.clone());
        work.journal.lost.push(Lost { path, ty, image, instead: None, marks });
    }
}
