//! The engine: the one thread that owns a server.

mod handle;

pub use handle::{Command, Counters, EngineHandle, Switch, Switched};
