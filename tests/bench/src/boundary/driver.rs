//! Calls a plugin's `data` in a loop, as an engine does, without sockets.

use std::alloc::Layout;
use std::ptr::NonNull;

use anyhow::{Result, ensure};
use hotshell::loader::vet_host_table;
use hotshell_plugin_api::abi::{
    Buffer, Call, HostTable, NO_WAKE, NOT_BEGUN, OUTCOME_DONE, Outcome, PluginTable,
};
use hotshell_plugin_api::plugin::Plugin;
use hotshell_plugin_api::{export, heap};

use super::loaded::Loaded;

/// The plugin that is measured.
pub type Kv = kv_v1::Kv;

/// Its functions as the compiler sees them: calls through a constant are direct.
const STATIC: PluginTable = export::table::<Kv>();

/// A state and one client of a plugin.
#[derive(Debug)]
pub struct Driver {
    call: Box<Call>,
    out: Box<Buffer>,
    _message: Box<Buffer>,
}

/// The services of a host without clients, with the real heap.
pub fn host_table() -> &'static HostTable {
    let table = HostTable { heap: &hotshell::heap::HEAP, ..*vet_host_table() };
    Box::leak(Box::new(table))
}

impl Driver {
    /// A state and a client of the plugin that is linked into this program.
    pub fn linked() -> Result<Self> {
        // SAFETY: the table is this program's own, and the host's table lives as long as it.
        unsafe { (STATIC.attach)(host_table()) };
        // The plugin's hook speaks to a log that nobody reads.
        drop(std::panic::take_hook());
        Self::new(&STATIC, Layout::new::<<Kv as Plugin>::Session>())
    }

    /// A state and a client of a plugin that was loaded.
    pub fn loaded(plugin: &Loaded) -> Result<Self> {
        Self::new(&plugin.table, plugin.session)
    }

    fn new(table: &PluginTable, session: Layout) -> Result<Self> {
        hotshell::heap::install();
        let (mut out, mut message) = (Box::new(Buffer::new()), Box::new(Buffer::new()));
        let session: NonNull<u8> = heap::alloc(session);
        let mut call = Box::new(Call {
            size: size_of::<Call>() as u32,
            failed: 0,
            client: 1,
            server: std::ptr::null_mut(),
            state: std::ptr::null_mut(),
            session: session.as_ptr(),
            out: &raw mut *out,
            input: std::ptr::dangling(),
            input_len: 0,
            begun: NOT_BEGUN,
            need: 0,
            unix_ms: 1_700_000_000_000,
            monotonic_ns: 1,
            wake_at_ms: NO_WAKE,
            message: &raw mut *message,
        });
        let mut root = std::ptr::null_mut();
        // SAFETY: the call's pointers are valid; the session is raw memory of its layout.
        let outcomes = unsafe {
            let up = (table.init)(&raw mut *call, &raw mut root);
            call.state = root;
            [up, (table.connect)(&raw mut *call)]
        };
        ensure!(
            outcomes.iter().all(|outcome| outcome.code == OUTCOME_DONE),
            "the plugin does not go up: {}",
            String::from_utf8_lossy(message.as_slice())
        );
        Ok(Self { call, out, _message: message })
    }

    /// Executes `count` requests, going round, with calls that the compiler sees through.
    #[inline(never)]
    pub fn run_linked(&mut self, requests: &[Vec<u8>], count: u64) -> u64 {
        // SAFETY: the state was made by this very plugin, and the call is valid.
        self.run(requests, count, |call| unsafe { (STATIC.data)(call) })
    }

    /// Executes `count` requests, going round, through the plugin's table.
    #[inline(never)]
    pub fn run_loaded(&mut self, plugin: &Loaded, requests: &[Vec<u8>], count: u64) -> u64 {
        let data = plugin.table.data;
        // SAFETY: the state was made by this very plugin, whose image is mapped; the call is valid.
        self.run(requests, count, |call| unsafe { data(call) })
    }

    /// Answers the bytes of all replies.
    #[inline(always)]
    fn run(
        &mut self,
        requests: &[Vec<u8>],
        count: u64,
        data: impl Fn(*mut Call) -> Outcome,
    ) -> u64 {
        let mut replied = 0;
        for request in requests.iter().cycle().take(count as usize) {
            self.call.input = request.as_ptr();
            self.call.input_len = request.len();
            self.call.begun = NOT_BEGUN;
            self.call.need = 0;
            let outcome = data(&raw mut *self.call);
            assert_eq!(outcome.consumed, request.len() as u64, "a whole request is executed");
            replied += self.out.len as u64;
            self.out.truncate(0);
        }
        replied
    }
}
