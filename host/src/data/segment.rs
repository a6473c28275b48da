//! Segments: the files of the journal.
//!
//! `journal-POSITION.hsj`, named after the position of its first frame: bytes of frames since the
//! journal began, in 20 digits. A head of 32 bytes, then frames.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `hsjournl` |
//! | 4 | format, 1 |
//! | 4 | bytes of this head, 32 |
//! | 8 | position of the first frame |
//! | 4 | reserved, zero |
//! | 4 | CRC-32 of the 28 bytes before |

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"hsjournl";
/// The format this version writes, and the newest it reads.
pub const FORMAT: u32 = 1;
/// Bytes of the head.
pub const HEAD: usize = 32;

/// A file of the journal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment {
    /// Position of its first frame.
    pub first: u64,
    /// The file.
    pub path: PathBuf,
}

/// Why a head is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadHead {
    /// Written by a version that knows a newer format.
    Newer(u32),
    /// No head of a segment, or a damaged one.
    Damaged,
}

/// All segments in a folder, by position. Files that are not named like one are left alone.
pub fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix("journal-").and_then(|name| name.strip_suffix(".hsj"));
        if let Some(first) = number.and_then(|digits| digits.parse().ok()) {
            found.push(Segment { first, path });
        }
    }
    found.sort();
    Ok(found)
}

/// Makes a segment: written beside, synced, renamed, and its folder synced.
pub fn create(folder: &Path, first: u64) -> io::Result<File> {
    let path = folder.join(format!("journal-{first:020}.hsj"));
    let beside = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).open(&beside)?;
    file.write_all(&head(first))?;
    file.sync_all()?;
    fs::rename(&beside, &path)?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}

fn head(first: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    head[12..16].copy_from_slice(&(HEAD as u32).to_le_bytes());
    head[16..24].copy_from_slice(&first.to_le_bytes());
    let crc = crc32fast::hash(&head[..28]);
    head[28..].copy_from_slice(&crc.to_le_bytes());
    head
}

/// Checks the head at the front of a segment's bytes.
pub fn check_head(bytes: &[u8], first: u64) -> Result<(), BadHead> {
    let Some(found) = bytes.first_chunk::<HEAD>() else { return Err(BadHead::Damaged) };
    let [a, b, c, d] = found[8..12] else { unreachable!("four bytes of 32") };
    let format = u32::from_le_bytes([a, b, c, d]);
    if &found[..8] == MAGIC && format > FORMAT {
        return Err(BadHead::Newer(format));
    }
    if found == &head(first) { Ok(()) } else { Err(BadHead::Damaged) }
}
