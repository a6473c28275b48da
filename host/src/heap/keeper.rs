//! Large blocks that were given back: kept for a moment, zeroed, then unmapped in slices.
//!
//! A map that grows, shrinks or is filled again asks for sizes that it has just given back. New pages
//! cost the engine a fault each, and the kernel's zeroing; a kept block has both behind it, on the
//! keeper's thread. mimalloc does the same for the blocks below [`LARGE`](super::LARGE).
//!
//! The keeper also gives parts of blocks back, and moves filled blocks to huge pages (`condense.rs`):
//! each would stop the engine for as long as the kernel clears or frees some hundred pages. So would mimalloc,
//! which gives back what was freed when somebody allocates: here the keeper does, once a second.
//!
//! What is kept is bounded by bytes and by time, so that memory still goes back to the system.

use std::ptr;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::condense::Condensing;
use super::mapping::ask_huge;
use super::shelf::{Block, Shelf};
use super::{HUGE, PAGE, ahead, pages, small};

/// Blocks up to this size are kept. Larger ones would take the keeper too long to zero.
pub(super) const KEEP_EACH: usize = 64 << 20;
/// Bytes kept at most: a map on its way to [`KEEP_EACH`] has had blocks of twice that.
const KEEP_TOTAL: usize = 2 * KEEP_EACH;
/// A kept block that nobody asked for is unmapped after this time.
const KEEP_FOR: Duration = Duration::from_secs(1);
/// How much of a large block is unmapped or zeroed at once: bounds the time the kernel holds the
/// process's memory map.
const SLICE: usize = 1 << 20;
/// The same for pages that are made ready, each of which is cleared: some tens of microseconds.
const POPULATE: usize = 64 << 10;
/// How often the free pages among small blocks go back to the system.
const PURGE_EVERY: Duration = Duration::from_secs(1);

/// Zeroed blocks.
static KEPT: Shelf = Shelf::new();

/// A kept block of exactly this many pages, zeroed. Never waits.
pub(super) fn take(size: usize) -> Option<*mut u8> {
    if size > KEEP_EACH {
        return None;
    }
    KEPT.take(size)
}

/// What the keeper is told, in the order in which it is to be done.
enum Errand {
    /// A mapping that nobody uses any more.
    Keep(Block),
    /// A part of a mapping, whose content is given up.
    Discard(Block),
    /// A mapping that is filled, to be moved to huge pages.
    Condense(Block),
    /// A mapping that is being emptied: it need not be moved any more.
    Leave(Block),
    /// A part of a mapping that is going to be written.
    Populate(Block),
    /// A mapping of this size is going to be asked for.
    Map(usize),
    /// Free pages among small blocks are given back from now on.
    Purge,
    /// Everything that is kept goes back to the system.
    Release(Sender<()>),
}

/// Takes over a mapping that nobody uses any more.
pub(super) fn give(ptr: *mut u8, size: usize) {
    if let Err(Errand::Keep(block)) = send(Errand::Keep(Block::new(ptr, size))) {
        unmap(&block);
    }
}

/// Gives the pages of a part of a mapping back. Nobody reads or writes there before the mapping is
/// given back as a whole.
pub(super) fn discard(ptr: *mut u8, size: usize) {
    if let Err(Errand::Discard(block)) = send(Errand::Discard(Block::new(ptr, size))) {
        drop_pages(&block);
    }
}

/// Moves a mapping of small pages to huge ones, little by little.
pub(super) fn condense(ptr: *mut u8, size: usize) {
    // Without a keeper the pages stay as they are.
    drop(send(Errand::Condense(Block::new(ptr, size))));
}

/// Gives back to the system what was given up so far and is kept; waits until that is done.
pub(super) fn release() {
    let (done, wait) = channel();
    if send(Errand::Release(done)).is_ok() {
        // An error: the keeper is gone, and with it what it kept.
        let _ = wait.recv();
    }
}

/// Takes [`condense`] back: whoever empties the mapping would wait for each page that is moved.
pub(super) fn leave(ptr: *mut u8, size: usize) {
    drop(send(Errand::Leave(Block::new(ptr, size))));
}

