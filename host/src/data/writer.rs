//! The thread that writes and syncs the journal.
//!
//! Everything that arrived while the last sync ran is written and synced together: a group commit. Where
//! nobody waits for the disk the thread rests between two batches, so that calls neither wake it nor pay
//! for a write each.
//! A full disk is waited out: output is held back meanwhile, under `always` at once, otherwise as soon
//! as frames have waited for too long ([`Progress::is_late`]). Any other error of the disk ends the process:
//! what is durable is known then, and a restart finds it. A sync that failed once may not be asked
//! again, since the system may have dropped the pages and say "done" the next time.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::disk::{Disk, System};
use super::folder::{Store, cannot};
use super::frame::{self, MARK, Salt};
use super::progress::Progress;
use super::room::Room;
use super::segment::{self, Head};
use super::{Fsync, Origin};
use crate::error::{Code, Error, Result};
use crate::time::monotonic_ns;

/// A segment that has grown to this many bytes is followed by a new one.
const SEGMENT_BYTES: u64 = 64 << 20;
/// Between two syncs under `everysec`.
const SECOND: Duration = Duration::from_secs(1);
/// Between two tries to write to a disk that is full.
const FULL_RETRY: Duration = Duration::from_millis(200);
/// Between two batches where nobody waits for the disk: what a kill of the process can cost under
/// `everysec` and `no`.
const REST: Duration = Duration::from_millis(5);
/// Frames are written together up to so many bytes.
const BATCH_BYTES: usize = 256 << 10;
/// Buffers of frames that were written and wait to serve again: more than come during a rest.
const SPARES: usize = 64;
/// Larger ones go back to the system.
const SPARE_BYTES: usize = 128 << 10;

enum Order {
    /// Frames, and the position behind them.
    Append(Vec<u8>, u64),
    /// What follows is in a file of its own, with frames of this generation.
    Begin(Origin, oneshot::Sender<()>),
    /// Everything on disk, then the end.
    Close(SyncSender<()>),
}

/// The way to the journal's thread.
#[derive(Debug)]
pub struct Writer {
    orders: Sender<Order>,
    /// Empty buffers of frames that were written. They come back, so that neither thread waits for the
    /// other in the C library's allocator.
    spares: Receiver<Vec<u8>>,
    progress: Arc<Progress>,
    salt: Salt,
}

impl Writer {
    /// Begins a new segment at `position`, with frames of `origin`, and starts the thread. An empty
    /// segment at that position is replaced.
    ///
    /// # Errors
    /// `DATA` when the segment cannot be made, `START` when there is no thread.
    pub fn start(store: &Store, position: u64, origin: Origin) -> Result<Self> {
        let head = Head::now(position, origin, Salt::draw());
        let file = segment::create(&store.folder, head);
        let file = file.map_err(|error| cannot(&store.folder, &error))?;
        let progress = Arc::new(Progress::new(store.fsync));
        progress.reach(position);
        let (orders, inbox) = channel();
        let (give_back, spares) = sync_channel(SPARES);
        let inbox = Inbox { orders: inbox, give_back };
        let log = Log::new(System, store, file, head, Arc::clone(&progress));
        let folder = store.folder.clone();
        let thread = std::thread::Builder::new().name("journal".to_owned());
        let run = move || log.run(&inbox).unwrap_or_else(|error| fatal(&folder, &error));
        thread.spawn(run).map_err(|error| {
            let hint = "raise the limit of threads (ulimit -u)";
            Error::new(Code::Start, "cannot start the journal", error.to_string(), hint)
        })?;
        Ok(Self { orders, spares, progress, salt: head.salt })
    }

    /// Hands over whole frames that end at `position`; leaves an empty buffer for the next ones.
    pub fn append(&self, frames: &mut Vec<u8>, position: u64) {
        let spare = self.spares.try_recv().unwrap_or_default();
        let frames = std::mem::replace(frames, spare);
        // The thread lives as long as the sender, or has ended the process.
        let _ = self.orders.send(Order::Append(frames, position));
    }

