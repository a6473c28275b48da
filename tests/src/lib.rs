//! What the tests share.

pub mod artifacts;
pub mod patch;
