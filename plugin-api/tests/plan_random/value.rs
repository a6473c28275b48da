//! Values of made-up types by name, and what a plan does to them: the meaning of a plan, without
//! memory.

use std::collections::BTreeMap;

use hotshell_plugin_api::migrate::plan::{Fields, How, PairIndex, Plan};
use hotshell_plugin_api::schema::{Field, Kind, Schema, TypeIndex};

use crate::random::Random;

/// A value. Fields of structs inside structs are reached by `outer.inner`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// What came from a default: never from the old state, whatever it is wrapped in.
    Default,
    /// A number, bool or text, told apart by what was put in.
    Plain(u64),
    None,
    Some(Box<Value>),
    Boxed(Box<Value>),
    List(Vec<Value>),
    Map(BTreeMap<u64, Value>),
    Struct(BTreeMap<String, Value>),
    Variant(String, BTreeMap<String, Value>),
}

/// A random value of a type.
pub fn random(schema: &Schema, ty: TypeIndex, random: &mut Random, depth: usize) -> Value {
    let def = &schema.types[ty as usize];
    let mut inside = |ty| self::random(schema, ty, random, depth.saturating_sub(1));
    let count = if depth == 0 { 0 } else { 2 };
    match def.kind {
        Kind::Option if depth == 0 || ty % 4 == 3 => Value::None,
        Kind::Option => Value::Some(Box::new(inside(def.args[0]))),
        Kind::Box => Value::Boxed(Box::new(inside(def.args[0]))),
        Kind::Array => Value::List((0..def.count).map(|_| inside(def.args[0])).collect()),
        Kind::Vec | Kind::VecDeque => {
            Value::List((0..count).map(|_| inside(def.args[0])).collect())
        }
        Kind::HashMap | Kind::BTreeMap => {
            Value::Map((0..count).map(|key| (key, inside(def.args[1]))).collect())
        }
        Kind::Struct => {
            let fields = def.fields.iter().map(|f| (f.name.clone(), inside(f.ty))).collect();
            Value::Struct(fields)
        }
        Kind::Enum => {
            let variant = &def.variants[random.below(def.variants.len())];
            let fields = variant.fields.iter();
            let fields = fields.map(|f| {
                (f.name.clone(), self::random(schema, f.ty, random, depth.saturating_sub(1)))
            });
            Value::Variant(variant.name.clone(), fields.collect())
        }
        // Small, so that every width holds it.
        _ => Value::Plain(random.next() % 100),
    }
}

/// What a plan makes of a value; `None` where it does not fit.
pub struct Convert<'a> {
    pub plan: &'a Plan,
    pub old: &'a Schema,
    pub new: &'a Schema,
}

