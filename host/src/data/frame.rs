//! Frames: what one call of the plugin told the journal, whole or not there at all.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | `HSFR`: records of a call of the plugin; `HSUS`: a switch, told by the host |
//! | 4 | bytes of records |
//! | 4 | CRC-32 of the four bytes before and of the records |
//! | | records, each with its length in four bytes before it |
//!
//! All numbers are little-endian.

/// Whose records a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What one call of the plugin told.
    Call,
    /// The host's: this segment begins with a switch to its generation. One record, the verb.
    Use,
}

impl Kind {
    const fn magic(self) -> [u8; 4] {
        match self {
            Self::Call => *b"HSFR",
            Self::Use => *b"HSUS",
        }
    }

    fn of(magic: &[u8]) -> Option<Self> {
        [Self::Call, Self::Use].into_iter().find(|kind| kind.magic() == magic)
    }
}

/// Bytes in front of the records.
pub const HEAD: usize = 12;

/// Appends a record to the records of a frame.
///
/// # Panics
/// When it has 4 GiB or more; requests are limited to less.
pub fn put_record(records: &mut Vec<u8>, record: &[u8]) {
    let len = u32::try_from(record.len()).expect("a record is smaller than 4 GiB");
    records.extend_from_slice(&len.to_le_bytes());
    records.extend_from_slice(record);
}

/// Appends a frame with these records; answers its bytes.
///
/// # Panics
/// When they have 4 GiB or more.
pub fn seal(out: &mut Vec<u8>, kind: Kind, records: &[u8]) -> usize {
    let len = u32::try_from(records.len()).expect("a frame is smaller than 4 GiB").to_le_bytes();
    out.extend_from_slice(&kind.magic());
    out.extend_from_slice(&len);
    out.extend_from_slice(&checksum(&len, records).to_le_bytes());
    out.extend_from_slice(records);
    HEAD + records.len()
}

fn checksum(len: &[u8], records: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(len);
    crc.update(records);
    crc.finalize()
}

/// The frame at the front of `bytes`: kind and records; `None` when there is no whole one.
pub fn read(bytes: &[u8]) -> Option<(Kind, &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let (magic, head) = head.split_at(4);
    let (len, crc) = head.split_at(4);
    let kind = Kind::of(magic)?;
    let records = rest.get(..u32::from_le_bytes(len.try_into().ok()?) as usize)?;
    (checksum(len, records).to_le_bytes() == crc).then_some((kind, records))
}

/// Where in `bytes` the first whole frame begins.
pub fn find(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = bytes[from..].windows(4).position(|four| Kind::of(four).is_some()) {
        if read(&bytes[from + at..]).is_some() {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// The records of a frame, one by one; the last item is `None` when they do not add up.
pub fn records(mut bytes: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let parts = bytes.split_first_chunk::<4>();
        let parts =
            parts.and_then(|(len, rest)| rest.split_at_checked(u32::from_le_bytes(*len) as usize));
        let (record, rest) = parts.map_or((None, &[][..]), |(record, rest)| (Some(record), rest));
        bytes = rest;
        Some(record)
    })
}
