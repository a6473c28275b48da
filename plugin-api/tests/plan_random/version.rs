//! Versions of made-up state types, as data: definitions, and the schema and lineage that
//! `#[state]` would make of them.

use hotshell_plugin_api::migrate::lineage::{FieldDefault, Lineage, Place, Rename};
use hotshell_plugin_api::migrate::plan::Side;
use hotshell_plugin_api::schema::{Field, Kind, Schema, TypeDef, Variant};

/// A type as an author writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ty {
    Number(Kind, u32),
    Bool,
    Text,
    Option(Box<Ty>),
    Box(Box<Ty>),
    Array(Box<Ty>, u32),
    Vec(Box<Ty>),
    Deque(Box<Ty>),
    Map(Box<Ty>),
    Tree(Box<Ty>),
    /// One of the version's definitions, by its identity.
    Def(usize),
}

#[derive(Debug, Clone)]
pub struct Member {
    pub name: String,
    pub was: Vec<String>,
    pub ty: Ty,
}

/// A struct has one group, an enum one per variant.
#[derive(Debug, Clone)]
pub struct Group {
    pub name: String,
    pub was: Vec<String>,
    pub members: Vec<Member>,
}

#[derive(Debug, Clone)]
pub struct Def {
    /// Stays the same from version to version.
    pub id: usize,
    pub name: String,
    pub was: Vec<String>,
    pub is_enum: bool,
    pub groups: Vec<Group>,
}

/// A version: the first definition is the root.
#[derive(Debug, Clone)]
pub struct Version {
    pub defs: Vec<Def>,
    pub schema: Schema,
    pub lineage: Lineage,
}

impl Version {
    pub fn new(defs: Vec<Def>) -> Self {
        let mut build = Build { defs: &defs, types: Vec::new(), known: Vec::new() };
        let root = build.add(&Ty::Def(defs[0].id));
        let session = build.add(&Ty::Bool);
        let known = build.known.clone();
        let types: Vec<TypeDef> = build.types.into_iter().map(|def| def.unwrap()).collect();
        let lineage = lineage(&defs, &known, &types);
        let schema = Schema { number: 0, fingerprint: 0, root, session, types };
        Self { defs, schema, lineage }
    }

    pub fn side(&self) -> Side<'_> {
        Side { schema: &self.schema, lineage: &self.lineage }
    }
}

/// Every name that was, and a default for every field.
fn lineage(defs: &[Def], known: &[(Ty, u32)], types: &[TypeDef]) -> Lineage {
    let mut lineage = Lineage { types: types.to_vec(), ..Lineage::default() };
    for def in defs {
        let Some(&(_, ty)) = known.iter().find(|(known, _)| *known == Ty::Def(def.id)) else {
            continue;
        };
        let mut rename = |place: Place, was: &[String]| {
            lineage.renames.extend(was.iter().map(|was| Rename { place, was: was.clone() }));
        };
        rename(Place::Type(ty), &def.was);
        for (i, group) in (0..).zip(&def.groups) {
            rename(Place::Variant(ty, i), &group.was);
            for (j, member) in (0..).zip(&group.members) {
                rename(Place::Field(ty, i, j), &member.was);
            }
        }
        for (i, group) in (0..).zip(&def.groups) {
            for field in 0..group.members.len() as u32 {
                let function = lineage.functions;
                lineage.defaults.push(FieldDefault { ty, variant: i, field, function });
                lineage.functions += 1;
            }
        }
    }
    lineage
}

struct Build<'a> {
    defs: &'a [Def],
    types: Vec<Option<TypeDef>>,
    known: Vec<(Ty, u32)>,
}

