//! The shell's half of a test: what the plugin's services answer, over a plain struct.

use core::ffi::c_void;
use core::net::{IpAddr, SocketAddr};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Once};

use crate::abi::{
    ABI_VERSION, Buffer, ClientInfo, HostTable, MAGIC, NO_WAKE, NOT_BEGUN, ServerInfo,
};
use crate::ctx::{self, ClientId};
use crate::durability::{Durability, SET_IN_MEMORY};
use crate::heap;
use crate::migrate::aside::Aside;
use crate::migrate::change::Change;
use crate::migrate::trail::Trail;
use crate::plugin::Refusal;
use crate::testing::clock::{self, Clock};

/// Everything a shell would know about one server.
pub(super) struct Host {
    pub clients: BTreeMap<ClientId, Box<Client>>,
    pub last_client: ClientId,
    /// Last output of clients that the server closed.
    pub farewells: BTreeMap<ClientId, Vec<u8>>,
    config: BTreeMap<String, String>,
    pub counters: BTreeMap<String, u64>,
    pub clock: Clock,
    pub wake_at_ms: u64,
    pub root: *mut u8,
    /// Clients whose input may hold a request.
    pub ready: VecDeque<ClientId>,
    pub resuming: VecDeque<ClientId>,
    pub closing: Vec<ClientId>,
    /// Length and capacity of outputs at the first touch in this call.
    touched: Vec<(ClientId, usize, usize)>,
    pub begun: u64,
    pub need: u64,
    pub message: Buffer,
    pub failed: u64,
    pub panics: Vec<String>,
    pub log: Vec<String>,
    pub stopping: bool,
    pub generation: u64,
    pub connections: u64,
    pub calls: u64,
    pub bytes_in: u64,
    pub state_bytes: u64,
    /// What versions that are not active left behind of the root.
    pub aside: Aside,
    /// Fingerprints of the schemas that there were; a layout id is an index.
    pub layouts: Vec<u64>,
    /// The layout of today.
    pub layout: u32,
    /// How sessions get there.
    pub trail: Trail,
    /// The last swap that changed the state's shape.
    pub change: Option<Arc<Change>>,
    /// The change whose drains find only what was forgotten already.
    pub forgotten: Option<Arc<Change>>,
    /// Parts that could not come back.
    pub overtaken: usize,
    /// Defaults and conversions that panicked.
    pub conversions_panicked: u64,
    started_ms: u64,
}

/// One connection.
pub(super) struct Client {
    pub peer: SocketAddr,
    pub unread: Buffer,
    pub out: Buffer,
    pub session: *mut u8,
    /// The layout that the session is in.
    pub layout: u32,
    /// What versions that are not active left behind of it.
    pub aside: Aside,
    pub blocked: bool,
    pub need: u64,
    pub heard_ms: u64,
    connected_ms: u64,
}

impl Client {
    pub(super) fn new(peer: SocketAddr, session: *mut u8, layout: u32, now_ms: u64) -> Self {
        Self {
            peer,
            unread: Buffer::new(),
            out: Buffer::new(),
            session,
            layout,
            aside: Aside::new(),
            blocked: false,
            need: 0,
            heard_ms: now_ms,
            connected_ms: now_ms,
        }
    }
}

impl Host {
    pub(super) fn new(config: &[(&str, &str)]) -> Box<Self> {
        let own = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        Box::new(Self {
            clients: BTreeMap::new(),
            last_client: 0,
            farewells: BTreeMap::new(),
            config: config.iter().map(own).collect(),
            counters: BTreeMap::new(),
            clock: Clock::new(),
            wake_at_ms: NO_WAKE,
            root: core::ptr::null_mut(),
            ready: VecDeque::new(),
            resuming: VecDeque::new(),
            closing: Vec::new(),
            touched: Vec::new(),
            begun: NOT_BEGUN,
            need: 0,
            message: Buffer::new(),
            failed: 0,
            panics: Vec::new(),
            log: Vec::new(),
            stopping: false,
            generation: 1,
            connections: 0,
            calls: 0,
            bytes_in: 0,
            state_bytes: 0,
            aside: Aside::of_root(),
            layouts: Vec::new(),
            layout: 0,
            trail: Trail::new(),
            change: None,
            forgotten: None,
            overtaken: 0,
            conversions_panicked: 0,
            started_ms: clock::START_UNIX_MS,
        })
    }

