//! [`TestServer`]: runs a plugin inside a unit test, without a shell and without sockets.
//!
//! The calls go through the plugin's table, as in a shell, and mean the same: one request a call,
//! output cut back when a request panics, resumes and closes after the call, swaps between two calls.
//! The clock stands still until the test moves it, so tests neither sleep nor flicker.

mod call;
mod clock;
mod heap;
mod host;
mod migrate;

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::net::SocketAddr;
use core::ptr::NonNull;
use std::sync::Arc;

use crate::abi::{OUTCOME_DONE, PluginTable};
use crate::ctx::ClientId;
use crate::migrate::change::{Change, Version};
use crate::migrate::lineage::Lineage;
use crate::plugin::{Plugin, Refusal};
use crate::reflect::Owners;
use crate::schema::Schema;
use host::{Client, Host};

/// A server with one plugin, driven by a test.
///
/// ```
/// use hotshell_plugin_api::prelude::*;
/// use hotshell_plugin_api::testing::TestServer;
///
/// struct Lines;
/// impl Plugin for Lines {
///     type State = u64;
///     type Session = ();
///     fn init(_: &mut InitCtx<'_>) -> Result<u64, Refusal> {
///         Ok(0)
///     }
///     fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
///         let Some(end) = unread.iter().position(|&b| b == b'\n') else {
///             return Flow::NeedMore;
///         };
///         ctx.begin(end + 1);
///         *ctx.state += 1;
///         ctx.out.put(format!("line {}\n", ctx.state).as_bytes());
///         Flow::Done(end + 1)
///     }
/// }
///
/// let mut server = TestServer::<Lines>::new();
/// let client = server.connect();
/// server.feed(client, b"one\ntw");
/// assert_eq!(server.read(client), b"line 1\n");
/// server.feed(client, b"o\n");
/// assert_eq!(server.read(client), b"line 2\n");
/// assert_eq!(*server.state(), 2);
/// ```
///
/// A version that is to take over goes through [`TestServer::swap`]. Servers in parallel tests do not
/// see each other; one server stays on the thread that made it.
pub struct TestServer<P: Plugin> {
    host: Box<Host>,
    table: PluginTable,
    version: Version,
    plugin: PhantomData<fn() -> P>,
}

/// A swap that was refused: nothing changed, and here is the server.
pub struct NotSwapped<P: Plugin> {
    /// The server as it was.
    pub server: TestServer<P>,
    /// Why.
    pub refusal: Refusal,
}

// Not derived: that would ask for `P: Debug`, and `expect` for it in turn.
impl<P: Plugin> fmt::Debug for NotSwapped<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotSwapped").field("refusal", &self.refusal).finish_non_exhaustive()
    }
}

impl<P: Plugin> Default for TestServer<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Plugin> fmt::Debug for TestServer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients: Vec<ClientId> = self.host.clients.keys().copied().collect();
        f.debug_struct("TestServer").field("clients", &clients).finish_non_exhaustive()
    }
}

impl<P: Plugin> TestServer<P> {
    /// A server with fresh state and no configuration.
    ///
    /// # Panics
    /// When the plugin's `init` refuses or panics.
    pub fn new() -> Self {
        Self::with_config(&[])
    }

    /// A server with fresh state and these texts for the plugin, as under `[server.NAME.config]`.
    ///
    /// # Panics
    /// When the plugin's `init` refuses or panics.
    pub fn with_config(config: &[(&str, &str)]) -> Self {
        match Self::try_with_config(config) {
            Ok(server) => server,
            Err(refusal) => panic!("the plugin's init failed: {refusal}"),
        }
    }

    /// As [`TestServer::with_config`], for tests of what `init` refuses.
    ///
    /// # Errors
    /// The refusal of `init`, or the text of its panic.
    pub fn try_with_config(config: &[(&str, &str)]) -> Result<Self, Refusal> {
        host::attach();
        let (version, table) = (version::<P>(), crate::export::table::<P>());
        let mut server = Self { host: Host::new(config), table, version, plugin: PhantomData };
        server.host.layouts.push(server.version.schema.fingerprint);
        server.init()?;
        Ok(server)
    }

    /// Connects a client from 127.0.0.1. Ids start at 1 and are never reused.
    pub fn connect(&mut self) -> ClientId {
        let id = self.host.last_client + 1;
        self.connect_from(SocketAddr::from(([127, 0, 0, 1], 50_000 + (id % 10_000) as u16)))
    }

    /// Connects a client from this address.
    ///
    /// # Panics
    /// When the plugin's `connect` panics.
    pub fn connect_from(&mut self, peer: SocketAddr) -> ClientId {
        self.host.last_client += 1;
        let id = self.host.last_client;
        let session = crate::heap::alloc(Layout::new::<P::Session>());
        let client = Client::new(peer, session.as_ptr(), self.host.layout, self.host.clock.unix_ms);
        self.host.clients.insert(id, Box::new(client));
        self.host.connections += 1;
        let ended = self.call_client(self.table.connect, id, &[]);
        assert_eq!(ended.code, OUTCOME_DONE, "connect failed: {}", self.host.message_text());
        self.settle();
        id
    }