impl Convert<'_> {
    pub fn value(&self, pair: PairIndex, value: &Value) -> Option<Value> {
        let pair = self.plan.pair(pair);
        if *value == Value::Default {
            return Some(Value::Default);
        }
        let (old, new) = (pair.old as usize, pair.new as usize);
        Some(match (&pair.how, value) {
            (How::Same, value) => self.renamed(pair.old, pair.new, value),
            (How::Number { .. }, plain) => plain.clone(),
            (How::Struct(fields), Value::Struct(had)) => Value::Struct(self.fields(fields, had)?),
            (How::Enum(arms), Value::Variant(name, had)) => {
                let tag = self.old.types[old].variants.iter().find(|v| v.name == *name)?.tag;
                let to = arms.iter().find(|arm| arm.old == tag)?.new.as_ref()?;
                let name = self.new.types[new].variants.iter().find(|v| v.tag == to.tag)?;
                Value::Variant(name.name.clone(), self.fields(&to.fields, had)?)
            }
            (How::IntoOption(inner), value) => Value::Some(Box::new(self.value(*inner, value)?)),
            (How::OutOfOption(inner), Value::Some(value)) => self.value(*inner, value)?,
            (How::OutOfOption(_), Value::None) => return None,
            (How::IntoBox(inner), value) => Value::Boxed(Box::new(self.value(*inner, value)?)),
            (How::OutOfBox(inner), Value::Boxed(value)) => self.value(*inner, value)?,
            (How::Option(_), Value::None) => Value::None,
            (How::Option(inner), Value::Some(value)) => {
                Value::Some(Box::new(self.value(*inner, value)?))
            }
            (How::Box(inner), Value::Boxed(value)) => {
                Value::Boxed(Box::new(self.value(*inner, value)?))
            }
            (
                How::Array { element: inner, .. } | How::Vec(inner) | How::VecDeque(inner),
                Value::List(list),
            ) => Value::List(list.iter().map(|v| self.value(*inner, v)).collect::<Option<_>>()?),
            (How::HashMap(inner) | How::BTreeMap(inner), Value::Map(map)) => {
                let entries = map.iter().map(|(k, v)| Some((*k, self.value(*inner, v)?)));
                Value::Map(entries.collect::<Option<_>>()?)
            }
            (how, value) => panic!("{how:?} of {value:?}"),
        })
    }

    fn fields(
        &self,
        fields: &Fields,
        had: &BTreeMap<String, Value>,
    ) -> Option<BTreeMap<String, Value>> {
        let mut has = BTreeMap::new();
        for step in &fields.moves {
            let value = self.value(step.pair, at(had, &step.old_name))?;
            put(&mut has, &step.new_name, value);
        }
        fields.fills.iter().for_each(|fill| put(&mut has, &fill.name, Value::Default));
        Some(has)
    }

    /// The same bytes under the new version's names, by position.
    fn renamed(&self, old: TypeIndex, new: TypeIndex, value: &Value) -> Value {
        let (a, b) = (&self.old.types[old as usize], &self.new.types[new as usize]);
        let inner = |i: usize, value: &Value| self.renamed(a.args[i], b.args[i], value);
        let fields = |old: &[Field], new: &[Field], had: &BTreeMap<String, Value>| {
            let (old, new) = (leaves(self.old, old, "", 0), leaves(self.new, new, "", 0));
            let mut has = BTreeMap::new();
            for (path, at, ty) in new {
                // A struct without fields has no bytes to be told by.
                let Some(ty) = ty else {
                    put(&mut has, &path, Value::Default);
                    continue;
                };
                let was = old.iter().find(|(_, offset, was)| *offset == at && was.is_some());
                let (was, _, old_ty) = was.expect("the same bytes have the same fields");
                let value = self.renamed(old_ty.expect("asked for"), ty, self::at(had, was));
                put(&mut has, &path, value);
            }
            has
        };
        match value {
            Value::Some(value) => Value::Some(Box::new(inner(0, value))),
            Value::Boxed(value) => Value::Boxed(Box::new(inner(0, value))),
            Value::List(list) => Value::List(list.iter().map(|value| inner(0, value)).collect()),
            Value::Map(map) => Value::Map(map.iter().map(|(k, v)| (*k, inner(1, v))).collect()),
            Value::Struct(had) => Value::Struct(fields(&a.fields, &b.fields, had)),
            Value::Variant(name, had) => {
                let was = a.variants.iter().find(|v| v.name == *name).expect("it is a variant");
                let is = b.variants.iter().find(|v| v.tag == was.tag).expect("tags stay");
                Value::Variant(is.name.clone(), fields(&was.fields, &is.fields, had))
            }
            Value::Default | Value::Plain(_) | Value::None => value.clone(),
        }
    }
}

/// Fields with their paths and offsets, structs inside taken apart; without a type where such a
/// struct has no fields.
fn leaves(
    schema: &Schema,
    fields: &[Field],
    path: &str,
    at: u32,
) -> Vec<(String, u32, Option<TypeIndex>)> {
    let each = fields.iter().flat_map(|field| {
        let (path, at) = (format!("{path}{}", field.name), at + field.offset);
        let def = &schema.types[field.ty as usize];
        match def.kind {
            Kind::Struct if def.fields.is_empty() => vec![(path, at, None)],
            Kind::Struct => leaves(schema, &def.fields, &format!("{path}."), at),
            _ => vec![(path, at, Some(field.ty))],
        }
    });
    each.collect()
}

fn at<'a>(fields: &'a BTreeMap<String, Value>, path: &str) -> &'a Value {
    match path.split_once('.') {
        None => &fields[path],
        Some((first, rest)) => match &fields[first] {
            Value::Struct(inner) => at(inner, rest),
            // What came from a default has only defaults inside.
            value => value,
        },
    }
}

fn put(fields: &mut BTreeMap<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(fields.insert(path.to_owned(), value)),
        Some((first, rest)) => {
            let inner = fields.entry(first.to_owned());
            let Value::Struct(inner) = inner.or_insert_with(|| Value::Struct(BTreeMap::new()))
            else {
                panic!("{path} lies in a struct")
            };
            put(inner, rest, value);
        }
    }
}

/// The value with what holds nothing but defaults as a default: a new struct is one or the other,
/// and a struct without fields is both.
pub fn normal(value: Value) -> Value {
    let boxed = |wrap: fn(Box<Value>) -> Value, value: Box<Value>| match normal(*value) {
        Value::Default => Value::Default,
        value => wrap(Box::new(value)),
    };
    match value {
        Value::Some(value) => boxed(Value::Some, value),
        Value::Boxed(value) => boxed(Value::Boxed, value),
        Value::List(list) => Value::List(list.into_iter().map(normal).collect()),
        Value::Map(map) => Value::Map(map.into_iter().map(|(k, v)| (k, normal(v))).collect()),
        Value::Variant(name, fields) => Value::Variant(name, each(fields)),
        Value::Struct(fields) => match each(fields) {
            fields if fields.values().all(|v| *v == Value::Default) => Value::Default,
            fields => Value::Struct(fields),
        },
        plain => plain,
    }
}

fn each(fields: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    fields.into_iter().map(|(name, value)| (name, normal(value))).collect()
}
