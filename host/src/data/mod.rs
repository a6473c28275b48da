//! What a server keeps on disk: the folder of `--data`, the journal in it, and reading it back.
//!
//! `docs/DATA.md` has the formats and what each promises. The engine hands whole frames to a thread of
//! its own ([`Writer`]), which writes and syncs; it never waits for a disk inside a call.

mod artifacts;
mod describe;
mod digest;
mod disk;
pub mod export;
mod file;
mod folder;
pub mod frame;
mod head;
mod origin;
mod permanent;
mod progress;
mod recovery;
mod room;
pub mod segment;
pub mod snapshot;
pub mod survey;
mod way;
mod writer;

use std::fmt;
use std::str::FromStr;

pub use artifacts::Artifacts;
pub use describe::Describer;
pub use digest::Digest;
pub use folder::{Folder, Store, cannot};
pub use head::BadHead;
pub use origin::Origin;
pub use permanent::{Kept, Permanent, STARTS};
pub use progress::Progress;
pub use recovery::{Frame, Recovered, Replay, Step, Torn};
pub use way::way;
pub use writer::Writer;

/// When the journal reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Fsync {
    /// Every second.
    #[default]
    EverySec,
    /// Before any output that could show the change is sent.
    Always,
    /// When the system likes.
    No,
}

impl Fsync {
    /// Its word in flags, files and logs.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::EverySec => "everysec",
            Self::No => "no",
        }
    }
}

impl fmt::Display for Fsync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl FromStr for Fsync {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Always, Self::EverySec, Self::No];
        let found = all.into_iter().find(|fsync| fsync.text() == text);
        found.ok_or_else(|| "it must be always, everysec or no".to_owned())
    }
}

#[cfg(test)]
mod tests;
