//! The plugin as a `.so`: loaded as a host does it, or merely mapped.

use std::alloc::Layout;
use std::ffi::CStr;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Result, ensure};
use hotshell::loader::{Image, Loader, LoaderConfig};
use hotshell_plugin_api::abi::{ABI_VERSION, Buffer, Entry, MAGIC, PluginTable};
use hotshell_plugin_api::plugin::Plugin;
use hotshell_plugin_api::schema::Schema;
use libloading::Library;

use super::driver::{Kv, host_table};
use crate::artifacts;

/// A plugin that was loaded from its `.so`.
#[derive(Debug)]
pub struct Loaded {
    /// Its functions.
    pub table: PluginTable,
    /// Layout of its sessions.
    pub session: Layout,
    _code: Code,
}

/// Keeps the code mapped.
#[derive(Debug)]
#[allow(dead_code, reason = "held, not read")]
enum Code {
    Image(Image),
    Library(Library),
}

impl Loaded {
    /// Loads the plugin with the host's loader.
    pub fn load() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut config = LoaderConfig::new(folder.path());
        config.vet_program = artifacts::hotshell()?;
        let loader = Loader::new(config, host_table())?;
        let loaded = loader.load(&artifacts::kv_v1()?, 1, &AtomicBool::new(false))?;
        let linked = Schema::of::<<Kv as Plugin>::State, <Kv as Plugin>::Session>();
        ensure!(
            loaded.callable.shape.schema.fingerprint == linked.fingerprint,
            "the .so has another state than the plugin that is linked; build both anew"
        );
        let session = session_in(&loaded.callable.shape.schema)?;
        Ok(Self { table: loaded.callable.table, session, _code: Code::Image(loaded.image) })
    }

    /// Maps the plugin without vetting it: the loader's child needs system calls that valgrind does
    /// not know. The code that is mapped is the same; [`Self::load`] has vouched for it before.
    pub fn map(path: &Path, symbol: &CStr) -> Result<Self> {
        hotshell::heap::install();
        // SAFETY: a plugin of this workspace, whose constructors are harmless; the entry's first
        // fields are looked at before its table; the host's table lives as long as the process.
        unsafe {
            let library = Library::new(path)?;
            let entry: &Entry = &**library.get::<*const Entry>(symbol.to_bytes_with_nul())?;
            ensure!(
                (entry.magic, entry.abi_version) == (MAGIC, ABI_VERSION),
                "the .so is of another build"
            );
            let table = *entry.table;
            (table.attach)(host_table());
            let mut schema = Buffer::new();
            (table.schema)(&raw mut schema);
            let session = session_in(&Schema::decode(schema.as_slice())?)?;
            Ok(Self { table, session, _code: Code::Library(library) })
        }
    }
}

fn session_in(schema: &Schema) -> Result<Layout> {
    let session = &schema.types[schema.session as usize];
    Ok(Layout::from_size_align(session.size as usize, session.align as usize)?)
}
