//! What the end-to-end tests share: a host as a child process, clients that check what they hear,
//! files made to order. Everything goes through sockets, signals and the command line.

pub mod artifacts;
pub mod cli;
pub mod files;
pub mod host;
pub mod http;
pub mod lines;
pub mod patch;
pub mod poll;
pub mod port;
pub mod resp;
pub mod small_disk;
pub mod traffic;
pub mod transcript;

pub use cli::{Ran, hotshell};
pub use files::{Folder, kv_v1, kv_v2, misbehave};
pub use host::{Host, HostBuilder};
pub use lines::Lines;
pub use poll::eventually;
pub use resp::{Resp, Value};
