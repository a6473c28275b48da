//! Payloads to values: every kind that Redis 4.0 to 7.0 write, but modules.

use super::{encoded, kind, listpack, lzf, ziplist};
use crate::hash;
use crate::list;
use crate::list::End;
use crate::number::{self, Decimal};
use crate::set;
use crate::settings::Limits;
use crate::value::Value;
use crate::zset;

/// An entry of a small collection.
#[derive(Debug, Clone, PartialEq)]
pub enum Text {
    /// Bytes.
    Bytes(Vec<u8>),
    /// An integer, which stands for its decimal form.
    Int(i64),
}

impl Text {
    /// Its text.
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Int(n) => Decimal::new().integer(n).to_vec(),
        }
    }
}

/// What is left of a payload.
pub(super) struct Input<'a>(&'a [u8]);

/// A length, or the mark of a string in another form.
enum Length {
    Plain(usize),
    Encoded(u8),
}

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(front)
    }

    pub(super) fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn mark(&mut self) -> Option<Length> {
        let [first] = self.chunk()?;
        Some(Length::Plain(match first >> 6 {
            0 => usize::from(first & 63),
            1 => usize::from(first & 63) << 8 | usize::from(self.chunk::<1>()?[0]),
            2 if first == 0x80 => u32::from_be_bytes(self.chunk()?) as usize,
            2 if first == 0x81 => usize::try_from(u64::from_be_bytes(self.chunk()?)).ok()?,
            2 => return None,
            _ => return Some(Length::Encoded(first & 63)),
        }))
    }

    pub(super) fn length(&mut self) -> Option<usize> {
        match self.mark()? {
            Length::Plain(len) => Some(len),
            Length::Encoded(_) => None,
        }
    }

    /// A number that is written as lengths are.
    #[cfg(feature = "streams")]
    pub(super) fn number(&mut self) -> Option<u64> {
        self.length().map(|n| n as u64)
    }

    pub(super) fn text(&mut self) -> Option<Vec<u8>> {
        let n = match self.mark()? {
            Length::Plain(len) => return Some(self.take(len)?.to_vec()),
            Length::Encoded(encoded::INT8) => i64::from(i8::from_le_bytes(self.chunk()?)),
            Length::Encoded(encoded::INT16) => i64::from(i16::from_le_bytes(self.chunk()?)),
            Length::Encoded(encoded::INT32) => i64::from(i32::from_le_bytes(self.chunk()?)),
            Length::Encoded(encoded::LZF) => {
                let (short, len) = (self.length()?, self.length()?);
                return lzf::open(self.take(short)?, len);
            }
            Length::Encoded(_) => return None,
        };
        Some(Decimal::new().integer(n).to_vec())
    }

    /// A score in the form before 4.0: its decimal form behind a length, or a mark.
    fn old_score(&mut self) -> Option<f64> {
        match self.chunk::<1>()?[0] {
            253 => None,
            254 => Some(f64::INFINITY),
            255 => Some(f64::NEG_INFINITY),
            len => number::parse_f64(self.take(usize::from(len))?),
        }
    }

    fn score(&mut self) -> Option<f64> {
        Some(f64::from_le_bytes(self.chunk()?)).filter(|score| !score.is_nan())
    }
}

/// Kind and content.
pub fn value(bytes: &[u8], limits: Limits) -> Option<Value> {
    let mut input = Input(bytes);
    let [kind] = input.chunk()?;
    let value = match kind {
        kind::STRING => Value::string(&input.text()?),
        kind::LIST => {
            let mut items = Vec::new();
            for _ in 0..input.length()? {
                items.push(input.text()?);
            }
            list_of(items)
        }
        kind::SET => {
            let mut value = Value::set();
            for _ in 0..input.length()? {
                set::insert(&mut value, &input.text()?, limits).then_some(())?;
            }
            value
        }
        kind::ZSET | kind::ZSET_2 => {
            let mut value = Value::zset();
            for _ in 0..input.length()? {
                let member = input.text()?;
                let score = if kind == kind::ZSET { input.old_score()? } else { input.score()? };
                put_score(&mut value, &member, score, limits)?;
            }
            value
        }
        kind::HASH => {
            let mut value = Value::hash();
            for _ in 0..input.length()? {
                let (field, text) = (input.text()?, input.text()?);
                hash::set(&mut value, &field, &text, limits).then_some(())?;
            }
            value
        }
        #[cfg(feature = "streams")]
        kind::STREAM | kind::STREAM_2 => super::stream::read(&mut input, kind == kind::STREAM_2)?,
        _ => packed(kind, &mut input, limits)?,
    };
    // Redis never writes a collection without elements.
    (input.0.is_empty() && !value.is_empty()).then_some(value)
}