    /// Sets the marks of a call that serves `id`, or nobody when it is 0.
    pub(super) fn begin_call(&mut self, id: ClientId) {
        self.clock.show();
        self.touched.clear();
        self.touch(id);
        CURRENT.set(self);
    }

    fn touch(&mut self, id: ClientId) {
        if let Some(client) = self.clients.get(&id)
            && self.touched.iter().all(|&(seen, ..)| seen != id)
        {
            self.touched.push((id, client.out.len, client.out.cap));
        }
    }

    /// Takes back what the last call wrote, to whomever.
    pub(super) fn cut_output(&mut self) {
        for (id, len, _) in core::mem::take(&mut self.touched) {
            if let Some(client) = self.clients.get_mut(&id) {
                client.out.truncate(len);
            }
        }
    }

    /// Ends a call in which the heap grew by so many bytes, outputs included.
    pub(super) fn end_call(&mut self, grown: i64) {
        CURRENT.set(core::ptr::null_mut());
        let outputs = self.touched.iter().map(|(id, _, cap)| {
            self.clients.get(id).map_or(0, |client| client.out.cap as i64 - *cap as i64)
        });
        let grown = grown - outputs.sum::<i64>();
        self.state_bytes = self.state_bytes.saturating_add_signed(grown);
    }

    pub(super) fn message_text(&self) -> String {
        String::from_utf8_lossy(self.message.as_slice()).into_owned()
    }

    pub(super) fn refusal(&self) -> Refusal {
        Refusal::new(self.message_text())
    }
}

thread_local! {
    static CURRENT: Cell<*mut Host> = const { Cell::new(core::ptr::null_mut()) };
}

/// Makes this image's plugins talk to the test's shell. The panic hook stays as it is, so that a
/// plugin's panic shows up in the test's output.
pub(super) fn attach() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the table is a static; its memory comes from `std::alloc`, as that of the fallback
        // it replaces, so that blocks of either may be freed by the other.
        unsafe { heap::install(&super::heap::HEAP) };
        ctx::attach(&HOST.0);
    });
}

/// # Safety
/// `server` is `Call::server` of a call that runs on this thread.
unsafe fn host<'a>(server: *mut c_void) -> &'a mut Host {
    // SAFETY: `run` passed its host and does not use it before the call returns.
    unsafe { &mut *server.cast() }
}

/// A table of functions, shared by all threads: it holds no data of its own.
struct Shared<T>(T);
// SAFETY: the tables point at statics and functions only.
unsafe impl<T> Sync for Shared<T> {}

static HOST: Shared<HostTable> = Shared(HostTable {
    magic: MAGIC,
    abi_version: ABI_VERSION,
    size: size_of::<HostTable>() as u32,
    build_id: 0,
    heap: &super::heap::HEAP,
    log,
    log_enabled,
    unix_ms: clock::unix_ms,
    monotonic_ns: clock::monotonic_ns,
    random: clock::random,
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
    set_for,
});

/// A test's server keeps nothing: what the caller put there says so.
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

unsafe extern "C" fn stop_saving(server: *mut c_void, _: bool) {
    // SAFETY: inside a call.
    unsafe { stop(server) }
}

unsafe extern "C" fn forget_entries(server: *mut c_void) {
    // SAFETY: inside a call.
    unsafe { host(server) }.forget_entries();
}

/// A test's server keeps no journal.
unsafe extern "C" fn journal(_: *mut c_void, _: *const u8, _: usize) -> bool {
    false
}

/// # Safety
/// The bytes are valid for the call.
unsafe fn text<'a>(bytes: *const u8, len: usize) -> std::borrow::Cow<'a, str> {
    // SAFETY: the caller's promise.
    String::from_utf8_lossy(unsafe { core::slice::from_raw_parts(bytes, len) })
}

unsafe extern "C" fn log(level: u32, bytes: *const u8, len: usize) {
    // SAFETY: the text is valid for the call, and so is the host of the call that runs.
    let (text, host) = unsafe { (text(bytes, len), CURRENT.get().as_mut()) };
    let name = ["", "error", "warn", "info", "debug", "trace"][level.min(5) as usize];
    eprintln!("{name}: {text}");
    if let Some(host) = host {
        host.log.push(format!("{name}: {text}"));
    }
}

unsafe extern "C" fn log_enabled(_: u32) -> bool {
    true
}

