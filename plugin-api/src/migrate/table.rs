//! [`MigrateTable`]: the extension table `"migrate"`, through which a plugin tells its lineage.

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use crate::abi::{Buffer, OUTCOME_DONE, OUTCOME_PANICKED, Outcome};
use crate::migrate::lineage::Lineage;
use crate::plugin::Plugin;

/// Name of the extension in [`PluginTable::extension`](crate::abi::PluginTable::extension).
pub const MIGRATE: &str = "migrate";

/// What a plugin offers for migrations. Size-headed: a shell reads no field beyond `size`.
///
/// Lives as long as the image. A plugin that was built without it has no defaults and no
/// conversions: state can be adopted, fields can be removed, none can be added.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct MigrateTable {
    /// Bytes of this struct that the plugin filled in.
    pub size: u32,
    /// Reserved, zero.
    pub reserved: u32,
    /// `[loader]` Appends the encoded [`Lineage`] to `out`, and to `functions` the addresses of the
    /// functions that it numbers, eight bytes each. Both buffers are the shell's. The functions are
    /// `[engine]`, catch their own panics, and live as long as the image.
    pub lineage: unsafe extern "C" fn(out: *mut Buffer, functions: *mut Buffer) -> Outcome,
}

impl MigrateTable {
    /// The table of a plugin.
    pub const fn of<P: Plugin>() -> Self {
        Self { size: size_of::<Self>() as u32, reserved: 0, lineage: lineage::<P> }
    }
}

unsafe extern "C" fn lineage<P: Plugin>(out: *mut Buffer, functions: *mut Buffer) -> Outcome {
    let told = catch_unwind(AssertUnwindSafe(|| {
        let (lineage, found) = Lineage::of::<P::State, P::Session>();
        // SAFETY: the shell passes two buffers of its own.
        let (out, functions) = unsafe { (&mut *out, &mut *functions) };
        out.extend_from_slice(&lineage.encode());
        found.0.iter().for_each(|at| functions.extend_from_slice(&at.to_le_bytes()));
    }));
    match told {
        Ok(()) => Outcome::of(OUTCOME_DONE),
        Err(payload) => {
            core::mem::forget(payload);
            Outcome::of(OUTCOME_PANICKED)
        }
    }
}