    /// What is handed over from here on is in a file of its own, with frames of this generation. The
    /// answer comes when that file is there, and all before it is on disk.
    pub fn begin(&self, origin: Origin) -> oneshot::Receiver<()> {
        let (tell, begun) = oneshot::channel();
        let _ = self.orders.send(Order::Begin(origin, tell));
        begun
    }

    /// What the checksums of frames begin with.
    pub const fn salt(&self) -> Salt {
        self.salt
    }

    /// How far the journal is on disk.
    pub const fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Writes and syncs everything, and returns then.
    pub fn close(self) {
        let (done, wait) = sync_channel(1);
        if self.orders.send(Order::Close(done)).is_ok() {
            let _ = wait.recv();
        }
    }
}

/// Where the thread gets its orders from.
struct Inbox {
    orders: Receiver<Order>,
    give_back: SyncSender<Vec<u8>>,
}

impl Inbox {
    /// What was written serves again, unless it is large or enough others wait to.
    fn give_back(&self, mut frames: Vec<u8>) {
        if frames.capacity() <= SPARE_BYTES {
            frames.clear();
            let _ = self.give_back.try_send(frames);
        }
    }
}

/// The thread's own.
struct Log<D> {
    disk: D,
    folder: PathBuf,
    file: File,
    /// Whose frames the file holds.
    origin: Origin,
    salt: Salt,
    /// Frames that are not written yet, up to the position `end`.
    batch: Vec<u8>,
    end: u64,
    /// Bytes of the file, all of whole frames and marks.
    len: u64,
    /// What lies behind them.
    room: Room,
    /// Position behind them.
    position: u64,
    synced: u64,
    /// [`SEGMENT_BYTES`]; less in tests.
    segment_bytes: u64,
    progress: Arc<Progress>,
}

