//! What a call sees: the state, the session, the output, and the shell's services.
//!
//! The parts are public fields, so that an author can borrow state, session and output side by side.

use core::marker::PhantomData;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::abi::{Call, ClientInfo, HostTable, NO_WAKE, ServerInfo};
use crate::buffer::Out;
use crate::plugin::Plugin;

/// Id of a client: unique per server, never reused, also not by a restart with data.
pub type ClientId = u64;

/// A call that serves one client.
#[derive(Debug)]
pub struct Ctx<'a, P: Plugin> {
    /// The server's state.
    pub state: &'a mut P::State,
    /// This client's session.
    pub session: &'a mut P::Session,
    /// This client's output.
    pub out: Out<'a>,
    /// The shell's services.
    pub shell: Shell<'a, P>,
}

/// A call that serves no client: `tick`, `self_test`, `event`, `shutdown`.
#[derive(Debug)]
pub struct ServerCtx<'a, P: Plugin> {
    /// The server's state.
    pub state: &'a mut P::State,
    /// The shell's services.
    pub shell: Shell<'a, P>,
}

/// A call that serves the admin.
#[derive(Debug)]
pub struct CommandCtx<'a, P: Plugin> {
    /// The server's state.
    pub state: &'a mut P::State,
    /// The answer to the admin: lines of text.
    pub out: Out<'a>,
    /// The shell's services.
    pub shell: Shell<'a, P>,
}

/// What `init` sees: there is no state and no client yet.
#[derive(Debug)]
pub struct InitCtx<'a> {
    call: &'a mut Call,
}

/// The shell's services, for the length of one call.
#[derive(Debug)]
pub struct Shell<'a, P: Plugin> {
    call: &'a mut Call,
    plugin: PhantomData<fn() -> P>,
}

/// Severity of a log line.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something is broken.
    Error = 1,
    /// Something is odd.
    Warn = 2,
    /// Something an admin wants to know.
    Info = 3,
    /// For the author.
    Debug = 4,
    /// For the author, a lot.
    Trace = 5,
}

static HOST: AtomicPtr<HostTable> = AtomicPtr::new(core::ptr::null_mut());

/// Remembers the shell's table for this image.
pub(crate) fn attach(host: *const HostTable) {
    HOST.store(host.cast_mut(), Ordering::Release);
}

/// The shell's table. A `Call` exists only after `attach`, so the pointer is set.
#[inline(always)]
pub(crate) fn host() -> &'static HostTable {
    // SAFETY: the shell attaches its table, which lives as long as the process, before any call.
    unsafe { &*HOST.load(Ordering::Acquire) }
}

/// The shell's table, if there is a shell: for the panic hook, which may run before `attach`.
pub(crate) fn try_host() -> Option<&'static HostTable> {
    // SAFETY: null or a table that lives as long as the process.
    unsafe { HOST.load(Ordering::Acquire).as_ref() }
}

impl<P: Plugin> Ctx<'_, P> {
    /// Announces that the request in the first `n` bytes of `unread` begins to have effects. Call it
    /// before the first change to state, session or output. A panic after it costs this request only.
    #[inline(always)]
    pub fn begin(&mut self, n: usize) {
        self.shell.begin(n);
    }

    /// This client's id.
    #[inline]
    pub fn client(&self) -> ClientId {
        self.shell.call.client
    }
}

impl InitCtx<'_> {
    pub(crate) fn new(call: &mut Call) -> InitCtx<'_> {
        InitCtx { call }
    }

    /// The text that the server's configuration has for this plugin under a key (`[server.NAME.config]`, or
    /// `[config]` of a file without such tables), if it has one.
    pub fn config(&self, key: &str) -> Option<&str> {
        config(self.call, key)
    }

    /// Wall clock, milliseconds since the Unix epoch.
    pub fn unix_ms(&self) -> u64 {
        self.call.unix_ms
    }

    /// 64 unpredictable bits.
    pub fn random(&mut self) -> u64 {
        // SAFETY: `[any]`, takes nothing.
        unsafe { (host().random)() }
    }

    /// Asks for a `tick` at this time; see [`Shell::wake_at`].
    pub fn wake_at(&mut self, unix_ms: u64) {
        self.call.wake_at_ms = self.call.wake_at_ms.min(unix_ms);
    }

    /// Logs one line.
    pub fn log(&self, level: Level, text: &str) {
        log(level, text);
    }
}

impl<'a, P: Plugin> Shell<'a, P> {
    pub(crate) fn new(call: &'a mut Call) -> Self {
        Self { call, plugin: PhantomData }
    }

    pub(crate) const fn call(&self) -> &Call {
        self.call
    }

    /// See [`Ctx::begin`].
    #[inline(always)]
    pub fn begin(&mut self, n: usize) {
        self.call.begun = n as u64;
    }

    /// Says that `data` need not be called again before `n` bytes are unread: spares the plugin from
    /// looking at the front of a large request each time some more of it arrives. A hint.
    #[inline]
    pub fn need(&mut self, n: usize) {
        self.call.need = n as u64;
    }

