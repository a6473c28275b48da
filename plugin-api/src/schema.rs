//! The schema: what a plugin's state looks like in memory, as data.
//!
//! `#[state]` generates it, the handshake copies it into host memory, and `use` compares two of them
//! to choose a plan. It names every field with its offset, every enum variant, and the format number
//! of every collection, so that "the same bytes" is checked and not hoped for.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::state::StateType;

/// How deep [`Schema::type_name`] follows type arguments.
const MAX_NAME_DEPTH: u32 = 32;

/// Index of a type in [`Schema::types`].
pub type TypeIndex = u32;

/// What kind of thing a [`TypeDef`] is. The numbers are ABI.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `()`.
    Unit = 0,
    /// `bool`: one byte, 0 or 1.
    Bool = 1,
    /// An unsigned integer of `size` bytes.
    Unsigned = 2,
    /// A signed integer of `size` bytes.
    Signed = 3,
    /// An IEEE 754 float of `size` bytes.
    Float = 4,
    /// An array; `count` elements of `args[0]`.
    Array = 5,
    /// A `#[state]` struct.
    Struct = 6,
    /// A `#[state]` enum: a `u8` tag, then the variant's fields.
    Enum = 7,
    /// `collections::Option`, of `args[0]`.
    Option = 8,
    /// `collections::Box`, of `args[0]`.
    Box = 9,
    /// `collections::Bytes`.
    Bytes = 10,
    /// `collections::String`.
    String = 11,
    /// `collections::Vec`, of `args[0]`.
    Vec = 12,
    /// `collections::VecDeque`, of `args[0]`.
    VecDeque = 13,
    /// `collections::HashMap`, from `args[0]` to `args[1]`.
    HashMap = 14,
    /// `collections::HashSet`, of `args[0]`.
    HashSet = 15,
    /// `collections::BTreeMap`, from `args[0]` to `args[1]`.
    BTreeMap = 16,
}

impl Kind {
    fn is_number(self) -> bool {
        matches!(self, Self::Unsigned | Self::Signed | Self::Float)
    }

    fn from_u8(n: u8) -> Option<Self> {
        const ALL: [Kind; 17] = [
            Kind::Unit,
            Kind::Bool,
            Kind::Unsigned,
            Kind::Signed,
            Kind::Float,
            Kind::Array,
            Kind::Struct,
            Kind::Enum,
            Kind::Option,
            Kind::Box,
            Kind::Bytes,
            Kind::String,
            Kind::Vec,
            Kind::VecDeque,
            Kind::HashMap,
            Kind::HashSet,
            Kind::BTreeMap,
        ];
        ALL.get(usize::from(n)).copied()
    }
}

/// A field of a struct or of an enum variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The field's name; `0`, `1`, … in tuple structs and variants.
    pub name: String,
    /// Bytes from the start of the struct or enum.
    pub offset: u32,
    /// The field's type.
    pub ty: TypeIndex,
}

/// A variant of an enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// The variant's name.
    pub name: String,
    /// The tag byte in memory.
    pub tag: u8,
    /// Its fields; offsets count from the start of the enum, tag included.
    pub fields: Vec<Field>,
}

/// One type of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeDef {
    /// What it is.
    pub kind: Kind,
    /// Type name for `#[state]` types, empty for the rest.
    pub name: String,
    /// Bytes a value takes.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
    /// The collection's format number; for `#[state]` types the author's schema number.
    pub format: u32,
    /// Elements of an array, otherwise 0.
    pub count: u32,
    /// Type arguments.
    pub args: Vec<TypeIndex>,
    /// Fields of a struct.
    pub fields: Vec<Field>,
    /// Variants of an enum.
    pub variants: Vec<Variant>,
}

/// The shape of a plugin's state: the state root, the session, and all that hangs off them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The author's schema number of the root.
    pub number: u32,
    /// The compile-time fingerprint over everything below; equal schemas have equal fingerprints.
    pub fingerprint: u64,
    /// The state root.
    pub root: TypeIndex,
    /// The per-connection session.
    pub session: TypeIndex,
    /// All types, each once.
    pub types: Vec<TypeDef>,
}

