//! The services that plugins call: the functions of the [`HostTable`].
//!
//! Invariant: none of them calls back into the plugin. They run inside a call, on the engine's thread,
//! when no borrow of the server is held.

mod durability;

use core::ffi::c_void;
use core::ptr::NonNull;

use hotshell_plugin_api::abi::{ABI_VERSION, Buffer, ClientInfo, HostTable, MAGIC, ServerInfo};
use hotshell_plugin_api::collections::String as StateString;

use super::clients::Client;
use super::core::{Core, Server};
use super::state::PluginCounter;
use crate::heap::{HEAP, random_u64};
use crate::time::monotonic_ns;
use crate::time::unix_ms;

struct Shared(HostTable);

// SAFETY: the table holds functions, numbers and the address of a static.
unsafe impl Sync for Shared {}

static TABLE: Shared = Shared(HostTable {
    magic: MAGIC,
    abi_version: ABI_VERSION,
    size: size_of::<HostTable>() as u32,
    build_id: hotshell_plugin_api::schema::mix_text(0, env!("CARGO_PKG_VERSION")),
    heap: &HEAP,
    log,
    log_enabled,
    unix_ms: clock_unix_ms,
    monotonic_ns: clock_monotonic_ns,
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
    durability: durability::tell,
    snapshot: durability::snapshot,
    set: durability::set,
    stop_saving: durability::stop_saving,
    set_for: durability::set_for,
});

/// The functions that plugins call; one table for the whole process.
pub fn host_table() -> &'static HostTable {
    &TABLE.0
}

/// The server behind the opaque pointer of a call.
///
/// # Safety
/// `server` is `Call::server` of a call that is running, so the server lives on this thread.
unsafe fn server<'a>(server: *mut c_void) -> &'a Server {
    // SAFETY: `Server::enter` put its own address there; the engine's `Rc` keeps it alive.
    unsafe { &*server.cast::<Server>() }
}

/// A client, if it is there and will still be served.
fn find(core: &Core, id: u64) -> Option<NonNull<Client>> {
    let client = core.state.clients.find(id)?;
    // SAFETY: found among the living; a plain read of a flag the plugin cannot reach.
    (!unsafe { (*client.as_ptr()).closing }).then_some(client)
}

/// Remembers where a client's output stood before this call, for the case that the call panics, and
/// that there is something to send.
fn touch(server: &Server, core: &mut Core, client: NonNull<Client>) -> *mut Buffer {
    let (number, client) = (core.call_number, client.as_ptr());
    server.queued.set(server.queued.get() + 1);
    // SAFETY: the client lives; the plugin holds no reference to another client's record, at most to
    // its output, whose length is only read here.
    unsafe {
        if (*client).touched_call != number {
            (*client).touched_call = number;
            (*client).touched_len = (*client).output.len;
            core.touched.push(client);
        }
        core.mark_dirty(&mut *client);
        &raw mut (*client).output
    }
}

/// A line of the plugin's. Whose it is, the thread tells: a plugin may log without a call, as its panic
/// hook does.
unsafe extern "C" fn log(level: u32, text: *const u8, len: usize) {
    use tracing::Level;
    macro_rules! line {
        ($level:expr, $server:ident, $text:ident) => {
            tracing::event!(target: "plugin", $level, verb = "plugin", server = $server, "{}", $text)
        };
    }
    // SAFETY: the plugin passes text that is valid for the call.
    let text = String::from_utf8_lossy(unsafe { core::slice::from_raw_parts(text, len) });
    let thread = std::thread::current();
    let server = thread.name().and_then(|name| name.strip_prefix(super::THREAD));
    match level {
        1 => line!(Level::ERROR, server, text),
        2 => line!(Level::WARN, server, text),
        3 => line!(Level::INFO, server, text),
        4 => line!(Level::DEBUG, server, text),
        _ => line!(Level::TRACE, server, text),
    }
}

unsafe extern "C" fn log_enabled(level: u32) -> bool {
    use tracing::enabled;
    match level {
        1 => enabled!(target: "plugin", tracing::Level::ERROR),
        2 => enabled!(target: "plugin", tracing::Level::WARN),
        3 => enabled!(target: "plugin", tracing::Level::INFO),
        4 => enabled!(target: "plugin", tracing::Level::DEBUG),
        _ => enabled!(target: "plugin", tracing::Level::TRACE),
    }
}

