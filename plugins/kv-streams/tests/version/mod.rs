//! A version of the plugin whose state has streams.

use hotshell_kv_streams::{Edition, Level, Table};

/// What makes it.
#[derive(Debug)]
pub struct Streams;

impl Edition for Streams {
    fn table() -> &'static Table {
        static TABLE: Table = Table::new(Level::of(7, 0, 15), "2.0.0");
        &TABLE
    }
}

/// The plugin.
pub type Kv = hotshell_kv_streams::Kv<Streams>;
