//! The contract between the hotshell server shell and its plugins.

#[cfg(not(target_endian = "little"))]
compile_error!("hotshell state is little-endian; this target is not supported");

// The macros name this crate by its public path, also inside it.
extern crate self as hotshell_plugin_api;

pub mod collections;
pub mod framing;
pub mod heap;
pub mod schema;
pub mod state;

#[doc(hidden)]
pub use abi_stable;
