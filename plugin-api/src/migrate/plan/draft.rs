//! [`Draft`]: the walk over two schemas that makes a plan, or all reasons why there is none.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::alike::Alike;
use super::fields::{self, Slot};
use super::{
    Arm, ArmTo, Fields, How, Image, Number, Pair, PairIndex, Plan, PlanKind, Refused, Side, Size,
    Why, settle,
};
use crate::migrate::lineage::Place;
use crate::schema::{Kind, Schema, TypeDef, TypeIndex, Variant};

/// A plan in the making. Refused pairs are in it too, as if nothing changed, so that one walk finds
/// every refusal.
pub(crate) struct Draft<'a> {
    pub from: Side<'a>,
    pub to: Side<'a>,
    pub root: PairIndex,
    pub session: PairIndex,
    pub pairs: Vec<Pair>,
    /// How each pair looks part by part, also where all bytes stay as they are.
    pub parts: Vec<How>,
    /// The first refusal at each pair.
    pub refused: BTreeMap<PairIndex, Refused>,
    /// New fields without a default: the pair, the field's name.
    pub without_default: HashSet<(PairIndex, String)>,
    /// Path at which each pair was met first.
    paths: Vec<String>,
    known: HashMap<(TypeIndex, TypeIndex), PairIndex>,
    /// Maps and sets with the pair of their keys.
    keys: Vec<(PairIndex, PairIndex)>,
}

impl<'a> Draft<'a> {
    /// Walks both schemas.
    pub fn between(from: Side<'a>, to: Side<'a>) -> Self {
        let mut draft = Self {
            from,
            to,
            root: 0,
            session: 0,
            pairs: Vec::new(),
            parts: Vec::new(),
            refused: BTreeMap::new(),
            without_default: HashSet::new(),
            paths: Vec::new(),
            known: HashMap::new(),
            keys: Vec::new(),
        };
        draft.root = draft.pair("state", from.schema.root, to.schema.root);
        draft.session = draft.pair("session", from.schema.session, to.schema.session);
        draft.settle();
        draft
    }

    /// The plan, or the first refusal in the order of the walk.
    pub fn finish(mut self) -> Result<Plan, Refused> {
        if let Some((_, refused)) = self.refused.pop_first() {
            return Err(refused);
        }
        let kind = self.kind();
        Ok(Plan { kind, root: self.root, session: self.session, pairs: self.pairs })
    }

    /// The pair of two types, if the walk met it.
    pub fn find(&self, old: TypeIndex, new: TypeIndex) -> Option<PairIndex> {
        self.known.get(&(old, new)).copied()
    }

    /// Whether a pair is refused itself.
    pub fn refuses(&self, pair: PairIndex) -> bool {
        self.refused.contains_key(&pair)
    }

    /// As [`Plan::keeps_all`](super::Plan::keeps_all).
    pub fn keeps_all(&self, pair: PairIndex) -> bool {
        settle::keeps_all(&self.pairs, pair)
    }

    fn kind(&self) -> PlanKind {
        let function = |pair: &Pair| matches!(pair.how, How::Function { .. });
        if self.pairs.iter().any(function) {
            PlanKind::ByFunction
        } else if self.from.schema.first_difference(self.to.schema).is_none() {
            PlanKind::Adopt
        } else {
            PlanKind::ByName
        }
    }

    /// The pair of two types, walked if it is met for the first time.
    fn pair(&mut self, path: &str, old: TypeIndex, new: TypeIndex) -> PairIndex {
        if let Some(&index) = self.known.get(&(old, new)) {
            return index;
        }
        let index = self.pairs.len() as PairIndex;
        self.known.insert((old, new), index);
        let size = |def: &TypeDef| Size { size: def.size, align: def.align };
        let (a, b) = (self.old_type(old), self.new_type(new));
        self.pairs.push(Pair {
            old,
            new,
            old_size: size(a),
            new_size: size(b),
            how: How::Same,
            fits: true,
            in_place: false,
        });
        self.paths.push(path.to_owned());
        let how = self.how(path, index, old, new);
        self.pairs[index as usize].how = how;
        index
    }

