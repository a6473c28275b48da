//! Ranges of sorted sets, by rank, score or bytes: how they are written, and which ranks they mean.

use core::ops::Range;

use hotshell_plugin_api::collections::Bytes;

use crate::arguments::index_range;
use crate::number;
use crate::value::Value;
use crate::zset::{self, Place, rank_of};

/// One end of a range of scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    score: f64,
    exclusive: bool,
}

/// One end of a range of bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LexEdge<'a> {
    /// Before all.
    Least,
    /// Behind all.
    Most,
    /// Here; without what is here when `true`.
    At(&'a [u8], bool),
}

/// Which members are meant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Span<'a> {
    /// From one rank to another, both counted from the end when negative.
    Ranks(i64, i64),
    /// By score.
    Scores(Edge, Edge),
    /// By bytes, where all have one score.
    Lex(LexEdge<'a>, LexEdge<'a>),
}

impl Edge {
    /// Reads `1.5`, `(1.5`, `-inf`. C's `strtod`: spaces in front are fine, and nothing is 0.
    fn parse(text: &[u8]) -> Option<Self> {
        let (exclusive, text) = match text {
            [b'(', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        let number = text.trim_ascii_start();
        let score = if text.is_empty() { 0.0 } else { number::parse_f64(number)? };
        Some(Self { score, exclusive })
    }

    /// The edge as a rank (see `rank_of`): all scores of the range are at or above the lower one's, and
    /// below the `upper` one's.
    fn place(self, upper: bool) -> u64 {
        let score = if self.score == 0.0 { 0.0 } else { self.score };
        rank_of(score) + u64::from(self.exclusive != upper)
    }
}

impl<'a> LexEdge<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        match text {
            [b'-'] => Some(Self::Least),
            [b'+'] => Some(Self::Most),
            [b'[', rest @ ..] => Some(Self::At(rest, false)),
            [b'(', rest @ ..] => Some(Self::At(rest, true)),
            _ => None,
        }
    }

    /// Whether a range that begins here holds `member`.
    fn allows_from(self, member: &[u8]) -> bool {
        match self {
            Self::Least => true,
            Self::Most => false,
            Self::At(edge, exclusive) => member > edge || (!exclusive && member == edge),
        }
    }

    /// Whether a range that ends here holds `member`.
    fn allows_to(self, member: &[u8]) -> bool {
        match self {
            Self::Least => false,
            Self::Most => true,
            Self::At(edge, exclusive) => member < edge || (!exclusive && member == edge),
        }
    }
}

impl<'a> Span<'a> {
    /// A range of scores, from its ends.
    ///
    /// # Errors
    /// When one is no number.
    pub fn scores(min: &[u8], max: &[u8]) -> Result<Self, &'static str> {
        match (Edge::parse(min), Edge::parse(max)) {
            (Some(min), Some(max)) => Ok(Self::Scores(min, max)),
            _ => Err("ERR min or max is not a float"),
        }
    }

    /// The scores from one up to another, which is excluded.
    pub fn from_up_to(from: f64, to: f64) -> Self {
        Self::Scores(Edge { score: from, exclusive: false }, Edge { score: to, exclusive: true })
    }

    /// A range of bytes, from its ends.
    ///
    /// # Errors
    /// When one does not begin with `[`, `(`, `-`, `+`.
    pub fn lex(min: &'a [u8], max: &'a [u8]) -> Result<Self, &'static str> {
        match (LexEdge::parse(min), LexEdge::parse(max)) {
            (Some(min), Some(max)) => Ok(Self::Lex(min, max)),
            _ => Err("ERR min or max not valid string range item"),
        }
    }

    /// The ranks of the members in it; `reverse` counts ranks from the end. O(log n), O(n) in a small
    /// sorted set.
    pub fn ranks(&self, zset: &Value, reverse: bool) -> Range<usize> {
        let len = zset.len();
        let range = match *self {
            Self::Ranks(start, end) => {
                let range = index_range(len, start, end);
                if reverse { len - range.end..len - range.start } else { range }
            }
            Self::Scores(min, max) => score_ranks(zset, min, max),
            Self::Lex(min, max) => lex_ranks(zset, min, max),
        };
        if range.start < range.end { range } else { 0..0 }
    }
}

fn score_ranks(zset: &Value, min: Edge, max: Edge) -> Range<usize> {
    let (from, to) = (min.place(false), max.place(true));
    match zset {
        Value::ZsetPack(_, bytes) => {
            let below = |place: u64| {
                zset::packed(bytes).take_while(|&(_, score)| rank_of(score) < place).count()
            };
            below(from)..below(to)
        }
        Value::Zset(_, ranking) => {
            let below = |score: u64| {
                let place = Place { score, member: Bytes::new() };
                ranking.order().rank(&place).unwrap_or_else(|rank| rank)
            };
            below(from)..below(to)
        }
        _ => 0..0,
    }
}

/// Whether the first and the last member allow that one is between the edges. They decide also where
/// members have different scores, which makes the order another: so does Redis.
fn reaches(first: Option<&[u8]>, last: Option<&[u8]>, min: LexEdge<'_>, max: LexEdge<'_>) -> bool {
    last.is_some_and(|last| min.allows_from(last))
        && first.is_some_and(|first| max.allows_to(first))
}

fn lex_ranks(zset: &Value, min: LexEdge<'_>, max: LexEdge<'_>) -> Range<usize> {
    match zset {
        Value::ZsetPack(_, bytes) => {
            let members = || zset::packed(bytes).map(|(member, _)| member);
            if !reaches(members().next(), members().last(), min, max) {
                return 0..0;
            }
            let start = members().take_while(|member| !min.allows_from(member)).count();
            let held = members().skip(start).take_while(|member| max.allows_to(member)).count();
            start..start + held
        }
        Value::Zset(_, ranking) => {
            let (first, last) = (ranking.order().first(), ranking.order().last());
            if !reaches(first.map(|f| &*f.member), last.map(|l| &*l.member), min, max) {
                return 0..0;
            }
            // All members have the score of the first one.
            let Some(first) = first else { return 0..0 };
            let below = |edge: LexEdge<'_>, upper: bool| match edge {
                LexEdge::Least => 0,
                LexEdge::Most => ranking.len(),
                LexEdge::At(member, exclusive) => {
                    let place = Place { score: first.score, member: Bytes::from(member) };
                    let found = ranking.order().rank(&place);
                    found.map_or_else(|rank| rank, |rank| rank + usize::from(exclusive != upper))
                }
            };
            below(min, false)..below(max, true)
        }
        _ => 0..0,
    }
}
