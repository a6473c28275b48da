//! Reading the journal back.
//!
//! A frame that is not whole, behind which there is no whole one, is what a crash leaves: it is cut off,
//! and the log says how many bytes went. A frame that is not whole in front of whole ones is damage:
//! nothing is changed, and the start is refused with the place, what is lost, and the way on.

use std::fs::{self, File};
use std::path::Path;

use super::folder::{Store, cannot};
use super::frame;
use super::segment::{self, BadHead, HEAD, Segment};
use crate::error::{Code, Error, Result};

/// What was read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Position behind the last frame: where the journal goes on.
    pub position: u64,
    /// Frames.
    pub frames: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of a torn frame that were cut off.
    pub cut: u64,
}

impl Store {
    /// Hands every record to `apply`, in the order in which they were written.
    ///
    /// # Errors
    /// `DATA`: damage in the middle, a gap, a newer format, a file that cannot be read; and whatever
    /// `apply` refuses. No file is changed then.
    pub fn recover(&self, mut apply: impl FnMut(&[u8]) -> Result<()>) -> Result<Recovered> {
        let segments = segment::list(&self.folder).map_err(|error| cannot(&self.folder, &error))?;
        let mut so_far = Recovered::default();
        for (at, segment) in segments.iter().enumerate() {
            if segment.first != so_far.position {
                return Err(gap(segment, so_far.position));
            }
            let later = segments.len() - at - 1;
            read_segment(segment, later, &mut so_far, &mut apply)?;
        }
        Ok(so_far)
    }
}

fn read_segment(
    segment: &Segment,
    later: usize,
    so_far: &mut Recovered,
    apply: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let bytes = fs::read(&segment.path).map_err(|error| cannot(&segment.path, &error))?;
    segment::check_head(&bytes, segment.first).map_err(|bad| bad_head(segment, &bad))?;
    let mut at = HEAD;
    while at < bytes.len() {
        let Some(records) = frame::read(&bytes[at..]) else {
            return torn(segment, &bytes, at, later, so_far);
        };
        for record in frame::records(records) {
            let Some(record) = record else { return Err(damaged(segment, &bytes, at, later)) };
            apply(record).map_err(|error| in_file(error, &segment.path, at))?;
            so_far.records += 1;
        }
        let size = frame::HEAD + records.len();
        at += size;
        so_far.frames += 1;
        so_far.position += size as u64;
    }
    Ok(())
}

/// The frame at `at` is not whole.
fn torn(
    segment: &Segment,
    bytes: &[u8],
    at: usize,
    later: usize,
    so_far: &mut Recovered,
) -> Result<()> {
    if later > 0 || frame::find(&bytes[at + 1..]).is_some() {
        return Err(damaged(segment, bytes, at, later));
    }
    let file = File::options().write(true).open(&segment.path);
    let cut = file.and_then(|file| {
        file.set_len(at as u64)?;
        file.sync_all()
    });
    cut.map_err(|error| cannot(&segment.path, &error))?;
    so_far.cut = (bytes.len() - at) as u64;
    tracing::warn!(
        file = %segment.path.display(),
        offset = at,
        bytes = so_far.cut,
        "journal: cut off a frame that a crash left unfinished"
    );
    Ok(())
}

#[cold]
fn damaged(segment: &Segment, bytes: &[u8], at: usize, later: usize) -> Error {
    let file = segment.path.display();
    let behind = bytes.len() - at;
    let others = match later {
        0 => String::new(),
        n => format!(" and {n} later files"),
    };
    let remove = if later == 0 { "" } else { ", and move the later files away" };
    Error::new(
        Code::Data,
        format!("the journal '{file}' is damaged at byte {at}"),
        format!(
            "the frame there fails its checksum; {behind} bytes from there on{others} are lost"
        ),
        format!(
            "restore the file from a copy; or `truncate -s {at} {file}`{remove}, \
             which keeps what is before"
        ),
    )
}

#[cold]
fn bad_head(segment: &Segment, bad: &BadHead) -> Error {
    let file = segment.path.display();
    match bad {
        BadHead::Newer(format) => Error::new(
            Code::Data,
            format!("the journal '{file}' is of a newer version"),
            format!("it has format {format}, this version reads {}", segment::FORMAT),
            "start it with the version of hotshell that wrote it, or a later one",
        ),
        BadHead::Damaged => Error::new(
            Code::Data,
            format!("the journal '{file}' is damaged at byte 0"),
            format!("its first {HEAD} bytes are no head of a segment; all its frames are lost"),
            "restore the file from a copy; or move it and all later ones away",
        ),
    }
}

#[cold]
fn gap(segment: &Segment, expected: u64) -> Error {
    let file = segment.path.display();
    Error::new(
        Code::Data,
        format!("the journal has a gap before '{file}'"),
        format!("the file begins at position {}, the one before ends at {expected}", segment.first),
        "put the missing file back; or move this one and all later ones away",
    )
}

fn in_file(error: Error, path: &Path, at: usize) -> Error {
    let message = format!("{}, in the frame at byte {at} of '{}'", error.message, path.display());
    Error { message, ..error }
}
