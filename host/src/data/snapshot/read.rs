//! Reading a snapshot back: a thread reads and checks blocks ahead of who makes the state of them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::{BLOCK_HEAD, FORMAT, HEAD, Head, Kind, checksum, list};
use crate::data::folder::{Store, cannot};
use crate::data::head::BadHead;
use crate::error::{Code, Error, Result};

/// Blocks that are read ahead.
const AHEAD: usize = 16;

/// A snapshot whose head is sound.
#[derive(Debug)]
pub struct Snapshot {
    /// What it says of itself.
    pub head: Head,
    /// The file.
    pub path: PathBuf,
    file: File,
}

/// The blocks of a snapshot in their order; the last one is [`Kind::Done`], or an error.
pub type Blocks = Receiver<Result<(Kind, Vec<u8>)>>;

impl Store {
    /// The newest snapshot, if there is one.
    ///
    /// # Errors
    /// `DATA`: of a newer version, damaged, unreadable.
    pub fn snapshot(&self) -> Result<Option<Snapshot>> {
        let all = list(&self.folder).map_err(|error| cannot(&self.folder, &error))?;
        let Some((_, path)) = all.into_iter().next_back() else { return Ok(None) };
        let mut file = File::open(&path).map_err(|error| cannot(&path, &error))?;
        let head = Head::read(&mut file).map_err(|error| cannot(&path, &error))?;
        let head = head.map_err(|bad| bad_head(&path, &bad))?;
        Ok(Some(Snapshot { head, path, file }))
    }
}

impl Snapshot {
    /// Reads the blocks on a thread of their own.
    ///
    /// # Errors
    /// `START` when there is no thread; damage is the last item.
    pub fn blocks(self) -> Result<Blocks> {
        let (sender, blocks) = sync_channel(AHEAD);
        let thread = std::thread::Builder::new().name("snapshot".to_owned());
        thread.spawn(move || read(self, &sender)).map_err(|error| {
            let hint = "raise the limit of threads (ulimit -u)";
            Error::new(Code::Start, "cannot read the snapshot", error.to_string(), hint)
        })?;
        Ok(blocks)
    }
}

fn read(snapshot: Snapshot, sender: &SyncSender<Result<(Kind, Vec<u8>)>>) {
    let Snapshot { path, mut file, .. } = snapshot;
    let mut at = HEAD as u64;
    loop {
        let block = match read_block(&mut file) {
            Ok(Some(block)) => Ok(block),
            Ok(None) => Err(damaged(&path, at)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(damaged(&path, at)),
            Err(error) => Err(cannot(&path, &error)),
        };
        at += block.as_ref().map_or(0, |(_, content)| (BLOCK_HEAD + content.len()) as u64);
        let last = !matches!(&block, Ok((kind, _)) if *kind != Kind::Done);
        // Who made the state of it may have met an error, and wants no more.
        if sender.send(block).is_err() || last {
            return;
        }
    }
}

/// A block; `None` when it fails its checksum.
fn read_block(file: &mut File) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let mut head = [0; BLOCK_HEAD];
    file.read_exact(&mut head)?;
    let [a, b, c, d, len @ .., e, f, g, h] = head;
    let len = u32::from_le_bytes(len) as usize;
    let mut content = Vec::new();
    file.take(len as u64).read_to_end(&mut content)?;
    let sound = checksum(&head[..8], &content).to_le_bytes() == [e, f, g, h];
    let kind = Kind::of([a, b, c, d]).filter(|_| sound && content.len() == len);
    Ok(kind.map(|kind| (kind, content)))
}

#[cold]
fn bad_head(path: &Path, bad: &BadHead) -> Error {
    match bad {
        BadHead::Newer(format) => Error::new(
            Code::Data,
            format!("the snapshot '{}' is of a newer version", path.display()),
            format!("it has format {format}, this version reads {FORMAT}"),
            "start it with the version of hotshell that wrote it, or a later one",
        ),
        BadHead::Damaged => damaged(path, 0),
    }
}

/// The snapshot is damaged at a byte.
#[cold]
pub(in crate::data) fn damaged(path: &Path, at: u64) -> Error {
    Error::new(
        Code::Data,
        format!("the snapshot '{}' is damaged at byte {at}", path.display()),
        "what is there fails its checksum, or ends early; the journal before it was cut",
        "restore the file from a copy; without one, move it and the journal away to start empty",
    )
}
