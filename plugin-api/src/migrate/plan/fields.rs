//! Which old field becomes which new field.
//!
//! The pairing is symmetric: the way back pairs the same fields. Names that the author declared
//! (`was`) come first, then equal names. A struct that is only on one side is taken apart where a
//! field of it is, by its name, one that the other side has lost: so fields move into a nested
//! struct and out of one. So are structs that are on both sides, where a field has moved from one into
//! another.

use super::{Fields, Fill, Move, Removed, Side};
use crate::migrate::lineage::Place;
use crate::schema::{Field, Kind, TypeIndex};

/// Inline structs deeper than this are not taken apart; only a damaged schema has more.
const DEPTH_MAX: u32 = 16;

/// A field of one of the sides.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    /// Its name, from the outermost value: `place.floor`.
    pub path: String,
    /// Its own name: `floor`.
    name: String,
    place: Place,
    /// Bytes from the start of the outermost value.
    pub offset: u32,
    /// Its type.
    pub ty: TypeIndex,
}

/// What became of the fields of two groups.
#[derive(Debug, Default)]
pub(super) struct Matched {
    /// Old and new place of each field that moves.
    pub moved: Vec<(Slot, Slot)>,
    /// New ones.
    pub added: Vec<Slot>,
    /// Old ones.
    pub removed: Vec<Slot>,
}

/// The slots of a struct, or of the variant at a position.
pub(super) fn slots(ty: TypeIndex, variant: u32, fields: &[Field]) -> Vec<Slot> {
    let slot = |(i, field): (usize, &Field)| Slot {
        path: field.name.clone(),
        name: field.name.clone(),
        place: Place::Field(ty, variant, i as u32),
        offset: field.offset,
        ty: field.ty,
    };
    fields.iter().enumerate().map(slot).collect()
}

/// Pairs the fields of two groups. `plain` tells of two structs whether they change field by field.
pub(super) fn matched(
    from: Side<'_>,
    to: Side<'_>,
    old: Vec<Slot>,
    new: Vec<Slot>,
    plain: impl Fn(&Slot, &Slot) -> bool,
) -> Matched {
    let (moved, removed, added) = pair_up(from, to, old, new);
    let mut matched = Matched { moved, added, removed };
    while matched.take_apart_new(from, to)
        || matched.take_apart_old(from, to)
        || matched.take_apart_kept(from, to, &plain)
    {}
    matched.moved.sort_by_key(|(_, new)| new.offset);
    matched.added.sort_by_key(|new| new.offset);
    matched.removed.sort_by_key(|old| old.offset);
    matched
}

impl Matched {
    /// Takes one new struct apart into which a lost field has moved. Whether there was one.
    fn take_apart_new(&mut self, from: Side<'_>, to: Side<'_>) -> bool {
        let meets = |slot: &Slot| {
            leads_to(to, slot, DEPTH_MAX, &|inner| {
                self.removed.iter().any(|old| same_field(from, to, old, inner))
            })
        };
        let Some(at) = self.added.iter().position(meets) else { return false };
        let inner = inside(to, &self.added.remove(at));
        let (moved, removed, added) = pair_up(from, to, std::mem::take(&mut self.removed), inner);
        self.moved.extend(moved);
        self.removed = removed;
        self.added.extend(added);
        true
    }

    /// The same for an old struct out of which a new field has come.
    fn take_apart_old(&mut self, from: Side<'_>, to: Side<'_>) -> bool {
        let meets = |slot: &Slot| {
            leads_to(from, slot, DEPTH_MAX, &|inner| {
                self.added.iter().any(|new| same_field(from, to, inner, new))
            })
        };
        let Some(at) = self.removed.iter().position(meets) else { return false };
        let inner = inside(from, &self.removed.remove(at));
        let (moved, removed, added) = pair_up(from, to, inner, std::mem::take(&mut self.added));
        self.moved.extend(moved);
        self.removed.extend(removed);
        self.added = added;
        true
    }

    /// Takes structs apart that are on both sides, where a field of one has moved into another, or from or
    /// to here. Whether there were any.
    fn take_apart_kept(
        &mut self,
        from: Side<'_>,
        to: Side<'_>,
        plain: &dyn Fn(&Slot, &Slot) -> bool,
    ) -> bool {
        // What only one side has, with the pair that it is in; none for what is here.
        let here = |slots: &[Slot]| slots.iter().map(|s| (None, s.clone())).collect::<Vec<_>>();
        let (mut lost, mut gained) = (here(&self.removed), here(&self.added));
        for (i, (old, new)) in self.moved.iter().enumerate() {
            if plain(old, new) {
                let (_, olds, news) = pair_up(from, to, inside(from, old), inside(to, new));
                lost.extend(olds.into_iter().map(|slot| (Some(i), slot)));
                gained.extend(news.into_iter().map(|slot| (Some(i), slot)));
            }
        }
        let twins = lost.iter().find_map(|(i, old)| {
            let is = |(j, new): &&(Option<usize>, Slot)| i != j && same_field(from, to, old, new);
            gained.iter().find(is).map(|(j, _)| (*i, *j))
        });
        let Some((i, j)) = twins else { return false };
        let mut apart: Vec<usize> = [i, j].into_iter().flatten().collect();
        apart.sort_unstable();
        for at in apart.into_iter().rev() {
            let (old, new) = self.moved.remove(at);
            let (moved, removed, added) = pair_up(from, to, inside(from, &old), inside(to, &new));
            self.moved.extend(moved);
            self.removed.extend(removed);
            self.added.extend(added);
        }
        for old in std::mem::take(&mut self.removed) {
            match self.added.iter().position(|new| same_field(from, to, &old, new)) {
                Some(at) => self.moved.push((old, self.added.remove(at))),
                None => self.removed.push(old),
            }
        }
        true
    }

