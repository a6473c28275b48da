//! What ziplists and listpacks have in common: a head that begins with the length of all, entries, an
//! end mark.

use crate::rdb::read::Text;

/// The mark behind the last entry.
pub const END: u8 = 0xff;

/// An entry and the bytes that it takes.
pub type Taken = (Text, usize);

/// The entries behind a head of `HEAD` bytes, in order; `first` takes one off the front. `None` when it
/// makes no sense.
pub fn entries<const HEAD: usize>(
    bytes: &[u8],
    first: impl Fn(&[u8]) -> Option<Taken>,
) -> Option<Vec<Text>> {
    let (head, mut rest) = bytes.split_first_chunk::<HEAD>()?;
    let total = u32::from_le_bytes(*head.first_chunk()?) as usize;
    if total != bytes.len() {
        return None;
    }
    let mut all = Vec::new();
    while rest != [END] {
        let (entry, used) = first(rest)?;
        all.push(entry);
        rest = rest.get(used..)?;
    }
    Some(all)
}

/// A text of `len` bytes at a place.
pub fn text(bytes: &[u8], at: usize, len: usize) -> Option<Taken> {
    let end = at.checked_add(len)?;
    Some((Text::Bytes(bytes.get(at..end)?.to_vec()), end))
}

/// An integer of `width` bytes at a place, little-endian.
pub fn integer(bytes: &[u8], at: usize, width: usize) -> Option<Taken> {
    let mut word = [0; 8];
    word[8 - width..].copy_from_slice(bytes.get(at..at + width)?);
    // In the upper bytes, so that shifting down extends the sign.
    Some((Text::Int(i64::from_le_bytes(word) >> (64 - 8 * width)), at + width))
}
