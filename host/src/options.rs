//! [`Options`]: what an admin asks for beside the verb and its arguments.

use std::time::Duration;

/// What a verb was given by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The server.
    pub server: Option<String>,
    /// Answer as JSON.
    pub json: bool,
    /// Only if this generation is active.
    pub if_active: Option<u64>,
    /// Only look.
    pub dry_run: bool,
    /// Answer at the verdict of probation.
    pub wait: bool,
    /// A migration without a way back is fine.
    pub one_way: bool,
    /// A plugin of another name is fine.
    pub replace_plugin: bool,
    /// A stop of any length is fine.
    pub allow_stop: bool,
    /// Answer after this long.
    pub timeout: Option<Duration>,
}
