//! Segments: the files of the journal.
//!
//! `journal-POSITION.hsj`, named after the position of its first frame: bytes of frames since the
//! journal began, in 20 digits. A head of 96 bytes, then frames.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `hsjournl` |
//! | 4 | format, 1 |
//! | 4 | bytes of this head, 96 |
//! | 8 | position of the first frame |
//! | 8 | when it was begun, milliseconds since the Unix epoch |
//! | 48 | whose frames it holds: generation, fingerprint of its schema, SHA-256 of its artifact |
//! | 12 | reserved, zero |
//! | 4 | CRC-32 of the 92 bytes before |

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::origin::{self, Origin};
use super::{file, unix_ms};

const MAGIC: &[u8; 8] = b"hsjournl";
/// The format this version writes, and the newest it reads.
pub const FORMAT: u32 = 1;
/// Bytes of the head.
pub const HEAD: usize = 96;

/// A file of the journal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment {
    /// Position of its first frame.
    pub first: u64,
    /// The file.
    pub path: PathBuf,
}

impl Segment {
    /// The name of its file.
    pub fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }
}

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Position of its first frame.
    pub first: u64,
    /// When it was begun, milliseconds since the Unix epoch.
    pub begun_ms: u64,
    /// Whose frames it holds.
    pub origin: Origin,
}

/// Why a head is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadHead {
    /// Written by a version that knows a newer format.
    Newer(u32),
    /// No head, or a damaged one.
    Damaged,
}

/// All segments in a folder, by position. Files that are not named like one are left alone.
pub fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let found = super::folder::numbered(folder, "journal-", ".hsj")?;
    Ok(found.into_iter().map(|(first, path)| Segment { first, path }).collect())
}

/// Makes a segment: written beside, synced, renamed, and its folder synced.
pub fn create(folder: &Path, first: u64, origin: Origin) -> io::Result<File> {
    let head = Head { first, begun_ms: unix_ms(), origin };
    file::replace(&folder.join(format!("journal-{first:020}.hsj")), 0o600, &head.encode())
}

impl Head {
    fn encode(&self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(MAGIC);
        head[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        head[12..16].copy_from_slice(&(HEAD as u32).to_le_bytes());
        head[16..24].copy_from_slice(&self.first.to_le_bytes());
        head[24..32].copy_from_slice(&self.begun_ms.to_le_bytes());
        head[32..80].copy_from_slice(&self.origin.encode());
        let crc = crc32fast::hash(&head[..92]);
        head[92..].copy_from_slice(&crc.to_le_bytes());
        head
    }

    /// Reads the head at the front of a segment's bytes.
    ///
    /// # Errors
    /// [`BadHead`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BadHead> {
        let Some(found) = bytes.first_chunk::<HEAD>() else { return Err(BadHead::Damaged) };
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&found[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let format = word(8) as u32;
        if &found[..8] == MAGIC && format > FORMAT {
            return Err(BadHead::Newer(format));
        }
        let mut origin = [0; origin::SIZE];
        origin.copy_from_slice(&found[32..80]);
        let origin = Origin::decode(&origin);
        let head = Self { first: word(16), begun_ms: word(24), origin };
        if found == &head.encode() { Ok(head) } else { Err(BadHead::Damaged) }
    }

    /// Reads the head of a file. The outer error is the disk's.
    ///
    /// # Errors
    /// The disk's; [`BadHead`] inside.
    pub fn read(path: &Path) -> io::Result<Result<Self, BadHead>> {
        let mut bytes = Vec::with_capacity(HEAD);
        File::open(path)?.take(HEAD as u64).read_to_end(&mut bytes)?;
        Ok(Self::decode(&bytes))
    }
}

/// Removes segments all of whose frames lie before `position`; the one that may still grow stays.
pub fn cut(folder: &Path, position: u64) -> io::Result<usize> {
    let all = list(folder)?;
    let whole = all.iter().zip(all.iter().skip(1)).take_while(|(_, next)| next.first <= position);
    let mut removed = 0;
    for (segment, _) in whole {
        fs::remove_file(&segment.path)?;
        removed += 1;
    }
    File::open(folder)?.sync_all()?;
    Ok(removed)
}
