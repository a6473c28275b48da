//! hotshell: a server shell that keeps its connections and its data while its business logic, a
//! `.so`, is replaced.

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
compile_error!(
    "hotshell runs on Linux with glibc only: it relies on dlopen, /proc and epoll there"
);

pub mod engine;
pub mod error;
pub mod generation;
pub mod heap;
pub mod limits;
