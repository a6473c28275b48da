//! Which formats of collections this crate knows, and which a schema wants.

use std::fmt;

use super::{Kind, Schema, TypeDef};
use crate::collections::{
    boxed, btree_map, bytes, hash_map, hash_set, option, string, vec, vec_deque,
};

/// A collection of a schema whose format is not the one that this crate knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignFormat {
    /// The type, as an author would write it.
    pub name: String,
    /// Its format.
    pub format: u32,
    /// The format of that collection in this crate.
    pub known: u32,
}

impl fmt::Display for ForeignFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, format, known } = self;
        write!(f, "its state has {name} in format {format}, this host knows format {known}")
    }
}

impl Kind {
    /// The format number of this collection in this crate; `None` for what is no collection.
    pub const fn known_format(self) -> Option<u32> {
        match self {
            Self::Option => Some(option::FORMAT),
            Self::Box => Some(boxed::FORMAT),
            Self::Bytes => Some(bytes::FORMAT),
            Self::String => Some(string::FORMAT),
            Self::Vec => Some(vec::FORMAT),
            Self::VecDeque => Some(vec_deque::FORMAT),
            Self::HashMap => Some(hash_map::FORMAT),
            Self::HashSet => Some(hash_set::FORMAT),
            Self::BTreeMap => Some(btree_map::FORMAT),
            Self::Unit
            | Self::Bool
            | Self::Unsigned
            | Self::Signed
            | Self::Float
            | Self::Array
            | Self::Struct
            | Self::Enum => None,
        }
    }
}

impl Schema {
    /// The first collection whose format this crate does not know. A host walks, converts and frees
    /// collections with its own copy of their code, so it cannot take such a plugin. O(types).
    pub fn foreign_format(&self) -> Option<ForeignFormat> {
        let foreign = |(index, def): (usize, &TypeDef)| {
            let known = def.kind.known_format()?;
            let name = || self.type_name(index as u32);
            (def.format != known).then(|| ForeignFormat { name: name(), format: def.format, known })
        };
        self.types.iter().enumerate().find_map(foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collections::{
        BTreeMap, Box, Bytes, HashMap, HashSet, Option, String, Vec, VecDeque,
    };

    #[test]
    fn every_collection_of_this_crate_is_known_and_another_format_is_found() {
        type Maps = HashMap<u8, BTreeMap<Bytes, HashSet<u8>>>;
        type Rows = VecDeque<Option<Box<Vec<String>>>>;
        let mut schemas = [Schema::of::<Maps, ()>(), Schema::of::<(), Rows>()];
        for schema in &mut schemas {
            assert_eq!(schema.foreign_format(), None);
            for n in 0..schema.types.len() {
                let Some(known) = schema.types[n].kind.known_format() else { continue };
                schema.types[n].format = known + 1;
                let name = schema.type_name(n as u32);
                let found = ForeignFormat { name, format: known + 1, known };
                assert_eq!(schema.foreign_format(), Some(found));
                schema.types[n].format = known;
            }
        }
    }
}