/// Collects types while [`StateType::describe`] walks them.
#[derive(Debug, Default)]
pub struct SchemaBuilder {
    seen: HashMap<TypeId, TypeIndex>,
    types: Vec<Option<TypeDef>>,
}

impl SchemaBuilder {
    /// The index of `T`, describing it first if this is the first time it is met.
    pub fn add<T: StateType>(&mut self) -> TypeIndex {
        if let Some(&index) = self.seen.get(&TypeId::of::<T>()) {
            return index;
        }
        let index = self.types.len() as TypeIndex;
        self.seen.insert(TypeId::of::<T>(), index);
        self.types.push(None);
        let mut def = T::describe(self);
        def.size = size_of::<T>() as u32;
        def.align = align_of::<T>() as u32;
        self.types[index as usize] = Some(def);
        index
    }
}

impl TypeDef {
    /// A definition without fields, variants or arguments; size and alignment are filled in by the
    /// builder.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            name: String::new(),
            size: 0,
            align: 0,
            format: 0,
            count: 0,
            args: Vec::new(),
            fields: Vec::new(),
            variants: Vec::new(),
        }
    }

    /// A collection with its format number and type arguments.
    pub fn collection(kind: Kind, format: u32, args: Vec<TypeIndex>) -> Self {
        Self { format, args, ..Self::new(kind) }
    }
}

impl Schema {
    /// The schema of a plugin with this state root and session.
    pub fn of<Root: StateType, Session: StateType>() -> Self {
        let mut builder = SchemaBuilder::default();
        let root = builder.add::<Root>();
        let session = builder.add::<Session>();
        let types: Vec<TypeDef> = builder.types.into_iter().flatten().collect();
        Self {
            number: types[root as usize].format,
            fingerprint: fingerprint_of::<Root, Session>(),
            root,
            session,
            types,
        }
    }

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

    /// The type as an author would write it: `HashMap<Bytes, Entry>`.
    pub fn type_name(&self, index: TypeIndex) -> String {
        self.type_name_within(index, MAX_NAME_DEPTH)
    }

    /// Only a damaged schema nests without a named type in between; its names end in `..`.
    fn type_name_within(&self, index: TypeIndex, depth: u32) -> String {
        let Some(depth) = depth.checked_sub(1) else { return "..".to_owned() };
        let def = &self.types[index as usize];
        let bits = u64::from(def.size) * 8;
        match def.kind {
            Kind::Unit => "()".to_owned(),
            Kind::Bool => "bool".to_owned(),
            Kind::Unsigned => format!("u{bits}"),
            Kind::Signed => format!("i{bits}"),
            Kind::Float => format!("f{bits}"),
            Kind::Array => {
                format!("[{}; {}]", self.type_name_within(def.args[0], depth), def.count)
            }
            Kind::Struct | Kind::Enum => def.name.clone(),
            Kind::Bytes | Kind::String => format!("{:?}", def.kind),
            kind => {
                let name = |&arg| self.type_name_within(arg, depth);
                let args: Vec<String> = def.args.iter().map(name).collect();
                format!("{kind:?}<{}>", args.join(", "))
            }
        }
    }

