//! The state heap: mimalloc for small blocks, the kernel's page tables for large ones.
//!
//! Large blocks are mappings of their own, so that growing one moves page tables instead of bytes, a
//! zeroed one is as large as it likes without being touched, and giving one back, or a part of it, is
//! left to a background thread. That keeps some for the next to ask, and gathers small pages into huge
//! ones. What the engine thread does is bounded whatever the block's size.
//!
//! Bytes are counted per thread with plain counters: an engine is one thread, and only it touches its
//! server's state.

mod ahead;
mod condense;
mod keeper;
mod mapping;
mod shelf;
mod small;

use std::cell::Cell;
use std::ptr;

use mapping::{map, map_bytes, remap};

use hotshell_plugin_api::heap::{HeapTable, Usage};
use libmimalloc_sys as mi;

/// Blocks from this size on are mappings of their own.
const LARGE: usize = 1 << 20;
/// The size of a huge page. Blocks from this size on are aligned to it and ask for huge pages, without
/// which a search in a large map waits for the page tables as long as for the entry. The price is a
/// fault of some 100 us per 2 MiB of new memory.
const HUGE: usize = 2 << 20;
/// mimalloc aligns every block to this. By default to 16, which leaves no blocks of 24 bytes: most keys
/// and members would take a third more. The workspace's `.cargo/config.toml` builds it so.
const NATURAL: usize = 8;
/// Blocks from this size on give drained pages back while they are in use. Smaller ones wait until
/// they are free: by then they serve again (see `keeper`).
const DISCARD: usize = 32 << 20;
const PAGE: usize = 4096;

/// The table that plugins and the shell's own collections allocate through.
pub static HEAP: HeapTable = HeapTable {
    size: size_of::<HeapTable>() as u32,
    reserved: 0,
    alloc,
    alloc_zeroed,
    realloc,
    free,
    discard,
    random,
    conversions: hotshell_plugin_api::migrate::drains::table,
    advise,
};

