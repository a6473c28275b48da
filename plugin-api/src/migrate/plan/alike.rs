//! Whether a type written down in a newer crate is the one that an older schema has.

use std::collections::HashSet;

use crate::migrate::lineage::{Lineage, Place};
use crate::schema::{Field, TypeDef, TypeIndex};

/// Compares types of an older schema with the types of a lineage.
pub(super) struct Alike<'a> {
    older: &'a [TypeDef],
    lineage: &'a Lineage,
    compared: HashSet<(TypeIndex, TypeIndex)>,
}

impl<'a> Alike<'a> {
    pub fn new(older: &'a [TypeDef], lineage: &'a Lineage) -> Self {
        Self { older, lineage, compared: HashSet::new() }
    }

    /// Whether `mine`, in the lineage, tells exactly the shape of `theirs`, in the older schema:
    /// the same names (its own, or one that it says it had), numbers, layout and formats, all the
    /// way down.
    pub fn is(&mut self, theirs: TypeIndex, mine: TypeIndex) -> bool {
        if !self.compared.insert((theirs, mine)) {
            return true;
        }
        let (a, b) = (&self.older[theirs as usize], &self.lineage.types[mine as usize]);
        let named = self.named(&a.name, &b.name, Place::Type(mine));
        let shaped = (a.kind, a.size, a.align, a.format, a.count)
            == (b.kind, b.size, b.align, b.format, b.count);
        named
            && shaped
            && (a.args.len(), a.variants.len()) == (b.args.len(), b.variants.len())
            && a.args.iter().zip(&b.args).all(|(&x, &y)| self.is(x, y))
            && self.fields(&a.fields, &b.fields, mine, 0)
            && a.variants.iter().zip(&b.variants).enumerate().all(|(i, (x, y))| {
                self.named(&x.name, &y.name, Place::Variant(mine, i as u32))
                    && x.tag == y.tag
                    && self.fields(&x.fields, &y.fields, mine, i as u32)
            })
    }

    fn fields(&mut self, theirs: &[Field], mine: &[Field], ty: TypeIndex, variant: u32) -> bool {
        theirs.len() == mine.len()
            && theirs.iter().zip(mine).enumerate().all(|(i, (x, y))| {
                self.named(&x.name, &y.name, Place::Field(ty, variant, i as u32))
                    && x.offset == y.offset
                    && self.is(x.ty, y.ty)
            })
    }

    fn named(&self, theirs: &str, mine: &str, place: Place) -> bool {
        theirs == mine || self.lineage.names_before(place).any(|name| name == theirs)
    }
}
