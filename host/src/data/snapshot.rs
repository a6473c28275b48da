//! Snapshots: the whole state at one position of the journal.
//!
//! `snapshot-POSITION.hss`. A head of 96 bytes, then blocks; all numbers are little-endian. What lies
//! before POSITION in the journal is in the snapshot.
//!
//! | head | bytes | | block | bytes |
//! |---|---|---|---|---|
//! | `hssnapsh` | 8 | | kind | 4 |
//! | format, 1 | 4 | | bytes of content | 4 |
//! | bytes of the head, 96 | 4 | | CRC-32 of the eight bytes before and the content | 4 |
//! | position | 8 | | content | |
//! | when it was taken, milliseconds since the Unix epoch | 8 | | | |
//! | generation, fingerprint, SHA-256 of the artifact | 48 | | | |
//! | the id that the next client gets | 8 | | | |
//! | reserved, 0 | 4 | | | |
//! | CRC-32 of the 92 bytes before | 4 | | | |

mod output;
mod read;
mod take;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::head::{self, BadHead, Fields};
use super::origin::Origin;

pub use read::{Blocks, Snapshot};
pub use take::{Taken, Taker};

/// The format this version writes, and the newest it reads.
pub const FORMAT: u32 = 1;
/// Bytes of the head.
pub const HEAD: usize = head::SIZE;
const FILE: head::Kind = head::Kind { magic: b"hssnapsh", format: FORMAT };
/// Bytes in front of a block's content.
const BLOCK_HEAD: usize = 12;

/// When snapshots are taken by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// After this time, if anything changed; zero: never.
    pub every: Duration,
    /// After so many changes; 0: never.
    pub after: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { every: Duration::from_secs(900), after: 2_000_000 }
    }
}

/// What a snapshot says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The journal goes on from here.
    pub position: u64,
    /// When it was taken, milliseconds since the Unix epoch.
    pub taken_ms: u64,
    /// Whose state it is.
    pub origin: Origin,
    /// The id that the next client gets.
    pub next_client: u64,
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The encoded schema that all of it follows. First.
    Schema,
    /// The outline of the root. Second.
    Root,
    /// Sessions of clients: each its client's id in eight bytes, and its image. Any number of blocks.
    Sessions,
    /// What is set aside: each the fingerprint of its schema in eight bytes, its length in four, and the
    /// encoded part.
    Aside,
    /// Entries of the outline's maps, whole ones.
    Entries,
    /// How many entries there are, in eight bytes. Last.
    Done,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Schema, Self::Root, Self::Sessions, Self::Aside, Self::Entries, Self::Done];

    /// Its four bytes.
    pub const fn tag(self) -> [u8; 4] {
        match self {
            Self::Schema => *b"SCHM",
            Self::Root => *b"ROOT",
            Self::Sessions => *b"SESS",
            Self::Aside => *b"ASID",
            Self::Entries => *b"ENTR",
            Self::Done => *b"DONE",
        }
    }

    fn of(tag: [u8; 4]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.tag() == tag)
    }
}

/// All snapshots in a folder, by position.
pub fn list(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    super::folder::numbered(folder, "snapshot-", ".hss")
}

fn path(folder: &Path, position: u64) -> PathBuf {
    folder.join(format!("snapshot-{position:020}.hss"))
}

impl Head {
    fn encode(&self) -> [u8; HEAD] {
        let Self { position, taken_ms: time_ms, origin, next_client: extra } = *self;
        FILE.encode(&Fields { position, time_ms, origin, extra })
    }

    /// Reads the head at the front of a snapshot's bytes.
    ///
    /// # Errors
    /// [`BadHead`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BadHead> {
        let Fields { position, time_ms: taken_ms, origin, extra: next_client } =
            FILE.decode(bytes)?;
        Ok(Self { position, taken_ms, origin, next_client })
    }

    /// Reads the head of a file. The outer error is the disk's.
    ///
    /// # Errors
    /// The disk's; [`BadHead`] inside.
    pub fn read(file: &mut File) -> io::Result<Result<Self, BadHead>> {
        Ok(Self::decode(&head::front(file)?))
    }
}

fn checksum(head: &[u8], content: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(head);
    crc.update(content);
    crc.finalize()
}