    /// Hands the client's bytes to the plugin, request by request, until it has used all it can.
    /// What is due then, also for other clients, happens before this returns.
    ///
    /// # Panics
    /// When there is no such client, or when the plugin breaks a rule of the boundary.
    pub fn feed(&mut self, client: ClientId, bytes: &[u8]) {
        let Some(found) = self.host.clients.get_mut(&client) else {
            panic!("client {client} is not connected");
        };
        found.unread.extend_from_slice(bytes);
        found.heard_ms = self.host.clock.unix_ms;
        self.host.bytes_in += bytes.len() as u64;
        self.host.ready.push_back(client);
        self.settle();
    }

    /// Takes what was sent to the client since the last call; also what a closed client got last.
    pub fn read(&mut self, client: ClientId) -> Vec<u8> {
        if let Some(found) = self.host.clients.get_mut(&client) {
            let bytes = found.out.as_slice().to_vec();
            found.out.truncate(0);
            return bytes;
        }
        self.host.farewells.remove(&client).unwrap_or_default()
    }

    /// [`TestServer::feed`], then [`TestServer::read`].
    pub fn ask(&mut self, client: ClientId, bytes: &[u8]) -> Vec<u8> {
        self.feed(client, bytes);
        self.read(client)
    }

    /// Whether the client is still connected.
    pub fn is_connected(&self, client: ClientId) -> bool {
        self.host.clients.contains_key(&client)
    }

    /// Whether the client waits for a resume.
    pub fn is_blocked(&self, client: ClientId) -> bool {
        self.host.clients.get(&client).is_some_and(|c| c.blocked)
    }

    /// Bytes of the client's input that no request has used yet.
    pub fn unread(&self, client: ClientId) -> usize {
        self.host.clients.get(&client).map_or(0, |c| c.unread.len)
    }

    /// The client hangs up: the plugin hears of it, unsent output is gone.
    pub fn disconnect(&mut self, client: ClientId) {
        self.remove(client);
        self.host.farewells.remove(&client);
        self.settle();
    }

    /// Moves both clocks on, calling `tick` at each time the plugin asked for.
    pub fn advance(&mut self, ms: u64) {
        let target = self.host.clock.unix_ms + ms;
        while self.host.wake_at_ms <= target {
            let due = self.host.wake_at_ms.max(self.host.clock.unix_ms);
            self.host.clock.move_to(due);
            self.tick();
            self.settle_clients();
            // A plugin that asks for "at once" again is called once per millisecond.
            if self.host.wake_at_ms <= due {
                if due >= target {
                    break;
                }
                self.host.clock.move_to(due + 1);
            }
        }
        self.host.clock.move_to(target);
        self.settle_clients();
    }

    /// The wall clock of the server, milliseconds since the Unix epoch.
    pub fn unix_ms(&self) -> u64 {
        self.host.clock.unix_ms
    }

    /// When the plugin wants its next `tick`, if it asked.
    pub fn next_wake(&self) -> Option<u64> {
        (self.host.wake_at_ms != crate::abi::NO_WAKE).then_some(self.host.wake_at_ms)
    }

    /// Calls `tick` now.
    pub fn tick(&mut self) {
        self.host.wake_at_ms = crate::abi::NO_WAKE;
        let ended = self.call_server(self.table.tick);
        self.report("tick", ended);
        self.settle_clients();
    }

    /// Lets another plugin take over state and sessions as they are, as a swap between two calls does.
    ///
    /// # Errors
    /// Where the two schemas differ, or what the other's `self_test` said; nothing changed then.
    pub fn swap<Other: Plugin>(&mut self) -> Result<(), Refusal> {
        let schema = Schema::of::<Other::State, Other::Session>();
        if let Some(difference) = self.version.schema.first_difference(&schema) {
            return Err(Refusal::new(difference.to_string()));
        }
        let old = core::mem::replace(&mut self.table, crate::export::table::<Other>());
        if let Err(refusal) = self.self_test() {
            self.table = old;
            return Err(refusal);
        }
        self.host.generation += 1;
        self.tick();
        Ok(())
    }