    /// Marks the reply just written as failed by this version's fault, not the client's.
    #[inline]
    pub fn failed(&mut self) {
        self.call.failed += 1;
    }

    /// Wall clock at the start of the call, milliseconds since the Unix epoch. O(1), no system call.
    #[inline]
    pub fn unix_ms(&self) -> u64 {
        self.call.unix_ms
    }

    /// Monotonic clock at the start of the call, nanoseconds. O(1), no system call.
    #[inline]
    pub fn monotonic_ns(&self) -> u64 {
        self.call.monotonic_ns
    }

    /// Monotonic clock now, nanoseconds: for measuring inside one call.
    pub fn monotonic_ns_now(&self) -> u64 {
        // SAFETY: `[any]`, takes nothing.
        unsafe { (host().monotonic_ns)() }
    }

    /// 64 unpredictable bits.
    #[inline]
    pub fn random(&mut self) -> u64 {
        // SAFETY: `[any]`, takes nothing.
        unsafe { (host().random)() }
    }

    /// Logs one line. Costs nothing when the level is off.
    pub fn log(&self, level: Level, text: &str) {
        log(level, text);
    }

    /// Asks for [`Plugin::tick`] at a time, in milliseconds since the Unix epoch; a time in the past
    /// means as soon as the clients that are ready have been served. The earliest ask counts, and all
    /// are forgotten when `tick` is called. Precise to about a millisecond.
    #[inline]
    pub fn wake_at(&mut self, unix_ms: u64) {
        self.call.wake_at_ms = self.call.wake_at_ms.min(unix_ms);
    }

    /// The time asked for with [`Shell::wake_at`], if any.
    #[inline]
    pub fn next_wake(&self) -> Option<u64> {
        (self.call.wake_at_ms != NO_WAKE).then_some(self.call.wake_at_ms)
    }

    /// Appends bytes to the output of any client. `false` when there is no such client. O(bytes).
    #[inline]
    pub fn send(&mut self, client: ClientId, bytes: &[u8]) -> bool {
        match self.out_of(client) {
            Some(mut out) => {
                out.put(bytes);
                true
            }
            None => false,
        }
    }

    /// The output of another client; `None` when there is no such client, or when it is the one this
    /// call serves (that one is `ctx.out`).
    pub fn out_of(&mut self, client: ClientId) -> Option<Out<'_>> {
        if client == self.call.client {
            return None;
        }
        // SAFETY: `[engine]`, and we are inside a call of this server.
        let buffer = unsafe { (host().output_of)(self.call.server, client) };
        // SAFETY: valid until the call returns; not our own client's, so nobody else refers to it, and
        // `self` stays borrowed while the writer lives.
        unsafe { buffer.as_mut() }.map(Out::new)
    }

    /// Appends the same bytes to the output of many clients; answers how many there were. O(clients *
    /// bytes). The client of this call may be among them.
    pub fn send_many(&mut self, clients: &[ClientId], bytes: &[u8]) -> usize {
        let (ids, count) = (clients.as_ptr(), clients.len());
        // SAFETY: `[engine]`; both slices are valid for the call.
        unsafe { (host().send_many)(self.call.server, ids, count, bytes.as_ptr(), bytes.len()) }
    }

    /// The session of another client; `None` when there is no such client, or when it is the one this
    /// call serves (that one is `ctx.session`).
    pub fn session_of(&mut self, client: ClientId) -> Option<&mut P::Session> {
        if client == self.call.client {
            return None;
        }
        // SAFETY: `[engine]`, and we are inside a call of this server.
        let session = unsafe { (host().session_of)(self.call.server, client) };
        // SAFETY: every session of the server has the active generation's type; this one is not the
        // session of the call, and `self` stays borrowed while the reference lives.
        unsafe { session.cast::<P::Session>().as_mut() }
    }

    /// What the shell knows about a client; `None` when there is no such client.
    pub fn client_info(&self, client: ClientId) -> Option<ClientInfo> {
        let mut info = ClientInfo { size: size_of::<ClientInfo>() as u32, ..EMPTY_CLIENT };
        // SAFETY: `[engine]`; `info` says how much room it has.
        let found = unsafe { (host().client_info)(self.call.server, client, &mut info) };
        found.then_some(info)
    }

    /// All clients, by ascending id. O(log clients) per step.
    pub fn clients(&self) -> Clients<'_> {
        Clients { shell: self.call, last: 0 }
    }

    /// Closes a client when its output was sent; `false` when there is no such client.
    pub fn close(&mut self, client: ClientId) -> bool {
        // SAFETY: `[engine]`; the close happens after the call.
        unsafe { (host().close)(self.call.server, client) }
    }

    /// Lets a client that answered `Blocked` go on, after this call. `false` when it is not blocked.
    pub fn resume(&mut self, client: ClientId) -> bool {
        // SAFETY: `[engine]`; the client goes on after the call.
        unsafe { (host().resume)(self.call.server, client) }
    }

    /// The text that the server's configuration has for this plugin under a key (`[server.NAME.config]`, or
    /// `[config]` of a file without such tables), if it has one.
    pub fn config(&self, key: &str) -> Option<&str> {
        config(self.call, key)
    }

    /// Adds to a counter of this server, which `status` and the metrics show under this name.
    pub fn count(&mut self, name: &str, by: u64) {
        // SAFETY: `[engine]`; the text is valid for the call.
        unsafe { (host().count)(self.call.server, name.as_ptr(), name.len(), by) }
    }

    /// What the shell knows about itself and this server.
    pub fn server_info(&self) -> ServerInfo {
        let mut info = ServerInfo { size: size_of::<ServerInfo>() as u32, ..EMPTY_SERVER };
        // SAFETY: `[engine]`; `info` says how much room it has.
        unsafe { (host().server_info)(self.call.server, &mut info) };
        info
    }

    /// Whether records go anywhere: the server keeps a journal, and is not reading it back.
    #[inline]
    pub fn journals(&self) -> bool {
        journal(self.call, &[])
    }

    /// Hands the shell the record of a change, which [`Plugin::replay`] gets back after a crash.
    ///
    /// A record must say all that the change depends on: times absolute, random choices resolved. The
    /// records of one call are one atomic frame; a call that panics leaves none. Under
    /// `fsync = "always"` nothing that this call or a later one writes to clients is sent before they
    /// are durable. O(bytes), no system call.
    #[inline]
    pub fn journal(&mut self, record: &[u8]) {
        if !record.is_empty() {
            journal(self.call, record);
        }
    }

    /// Forgets what other versions have set aside of entries of maps and elements of lists: for a request
    /// that clears everything, after it has. Without it they would be back with their version. O(parts).
    /// Not taken back when the call panics.
    pub fn forget_entries(&mut self) {
        let host = host();
        if (host.size as usize) > core::mem::offset_of!(HostTable, forget_entries) {
            // SAFETY: `[engine]`, in a shell that has the function.
            unsafe { (host.forget_entries)(self.call.server) }
        }
    }

    /// Asks the shell for a graceful stop of the whole process, as SIGTERM does.
    pub fn stop(&mut self) {
        // SAFETY: `[engine]`; the stop happens after the call.
        unsafe { (host().stop)(self.call.server) }
    }
}