impl Build<'_> {
    fn add(&mut self, ty: &Ty) -> u32 {
        if let Some((_, index)) = self.known.iter().find(|(known, _)| known == ty) {
            return *index;
        }
        let index = self.types.len() as u32;
        self.known.push((ty.clone(), index));
        self.types.push(None);
        let def = self.describe(ty);
        self.types[index as usize] = Some(def);
        index
    }

    fn describe(&mut self, ty: &Ty) -> TypeDef {
        let sized = |def: TypeDef, (size, align)| TypeDef { size, align, ..def };
        let size = self.size(ty);
        let mut of = |kind, args: &[&Ty]| {
            let args = args.iter().map(|arg| self.add(arg)).collect();
            sized(TypeDef::collection(kind, 1, args), size)
        };
        let key = Ty::Number(Kind::Unsigned, 8);
        match ty {
            Ty::Number(kind, _) => sized(TypeDef::new(*kind), size),
            Ty::Bool => sized(TypeDef::new(Kind::Bool), size),
            Ty::Text => of(Kind::String, &[]),
            Ty::Option(inner) => of(Kind::Option, &[inner]),
            Ty::Box(inner) => of(Kind::Box, &[inner]),
            Ty::Vec(inner) => of(Kind::Vec, &[inner]),
            Ty::Deque(inner) => of(Kind::VecDeque, &[inner]),
            Ty::Map(inner) => of(Kind::HashMap, &[&key, inner]),
            Ty::Tree(inner) => of(Kind::BTreeMap, &[&key, inner]),
            Ty::Array(inner, count) => TypeDef { count: *count, ..of(Kind::Array, &[inner]) },
            Ty::Def(id) => {
                let def = self.definition(*id);
                sized(self.describe_def(&def), size)
            }
        }
    }

    fn definition(&self, id: usize) -> Def {
        self.defs.iter().find(|def| def.id == id).expect("it is there").clone()
    }

    fn describe_def(&mut self, def: &Def) -> TypeDef {
        let kind = if def.is_enum { Kind::Enum } else { Kind::Struct };
        let mut variants = Vec::new();
        for (tag, group) in (0..).zip(&def.groups) {
            let (offsets, ..) = self.layout(group, def.is_enum);
            let fields = group.members.iter().zip(offsets).map(|(member, offset)| {
                let ty = self.add(&member.ty);
                Field { name: member.name.clone(), offset, ty }
            });
            let fields = fields.collect();
            variants.push(Variant { name: group.name.clone(), tag, fields });
        }
        let mut described = TypeDef { name: def.name.clone(), ..TypeDef::new(kind) };
        if def.is_enum {
            described.variants = variants;
        } else {
            described.fields = variants.remove(0).fields;
        }
        described
    }

    /// `repr(C)`, behind the tag for a variant: offsets, size, alignment.
    fn layout(&self, group: &Group, tagged: bool) -> (Vec<u32>, u32, u32) {
        let (mut end, mut align) = (u32::from(tagged), 1);
        let mut offsets = Vec::new();
        for member in &group.members {
            let (size, its) = self.size(&member.ty);
            let at = end.next_multiple_of(its);
            offsets.push(at);
            (end, align) = (at + size, align.max(its));
        }
        (offsets, end.next_multiple_of(align), align)
    }

    fn size(&self, ty: &Ty) -> (u32, u32) {
        match ty {
            Ty::Number(_, size) => (*size, *size),
            Ty::Bool => (1, 1),
            Ty::Text => (16, 8),
            Ty::Box(_) => (8, 8),
            Ty::Vec(_) => (24, 8),
            Ty::Deque(_) => (32, 8),
            Ty::Map(_) => (64, 8),
            Ty::Tree(_) => (24, 8),
            Ty::Option(inner) => {
                let (size, align) = self.size(inner);
                ((align + size).next_multiple_of(align), align)
            }
            Ty::Array(inner, count) => {
                let (size, align) = self.size(inner);
                (size * count, align)
            }
            Ty::Def(id) => {
                let def = self.definition(*id);
                let each = def.groups.iter().map(|group| self.layout(group, def.is_enum));
                let (size, align) = each
                    .fold((0, 1), |(size, align), (_, end, its)| (size.max(end), align.max(its)));
                (size.next_multiple_of(align), align)
            }
        }
    }
}
