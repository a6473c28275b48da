//! Mappings of large blocks, as the kernel makes them.

use std::ptr;

use super::{HUGE, ahead, keeper, pages};

/// A zeroed mapping: one that was mapped ahead, a kept one, or a new one.
pub(super) fn map(size: usize) -> *mut u8 {
    let gradual = ahead::is_next(size);
    if gradual && let Some(ready) = ahead::take(size) {
        return ready;
    }
    let block = keeper::take(size).unwrap_or_else(|| map_as(size, gradual));
    if gradual {
        ask_small(block, size)
    }
    block
}

/// A zeroed mapping for bytes that are written front to back and read so once: a kept one, or a new one of
/// small pages. The kernel has those at hand, where it has to look for huge ones.
pub(super) fn map_bytes(size: usize) -> *mut u8 {
    keeper::take(size).unwrap_or_else(|| map_as(size, true))
}

/// A new mapping, whose pages are small or, where it is large enough, huge.
fn map_as(size: usize, small: bool) -> *mut u8 {
    if size < HUGE {
        return map_new(pages(size));
    }
    let block = map_aligned(size);
    if !small {
        ask_huge(block, size);
    }
    block
}

/// A new mapping of small pages.
pub(super) fn map_small(size: usize) -> *mut u8 {
    let block = map_as(size, true);
    ask_small(block, size);
    block
}

/// Asks for small pages. Advice only: on failure pages are merely large.
pub(super) fn ask_small(block: *mut u8, size: usize) {
    if !block.is_null() && size >= HUGE {
        // SAFETY: the mapping is ours and its content stays.
        unsafe { libc::madvise(block.cast(), pages(size), libc::MADV_NOHUGEPAGE) };
    }
}

/// A new mapping that starts where a huge page may start; null when memory ran out.
pub(super) fn map_aligned(size: usize) -> *mut u8 {
    let start = map_new(pages(size) + HUGE);
    if start.is_null() {
        return start;
    }
    let before = start.addr().next_multiple_of(HUGE) - start.addr();
    // SAFETY: the mapping is ours, and what is given back of it is not handed out.
    unsafe {
        let block = start.add(before);
        if before > 0 {
            libc::munmap(start.cast(), before);
        }
        if before < HUGE {
            libc::munmap(block.add(pages(size)).cast(), HUGE - before);
        }
        block
    }
}

/// Asks for huge pages. Advice only: a kernel without them refuses it.
pub(super) fn ask_huge(block: *mut u8, size: usize) {
    if !block.is_null() {
        // SAFETY: the mapping is ours and its content stays.
        unsafe { libc::madvise(block.cast(), pages(size), libc::MADV_HUGEPAGE) };
    }
}

pub(super) fn map_new(size: usize) -> *mut u8 {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a fresh anonymous mapping touches nothing that exists.
    let ptr = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) };
    if ptr == libc::MAP_FAILED { ptr::null_mut() } else { ptr.cast() }
}

/// Resizes a mapping; `huge` says whether pages that are new are to be huge.
///
/// # Safety
/// `ptr` is a mapping of ours of `old` bytes.
pub(super) unsafe fn remap(ptr: *mut u8, old: usize, new: usize, huge: bool) -> *mut u8 {
    let (from, to) = (pages(old), pages(new));
    let at = ptr.cast::<libc::c_void>();
    // SAFETY: the caller passes a mapping of ours with its size. The place that the last call moves it
    // to is a mapping of ours as well, and an empty one.
    let moved = unsafe {
        if new < HUGE {
            libc::mremap(at, from, to, libc::MREMAP_MAYMOVE)
        } else if ptr.addr().is_multiple_of(HUGE) && libc::mremap(at, from, to, 0) == at {
            at
        } else {
            let place = map_aligned(new);
            if place.is_null() {
                return place;
            }
            let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
            let moved = libc::mremap(at, from, to, flags, place);
            if moved == libc::MAP_FAILED {
                libc::munmap(place.cast(), to);
            }
            moved
        }
    };
    if moved == libc::MAP_FAILED {
        return ptr::null_mut();
    }
    if huge && new >= HUGE && new > old {
        ask_huge(moved.cast(), new);
    }
    moved.cast()
}
