//! What collections are made of, whatever form it is kept in.

use hotshell_plugin_api::collections::Bytes;

use crate::number::Decimal;
use crate::reply::{Out, Reply};

/// A member, a value or a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Element<'a> {
    /// Bytes.
    Bytes(&'a [u8]),
    /// An integer of an intset.
    Int(i64),
    /// The score of a sorted set's member.
    Score(f64),
}

impl<'a> Element<'a> {
    /// Its text; `room` is for numbers.
    #[inline]
    pub fn text<'b>(self, room: &'b mut Decimal) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Int(n) => room.integer(n),
            Self::Score(score) => room.float(score),
        }
    }

    /// Writes it: scores as floats, all others as bulk strings.
    #[inline]
    pub fn reply(self, out: &mut Out<'_>) {
        match self {
            Self::Bytes(bytes) => out.bulk(bytes),
            Self::Score(score) => out.double(score),
            Self::Int(_) => out.bulk(self.text(&mut Decimal::new())),
        }
    }

    /// A copy of its text.
    pub fn to_bytes(self) -> Bytes {
        Bytes::from(self.text(&mut Decimal::new()))
    }
}