unsafe extern "C" fn clock_unix_ms() -> u64 {
    unix_ms()
}

unsafe extern "C" fn clock_monotonic_ns() -> u64 {
    monotonic_ns()
}

unsafe extern "C" fn random() -> u64 {
    random_u64()
}

unsafe extern "C" fn output_of(at: *mut c_void, client: u64) -> *mut Buffer {
    // SAFETY: called from inside a call of this server.
    let server = unsafe { server(at) };
    let core = &mut *server.core.borrow_mut();
    match find(core, client) {
        Some(client) => touch(server, core, client),
        None => core::ptr::null_mut(),
    }
}

unsafe extern "C" fn send_many(
    at: *mut c_void,
    clients: *const u64,
    count: usize,
    bytes: *const u8,
    len: usize,
) -> usize {
    // SAFETY: called from inside a call of this server, with slices that are valid for the call.
    let (server, clients, bytes) =
        unsafe { (server(at), slice(clients, count), slice(bytes, len)) };
    let core = &mut *server.core.borrow_mut();
    let mut sent = 0;
    for &id in clients {
        if let Some(client) = find(core, id) {
            let output = touch(server, core, client);
            // SAFETY: the client lives. The plugin's own writer, if this is the client of the call, is
            // borrowed by the very `Shell` this came through and not in use.
            unsafe { (*output).extend_from_slice(bytes) };
            sent += 1;
        }
    }
    sent
}

/// A slice that may be empty with any pointer.
unsafe fn slice<'a, T>(ptr: *const T, len: usize) -> &'a [T] {
    // SAFETY: the caller's promise, where there is anything to point at.
    if len == 0 { &[] } else { unsafe { core::slice::from_raw_parts(ptr, len) } }
}

unsafe extern "C" fn session_of(at: *mut c_void, client: u64) -> *mut u8 {
    // SAFETY: called from inside a call of this server.
    let server = unsafe { server(at) };
    let found = server.core.borrow().state.clients.find(client);
    let Some(client) = found else { return core::ptr::null_mut() };
    // SAFETY: found among the living; plain reads of fields the plugin cannot reach. A session that is
    // not in the layout of today was not asked for since the switch, so nobody holds a reference to it.
    unsafe {
        if !(*client.as_ptr()).connected {
            return core::ptr::null_mut();
        }
        server.bring(client);
        server.before_session(client);
        (*client.as_ptr()).session
    }
}

unsafe extern "C" fn client_info(at: *mut c_void, id: u64, info: *mut ClientInfo) -> bool {
    // SAFETY: called from inside a call of this server.
    let core = unsafe { server(at) }.core.borrow();
    let Some(client) = core.state.clients.find(id) else { return false };
    // SAFETY: found among the living; `info` says how much room it has; the clock is read only.
    unsafe {
        let client = client.as_ptr();
        let now = (*(server(at).call)).unix_ms;
        let full = ClientInfo {
            size: size_of::<ClientInfo>() as u32,
            direction: (*client).direction,
            id,
            peer_ip: (*client).peer_ip,
            peer_port: (*client).peer_port,
            blocked: u32::from((*client).blocked),
            unread: ((*client).input.len - (*client).input_start) as u64,
            unsent: (*client).unsent() as u64,
            idle_ms: now.saturating_sub((*client).active_ms),
            connected_ms: (*client).connected_ms,
        };
        fill(info, full, (*info).size);
    }
    true
}

/// Copies as much of `full` as the caller has room for.
///
/// # Safety
/// `target` has room for `size` bytes; the first field of `T` is its size.
unsafe fn fill<T>(target: *mut T, full: T, size: u32) {
    let bytes = (size as usize).min(size_of::<T>());
    // SAFETY: both sides have that many bytes and do not overlap.
    unsafe {
        core::ptr::copy_nonoverlapping((&raw const full).cast::<u8>(), target.cast::<u8>(), bytes);
    }
}

unsafe extern "C" fn client_after(at: *mut c_void, after: u64) -> u64 {
    // SAFETY: called from inside a call of this server.
    let core = unsafe { server(at) }.core.borrow();
    // SAFETY: found among the living.
    core.state.clients.after(after).map_or(0, |client| unsafe { (*client.as_ptr()).id })
}

