//! Collections of any type and form: how many elements, all of them, some at random, some from a
//! cursor on, and how a large one is taken apart.

use crate::chunk;
use crate::element::Element;
use crate::intset::IntSet;
use crate::list;
use crate::pack::Pack;
use crate::value::Value;
use crate::zset;

/// A collection with more elements is freed in slices (Redis' `LAZYFREE_THRESHOLD`).
const BIG: usize = 64;

/// An element and what belongs to it: a field's value, a member's score.
pub type Entry<'a> = (Element<'a>, Option<Element<'a>>);

const fn lone(bytes: &[u8]) -> Entry<'_> {
    (Element::Bytes(bytes), None)
}

fn field<'a>((field, value): (&'a [u8], &'a [u8])) -> Entry<'a> {
    (Element::Bytes(field), Some(Element::Bytes(value)))
}

fn scored<'a>((member, score): (&'a [u8], f64)) -> Entry<'a> {
    (Element::Bytes(member), Some(Element::Score(score)))
}

impl Value {
    /// How many elements it has; a string has one. O(1).
    pub fn len(&self) -> usize {
        match self {
            Self::Int(..) | Self::Str(..) => 1,
            Self::ListPack(_, pack) => chunk::len(pack),
            Self::List(_, list) => list.len(),
            Self::HashPack(_, pack) | Self::ZsetPack(_, pack) => Pack::of(pack).len() / 2,
            Self::HashMap(_, map) => map.len(),
            Self::IntSet(_, ints) => IntSet::of(ints).len(),
            Self::SetPack(_, pack) => Pack::of(pack).len(),
            Self::SetMap(_, set) => set.len(),
            Self::Zset(_, ranking) => ranking.len(),
            #[cfg(feature = "streams")]
            Self::Stream(_, stream) => stream.len() as usize,
        }
    }

    /// Whether it is a collection without elements, which is never in the keyspace. Streams are.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.stream().is_none()
    }

    /// Shows all elements: sorted sets and lists in order, the others in none.
    pub fn each<'a>(&'a self, mut show: impl FnMut(Entry<'a>)) {
        match self {
            Self::Int(..) | Self::Str(..) => {}
            #[cfg(feature = "streams")]
            Self::Stream(..) => {}
            Self::ListPack(..) | Self::List(..) => {
                list::iter(self).for_each(|element| show((element, None)));
            }
            Self::HashPack(_, pack) => Pack::of(pack).pairs().for_each(|pair| show(field(pair))),
            Self::HashMap(_, map) => map.iter().for_each(|(f, v)| show(field((f, v)))),
            Self::IntSet(_, ints) => {
                IntSet::of(ints).iter().for_each(|n| show((Element::Int(n), None)));
            }
            Self::SetPack(_, pack) => Pack::of(pack).iter().for_each(|member| show(lone(member))),
            Self::SetMap(_, set) => set.iter().for_each(|member| show(lone(member))),
            Self::ZsetPack(..) | Self::Zset(..) => {
                zset::each(self, 0..self.len(), false, |member, score| {
                    show(scored((member, score)));
                });
            }
        }
    }

    /// The elements, to draw from by number.
    pub fn entries(&self) -> Vec<Entry<'_>> {
        let mut all = Vec::with_capacity(self.len());
        self.each(|entry| all.push(entry));
        all
    }

    /// Draws an element, all with equal chances; `None` when there is none. O(1), and O(log n) in
    /// sorted sets; O(n) in small collections.
    pub fn draw(&self, mut random: impl FnMut() -> u64) -> Option<Entry<'_>> {
        let mut below = |n: usize| ((u128::from(random()) * n as u128) >> 64) as usize;
        match self {
            Self::Int(..) | Self::Str(..) => None,
            #[cfg(feature = "streams")]
            Self::Stream(..) => None,
            Self::ListPack(..) | Self::List(..) => {
                list::get(self, below(self.len())).map(|element| (element, None))
            }
            Self::HashPack(_, pack) => Pack::of(pack).pairs().nth(below(self.len())).map(field),
            Self::HashMap(_, map) => map.random_entry(random).map(|(f, v)| field((f, v))),
            Self::IntSet(_, ints) => {
                IntSet::of(ints).get(below(self.len())).map(|n| (Element::Int(n), None))
            }
            Self::SetPack(_, pack) => Pack::of(pack).iter().nth(below(self.len())).map(lone),
            Self::SetMap(_, set) => set.random_entry(random).map(|member| lone(member)),
            Self::ZsetPack(..) | Self::Zset(..) => zset::at(self, below(self.len())).map(scored),
        }
    }

    /// Shows about `count` elements from a cursor on and answers the next cursor, as
    /// [`hotshell_plugin_api::collections::HashMap::scan`]. Small collections are shown whole.
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(Entry<'_>)) -> u64 {
        match self {
            Self::HashMap(_, map) => map.scan(cursor, count, |f, v| show(field((f, v)))),
            Self::SetMap(_, set) => set.scan(cursor, count, |member| show(lone(member))),
            Self::Zset(_, ranking) => {
                ranking.scores().scan(cursor, count, |member, &score| show(scored((member, score))))
            }
            _ => {
                self.each(show);
                0
            }
        }
    }

    /// Whether freeing it at once would take long.
    pub fn is_big(&self) -> bool {
        if let Some(stream) = self.stream() {
            return stream.is_big();
        }
        match self {
            Self::List(_, list) => list.chunks() > BIG,
            Self::HashMap(..) | Self::SetMap(..) | Self::Zset(..) => self.len() > BIG,
            _ => false,
        }
    }

    /// Frees about `n` elements. For taking a large collection apart; other values stay as they are.
    pub fn crumble(&mut self, n: usize) {
        if let Some(stream) = self.stream_mut() {
            return stream.crumble(n);
        }
        match self {
            Self::List(_, list) => list.crumble(n),
            Self::HashMap(_, map) => {
                map.take_some(n, |field, value| drop((field, value)));
            }
            Self::SetMap(_, set) => {
                set.take_some(n, drop);
            }
            Self::Zset(_, ranking) => ranking.crumble(n),
            _ => {}
        }
    }
}
