//! [`Room`]: the end of a segment that is written before there are frames for it.
//!
//! A sync of a file that has grown also writes where it lies and how long it is, and waits for both. Under
//! `always`, where clients wait for each sync, the journal's thread therefore writes zeros ahead, so that a
//! sync writes frames only. A segment that is short stays as long as its frames: there a reader sees all
//! that there is, and little is gained.

use std::fs::File;
use std::ops::Range;

use super::disk::Disk;

/// A segment that is shorter gets no room, bytes.
pub const FROM: u64 = 256 << 10;
/// Room that is made at once, at most, bytes.
const MOST: u64 = 1 << 20;
/// A file with room is a multiple of this long, bytes.
const GRAIN: u64 = 4096;

/// How far the file of a segment reaches.
#[derive(Debug, Default)]
pub struct Room {
    /// Bytes of the file; 0 before the first room is made.
    end: u64,
}

impl Room {
    /// Makes room for so many bytes behind the first `len` of the file, and for what follows, unless there
    /// is enough. A disk that is too full for that gets back what it gave: the frames may still find room.
    pub fn make(&mut self, disk: &mut impl Disk, file: &File, len: u64, bytes: u64) {
        let Some(room) = self.ahead(len, bytes) else { return };
        let end = room.end;
        match disk.write_zeros(file, room) {
            Ok(()) => self.end = end,
            Err(_) => self.give_back(file, len),
        }
    }

    /// Takes away what is left, if any room was made.
    pub fn end(&mut self, file: &File, len: u64) {
        if self.end > len {
            self.give_back(file, len);
        }
    }

    /// Takes the room behind the first `len` bytes of the file away.
    fn give_back(&mut self, file: &File, len: u64) {
        // What stays reads as room: a few bytes of the disk are lost.
        let _ = file.set_len(len);
        self.end = 0;
    }

    /// What is to be made. A quarter of what is there: so the middle of a file is always a frame's.
    fn ahead(&self, len: u64, bytes: u64) -> Option<Range<u64>> {
        let enough = len < FROM || len + bytes <= self.end;
        let end = (len + bytes + (len / 4).min(MOST)).next_multiple_of(GRAIN);
        (!enough).then(|| self.end.max(len)..end)
    }
}

/// How many bytes at the end of a file are room that no frame has come to: of a whole file, all from `at`
/// on if they are zeros; of a torn one, those behind the last that is not.
pub fn unused(bytes: &[u8], at: usize) -> usize {
    let has_room = bytes.len() as u64 >= FROM && (bytes.len() as u64).is_multiple_of(GRAIN);
    let used = bytes[at..].iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    if has_room { bytes.len() - at - used } else { 0 }
}