impl<D: Disk> Log<D> {
    fn new(
        disk: D,
        store: &Store,
        file: File,
        Head { first: position, origin, salt, .. }: Head,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            disk,
            folder: store.folder.clone(),
            file,
            origin,
            salt,
            batch: Vec::new(),
            end: position,
            len: segment::HEAD as u64,
            room: Room::default(),
            position,
            synced: position,
            segment_bytes: SEGMENT_BYTES,
            progress,
        }
    }

    /// Obeys until it is closed.
    ///
    /// # Errors
    /// What the disk says, unless it is only full. What is durable is known, and nothing else is.
    fn run(mut self, inbox: &Inbox) -> io::Result<()> {
        let mut next_sync = Instant::now() + SECOND;
        loop {
            let until_sync = next_sync.saturating_duration_since(Instant::now());
            let first = inbox.orders.recv_timeout(until_sync);
            let mut closing = None;
            let mut order = match first {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return self.sync(),
            };
            self.progress.begin_batch();
            while let Some(some) = order {
                match some {
                    Order::Append(frames, position) => {
                        self.collect(&frames, position)?;
                        inbox.give_back(frames);
                    }
                    Order::Begin(origin, tell) => {
                        self.write_batch()?;
                        self.begin(origin)?;
                        let _ = tell.send(());
                    }
                    Order::Close(done) => closing = Some(done),
                }
                order = inbox.orders.try_recv().ok();
            }
            self.write_batch()?;
            let fsync = self.progress.fsync();
            let due = fsync == Fsync::EverySec && Instant::now() >= next_sync;
            let awaited = self.progress.is_awaited();
            if due || awaited || closing.is_some() || fsync == Fsync::Always {
                self.sync()?;
            }
            if Instant::now() >= next_sync {
                next_sync = Instant::now() + SECOND;
            }
            if let Some(done) = closing {
                self.room.end(&self.file, self.len);
                let _ = done.send(());
                return Ok(());
            }
            if self.len >= self.segment_bytes {
                self.rotate()?;
            }
            self.progress.end_batch();
            if fsync != Fsync::Always && !awaited {
                std::thread::sleep(REST);
            }
        }
    }

    /// Adds frames to the batch. What does not go in with it is written.
    fn collect(&mut self, frames: &[u8], position: u64) -> io::Result<()> {
        if self.batch.len() + frames.len() > BATCH_BYTES {
            self.write_batch()?;
        }
        if frames.len() > BATCH_BYTES {
            return self.write(frames, position);
        }
        self.batch.extend_from_slice(frames);
        self.end = position;
        Ok(())
    }

    fn write_batch(&mut self) -> io::Result<()> {
        if !self.batch.is_empty() {
            let mut batch = std::mem::take(&mut self.batch);
            self.write(&batch, self.end)?;
            batch.clear();
            self.batch = batch;
        }
        Ok(())
    }

    /// Writes all of it, and waits for room where there is none.
    fn write(&mut self, frames: &[u8], position: u64) -> io::Result<()> {
        if self.progress.fsync() == Fsync::Always {
            let bytes = (frames.len() + MARK) as u64;
            self.room.make(&mut self.disk, &self.file, self.len, bytes);
        }
        let (mut done, mut was_full) = (0, false);
        while done < frames.len() {
            match self.disk.write_at(&self.file, &frames[done..], self.len + done as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => done += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_full(&error) => {
                    if !was_full {
                        self.note_full();
                    }
                    was_full = true;
                    std::thread::sleep(FULL_RETRY);
                }
                Err(error) => return Err(error),
            }
        }
        self.len += frames.len() as u64;
        self.position = position;
        if was_full {
            self.note_room();
        }
        if self.progress.fsync() == Fsync::No {
            self.progress.reach(position);
        }
        Ok(())
    }

    #[cold]
    fn note_full(&self) {
        self.progress.note_full();
        tracing::warn!(
            verb = "journal",
            folder = %self.folder.display(),
            "the disk is full; answers wait until there is room, nothing is lost"
        );
    }

    #[cold]
    fn note_room(&self) {
        let waited_ms = self.progress.note_room().as_millis() as u64;
        tracing::warn!(verb = "journal", waited_ms, "there is room on the disk again");
    }

    /// Returns when all that was written is on disk, and noted in the file before anybody hears of it: so a
    /// start tells damage from what never came there. Never called again after it failed.
    fn sync(&mut self) -> io::Result<()> {
        if self.synced < self.position {
            let began = monotonic_ns();
            self.disk.sync(&self.file)?;
            self.progress.synced(monotonic_ns() - began);
            self.synced = self.position;
            self.mark();
            self.progress.reach(self.position);
        }
        Ok(())
    }

    /// Where no mark can be written the next frame takes its place.
    fn mark(&mut self) {
        let mark = frame::mark(self.salt, self.synced);
        if self.disk.write_at(&self.file, &mark, self.len).is_ok_and(|all| all == mark.len()) {
            self.len += mark.len() as u64;
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        match self.next_segment() {
            Ok(()) => {
                self.progress.rotated();
                Ok(())
            }
            // The present one grows on, and the next batch tries again.
            Err(error) if is_full(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Begins a file for another generation, in which what follows must be: waits for room.
    fn begin(&mut self, origin: Origin) -> io::Result<()> {
        self.origin = origin;
        let mut was_full = false;
        loop {
            match self.next_segment() {
                Err(error) if is_full(&error) => {
                    if !was_full {
                        self.note_full();
                    }
                    was_full = true;
                    std::thread::sleep(FULL_RETRY);
                }
                done => {
                    if was_full {
                        self.note_room();
                    }
                    return done;
                }
            }
        }
    }

    /// Begins another file. The present one is whole on disk first.
    fn next_segment(&mut self) -> io::Result<()> {
        self.room.end(&self.file, self.len);
        self.sync()?;
        let head = Head::now(self.position, self.origin, self.salt);
        self.file = self.disk.create_segment(&self.folder, head)?;
        (self.len, self.room) = (segment::HEAD as u64, Room::default());
        Ok(())
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn fatal(folder: &Path, error: &io::Error) -> ! {
    let error = cannot(folder, error);
    tracing::error!(verb = "journal", "{error}; ending, so that a restart finds what is on disk");
    let _ = io::stderr().flush();
    std::process::exit(1)
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod room_tests;
#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
