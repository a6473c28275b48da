//! A plugin as another hotshell-plugin-api would have made it: note and version are right, but the
//! layout it declares for its functions is that of another struct.

use hotshell_plugin_api::abi::{ABI_VERSION, Buffer, Entry, MAGIC, PluginTable};
use hotshell_plugin_api::abi_stable::StableAbi;
use hotshell_plugin_api::abi_stable::library::AbiHeader;
use hotshell_plugin_api::note::{Note, NoteInput};
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::{export, schema};

/// The plugin, which is never called.
#[derive(Debug)]
pub struct WrongLayout;

impl Plugin for WrongLayout {
    type State = u64;
    type Session = ();

    fn init(_: &mut InitCtx<'_>) -> Result<u64, Refusal> {
        Ok(0)
    }

    fn data(_: &mut Ctx<'_, Self>, _: &[u8]) -> Flow {
        Flow::NeedMore
    }
}

const INPUT: NoteInput = NoteInput {
    plugin: "wrong-layout",
    version: env!("CARGO_PKG_VERSION"),
    symbol: "hotshell_plugin_wrong_layout",
    panic_abort: false,
    schema_fingerprint: schema::fingerprint_of::<u64, ()>(),
    schema_number: 0,
};

#[used]
#[unsafe(link_section = ".note.hotshell")]
static NOTE: Note = Note::new(INPUT);

static TABLE: PluginTable = export::table::<WrongLayout>();

#[unsafe(export_name = "hotshell_plugin_wrong_layout")]
static ENTRY: Entry = Entry {
    magic: MAGIC,
    abi_version: ABI_VERSION,
    size: size_of::<Entry>() as u32,
    build_id: INPUT.build_id(),
    sabi_header: AbiHeader::VALUE,
    layout: <Buffer as StableAbi>::LAYOUT,
    table: &TABLE,
};
