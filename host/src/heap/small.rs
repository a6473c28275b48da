//! Small blocks live on small pages.
//!
//! mimalloc asks for huge pages for its arenas, and a huge page is resident as a whole when one block
//! on it is touched: values of a few hundred kilobytes took a third more memory than they have bytes.
//! Large blocks, which are walked and searched as a whole, have huge pages of their own.

use std::fs;

use libmimalloc_sys as mi;

/// `mi_option_allow_thp` of mimalloc 3; the crate's list of options stops before it.
const ALLOW_THP: mi::mi_option_t = 43;
/// `mi_option_purge_delay`, milliseconds.
const PURGE_DELAY: mi::mi_option_t = 15;
/// So long mimalloc is to wait by itself, milliseconds: a thousand days.
const NEVER: std::ffi::c_long = 86_400_000_000;

/// Takes the advice about huge pages back from mimalloc's arenas, those there are and those to come.
/// Call once, at the start of a host.
pub(super) fn use_small_pages() {
    // SAFETY: sets an option that is looked at when an arena is made.
    unsafe { mi::mi_option_set(ALLOW_THP, 0) };
    // SAFETY: a block of any size, freed at once; only its address is used.
    let address = unsafe {
        let block = mi::mi_malloc(1);
        mi::mi_free(block);
        block.addr()
    };
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    if let Some((start, end)) =
        maps.lines().filter_map(range).find(|r| (r.0..r.1).contains(&address))
    {
        let start = std::ptr::with_exposed_provenance_mut(start);
        // SAFETY: advice about a mapping of ours; its content stays. Without huge pages it is refused.
        unsafe { libc::madvise(start, end - start.addr(), libc::MADV_NOHUGEPAGE) };
    }
}

/// Has mimalloc give nothing back by itself. It would do so when some thread allocates, all at once: several
/// milliseconds of the engine's time, for a few thousand pages. Call once, at the start of a host.
pub(super) fn never_purge() {
    // SAFETY: sets an option that is looked at when pages become free.
    unsafe { mi::mi_option_set(PURGE_DELAY, NEVER) };
}

/// Gives the pages back that have become free, whoever freed them. Other threads allocate meanwhile.
pub(super) fn purge() {
    // SAFETY: a block of any size, freed at once: a thread that has never had one collects nothing. Then
    // what no thread uses is collected.
    unsafe {
        mi::mi_free(mi::mi_malloc(1));
        mi::mi_collect(true);
    }
}

/// The addresses of a line of `/proc/self/maps`.
fn range(line: &str) -> Option<(usize, usize)> {
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flags of the mapping that holds an address, as the kernel shows them.
    fn flags_at(address: usize) -> String {
        let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in smaps.lines() {
            match range(line) {
                Some((start, end)) => inside = (start..end).contains(&address),
                None if inside && line.starts_with("VmFlags:") => return line.to_owned(),
                None => {}
            }
        }
        panic!("no mapping holds {address:x}");
    }

    #[test]
    fn no_arena_asks_for_huge_pages_now_or_later() {
        use_small_pages();
        // SAFETY: blocks are freed once. The second is larger than what is left of any arena, so that
        // it gets one of its own; no byte of it is touched.
        unsafe {
            for size in [64, 1200 << 20] {
                let block = mi::mi_malloc(size);
                let flags = flags_at(block.addr());
                assert!(!flags.split(' ').any(|flag| flag == "hg"), "{size} bytes: {flags}");
                mi::mi_free(block);
            }
        }
    }

    #[test]
    fn buffers_of_bytes_ask_for_no_huge_pages_where_other_large_blocks_do() {
        let known = std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists();
        // Sizes that no other test has, so that none of its blocks serves again.
        let sizes = [(9 << 20) + 4096 * 7, (33 << 20) + 4096 * 7];
        for (align, huge) in [(1, false), (16, known)] {
            // SAFETY: the block is resized and freed with the size and the alignment it has.
            unsafe {
                let block = crate::heap::alloc(sizes[0], align);
                let asks = |block: *mut u8| flags_at(block.addr()).split(' ').any(|f| f == "hg");
                assert_eq!(asks(block), huge, "aligned to {align}");
                let block = crate::heap::realloc(block, sizes[0], sizes[1], align);
                assert_eq!(asks(block), huge, "aligned to {align}, larger");
                crate::heap::free(block, sizes[1], align);
            }
        }
    }
}
