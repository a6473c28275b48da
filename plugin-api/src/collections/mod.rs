//! Collections for server state: std's names and methods, a stable layout, memory of the shell.

pub mod hash;
pub mod hash_map;
pub mod hash_set;

pub use hash_map::HashMap;
pub use hash_set::HashSet;
