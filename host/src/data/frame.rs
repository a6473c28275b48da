//! Frames: what one call of the plugin told the journal, whole or not there at all.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | `HSFR`: records of a call of the plugin; `HSUS`: a switch, told by the host; `HSDU`: a mark |
//! | 4 | bytes of records |
//! | 4 | CRC-32 of the four bytes before and of the records, begun with the journal's [`Salt`] |
//! | | records, each with its length in four bytes before it |
//!
//! All numbers are little-endian. A mark holds in place of records the position up to which everything was
//! on disk when it was written: eight bytes. It has no position itself.

/// What checksums of frames begin with. Each start draws one, and the heads of the files that it writes
/// tell it: so bytes that clients send are never taken for a frame, wherever a frame is looked for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub u32);

impl Salt {
    /// A new one.
    pub fn draw() -> Self {
        Self(crate::heap::random_u64() as u32)
    }
}

/// Whose records a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What one call of the plugin told.
    Call,
    /// The host's: this segment begins with a switch to its generation. One record, the verb.
    Use,
}

/// What a whole frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// Records.
    Records(Kind, &'a [u8]),
    /// The writer's mark: everything before this position was on disk when it was written.
    Durable(u64),
}

const MARK_MAGIC: [u8; 4] = *b"HSDU";

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
/// Bytes of a mark.
pub const MARK: usize = HEAD + 8;

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
pub fn seal(out: &mut Vec<u8>, salt: Salt, kind: Kind, records: &[u8]) -> usize {
    put(out, salt, kind.magic(), records)
}

/// A mark: everything before `position` is on disk.
pub fn mark(salt: Salt, position: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(MARK);
    put(&mut out, salt, MARK_MAGIC, &position.to_le_bytes());
    out
}

fn put(out: &mut Vec<u8>, salt: Salt, magic: [u8; 4], content: &[u8]) -> usize {
    let len = u32::try_from(content.len()).expect("a frame is smaller than 4 GiB").to_le_bytes();
    out.extend_from_slice(&magic);
    out.extend_from_slice(&len);
    out.extend_from_slice(&checksum(salt, &len, content).to_le_bytes());
    out.extend_from_slice(content);
    HEAD + content.len()
}

fn checksum(Salt(salt): Salt, len: &[u8], content: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new_with_initial(salt);
    crc.update(len);
    crc.update(content);
    crc.finalize()
}

/// The frame at the front of `bytes`, and how many bytes it has; `None` when there is no whole one.
pub fn read(bytes: &[u8], salt: Salt) -> Option<(Content<'_>, usize)> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let (magic, head) = head.split_at(4);
    let (len, crc) = head.split_at(4);
    if !is_magic(magic) {
        return None;
    }
    let found = rest.get(..u32::from_le_bytes(len.try_into().ok()?) as usize)?;
    if checksum(salt, len, found).to_le_bytes() != crc {
        return None;
    }
    let content = match Kind::of(magic) {
        Some(kind) => Content::Records(kind, found),
        None => Content::Durable(u64::from_le_bytes(found.try_into().ok()?)),
    };
    Some((content, HEAD + found.len()))
}

fn is_magic(four: &[u8]) -> bool {
    four == MARK_MAGIC || Kind::of(four).is_some()
}

/// What lies behind a frame that is not whole.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// Where the first whole frame begins.
    pub whole: Option<usize>,
    /// The highest position that a mark names.
    pub durable: Option<u64>,
}

/// The whole frames in `bytes`, whatever else is in there.
pub fn behind(bytes: &[u8], salt: Salt) -> Behind {
    let (mut found, mut from) = (Behind::default(), 0);
    while let Some(at) = bytes[from..].windows(4).position(is_magic) {
        from += at;
        let Some((content, size)) = read(&bytes[from..], salt) else {
            from += 1;
            continue;
        };
        found.whole = found.whole.or(Some(from));
        if let Content::Durable(position) = content {
            found.durable = found.durable.max(Some(position));
        }
        from += size;
    }
    found
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