    /// The plan of the fields; `pair` finds the pair of a field, `default` the function of its
    /// default.
    pub fn plan(
        self,
        mut pair: impl FnMut(&Slot, &Slot) -> u32,
        mut default: impl FnMut(&Slot) -> Option<u32>,
        mut no_default: impl FnMut(&Slot),
    ) -> Fields {
        let mut fields = Fields::default();
        for (old, new) in self.moved {
            fields.moves.push(Move {
                from: old.offset,
                to: new.offset,
                pair: pair(&old, &new),
                fallback: default(&new),
                old_name: old.path,
                new_name: new.path,
            });
        }
        for new in self.added {
            match default(&new) {
                Some(default) => {
                    fields.fills.push(Fill { to: new.offset, new: new.ty, default, name: new.path })
                }
                None => no_default(&new),
            }
        }
        let removed = |old: Slot| Removed { from: old.offset, old: old.ty, name: old.path };
        fields.removed = self.removed.into_iter().map(removed).collect();
        fields
    }
}

impl Slot {
    /// Where its default is looked up: the type, the variant's position, the field's position.
    pub fn owner(&self) -> (TypeIndex, u32, u32) {
        match self.place {
            Place::Field(ty, variant, field) => (ty, variant, field),
            Place::Type(_) | Place::Variant(..) => unreachable!("slots are fields"),
        }
    }
}

type Pairs = Vec<(Slot, Slot)>;

/// Pairs by name; then what is left of the old and of the new.
fn pair_up(
    from: Side<'_>,
    to: Side<'_>,
    old: Vec<Slot>,
    new: Vec<Slot>,
) -> (Pairs, Vec<Slot>, Vec<Slot>) {
    let found = pairs_by_name(
        &old.iter().map(|s| (s.name.as_str(), s.place)).collect::<Vec<_>>(),
        &new.iter().map(|s| (s.name.as_str(), s.place)).collect::<Vec<_>>(),
        from,
        to,
    );
    let pairs = found.iter().map(|&(i, j)| (old[i].clone(), new[j].clone())).collect();
    let old_left = |(i, _): &(usize, Slot)| !found.iter().any(|&(x, _)| x == *i);
    let new_left = |(j, _): &(usize, Slot)| !found.iter().any(|&(_, y)| y == *j);
    (
        pairs,
        old.into_iter().enumerate().filter(old_left).map(|(_, s)| s).collect(),
        new.into_iter().enumerate().filter(new_left).map(|(_, s)| s).collect(),
    )
}

/// Positions of the things that are the same by name, old and new. First what was renamed, where
/// the name in question is free on the other side, then equal names.
pub(super) fn pairs_by_name(
    old: &[(&str, Place)],
    new: &[(&str, Place)],
    from: Side<'_>,
    to: Side<'_>,
) -> Vec<(usize, usize)> {
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    let mut add = |i: Option<usize>, j: Option<usize>| {
        if let (Some(i), Some(j)) = (i, j)
            && !pairs.iter().any(|&(x, y)| x == i || y == j)
        {
            pairs.push((i, j));
        }
    };
    let place_of = |list: &[(&str, Place)], name: &str| list.iter().position(|(n, _)| *n == name);
    for (j, (name, place)) in new.iter().enumerate() {
        if place_of(old, name).is_none() {
            to.lineage.names_before(*place).for_each(|was| add(place_of(old, was), Some(j)));
        }
    }
    for (i, (name, place)) in old.iter().enumerate() {
        if place_of(new, name).is_none() {
            from.lineage.names_before(*place).for_each(|was| add(Some(i), place_of(new, was)));
        }
    }
    for (i, (name, _)) in old.iter().enumerate() {
        add(Some(i), place_of(new, name));
    }
    pairs.sort_unstable();
    pairs
}

/// Whether the two are the same field by name. Positions in tuples are no names here: a `0` in one
/// struct says nothing of a `0` in another.
fn same_field(from: Side<'_>, to: Side<'_>, old: &Slot, new: &Slot) -> bool {
    let named = !old.name.starts_with(|c: char| c.is_ascii_digit());
    let was = |side: Side<'_>, slot: &Slot, name: &str| {
        side.lineage.names_before(slot.place).any(|was| was == name)
    };
    named && (old.name == new.name || was(to, new, &old.name) || was(from, old, &new.name))
}

/// The fields of a struct that lies within another; none for all other types.
fn inside(side: Side<'_>, slot: &Slot) -> Vec<Slot> {
    let def = &side.schema.types[slot.ty as usize];
    if def.kind != Kind::Struct {
        return Vec::new();
    }
    let mut inner = slots(slot.ty, 0, &def.fields);
    for field in &mut inner {
        field.path = format!("{}.{}", slot.path, field.name);
        field.offset = field.offset.saturating_add(slot.offset);
    }
    inner
}

/// Whether a field for which `is` holds lies within this one, at any depth.
fn leads_to(side: Side<'_>, slot: &Slot, depth: u32, is: &dyn Fn(&Slot) -> bool) -> bool {
    depth > 0
        && inside(side, slot).iter().any(|inner| is(inner) || leads_to(side, inner, depth - 1, is))
}
