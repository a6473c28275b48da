//! What an image tells of its state: the schema, and its lineage if it has one.
//!
//! Everything is copied out; only the addresses of functions point into the image.

use core::mem::ManuallyDrop;
use core::ptr::addr_of;

use hotshell_plugin_api::abi::{Buffer, OUTCOME_DONE, Outcome, PluginTable};
use hotshell_plugin_api::migrate::lineage::{Functions, Lineage};
use hotshell_plugin_api::migrate::table::{MIGRATE, MigrateTable};
use hotshell_plugin_api::schema::{Schema, SchemaError};

use super::heap;
use super::reason::Reason;
use crate::error::Code;

/// What to do with a plugin of another interface.
pub(super) const REBUILD: &str = "rebuild the plugin against the hotshell-plugin-api of this host";

/// Asks for the schema, whose collections must be those that this host knows.
pub(super) fn ask_schema(table: &PluginTable) -> Result<Schema, Reason> {
    let mut out = Loaned::new();
    // SAFETY: `[loader]`, attached to the loader's heap; the buffer is ours.
    let outcome = unsafe { (table.schema)(out.lend()) };
    let schema = Schema::decode(out.bytes());
    told(outcome, "schema")?;
    let schema = schema.map_err(|error| unreadable("schema", &error))?;
    match schema.foreign_format() {
        None => Ok(schema),
        Some(foreign) => Err(Reason::new(Code::Abi, foreign.to_string(), REBUILD)),
    }
}

/// Asks for the lineage; an image without the extension has none.
pub(super) fn ask_lineage(
    table: &PluginTable,
    schema: &Schema,
) -> Result<(Lineage, Functions), Reason> {
    // SAFETY: `[loader]`; the name is valid for the call.
    let found = unsafe { (table.extension)(MIGRATE.as_ptr(), MIGRATE.len()) };
    let found = found.cast::<MigrateTable>();
    if found.is_null() {
        return Ok((Lineage::of_schema(schema), Functions::default()));
    }
    // SAFETY: an extension's table begins with its size, and lives as long as the image.
    let size = unsafe { addr_of!((*found).size).read() } as usize;
    if size < size_of::<MigrateTable>() {
        let ours = size_of::<MigrateTable>();
        let detail = format!("its table '{MIGRATE}' has {size} bytes, this host needs {ours}");
        return Err(Reason::new(Code::Abi, detail, REBUILD));
    }
    let (mut out, mut functions) = (Loaned::new(), Loaned::new());
    // SAFETY: the size says that the field is there; `[loader]`, and both buffers are ours.
    let outcome = unsafe { ((*found).lineage)(out.lend(), functions.lend()) };
    told(outcome, "lineage")?;
    let lineage = Lineage::decode(out.bytes(), schema);
    let lineage = lineage.map_err(|error| unreadable("lineage", &error))?;
    let addresses = functions.bytes().chunks_exact(size_of::<usize>());
    let functions: Vec<usize> = addresses
        .map(|at| usize::from_le_bytes(at.try_into().expect("a chunk has the size of an address")))
        .collect();
    if functions.len() != lineage.functions as usize || functions.contains(&0) {
        let (named, given) = (lineage.functions, functions.len());
        let detail = format!("its lineage numbers {named} functions and gives {given}");
        let hint = "build the plugin again; its file was put together wrongly";
        return Err(Reason::new(Code::NotAPlugin, detail, hint));
    }
    Ok((lineage, Functions(functions)))
}

fn told(outcome: Outcome, what: &str) -> Result<(), Reason> {
    if outcome.code == OUTCOME_DONE {
        return Ok(());
    }
    let hint = "its log has the panic's text; correct the state type it names";
    Err(Reason::new(Code::Panicked, format!("it panicked while it told its {what}"), hint))
}

fn unreadable(what: &str, error: &SchemaError) -> Reason {
    Reason::new(Code::NotAPlugin, format!("its {what} cannot be read: {error}"), REBUILD)
}

/// A buffer that an image fills on the loader's heap.
struct Loaned(ManuallyDrop<Buffer>);

impl Loaned {
    fn new() -> Self {
        // Not dropped as a buffer: this process's copy of its code may know another heap.
        Self(ManuallyDrop::new(Buffer::new()))
    }

    fn lend(&mut self) -> *mut Buffer {
        &raw mut *self.0
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Drop for Loaned {
    fn drop(&mut self) {
        if self.0.cap > 0 {
            // SAFETY: the image grew the buffer on the loader's heap; nobody uses it any more.
            unsafe { heap::free(self.0.ptr, self.0.cap, 1) };
        }
    }
}
