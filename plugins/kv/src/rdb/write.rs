//! Values to payloads, in the plain form of each kind.

use super::{encoded, kind};
use crate::element::Element;
use crate::number::Decimal;
use crate::value::Value;

/// Kind and content.
pub fn value(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        Value::Int(_, n) => {
            out.push(kind::STRING);
            integer(&mut out, *n);
        }
        Value::Str(_, bytes) => {
            out.push(kind::STRING);
            text(&mut out, bytes);
        }
        #[cfg(feature = "streams")]
        Value::Stream(_, stream) => {
            out.push(kind::STREAM_2);
            super::stream::write(&mut out, stream);
        }
        Value::ListPack(..) | Value::List(..) => collection(&mut out, kind::LIST, value),
        Value::HashPack(..) | Value::HashMap(..) => collection(&mut out, kind::HASH, value),
        Value::IntSet(..) | Value::SetPack(..) | Value::SetMap(..) => {
            collection(&mut out, kind::SET, value);
        }
        Value::ZsetPack(..) | Value::Zset(..) => collection(&mut out, kind::ZSET_2, value),
    }
    out
}

fn collection(out: &mut Vec<u8>, kind: u8, value: &Value) {
    out.push(kind);
    length(out, value.len());
    value.each(|(item, more)| {
        element(out, item);
        more.into_iter().for_each(|more| element(out, more));
    });
}

fn element(out: &mut Vec<u8>, element: Element<'_>) {
    match element {
        Element::Score(score) => out.extend_from_slice(&score.to_le_bytes()),
        Element::Int(n) => integer(out, n),
        Element::Bytes(_) => text(out, element.text(&mut Decimal::new())),
    }
}

/// An integer: up to four bytes wide as such, else its decimal form.
fn integer(out: &mut Vec<u8>, n: i64) {
    const MARK: u8 = 0xc0;
    if let Ok(n) = i8::try_from(n) {
        out.push(MARK | encoded::INT8);
        out.extend_from_slice(&n.to_le_bytes());
    } else if let Ok(n) = i16::try_from(n) {
        out.push(MARK | encoded::INT16);
        out.extend_from_slice(&n.to_le_bytes());
    } else if let Ok(n) = i32::try_from(n) {
        out.push(MARK | encoded::INT32);
        out.extend_from_slice(&n.to_le_bytes());
    } else {
        text(out, Decimal::new().integer(n));
    }
}

pub(super) fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// A length in one, two, five or nine bytes.
pub(super) fn length(out: &mut Vec<u8>, len: usize) {
    match len {
        0..64 => out.push(len as u8),
        64..16_384 => out.extend_from_slice(&(0x4000 | len as u16).to_be_bytes()),
        16_384..=0xffff_ffff => {
            out.push(0x80);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}
