//! Images as JSON, by their schema alone: no code of the plugin that wrote them is needed.
//!
//! As serde would have it: a struct is an object, one without names an array, one with a single such
//! field that; an enum is the variant's name, or an object with it as the only key. Bytes are a text
//! where they are one, else `{"hex": "..."}`; a map with texts as keys is an object, another one an array
//! of pairs.

use std::fmt::Write as _;

use hotshell_plugin_api::reflect::{Ends, NUMBERED, Source as _};
use hotshell_plugin_api::schema::{Field, Kind, Schema, TypeDef, TypeIndex};

/// How deep values may nest: deeper ones are a damaged image, or a list made of boxes.
const MAX_DEPTH: usize = 500;

/// A map or tree whose entries are not in the outline.
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
    /// The maps whose entries follow, by their numbers, as far as they were come upon.
    maps: Vec<Left>,
    /// Within an outline: the way to the value.
    path: Option<String>,
}

impl<'s> Describer<'s> {
    /// One for values of a schema.
    pub const fn new(schema: &'s Schema) -> Self {
        Self { schema, out: String::new(), depth: 0, maps: Vec::new(), path: None }
    }

    /// The root by its outline: a map whose entries follow is there as their number.
    ///
    /// # Errors
    /// [`Ends`]: it is no outline of this schema.
    pub fn outline(&mut self, image: &mut &[u8]) -> Result<String, Ends> {
        self.below_path(String::new(), self.schema.root, image)
    }

    /// The map with a number, of those that were come upon.
    pub fn map(&self, number: usize) -> Option<&Left> {
        self.maps.get(number)
    }

    /// A value of a type.
    ///
    /// # Errors
    /// [`Ends`]: it is no image of that type.
    pub fn one(&mut self, ty: TypeIndex, image: &mut &[u8]) -> Result<String, Ends> {
        self.value(ty, image)?;
        Ok(std::mem::take(&mut self.out))
    }

    /// An entry: the way to its map, its key, and its value, unless it is of a set.
    ///
    /// # Errors
    /// [`Ends`]: it is no entry of the maps that were come upon so far.
    pub fn entry(&mut self, image: &mut &[u8]) -> Result<(String, String, Option<String>), Ends> {
        let unknown = Ends { what: "an entry is of a map that is not in the outline" };
        let Left { path, key, value } = self.maps.get(count(image)?).ok_or(unknown)?.clone();
        let key = self.one(key, image)?;
        let within = |value| self.below_path(format!("{path}[{key}]"), value, image);
        let value = value.map(within).transpose()?;
        Ok((path, key, value))
    }

    /// A value by its outline, of which this is the way to it.
    fn below_path(
        &mut self,
        path: String,
        ty: TypeIndex,
        image: &mut &[u8],
    ) -> Result<String, Ends> {
        self.path = Some(path);
        let written = self.value(ty, image);
        self.path = None;
        written?;
        Ok(std::mem::take(&mut self.out))
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
                self.items(def.args[0], len, image)?;
            }
            Kind::HashMap | Kind::HashSet | Kind::BTreeMap => self.map_of(def, image)?,
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

    fn map_of(&mut self, def: &'s TypeDef, image: &mut &[u8]) -> Result<(), Ends> {
        let mut head = count(image)?;
        if def.kind == Kind::BTreeMap && head & NUMBERED != 0 {
            let _: [u8; 4] = take(image)?;
            head &= !NUMBERED;
        }
        let (len, later) = match self.path {
            Some(_) => (head >> 1, head & 1 == 1),
            None => (head, false),
        };
        if len > 0 && def.kind != Kind::BTreeMap {
            let _: [u8; 16] = take(image)?;
        }
        match self.path.clone().filter(|_| later) {
            Some(path) => {
                self.maps.push(Left { path, key: def.args[0], value: def.args.get(1).copied() });
                let _ = write!(self.out, "{{\"entries\":{len}}}");
                Ok(())
            }
            None => self.pairs(def, len, image),
        }
    }

    /// The entries of a map.
    fn pairs(&mut self, def: &'s TypeDef, len: usize, image: &mut &[u8]) -> Result<(), Ends> {
        let (key, value) = (def.args[0], def.args.get(1).copied());
        let named = value.is_some() && self.schema.types[key as usize].kind == Kind::String;
        self.out.push(if named { '{' } else { '[' });
        for n in 0..len {
            self.comma(n);
            let Some(value) = value else {
                self.value(key, image)?;
                continue;
            };
            if !named {
                self.out.push('[');
            }
            let at = self.out.len();
            self.value(key, image)?;
            let step = self.path.is_some().then(|| format!("[{}]", &self.out[at..]));
            self.out.push(if named { ':' } else { ',' });
            self.below(&step.unwrap_or_default(), value, image)?;
            if !named {
                self.out.push(']');
            }
        }
        self.out.push(if named { '}' } else { ']' });
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
