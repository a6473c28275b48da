//! The contract between the hotshell server shell and its plugins.

#[cfg(not(target_endian = "little"))]
compile_error!("hotshell state is little-endian; this target is not supported");

// The macros name this crate by its public path, also inside it.
extern crate self as hotshell_plugin_api;

pub mod abi;
pub mod buffer;
pub mod collections;
pub mod ctx;
pub mod export;
pub mod heap;
pub mod note;
pub mod plugin;
pub mod schema;
pub mod state;
pub mod testing;

#[doc(hidden)]
pub use abi_stable;

/// What a plugin's crate wants in scope.
pub mod prelude {
    pub use crate::buffer::Out;
    pub use crate::ctx::{ClientId, CommandCtx, Ctx, InitCtx, Level, ServerCtx, Shell};
    pub use crate::export_plugin;
    pub use crate::plugin::{Flow, Plugin, Refusal};
}
