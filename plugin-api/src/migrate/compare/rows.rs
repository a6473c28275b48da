//! The walk over both drafts that makes the rows.

use std::collections::HashSet;

use super::{Back, Change, Cost, Row, collects};
use crate::migrate::plan::{Arm, Draft, Fields, How, PairIndex, Refused};
use crate::schema::Schema;

/// One row for every field that is met, as deep as something changes.
pub(super) fn rows(up: &Draft<'_>, back: &Draft<'_>) -> Vec<Row> {
    let mut walk = Walk { up, back, seen: HashSet::new(), rows: Vec::new() };
    walk.pair("state", None, up.root, At { cost: Cost::Constant, list: false, free: false });
    walk.pair("session", None, up.session, At { cost: Cost::Session, list: false, free: false });
    walk.rows
}

struct Walk<'a> {
    up: &'a Draft<'a>,
    back: &'a Draft<'a>,
    seen: HashSet<PairIndex>,
    rows: Vec<Row>,
}

/// Where the walk is.
#[derive(Debug, Clone, Copy)]
struct At {
    /// What a change costs here.
    cost: Cost,
    /// Whether all bytes stay as they are, so that nothing costs anything.
    free: bool,
    /// Whether it lies in a list: elements have no name by which what they lost finds them again.
    list: bool,
}

