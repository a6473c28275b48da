//! The host's table inside the vet child: there is no server, so the services that would reach one
//! answer that there is nothing. Log, clocks, random and heap are real.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::io::Write as _;
use std::sync::OnceLock;

use hotshell_plugin_api::abi::{ABI_VERSION, Buffer, ClientInfo, HostTable, MAGIC, ServerInfo};
use hotshell_plugin_api::durability::{Durability, SET_IN_MEMORY};

use crate::loader::heap;

/// The table.
pub fn host_table() -> &'static HostTable {
    static TABLE: OnceLock<Shared> = OnceLock::new();
    &TABLE
        .get_or_init(|| {
            Shared(HostTable {
                magic: MAGIC,
                abi_version: ABI_VERSION,
                size: size_of::<HostTable>() as u32,
                build_id: 0,
                heap: heap::table(),
                log,
                log_enabled,
                unix_ms,
                monotonic_ns,
                random: heap::random,
                output_of,
                send_many,
                session_of,
                client_info,
                client_after,
                close: no_client,
                resume: no_client,
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
                set_for,
            })
        })
        .0
}

/// Nothing is set aside in a trial.
unsafe extern "C" fn forget_entries(_: *mut c_void) {}

/// A trial keeps nothing: what the plugin put there says so.
unsafe extern "C" fn durability(_: *mut c_void, _: *mut Durability) {}

unsafe extern "C" fn snapshot(_: *mut c_void, _: u64) -> bool {
    false
}

unsafe extern "C" fn set(_: *mut c_void, _: *const u8, _: usize, _: *const u8, _: usize) -> u32 {
    SET_IN_MEMORY
}

unsafe extern "C" fn set_for(
    server: *mut c_void,
    _: u64,
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { set(server, key, key_len, value, value_len) }
}

unsafe extern "C" fn stop_saving(_: *mut c_void, _: bool) {}

/// Nothing that happens in a trial is kept.
unsafe extern "C" fn journal(_: *mut c_void, _: *const u8, _: usize) -> bool {
    false
}

/// The configuration of the server that the plugin is meant for.
static CONFIG: OnceLock<BTreeMap<String, String>> = OnceLock::new();

/// Sets what `config` answers. Once, in the vet child.
pub(super) fn set_config(config: BTreeMap<String, String>) {
    let _ = CONFIG.set(config);
}

struct Shared(HostTable);

// SAFETY: the table is never written after it was made, and its heap pointer is to a static.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// Warnings and errors go to the child's standard error, which the host quotes when the child dies.
unsafe extern "C" fn log(level: u32, text: *const u8, len: usize) {
    if level <= 2 {
        // SAFETY: the caller passes a text that is valid for the call.
        let text = unsafe { std::slice::from_raw_parts(text, len) };
        let mut stderr = std::io::stderr();
        let _ = stderr.write_all(text).and_then(|()| stderr.write_all(b"\n"));
    }
}

unsafe extern "C" fn log_enabled(level: u32) -> bool {
    level <= 2
}

unsafe extern "C" fn unix_ms() -> u64 {
    crate::time::unix_ms()
}

unsafe extern "C" fn monotonic_ns() -> u64 {
    crate::time::monotonic_ns()
}

unsafe extern "C" fn output_of(_: *mut c_void, _: u64) -> *mut Buffer {
    std::ptr::null_mut()
}

unsafe extern "C" fn send_many(
    _: *mut c_void,
    _: *const u64,
    _: usize,
    _: *const u8,
    _: usize,
) -> usize {
    0
}

unsafe extern "C" fn session_of(_: *mut c_void, _: u64) -> *mut u8 {
    std::ptr::null_mut()
}

unsafe extern "C" fn client_info(_: *mut c_void, _: u64, _: *mut ClientInfo) -> bool {
    false
}

unsafe extern "C" fn client_after(_: *mut c_void, _: u64) -> u64 {
    0
}

unsafe extern "C" fn no_client(_: *mut c_void, _: u64) -> bool {
    false
}

unsafe extern "C" fn config(
    _: *mut c_void,
    key: *const u8,
    key_len: usize,
    value_len: *mut usize,
) -> *const u8 {
    // SAFETY: the caller passes a text that is valid for the call.
    let key = unsafe { std::slice::from_raw_parts(key, key_len) };
    let key = std::str::from_utf8(key).ok();
    let Some(value) = key.and_then(|key| CONFIG.get()?.get(key)) else {
        return std::ptr::null();
    };
    // SAFETY: the caller passes a place for the length.
    unsafe { value_len.write(value.len()) };
    value.as_ptr()
}

unsafe extern "C" fn count(_: *mut c_void, _: *const u8, _: usize, _: u64) {}

/// Leaves the zeros that the plugin put there.
unsafe extern "C" fn server_info(_: *mut c_void, _: *mut ServerInfo) {}

unsafe extern "C" fn stop(_: *mut c_void) {}
