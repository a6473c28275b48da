//! Where two schemas part.

use std::collections::HashSet;
use std::fmt;

use super::{Field, Kind, Schema, TypeDef, TypeIndex, Variant};

/// Where two schemas part, with both sides in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Path from the root: `state.names[]`.
    pub path: String,
    /// What the first schema has there.
    pub left: String,
    /// What the second schema has there.
    pub right: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} | {}", self.path, self.left, self.right)
    }
}

impl Schema {
    /// The first place where `self` and `other` differ, as `path: this | that`; `None` when a value
    /// of one can be taken over as the other, byte for byte and meaning for meaning.
    ///
    /// O(types), each pair compared once.
    pub fn first_difference(&self, other: &Schema) -> Option<Difference> {
        let mut compared = HashSet::new();
        let root = self.difference_at("state", self.root, other, other.root, &mut compared);
        root.or_else(|| {
            self.difference_at("session", self.session, other, other.session, &mut compared)
        })
    }

    fn difference_at(
        &self,
        path: &str,
        mine: TypeIndex,
        other: &Schema,
        theirs: TypeIndex,
        compared: &mut HashSet<(TypeIndex, TypeIndex)>,
    ) -> Option<Difference> {
        if !compared.insert((mine, theirs)) {
            return None;
        }
        let (a, b) = (&self.types[mine as usize], &other.types[theirs as usize]);
        let differ =
            |left: String, right: String| Some(Difference { path: path.to_owned(), left, right });
        if a.kind != b.kind
            || a.name != b.name
            || a.count != b.count
            || a.args.len() != b.args.len()
            || (a.kind.is_number() && a.size != b.size)
        {
            return differ(self.type_name(mine), other.type_name(theirs));
        }
        if a.format != b.format {
            let word =
                if a.kind == Kind::Struct || a.kind == Kind::Enum { "schema" } else { "format" };
            let say = |s: &Schema, i, n| format!("{} ({word} {n})", s.type_name(i));
            return differ(say(self, mine, a.format), say(other, theirs, b.format));
        }
        if let Some(found) = self.fields_differ(path, &a.fields, other, &b.fields, compared) {
            return Some(found);
        }
        for i in 0..a.variants.len().max(b.variants.len()) {
            match (a.variants.get(i), b.variants.get(i)) {
                (Some(x), Some(y)) if x.name == y.name && x.tag == y.tag => {
                    let path = format!("{path}::{}", x.name);
                    let found = self.fields_differ(&path, &x.fields, other, &y.fields, compared);
                    if found.is_some() {
                        return found;
                    }
                }
                (x, y) => {
                    let say = |v: Option<&Variant>| match v {
                        Some(v) => format!("variant {} = {}", v.name, v.tag),
                        None => "no such variant".to_owned(),
                    };
                    return differ(say(x), say(y));
                }
            }
        }
        if a.size != b.size || a.align != b.align {
            let say = |d: &TypeDef| format!("{} bytes aligned to {}", d.size, d.align);
            return differ(say(a), say(b));
        }
        a.args.iter().zip(&b.args).enumerate().find_map(|(i, (&x, &y))| {
            let step = if a.args.len() == 2 && i == 0 { "<key>" } else { "[]" };
            self.difference_at(&format!("{path}{step}"), x, other, y, compared)
        })
    }

    fn fields_differ(
        &self,
        path: &str,
        mine: &[Field],
        other: &Schema,
        theirs: &[Field],
        compared: &mut HashSet<(TypeIndex, TypeIndex)>,
    ) -> Option<Difference> {
        let say = |schema: &Schema, field: &Field| {
            format!("{} at offset {}", schema.type_name(field.ty), field.offset)
        };
        for field in mine {
            let path = format!("{path}.{}", field.name);
            let Some(twin) = theirs.iter().find(|t| t.name == field.name) else {
                let left = say(self, field);
                return Some(Difference { path, left, right: "no such field".to_owned() });
            };
            let found = self.difference_at(&path, field.ty, other, twin.ty, compared);
            if found.is_some() {
                return found;
            }
        }
        for twin in theirs {
            let path = format!("{path}.{}", twin.name);
            let right = say(other, twin);
            let Some(field) = mine.iter().find(|f| f.name == twin.name) else {
                return Some(Difference { path, left: "no such field".to_owned(), right });
            };
            if field.offset != twin.offset {
                return Some(Difference { path, left: say(self, field), right });
            }
        }
        None
    }
}
