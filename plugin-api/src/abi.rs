//! The boundary: every struct and function that crosses between the shell and a plugin image.
//!
//! C ABI only. Tables that the shell owns are size-headed, so that a newer shell serves older plugins
//! and the other way round; the plugin's table is checked field by field with abi_stable. The bracket
//! before each function tells who may call it and when:
//!
//! * `[engine]`: the engine thread of the server, only from inside a call of that server;
//! * `[loader]`: a thread of the loader, before the generation is known to any engine;
//! * `[any]`: any thread of the shell.
//!
//! The version rule: **`ABI_VERSION` rises when an existing plugin would misread the shell or the shell
//! an existing plugin. Fields appended to size-headed structs and new extension tables do not raise
//! it.** The history is in `docs/ABI.md`; the shapes are kept in a golden file that a test compares.

use core::ffi::c_void;

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::AbiInstability;
use abi_stable::library::AbiHeader;
use abi_stable::type_layout::TypeLayout;

use crate::durability::Durability;
use crate::heap::HeapTable;
use crate::size_headed::size_headed;

size_headed!(Call, ClientInfo, ServerInfo, HostTable);

/// First eight bytes of every [`Entry`].
pub const MAGIC: u64 = u64::from_le_bytes(*b"hotshell");

/// The boundary's version. See the rule above.
pub const ABI_VERSION: u32 = 1;

/// What the symbol's name starts with; the crate's name follows: `hotshell_plugin_kv_v1`.
pub const SYMBOL_PREFIX: &str = "hotshell_plugin_";

/// The one thing a plugin exports.
///
/// The first four fields never move, in any ABI version: a shell reads them before it believes the
/// rest exists.
#[repr(C)]
pub struct Entry {
    /// [`MAGIC`].
    pub magic: u64,
    /// The [`ABI_VERSION`] the plugin was built with.
    pub abi_version: u32,
    /// Bytes of this struct.
    pub size: u32,
    /// Equal to the note's, so that note and code are known to belong together.
    pub build_id: u64,
    /// The abi_stable version that wrote `layout`.
    pub sabi_header: AbiHeader,
    /// Layout of [`PluginTable`] as the plugin sees it.
    pub layout: &'static TypeLayout,
    /// The plugin's functions.
    pub table: &'static PluginTable,
}

/// Re-exported for the loader: the error type of the layout check.
pub type LayoutErrors = Vec<AbiInstability>;

/// A growable byte buffer in the state heap, shared by shell and plugin: a client's unread input and
/// unsent output, and texts that a plugin hands back.
#[repr(C)]
#[derive(Debug, StableAbi)]
pub struct Buffer {
    /// First byte; dangling while `cap` is 0.
    pub ptr: *mut u8,
    /// Bytes in use.
    pub len: usize,
    /// Bytes allocated.
    pub cap: usize,
}

/// How a call of the plugin ended, as it crosses the boundary.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, StableAbi)]
pub struct Outcome {
    /// One of the `OUTCOME_*` numbers.
    pub code: u32,
    /// Reserved, zero.
    pub reserved: u32,
    /// Bytes of unread input that are consumed, for [`OUTCOME_DONE`].
    pub consumed: u64,
}

/// The request was executed; `consumed` bytes leave the input.
pub const OUTCOME_DONE: u32 = 0;
/// The input does not hold a whole request yet.
pub const OUTCOME_NEED_MORE: u32 = 1;
/// The client waits until [`HostTable::resume`] is called for it.
pub const OUTCOME_BLOCKED: u32 = 2;
/// Send what is written, then close.
pub const OUTCOME_CLOSE: u32 = 3;
/// Going up was refused; the reason is in [`Call::message`].
pub const OUTCOME_REFUSED: u32 = 4;
/// The plugin panicked; the payload's text is in [`Call::message`].
pub const OUTCOME_PANICKED: u32 = 5;

