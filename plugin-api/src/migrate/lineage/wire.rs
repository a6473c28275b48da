//! The encoded form of a lineage, which crosses the boundary: as a schema's.

use super::{Conversion, FieldDefault, Lineage, Place, Rename};
use crate::schema::{Decoder, Encoder, Schema, SchemaError};

/// Stands for "no function".
const NONE: u32 = u32::MAX;

impl Lineage {
    /// The encoded form. See [`Lineage::decode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        out.types(&self.types);
        out.u32(self.renames.len() as u32);
        for rename in &self.renames {
            let (kind, [ty, variant, field]) = match rename.place {
                Place::Type(ty) => (0, [ty, 0, 0]),
                Place::Variant(ty, variant) => (1, [ty, variant, 0]),
                Place::Field(ty, variant, field) => (2, [ty, variant, field]),
            };
            out.u32s([kind, ty, variant, field]);
            out.text(&rename.was);
        }
        out.u32(self.defaults.len() as u32);
        for FieldDefault { ty, variant, field, function } in &self.defaults {
            out.u32s([*ty, *variant, *field, *function]);
        }
        out.u32(self.conversions.len() as u32);
        for Conversion { old, new, up, back } in &self.conversions {
            out.u32s([*old, *new, *up, back.unwrap_or(NONE)]);
        }
        out.u32(self.functions);
        out.u32(self.session.unwrap_or(NONE));
        out.0
    }

    /// Reads what [`Lineage::encode`] wrote, for an image with this schema.
    ///
    /// # Errors
    /// [`SchemaError`] with the byte offset when the bytes end early, hold an index or a number of a
    /// function outside its list, or do not begin with the types of the schema.
    pub fn decode(bytes: &[u8], schema: &Schema) -> Result<Self, SchemaError> {
        let mut input = Decoder::new(bytes);
        let types = input.types()?;
        if !types.starts_with(&schema.types) {
            return Err(input.error("types that are not those of the schema"));
        }
        let renames = input.list(rename)?;
        let defaults = input.list(|input| {
            let (ty, variant, field) = (input.u32()?, input.u32()?, input.u32()?);
            Ok(FieldDefault { ty, variant, field, function: input.u32()? })
        })?;
        let conversions = input.list(|input| {
            let (old, new, up, back) = (input.u32()?, input.u32()?, input.u32()?, input.u32()?);
            Ok(Conversion { old, new, up, back: (back != NONE).then_some(back) })
        })?;
        let functions = input.u32()?;
        let session = Some(input.u32()?).filter(|&session| session != NONE);
        let lineage = Self { types, renames, defaults, conversions, session, functions };
        if lineage.is_sound() { Ok(lineage) } else { Err(input.error("an index outside its list")) }
    }

    fn is_sound(&self) -> bool {
        let ty = |ty: u32| (ty as usize) < self.types.len();
        let function = |index: u32| index < self.functions;
        self.conversions
            .iter()
            .all(|c| ty(c.old) && ty(c.new) && function(c.up) && c.back.is_none_or(function))
            && self.defaults.iter().all(|d| ty(d.ty) && function(d.function))
            && self.session.is_none_or(function)
    }
}

fn rename(input: &mut Decoder<'_>) -> Result<Rename, SchemaError> {
    let kind = input.u32()?;
    let (ty, variant, field) = (input.u32()?, input.u32()?, input.u32()?);
    let place = match kind {
        0 => Place::Type(ty),
        1 => Place::Variant(ty, variant),
        2 => Place::Field(ty, variant, field),
        _ => return Err(input.error("an unknown kind of rename")),
    };
    Ok(Rename { place, was: input.text()? })
}
