//! The thread that writes a snapshot beside, gives it its name when it is whole, and cuts the journal.
//!
//! It has a low priority, so it may lose its processor for long at any moment, and the engine must not
//! wait for anything that it holds: their channels allocate nothing, and a block's memory goes to and fro
//! until the thread gives it back, so that neither meets the other in the C library's allocator.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::oneshot;

use super::output::Output;
use super::{BLOCK_HEAD, Head, Kind, checksum, list, path};
use crate::data::folder::{Store, cannot};
use crate::data::{file, segment};
use crate::error::{Code, Error, Result};

/// Orders that may wait: more than the blocks that a backlog has.
const ORDERS: usize = 128;
/// Of them those that are kept for what is no entries.
const RESERVED: usize = 8;

#[derive(Debug)]
enum Order {
    /// What the file says of itself. First.
    Begin(Head),
    Block(Kind, Vec<u8>),
    /// All blocks were given. With it comes the memory that was not needed again.
    Finish(Receiver<Vec<u8>>),
}

/// A snapshot that is being written. Dropped before [`Taker::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Taker {
    orders: SyncSender<Order>,
    /// Blocks that were written: their memory serves again.
    spares: Receiver<Vec<u8>>,
    backlog: Arc<Backlog>,
    outcome: oneshot::Receiver<Result<Taken>>,
}

/// What was handed over and is not written.
#[derive(Debug, Default)]
struct Backlog {
    blocks: AtomicUsize,
    bytes: AtomicUsize,
}

impl Backlog {
    /// Nothing will be written any more.
    fn forget(&self) {
        self.bytes.store(0, Ordering::Relaxed);
        self.blocks.store(0, Ordering::Relaxed);
    }
}

/// A snapshot that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Bytes of the file.
    pub bytes: u64,
    /// Files of the journal that were removed, since it holds what they held.
    pub cut: usize,
}

impl Taker {
    /// Starts the thread, at a low priority unless nobody is served any more.
    ///
    /// # Errors
    /// `START` when there is none.
    pub fn start(store: &Store, serving: bool) -> Result<Self> {
        let (orders, inbox) = sync_channel(ORDERS);
        let (give_back, spares) = sync_channel(ORDERS);
        let (tell, outcome) = oneshot::channel();
        let backlog = Arc::<Backlog>::default();
        let (folder, counter) = (store.folder.clone(), Arc::clone(&backlog));
        let thread = std::thread::Builder::new().name("snapshot".to_owned());
        let run = move || {
            if serving {
                crate::priority::give_way();
            }
            // Given up before it began.
            let Ok(Order::Begin(head)) = inbox.recv() else { return };
            let name = path(&folder, head.position);
            let mut inbox = Inbox { orders: inbox, give_back, backlog: counter };
            // The next start finds what is written last in the system's cache.
            let taken = Output::create(&file::beside(&name), serving)
                .and_then(|new| write(new, &name, head, &mut inbox));
            // Whoever waits for room goes on, and hears of an error at the end.
            let backlog = Arc::clone(&inbox.backlog);
            drop(inbox);
            backlog.forget();
            if !matches!(taken, Ok(Some(_))) {
                // Whatever is there has no name yet, and means nothing.
                let _ = fs::remove_file(file::beside(&name));
            }
            if let Some(taken) = taken.map_err(|error| cannot(&name, &error)).transpose() {
                // Nobody hears when it was given up.
                let _ = tell.send(taken);
            }
        };
        thread.spawn(run).map_err(|error| {
            let hint = "raise the limit of threads (ulimit -u)";
            Error::new(Code::Start, "cannot write a snapshot", error.to_string(), hint)
        })?;
        Ok(Self { orders, spares, backlog, outcome })
    }

    /// Begins the file. Once, before anything else.
    pub fn begin(&self, head: Head) {
        // As for a block.
        let _ = self.orders.send(Order::Begin(head));
    }

    /// Hands a block over.
    pub fn block(&self, kind: Kind, content: Vec<u8>) {
        self.backlog.bytes.fetch_add(content.len(), Ordering::Relaxed);
        self.backlog.blocks.fetch_add(1, Ordering::Relaxed);
        if self.orders.send(Order::Block(kind, content)).is_err() {
            // The thread met an error, which it tells at the end; nothing waits for the disk.
            self.backlog.forget();
        }
    }

    /// Whether a block of entries can be handed over without waiting.
    pub fn has_room(&self) -> bool {
        self.backlog.blocks.load(Ordering::Relaxed) < ORDERS - RESERVED
    }

    /// Memory of a block that was written, if there is one.
    pub fn spare(&self) -> Option<Vec<u8>> {
        self.spares.try_recv().ok()
    }

    /// Bytes that were handed over and are not written.
    pub fn backlog(&self) -> usize {
        self.backlog.bytes.load(Ordering::Relaxed)
    }

    /// Completes the snapshot; returns when it is on disk and the journal is cut.
    ///
    /// # Errors
    /// `DATA`: there is no new snapshot, and everything else is as it was.
    pub async fn finish(self) -> Result<Taken> {
        let Self { orders, spares, outcome, .. } = self;
        let _ = orders.send(Order::Finish(spares));
        outcome.await.unwrap_or_else(|_| {
            let hint = "look at the host's log and report it";
            Err(Error::new(
                Code::Internal,
                "the snapshot was not written",
                "its thread ended",
                hint,
            ))
        })
    }
}

/// Where the thread gets its blocks from.
struct Inbox {
    orders: Receiver<Order>,
    give_back: SyncSender<Vec<u8>>,
    backlog: Arc<Backlog>,
}

/// `None`: it was given up.
fn write(new: Output, name: &Path, head: Head, inbox: &mut Inbox) -> io::Result<Option<Taken>> {
    let mut out = new;
    out.put(&head.encode())?;
    let _spares = loop {
        match inbox.orders.recv() {
            Err(_) => return Ok(None),
            Ok(Order::Finish(spares)) => break spares,
            Ok(Order::Begin(_)) => unreachable!("a file begins once"),
            Ok(Order::Block(kind, content)) => {
                write_block(&mut out, kind, &content)?;
                inbox.backlog.bytes.fetch_sub(content.len(), Ordering::Relaxed);
                inbox.backlog.blocks.fetch_sub(1, Ordering::Relaxed);
                // Nobody wants it when the engine has given all its blocks.
                let _ = inbox.give_back.try_send(content);
            }
        }
    };
    let bytes = out.len();
    out.finish()?;
    file::publish(name)?;
    let folder = name.parent().expect("a file lies in a folder");
    for (position, old) in list(folder)? {
        if position < head.position {
            file::remove(&old)?;
        }
    }
    let cut = segment::cut(folder, head.position)?;
    Ok(Some(Taken { bytes, cut }))
}

fn write_block(out: &mut Output, kind: Kind, content: &[u8]) -> io::Result<()> {
    let mut head = [0; BLOCK_HEAD];
    let len = u32::try_from(content.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    head[..4].copy_from_slice(&kind.tag());
    head[4..8].copy_from_slice(&len.to_le_bytes());
    let crc = checksum(&head[..8], content);
    head[8..].copy_from_slice(&crc.to_le_bytes());
    out.put(&head)?;
    out.put(content)
}
