//! What typed code calls in the shell while a map or tree changes its shape: see [`ConversionTable`].

use core::ffi::c_void;
use core::ptr::NonNull;

use super::entries::Entries;
use super::{DRAINS, Drains, has_parked};
use crate::collections::hash_map::conversion::{Conversion, ConversionTable, Place};
use crate::migrate::{marks, trees};
use crate::snapshot;

/// The table of these calls, for the heap's.
pub extern "C" fn table() -> *const c_void {
    static TABLE: ConversionTable = ConversionTable {
        size: size_of::<ConversionTable>() as u32,
        reserved: 0,
        touch,
        advance,
        leaf: trees::leaf,
        end_tree: trees::end_tree,
        recall,
        write: snapshot::write,
        write_on: snapshot::write_on,
        removed,
        cleared,
    };
    (&raw const TABLE).cast()
}

unsafe extern "C" fn touch(at: *mut Conversion, source: u32, index: usize, hash: u64) -> Place {
    // SAFETY: typed code passes its map's conversion and a full slot of it.
    if let Some(place) = unsafe { snapshot::touch(at, source, index, hash) } {
        return place;
    }
    DRAINS.with_borrow_mut(|drains| {
        // SAFETY: typed code passes its map's conversion and a full slot of it.
        unsafe {
            let drain = drains.drain_of(NonNull::new_unchecked(at));
            (*at).touch(source as usize, index, hash, &mut Entries(drain))
        }
    })
}

unsafe extern "C" fn advance(at: *mut Conversion, slots: u64, exclusive: bool) {
    // SAFETY: typed code passes its map's conversion, and says whether it is borrowed exclusively.
    if unsafe { snapshot::advance(at, slots, exclusive) } {
        return;
    }
    DRAINS.with_borrow_mut(|drains| {
        // SAFETY: typed code passes its map's conversion, and says whether it is borrowed exclusively.
        unsafe {
            let at = NonNull::new_unchecked(at);
            drains.drain_of(at).advance(slots, exclusive);
            if at.as_ref().is_complete() {
                drains.finish(at);
            }
        }
    });
}

unsafe extern "C" fn recall(at: *mut Conversion, from: u64, to: u64) {
    DRAINS.with_borrow_mut(|drains| {
        // SAFETY: typed code passes its map's conversion, for which parts wait.
        unsafe {
            let at = NonNull::new_unchecked(at);
            drains.drain_of(at).bring_back(&mut *at.as_ptr(), from, to.checked_add(1));
            if at.as_ref().is_complete() {
                drains.finish(at);
            }
        }
    });
}

/// Whether something may be found that has not been told yet.
fn any() -> bool {
    let maps = |drains: &Drains| !(drains.running.is_empty() && drains.finished.is_empty());
    DRAINS.with_borrow(maps) || has_parked() || trees::any()
}

extern "C" fn removed(map: u64, hash: u64) -> bool {
    marks::removed(map, hash, any())
}

extern "C" fn cleared(map: u64, absent: bool) {
    marks::cleared(map, absent, any());
}
