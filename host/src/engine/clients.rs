//! The clients of a server: who they are, what they sent and nobody read, what waits to be sent.

use core::alloc::Layout;
use core::ptr::NonNull;

use abi_stable::StableAbi;
use hotshell_plugin_api::abi::Buffer;
use hotshell_plugin_api::collections::Vec;
use hotshell_plugin_api::heap;
use hotshell_plugin_api::migrate::aside::Aside;

/// One connection, as far as it is precious.
#[repr(C)]
#[derive(Debug, StableAbi)]
pub(super) struct Client {
    /// Unique per server, never reused.
    pub id: u64,
    /// Unread input. The first `input_start` bytes are consumed already.
    pub input: Buffer,
    /// See `input`.
    pub input_start: usize,
    /// Unsent output. The first `output_start` bytes are sent already.
    pub output: Buffer,
    /// See `output`.
    pub output_start: usize,
    /// Output may be sent up to here: what comes behind waits for the journal.
    pub sendable: usize,
    /// Bytes that have left the front of `output`, so that a place in it can be named for good.
    pub output_before: u64,
    /// The plugin's session; null when `connect` could not write one.
    pub session: *mut u8,
    /// The layout that the session is in: an index into the server's `layouts`.
    pub layout: u32,
    /// What versions that are not active left behind of the session.
    pub aside: Aside,
    /// Do not call `data` before this many bytes are unread.
    pub need: u64,
    /// IP address of the peer, IPv4 mapped into IPv6.
    pub peer_ip: [u8; 16],
    /// Port of the peer.
    pub peer_port: u32,
    /// 0: it connected to us.
    pub direction: u32,
    /// Milliseconds since the Unix epoch.
    pub connected_ms: u64,
    /// When its last byte arrived, milliseconds since the Unix epoch.
    pub active_ms: u64,
    /// The call that touched `output` last, and the length before: a panic cuts back to it.
    pub touched_call: u64,
    /// See `touched_call`.
    pub touched_len: usize,
    /// It waits for `resume`.
    pub blocked: bool,
    /// Somebody called `resume`; it goes on after the call.
    pub resuming: bool,
    /// Close when the output is sent; no more calls.
    pub closing: bool,
    /// The peer will send no more.
    pub input_ended: bool,
    /// It is in the list of clients with fresh output.
    pub dirty: bool,
    /// `connect` wrote the session, so `disconnect` is owed.
    pub connected: bool,
    /// So much of what was set for it is not on disk: its output waits.
    pub unsettled: u32,
    /// Index of its socket in the engine, which is not precious.
    pub slot: u32,
}

impl Client {
    /// Unread bytes.
    pub(super) fn unread(&self) -> usize {
        self.input.len - self.input_start
    }

    /// Where `output` ends, counted from its first byte ever.
    pub(super) fn output_end(&self) -> u64 {
        self.output_before + self.output.len as u64
    }

    /// Lets output be sent up to a place that [`Client::output_end`] named.
    pub(super) fn release(&mut self, end: u64) {
        // A plugin can shorten its output, by mistake also by what was sent of it.
        self.output_start = self.output_start.min(self.output.len);
        self.sendable = end.saturating_sub(self.output_before) as usize;
        self.sendable = self.sendable.min(self.output.len);
    }

    /// Forgets what was sent, once it is half of the buffer: so a byte is moved once at most while a
    /// large reply goes out in pieces.
    pub(super) fn drop_sent(&mut self) {
        if self.output_start * 2 < self.output.len {
            return;
        }
        self.output_before += self.output_start as u64;
        self.sendable -= self.output_start;
        self.output.consume(self.output_start);
        self.output_start = 0;
    }

    /// Unsent bytes.
    pub(super) fn unsent(&self) -> usize {
        self.output.len.saturating_sub(self.output_start)
    }
}

/// All clients, by ascending id.
///
/// Ids only grow, so a new client goes to the end; one that leaves leaves a gap, and gaps are closed
/// when they outnumber the clients. Lookup O(log n), insert and remove O(1) amortised.
#[repr(C)]
#[derive(Debug, StableAbi)]
pub(super) struct Clients {
    entries: Vec<Entry>,
    live: usize,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, StableAbi)]
struct Entry {
    id: u64,
    /// Null in a gap. Boxed in the state heap: a client never moves while it lives.
    client: *mut Client,
}

impl Clients {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), live: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// Takes a client in and answers its address, which is stable until [`Clients::remove`].
    pub(super) fn insert(&mut self, client: Client) -> NonNull<Client> {
        assert!(self.entries.last().is_none_or(|last| last.id < client.id), "client ids grow");
        let id = client.id;
        let place = heap::alloc(Layout::new::<Client>()).cast::<Client>();
        // SAFETY: fresh memory of the client's layout.
        unsafe { place.write(client) };
        self.entries.push(Entry { id, client: place.as_ptr() });
        self.live += 1;
        place
    }

    /// The client with this id.
    #[inline]
    pub(super) fn find(&self, id: u64) -> Option<NonNull<Client>> {
        let at = self.entries.binary_search_by_key(&id, |entry| entry.id).ok()?;
        NonNull::new(self.entries[at].client)
    }

    /// The client with the lowest id above `id`.
    pub(super) fn after(&self, id: u64) -> Option<NonNull<Client>> {
        let from = self.entries.partition_point(|entry| entry.id <= id);
        self.entries[from..].iter().find_map(|entry| NonNull::new(entry.client))
    }

    /// Frees a client. Its session is the caller's business.
    pub(super) fn remove(&mut self, id: u64) {
        let Ok(at) = self.entries.binary_search_by_key(&id, |entry| entry.id) else { return };
        let Some(client) = NonNull::new(self.entries[at].client) else { return };
        self.entries[at].client = core::ptr::null_mut();
        self.live -= 1;
        // SAFETY: `insert` made the block; the entry that referred to it is gone.
        unsafe {
            client.drop_in_place();
            heap::free(client.cast(), Layout::new::<Client>());
        }
        if self.entries.len() > 64 && self.live < self.entries.len() / 2 {
            self.entries.retain(|entry| !entry.client.is_null());
        }
    }
}
