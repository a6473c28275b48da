//! Goal: nobody changes the boundary without knowing it.
//! Method: the size, alignment and field offsets of every struct that crosses it, and every number
//! with a meaning, are compared with a golden file per ABI version.

use std::fmt::Write as _;
use std::mem::offset_of;

use hotshell_plugin_api::abi::{self, Buffer, Call, ClientInfo, Entry, HostTable, Outcome};
use hotshell_plugin_api::abi::{PluginTable, ServerInfo};
use hotshell_plugin_api::collections::{self, hash::KeyHasher, unit::UnitHead};
use hotshell_plugin_api::durability::Durability;
use hotshell_plugin_api::heap::HeapTable;
use hotshell_plugin_api::journal::JournalTable;
use hotshell_plugin_api::migrate::table::MigrateTable;
use hotshell_plugin_api::note::{self, Note, NoteBody};

macro_rules! shape {
    ($out:ident, $ty:ident { $($field:ident),* $(,)? }) => {
        writeln!($out, "{} {} bytes aligned to {}", stringify!($ty), size_of::<$ty>(), align_of::<$ty>())
            .unwrap();
        $(writeln!($out, "  {:3} {}", offset_of!($ty, $field), stringify!($field)).unwrap();)*
    };
}

fn shapes() -> String {
    let mut out = String::new();
    writeln!(out, "abi {}", abi::ABI_VERSION).unwrap();
    writeln!(out, "magic {:#x}, note type {:#x}", abi::MAGIC, note::NOTE_TYPE).unwrap();
    shape!(out, Entry { magic, abi_version, size, build_id, sabi_header, layout, table });
    shape!(
        out,
        PluginTable {
            attach,
            schema,
            init,
            connect,
            data,
            resume,
            disconnect,
            tick,
            self_test,
            panicked,
            command,
            event,
            shutdown,
            drop_state,
            extension
        }
    );
    shape!(
        out,
        HostTable {
            magic,
            abi_version,
            size,
            build_id,
            heap,
            log,
            log_enabled,
            unix_ms,
            monotonic_ns,
            random,
            output_of,
            send_many,
            session_of,
            client_info,
            client_after,
            close,
            resume,
            config,
            count,
            server_info,
            stop,
            journal,
            forget_entries,
            durability,
            snapshot,
            set,
            stop_saving,
            set_for
        }
    );
    shape!(out, JournalTable { size, reserved, replay, describe });
    shape!(
        out,
        HeapTable {
            size,
            reserved,
            alloc,
            alloc_zeroed,
            realloc,
            free,
            discard,
            random,
            conversions,
            advise
        }
    );
    shape!(
        out,
        Call {
            size,
            failed,
            client,
            server,
            state,
            session,
            out,
            input,
            input_len,
            begun,
            need,
            unix_ms,
            monotonic_ns,
            wake_at_ms,
            message
        }
    );
    shape!(out, Outcome { code, reserved, consumed });
    shape!(out, Buffer { ptr, len, cap });
    shape!(
        out,
        ClientInfo {
            size,
            direction,
            id,
            peer_ip,
            peer_port,
            blocked,
            unread,
            unsent,
            idle_ms,
            connected_ms
        }
    );
    shape!(
        out,
        ServerInfo {
            size,
            pid,
            port,
            reserved,
            generation,
            started_ms,
            clients,
            connections,
            rejected,
            calls,
            state_bytes,
            bytes_in,
            bytes_out,
            max_clients,
            swaps,
            state_bytes_peak
        }
    );
    shape!(
        out,
        Durability {
            size,
            kept,
            fsync,
            disk,
            snapshot_running,
            snapshot_failed,
            snapshot_every_ms,
            snapshot_after,
            changes,
            snapshots,
            snapshots_failed,
            snapshot_ms,
            snapshot_us,
            snapshot_bytes,
            snapshot_since_ms,
            journal_bytes,
            journal_durable_bytes,
            journal_syncs,
            journal_sync_us_max,
            set_errno,
            reserved
        }
    );
    shape!(out, Note { name_size, body_size, kind, name, body });
    shape!(
        out,
        NoteBody {
            abi_version,
            panic_abort,
            schema_fingerprint,
            build_id,
            schema_number,
            reserved,
            plugin,
            version,
            symbol,
            api_version
        }
    );
    shape!(out, UnitHead { layout, epoch });
    shape!(out, MigrateTable { size, reserved, lineage });
    let outcomes = [
        abi::OUTCOME_DONE,
        abi::OUTCOME_NEED_MORE,
        abi::OUTCOME_BLOCKED,
        abi::OUTCOME_CLOSE,
        abi::OUTCOME_REFUSED,
        abi::OUTCOME_PANICKED,
    ];
    writeln!(out, "outcomes {outcomes:?}").unwrap();
    writeln!(out, "hash algorithm {}", collections::hash::ALGORITHM).unwrap();
    for key in ["", "a", "hotshell", "twelve bytes", "sixteen bytes ok", "seventeen bytes k"] {
        let mut hasher = KeyHasher::new([1 << 32, 2 << 32]);
        hasher.write_bytes(key.as_bytes());
        writeln!(out, "  hash({key:?}) = {:#018x}", hasher.finish()).unwrap();
    }
    out
}

#[test]
fn the_boundary_is_as_its_golden_file_says() {
    let path = format!("{}/abi/{}.txt", env!("CARGO_MANIFEST_DIR"), abi::ABI_VERSION);
    let now = shapes();
    if std::env::var_os("HOTSHELL_BLESS").is_some() {
        std::fs::write(&path, &now).expect("the golden file can be written");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        now == golden,
        "the boundary differs from {path}.\n\
         An existing plugin or shell may misread it. If a field was appended to a size-headed struct \
         (Call, HostTable, HeapTable, ClientInfo, ServerInfo, Durability, MigrateTable), run this test with HOTSHELL_BLESS=1 and add a line \
         to docs/ABI.md. Anything else: raise ABI_VERSION first, or undo the change.\n\
         now:\n{now}\ngolden:\n{golden}"
    );
}