/// Collections in one block.
fn packed(kind: u8, input: &mut Input<'_>, limits: Limits) -> Option<Value> {
    match kind {
        kind::SET_INTSET => integers(&input.text()?, limits),
        kind::LIST_ZIPLIST => Some(list_of(texts(ziplist::entries(&input.text()?)?))),
        kind::LIST_QUICKLIST => {
            let mut items = Vec::new();
            for _ in 0..input.length()? {
                items.extend(texts(ziplist::entries(&input.text()?)?));
            }
            Some(list_of(items))
        }
        kind::LIST_QUICKLIST_2 => {
            let mut items = Vec::new();
            for _ in 0..input.length()? {
                // One long element, or a listpack of several.
                match input.length()? {
                    1 => items.push(input.text()?),
                    2 => items.extend(texts(listpack::entries(&input.text()?)?)),
                    _ => return None,
                }
            }
            Some(list_of(items))
        }
        kind::HASH_ZIPLIST => fields(ziplist::entries(&input.text()?)?, limits),
        kind::HASH_LISTPACK => fields(listpack::entries(&input.text()?)?, limits),
        kind::ZSET_ZIPLIST => scores(ziplist::entries(&input.text()?)?, limits),
        kind::ZSET_LISTPACK => scores(listpack::entries(&input.text()?)?, limits),
        _ => None,
    }
}

fn texts(entries: Vec<Text>) -> Vec<Vec<u8>> {
    entries.into_iter().map(Text::bytes).collect()
}

fn list_of(items: Vec<Vec<u8>>) -> Value {
    let mut value = Value::list();
    items.iter().for_each(|item| list::push(&mut value, End::Tail, item));
    value
}

/// Redis' block of integers: width, number, then the integers.
fn integers(bytes: &[u8], limits: Limits) -> Option<Value> {
    let (width, rest) = bytes.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let width = u32::from_le_bytes(*width) as usize;
    let len = u32::from_le_bytes(*len) as usize;
    if !matches!(width, 2 | 4 | 8) || rest.len() != len.checked_mul(width)? {
        return None;
    }
    let mut value = Value::set();
    for number in rest.chunks_exact(width) {
        let mut word = [0; 8];
        word[8 - width..].copy_from_slice(number);
        let n = i64::from_le_bytes(word) >> (64 - 8 * width);
        set::insert(&mut value, Decimal::new().integer(n), limits).then_some(())?;
    }
    Some(value)
}

fn fields(entries: Vec<Text>, limits: Limits) -> Option<Value> {
    let mut value = Value::hash();
    let mut entries = entries.into_iter();
    while let Some(field) = entries.next() {
        let text = entries.next()?.bytes();
        hash::set(&mut value, &field.bytes(), &text, limits).then_some(())?;
    }
    Some(value)
}

fn scores(entries: Vec<Text>, limits: Limits) -> Option<Value> {
    let mut value = Value::zset();
    let mut entries = entries.into_iter();
    while let Some(member) = entries.next() {
        let score = match entries.next()? {
            Text::Int(n) => n as f64,
            Text::Bytes(text) => number::parse_f64(&text)?,
        };
        put_score(&mut value, &member.bytes(), score, limits)?;
    }
    Some(value)
}

fn put_score(zset: &mut Value, member: &[u8], score: f64, limits: Limits) -> Option<()> {
    if zset::score(zset, member).is_some() {
        return None;
    }
    zset::put(zset, member, score, limits);
    Some(())
}