unsafe extern "C" fn output_of(server: *mut c_void, client: u64) -> *mut Buffer {
    // SAFETY: inside a call.
    let host = unsafe { host(server) };
    host.touch(client);
    host.clients.get_mut(&client).map_or(core::ptr::null_mut(), |c| &raw mut c.out)
}

unsafe extern "C" fn send_many(
    server: *mut c_void,
    clients: *const u64,
    count: usize,
    bytes: *const u8,
    len: usize,
) -> usize {
    // SAFETY: inside a call; both slices are valid for it.
    let (ids, bytes) = unsafe {
        (core::slice::from_raw_parts(clients, count), core::slice::from_raw_parts(bytes, len))
    };
    let sent = ids.iter().filter(|&&id| {
        // SAFETY: inside a call; the buffer is the client's, and no other reference to it is in use.
        unsafe { output_of(server, id).as_mut() }.map(|out| out.extend_from_slice(bytes)).is_some()
    });
    sent.count()
}

unsafe extern "C" fn session_of(server: *mut c_void, client: u64) -> *mut u8 {
    // SAFETY: inside a call.
    let host = unsafe { host(server) };
    host.bring(client);
    host.clients.get(&client).map_or(core::ptr::null_mut(), |c| c.session)
}

unsafe extern "C" fn client_info(server: *mut c_void, id: u64, info: *mut ClientInfo) -> bool {
    // SAFETY: inside a call.
    let host = unsafe { host(server) };
    let Some(client) = host.clients.get(&id) else { return false };
    let peer_ip = match client.peer.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    // SAFETY: built with the same crate, so there is room for the whole struct.
    unsafe {
        *info = ClientInfo {
            id,
            peer_ip: peer_ip.octets(),
            peer_port: u32::from(client.peer.port()),
            blocked: u32::from(client.blocked),
            unread: client.unread.len as u64,
            unsent: client.out.len as u64,
            idle_ms: host.clock.unix_ms - client.heard_ms,
            connected_ms: client.connected_ms,
            ..*info
        };
    }
    true
}

unsafe extern "C" fn client_after(server: *mut c_void, after: u64) -> u64 {
    // SAFETY: inside a call.
    let clients = &unsafe { host(server) }.clients;
    let Some(first) = after.checked_add(1) else { return 0 };
    clients.range(first..).next().map_or(0, |(&id, _)| id)
}

unsafe extern "C" fn close(server: *mut c_void, client: u64) -> bool {
    // SAFETY: inside a call.
    let host = unsafe { host(server) };
    let known = host.clients.contains_key(&client);
    if known {
        host.closing.push(client);
    }
    known
}

unsafe extern "C" fn resume(server: *mut c_void, client: u64) -> bool {
    // SAFETY: inside a call.
    let host = unsafe { host(server) };
    let blocked = host.clients.get(&client).is_some_and(|c| c.blocked);
    if blocked {
        host.resuming.push_back(client);
    }
    blocked
}

unsafe extern "C" fn config(
    server: *mut c_void,
    key: *const u8,
    key_len: usize,
    value_len: *mut usize,
) -> *const u8 {
    // SAFETY: inside a call; the key is valid for it, and there is room for the length.
    unsafe {
        match host(server).config.get(&*text(key, key_len)) {
            Some(value) => {
                *value_len = value.len();
                value.as_ptr()
            }
            None => core::ptr::null(),
        }
    }
}

unsafe extern "C" fn count(server: *mut c_void, name: *const u8, len: usize, by: u64) {
    // SAFETY: inside a call; the text is valid for it.
    let (host, name) = unsafe { (host(server), text(name, len)) };
    *host.counters.entry(name.into_owned()).or_default() += by;
}

unsafe extern "C" fn server_info(server: *mut c_void, info: *mut ServerInfo) {
    // SAFETY: inside a call; built with the same crate, so there is room for the whole struct.
    unsafe {
        let host = host(server);
        *info = ServerInfo {
            pid: std::process::id(),
            port: 6380,
            generation: host.generation,
            started_ms: host.started_ms,
            clients: host.clients.len() as u64,
            connections: host.connections,
            calls: host.calls,
            state_bytes: host.state_bytes,
            bytes_in: host.bytes_in,
            max_clients: 10_000,
            swaps: host.generation - 1,
            state_bytes_peak: host.state_bytes,
            ..*info
        };
    }
}

unsafe extern "C" fn stop(server: *mut c_void) {
    // SAFETY: inside a call.
    unsafe { host(server) }.stopping = true;
}