/// `Call::begun` while the call has announced no effect.
pub const NOT_BEGUN: u64 = u64::MAX;
/// "No wake-up": the value of a wake-up time that nobody asked for.
pub const NO_WAKE: u64 = u64::MAX;

/// Everything the shell tells a plugin about one call, and what it hears back. Size-headed; owned by
/// the shell, valid until the call returns.
#[repr(C)]
#[derive(Debug)]
pub struct Call {
    /// Bytes of this struct that the shell filled in.
    pub size: u32,
    /// Replies that the plugin marked as failed during this call. Out.
    pub failed: u32,
    /// The client served, 0 in calls that serve none.
    pub client: u64,
    /// The shell's server, opaque; first argument of the host's functions.
    pub server: *mut c_void,
    /// The state root. Null only in `init`.
    pub state: *mut u8,
    /// The client's session; null in calls that serve no client.
    pub session: *mut u8,
    /// Where replies to this client (or to the admin, in `command`) are written.
    pub out: *mut Buffer,
    /// Unread input, first byte. The shell owns it and does not touch it during the call.
    pub input: *const u8,
    /// Unread input, bytes.
    pub input_len: usize,
    /// Bytes of input whose request has begun to have effects, [`NOT_BEGUN`] before. Out.
    pub begun: u64,
    /// Do not call `data` again before this many bytes are unread. A hint. Out.
    pub need: u64,
    /// Wall clock at the start of the call, milliseconds since the Unix epoch.
    pub unix_ms: u64,
    /// Monotonic clock at the start of the call, nanoseconds.
    pub monotonic_ns: u64,
    /// When `tick` is wanted next, in the terms of `unix_ms`; [`NO_WAKE`] for never. Out.
    pub wake_at_ms: u64,
    /// Text that a refusal or a panic leaves behind. Out.
    pub message: *mut Buffer,
}

/// What the shell knows about a client. Size-headed.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ClientInfo {
    /// Bytes of this struct that the caller has room for; the shell fills no more.
    pub size: u32,
    /// 0: the client connected to us. 1: reserved for connections that a plugin opens.
    pub direction: u32,
    /// The client's id: unique per server, never reused.
    pub id: u64,
    /// IP address: IPv4 as IPv4-mapped IPv6.
    pub peer_ip: [u8; 16],
    /// TCP port.
    pub peer_port: u32,
    /// 1 while the client waits for `resume`.
    pub blocked: u32,
    /// Unread input in bytes.
    pub unread: u64,
    /// Unsent output in bytes.
    pub unsent: u64,
    /// Milliseconds since the last byte arrived.
    pub idle_ms: u64,
    /// When it connected, milliseconds since the Unix epoch.
    pub connected_ms: u64,
}

/// What the shell knows about itself and this server. Size-headed.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ServerInfo {
    /// Bytes of this struct that the caller has room for; the shell fills no more.
    pub size: u32,
    /// The process id.
    pub pid: u32,
    /// TCP port of the listener.
    pub port: u32,
    /// Reserved, zero.
    pub reserved: u32,
    /// The active generation.
    pub generation: u64,
    /// When the server started, milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// Connected clients.
    pub clients: u64,
    /// Connections accepted since the start.
    pub connections: u64,
    /// Connections turned away at the limit.
    pub rejected: u64,
    /// Calls of `data` and `resume` since the start.
    pub calls: u64,
    /// Bytes of state, as allocated from the state heap.
    pub state_bytes: u64,
    /// Bytes read from clients.
    pub bytes_in: u64,
    /// Bytes sent to clients.
    pub bytes_out: u64,
    /// Most clients the server takes.
    pub max_clients: u64,
    /// Swaps since the start, rollbacks included.
    pub swaps: u64,
    /// Most bytes of state ever held.
    pub state_bytes_peak: u64,
}

