//! Sorted sets: a [`pack`] in order while small, then a table of scores beside a tree by score. Values
//! of other types count as empty here.

use core::ops::Range;

use hotshell_plugin_api::collections::{BTreeSet, Box, Bytes, HashMap};
use hotshell_plugin_api::state;

use crate::pack::{self, Pack};
use crate::settings::Limits;
use crate::value::Value;

/// A large sorted set. Both parts have the same members.
#[state]
#[derive(Debug)]
pub struct Ranking {
    /// The score of each member.
    scores: HashMap<Bytes, f64>,
    /// The members by score, those of one score by their bytes.
    order: BTreeSet<Place>,
}

/// A member's place in the order.
#[state(key)]
#[derive(Debug, Clone)]
pub struct Place {
    /// The score, as [`rank_of`] turns it.
    pub score: u64,
    /// The member.
    pub member: Bytes,
}

/// A score as an integer of the same order.
pub(crate) const fn rank_of(score: f64) -> u64 {
    let bits = score.to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// The score that [`rank_of`] turned.
const fn score_of(rank: u64) -> f64 {
    f64::from_bits(if rank >> 63 == 1 { rank & !(1 << 63) } else { !rank })
}

impl Ranking {
    /// How many members it has. O(1).
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// The scores by member.
    pub fn scores(&self) -> &HashMap<Bytes, f64> {
        &self.scores
    }

    /// The members in order.
    pub(crate) fn order(&self) -> &BTreeSet<Place> {
        &self.order
    }

    /// A member's score. O(1).
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    fn put(&mut self, member: &[u8], score: f64) {
        match self.scores.get_mut(member) {
            Some(old) => {
                let member = Bytes::from(member);
                let mut place = Place { score: rank_of(*old), member };
                *old = score;
                self.order.remove(&place);
                place.score = rank_of(score);
                self.order.insert(place);
            }
            None => self.insert(member, score),
        }
    }

    /// Adds a member that is not there.
    fn insert(&mut self, member: &[u8], score: f64) {
        self.order.insert(Place { score: rank_of(score), member: Bytes::from(member) });
        self.scores.insert(Bytes::from(member), score);
    }

    fn remove(&mut self, member: &[u8]) -> bool {
        let Some(score) = self.scores.remove(member) else { return false };
        self.order.remove(&Place { score: rank_of(score), member: Bytes::from(member) })
    }

    fn remove_ranks(&mut self, ranks: Range<usize>) {
        for _ in ranks.clone() {
            if let Some(place) = self.order.remove_index(ranks.start) {
                self.scores.remove(&place.member);
            }
        }
    }

    /// A copy. O(n log n).
    pub fn copy(&self) -> Self {
        let scores = self.scores.iter().map(|(member, score)| (member.clone(), *score));
        Self { scores: scores.collect(), order: self.order.iter().cloned().collect() }
    }

    /// Frees about `n` members; it is of no further use.
    pub(crate) fn crumble(&mut self, n: usize) {
        self.order.take_some(n).for_each(drop);
        self.scores.take_some(n, |member, _| drop(member));
    }
}

/// A score in a pack: its bytes, highest first, without the zeros at the end.
struct Packed([u8; 8], usize);

impl Packed {
    fn of(score: f64) -> Self {
        let bits = score.to_bits();
        Self(bits.to_be_bytes(), 8 - bits.trailing_zeros() as usize / 8)
    }

    fn bytes(&self) -> &[u8] {
        &self.0[..self.1]
    }

    fn read(bytes: &[u8]) -> f64 {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        f64::from_bits(u64::from_be_bytes(wide))
    }
}

/// The members of a pack with their scores, in order.
pub(crate) fn packed(bytes: &[u8]) -> impl Iterator<Item = (&[u8], f64)> {
    Pack::of(bytes).pairs().map(|(member, score)| (member, Packed::read(score)))
}

/// A member's score. O(1); O(n) in a small one.
pub fn score(zset: &Value, member: &[u8]) -> Option<f64> {
    match zset {
        Value::ZsetPack(_, bytes) => {
            let pack = Pack::of(bytes);
            pack.at(pack.find(member, 2)?.end).map(Packed::read)
        }
        Value::Zset(_, ranking) => ranking.score(member),
        _ => None,
    }
}

/// Sets a member's score. O(log n).
pub fn put(zset: &mut Value, member: &[u8], score: f64, limits: Limits) {
    match zset {
        Value::Zset(_, ranking) => ranking.put(member, one_zero(score)),
        Value::ZsetPack(_, bytes) => {
            remove_packed(bytes, member);
            insert(zset, member, score, limits);
        }
        _ => {}
    }
}

/// Packs of Redis know no other zero.
fn one_zero(score: f64) -> f64 {
    if score == 0.0 { 0.0 } else { score }
}

/// Adds a member that is not there. O(log n).
pub fn insert(zset: &mut Value, member: &[u8], score: f64, limits: Limits) {
    let score = one_zero(score);
    if let Value::ZsetPack(_, bytes) = zset {
        if Pack::of(bytes).len() / 2 < pack::most(limits.zset_entries)
            && member.len() as u64 <= limits.zset_value
        {
            let before = |&(other, its): &(&[u8], f64)| (its, other) < (score, member);
            let index = packed(bytes).take_while(before).count();
            let at = Pack::of(bytes).range(index * 2, 0);
            pack::splice(bytes, at, 0, &[member, Packed::of(score).bytes()]);
            return;
        }
        unpack(zset);
    }
    if let Value::Zset(_, ranking) = zset {
        ranking.insert(member, score);
    }
}

/// Leaves the small form.
pub fn unpack(zset: &mut Value) {
    let Value::ZsetPack(head, bytes) = zset else { return };
    let mut ranking = Ranking::default();
    packed(bytes).for_each(|(member, score)| ranking.put(member, score));
    *zset = Value::Zset(*head, Box::new(ranking));
}

/// Leaves the small form when this member is too long for it.
pub fn make_room(zset: &mut Value, member: &[u8], limits: Limits) {
    if limits.zset_entries == 0 || member.len() as u64 > limits.zset_value {
        unpack(zset);
    }
}

fn remove_packed(bytes: &mut Bytes, member: &[u8]) -> bool {
    let pack = Pack::of(bytes);
    let Some(place) = pack.find(member, 2) else { return false };
    let end = pack.end_of(place.end);
    pack::splice(bytes, place.start..end, 2, &[]);
    true
}

/// Removes a member; false when it was not there. O(log n).
pub fn remove(zset: &mut Value, member: &[u8]) -> bool {
    match zset {
        Value::ZsetPack(_, bytes) => remove_packed(bytes, member),
        Value::Zset(_, ranking) => ranking.remove(member),
        _ => false,
    }
}

/// How many members stand before this one. O(log n).
pub fn rank(zset: &Value, member: &[u8]) -> Option<usize> {
    match zset {
        Value::ZsetPack(_, bytes) => packed(bytes).position(|(other, _)| other == member),
        Value::Zset(_, ranking) => {
            let score = rank_of(ranking.score(member)?);
            ranking.order.rank(&Place { score, member: Bytes::from(member) }).ok()
        }
        _ => None,
    }
}

/// The member with so many before it, and its score. O(log n).
pub fn at(zset: &Value, rank: usize) -> Option<(&[u8], f64)> {
    match zset {
        Value::ZsetPack(_, bytes) => packed(bytes).nth(rank),
        Value::Zset(_, ranking) => ranking.order.get_index(rank).map(open),
        _ => None,
    }
}

fn open(place: &Place) -> (&[u8], f64) {
    (&place.member, score_of(place.score))
}

/// Shows the members of these ranks, in order or from the last to the first. O(log n + shown).
pub fn each<'a>(
    zset: &'a Value,
    ranks: Range<usize>,
    reverse: bool,
    mut show: impl FnMut(&'a [u8], f64),
) {
    match zset {
        Value::ZsetPack(_, bytes) => {
            let some = packed(bytes).skip(ranks.start).take(ranks.len());
            if reverse {
                let some: Vec<_> = some.collect();
                some.iter().rev().for_each(|&(member, score)| show(member, score));
            } else {
                some.for_each(|(member, score)| show(member, score));
            }
        }
        Value::Zset(_, ranking) => {
            let some = ranking.order.range_by_rank(ranks).map(open);
            if reverse {
                some.rev().for_each(|(member, score)| show(member, score));
            } else {
                some.for_each(|(member, score)| show(member, score));
            }
        }
        _ => {}
    }
}

/// Takes `n` members off the end with the lowest scores, or with the highest, each after it was shown.
/// O(log n) each.
pub fn pop(zset: &mut Value, max: bool, n: usize, mut show: impl FnMut(&[u8], f64)) {
    if let Value::Zset(_, ranking) = zset {
        let Ranking { scores, order } = &mut **ranking;
        let places = (0..n).map_while(|_| if max { order.pop_last() } else { order.pop_first() });
        for place in places {
            let (member, score) = open(&place);
            show(member, score);
            scores.remove(member);
        }
        return;
    }
    let len = zset.len();
    let n = n.min(len);
    let ranks = if max { len - n..len } else { 0..n };
    each(zset, ranks.clone(), max, &mut show);
    remove_ranks(zset, ranks);
}

/// Removes the members of these ranks. O(log n) each.
pub fn remove_ranks(zset: &mut Value, ranks: Range<usize>) {
    match zset {
        Value::ZsetPack(_, bytes) if !ranks.is_empty() => {
            let place = Pack::of(bytes).range(ranks.start * 2, ranks.len() * 2);
            pack::splice(bytes, place, ranks.len() * 2, &[]);
        }
        Value::Zset(_, ranking) => ranking.remove_ranks(ranks),
        _ => {}
    }
}
