//! [`Shelf`]: large blocks without an owner, which wait until somebody asks for their size.

use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{keeper, pages};

/// A mapping without an owner. The address is exposed, so that it can cross threads as a number.
pub(super) struct Block {
    pub address: usize,
    pub size: usize,
    pub since: Instant,
}

impl Block {
    pub fn new(ptr: *mut u8, size: usize) -> Self {
        Self { address: ptr.expose_provenance(), size, since: Instant::now() }
    }

    pub fn start(&self) -> *mut u8 {
        ptr::with_exposed_provenance_mut(self.address)
    }
}

/// Blocks, oldest first.
pub(super) struct Shelf(Mutex<Vec<Block>>);

impl Shelf {
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub fn lock(&self) -> MutexGuard<'_, Vec<Block>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block of exactly this many pages. Never waits: while another thread is at the shelf there is
    /// none.
    pub fn take(&self, size: usize) -> Option<*mut u8> {
        let mut blocks = self.0.try_lock().ok()?;
        let at = blocks.iter().position(|block| pages(block.size) == pages(size))?;
        Some(blocks.remove(at).start())
    }

    /// Puts a block there, as of now.
    pub fn put(&self, block: Block) {
        self.lock().push(Block { since: Instant::now(), ..block });
    }

    /// How long it is until the oldest block has been there for so long; `None` without one.
    pub fn expiry(&self, stay: Duration) -> Option<Duration> {
        self.lock().first().map(|oldest| stay.saturating_sub(oldest.since.elapsed()))
    }

    /// Unmaps the blocks that have been there for so long.
    pub fn drop_expired(&self, stay: Duration) {
        self.drop_while(|blocks| blocks[0].since.elapsed() >= stay);
    }

    /// Unmaps blocks from the oldest on, as long as `surplus` says so of all that are there, which are
    /// some. Others can be at the shelf meanwhile.
    pub fn drop_while(&self, surplus: impl Fn(&[Block]) -> bool) {
        loop {
            let mut blocks = self.lock();
            if blocks.is_empty() || !surplus(&blocks) {
                return;
            }
            let block = blocks.remove(0);
            drop(blocks);
            keeper::unmap(&block);
        }
    }
}
