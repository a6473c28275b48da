//! Listpacks, Redis' small collections since 7.0, and the nodes of its streams: a head of six bytes,
//! entries, an end mark.

#[cfg(feature = "streams")]
use super::packed::END;
use super::packed::{self, Taken, integer, text};
use crate::rdb::read::Text;

/// Bytes of all, and how many entries there are.
const HEAD: usize = 6;

/// The entries in order; `None` when it makes no sense.
pub fn entries(bytes: &[u8]) -> Option<Vec<Text>> {
    packed::entries::<HEAD>(bytes, |rest| {
        let (entry, used) = entry(rest)?;
        Some((entry, used + back_length(used)))
    })
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

/// The first entry, without the length behind it.
fn entry(bytes: &[u8]) -> Option<Taken> {
    let first = *bytes.first()?;
    match first {
        0..0x80 => Some((Text::Int(i64::from(first)), 1)),
        0x80..0xc0 => text(bytes, 1, usize::from(first & 0x3f)),
        0xc0..0xe0 => {
            let n = i64::from(first & 0x1f) << 8 | i64::from(*bytes.get(1)?);
            Some((Text::Int(if n >= 1 << 12 { n - (1 << 13) } else { n }), 2))
        }
        0xe0..0xf0 => text(bytes, 2, usize::from(first & 0x0f) << 8 | usize::from(*bytes.get(1)?)),
        0xf0 => {
            let len = u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?);
            text(bytes, 5, len as usize)
        }
        0xf1 => integer(bytes, 1, 2),
        0xf2 => integer(bytes, 1, 3),
        0xf3 => integer(bytes, 1, 4),
        0xf4 => integer(bytes, 1, 8),
        _ => None,
    }
}

/// A listpack that is written.
#[cfg(feature = "streams")]
#[derive(Debug)]
pub struct Pack {
    bytes: Vec<u8>,
    len: usize,
}

#[cfg(feature = "streams")]
impl Pack {
    /// An empty one.
    pub fn new() -> Self {
        Self { bytes: vec![0; HEAD], len: 0 }
    }

    /// Adds an integer.
    pub fn integer(&mut self, n: i64) {
        let start = self.bytes.len();
        let wide = n.to_le_bytes();
        match n {
            0..128 => self.bytes.push(n as u8),
            -4096..4096 => self.bytes.extend([0xc0 | (n >> 8 & 0x1f) as u8, n as u8]),
            -0x8000..0x8000 => self.wide(0xf1, &wide[..2]),
            -0x80_0000..0x80_0000 => self.wide(0xf2, &wide[..3]),
            -0x8000_0000..0x8000_0000 => self.wide(0xf3, &wide[..4]),
            _ => self.wide(0xf4, &wide),
        }
        self.close(start);
    }

    fn wide(&mut self, mark: u8, bytes: &[u8]) {
        self.bytes.push(mark);
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds a text; one that is an integer's decimal form as that, as Redis does.
    pub fn text(&mut self, text: &[u8]) {
        if let Some(n) = crate::number::parse_i64(text) {
            return self.integer(n);
        }
        let start = self.bytes.len();
        match text.len() {
            len @ 0..64 => self.bytes.push(0x80 | len as u8),
            len @ 64..4096 => self.bytes.extend([0xe0 | (len >> 8) as u8, len as u8]),
            len => self.wide(0xf0, &(len as u32).to_le_bytes()),
        }
        self.bytes.extend_from_slice(text);
        self.close(start);
    }

    /// Puts the length of the entry behind it: from its last byte on it can be read backwards.
    fn close(&mut self, start: usize) {
        let len = self.bytes.len() - start;
        for place in (0..back_length(len)).rev() {
            let more = if place + 1 < back_length(len) { 0x80 } else { 0 };
            self.bytes.push((len >> (7 * place)) as u8 & 0x7f | more);
        }
        self.len += 1;
    }

    /// The whole listpack.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.push(END);
        let total = self.bytes.len() as u32;
        // More than fit are counted by the reader.
        let len = u16::try_from(self.len).unwrap_or(u16::MAX);
        self.bytes[..4].copy_from_slice(&total.to_le_bytes());
        self.bytes[4..HEAD].copy_from_slice(&len.to_le_bytes());
        self.bytes
    }
}

#[cfg(all(test, feature = "streams"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let numbers = [0, 1, 127, 128, -1, 4095, -4096, 4096, -4097, 32_767, -32_768, 32_768]
            .into_iter()
            .chain([8_388_607, -8_388_608, 8_388_608, 2_147_483_647, -2_147_483_648])
            .chain([2_147_483_648, i64::MAX, i64::MIN]);
        let texts = [0, 1, 63, 64, 126, 127, 4095, 4096, 16_390, 3_000_000].map(|n| vec![b'x'; n]);
        let mut pack = Pack::new();
        numbers.clone().for_each(|n| pack.integer(n));
        texts.iter().for_each(|text| pack.text(text));
        pack.text(b"-70000");
        pack.text(b"007");
        let mut wanted: Vec<Text> = numbers.map(Text::Int).collect();
        wanted.extend(texts.map(Text::Bytes));
        wanted.extend([Text::Int(-70_000), Text::Bytes(b"007".to_vec())]);
        assert_eq!(entries(&pack.finish()), Some(wanted));
    }
}