    fn old_type(&self, index: TypeIndex) -> &'a TypeDef {
        &self.from.schema.types[index as usize]
    }

    fn new_type(&self, index: TypeIndex) -> &'a TypeDef {
        &self.to.schema.types[index as usize]
    }

    fn how(&mut self, path: &str, at: PairIndex, old: TypeIndex, new: TypeIndex) -> How {
        match self.function(old, new) {
            Some(Ok(how)) => return how,
            Some(Err(why)) => return self.refuse(path, at, old, new, why),
            None => {}
        }
        let (a, b) = (self.old_type(old), self.new_type(new));
        if let (Some(from), Some(to)) = (Number::of(a), Number::of(b)) {
            return match from == to {
                true => How::Same,
                false if from.becomes(to) => How::Number { from, to },
                false => self.refuse(path, at, old, new, Why::Type),
            };
        }
        if a.kind == b.kind {
            return self.same_kind(path, at, old, new);
        }
        match (a.kind, b.kind) {
            (Kind::Unit, Kind::Struct) | (Kind::Struct, Kind::Unit) => {
                How::Struct(self.fields(path, at, (old, 0), (new, 0)))
            }
            // An option that is now in a box, and one that came out of one: not a value that lost
            // its option and got another.
            (Kind::Option, Kind::Box) if unboxed(self.to.schema, new).kind == Kind::Option => {
                How::IntoBox(self.pair(path, old, b.args[0]))
            }
            (Kind::Box, Kind::Option) if unboxed(self.from.schema, old).kind == Kind::Option => {
                How::OutOfBox(self.pair(path, a.args[0], new))
            }
            (_, Kind::Option) => How::IntoOption(self.pair(path, old, b.args[0])),
            (Kind::Option, _) => How::OutOfOption(self.pair(path, a.args[0], new)),
            (_, Kind::Box) => How::IntoBox(self.pair(path, old, b.args[0])),
            (Kind::Box, _) => How::OutOfBox(self.pair(path, a.args[0], new)),
            _ => self.refuse(path, at, old, new, Why::Type),
        }
    }

    fn same_kind(&mut self, path: &str, at: PairIndex, old: TypeIndex, new: TypeIndex) -> How {
        let (a, b) = (self.old_type(old), self.new_type(new));
        match a.kind {
            Kind::Struct | Kind::Enum if !self.same_name(old, new) => {
                return self.refuse(path, at, old, new, Why::Name);
            }
            Kind::Struct => return How::Struct(self.fields(path, at, (old, 0), (new, 0))),
            Kind::Enum => return How::Enum(self.arms(path, at, old, new)),
            _ if a.format != b.format => return self.refuse(path, at, old, new, Why::Format),
            _ => {}
        }
        let element = format!("{path}[]");
        let inside = |kind| if kind == Kind::Option || kind == Kind::Box { path } else { &element };
        let mut argument = |i: usize, path: &str| self.pair(path, a.args[i], b.args[i]);
        match a.kind {
            Kind::Array if a.count != b.count => self.refuse(path, at, old, new, Why::Type),
            Kind::Array => How::Array { element: argument(0, &element), count: a.count },
            Kind::Option => How::Option(argument(0, inside(a.kind))),
            Kind::Box => How::Box(argument(0, inside(a.kind))),
            Kind::Vec => How::Vec(argument(0, &element)),
            Kind::VecDeque => How::VecDeque(argument(0, &element)),
            Kind::HashMap | Kind::BTreeMap | Kind::HashSet => {
                let key = argument(0, &format!("{path}<key>"));
                self.keys.push((at, key));
                match a.kind {
                    Kind::HashSet => How::Same,
                    Kind::HashMap => How::HashMap(self.pair(&element, a.args[1], b.args[1])),
                    _ => How::BTreeMap(self.pair(&element, a.args[1], b.args[1])),
                }
            }
            _ => How::Same,
        }
    }

    /// Whether two types are structs that change field by field, if at all.
    fn is_plain(&self, old: TypeIndex, new: TypeIndex) -> bool {
        let (a, b) = (self.old_type(old), self.new_type(new));
        let structs = a.kind == Kind::Struct && b.kind == Kind::Struct && a.format == b.format;
        structs && self.same_name(old, new) && self.function(old, new).is_none()
    }

    fn same_name(&self, old: TypeIndex, new: TypeIndex) -> bool {
        let (a, b) = (&self.old_type(old).name, &self.new_type(new).name);
        a == b
            || self.to.lineage.names_before(Place::Type(new)).any(|was| was == a)
            || self.from.lineage.names_before(Place::Type(old)).any(|was| was == b)
    }

    /// The author's conversion between exactly these two, in either image; a refusal where it was
    /// written for one direction only and this is the other.
    fn function(&self, old: TypeIndex, new: TypeIndex) -> Option<Result<How, Why>> {
        let find = |newer: Side<'_>, older: Side<'_>, (theirs, own): (TypeIndex, TypeIndex)| {
            let alike = |older_in_newer| {
                Alike::new(&older.schema.types, newer.lineage).is(theirs, older_in_newer)
            };
            newer.lineage.conversions.iter().find(|c| c.new == own && alike(c.old)).cloned()
        };
        if let Some(conversion) = find(self.to, self.from, (old, new)) {
            return Some(Ok(How::Function { image: Image::New, index: conversion.up }));
        }
        let back = find(self.from, self.to, (new, old))?.back;
        Some(match back {
            Some(index) => Ok(How::Function { image: Image::Old, index }),
            None => Err(Why::OneWay),
        })
    }

    fn arms(&mut self, path: &str, at: PairIndex, old: TypeIndex, new: TypeIndex) -> Vec<Arm> {
        let (a, b) = (&self.old_type(old).variants, &self.new_type(new).variants);
        let names = |variants: &'a [Variant], ty| {
            let name =
                move |(i, v): (usize, &'a Variant)| (v.name.as_str(), Place::Variant(ty, i as u32));
            variants.iter().enumerate().map(name).collect::<Vec<_>>()
        };
        let pairs = fields::pairs_by_name(&names(a, old), &names(b, new), self.from, self.to);
        let mut arms: Vec<Arm> = Vec::new();
        for (i, variant) in a.iter().enumerate() {
            let twin = pairs.iter().find(|&&(x, _)| x == i).map(|&(_, j)| j);
            let to = twin.map(|j| {
                let path = format!("{path}::{}", b[j].name);
                let fields = self.fields(&path, at, (old, i as u32), (new, j as u32));
                ArmTo { tag: b[j].tag, fields }
            });
            arms.push(Arm { old: variant.tag, new: to });
        }
        arms
    }

    /// The fields of two structs, or of the variants at two positions.
    fn fields(
        &mut self,
        path: &str,
        at: PairIndex,
        (old, i): (TypeIndex, u32),
        (new, j): (TypeIndex, u32),
    ) -> Fields {
        let slots = |def: &TypeDef, ty, variant: u32| {
            let fields = match def.variants.get(variant as usize) {
                Some(variant) => &variant.fields,
                None => &def.fields,
            };
            fields::slots(ty, variant, fields)
        };
        let olds = slots(self.old_type(old), old, i);
        let news = slots(self.new_type(new), new, j);
        let lineage = self.to.lineage;
        let mut without: Vec<Slot> = Vec::new();
        let plain = |a: &Slot, b: &Slot| self.is_plain(a.ty, b.ty);
        let fields = fields::matched(self.from, self.to, olds, news, plain).plan(
            |old, new| self.pair(&format!("{path}.{}", new.path), old.ty, new.ty),
            |new| {
                let (ty, variant, field) = new.owner();
                lineage.default_of(ty, variant, field)
            },
            |new| without.push(new.clone()),
        );
        self.without_default.extend(without.iter().map(|slot| (at, slot.path.clone())));
        if let Some(slot) = without.first() {
            self.refused.entry(at).or_insert_with(|| Refused {
                path: format!("{path}.{}", slot.path),
                old: "no such field".to_owned(),
                new: self.to.schema.type_name(slot.ty),
                why: Why::NoDefault,
            });
        }
        fields
    }

    /// Notes a refusal; the pair is as if nothing changed.
    fn refuse(
        &mut self,
        path: &str,
        at: PairIndex,
        old: TypeIndex,
        new: TypeIndex,
        why: Why,
    ) -> How {
        let (a, b) = (self.old_type(old), self.new_type(new));
        let say = |name: String, def: &TypeDef| match why {
            Why::Meaning | Why::OneWay => format!("{name} (schema {})", def.format),
            Why::Format => format!("{name} (format {})", def.format),
            _ => name,
        };
        let refused = Refused {
            path: path.to_owned(),
            old: say(self.from.schema.type_name(old), a),
            new: say(self.to.schema.type_name(new), b),
            why,
        };
        self.refused.entry(at).or_insert(refused);
        How::Same
    }

    /// Answers what only the whole graph can: see [`settle`].
    fn settle(&mut self) {
        let same = settle::same(&self.pairs, |pair| self.refuses(pair));
        for (i, same) in same.iter().enumerate() {
            let Pair { old, new, .. } = self.pairs[i];
            let (a, b) = (self.old_type(old), self.new_type(new));
            let authors = a.kind == b.kind && matches!(a.kind, Kind::Struct | Kind::Enum);
            let exact = *same && a.variants.len() == b.variants.len();
            if authors && exact && a.format != b.format {
                self.refuse(&self.paths[i].clone(), i as PairIndex, old, new, Why::Meaning);
            }
        }
        for (map, key) in std::mem::take(&mut self.keys) {
            if !same[key as usize] {
                let Pair { old, new, .. } = self.pairs[key as usize];
                let path = format!("{}<key>", self.paths[map as usize]);
                self.refuse(&path, map, old, new, Why::Key);
            }
        }
        let same = settle::same(&self.pairs, |pair| self.refuses(pair));
        self.parts = self.pairs.iter().map(|pair| pair.how.clone()).collect();
        for (pair, same) in self.pairs.iter_mut().zip(&same) {
            if *same {
                pair.how = How::Same;
            }
        }
        let fits = settle::fits(&self.pairs);
        let variants = |pair: &Pair| self.to.schema.types[pair.new as usize].variants.len();
        let in_place = settle::in_place(&self.pairs, variants);
        for (i, pair) in self.pairs.iter_mut().enumerate() {
            (pair.fits, pair.in_place) = (fits[i], in_place[i]);
            let groups: Vec<&mut Fields> = match &mut pair.how {
                How::Struct(fields) => vec![fields],
                How::Enum(arms) => {
                    arms.iter_mut().filter_map(|arm| Some(&mut arm.new.as_mut()?.fields)).collect()
                }
                _ => Vec::new(),
            };
            for step in groups.into_iter().flat_map(|fields| &mut fields.moves) {
                step.fallback = step.fallback.filter(|_| !fits[step.pair as usize]);
            }
        }
    }
}

/// What a box holds, however many lie around it.
fn unboxed(schema: &Schema, mut ty: TypeIndex) -> &TypeDef {
    // No more steps than types: only a damaged schema has a box that holds itself.
    for _ in &schema.types {
        match &schema.types[ty as usize] {
            def if def.kind == Kind::Box => ty = def.args[0],
            _ => break,
        }
    }
    &schema.types[ty as usize]
}
