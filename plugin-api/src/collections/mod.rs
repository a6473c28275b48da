//! Collections for server state: std's names and methods, a stable layout, memory of the shell.

pub mod boxed;
pub mod btree_map;
pub mod btree_set;
pub mod bytes;
mod fetch;
pub mod hash;
pub mod hash_map;
pub mod hash_set;
pub mod option;
pub mod string;
pub mod unit;
pub mod vec;
pub mod vec_deque;

pub use boxed::Box;
pub use btree_map::BTreeMap;
pub use btree_set::BTreeSet;
pub use bytes::Bytes;
pub use hash_map::HashMap;
pub use hash_set::HashSet;
pub use option::Option;
pub use string::String;
pub use vec::Vec;
pub use vec_deque::VecDeque;