impl Walk<'_> {
    /// A value at a path; `was` is the field's older name where it has one.
    fn pair(&mut self, path: &str, was: Option<&str>, index: PairIndex, at: At) {
        let pair = &self.up.pairs[index as usize];
        if let Some(refused) = self.up.refused.get(&index) {
            if !self.seen.insert(index) {
                return;
            }
            self.refused(refused);
            if pair.how == How::Same {
                return;
            }
        }
        let inside = format!("{path}[]");
        // Bytes that stay and cannot all go back: what is new in them is told part by part.
        let grew = pair.how == How::Same && !self.goes_back(index) && !self.up.refuses(index);
        let (how, at) = match grew {
            true => (&self.up.parts[index as usize], At { free: true, cost: Cost::Constant, ..at }),
            false => (&pair.how, at),
        };
        match how {
            How::Same => self.leaf(path, was, index, (Change::Adopt, Cost::Constant)),
            How::Function { .. } => {
                // A function that is handed a collection may go through all of it.
                let collects = collects(self.up.from.schema, pair.old);
                let cost = if collects { at.whole() } else { at.cost };
                self.leaf(path, was, index, (Change::ByFunction, cost));
            }
            How::Number { .. } => self.leaf(path, was, index, (Change::ByName, at.cost)),
            How::IntoOption(inner)
            | How::OutOfOption(inner)
            | How::IntoBox(inner)
            | How::OutOfBox(inner) => {
                self.leaf(path, was, index, (Change::ByName, at.cost));
                let plain =
                    matches!(self.up.pairs[*inner as usize].how, How::Same | How::Number { .. });
                if !plain || self.up.refuses(*inner) {
                    self.pair(path, None, *inner, at);
                }
            }
            How::Option(inner) | How::Box(inner) => self.pair(path, was, *inner, at),
            How::Vec(inner) | How::VecDeque(inner) => self.pair(&inside, was, *inner, at.in_list()),
            How::Array { element, .. } => self.pair(&inside, was, *element, at),
            How::HashMap(value) => {
                // Entries of a map in a list are converted with the list.
                let cost = if at.list || at.free { at.cost } else { Cost::Lazy };
                self.pair(&inside, was, *value, At { cost, ..at });
            }
            How::BTreeMap(value) => {
                let later = !at.list && !at.free && self.up.keeps_all(*value);
                let cost = if later { Cost::Lazy } else { at.whole() };
                self.pair(&inside, was, *value, At { cost, ..at });
            }
            // Met before: its fields have their rows there.
            How::Struct(_) | How::Enum(_) if !self.met(index) => {
                self.leaf(path, was, index, (Change::ByName, at.cost));
            }
            How::Struct(fields) => self.fields(path, index, fields, at),
            How::Enum(arms) => self.arms(path, index, arms, at),
        }
    }

    /// Whether the bytes of a pair stay on the way back as well.
    fn goes_back(&self, index: PairIndex) -> bool {
        let pair = &self.up.pairs[index as usize];
        let back = self.back.find(pair.new, pair.old);
        back.is_some_and(|back| {
            self.back.pairs[back as usize].how == How::Same && !self.back.refuses(back)
        })
    }

    /// Whether a pair is met for the first time, or was refused just now and goes on.
    fn met(&mut self, index: PairIndex) -> bool {
        self.seen.insert(index) || self.up.refuses(index)
    }

    fn refused(&mut self, refused: &Refused) {
        let (old, new) = (Some(refused.old.clone()), Some(refused.new.clone()));
        let (change, back, cost) = (Change::Refused, Back::None, Cost::Constant);
        let path = refused.path.clone();
        self.rows.push(Row { path, old, new, change, fits: false, back, cost });
    }

    fn leaf(
        &mut self,
        path: &str,
        was: Option<&str>,
        index: PairIndex,
        (change, cost): (Change, Cost),
    ) {
        let pair = &self.up.pairs[index as usize];
        let (from, to) = (self.up.from.schema, self.up.to.schema);
        let (a, b) = (&from.types[pair.old as usize], &to.types[pair.new as usize]);
        let renumbered = a.kind == b.kind && a.format != b.format;
        let say = |schema: &Schema, ty, number| match schema.type_name(ty) {
            name if renumbered => format!("{name} (schema {number})"),
            name => name,
        };
        let old = say(from, pair.old, a.format);
        self.rows.push(Row {
            path: path.to_owned(),
            old: Some(was.map_or(old.clone(), |was| format!("{was}: {old}"))),
            new: Some(say(to, pair.new, b.format)),
            change,
            fits: pair.fits,
            back: self.back_of(index),
            cost,
        });
    }

    /// What the way back does with the values of a pair.
    fn back_of(&self, index: PairIndex) -> Back {
        let pair = &self.up.pairs[index as usize];
        let Some(back) = self.back.find(pair.new, pair.old) else { return Back::None };
        if self.back.refuses(back) {
            return Back::None;
        }
        let pair = &self.back.pairs[back as usize];
        match pair.how {
            How::Function { .. } => Back::ByFunction,
            _ if pair.fits => Back::Whole,
            _ => Back::IfItFits,
        }
    }

    fn fields(&mut self, path: &str, index: PairIndex, fields: &Fields, at: At) {
        for step in &fields.moves {
            let was = (step.old_name != step.new_name).then_some(step.old_name.as_str());
            self.pair(&format!("{path}.{}", step.new_name), was, step.pair, at);
        }
        let (change, cost) = (Change::ByName, at.cost);
        for fill in &fields.fills {
            let new = Some(self.up.to.schema.type_name(fill.new));
            let path = format!("{path}.{}", fill.name);
            self.rows.push(Row {
                path,
                old: None,
                new,
                change,
                fits: true,
                back: Back::SetAside,
                cost,
            });
        }
        for removed in &fields.removed {
            let old = Some(self.up.from.schema.type_name(removed.old));
            let back = match self.comes_back(index, &removed.name) {
                false => Back::None,
                true => Back::Returns,
            };
            let path = format!("{path}.{}", removed.name);
            self.rows.push(Row { path, old, new: None, change, fits: false, back, cost });
        }
    }

    /// Whether the way back has something to put where a field was: what was set aside, or the
    /// default where nothing was.
    fn comes_back(&self, index: PairIndex, name: &str) -> bool {
        let pair = &self.up.pairs[index as usize];
        let back = self.back.find(pair.new, pair.old);
        back.is_some_and(|back| !self.back.without_default.contains(&(back, name.to_owned())))
    }

    fn arms(&mut self, path: &str, index: PairIndex, arms: &[Arm], at: At) {
        let pair = &self.up.pairs[index as usize];
        let old = &self.up.from.schema.types[pair.old as usize].variants;
        let new = &self.up.to.schema.types[pair.new as usize].variants;
        let mut taken = Vec::new();
        for (arm, variant) in arms.iter().zip(old) {
            let Some(to) = &arm.new else {
                self.variant(path, Some(&variant.name), None, Back::Returns, at.cost);
                continue;
            };
            taken.push(to.tag);
            let twin = new.iter().find(|twin| twin.tag == to.tag).map_or("", |twin| &twin.name);
            if *twin != variant.name {
                self.variant(path, Some(&variant.name), Some(twin), Back::Whole, at.cost);
            }
            self.fields(&format!("{path}::{twin}"), index, &to.fields, at);
        }
        for variant in new.iter().filter(|variant| !taken.contains(&variant.tag)) {
            self.variant(path, None, Some(&variant.name), Back::SetAside, at.cost);
        }
    }

    fn variant(
        &mut self,
        path: &str,
        old: Option<&str>,
        new: Option<&str>,
        back: Back,
        cost: Cost,
    ) {
        let path = format!("{path}::{}", new.or(old).unwrap_or_default());
        let say = |name: Option<&str>| name.map(|name| format!("variant {name}"));
        let (old, new) = (say(old), say(new));
        let (change, fits) = (Change::ByName, new.is_some());
        self.rows.push(Row { path, old, new, change, fits, back, cost });
    }
}

impl At {
    /// Within a list: all elements are converted with it.
    fn in_list(self) -> Self {
        Self { cost: self.whole(), list: true, ..self }
    }

    /// The cost of what is converted with its owner, element by element.
    fn whole(self) -> Cost {
        if self.cost == Cost::Constant && !self.free { Cost::Whole } else { self.cost }
    }
}