    /// Lets another version take over, whose state may have another shape: state and sessions are
    /// migrated as a shell migrates them. What the other version cannot hold waits aside until a
    /// version that can comes back.
    ///
    /// # Errors
    /// The first place that cannot be taken over, or a default that panicked; the server is as it was
    /// then, in [`NotSwapped::server`].
    ///
    /// # Panics
    /// When the other's `self_test` refuses the migrated state.
    pub fn swap_to<Other: Plugin>(mut self) -> Result<TestServer<Other>, Box<NotSwapped<P>>> {
        let next = version::<Other>();
        let change = match Change::between(&self.version, &next) {
            Ok(change) => Arc::new(change),
            Err(refused) => {
                let refusal = Refusal::new(refused.to_string());
                return Err(Box::new(NotSwapped { server: self, refusal }));
            }
        };
        if let Err(refusal) = self.migrate(&change) {
            return Err(Box::new(NotSwapped { server: self, refusal }));
        }
        let this = core::mem::ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so each part moves out once.
        let host = unsafe { core::ptr::read(&this.host) };
        // SAFETY: as above; dropped here, for the next version has its own.
        drop(unsafe { core::ptr::read(&this.version) });
        let table = crate::export::table::<Other>();
        let mut next = TestServer::<Other> { host, table, version: next, plugin: PhantomData };
        next.host.generation += 1;
        let tested = next.self_test();
        next.tick();
        assert!(tested.is_ok(), "the self-test refused the migrated state: {tested:?}");
        Ok(next)
    }

    /// Parts that are set aside for versions that are not active.
    pub fn set_aside(&self) -> usize {
        let clients = self.host.clients.values().map(|client| client.aside.len());
        self.host.aside.len() + clients.sum::<usize>()
    }

    /// Defaults and conversions of later versions that panicked over a value.
    pub fn conversions_panicked(&self) -> u64 {
        self.host.conversions_panicked
    }

    /// What could not come back after a swap, since something newer was in its place.
    pub fn overtaken(&self) -> usize {
        self.host.overtaken
    }

    /// Runs the plugin's `self_test` on the state.
    ///
    /// # Errors
    /// Its refusal, or the text of its panic.
    pub fn self_test(&mut self) -> Result<(), Refusal> {
        let ended = self.call_server(self.table.self_test);
        if ended.code == OUTCOME_DONE { Ok(()) } else { Err(self.host.refusal()) }
    }

    /// Runs an admin verb of the plugin; its answer.
    ///
    /// # Errors
    /// The refusal of the verb, or the text of its panic.
    pub fn command(&mut self, args: &[&str]) -> Result<String, Refusal> {
        let answer = self.call_command(args);
        self.settle();
        answer
    }

    /// Calls `shutdown`. Clients stay connected, so that what they were sent can be read.
    pub fn shutdown(&mut self) {
        let ended = self.call_server(self.table.shutdown);
        self.report("shutdown", ended);
    }

    /// Whether the plugin asked the shell to stop.
    pub fn is_stopping(&self) -> bool {
        self.host.stopping
    }

    /// The plugin's state.
    pub fn state(&self) -> &P::State {
        // SAFETY: `init` wrote a root of this layout, or `swap` compared the schemas; no call runs.
        unsafe { &*self.host.root.cast::<P::State>() }
    }

    /// The plugin's state, to change it behind the plugin's back.
    pub fn state_mut(&mut self) -> &mut P::State {
        // SAFETY: as in `state`, and `self` is borrowed mutably.
        unsafe { &mut *self.host.root.cast::<P::State>() }
    }

    /// The session of a client.
    pub fn session(&mut self, client: ClientId) -> Option<&P::Session> {
        self.bring(client);
        let found = self.host.clients.get(&client)?;
        // SAFETY: `connect` wrote a session of this layout; no call runs.
        Some(unsafe { &*found.session.cast::<P::Session>() })
    }

    /// Texts of the panics that were caught so far.
    pub fn panics(&self) -> &[String] {
        &self.host.panics
    }

    /// Lines that the plugin logged so far.
    pub fn log(&self) -> &[String] {
        &self.host.log
    }

    /// The value of a counter that the plugin adds to with `Shell::count`.
    pub fn counter(&self, name: &str) -> u64 {
        self.host.counters.get(name).copied().unwrap_or(0)
    }

    /// Bytes that the plugin holds in the state heap, beside the clients' input and output.
    pub fn state_bytes(&self) -> u64 {
        self.host.state_bytes
    }
}

impl<P: Plugin> Drop for TestServer<P> {
    fn drop(&mut self) {
        let ids: Vec<ClientId> = self.host.clients.keys().copied().collect();
        for id in ids {
            self.remove(id);
        }
        if !self.host.root.is_null() {
            self.call_server(self.table.drop_state);
            self.host.root = core::ptr::null_mut();
        }
    }
}

/// What a plugin says of the shape of its state.
fn version<P: Plugin>() -> Version {
    let (lineage, functions) = Lineage::of::<P::State, P::Session>();
    let schema = Schema::of::<P::State, P::Session>();
    let owners = Owners::of(&schema).into();
    Version { schema: schema.into(), lineage: lineage.into(), functions: functions.into(), owners }
}

/// Gives a session's block back after its content was dropped.
fn free_session<S>(session: *mut u8) {
    if let Some(session) = NonNull::new(session) {
        // SAFETY: `connect_from` took the block with this layout, or `swap` compared the schemas.
        unsafe { crate::heap::free(session, Layout::new::<S>()) };
    }
}
