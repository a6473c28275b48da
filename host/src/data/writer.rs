//! The thread that writes and syncs the journal.
//!
//! Everything that arrived while the last sync ran is written and synced together: a group commit.
//! A full disk is waited out, with output held back under `always`. Any other error of the disk ends
//! the process: what is durable is known then, and a restart finds it. A sync that failed once may not
//! be asked again, since the system may have dropped the pages and say "done" the next time.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::folder::{Store, cannot};
use super::origin::Origin;
use super::{Fsync, segment};
use crate::error::{Code, Error, Result};

/// A segment that has grown to this many bytes is followed by a new one.
const SEGMENT_BYTES: u64 = 64 << 20;
/// Between two syncs under `everysec`.
const SECOND: Duration = Duration::from_secs(1);
/// Between two tries to write to a disk that is full.
const FULL_RETRY: Duration = Duration::from_millis(200);

/// How far the journal is on disk.
#[derive(Debug, Default)]
pub struct Progress {
    durable: AtomicU64,
    moved: Notify,
}

impl Progress {
    /// Frames before this position are on disk.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Returns when frames before `position` are on disk. For one waiter at a time.
    pub async fn reached(&self, position: u64) {
        while self.durable() < position {
            self.moved.notified().await;
        }
    }

    fn reach(&self, position: u64) {
        self.durable.store(position, Ordering::Release);
        self.moved.notify_one();
    }
}

enum Order {
    /// Frames, and the position behind them.
    Append(Vec<u8>, u64),
    /// A new segment, with frames of this generation.
    Begin(Origin),
    /// Everything on disk, then the end.
    Close(SyncSender<()>),
}

/// The way to the journal's thread.
#[derive(Debug)]
pub struct Writer {
    orders: Sender<Order>,
    progress: Arc<Progress>,
    fsync: Fsync,
}

impl Writer {
    /// Begins a new segment at `position`, with frames of `origin`, and starts the thread. An empty
    /// segment at that position is replaced.
    ///
    /// # Errors
    /// `DATA` when the segment cannot be made, `START` when there is no thread.
    pub fn start(store: &Store, position: u64, origin: Origin) -> Result<Self> {
        let file = segment::create(&store.folder, position, origin);
        let file = file.map_err(|error| cannot(&store.folder, &error))?;
        let progress = Arc::new(Progress::default());
        progress.reach(position);
        let (orders, inbox) = channel();
        let log = Log {
            folder: store.folder.clone(),
            file,
            origin,
            len: segment::HEAD as u64,
            position,
            synced: position,
            fsync: store.fsync,
            progress: Arc::clone(&progress),
        };
        let thread = std::thread::Builder::new().name("journal".to_owned());
        thread.spawn(move || log.run(&inbox)).map_err(|error| {
            let hint = "raise the limit of threads (ulimit -u)";
            Error::new(Code::Start, "cannot start the journal", error.to_string(), hint)
        })?;
        Ok(Self { orders, progress, fsync: store.fsync })
    }

    /// Hands over whole frames that end at `position`.
    pub fn append(&self, frames: Vec<u8>, position: u64) {
        // The thread lives as long as the sender, or has ended the process.
        let _ = self.orders.send(Order::Append(frames, position));
    }

    /// What is handed over from here on was written by another generation, or begins a file of its own.
    pub fn begin(&self, origin: Origin) {
        let _ = self.orders.send(Order::Begin(origin));
    }

    /// How far the journal is on disk.
    pub const fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// When it reaches the disk.
    pub const fn fsync(&self) -> Fsync {
        self.fsync
    }

    /// Writes and syncs everything, and returns then.
    pub fn close(self) {
        let (done, wait) = sync_channel(1);
        if self.orders.send(Order::Close(done)).is_ok() {
            let _ = wait.recv();
        }
    }
}

/// The thread's own.
struct Log {
    folder: PathBuf,
    file: File,
    /// Whose frames the file holds.
    origin: Origin,
    /// Bytes of the file, all of whole frames.
    len: u64,
    /// Position behind them.
    position: u64,
    synced: u64,
    fsync: Fsync,
    progress: Arc<Progress>,
}

impl Log {
    fn run(mut self, inbox: &Receiver<Order>) {
        let mut next_sync = Instant::now() + SECOND;
        loop {
            let first = inbox.recv_timeout(next_sync.saturating_duration_since(Instant::now()));
            let mut closing = None;
            let mut order = match first {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return self.sync(),
            };
            while let Some(some) = order {
                match some {
                    Order::Append(frames, position) => self.write(&frames, position),
                    Order::Begin(origin) => {
                        self.origin = origin;
                        self.next_segment();
                    }
                    Order::Close(done) => closing = Some(done),
                }
                order = inbox.try_recv().ok();
            }
            let due = self.fsync == Fsync::EverySec && Instant::now() >= next_sync;
            if due || closing.is_some() || self.fsync == Fsync::Always {
                self.sync();
            }
            if Instant::now() >= next_sync {
                next_sync = Instant::now() + SECOND;
            }
            if let Some(done) = closing {
                let _ = done.send(());
                return;
            }
            if self.len >= SEGMENT_BYTES {
                self.rotate();
            }
        }
    }

    fn write(&mut self, frames: &[u8], position: u64) {
        while let Err(error) = self.file.write_all_at(frames, self.len) {
            self.wait_for_room(&error);
        }
        self.len += frames.len() as u64;
        self.position = position;
    }

    fn sync(&mut self) {
        if self.synced == self.position {
            return;
        }
        if let Err(error) = self.file.sync_data() {
            fatal(&self.folder, &error);
        }
        self.synced = self.position;
        self.progress.reach(self.position);
    }

    /// Begins another file. The present one is whole on disk first.
    fn rotate(&mut self) {
        self.sync();
        match segment::create(&self.folder, self.position, self.origin) {
            Ok(file) => (self.file, self.len) = (file, segment::HEAD as u64),
            // The present one grows on, and the next batch tries again.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {}
            Err(error) => fatal(&self.folder, &error),
        }
    }

    /// [`Log::rotate`] where what follows must not be in the present file: waits for room.
    fn next_segment(&mut self) {
        self.sync();
        loop {
            match segment::create(&self.folder, self.position, self.origin) {
                Ok(file) => {
                    (self.file, self.len) = (file, segment::HEAD as u64);
                    return;
                }
                Err(error) => self.wait_for_room(&error),
            }
        }
    }

    /// A full disk is waited out. Any other error is the end.
    fn wait_for_room(&self, error: &io::Error) {
        if error.kind() != io::ErrorKind::StorageFull {
            fatal(&self.folder, error);
        }
        tracing::warn!(
            folder = %self.folder.display(),
            "journal: the disk is full; waiting for room"
        );
        std::thread::sleep(FULL_RETRY);
    }
}

fn fatal(folder: &Path, error: &io::Error) -> ! {
    let error = cannot(folder, error);
    tracing::error!(verb = "journal", "{error}; ending, so that a restart finds what is on disk");
    let _ = io::stderr().flush();
    std::process::exit(1)
}