/// Gets the pages of a part of a mapping ready. Without a keeper, or when it comes too late, they are as
/// soon as they are touched.
pub(super) fn populate(ptr: *mut u8, size: usize) {
    drop(send(Errand::Populate(Block::new(ptr, size))));
}

/// Maps a block [ahead] of its use. False without a keeper.
pub(super) fn map_ahead(size: usize) -> bool {
    send(Errand::Map(size)).is_ok()
}

/// Gives free pages among small blocks back, from now on and once a second.
pub(super) fn purge_from_now_on() {
    drop(send(Errand::Purge));
}

/// Never waits. The errand comes back when there is no thread to do it.
fn send(errand: Errand) -> Result<(), Errand> {
    static KEEPER: OnceLock<Sender<Errand>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (give, take) = channel();
        // Without a thread the receiver is gone, and sends fail.
        drop(std::thread::Builder::new().name("heap-keeper".into()).spawn(move || keep(&take)));
        give
    });
    keeper.send(errand).map_err(|refused| refused.0)
}

/// The keeper's thread: until the process ends.
fn keep(errands: &Receiver<Errand>) {
    let mut condensing = Condensing::default();
    let mut purged: Option<Instant> = None;
    loop {
        let expiries = [KEPT.expiry(KEEP_FOR), ahead::expiry()];
        let purge = purged.map(|at| PURGE_EVERY.saturating_sub(at.elapsed()));
        let wait = expiries.into_iter().chain([purge, condensing.pause()]).flatten().min();
        let received = match wait {
            None => errands.recv().map_err(RecvTimeoutError::from),
            Some(wait) => errands.recv_timeout(wait),
        };
        match received {
            Ok(Errand::Keep(block)) => {
                condensing.forget(block.address);
                if block.size <= KEEP_EACH && zero(&block) { put(block) } else { unmap(&block) }
            }
            Ok(Errand::Discard(part)) => drop_pages(&part),
            Ok(Errand::Release(done)) => {
                KEPT.drop_while(|_| true);
                // Whoever asked may be gone.
                let _ = done.send(());
            }
            Ok(Errand::Condense(block)) => condensing.add(block.address, pages(block.size)),
            Ok(Errand::Leave(block)) => condensing.forget(block.address),
            Ok(Errand::Populate(part)) => populate_pages(&part),
            Ok(Errand::Map(size)) => ahead::map(size),
            Ok(Errand::Purge) => purged = Some(Instant::now()),
            Err(RecvTimeoutError::Timeout) => {
                KEPT.drop_expired(KEEP_FOR);
                ahead::drop_expired();
                condensing.step();
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if purged.is_some_and(|at| at.elapsed() >= PURGE_EVERY) {
            small::purge();
            purged = Some(Instant::now());
        }
    }
}

fn populate_pages(part: &Block) {
    let (start, end) = (part.address / PAGE * PAGE, pages(part.address + part.size));
    for at in (start..end).step_by(POPULATE) {
        let page = ptr::with_exposed_provenance_mut(at);
        // SAFETY: pages of a mapping of ours, whose content stays: its owner gives it back after this
        // errand, so it is mapped. A kernel that cannot do it refuses.
        unsafe { libc::madvise(page, POPULATE.min(end - at), libc::MADV_POPULATE_WRITE) };
    }
}

fn drop_pages(part: &Block) {
    let start = ptr::with_exposed_provenance_mut(part.address);
    // SAFETY: whole pages inside a mapping of ours, whose content was given up. On failure the pages
    // merely stay.
    unsafe { libc::madvise(start, part.size, libc::MADV_DONTNEED) };
}

fn put(block: Block) {
    if block.size >= HUGE {
        // Whoever takes it next may not want the small pages that this one was filled in.
        ask_huge(ptr::with_exposed_provenance_mut(block.address), block.size);
    }
    KEPT.put(block);
    let bytes = |blocks: &[Block]| blocks.iter().map(|block| pages(block.size)).sum::<usize>();
    KEPT.drop_while(|blocks| bytes(blocks) > KEEP_TOTAL);
}

/// Zeroes the pages that are in memory; the others are zero by nature. False when most are not in
/// memory, so that keeping the block would save little.
fn zero(block: &Block) -> bool {
    let mut resident = vec![0_u8; pages(block.size) / PAGE];
    let start = ptr::with_exposed_provenance_mut::<u8>(block.address);
    // SAFETY: the block is a mapping of ours without another owner; one byte is written per page.
    if unsafe { libc::mincore(start.cast(), pages(block.size), resident.as_mut_ptr()) } != 0 {
        return false;
    }
    let in_memory = |page: &&u8| **page & 1 == 1;
    if resident.iter().filter(in_memory).count() < resident.len() / 2 {
        return false;
    }
    for (at, page) in resident.iter().enumerate() {
        if in_memory(&page) {
            // SAFETY: a page of the block.
            unsafe { start.add(at * PAGE).write_bytes(0, PAGE) };
        }
    }
    true
}

pub(super) fn unmap(block: &Block) {
    let end = block.address + pages(block.size);
    for at in (block.address..end).step_by(SLICE) {
        let len = SLICE.min(end - at);
        // SAFETY: a part of a mapping that was given up whole by `free`.
        unsafe { libc::munmap(ptr::with_exposed_provenance_mut(at), len) };
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LARGE, alloc_zeroed, free};
    use super::*;
    use crate::testing::PATIENCE;

    /// A block that has had an owner who wrote to its first `used` bytes.
    fn used_block(size: usize, used: usize) -> Block {
        // SAFETY: a fresh mapping, used within its size.
        unsafe {
            let ptr = alloc_zeroed(size, 16);
            ptr.write_bytes(7, used);
            Block::new(ptr, size)
        }
    }

    fn kept() -> std::sync::MutexGuard<'static, Vec<Block>> {
        KEPT.lock()
    }

    fn is_mapped(address: usize) -> bool {
        // SAFETY: asks about one page, into one byte; nothing is touched.
        unsafe { libc::mincore(ptr::with_exposed_provenance_mut(address), PAGE, &mut 0) == 0 }
    }

    #[test]
    fn a_block_given_back_serves_again_zeroed() {
        // No other test uses this size. The thread may unmap it after a second: then once more.
        let size = 3 * LARGE + 11 * PAGE;
        let again = loop {
            let block = used_block(size, size);
            assert!(zero(&block), "all its pages are in memory");
            put(block);
            if let Some(again) = take(size) {
                break again;
            }
        };
        // SAFETY: the block is ours again, and freed once.
        unsafe {
            assert!(std::slice::from_raw_parts(again, size).iter().all(|&byte| byte == 0));
            free(again, size, 16);
        }
    }

    #[test]
    fn a_block_that_was_hardly_used_is_not_worth_keeping() {
        let block = used_block(16 * LARGE + PAGE, PAGE);
        assert!(!zero(&block));
        unmap(&block);
    }

    #[test]
    fn what_is_kept_is_bounded_by_bytes_and_by_time() {
        for _ in 0..2 * KEEP_TOTAL / (24 << 20) {
            put(used_block(24 << 20, PAGE));
            let total: usize = kept().iter().map(|block| block.size).sum();
            assert!(total <= KEEP_TOTAL, "{total}");
        }
        let old = used_block(5 * LARGE, 1);
        let address = old.address;
        let long_ago =
            Instant::now().checked_sub(KEEP_FOR).expect("the clock has run for a second");
        kept().insert(0, Block { since: long_ago, ..old });
        KEPT.drop_expired(KEEP_FOR);
        assert!(kept().iter().all(|block| block.address != address));
    }

    #[test]
    fn blocks_of_all_sizes_go_back_in_the_end() {
        let (small, large) = (used_block(6 * LARGE, 6 * LARGE), used_block(2 * KEEP_EACH, PAGE));
        for block in [&small, &large] {
            give(ptr::with_exposed_provenance_mut(block.address), block.size);
        }
        let start = Instant::now();
        while is_mapped(large.address) || kept().iter().any(|block| block.address == small.address)
        {
            assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}");
            std::thread::yield_now();
        }
    }
}
