//! The 96 bytes that segments and snapshots begin with; each says in its own file what it calls them.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | what kind of file it is |
//! | 4 | format |
//! | 4 | bytes of this head, 96 |
//! | 8 | position in the journal |
//! | 8 | when it was begun, milliseconds since the Unix epoch |
//! | 48 | who wrote it: [`Origin`] |
//! | 8 | what this kind of file has besides |
//! | 4 | reserved, zero |
//! | 4 | CRC-32 of the 92 bytes before |

use std::io::{self, Read};

use super::origin::{self, Origin};

/// Bytes of a head.
pub const SIZE: usize = 96;
/// Bytes of it that the checksum covers.
const CHECKED: usize = SIZE - 4;

/// A kind of file, as its first bytes say it.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub magic: &'static [u8; 8],
    /// The format this version writes, and the newest it reads.
    pub format: u32,
}

/// What a head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    pub position: u64,
    pub time_ms: u64,
    pub origin: Origin,
    pub extra: u64,
}

/// Why a head is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadHead {
    /// Written by a version that knows a newer format.
    Newer(u32),
    /// No head, or a damaged one.
    Damaged,
}

impl Kind {
    /// The head of a file of this kind.
    pub fn encode(self, fields: &Fields) -> [u8; SIZE] {
        let mut head = [0; SIZE];
        head[..8].copy_from_slice(self.magic);
        head[8..12].copy_from_slice(&self.format.to_le_bytes());
        head[12..16].copy_from_slice(&(SIZE as u32).to_le_bytes());
        head[16..24].copy_from_slice(&fields.position.to_le_bytes());
        head[24..32].copy_from_slice(&fields.time_ms.to_le_bytes());
        head[32..80].copy_from_slice(&fields.origin.encode());
        head[80..88].copy_from_slice(&fields.extra.to_le_bytes());
        let crc = crc32fast::hash(&head[..CHECKED]);
        head[CHECKED..].copy_from_slice(&crc.to_le_bytes());
        head
    }

    /// Reads the head at the front of a file's bytes.
    ///
    /// # Errors
    /// [`BadHead`].
    pub fn decode(self, bytes: &[u8]) -> Result<Fields, BadHead> {
        let Some(found) = bytes.first_chunk::<SIZE>() else { return Err(BadHead::Damaged) };
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&found[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let format = word(8) as u32;
        let written = Self { format, ..self };
        if &found[..8] == self.magic && format > self.format {
            return Err(BadHead::Newer(format));
        }
        let mut origin = [0; origin::SIZE];
        origin.copy_from_slice(&found[32..80]);
        let origin = Origin::decode(&origin);
        let fields = Fields { position: word(16), time_ms: word(24), origin, extra: word(80) };
        if format > 0 && found == &written.encode(&fields) {
            Ok(fields)
        } else {
            Err(BadHead::Damaged)
        }
    }
}

/// The bytes at the front of a file, fewer where it is shorter.
pub fn front(file: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(SIZE);
    file.take(SIZE as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
