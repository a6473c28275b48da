//! Images as JSON, by their schema alone: no code of the plugin that wrote them is needed.
//!
//! As serde would have it: a struct is an object, one without names an array, one with a single such
//! field that; an enum is the variant's name, or an object with it as the only key. Bytes are a text
//! where they are one, else `{"hex": "..."}`; a map with texts as keys is an object, another one an array
//! of pairs.

use std::fmt::Write as _;

use hotshell_plugin_api::reflect::{Ends, Source as _};
use hotshell_plugin_api::schema::{Field, Kind, Schema, TypeDef, TypeIndex};

/// How deep values may nest: deeper ones are a damaged image, or a list made of boxes.
const MAX_DEPTH: usize = 500;

/// A hash map whose entries are not in the outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The way to it from the root: `dbs[0].keys`.
    pub path: String,
    key: TypeIndex,
    value: Option<TypeIndex>,
}

/// Writes values as JSON.
#[derive(Debug)]
pub struct Describer<'s> {
    schema: &'s Schema,
    /// What was written.
    out: String,
    depth: usize,
    /// The maps of an outline so far.
    maps: Vec<Left>,
    /// Within an outline: the way to the value.
    path: Option<String>,
}

impl<'s> Describer<'s> {
    /// One for values of a schema.
    pub const fn new(schema: &'s Schema) -> Self {
        Self { schema, out: String::new(), depth: 0, maps: Vec::new(), path: None }
    }

    /// The root by its outline, and the maps whose entries follow: each is there as its number of entries.
    ///
    /// # Errors
    /// [`Ends`]: it is no outline of this schema.
    pub fn outline(&mut self, image: &mut &[u8]) -> Result<(String, Vec<Left>), Ends> {
        self.path = Some(String::new());
        let written = self.value(self.schema.root, image);
        self.path = None;
        written?;
        Ok((std::mem::take(&mut self.out), std::mem::take(&mut self.maps)))
    }

    /// A value of a type.
    ///
    /// # Errors
    /// [`Ends`]: it is no image of that type.
    pub fn one(&mut self, ty: TypeIndex, image: &mut &[u8]) -> Result<String, Ends> {
        self.value(ty, image)?;
        Ok(std::mem::take(&mut self.out))
    }