unsafe extern "C" fn close(at: *mut c_void, client: u64) -> bool {
    // SAFETY: called from inside a call of this server.
    let server = unsafe { server(at) };
    let core = &mut *server.core.borrow_mut();
    let found = find(core, client).is_some();
    if found {
        core.closes.push(client);
        server.queued.set(server.queued.get() + 1);
    }
    found
}

unsafe extern "C" fn resume(at: *mut c_void, client: u64) -> bool {
    // SAFETY: called from inside a call of this server.
    let server = unsafe { server(at) };
    let core = &mut *server.core.borrow_mut();
    let Some(found) = find(core, client) else { return false };
    // SAFETY: found among the living; fields the plugin cannot reach.
    let found = unsafe { &mut *found.as_ptr() };
    if !found.blocked || found.resuming {
        return false;
    }
    found.resuming = true;
    core.resumes.push(client);
    server.queued.set(server.queued.get() + 1);
    true
}

unsafe extern "C" fn config(
    at: *mut c_void,
    key: *const u8,
    key_len: usize,
    value_len: *mut usize,
) -> *const u8 {
    // SAFETY: called from inside a call of this server, with a key that is valid for the call.
    let (core, key) = unsafe { (server(at).core.borrow(), slice(key, key_len)) };
    let settings = &core.state.config;
    let Some(found) = settings.iter().find(|setting| setting.key.as_bytes() == key) else {
        return core::ptr::null();
    };
    // SAFETY: the plugin passes a place for the length. The text lives in `ServerState`, which does
    // not change before the call returns.
    unsafe { *value_len = found.value.len() };
    found.value.as_bytes().as_ptr()
}

unsafe extern "C" fn count(at: *mut c_void, name: *const u8, len: usize, by: u64) {
    // SAFETY: called from inside a call of this server, with a name that is valid for the call.
    let (core, name) = unsafe { (&mut *server(at).core.borrow_mut(), slice(name, len)) };
    core.plugin_counters_changed = true;
    let counters = &mut core.state.plugin_counters;
    if let Some(found) = counters.iter_mut().find(|counter| counter.name.as_bytes() == name) {
        found.value = found.value.wrapping_add(by);
    } else {
        let name = StateString::from(&*String::from_utf8_lossy(name));
        counters.push(PluginCounter { name, value: by });
    }
}

unsafe extern "C" fn server_info(at: *mut c_void, info: *mut ServerInfo) {
    // SAFETY: called from inside a call of this server.
    let core = unsafe { server(at) }.core.borrow();
    let tally = &core.state.counters;
    let state_bytes = crate::heap::bytes();
    let full = ServerInfo {
        size: size_of::<ServerInfo>() as u32,
        pid: std::process::id(),
        port: u32::from(core.listen.port()),
        reserved: 0,
        generation: core.state.generation,
        started_ms: tally.started_ms,
        clients: core.state.clients.len() as u64,
        connections: tally.connections,
        rejected: tally.rejected,
        calls: tally.calls,
        state_bytes,
        bytes_in: tally.bytes_in,
        bytes_out: tally.bytes_out,
        max_clients: core.limits.max_clients as u64,
        swaps: tally.swaps,
        state_bytes_peak: tally.state_bytes_peak.max(state_bytes),
    };
    // SAFETY: `info` says how much room it has.
    unsafe { fill(info, full, (*info).size) };
}

unsafe extern "C" fn stop(at: *mut c_void) {
    // SAFETY: called from inside a call of this server.
    let core = unsafe { server(at) }.core.borrow();
    // The receiver is gone only when the host is stopping already.
    let _ = core.stop.send(());
}

unsafe extern "C" fn journal(at: *mut c_void, record: *const u8, len: usize) -> bool {
    // SAFETY: called from inside a call of this server, with a record that is valid for the call.
    let (server, record) = unsafe { (server(at), slice(record, len)) };
    let core = &mut *server.core.borrow_mut();
    match &mut core.journal {
        Some(journal) if core.replays => {
            if !record.is_empty() {
                journal.record(record);
                server.journaled.set(true);
            }
            true
        }
        _ => false,
    }
}

unsafe extern "C" fn forget_entries(at: *mut c_void) {
    // SAFETY: called from inside a call of this server.
    unsafe { server(at) }.core.borrow_mut().forget_entries();
}
