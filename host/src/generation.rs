//! What the loader hands on: an artifact's facts, its image, and what an engine needs to call it.

use std::path::PathBuf;
use std::ptr::addr_of;
use std::sync::Arc;

use hotshell_plugin_api::abi::{Call, Outcome, PluginTable};
use hotshell_plugin_api::journal::{DescribeFn, JOURNAL, JournalTable};
use hotshell_plugin_api::loading::{LOADING, LoadingFn, LoadingTable};
use hotshell_plugin_api::migrate::lineage::{Functions, Lineage};
use hotshell_plugin_api::migrate::plan::Side;
use hotshell_plugin_api::reflect::Owners;
use hotshell_plugin_api::schema::Schema;
use serde::Serialize;

use crate::data::{Digest, Origin};

/// One built `.so` and what it says of itself, read from its bytes before any of its code ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// Absolute path it was read from.
    pub path: PathBuf,
    /// Plugin name.
    pub plugin: String,
    /// Semver.
    pub version: String,
    /// `sha256:...` of the bytes.
    pub digest: String,
    /// Machine, e.g. `x86_64-linux-gnu`.
    pub target: String,
    /// Boundary version.
    pub abi_version: u32,
    /// Version of hotshell-plugin-api it was built with.
    pub api_version: String,
    /// The author's schema number.
    pub schema: u32,
    /// Fingerprint of the whole schema.
    pub schema_fingerprint: u64,
    /// Ties the note to the code.
    pub build_id: u64,
    /// The exported symbol.
    pub symbol: String,
    /// Bytes of the file.
    pub size: u64,
}

/// The shape of a version's state, and what the version knows of those before it. Plain data, which
/// outlives the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The types.
    pub schema: Arc<Schema>,
    /// Older names, defaults of new fields, conversions.
    pub lineage: Arc<Lineage>,
    /// The types as bytes, by which the state's layouts are told apart. Made here, since a switch has no
    /// time for it.
    pub encoded: Arc<[u8]>,
    /// Which of the types own memory. Made here for the same reason.
    pub owners: Arc<Owners>,
}

impl Shape {
    /// A shape from its two halves.
    pub fn new(schema: Schema, lineage: Lineage) -> Self {
        let (encoded, owners) = (schema.encode().into(), Owners::of(&schema).into());
        Self { schema: Arc::new(schema), lineage: Arc::new(lineage), encoded, owners }
    }

    /// A shape without a past.
    pub fn without_lineage(schema: Schema) -> Self {
        let lineage = Lineage::of_schema(&schema);
        Self::new(schema, lineage)
    }

    /// One side of a migration plan.
    pub fn side(&self) -> Side<'_> {
        Side { schema: &self.schema, lineage: &self.lineage }
    }
}

/// What an engine needs to call a generation: plain copies, no reference to the image's lifetime.
/// The registry keeps the image mapped for as long as any engine holds one of these.
#[derive(Debug, Clone)]
pub struct Callable {
    /// Number of the generation, from 1.
    pub generation: u64,
    /// Plugin name.
    pub plugin: Arc<str>,
    /// Semver.
    pub version: Arc<str>,
    /// SHA-256 of its artifact.
    pub digest: Digest,
    /// The plugin's functions, copied out of the image.
    pub table: PluginTable,
    /// The shape of its state, copied out of the image.
    pub shape: Shape,
    /// Defaults and conversions in the image, by their numbers in the lineage.
    pub functions: Arc<Functions>,
}

/// Repeats the change that a record tells.
pub type ReplayFn = unsafe extern "C" fn(*mut Call) -> Outcome;

impl Callable {
    /// How it signs what it writes on disk.
    pub fn origin(&self) -> Origin {
        let (generation, fingerprint) = (self.generation, self.shape.schema.fingerprint);
        Origin { generation, fingerprint, digest: self.digest }
    }

    /// How it answers clients while data are read back; `None` when it lets them wait.
    pub fn loading(&self) -> Option<LoadingFn> {
        // SAFETY: the name is valid for the call, and the image is mapped.
        let table = unsafe { (self.table.extension)(LOADING.as_ptr(), LOADING.len()) };
        // SAFETY: null, or a table that lives as long as the image; its size comes first.
        unsafe { table.cast::<LoadingTable>().as_ref() }.map(|table| table.loading)
    }

    /// How it reads its journal back; `None` when it keeps none.
    pub fn replay(&self) -> Option<ReplayFn> {
        let table = self.journal()?;
        // SAFETY: it has been there since the table is.
        Some(unsafe { addr_of!((*table).replay).read() })
    }

    /// How it shows a record of its journal to people; `None` when it does not.
    pub fn describe(&self) -> Option<DescribeFn> {
        let table = self.journal()?;
        // SAFETY: the size comes first, and says whether the field is there.
        unsafe {
            let size = addr_of!((*table).size).read() as usize;
            (size >= size_of::<JournalTable>()).then(|| addr_of!((*table).describe).read())
        }
    }

    fn journal(&self) -> Option<*const JournalTable> {
        // SAFETY: the name is valid for the call, and the image is mapped.
        let table = unsafe { (self.table.extension)(JOURNAL.as_ptr(), JOURNAL.len()) };
        // Null, or a table that lives as long as the image.
        Some(table.cast()).filter(|table: &*const JournalTable| !table.is_null())
    }
}
