//! A heap that knows each block and its layout, a generator of operations, and values that count.
//!
//! Every test runs on a thread of its own, so the books are kept per thread.

#![allow(dead_code)]

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Once;

use hotshell_plugin_api::heap::{HeapTable, install};

thread_local! {
    static BLOCKS: RefCell<HashMap<usize, (usize, usize)>> = RefCell::default();
    static VALUES: Cell<isize> = const { Cell::new(0) };
}

static TABLE: HeapTable = HeapTable {
    size: size_of::<HeapTable>() as u32,
    reserved: 0,
    alloc: take,
    alloc_zeroed: take_zeroed,
    realloc: resize,
    free: give,
    discard: ignore,
    random: four,
    conversions: hotshell_plugin_api::migrate::drains::table,
    advise: known,
};

fn note(ptr: *mut u8, size: usize, align: usize) -> *mut u8 {
    BLOCKS.with_borrow_mut(|blocks| blocks.insert(ptr as usize, (size, align)));
    ptr
}

unsafe extern "C" fn take(size: usize, align: usize) -> *mut u8 {
    assert_ne!(size, 0);
    // SAFETY: the size is not zero.
    unsafe {
        let ptr = alloc(Layout::from_size_align(size, align).unwrap());
        ptr.write_bytes(0xa5, size);
        note(ptr, size, align)
    }
}

unsafe extern "C" fn take_zeroed(size: usize, align: usize) -> *mut u8 {
    assert_ne!(size, 0);
    // SAFETY: the size is not zero.
    note(unsafe { alloc_zeroed(Layout::from_size_align(size, align).unwrap()) }, size, align)
}

/// Always moves, so that a pointer kept over a growth is noticed.
unsafe extern "C" fn resize(ptr: *mut u8, old: usize, new: usize, align: usize) -> *mut u8 {
    // SAFETY: the caller's block, as checked by `give`.
    unsafe {
        let moved = take(new, align);
        ptr.copy_to_nonoverlapping(moved, old.min(new));
        give(ptr, old, align);
        moved
    }
}

unsafe extern "C" fn known(ptr: *mut u8, size: usize, _: u32) {
    let found = BLOCKS.with_borrow(|blocks| blocks.get(&(ptr as usize)).copied());
    assert_eq!(found.map(|(size, _)| size), Some(size), "advice about a block of this heap");
}

unsafe extern "C" fn give(ptr: *mut u8, size: usize, align: usize) {
    let known = BLOCKS.with_borrow_mut(|blocks| blocks.remove(&(ptr as usize)));
    if known != Some((size, align)) {
        eprintln!("free of {ptr:?} as {size}/{align}, which is {known:?}");
        std::process::abort();
    }
    // SAFETY: a block of this table with its layout, as just looked up.
    unsafe {
        ptr.write_bytes(0x5a, size);
        dealloc(ptr, Layout::from_size_align(size, align).unwrap());
    }
}

unsafe extern "C" fn ignore(_: *mut u8, _: usize, _: usize, _: usize) {}

unsafe extern "C" fn four() -> u64 {
    4
}

/// Blocks and bytes this thread holds.
pub fn held() -> (usize, usize) {
    BLOCKS.with_borrow(|blocks| (blocks.len(), blocks.values().map(|b| b.0).sum()))
}

/// Runs `test` on the counting heap; afterwards nothing may be left of memory or values.
#[track_caller]
pub fn leak_checked(test: impl FnOnce()) {
    static ONCE: Once = Once::new();
    // SAFETY: the table is static, and every test installs it before it takes state memory.
    ONCE.call_once(|| unsafe { install(&raw const TABLE) });
    assert_eq!((held(), values()), ((0, 0), 0));
    test();
    assert_eq!(held(), (0, 0), "state memory was leaked");
    assert_eq!(values(), 0, "values were leaked or dropped twice");
}

/// Runs `test` with a generator per seed; a failing seed is printed.
#[track_caller]
pub fn with_seeds(count: u64, test: impl Fn(&mut Random)) {
    struct Name(u64);
    impl Drop for Name {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("failing seed: {}", self.0);
            }
        }
    }
    leak_checked(|| {
        for seed in 1..=count {
            let name = Name(seed);
            test(&mut Random::new(seed));
            drop(name);
        }
    });
}

/// Xorshift*, enough for choosing operations.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// Below `n`, which is not zero.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// A range inside `0..=len`.
    pub fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let (a, b) = (self.below(len + 1), self.below(len + 1));
        a.min(b)..a.max(b)
    }
}

/// Values of [`Counted`] alive on this thread.
pub fn values() -> isize {
    VALUES.get()
}

/// A value that is counted, and whose double drop is noticed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted(pub u64, u64);

impl Counted {
    pub fn new(n: u64) -> Self {
        VALUES.set(VALUES.get() + 1);
        Self(n, !n)
    }
}

impl Default for Counted {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        assert_eq!(self.1, !self.0, "a value that is gone");
        Self::new(self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.1 != !self.0 && !std::thread::panicking() {
            panic!("dropped twice, or never made");
        }
        self.1 = self.0;
        VALUES.set(VALUES.get() - 1);
    }
}

/// The message of the panic in `f`.
pub fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
    let payload = caught.err().expect("no panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().unwrap().to_string(),
    }
}
