//! Segments: the files of the journal.
//!
//! `journal-POSITION.hsj`, named after the position of its first frame: bytes of frames since the
//! journal began, in 20 digits. A head of 96 bytes, then frames.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `hsjournl` |
//! | 4 | format, 2; format 1 has no salt |
//! | 4 | bytes of this head, 96 |
//! | 8 | position of the first frame |
//! | 8 | when it was begun, milliseconds since the Unix epoch |
//! | 48 | whose frames it holds: generation, fingerprint of its schema, SHA-256 of its artifact |
//! | 4 | [`Salt`] of its frames |
//! | 8 | reserved, zero |
//! | 4 | CRC-32 of the 92 bytes before |

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::file;
use super::frame::Salt;
use super::head::{self, BadHead, Fields, Kind};
use super::origin::Origin;
use crate::time::unix_ms;

/// The format this version writes, and the newest it reads.
pub const FORMAT: u32 = 2;
/// Bytes of the head.
pub const HEAD: usize = head::SIZE;
const KIND: Kind = Kind { magic: b"hsjournl", format: FORMAT };

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
    /// What their checksums begin with.
    pub salt: Salt,
}

/// All segments in a folder, by position. Files that are not named like one are left alone.
pub fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let found = super::folder::numbered(folder, "journal-", ".hsj")?;
    Ok(found.into_iter().map(|(first, path)| Segment { first, path }).collect())
}

/// Makes a segment: written beside, synced, renamed, and its folder synced.
pub fn create(folder: &Path, head: Head) -> io::Result<File> {
    let name = format!("journal-{:020}.hsj", head.first);
    file::replace(&folder.join(name), 0o600, &head.encode())
}

impl Head {
    /// The head of one that is begun now.
    pub fn now(first: u64, origin: Origin, salt: Salt) -> Self {
        Self { first, begun_ms: unix_ms(), origin, salt }
    }

    fn encode(&self) -> [u8; HEAD] {
        let Self { first: position, begun_ms: time_ms, origin, salt } = *self;
        KIND.encode(&Fields { position, time_ms, origin, extra: u64::from(salt.0) })
    }

    /// Reads the head at the front of a segment's bytes.
    ///
    /// # Errors
    /// [`BadHead`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BadHead> {
        let Fields { position: first, time_ms: begun_ms, origin, extra } = KIND.decode(bytes)?;
        let salt = Salt(u32::try_from(extra).map_err(|_| BadHead::Damaged)?);
        Ok(Self { first, begun_ms, origin, salt })
    }

    /// Reads the head of a file. The outer error is the disk's.
    ///
    /// # Errors
    /// The disk's; [`BadHead`] inside.
    pub fn read(path: &Path) -> io::Result<Result<Self, BadHead>> {
        Ok(Self::decode(&head::front(File::open(path)?)?))
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
