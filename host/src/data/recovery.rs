//! Reading the journal back.
//!
//! A frame that is not whole, behind which there is no whole one, is what a crash leaves: it is cut off, and
//! the log says how many bytes went. Pages reach a disk in any order, so when a machine loses its power
//! there may be whole frames behind pages that are missing; if no mark says that these were on disk, nobody
//! was told that anything from there on is kept, and all of it is cut off. Any other frame that is not whole
//! is damage: nothing is changed, and the start is refused with the place, what is lost, and the way on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::folder::{Store, cannot};
use super::frame::{self, Content, Kind};
use super::head::BadHead;
use super::origin::Origin;
use super::segment::{self, HEAD, Head, Segment};
use super::{room, snapshot};
use crate::error::{Code, Error, Result};

/// What of a file reaches a disk as one piece, or does not. Bytes.
const PAGE: usize = 4096;

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
    /// Bytes that were cut off, from a frame on that a crash left unfinished.
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

    /// Bytes of everything that a start reads back.
    pub fn bytes(&self) -> u64 {
        let size = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
        let segments = segment::list(&self.folder).unwrap_or_default();
        let snapshots = snapshot::list(&self.folder).unwrap_or_default();
        let journal: u64 = segments.iter().map(|segment| size(&segment.path)).sum();
        journal + snapshots.last().map_or(0, |(_, path)| size(path))
    }

    /// Hands over every record from `from` on, in the order in which they were written. A torn frame is
    /// cut off.
    ///
    /// # Errors
    /// `DATA`: damage in the middle, a gap, a newer format, a file that cannot be read; and whatever
    /// `replay` refuses. No file is changed then.
    pub fn recover(&self, from: u64, replay: &mut dyn Replay) -> Result<Recovered> {
        let (mut found, torn) = self.read(Some(from), &mut |step| match step {
            Step::Segment(_, head) => replay.origin(&head.origin),
            Step::Frame(frame) if frame.kind == Kind::Call => {
                frame.records().try_for_each(|record| replay.record(record))
            }
            Step::Frame(_) => Ok(()),
        })?;
        if let Some(torn) = torn {
            torn.cut_off()?;
            found.cut = torn.bytes;
        } else {
            self.sync_last()?;
        }
        Ok(found)
    }

    /// What was read back may have come from the system's cache, after a kill. Before another file follows
    /// the last one, that is on disk.
    fn sync_last(&self) -> Result<()> {
        let all = segment::list(&self.folder).map_err(|error| cannot(&self.folder, &error))?;
        all.last().map_or(Ok(()), |last| {
            let synced = File::open(&last.path).and_then(|file| file.sync_all());
            synced.map_err(|error| cannot(&last.path, &error))
        })
    }

    /// Hands over what lies in the journal from `from` on, or from its beginning. Changes nothing; what
    /// a crash has left unfinished at the end is answered.
    ///
    /// # Errors
    /// As for [`Store::recover`].
    pub fn read(
        &self,
        from: Option<u64>,
        each: &mut dyn FnMut(Step<'_>) -> Result<()>,
    ) -> Result<(Recovered, Option<Torn>)> {
        let mut segments = self.segments()?;
        let begins = segments.first().map_or(0, |(segment, _)| segment.first);
        let from = from.unwrap_or(begins);
        // What a snapshot holds already is about to be removed.
        let covered = segments.windows(2).take_while(|pair| pair[1].0.first <= from).count();
        segments.drain(..covered);
        let (mut so_far, mut torn) = (Recovered { position: from, ..Recovered::default() }, None);
        for (at, (segment, head)) in segments.iter().enumerate() {
            if segment.first != so_far.position {
                return Err(gap(segment, so_far.position));
            }
            let later = &segments[at + 1..];
            each(Step::Segment(segment, head)).map_err(|e| in_file(e, &segment.path, 0))?;
            torn = read_segment((segment, head), later, &mut so_far, each)?;
        }
        Ok((so_far, torn))
    }
}

/// What is met on the way through a journal.
#[derive(Debug)]
pub enum Step<'a> {
    /// A file begins.
    Segment(&'a Segment, &'a Head),
    /// A whole frame.
    Frame(Frame<'a>),
}

