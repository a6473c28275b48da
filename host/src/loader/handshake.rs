//! Stage 6: does the code speak as its note said? Cheapest first; both sides are told on refusal.
//!
//! Everything is copied out: nothing that this answers points into the image.

use core::ptr::addr_of;

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::{
    CheckingGlobals, check_layout_compatibility_with_globals,
};
use abi_stable::library::AbiHeader;
use abi_stable::type_layout::TypeLayout;
use hotshell_plugin_api::abi::{ABI_VERSION, Entry, HostTable, MAGIC, OUTCOME_DONE, PluginTable};
use hotshell_plugin_api::migrate::lineage::Functions;

use super::reason::Reason;
use super::shape::REBUILD;
use super::{heap, shape};
use crate::error::Code;
use crate::generation::{Artifact, Shape};

/// The host's table, in two versions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tables {
    /// Its heap may be used on any thread: for calls from the loader.
    pub loader: &'static HostTable,
    /// Its heap belongs to the engines.
    pub engine: &'static HostTable,
}

// SAFETY: the tables are never written, what they point to lives as long as the process, and who
// calls which function on which thread is each function's own rule.
unsafe impl Send for Tables {}
// SAFETY: as above.
unsafe impl Sync for Tables {}

impl Tables {
    /// Makes the loader's version; it lives as long as the process, as images may keep it.
    pub fn new(engine: &'static HostTable) -> Self {
        let loader = HostTable { heap: heap::table(), ..*engine };
        Self { loader: Box::leak(Box::new(loader)), engine }
    }
}

/// What the image said.
#[derive(Debug)]
pub(super) struct Shaken {
    /// Its functions.
    pub table: PluginTable,
    /// Its state.
    pub shape: Shape,
    /// Defaults and conversions, by their numbers in the lineage.
    pub functions: Functions,
}

/// Checks the entry, attaches the image to the host, asks for schema and lineage.
///
/// # Safety
/// `entry` is the address of the symbol that the artifact's note names, in an image that stays
/// mapped until this returns.
pub(super) unsafe fn shake(
    entry: *const Entry,
    artifact: &Artifact,
    tables: &Tables,
) -> Result<Shaken, Reason> {
    // SAFETY: the caller's promise; the head never moves, and inspection saw room for it.
    unsafe { check_head(entry, artifact)? };
    // SAFETY: the head says that the entry has this host's shape.
    let entry = unsafe { &*entry };
    check_layout(&entry.sabi_header, entry.layout)?;
    let table = *entry.table;
    attach(&table, tables.loader)?;
    let schema = shape::ask_schema(&table)?;
    if schema.fingerprint != artifact.schema_fingerprint {
        return Err(mismatch("schema", artifact.schema_fingerprint, schema.fingerprint));
    }
    let (lineage, functions) = shape::ask_lineage(&table, &schema)?;
    // From here on the image's state memory comes from the engine's heap; the loader's holds none.
    attach(&table, tables.engine)?;
    Ok(Shaken { table, shape: Shape::new(schema, lineage), functions })
}

/// Magic, version, size, build: read one by one, before the rest is believed to exist.
///
/// # Safety
/// `entry` is readable for the 24 bytes of the head.
unsafe fn check_head(entry: *const Entry, artifact: &Artifact) -> Result<(), Reason> {
    // SAFETY: the caller's promise, for all four; each is a plain number at its place.
    let (magic, version, size, build_id) = unsafe {
        (
            addr_of!((*entry).magic).read_unaligned(),
            addr_of!((*entry).abi_version).read_unaligned(),
            addr_of!((*entry).size).read_unaligned(),
            addr_of!((*entry).build_id).read_unaligned(),
        )
    };
    if magic != MAGIC {
        let detail = format!("its entry starts with {magic:#018x}, not with {MAGIC:#018x}");
        return Err(Reason::new(Code::NotAPlugin, detail, "export it with `export_plugin!`"));
    }
    if version != ABI_VERSION {
        let detail =
            format!("its code speaks boundary version {version}, this host speaks {ABI_VERSION}");
        return Err(Reason::new(Code::Abi, detail, REBUILD));
    }
    if (size as usize) < size_of::<Entry>() {
        let ours = size_of::<Entry>();
        let detail = format!("its entry has {size} bytes, this host's boundary has {ours}");
        return Err(Reason::new(Code::Abi, detail, REBUILD));
    }
    if build_id != artifact.build_id {
        return Err(mismatch("build id", artifact.build_id, build_id));
    }
    Ok(())
}

