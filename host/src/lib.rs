//! hotshell: a server shell that keeps its connections and its data while its business logic, a
//! `.so`, is replaced.

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
compile_error!(
    "hotshell runs on Linux with glibc only: it relies on dlopen, /proc and epoll there"
);

pub mod admin;
pub mod answer;
pub mod check;
pub mod cli;
pub mod commands;
pub mod config;
pub mod control;
pub mod data;
pub mod engine;
pub mod error;
pub mod events;
pub mod generation;
pub mod heap;
pub mod life;
pub mod limits;
pub mod loader;
pub mod logging;
pub mod migration;
pub mod observe;
pub mod options;
pub mod paths;
mod priority;
pub mod probation;
pub mod registry;
pub mod render;
pub mod serve;
pub mod signals;
pub mod stage;
mod start;
pub mod stdout;
#[cfg(test)]
mod testing;
pub mod text;
pub mod time;
pub mod watch;
