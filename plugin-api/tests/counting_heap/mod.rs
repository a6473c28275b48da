//! A state heap over std's allocator that knows, per thread, what was not given back; and a random
//! number generator whose seed can be printed.
#![allow(dead_code)]

use std::alloc::Layout;
use std::cell::Cell;
use std::sync::Once;

use hotshell_plugin_api::heap::{self, HeapTable};

thread_local! {
    static BLOCKS: Cell<i64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
    static SEED: Cell<u64> = const { Cell::new(0x5eed) };
}

/// What this thread holds more than when it started.
pub struct Leaks {
    blocks: i64,
    bytes: i64,
}

impl Leaks {
    pub fn start() -> Self {
        static INSTALLED: Once = Once::new();
        // SAFETY: the table is static, and earlier memory came from the same allocator.
        INSTALLED.call_once(|| unsafe { heap::install(&COUNTING) });
        Self { blocks: BLOCKS.get(), bytes: BYTES.get() }
    }

    pub fn bytes(&self) -> i64 {
        BYTES.get() - self.bytes
    }

    pub fn none(self) {
        assert_eq!(BLOCKS.get() - self.blocks, 0, "blocks were not freed");
        assert_eq!(BYTES.get() - self.bytes, 0, "blocks were freed with another size");
    }
}

/// Fewer rounds where each takes long: HOTSHELL_TEST_ROUNDS_PERCENT, 100 unless set.
pub fn rounds(n: u64) -> u64 {
    let percent = std::env::var("HOTSHELL_TEST_ROUNDS_PERCENT");
    let percent: u64 = percent.ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    (n * percent / 100).max(1)
}

/// xorshift64*.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n.max(1))) >> 64) as u64
    }
}

static COUNTING: HeapTable = HeapTable {
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

fn count(blocks: i64, bytes: i64) {
    BLOCKS.set(BLOCKS.get() + blocks);
    BYTES.set(BYTES.get() + bytes);
}

fn layout(size: usize, align: usize) -> Layout {
    assert_ne!(size, 0, "the heap is never asked for nothing");
    Layout::from_size_align(size, align).expect("a valid layout")
}

unsafe extern "C" fn alloc(size: usize, align: usize) -> *mut u8 {
    count(1, size as i64);
    // SAFETY: a valid layout that is not empty. Filled with rubbish, as fresh memory may be.
    unsafe {
        let block = std::alloc::alloc(layout(size, align));
        block.write_bytes(0xa5, size);
        block
    }
}

unsafe extern "C" fn alloc_zeroed(size: usize, align: usize) -> *mut u8 {
    count(1, size as i64);
    // SAFETY: a valid layout that is not empty.
    unsafe { std::alloc::alloc_zeroed(layout(size, align)) }
}

unsafe extern "C" fn realloc(ptr: *mut u8, old: usize, new: usize, align: usize) -> *mut u8 {
    count(0, new as i64 - old as i64);
    // SAFETY: the caller's block with its layout.
    unsafe { std::alloc::realloc(ptr, layout(old, align), new) }
}

unsafe extern "C" fn free(ptr: *mut u8, size: usize, align: usize) {
    count(-1, -(size as i64));
    // SAFETY: the caller's block with its layout.
    unsafe { std::alloc::dealloc(ptr, layout(size, align)) }
}

unsafe extern "C" fn advise(_: *mut u8, size: usize, _: u32) {
    assert_ne!(size, 0, "advice about a block");
}

unsafe extern "C" fn discard(ptr: *mut u8, size: usize, offset: usize, len: usize) {
    assert!(offset + len <= size, "discards inside the block");
    // SAFETY: the caller says that nobody reads the range; rubbish finds out whether that holds.
    unsafe { ptr.add(offset).write_bytes(0x5a, len) };
}

unsafe extern "C" fn random() -> u64 {
    SEED.set(SEED.get().wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1));
    SEED.get() ^ SEED.get() >> 29
}