fn mismatch(what: &str, note: u64, code: u64) -> Reason {
    let detail =
        format!("note and code differ: the note has {what} {note:#018x}, the code {code:#018x}");
    Reason::new(
        Code::NotAPlugin,
        detail,
        "build the plugin again; its file was put together wrongly",
    )
}

/// Compares the plugin's functions with the host's view of them, field by field.
fn check_layout(header: &AbiHeader, theirs: &'static TypeLayout) -> Result<(), Reason> {
    if !header.is_valid() {
        let say = |h: &AbiHeader| format!("{}.{}", h.abi_major, h.abi_minor);
        let ours = say(&AbiHeader::VALUE);
        let detail = format!("it uses abi_stable {}, this host uses {ours}", say(header));
        return Err(Reason::new(Code::Abi, detail, REBUILD));
    }
    // Fresh globals for each check: the process-wide ones keep pointers into images, and judgments.
    let globals = CheckingGlobals::new();
    let ours = <PluginTable as StableAbi>::LAYOUT;
    // The errors point into the image: they are text before anything can be unmapped.
    check_layout_compatibility_with_globals(ours, theirs, &globals).map_err(|errors| {
        let detail = format!(
            "its boundary is laid out otherwise than this host's: {}",
            layout_errors(&errors.to_string())
        );
        Reason::new(Code::Abi, detail, REBUILD)
    })
}

/// The first few `Error:` lines of abi_stable's long text, with what was expected and found.
fn layout_errors(text: &str) -> String {
    const MOST: usize = 3;
    let blocks: Vec<&str> = text.split("\nError:").skip(1).collect();
    let part = |block: &str, from: &str, to: &str| {
        let rest = block.split_once(from).map_or("", |(_, rest)| rest);
        let part = rest.split(to).next().unwrap_or(rest);
        let words: Vec<&str> = part.split_whitespace().collect();
        words.join(" ").chars().take(80).collect::<String>()
    };
    let short = |block: &&str| {
        let what = block.lines().next().unwrap_or("").trim();
        let (host, plugin) =
            (part(block, "Expected:\n", "\nFound:"), part(block, "Found:\n", "\n\n"));
        format!("{what} (host: {host}; plugin: {plugin})")
    };
    let mut said: Vec<String> = blocks.iter().take(MOST).map(short).collect();
    match blocks.len() {
        0 => said.push("abi_stable gives no detail".to_owned()),
        n if n > MOST => said.push(format!("and {} more", n - MOST)),
        _ => {}
    }
    said.join(", ")
}

fn attach(table: &PluginTable, host: &'static HostTable) -> Result<(), Reason> {
    // SAFETY: `[loader]`; the layout is checked, and the table lives as long as the process.
    let outcome = unsafe { (table.attach)(host) };
    if outcome.code == OUTCOME_DONE {
        return Ok(());
    }
    let detail = format!("it would not attach to this host (outcome {})", outcome.code);
    Err(Reason::new(Code::Refused, detail, "ask the plugin's author"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_layout_error_becomes_one_line() {
        let text = "Compared <this>:\n  x\n\nError:too many fields\nExpected:\n    3\nFound:\n    4\n\
                    \n\
                    \nError:mismatched type\nExpected:\n    u8\nFound:\n    u16\n";
        assert_eq!(
            layout_errors(text),
            "too many fields (host: 3; plugin: 4), mismatched type (host: u8; plugin: u16)"
        );
    }

    #[test]
    fn our_own_layout_is_accepted_every_time() {
        for _ in 0..3 {
            let layout = <PluginTable as StableAbi>::LAYOUT;
            assert!(check_layout(&AbiHeader::VALUE, layout).is_ok());
        }
    }
}
