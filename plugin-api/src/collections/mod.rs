//! Collections for server state: std's names and methods, a stable layout, memory of the shell.

pub mod hash;
