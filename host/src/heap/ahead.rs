//! Large blocks that were announced: the keeper maps them before they are asked for.
//!
//! To map a block takes microseconds, but whoever does it waits for the process's memory map, which other
//! threads hold while they give memory back or load a library: milliseconds on a busy machine. A switch of
//! versions has no time for that.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::shelf::{Block, Shelf};
use super::{keeper, mapping};

/// A block that nobody asked for is unmapped after this time.
const WAIT_FOR: Duration = Duration::from_secs(2);
/// Blocks that wait at most. They take no memory, but addresses.
const MOST: usize = 64;

/// Mapped in small pages and not touched.
static READY: Shelf = Shelf::new();
/// Announced and not mapped yet.
static AWAITED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The size of the block that this thread asks for next, if it says that it fills it little by little.
    static NEXT: Cell<usize> = const { Cell::new(0) };
}

/// Has the keeper map a block that is going to be asked for, and filled little by little.
pub(super) fn announce(size: usize) {
    AWAITED.fetch_add(1, Relaxed);
    if !keeper::map_ahead(size) {
        AWAITED.fetch_sub(1, Relaxed);
    }
}

/// Whether the keeper still has blocks to map.
pub(super) fn is_awaited() -> bool {
    AWAITED.load(Relaxed) > 0
}

/// The next block of this size that this thread asks for is filled little by little.
pub(super) fn is_going_to_ask(size: usize) {
    NEXT.set(size);
}

/// Whether this is the block that the thread spoke of.
pub(super) fn is_next(size: usize) -> bool {
    NEXT.replace(0) == size
}

/// A block of exactly this many pages. Never waits.
pub(super) fn take(size: usize) -> Option<*mut u8> {
    READY.take(size)
}

/// Maps a block that was announced. The keeper's.
pub(super) fn map(size: usize) {
    let block = mapping::map_small(size);
    if !block.is_null() {
        put(Block::new(block, size));
    }
    AWAITED.fetch_sub(1, Relaxed);
}

/// Keeps a block that is mapped until it is asked for.
pub(super) fn put(block: Block) {
    READY.put(block);
    READY.drop_while(|blocks| blocks.len() > MOST);
}

/// When the oldest block is to be unmapped.
pub(super) fn expiry() -> Option<Duration> {
    READY.expiry(WAIT_FOR)
}

/// Unmaps the blocks that nobody asked for.
pub(super) fn drop_expired() {
    READY.drop_expired(WAIT_FOR);
}

/// Whether a block of this size waits.
#[cfg(test)]
pub(super) fn is_ready(size: usize) -> bool {
    READY.lock().iter().any(|block| block.size == size)
}