/// The shell's services. Size-headed: a plugin must not read past `size`.
///
/// No function here calls back into the plugin: closes, wake-ups and disconnects queue until the call
/// returns. `server` is always [`Call::server`].
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct HostTable {
    /// [`MAGIC`].
    pub magic: u64,
    /// The shell's [`ABI_VERSION`].
    pub abi_version: u32,
    /// Bytes of this struct that the shell filled in.
    pub size: u32,
    /// A number that differs between builds of the shell.
    pub build_id: u64,
    /// The state heap.
    pub heap: *const HeapTable,
    /// `[any]` Logs one line of UTF-8 text at a level: 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    pub log: unsafe extern "C" fn(level: u32, text: *const u8, len: usize),
    /// `[any]` Whether lines of this level go anywhere.
    pub log_enabled: unsafe extern "C" fn(level: u32) -> bool,
    /// `[any]` Wall clock now, milliseconds since the Unix epoch.
    pub unix_ms: unsafe extern "C" fn() -> u64,
    /// `[any]` Monotonic clock now, nanoseconds.
    pub monotonic_ns: unsafe extern "C" fn() -> u64,
    /// `[any]` 64 unpredictable bits.
    pub random: unsafe extern "C" fn() -> u64,
    /// `[engine]` The output buffer of a client, null when there is no such client. Valid until the
    /// call returns; what is written is sent after it.
    pub output_of: unsafe extern "C" fn(server: *mut c_void, client: u64) -> *mut Buffer,
    /// `[engine]` Appends the same bytes to the output of many clients. Answers how many were there.
    pub send_many: unsafe extern "C" fn(
        server: *mut c_void,
        clients: *const u64,
        count: usize,
        bytes: *const u8,
        len: usize,
    ) -> usize,
    /// `[engine]` The session of a client, null when there is no such client.
    pub session_of: unsafe extern "C" fn(server: *mut c_void, client: u64) -> *mut u8,
    /// `[engine]` Fills `info` about a client; false when there is no such client.
    pub client_info:
        unsafe extern "C" fn(server: *mut c_void, client: u64, info: *mut ClientInfo) -> bool,
    /// `[engine]` The lowest client id above `after`, 0 at the end.
    pub client_after: unsafe extern "C" fn(server: *mut c_void, after: u64) -> u64,
    /// `[engine]` Closes a client after its output was sent; false when there is no such client.
    pub close: unsafe extern "C" fn(server: *mut c_void, client: u64) -> bool,
    /// `[engine]` Lets a blocked client go on after this call; false when it is not blocked.
    pub resume: unsafe extern "C" fn(server: *mut c_void, client: u64) -> bool,
    /// `[engine]` The configured text of a key, null when it is not set. Valid until the call returns.
    pub config: unsafe extern "C" fn(
        server: *mut c_void,
        key: *const u8,
        key_len: usize,
        value_len: *mut usize,
    ) -> *const u8,
    /// `[engine]` Adds to a named counter of this server, shown by `status` and the metrics.
    pub count: unsafe extern "C" fn(server: *mut c_void, name: *const u8, len: usize, by: u64),
    /// `[engine]` Fills `info` about the server.
    pub server_info: unsafe extern "C" fn(server: *mut c_void, info: *mut ServerInfo),
    /// `[engine]` Asks the shell for a graceful stop of the whole process, as SIGTERM does.
    pub stop: unsafe extern "C" fn(server: *mut c_void),
    /// `[engine]` Adds a record to the journal; all records of one call become durable together, or
    /// none does. False when the server keeps no journal. No bytes ask just that. Absent in shells
    /// whose table ends before it.
    pub journal: unsafe extern "C" fn(server: *mut c_void, record: *const u8, len: usize) -> bool,
    /// `[engine]` Forgets what is set aside of entries of maps: what an older or newer version could
    /// hold and this one cannot. Absent in shells whose table ends before it.
    pub forget_entries: unsafe extern "C" fn(server: *mut c_void),
    /// `[engine]` Fills `told` about how the data are kept. This and what follows: absent in shells
    /// whose table ends before it.
    pub durability: unsafe extern "C" fn(server: *mut c_void, told: *mut Durability),
    /// `[engine]` Asks for a snapshot, and for a resume of the blocked `client` when it has ended; 0 for
    /// nobody. False when the server keeps no data.
    pub snapshot: unsafe extern "C" fn(server: *mut c_void, client: u64) -> bool,
    /// `[engine]` Sets a key of the configuration at run time; one of the `SET_*` numbers of
    /// [`durability`](crate::durability).
    pub set: unsafe extern "C" fn(
        server: *mut c_void,
        key: *const u8,
        key_len: usize,
        value: *const u8,
        value_len: usize,
    ) -> u32,
    /// `[engine]` [`HostTable::stop`], with or without a last snapshot.
    pub stop_saving: unsafe extern "C" fn(server: *mut c_void, save: bool),
    /// `[engine]` [`HostTable::set`], and resumes the blocked `client` when that is on disk, or was taken
    /// back because the disk did not take it.
    pub set_for: unsafe extern "C" fn(
        server: *mut c_void,
        client: u64,
        key: *const u8,
        key_len: usize,
        value: *const u8,
        value_len: usize,
    ) -> u32,
}

