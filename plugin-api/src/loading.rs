//! [`LoadingTable`]: the extension table `"loading"`, through which a plugin answers clients while its
//! data are read back.

use crate::abi::Outcome;

/// Name of the extension in [`PluginTable::extension`](crate::abi::PluginTable::extension).
pub const LOADING: &str = "loading";
/// Room for one reply, bytes.
pub const MOST_REPLY_BYTES: usize = 512;

/// Answers the request at the front of the input while there is no state yet. Writes at most `room`
/// bytes at `reply`, and their number at `len`. No pointer is kept.
pub type LoadingFn = unsafe extern "C" fn(
    input: *const u8,
    input_len: usize,
    reply: *mut u8,
    room: usize,
    len: *mut usize,
) -> Outcome;

/// What a plugin with [`Plugin::ANSWERS_LOADING`](crate::plugin::Plugin::ANSWERS_LOADING) offers.
/// Size-headed: a shell reads no field beyond `size`. Lives as long as the image.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct LoadingTable {
    /// Bytes of this struct that the plugin filled in.
    pub size: u32,
    /// Reserved, zero.
    pub reserved: u32,
    /// `[any]` Answers a request without state and without the shell's functions.
    pub loading: LoadingFn,
}
