//! Ziplists, Redis' small collections before 7.0: a head of ten bytes, entries, an end mark. Only read.

use super::packed::{self, END, Taken, integer, text};
use crate::rdb::read::Text;

/// The length of the entry before takes four more bytes.
const LONG: u8 = 0xfe;

/// The entries in order; `None` when it makes no sense.
pub fn entries(bytes: &[u8]) -> Option<Vec<Text>> {
    packed::entries::<10>(bytes, |rest| {
        let before = match *rest.first()? {
            END => return None,
            LONG => 5,
            _ => 1,
        };
        let (entry, used) = entry(rest.get(before..)?)?;
        Some((entry, before + used))
    })
}

/// The first entry, without the length that stands before it.
fn entry(bytes: &[u8]) -> Option<Taken> {
    let first = *bytes.first()?;
    match first {
        0..0x40 => text(bytes, 1, usize::from(first)),
        0x40..0x80 => text(bytes, 2, usize::from(first & 0x3f) << 8 | usize::from(*bytes.get(1)?)),
        0x80 => {
            let len = u32::from_be_bytes(*bytes.get(1..)?.first_chunk()?);
            text(bytes, 5, len as usize)
        }
        0xc0 => integer(bytes, 1, 2),
        0xd0 => integer(bytes, 1, 4),
        0xe0 => integer(bytes, 1, 8),
        0xf0 => integer(bytes, 1, 3),
        0xfe => integer(bytes, 1, 1),
        0xf1..=0xfd => Some((Text::Int(i64::from(first & 0x0f) - 1), 1)),
        _ => None,
    }
}