/// A whole frame.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The file that it is in.
    pub segment: &'a Segment,
    /// What that says of itself.
    pub head: &'a Head,
    /// Where in the file it begins.
    pub offset: usize,
    /// Where in the journal it begins.
    pub position: u64,
    /// Whose records it holds.
    pub kind: Kind,
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Its records.
    pub fn records(&self) -> impl Iterator<Item = &'a [u8]> {
        // They add up: that was looked at before the frame was handed over.
        frame::records(self.bytes).flatten()
    }
}

/// The end of the last file that a crash left unfinished, from the first frame that is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub path: PathBuf,
    /// Where in the file that begins.
    pub offset: u64,
    /// Bytes from there on, without room that no frame has come to.
    pub bytes: u64,
}

impl Torn {
    /// Takes it away, for good, and tells the log.
    fn cut_off(&self) -> Result<()> {
        let file = File::options().write(true).open(&self.path);
        let cut = file.and_then(|file| {
            file.set_len(self.offset)?;
            file.sync_all()
        });
        cut.map_err(|error| cannot(&self.path, &error))?;
        tracing::warn!(
            verb = "journal",
            file = %self.path.display(),
            offset = self.offset,
            bytes = self.bytes,
            "cut off what a crash left unfinished"
        );
        Ok(())
    }
}

fn read_segment(
    (segment, head): (&Segment, &Head),
    later: &[(Segment, Head)],
    so_far: &mut Recovered,
    each: &mut dyn FnMut(Step<'_>) -> Result<()>,
) -> Result<Option<Torn>> {
    let bytes = fs::read(&segment.path).map_err(|error| cannot(&segment.path, &error))?;
    let mut offset = HEAD;
    while offset < bytes.len() {
        let Some((content, size)) = frame::read(&bytes[offset..], head.salt) else {
            if later.first().is_some_and(|(next, _)| next.first == so_far.position) {
                // A mark that was not synced before the next file began: nobody misses it.
                return Ok(None);
            }
            let left = bytes.len() - offset - room::unused(&bytes, offset);
            if left == 0 {
                return Ok(None);
            }
            let behind = frame::behind(&bytes[offset + 1..], head.salt);
            let was_on_disk = behind.durable.is_some_and(|durable| durable > so_far.position);
            let was_whole = |next: usize| !has_hole(&bytes, offset, offset + 1 + next);
            if !later.is_empty() || was_on_disk || behind.whole.is_some_and(was_whole) {
                return Err(damaged(segment, &bytes, offset, later));
            }
            let (path, offset) = (segment.path.clone(), offset as u64);
            return Ok(Some(Torn { path, offset, bytes: left as u64 }));
        };
        let Content::Records(kind, records) = content else {
            offset += size;
            continue;
        };
        let mut count = 0;
        for record in frame::records(records) {
            if record.is_none() {
                return Err(damaged(segment, &bytes, offset, later));
            }
            count += 1;
        }
        let position = so_far.position;
        let frame = Frame { segment, head, offset, position, kind, bytes: records };
        each(Step::Frame(frame)).map_err(|error| in_file(error, &segment.path, offset))?;
        if kind == Kind::Call {
            so_far.frames += 1;
            so_far.records += count;
        }
        offset += size;
        so_far.bytes += size as u64;
        so_far.position += size as u64;
    }
    Ok(None)
}

/// Whether a page of the file between these two places never reached the disk: it reads as zeros. Of the
/// first one the front may have been there before.
fn has_hole(bytes: &[u8], from: usize, to: usize) -> bool {
    let mut page = from;
    while page < to {
        let end = (page + 1).next_multiple_of(PAGE);
        if end <= to && bytes[page..end].iter().all(|&byte| byte == 0) {
            return true;
        }
        page = end;
    }
    false
}

#[cold]
fn damaged(segment: &Segment, bytes: &[u8], at: usize, later: &[(Segment, Head)]) -> Error {
    let file = segment.path.display();
    let behind = bytes.len() - at - room::unused(bytes, at);
    let others = match later.len() {
        0 => String::new(),
        n => format!(" and {n} later files"),
    };
    let remove = if later.is_empty() { "" } else { ", and move the later files away" };
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