impl ClientInfo {
    /// The client's address.
    pub fn peer(&self) -> SocketAddr {
        let ip = Ipv6Addr::from(self.peer_ip);
        let ip = ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4);
        SocketAddr::new(ip, self.peer_port as u16)
    }
}

const EMPTY_CLIENT: ClientInfo = ClientInfo {
    size: 0,
    direction: 0,
    id: 0,
    peer_ip: [0; 16],
    peer_port: 0,
    blocked: 0,
    unread: 0,
    unsent: 0,
    idle_ms: 0,
    connected_ms: 0,
};

const EMPTY_SERVER: ServerInfo = ServerInfo {
    size: 0,
    pid: 0,
    port: 0,
    reserved: 0,
    generation: 0,
    started_ms: 0,
    clients: 0,
    connections: 0,
    rejected: 0,
    calls: 0,
    state_bytes: 0,
    bytes_in: 0,
    bytes_out: 0,
    max_clients: 0,
    swaps: 0,
    state_bytes_peak: 0,
};

/// Iterator over all clients. See [`Shell::clients`].
#[derive(Debug)]
pub struct Clients<'a> {
    shell: &'a Call,
    last: ClientId,
}

impl Iterator for Clients<'_> {
    type Item = ClientId;

    fn next(&mut self) -> Option<ClientId> {
        // SAFETY: `[engine]`, and we are inside a call of this server.
        let next = unsafe { (host().client_after)(self.shell.server, self.last) };
        self.last = if next == 0 { u64::MAX } else { next };
        (next != 0).then_some(next)
    }
}

#[inline(always)]
fn journal(call: &Call, record: &[u8]) -> bool {
    let host = host();
    if (host.size as usize) <= core::mem::offset_of!(HostTable, journal) {
        return false;
    }
    // SAFETY: `[engine]`, in a shell that has the function; the record is valid for the call.
    unsafe { (host.journal)(call.server, record.as_ptr(), record.len()) }
}

fn log(level: Level, text: &str) {
    // SAFETY: `[any]`; the text is valid for the call.
    unsafe { (host().log)(level as u32, text.as_ptr(), text.len()) }
}

fn config<'a>(call: &'a Call, key: &str) -> Option<&'a str> {
    let mut len = 0;
    // SAFETY: `[engine]`; the key is valid for the call.
    let value = unsafe { (host().config)(call.server, key.as_ptr(), key.len(), &mut len) };
    if value.is_null() {
        return None;
    }
    // SAFETY: the shell keeps the text alive until the call returns, and `call` does not outlive it.
    let bytes = unsafe { core::slice::from_raw_parts(value, len) };
    core::str::from_utf8(bytes).ok()
}
