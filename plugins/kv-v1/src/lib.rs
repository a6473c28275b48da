//! Version 1 of the kv plugin: the commands and options of Redis 4.0.

use hotshell_kv::{Edition, Level, Table};
use hotshell_plugin_api::export_plugin;

/// What makes this version.
#[derive(Debug)]
pub struct V1;

impl Edition for V1 {
    fn table() -> &'static Table {
        static TABLE: Table = Table::new(Level::of(4, 0, 14), env!("CARGO_PKG_VERSION"));
        &TABLE
    }
}

/// The plugin.
pub type Kv = hotshell_kv::Kv<V1>;

export_plugin!(Kv, name = "kv");
