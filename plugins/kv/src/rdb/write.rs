//! Values to payloads, in the plain form of each kind.

use super::{encoded, kind};
use crate::element::Element;
use crate::number::Decimal;
use crate::value::{Kind, Value};

/// Kind and content; `None` for a stream.
pub fn value(value: &Value) -> Option<Vec<u8>> {
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
        _ => {
            out.push(match value.kind() {
                Kind::List => kind::LIST,
                Kind::Hash => kind::HASH,
                Kind::Set => kind::SET,
                Kind::Zset => kind::ZSET_2,
                Kind::String | Kind::Stream => return None,
            });
            length(&mut out, value.len());
            value.each(|(item, more)| {
                element(&mut out, item);
                more.into_iter().for_each(|more| element(&mut out, more));
            });
        }
    }
    Some(out)
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

fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// A length in one, two, five or nine bytes.
fn length(out: &mut Vec<u8>, len: usize) {
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