thread_local! {
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

/// Bytes of state this thread holds.
#[inline]
pub fn bytes() -> u64 {
    BYTES.get()
}

/// Makes the allocators hold no more memory than is in use. Call once, at the start of a host.
///
/// The C library returns large blocks to the system when they are freed: by default it begins to keep
/// blocks of a size that it has seen freed, and each load holds a whole plugin file on a thread, and so
/// in an arena, of its own. mimalloc does not ask for huge pages.
pub fn stay_small() {
    small::use_small_pages();
    small::never_purge();
    keeper::purge_from_now_on();
    // SAFETY: sets a number of the C library's allocator; no other thread runs yet.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE as libc::c_int) };
}

/// Gives all memory that is free but kept back to the system, and waits until that is done. For
/// measurements that are to begin without memory that earlier ones have warmed.
pub fn release() {
    keeper::release();
    // SAFETY: frees what has no owner.
    unsafe { mi::mi_collect(true) };
}

/// Makes the host's own collections allocate from this heap. Call before any of them holds memory.
pub fn install() {
    // SAFETY: the table is a static, and callers run this before they create state.
    unsafe { hotshell_plugin_api::heap::install(&HEAP) }
}

#[inline(always)]
fn count(added: usize, removed: usize) {
    BYTES.set(BYTES.get().wrapping_add(added as u64).wrapping_sub(removed as u64));
}

/// Whether a block is aligned well enough without asking.
#[inline(always)]
const fn is_natural(align: usize) -> bool {
    align <= NATURAL
}

/// Whether a block is a buffer of bytes, input or output: nothing else goes without alignment.
#[inline(always)]
const fn is_bytes(align: usize) -> bool {
    align == 1
}

const fn pages(size: usize) -> usize {
    size.next_multiple_of(PAGE)
}

unsafe extern "C" fn alloc(size: usize, align: usize) -> *mut u8 {
    count(size, 0);
    if size >= LARGE {
        return if is_bytes(align) { map_bytes(size) } else { map(size) };
    }
    // SAFETY: callers of the table pass a size that is not zero and a power of two up to 4096.
    unsafe {
        if is_natural(align) {
            mi::mi_malloc(size).cast()
        } else {
            mi::mi_malloc_aligned(size, align).cast()
        }
    }
}

unsafe extern "C" fn alloc_zeroed(size: usize, align: usize) -> *mut u8 {
    count(size, 0);
    if size >= LARGE {
        return map(size);
    }
    // SAFETY: as in `alloc`.
    unsafe {
        if is_natural(align) {
            mi::mi_zalloc(size).cast()
        } else {
            mi::mi_zalloc_aligned(size, align).cast()
        }
    }
}

unsafe extern "C" fn realloc(ptr: *mut u8, old: usize, new: usize, align: usize) -> *mut u8 {
    if (old >= LARGE) == (new >= LARGE) {
        count(new, old);
        // SAFETY: callers pass a block of this heap with its size, which tells where it came from.
        return unsafe {
            if new >= LARGE {
                remap(ptr, old, new, !is_bytes(align))
            } else {
                mi_realloc(ptr, new, align)
            }
        };
    }
    // SAFETY: a block changes sides at most once while it grows, so the copy is below `LARGE` bytes.
    unsafe {
        let moved = alloc(new, align);
        if !moved.is_null() {
            ptr::copy_nonoverlapping(ptr, moved, old.min(new));
            free(ptr, old, align);
        }
        moved
    }
}

unsafe extern "C" fn free(ptr: *mut u8, size: usize, _align: usize) {
    count(0, size);
    if size >= LARGE {
        return keeper::give(ptr, size);
    }
    // SAFETY: callers pass a block of this heap with its size, which tells that it is mimalloc's.
    unsafe { mi::mi_free(ptr.cast()) }
}

unsafe extern "C" fn discard(ptr: *mut u8, size: usize, offset: usize, len: usize) {
    if size < DISCARD {
        return;
    }
    // Whole huge pages: the kernel splits one that loses a part, and what is left is slow from then on.
    let base = ptr.addr();
    let start = (base + offset).next_multiple_of(HUGE) - base;
    let end = ((base + offset + len) / HUGE * HUGE).saturating_sub(base);
    if start < end {
        keeper::discard(ptr.wrapping_add(start), end - start);
    }
}

unsafe extern "C" fn advise(ptr: *mut u8, size: usize, usage: u32) {
    if ptr.is_null() {
        return announce(size, usage);
    }
    if usage == Usage::Soon as u32 {
        return keeper::populate(ptr, size);
    }
    if size < HUGE {
        return;
    }
    if usage == Usage::Gradual as u32 {
        mapping::ask_small(ptr, size);
    } else if usage == Usage::Leaving as u32 {
        keeper::leave(ptr, size);
    } else if usage == Usage::Whole as u32 {
        keeper::condense(ptr, size);
    }
}

/// How a block is used that is not there yet.
fn announce(size: usize, usage: u32) {
    if size < LARGE {
        return;
    }
    if usage == Usage::Soon as u32 {
        ahead::announce(size);
    } else if usage == Usage::Gradual as u32 {
        ahead::is_going_to_ask(size);
    }
}

/// Whether blocks were announced that are not mapped yet.
pub fn is_awaited() -> bool {
    ahead::is_awaited()
}

unsafe extern "C" fn random() -> u64 {
    random_u64()
}

/// 64 unpredictable bits from the system, which is asked for as many as it never cuts short.
pub fn random_u64() -> u64 {
    const DRAWN: usize = 256 / size_of::<u64>();
    thread_local! {
        /// What the system gave, and how much of it is left.
        static POOL: Cell<([u64; DRAWN], usize)> = const { Cell::new(([0; DRAWN], 0)) };
    }
    POOL.with(|pool| {
        // SAFETY: only this thread has the pool, and nothing below comes back to this function.
        let (numbers, left) = unsafe { &mut *pool.as_ptr() };
        if *left == 0 {
            // SAFETY: there is room for what is asked; 256 bytes never come back short.
            unsafe { libc::getrandom(numbers.as_mut_ptr().cast(), size_of_val(numbers), 0) };
            *left = DRAWN;
        }
        *left -= 1;
        core::mem::take(&mut numbers[*left])
    })
}

unsafe fn mi_realloc(ptr: *mut u8, new: usize, align: usize) -> *mut u8 {
    // SAFETY: the caller passes a mimalloc block.
    unsafe {
        if is_natural(align) {
            mi::mi_realloc(ptr.cast(), new).cast()
        } else {
            mi::mi_realloc_aligned(ptr.cast(), new, align).cast()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::PATIENCE;

    /// A block keeps its content while it crosses between mimalloc and mappings, and the count
    /// returns to where it was.
    #[test]
    fn blocks_keep_their_content_across_sizes() {
        let before = bytes();
        // SAFETY: sizes and alignments follow the table's rules; the block is used within its size.
        unsafe {
            let mut block = alloc(64, 16);
            ptr::copy_nonoverlapping([7; 64].as_ptr(), block, 64);
            let mut size = 64;
            for next in [1000, LARGE - 1, LARGE, 5 * LARGE, 64 * LARGE, LARGE, 100] {
                block = realloc(block, size, next, 16);
                assert_eq!(std::slice::from_raw_parts(block, 64), [7; 64], "at {next} bytes");
                size = next;
                assert_eq!(bytes() - before, size as u64);
            }
            free(block, size, 16);
        }
        assert_eq!(bytes(), before);
    }

    /// Discarded huge pages of a large block are the kernel's again, its other pages keep their content.
    #[test]
    fn discard_gives_whole_huge_pages_back_and_keeps_the_rest() {
        let size = 2 * DISCARD;
        // SAFETY: all accesses lie inside the block.
        unsafe {
            let block = alloc_zeroed(size, 8);
            ptr::write_bytes(block, 1, size);
            discard(block, size, PAGE, 3 * HUGE);
            let start = std::time::Instant::now();
            // The keeper gives the pages back, front to back.
            while block.add(3 * HUGE - 1).read_volatile() != 0 {
                assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}");
                std::thread::yield_now();
            }
            assert_eq!(*block.add(HUGE - 1), 1, "a page that is only partly inside stays");
            assert_eq!(*block.add(HUGE), 0, "a whole page is gone");
            assert_eq!(*block.add(3 * HUGE - 1), 0, "the last whole page is gone");
            assert_eq!(*block.add(3 * HUGE), 1, "the page behind stays");
            free(block, size, 8);
        }
    }

    /// Pages that are asked for ahead are there when they are touched, and hold zeroes.
    #[test]
    fn pages_that_are_needed_soon_are_made_ready_off_this_thread() {
        let size = 4 * HUGE;
        // SAFETY: all accesses lie inside the block; one byte is written per page asked about.
        unsafe {
            let block = alloc_zeroed(size, 8);
            advise(block, size, Usage::Gradual as u32);
            advise(block.add(HUGE + 100), HUGE, Usage::Soon as u32);
            let resident = |at: usize| {
                let mut page = 0;
                libc::mincore(block.add(at).cast(), PAGE, &raw mut page);
                page & 1 == 1
            };
            let start = std::time::Instant::now();
            while !(resident(HUGE) && resident(2 * HUGE)) {
                assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}");
                std::thread::yield_now();
            }
            assert!(!resident(0) && !resident(2 * HUGE + PAGE), "nothing around them");
            assert!(std::slice::from_raw_parts(block, size).iter().all(|&byte| byte == 0));
            free(block, size, 8);
        }
    }

    /// A block that was announced is mapped by the keeper, in small pages, and is zero.
    #[test]
    fn a_block_that_was_announced_is_there_before_it_is_asked_for() {
        // No other test uses this size. The keeper may unmap it after a while: then once more.
        let size = 5 * HUGE + 13 * PAGE;
        let start = std::time::Instant::now();
        loop {
            announce(size, Usage::Soon as u32);
            while is_awaited() {
                assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}");
                std::thread::yield_now();
            }
            let Some(ready) = ahead::take(size) else { continue };
            // SAFETY: the block is ours now; it is read within its size and freed once.
            unsafe {
                assert!(std::slice::from_raw_parts(ready, size).iter().all(|&byte| byte == 0));
                count(size, 0);
                free(ready, size, 8);
            }
            return;
        }
    }

    /// Who says that the next block is filled little by little gets the one that was announced; who asks
    /// without a word, or for another size, does not.
    #[test]
    fn an_announced_block_is_for_who_fills_it_little_by_little() {
        let size = 6 * HUGE + 17 * PAGE;
        let start = std::time::Instant::now();
        let ask = |size: usize, gradual: bool| {
            if gradual {
                announce(size, Usage::Gradual as u32);
            }
            // SAFETY: freed once, with its size; no byte is touched.
            unsafe {
                let block = alloc_zeroed(size, 8);
                free(block, size, 8);
                block.addr()
            }
        };
        loop {
            let ready = mapping::map_small(size);
            ahead::put(shelf::Block::new(ready, size));
            ask(size, false);
            ask(size - PAGE, true);
            let stayed = ahead::is_ready(size);
            // The keeper may be at the list at this moment, or have unmapped a block that is old.
            if ask(size, true) == ready.addr() && stayed {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}");
        }
    }

    /// What one thread frees among small blocks is given back by the keeper: no thread has to allocate for it.
    #[test]
    fn small_blocks_that_are_free_go_back_without_their_thread() {
        const EACH: usize = 4000;
        small::never_purge();
        keeper::purge_from_now_on();
        // SAFETY: blocks are freed once, with their size, and touched before.
        let pages: Vec<usize> = unsafe {
            let blocks: Vec<*mut u8> = (0..16_000).map(|_| alloc(EACH, 8)).collect();
            blocks.iter().for_each(|block| block.write_bytes(1, EACH));
            blocks.iter().for_each(|&block| free(block, EACH, 8));
            blocks.iter().map(|block| block.addr() / PAGE * PAGE).collect()
        };
        let resident = || {
            let is_resident = |&&page: &&usize| {
                let mut told = 0;
                // SAFETY: asks about one page, into one byte; nothing is touched.
                unsafe {
                    libc::mincore(ptr::with_exposed_provenance_mut(page), PAGE, &raw mut told);
                }
                told & 1 == 1
            };
            pages.iter().filter(is_resident).count()
        };
        let start = std::time::Instant::now();
        while resident() > pages.len() / 10 {
            assert!(start.elapsed() < PATIENCE, "{}", resident());
            std::thread::yield_now();
        }
    }

    /// How far apart blocks of this size lie, at least.
    fn step(size: usize) -> usize {
        // SAFETY: blocks are freed once, with their size; no byte is touched.
        unsafe {
            let blocks: Vec<*mut u8> = (0..1000).map(|_| alloc(size, 8)).collect();
            let mut places: Vec<usize> = blocks.iter().map(|block| block.addr()).collect();
            places.sort_unstable();
            blocks.iter().for_each(|&block| free(block, size, 8));
            places.windows(2).map(|two| two[1] - two[0]).min().unwrap_or(0)
        }
    }

    #[test]
    fn small_blocks_come_in_steps_of_eight_bytes() {
        let sizes = [8, 16, 17, 24, 25, 40, 56, 64];
        assert_eq!(sizes.map(step), [8, 16, 24, 24, 32, 40, 56, 64]);
    }

    #[test]
    fn random_numbers_do_not_come_again() {
        let drawn: std::collections::HashSet<u64> = (0..1000).map(|_| random_u64()).collect();
        assert_eq!(drawn.len(), 1000);
    }

    #[test]
    fn blocks_are_aligned_as_asked() {
        for align in [1, 2, 4, 8, 16, 32, 64, 4096] {
            for size in [1, 7, 8, 9, 15, 16, 17, 24, 100, 5000, LARGE, HUGE + 1] {
                // SAFETY: blocks are freed once, with their size; no byte is touched.
                unsafe {
                    for block in [alloc(size, align), alloc_zeroed(size, align)] {
                        assert_eq!(block.addr() % align, 0, "{size} bytes aligned to {align}");
                        let block = realloc(block, size, size + 40, align);
                        assert_eq!(block.addr() % align, 0, "grown to {} bytes", size + 40);
                        free(block, size + 40, align);
                    }
                }
            }
        }
    }

    /// Zeroed memory is zero whatever its size, also where it was used before.
    #[test]
    fn alloc_zeroed_is_zero_at_any_size() {
        for size in [1, 100, LARGE - 1, LARGE, 3 * LARGE + 5] {
            // SAFETY: the block is read within its size and freed once.
            unsafe {
                let block = alloc_zeroed(size, 8);
                assert!(std::slice::from_raw_parts(block, size).iter().all(|&b| b == 0));
                free(block, size, 8);
            }
        }
    }
}