    /// The encoded form, which crosses the boundary at the handshake. See [`Schema::decode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder(Vec::new());
        out.u32(self.number);
        out.u64(self.fingerprint);
        out.u32(self.root);
        out.u32(self.session);
        out.u32(self.types.len() as u32);
        for def in &self.types {
            out.0.push(def.kind as u8);
            out.text(&def.name);
            for n in [def.size, def.align, def.format, def.count, def.args.len() as u32] {
                out.u32(n);
            }
            for &arg in &def.args {
                out.u32(arg);
            }
            out.fields(&def.fields);
            out.u32(def.variants.len() as u32);
            for variant in &def.variants {
                out.text(&variant.name);
                out.0.push(variant.tag);
                out.fields(&variant.fields);
            }
        }
        out.0
    }

    /// Reads what [`Schema::encode`] wrote: little-endian, lengths before content.
    ///
    /// # Errors
    /// [`SchemaError`] with the byte offset when the bytes end early, hold an unknown kind, text that
    /// is not UTF-8, or an index outside the type list.
    pub fn decode(bytes: &[u8]) -> Result<Self, SchemaError> {
        let mut input = Decoder { bytes, at: 0 };
        let number = input.u32()?;
        let fingerprint = input.u64()?;
        let root = input.u32()?;
        let session = input.u32()?;
        let count = input.u32()?;
        let mut types = Vec::new();
        for _ in 0..count {
            let kind = Kind::from_u8(input.u8()?).ok_or_else(|| input.error("unknown kind"))?;
            let name = input.text()?;
            let (size, align) = (input.u32()?, input.u32()?);
            let (format, elements) = (input.u32()?, input.u32()?);
            let args = input.list(|input| input.u32())?;
            let fields = input.fields()?;
            let variants = input.list(|input| {
                Ok(Variant { name: input.text()?, tag: input.u8()?, fields: input.fields()? })
            })?;
            types.push(TypeDef {
                kind,
                name,
                size,
                align,
                format,
                count: elements,
                args,
                fields,
                variants,
            });
        }
        let schema = Self { number, fingerprint, root, session, types };
        let inside = |i: TypeIndex| (i as usize) < schema.types.len();
        let sound = inside(root)
            && inside(session)
            && schema.types.iter().all(|def| {
                let variants = def.variants.iter().flat_map(|v| &v.fields);
                def.args.iter().all(|&a| inside(a))
                    && def.fields.iter().chain(variants).all(|f| inside(f.ty))
                    && def.args.len() >= arguments(def.kind)
            });
        if sound { Ok(schema) } else { Err(input.error("an index outside the type list")) }
    }
}

fn arguments(kind: Kind) -> usize {
    match kind {
        Kind::HashMap | Kind::BTreeMap => 2,
        Kind::Array | Kind::Option | Kind::Box | Kind::Vec | Kind::VecDeque | Kind::HashSet => 1,
        _ => 0,
    }
}

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

struct Encoder(Vec<u8>);

impl Encoder {
    fn u32(&mut self, n: u32) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    fn u64(&mut self, n: u64) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
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

struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Decoder<'_> {
    fn error(&self, what: &'static str) -> SchemaError {
        SchemaError { offset: self.at, what }
    }

    fn take(&mut self, n: usize) -> Result<&[u8], SchemaError> {
        let error = self.error("it ends early");
        let part = self.at.checked_add(n).and_then(|end| self.bytes.get(self.at..end));
        let part = part.ok_or(error)?;
        self.at += n;
        Ok(part)
    }

    fn u8(&mut self) -> Result<u8, SchemaError> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32, SchemaError> {
        Ok(self.take(4)?.iter().rev().fold(0, |n, &b| n << 8 | u32::from(b)))
    }

    fn u64(&mut self) -> Result<u64, SchemaError> {
        Ok(self.take(8)?.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
    }

    fn text(&mut self) -> Result<String, SchemaError> {
        let n = self.u32()? as usize;
        let error = self.error("text that is not UTF-8");
        String::from_utf8(self.take(n)?.to_vec()).map_err(|_| error)
    }

    fn list<T>(
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

/// The fingerprint of a plugin with this root and session; evaluated at compile time for the note.
pub const fn fingerprint_of<Root: StateType, Session: StateType>() -> u64 {
    mix(mix(0x686f_7473_6865_6c6c, Root::FINGERPRINT), Session::FINGERPRINT)
}

/// Folds `n` into the fingerprint `h`. Stable for ever: fingerprints are compared across builds.
pub const fn mix(h: u64, n: u64) -> u64 {
    let x = (h ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (x ^ (x >> 29)).rotate_left(17).wrapping_add(n)
}

/// Folds a text, with its length, into the fingerprint `h`.
pub const fn mix_text(h: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut h = mix(h, bytes.len() as u64);
    let mut i = 0;
    while i < bytes.len() {
        h = mix(h, bytes[i] as u64);
        i += 1;
    }
    h
}