/// The plugin's functions, checked field by field against the shell's view before any is called.
///
/// Each catches its own panics; none unwinds. Later functions arrive as extension tables.
#[repr(C)]
#[derive(Debug, Clone, Copy, StableAbi)]
pub struct PluginTable {
    /// `[loader]` Hands the image the shell's table, once, before anything else.
    pub attach: unsafe extern "C" fn(host: *const HostTable) -> Outcome,
    /// `[loader]` Appends the encoded schema to `out`.
    pub schema: unsafe extern "C" fn(out: *mut Buffer) -> Outcome,
    /// `[engine]` Makes a fresh state root in the state heap and stores its address in `*root`.
    pub init: unsafe extern "C" fn(call: *mut Call, root: *mut *mut u8) -> Outcome,
    /// `[engine]` A client connected: writes a session into the raw memory at [`Call::session`].
    pub connect: unsafe extern "C" fn(call: *mut Call) -> Outcome,
    /// `[engine]` Executes at most one request.
    pub data: unsafe extern "C" fn(call: *mut Call) -> Outcome,
    /// `[engine]` Continues a client that was blocked.
    pub resume: unsafe extern "C" fn(call: *mut Call) -> Outcome,
    /// `[engine]` A client is gone: last look at its session, whose content is dropped.
    pub disconnect: unsafe extern "C" fn(call: *mut Call) -> Outcome,
    /// `[engine]` The time asked for has come, or the generation was just switched to.
    pub tick: unsafe extern "C" fn(call: *mut Call) -> Outcome,
    /// `[engine]` Looks at the state and may refuse. Must not change what clients see.
    pub self_test: unsafe extern "C" fn(call: *mut Call) -> Outcome,
    /// `[engine]` Writes the protocol's error for a request that panicked.
    pub panicked: unsafe extern "C" fn(call: *mut Call) -> Outcome,
    /// `[engine]` An admin verb of the plugin; the input holds the arguments, each as a little-endian
    /// u32 length and its bytes. The answer is text in [`Call::out`].
    pub command: unsafe extern "C" fn(call: *mut Call) -> Outcome,
    /// `[engine]` Handed-off work is complete. Reserved: no service raises it yet.
    pub event: unsafe extern "C" fn(call: *mut Call, id: u64) -> Outcome,
    /// `[engine]` The server stops. The last call.
    pub shutdown: unsafe extern "C" fn(call: *mut Call) -> Outcome,
    /// `[engine]` Drops the state root at [`Call::state`] and frees its memory.
    pub drop_state: unsafe extern "C" fn(call: *mut Call) -> Outcome,
    /// `[loader]` An extension table by name (UTF-8), null when the plugin has no such extension.
    pub extension: unsafe extern "C" fn(name: *const u8, len: usize) -> *const c_void,
}

impl Outcome {
    /// An outcome that consumes nothing.
    pub const fn of(code: u32) -> Self {
        Self { code, reserved: 0, consumed: 0 }
    }
}
