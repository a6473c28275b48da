//! Ziplists, Redis' small collections before 7.0: a head of ten bytes, entries, an end mark. Only read.

use crate::rdb::read::Text;

const END: u8 = 0xff;
/// The length of the entry before takes four more bytes.
const LONG: u8 = 0xfe;

/// The entries in order; `None` when it makes no sense.
pub fn entries(bytes: &[u8]) -> Option<Vec<Text>> {
    let (head, mut rest) = bytes.split_first_chunk::<10>()?;
    let total = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    if total != bytes.len() {
        return None;
    }
    let mut all = Vec::new();
    loop {
        if rest == [END] {
            return Some(all);
        }
        let before = match *rest.first()? {
            END => return None,
            LONG => 5,
            _ => 1,
        };
        let (entry, used) = entry(rest.get(before..)?)?;
        all.push(entry);
        rest = rest.get(before + used..)?;
    }
}

/// The first entry, and the bytes it takes.
fn entry(bytes: &[u8]) -> Option<(Text, usize)> {
    let first = *bytes.first()?;
    let text = |at: usize, len: usize| {
        let text = bytes.get(at..at.checked_add(len)?)?;
        Some((Text::Bytes(text.to_vec()), at + len))
    };
    let wide = |n: usize| -> Option<(Text, usize)> {
        let mut word = [0; 8];
        word[8 - n..].copy_from_slice(bytes.get(1..=n)?);
        // In the upper bytes, so that shifting down extends the sign.
        Some((Text::Int(i64::from_le_bytes(word) >> (64 - 8 * n)), 1 + n))
    };
    match first {
        0..0x40 => text(1, usize::from(first)),
        0x40..0x80 => text(2, usize::from(first & 0x3f) << 8 | usize::from(*bytes.get(1)?)),
        0x80 => {
            let len = bytes.get(1..5)?;
            text(5, u32::from_be_bytes(len.try_into().ok()?) as usize)
        }
        0xc0 => wide(2),
        0xd0 => wide(4),
        0xe0 => wide(8),
        0xf0 => wide(3),
        0xfe => wide(1),
        0xf1..=0xfd => Some((Text::Int(i64::from(first & 0x0f) - 1), 1)),
        _ => None,
    }
}
