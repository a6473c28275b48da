//! Listpacks, Redis' small collections since 7.0: a head of six bytes, entries, an end mark. Only read.

use crate::rdb::read::Text;

const END: u8 = 0xff;

/// The entries in order; `None` when it makes no sense.
pub fn entries(bytes: &[u8]) -> Option<Vec<Text>> {
    let (head, mut rest) = bytes.split_first_chunk::<6>()?;
    let total = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    if total != bytes.len() {
        return None;
    }
    let mut all = Vec::new();
    loop {
        if rest == [END] {
            return Some(all);
        }
        let (entry, used) = entry(rest)?;
        all.push(entry);
        rest = rest.get(used + back_length(used)..)?;
    }
}

/// Bytes of the length that stands behind an entry, seven bits each.
fn back_length(len: usize) -> usize {
    match len {
        0..128 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// The first entry, and the bytes it takes without the length behind it.
fn entry(bytes: &[u8]) -> Option<(Text, usize)> {
    let first = *bytes.first()?;
    let int = |n: i64, used: usize| Some((Text::Int(n), used));
    let text = |at: usize, len: usize| {
        let text = bytes.get(at..at.checked_add(len)?)?;
        Some((Text::Bytes(text.to_vec()), at + len))
    };
    let wide = |n: usize| -> Option<i64> {
        let mut word = [0; 8];
        word[8 - n..].copy_from_slice(bytes.get(1..=n)?);
        // In the upper bytes, so that shifting down extends the sign.
        Some(i64::from_le_bytes(word) >> (64 - 8 * n))
    };
    match first {
        0..0x80 => int(i64::from(first), 1),
        0x80..0xc0 => text(1, usize::from(first & 0x3f)),
        0xc0..0xe0 => {
            let n = i64::from(first & 0x1f) << 8 | i64::from(*bytes.get(1)?);
            int(if n >= 1 << 12 { n - (1 << 13) } else { n }, 2)
        }
        0xe0..0xf0 => text(2, usize::from(first & 0x0f) << 8 | usize::from(*bytes.get(1)?)),
        0xf0 => {
            let len = bytes.get(1..5)?;
            text(5, u32::from_le_bytes(len.try_into().ok()?) as usize)
        }
        0xf1 => int(wide(2)?, 3),
        0xf2 => int(wide(3)?, 4),
        0xf3 => int(wide(4)?, 5),
        0xf4 => int(wide(8)?, 9),
        _ => None,
    }
}
