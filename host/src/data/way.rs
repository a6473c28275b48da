//! The way to a part of a value in words: `state.dbs[0].keys["s"]`.

use std::fmt::Write as _;

use hotshell_plugin_api::migrate::convert::{Lost, Step};
use hotshell_plugin_api::schema::{Field, Schema, TypeDef, TypeIndex};

use super::Describer;

/// Where a part lay that was lost from a value of type `ty`: the names of fields on the way, keys as JSON.
/// What cannot be told by the schema is told by offsets.
pub fn way(schema: &Schema, ty: TypeIndex, lost: &Lost) -> String {
    let root = if ty == schema.session && ty != schema.root { "session" } else { "state" };
    let mut way = Way { schema, ty, variant: None, out: root.to_owned() };
    match way.take_all(lost) {
        Some(()) => way.out,
        None => format!("{root}{lost}"),
    }
}

struct Way<'s> {
    schema: &'s Schema,
    /// Of the value that the way has come to.
    ty: TypeIndex,
    /// Of the enum that it has come to.
    variant: Option<u8>,
    out: String,
}

impl<'s> Way<'s> {
    fn def(&self) -> &'s TypeDef {
        &self.schema.types[self.ty as usize]
    }

    fn take_all(&mut self, lost: &Lost) -> Option<()> {
        for (n, step) in lost.path.iter().enumerate() {
            self.take(step)?;
            let next = lost.path.get(n + 1);
            let arrived = |way: &Self| match next {
                Some(next) => next.leads_from(way.def()),
                None => way.ty == lost.ty || matches!(step, Step::Key(_)),
            };
            // A field of a struct that was taken apart is named by its offset alone.
            while !arrived(self) {
                let first = self.def().fields.iter().find(|field| field.offset == 0)?;
                self.enter(first);
            }
        }
        Some(())
    }

    fn take(&mut self, step: &Step) -> Option<()> {
        let def = self.def();
        let inner = def.args.first().copied();
        match step {
            Step::Field(offset) => return self.field(*offset),
            Step::Variant(tag) => {
                let variant = def.variants.iter().find(|variant| variant.tag == *tag)?;
                let _ = write!(self.out, "::{}", variant.name);
                self.variant = Some(*tag);
                return Some(());
            }
            Step::Some | Step::Boxed => self.ty = inner?,
            Step::Item(i) | Step::Element { at: i, .. } | Step::There { at: i, .. } => {
                let _ = write!(self.out, "[{i}]");
                self.ty = inner?;
            }
            Step::Key(image) => {
                let key = Describer::new(self.schema).one(inner?, &mut &image[..]).ok()?;
                let _ = write!(self.out, "[{key}]");
                self.ty = *def.args.get(1)?;
            }
        }
        self.variant = None;
        Some(())
    }

    fn field(&mut self, offset: u32) -> Option<()> {
        let (mut fields, mut offset) = match self.variant.take() {
            Some(tag) => (&self.def().variants.iter().find(|of| of.tag == tag)?.fields, offset),
            None => (&self.def().fields, offset),
        };
        loop {
            let field = fields.iter().rfind(|field| field.offset <= offset)?;
            self.enter(field);
            offset -= field.offset;
            if offset == 0 {
                return Some(());
            }
            fields = &self.def().fields;
        }
    }

    fn enter(&mut self, field: &Field) {
        let _ = write!(self.out, ".{}", field.name);
        self.ty = field.ty;
    }
}

#[cfg(test)]
#[path = "way_tests.rs"]
mod tests;