    /// An entry: its map, its key, and its value, unless it is of a set.
    ///
    /// # Errors
    /// [`Ends`]: it is no entry of these maps.
    pub fn entry<'m>(
        &mut self,
        maps: &'m [Left],
        image: &mut &[u8],
    ) -> Result<(&'m Left, String, Option<String>), Ends> {
        let unknown = Ends { what: "an entry is of a map that is not in the outline" };
        let map = maps.get(count(image)?).ok_or(unknown)?;
        let key = self.one(map.key, image)?;
        let value = map.value.map(|value| self.one(value, image)).transpose()?;
        Ok((map, key, value))
    }

    fn value(&mut self, ty: TypeIndex, image: &mut &[u8]) -> Result<(), Ends> {
        if self.depth == MAX_DEPTH {
            return Err(Ends { what: "values nest too deep to be shown" });
        }
        self.depth += 1;
        let shown = self.shown(&self.schema.types[ty as usize], image);
        self.depth -= 1;
        shown
    }

    fn shown(&mut self, def: &'s TypeDef, image: &mut &[u8]) -> Result<(), Ends> {
        match def.kind {
            Kind::Unit => self.out.push_str("null"),
            Kind::Bool => {
                let [flag] = take(image)?;
                self.out.push_str(if flag == 0 { "false" } else { "true" });
            }
            Kind::Unsigned | Kind::Signed | Kind::Float => self.number(def, image)?,
            Kind::Bytes | Kind::String => self.text(image)?,
            Kind::Box => self.value(def.args[0], image)?,
            Kind::Option => match take(image)? {
                [0] => self.out.push_str("null"),
                [_] => self.value(def.args[0], image)?,
            },
            Kind::Struct => self.fields(&def.fields, image)?,
            Kind::Enum => self.variant(def, image)?,
            Kind::Array => self.items(def.args[0], def.count as usize, image)?,
            Kind::Vec | Kind::VecDeque => {
                let len = count(image)?;
                // Within a list everything is part of the outline.
                let path = self.path.take();
                self.items(def.args[0], len, image)?;
                self.path = path;
            }
            Kind::HashMap | Kind::HashSet | Kind::BTreeMap => self.map(def, image)?,
        }
        Ok(())
    }

    fn number(&mut self, def: &TypeDef, image: &mut &[u8]) -> Result<(), Ends> {
        let (size, mut bytes) = (def.size as usize, [0; 16]);
        image.take(&mut bytes[..size])?;
        let signed = def.kind == Kind::Signed && bytes[size - 1] >= 0x80;
        if signed {
            bytes[size..].fill(0xff);
        }
        let float = match (def.kind, size) {
            (Kind::Float, 4) => Some(f64::from(f32::from_le_bytes(first(&bytes)))),
            (Kind::Float, _) => Some(f64::from_le_bytes(first(&bytes))),
            _ => None,
        };
        let out = &mut self.out;
        let _ = match float {
            Some(float) if float.is_finite() => write!(out, "{float:?}"),
            // JSON has no such number.
            Some(float) => write!(out, "\"{float:?}\""),
            None if signed => write!(out, "{}", i128::from_le_bytes(bytes)),
            None => write!(out, "{}", u128::from_le_bytes(bytes)),
        };
        Ok(())
    }

    fn text(&mut self, image: &mut &[u8]) -> Result<(), Ends> {
        let len = count(image)?;
        let early = Ends { what: "the image ends early" };
        let (bytes, rest) = image.split_at_checked(len).ok_or(early)?;
        *image = rest;
        self.out.push_str(&text_or_hex(bytes));
        Ok(())
    }

    fn fields(&mut self, fields: &'s [Field], image: &mut &[u8]) -> Result<(), Ends> {
        let nameless =
            fields.iter().all(|field| field.name.starts_with(|c: char| c.is_ascii_digit()));
        match fields {
            [] => self.out.push_str("null"),
            [only] if nameless => self.field(only, image)?,
            _ => {
                self.out.push(if nameless { '[' } else { '{' });
                for (n, field) in fields.iter().enumerate() {
                    self.comma(n);
                    if !nameless {
                        let _ = write!(self.out, "{}:", quoted(&field.name));
                    }
                    self.field(field, image)?;
                }
                self.out.push(if nameless { ']' } else { '}' });
            }
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, image: &mut &[u8]) -> Result<(), Ends> {
        let dot = if self.path.as_ref().is_some_and(|path| !path.is_empty()) { "." } else { "" };
        self.below(&format!("{dot}{}", field.name), field.ty, image)
    }

    fn variant(&mut self, def: &'s TypeDef, image: &mut &[u8]) -> Result<(), Ends> {
        let [tag] = take(image)?;
        let found = def.variants.iter().find(|variant| variant.tag == tag);
        let variant = found.ok_or(Ends { what: "an enum has no such variant" })?;
        if variant.fields.is_empty() {
            self.out.push_str(&quoted(&variant.name));
            return Ok(());
        }
        let _ = write!(self.out, "{{{}:", quoted(&variant.name));
        self.fields(&variant.fields, image)?;
        self.out.push('}');
        Ok(())
    }

    fn items(&mut self, ty: TypeIndex, len: usize, image: &mut &[u8]) -> Result<(), Ends> {
        self.out.push('[');
        for n in 0..len {
            self.comma(n);
            self.below(&format!("[{n}]"), ty, image)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn map(&mut self, def: &'s TypeDef, image: &mut &[u8]) -> Result<(), Ends> {
        let (len, hashed) = (count(image)?, def.kind != Kind::BTreeMap);
        if hashed && len > 0 {
            let _: [u8; 16] = take(image)?;
        }
        let (key, value) = (def.args[0], def.args.get(1).copied());
        if let Some(path) = self.path.as_ref().filter(|_| hashed) {
            // Maps without entries have no number.
            if len > 0 {
                self.maps.push(Left { path: path.clone(), key, value });
            }
            let _ = write!(self.out, "{{\"entries\":{len}}}");
            return Ok(());
        }
        let path = self.path.take();
        let named = value.is_some() && self.schema.types[key as usize].kind == Kind::String;
        self.out.push(if named { '{' } else { '[' });
        for n in 0..len {
            self.comma(n);
            match (value, named) {
                (None, _) => self.value(key, image)?,
                (Some(value), true) => {
                    self.value(key, image)?;
                    self.out.push(':');
                    self.value(value, image)?;
                }
                (Some(value), false) => {
                    self.out.push('[');
                    self.value(key, image)?;
                    self.out.push(',');
                    self.value(value, image)?;
                    self.out.push(']');
                }
            }
        }
        self.out.push(if named { '}' } else { ']' });
        self.path = path;
        Ok(())
    }

    /// A part of a value, a step further on the way.
    fn below(&mut self, step: &str, ty: TypeIndex, image: &mut &[u8]) -> Result<(), Ends> {
        let len = self.path.as_ref().map_or(0, String::len);
        self.path.iter_mut().for_each(|path| path.push_str(step));
        let written = self.value(ty, image);
        self.path.iter_mut().for_each(|path| path.truncate(len));
        written
    }

    fn comma(&mut self, n: usize) {
        if n > 0 {
            self.out.push(',');
        }
    }
}

/// Bytes as a JSON value: a text where they are one that can be read.
pub fn text_or_hex(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(char::is_control) => quoted(text),
        _ => format!("{{\"hex\":\"{}\"}}", hex::encode(bytes)),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn first<const N: usize>(bytes: &[u8; 16]) -> [u8; N] {
    *bytes.first_chunk().expect("a number has at most sixteen bytes")
}

fn take<const N: usize>(image: &mut &[u8]) -> Result<[u8; N], Ends> {
    let mut bytes = [0; N];
    image.take(&mut bytes)?;
    Ok(bytes)
}

/// A LEB128 varint.
fn count(image: &mut &[u8]) -> Result<usize, Ends> {
    let mut count = 0_u64;
    for shift in (0..63).step_by(7) {
        let [byte] = take(image)?;
        count |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(count as usize);
        }
    }
    Err(Ends { what: "a length has more than nine bytes" })
}

#[cfg(test)]
#[path = "describe_tests.rs"]
mod tests;
