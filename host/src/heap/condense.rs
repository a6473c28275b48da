//! [`Condensing`]: blocks that were filled in small pages, on their way to huge ones.
//!
//! A map's new table is filled in small pages, so that no touch of it costs the engine the clearing of
//! a huge one. Once it is whole it is searched all over, and then small pages cost more: this moves it,
//! one huge page at a time. The kernel holds back whoever touches that page meanwhile, some hundred
//! microseconds; so there are pauses, that such a touch stay rarer than one in a thousand.

use std::collections::VecDeque;
use std::ptr;
use std::time::Duration;

use super::mapping::ask_huge;
use super::{HUGE, PAGE};

/// Between two huge pages.
const PAUSE: Duration = Duration::from_millis(2);

/// Blocks to be moved, oldest first. Belongs to the keeper.
#[derive(Debug, Default)]
pub(super) struct Condensing(VecDeque<Range>);

/// What is left of a block.
#[derive(Debug)]
struct Range {
    block: usize,
    at: usize,
    end: usize,
}

impl Condensing {
    /// Takes a block on. It is [forgotten](Self::forget) before it is unmapped.
    pub fn add(&mut self, address: usize, size: usize) {
        ask_huge(ptr::with_exposed_provenance_mut(address), size);
        let end = address + size;
        self.0.push_back(Range { block: address, at: address.next_multiple_of(HUGE), end });
    }

    /// The block at this address is going to be unmapped.
    pub fn forget(&mut self, address: usize) {
        self.0.retain(|range| range.block != address);
    }

    /// How long to wait for the next step; `None` when there is nothing to do.
    pub fn pause(&self) -> Option<Duration> {
        (!self.0.is_empty()).then_some(PAUSE)
    }

    /// Moves one huge page.
    pub fn step(&mut self) {
        while let Some(range) = self.0.front_mut() {
            let at = range.at;
            if at + HUGE > range.end {
                self.0.pop_front();
                continue;
            }
            range.at += HUGE;
            if is_filled(at) {
                let start = ptr::with_exposed_provenance_mut(at);
                // SAFETY: inside a mapping of ours, whose content stays. A kernel that cannot do it
                // refuses, and the pages stay as they are.
                unsafe { libc::madvise(start, HUGE, libc::MADV_COLLAPSE) };
                return;
            }
        }
    }
}

/// Whether most of the small pages of a huge one are in memory: the others would be as well.
fn is_filled(address: usize) -> bool {
    let mut resident = [0_u8; HUGE / PAGE];
    let start = ptr::with_exposed_provenance_mut(address);
    // SAFETY: asks about pages of a mapping of ours, one byte for each.
    let told = unsafe { libc::mincore(start, HUGE, resident.as_mut_ptr()) } == 0;
    told && resident.iter().filter(|page| **page & 1 == 1).count() > resident.len() / 2
}

#[cfg(test)]
mod tests {
    use super::super::{advise, alloc_zeroed, free};
    use super::*;
    use hotshell_plugin_api::heap::Usage;

    /// Kilobytes of the mapping at `address` that lie in huge pages.
    fn huge_kib(address: usize) -> u64 {
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("Linux tells");
        let of_block = maps.split_once(&format!("{address:x}-")).expect("it is mapped").1;
        let line = of_block.lines().find(|line| line.starts_with("AnonHugePages:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)).expect("a number of KiB");
        kib.parse().expect("a number")
    }

    #[test]
    fn a_block_is_filled_in_small_pages_and_then_moved_to_huge_ones() {
        let size = 72 << 20;
        // SAFETY: the block is used within its size and freed once.
        unsafe {
            let block = alloc_zeroed(size, 16);
            advise(block, size, Usage::Gradual as u32);
            block.write_bytes(7, size / 2);
            assert_eq!(huge_kib(block.addr()), 0, "filled in small pages");
            let mut condensing = Condensing::default();
            condensing.add(block.expose_provenance(), size);
            while condensing.pause().is_some() {
                condensing.step();
            }
            let huge = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
            if huge.is_ok_and(|modes| !modes.contains("[never]")) {
                assert!(huge_kib(block.addr()) > 0, "moved");
                assert!(huge_kib(block.addr()) <= size as u64 / 2 / 1024, "the filled part only");
            }
            assert!(std::slice::from_raw_parts(block, size / 2).iter().all(|&byte| byte == 7));
            free(block, size, 16);
        }
    }

    #[test]
    fn a_block_that_is_going_to_be_unmapped_is_forgotten() {
        let mut condensing = Condensing::default();
        let size = 4 * HUGE;
        // SAFETY: the block is freed once.
        unsafe {
            let block = alloc_zeroed(size, 16);
            condensing.add(block.expose_provenance(), size);
            assert_eq!(condensing.pause(), Some(PAUSE));
            condensing.forget(block.addr());
            assert_eq!(condensing.pause(), None);
            free(block, size, 16);
        }
    }
}
