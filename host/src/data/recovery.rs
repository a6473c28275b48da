//! Reading the journal back.
//!
//! A frame that is not whole, behind which there is no whole one, is what a crash leaves: it is cut off,
//! and the log says how many bytes went. A frame that is not whole in front of whole ones is damage:
//! nothing is changed, and the start is refused with the place, what is lost, and the way on.

use std::fs::{self, File};
use std::path::Path;

use super::folder::{Store, cannot};
use super::frame::{self, Kind};
use super::origin::Origin;
use super::segment::{self, BadHead, HEAD, Head, Segment};
use crate::error::{Code, Error, Result};

/// What was read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Position behind the last frame: where the journal goes on.
    pub position: u64,
    /// Frames of calls.
    pub frames: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Bytes of a torn frame that were cut off.
    pub cut: u64,
}

/// Takes what is read back.
pub trait Replay {
    /// What follows was written by this generation.
    ///
    /// # Errors
    /// Its code is not there, or cannot take over the state as it is.
    fn origin(&mut self, origin: &Origin) -> Result<()>;

    /// Repeats a change.
    ///
    /// # Errors
    /// Whatever the plugin refuses.
    fn record(&mut self, record: &[u8]) -> Result<()>;
}

impl Store {
    /// The journal's segments and what they say of themselves, in their order.
    ///
    /// # Errors
    /// `DATA`: a gap, a newer format, a damaged head, a folder that cannot be read.
    pub fn segments(&self) -> Result<Vec<(Segment, Head)>> {
        let listed = segment::list(&self.folder).map_err(|error| cannot(&self.folder, &error))?;
        let mut found: Vec<(Segment, Head)> = Vec::new();
        for segment in listed {
            let head = Head::read(&segment.path).map_err(|error| cannot(&segment.path, &error))?;
            let head = head.and_then(|head| match head.first == segment.first {
                true => Ok(head),
                false => Err(BadHead::Damaged),
            });
            let head = head.map_err(|bad| bad_head(&segment, &bad))?;
            found.push((segment, head));
        }
        Ok(found)
    }

    /// The generations that wrote what a start reads, each once, in that order.
    ///
    /// # Errors
    /// As for [`Store::segments`].
    pub fn origins(&self) -> Result<Vec<Origin>> {
        let snapshot = self.snapshot()?.map(|snapshot| snapshot.head);
        let from = snapshot.map_or(0, |head| head.position);
        let mut origins: Vec<Origin> = snapshot.map(|head| head.origin).into_iter().collect();
        for (segment, head) in self.segments()? {
            if segment.first >= from && !origins.contains(&head.origin) {
                origins.push(head.origin);
            }
        }
        Ok(origins)
    }

    /// Hands over every record from `from` on, in the order in which they were written.
    ///
    /// # Errors
    /// `DATA`: damage in the middle, a gap, a newer format, a file that cannot be read; and whatever
    /// `replay` refuses. No file is changed then.
    pub fn recover(&self, from: u64, replay: &mut dyn Replay) -> Result<Recovered> {
        let mut segments = self.segments()?;
        // What a snapshot holds already is about to be removed.
        let covered = segments.windows(2).take_while(|pair| pair[1].0.first <= from).count();
        segments.drain(..covered);
        let mut so_far = Recovered { position: from, ..Recovered::default() };
        for (at, (segment, head)) in segments.iter().enumerate() {
            if segment.first != so_far.position {
                return Err(gap(segment, so_far.position));
            }
            let later = segments.len() - at - 1;
            let in_head = |error| in_file(error, &segment.path, 0);
            replay.origin(&head.origin).map_err(in_head)?;
            read_segment(segment, later, &mut so_far, replay)?;
        }
        Ok(so_far)
    }
}

fn read_segment(
    segment: &Segment,
    later: usize,
    so_far: &mut Recovered,
    replay: &mut dyn Replay,
) -> Result<()> {
    let bytes = fs::read(&segment.path).map_err(|error| cannot(&segment.path, &error))?;
    let mut at = HEAD;
    while at < bytes.len() {
        let Some((kind, records)) = frame::read(&bytes[at..]) else {
            return torn(segment, &bytes, at, later, so_far);
        };
        if kind == Kind::Call {
            for record in frame::records(records) {
                let Some(record) = record else { return Err(damaged(segment, &bytes, at, later)) };
                replay.record(record).map_err(|error| in_file(error, &segment.path, at))?;
                so_far.records += 1;
            }
            so_far.frames += 1;
        }
        let size = frame::HEAD + records.len();
        at += size;
        so_far.bytes += size as u64;
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
