//! What can be said of a pair only once all pairs are known, since pairs refer to each other.
//!
//! Each question is a fixpoint over the graph: assume the best of every pair, then take back what
//! does not hold until nothing changes.

use super::{Fields, How, Number, Pair, PairIndex};

/// The pairs that `how` needs to be converted together with it; maps below convert on their own.
pub(super) fn parts(how: &How) -> Vec<PairIndex> {
    let of_fields = |fields: &Fields| fields.moves.iter().map(|m| m.pair).collect::<Vec<_>>();
    match how {
        How::Same | How::Number { .. } | How::Function { .. } => Vec::new(),
        How::HashMap(_) | How::BTreeMap(_) => Vec::new(),
        How::Struct(fields) => of_fields(fields),
        How::Enum(arms) => {
            let to = arms.iter().filter_map(|arm| arm.new.as_ref());
            to.flat_map(|to| of_fields(&to.fields)).collect()
        }
        How::IntoOption(inner)
        | How::OutOfOption(inner)
        | How::IntoBox(inner)
        | How::OutOfBox(inner)
        | How::Option(inner)
        | How::Box(inner)
        | How::Vec(inner)
        | How::VecDeque(inner)
        | How::Array { element: inner, .. } => vec![*inner],
    }
}

/// All pairs that are directly below.
pub(super) fn below(how: &How) -> Vec<PairIndex> {
    match how {
        How::HashMap(value) | How::BTreeMap(value) => vec![*value],
        how => parts(how),
    }
}

/// A pair and all those that are met below it, each once.
pub(super) fn reach(pairs: &[Pair], pair: PairIndex) -> Vec<PairIndex> {
    let mut met = vec![pair];
    let mut next = 0;
    while let Some(&pair) = met.get(next) {
        next += 1;
        for below in below(&pairs[pair as usize].how) {
            if !met.contains(&below) {
                met.push(below);
            }
        }
    }
    met
}

/// Whether something may be left of a value of a pair: a field that is removed, what does not fit, or what a
/// function may panic over.
pub(super) fn leaves_something(pairs: &[Pair], pair: PairIndex) -> bool {
    let removes = |how: &How| match how {
        How::Struct(fields) => !fields.removed.is_empty(),
        How::Enum(arms) => {
            let mut to = arms.iter().filter_map(|arm| arm.new.as_ref());
            to.any(|to| !to.fields.removed.is_empty())
        }
        _ => false,
    };
    !keeps_all(pairs, pair)
        || reach(pairs, pair).into_iter().any(|pair| removes(&pairs[pair as usize].how))
}

/// Whether every value of a pair survives, whatever happens: all fit, and no function runs that may
/// panic. Trees of such values are converted leaf by leaf.
pub(super) fn keeps_all(pairs: &[Pair], pair: PairIndex) -> bool {
    reach(pairs, pair).into_iter().all(|pair| {
        let pair = &pairs[pair as usize];
        pair.fits && !matches!(pair.how, How::Function { .. })
    })
}

/// Takes `holds` back wherever `keeps` says no, given what holds below, until nothing changes.
fn fixpoint(pairs: &[Pair], keeps: impl Fn(usize, &Pair, &[bool]) -> bool) -> Vec<bool> {
    let mut holds = vec![true; pairs.len()];
    loop {
        let mut changed = false;
        for (i, pair) in pairs.iter().enumerate() {
            if holds[i] && !keeps(i, pair, &holds) {
                holds[i] = false;
                changed = true;
            }
        }
        if !changed {
            return holds;
        }
    }
}

fn all(holds: &[bool], pairs: Vec<PairIndex>) -> bool {
    pairs.into_iter().all(|pair| holds[pair as usize])
}

/// Which pairs leave every byte where it is, below and here. Refused ones do not.
pub(super) fn same(pairs: &[Pair], refused: impl Fn(PairIndex) -> bool) -> Vec<bool> {
    let here: Vec<bool> = (0..).zip(pairs).map(|(i, pair)| !refused(i) && stays(pair)).collect();
    fixpoint(pairs, |i, pair, holds| here[i] && all(holds, below(&pair.how)))
}

fn unmoved(fields: &Fields) -> bool {
    let in_place = fields.moves.iter().all(|m| m.from == m.to);
    fields.fills.is_empty() && fields.removed.is_empty() && in_place
}

fn stays(pair: &Pair) -> bool {
    pair.old_size == pair.new_size
        && match &pair.how {
            How::Same
            | How::Option(_)
            | How::Box(_)
            | How::Array { .. }
            | How::Vec(_)
            | How::VecDeque(_)
            | How::HashMap(_)
            | How::BTreeMap(_) => true,
            How::Struct(fields) => unmoved(fields),
            How::Enum(arms) => arms.iter().all(|arm| {
                arm.new.as_ref().is_some_and(|to| to.tag == arm.old && unmoved(&to.fields))
            }),
            How::Number { .. } | How::Function { .. } => false,
            How::IntoOption(_) | How::OutOfOption(_) | How::IntoBox(_) | How::OutOfBox(_) => false,
        }
}

/// Which pairs leave the bytes of every old value that fits as they are, and have no new value that is
/// not an old one: so a new value may be taken for an old one, and a value may stay where it is.
/// `variants` tells how many variants the new type of a pair has.
pub(super) fn in_place(pairs: &[Pair], variants: impl Fn(&Pair) -> usize) -> Vec<bool> {
    let stays = |pair: &Pair| match &pair.how {
        How::Same => true,
        // A list that loses an element is another list. Maps convert on their own.
        How::Vec(_) | How::VecDeque(_) | How::HashMap(_) | How::BTreeMap(_) => false,
        How::Enum(arms) => {
            let kept = arms.iter().filter_map(|arm| Some((arm.old, arm.new.as_ref()?)));
            pair.old_size == pair.new_size
                && kept.clone().count() == variants(pair)
                && kept.clone().all(|(tag, to)| to.tag == tag && unmoved(&to.fields))
        }
        _ => stays(pair),
    };
    fixpoint(pairs, |_, pair, holds| stays(pair) && all(holds, parts(&pair.how)))
}

/// Which pairs hold every old value.
pub(super) fn fits(pairs: &[Pair]) -> Vec<bool> {
    fixpoint(pairs, |_, pair, holds| match &pair.how {
        How::Number { from, to } => Number::fits(*from, *to),
        How::OutOfOption(_) => false,
        // An element that does not fit is set aside; the list itself fits.
        How::Vec(_) | How::VecDeque(_) => true,
        How::Enum(arms) if arms.iter().any(|arm| arm.new.is_none()) => false,
        how => all(holds, parts(how)),
    })
}
