//! Version 2 of the kv plugin: the commands and options of Redis 7.0.

use hotshell_kv_streams::{Edition, Level, Table};
use hotshell_plugin_api::export_plugin;

/// What makes this version.
#[derive(Debug)]
pub struct V2;

impl Edition for V2 {
    fn table() -> &'static Table {
        static TABLE: Table = Table::new(Level::of(7, 0, 15), env!("CARGO_PKG_VERSION"));
        &TABLE
    }
}

/// The plugin.
pub type Kv = hotshell_kv_streams::Kv<V2>;

export_plugin!(Kv, name = "kv");
