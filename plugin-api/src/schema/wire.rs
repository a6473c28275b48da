//! The encoded form of a schema, which crosses the boundary: little-endian, lengths before content.

use std::fmt;

use super::{Field, Kind, Schema, TypeDef, TypeIndex, Variant};

impl Schema {
    /// The encoded form, which crosses the boundary at the handshake. See [`Schema::decode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        out.u32(self.number);
        out.u64(self.fingerprint);
        out.u32(self.root);
        out.u32(self.session);
        out.types(&self.types);
        out.0
    }

    /// Reads what [`Schema::encode`] wrote: little-endian, lengths before content.
    ///
    /// # Errors
    /// [`SchemaError`] with the byte offset when the bytes end early, hold an unknown kind, text that
    /// is not UTF-8, or an index outside the type list.
    pub fn decode(bytes: &[u8]) -> Result<Self, SchemaError> {
        let mut input = Decoder::new(bytes);
        let number = input.u32()?;
        let fingerprint = input.u64()?;
        let root = input.u32()?;
        let session = input.u32()?;
        let types = input.types()?;
        if (root.max(session) as usize) < types.len() {
            Ok(Self { number, fingerprint, root, session, types })
        } else {
            Err(input.error(OUTSIDE))
        }
    }
}

const OUTSIDE: &str = "an index outside the type list";

fn arguments(kind: Kind) -> usize {
    match kind {
        Kind::HashMap | Kind::BTreeMap => 2,
        Kind::Array | Kind::Option | Kind::Box | Kind::Vec | Kind::VecDeque | Kind::HashSet => 1,
        _ => 0,
    }
}

/// Bytes that are not a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// Byte offset at which reading stopped.
    pub offset: usize,
    /// What was wrong there.
    pub what: &'static str,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a schema: {} at byte {}", self.what, self.offset)
    }
}

impl std::error::Error for SchemaError {}

/// Writes numbers, texts and types.
#[derive(Debug, Default)]
pub(crate) struct Encoder(pub Vec<u8>);

impl Encoder {
    pub fn types(&mut self, types: &[TypeDef]) {
        self.u32(types.len() as u32);
        for def in types {
            self.0.push(def.kind as u8);
            self.text(&def.name);
            for n in [def.size, def.align, def.format, def.count, def.args.len() as u32] {
                self.u32(n);
            }
            for &arg in &def.args {
                self.u32(arg);
            }
            self.fields(&def.fields);
            self.u32(def.variants.len() as u32);
            for variant in &def.variants {
                self.text(&variant.name);
                self.0.push(variant.tag);
                self.fields(&variant.fields);
            }
        }
    }

    pub fn u32(&mut self, n: u32) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    fn u64(&mut self, n: u64) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    pub fn u32s<const N: usize>(&mut self, numbers: [u32; N]) {
        numbers.into_iter().for_each(|n| self.u32(n));
    }

    pub fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn fields(&mut self, fields: &[Field]) {
        self.u32(fields.len() as u32);
        for field in fields {
            self.text(&field.name);
            self.u32(field.offset);
            self.u32(field.ty);
        }
    }
}

/// Reads what [`Encoder`] wrote.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Decoder<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// A list of types whose indices all lie within it.
    pub fn types(&mut self) -> Result<Vec<TypeDef>, SchemaError> {
        let types = self.list(Self::type_def)?;
        let inside = |i: TypeIndex| (i as usize) < types.len();
        let sound = types.iter().all(|def| {
            let variants = def.variants.iter().flat_map(|v| &v.fields);
            def.args.iter().all(|&a| inside(a))
                && def.fields.iter().chain(variants).all(|f| inside(f.ty))
                && def.args.len() >= arguments(def.kind)
        });
        if sound { Ok(types) } else { Err(self.error(OUTSIDE)) }
    }

    fn type_def(&mut self) -> Result<TypeDef, SchemaError> {
        let kind = Kind::from_u8(self.u8()?).ok_or_else(|| self.error("unknown kind"))?;
        let name = self.text()?;
        let (size, align) = (self.u32()?, self.u32()?);
        let (format, count) = (self.u32()?, self.u32()?);
        let args = self.list(Self::u32)?;
        let fields = self.fields()?;
        let variants = self.list(|input| {
            Ok(Variant { name: input.text()?, tag: input.u8()?, fields: input.fields()? })
        })?;
        Ok(TypeDef { kind, name, size, align, format, count, args, fields, variants })
    }

    pub fn error(&self, what: &'static str) -> SchemaError {
        SchemaError { offset: self.at, what }
    }

    fn take(&mut self, n: usize) -> Result<&[u8], SchemaError> {
        let error = self.error("it ends early");
        let part = self.at.checked_add(n).and_then(|end| self.bytes.get(self.at..end));
        let part = part.ok_or(error)?;
        self.at += n;
        Ok(part)
    }

    pub fn u8(&mut self) -> Result<u8, SchemaError> {
        Ok(self.take(1)?[0])
    }

    pub fn u32(&mut self) -> Result<u32, SchemaError> {
        Ok(self.take(4)?.iter().rev().fold(0, |n, &b| n << 8 | u32::from(b)))
    }

    fn u64(&mut self) -> Result<u64, SchemaError> {
        Ok(self.take(8)?.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
    }

    pub fn text(&mut self) -> Result<String, SchemaError> {
        let n = self.u32()? as usize;
        let error = self.error("text that is not UTF-8");
        String::from_utf8(self.take(n)?.to_vec()).map_err(|_| error)
    }

    pub fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, SchemaError>,
    ) -> Result<Vec<T>, SchemaError> {
        let count = self.u32()?;
        (0..count).map(|_| item(self)).collect()
    }

    fn fields(&mut self) -> Result<Vec<Field>, SchemaError> {
        self.list(|input| Ok(Field { name: input.text()?, offset: input.u32()?, ty: input.u32()? }))
    }
}
