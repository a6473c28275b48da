//! [`JournalTable`]: the extension table `"journal"`, through which a plugin gets its records back.

use core::ffi::c_void;

use crate::abi::{Call, Outcome};

/// Name of the extension in [`PluginTable::extension`](crate::abi::PluginTable::extension).
pub const JOURNAL: &str = "journal";

/// Takes a text of the plugin's, which is valid for the call.
pub type TakeTextFn = unsafe extern "C" fn(to: *mut c_void, text: *const u8, len: usize);

/// Shows a record to people. Gives one value of JSON to `take` and is done, or refuses.
pub type DescribeFn = unsafe extern "C" fn(
    record: *const u8,
    len: usize,
    take: TakeTextFn,
    to: *mut c_void,
) -> Outcome;

/// What a plugin with [`Plugin::REPLAYS`](crate::plugin::Plugin::REPLAYS) offers. Size-headed: a shell
/// reads no field beyond `size`. Lives as long as the image.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct JournalTable {
    /// Bytes of this struct that the plugin filled in.
    pub size: u32,
    /// Reserved, zero.
    pub reserved: u32,
    /// `[engine]` Repeats the change that the record in the call's input tells. Before the first
    /// client is let in, in the order in which the records were written.
    pub replay: unsafe extern "C" fn(call: *mut Call) -> Outcome,
    /// `[any]` Shows a record, without state and without the shell's functions. Absent in plugins from
    /// before it.
    pub describe: DescribeFn,
}
