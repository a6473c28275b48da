//! The shell's services, without the type of the plugin version that calls them: commands are
//! compiled once, for all versions.

use hotshell_plugin_api::abi::{ClientInfo, ServerInfo};
use hotshell_plugin_api::ctx::{ClientId, Level, Shell};
use hotshell_plugin_api::durability::{Durability, NotSet};
use hotshell_plugin_api::plugin::Plugin;

use crate::reply::Out;
use crate::state::Session;

/// What commands need of [`Shell`]; see there.
#[allow(missing_docs, reason = "the methods are those of Shell")]
pub trait Services {
    fn random(&mut self) -> u64;
    fn monotonic_ns_now(&self) -> u64;
    fn wake_at(&mut self, unix_ms: u64);
    fn send_many(&mut self, clients: &[ClientId], bytes: &[u8]) -> usize;
    fn out_of(&mut self, client: ClientId) -> Option<Out<'_>>;
    fn session_of(&mut self, client: ClientId) -> Option<&mut Session>;
    fn resume(&mut self, client: ClientId) -> bool;
    fn close(&mut self, client: ClientId) -> bool;
    fn client_info(&self, client: ClientId) -> Option<ClientInfo>;
    fn client_ids(&self) -> Vec<ClientId>;
    fn server_info(&self) -> ServerInfo;
    fn log(&self, level: Level, text: &str);
    fn stop(&mut self);
    fn unix_ms(&self) -> u64;
    fn journals(&self) -> bool;
    fn journal(&mut self, record: &[u8]);
    fn forget_entries(&mut self);
    fn durability(&self) -> Durability;
    fn snapshot_for(&mut self, client: ClientId) -> bool;
    fn set(&mut self, key: &str, value: &str) -> Result<(), NotSet>;
    fn set_for(&mut self, client: ClientId, key: &str, value: &str) -> Result<(), NotSet>;
    fn stop_saving(&mut self, save: bool);
}

impl<P: Plugin<Session = Session>> Services for Shell<'_, P> {
    fn forget_entries(&mut self) {
        Shell::forget_entries(self);
    }
    fn random(&mut self) -> u64 {
        Shell::random(self)
    }
    fn monotonic_ns_now(&self) -> u64 {
        Shell::monotonic_ns_now(self)
    }
    fn wake_at(&mut self, unix_ms: u64) {
        Shell::wake_at(self, unix_ms);
    }
    fn send_many(&mut self, clients: &[ClientId], bytes: &[u8]) -> usize {
        Shell::send_many(self, clients, bytes)
    }
    fn out_of(&mut self, client: ClientId) -> Option<Out<'_>> {
        let resp3 = Shell::session_of(self, client)?.is_resp3();
        Some(Out::new(Shell::out_of(self, client)?, resp3))
    }
    fn session_of(&mut self, client: ClientId) -> Option<&mut Session> {
        Shell::session_of(self, client)
    }
    fn resume(&mut self, client: ClientId) -> bool {
        Shell::resume(self, client)
    }
    fn close(&mut self, client: ClientId) -> bool {
        Shell::close(self, client)
    }
    fn client_info(&self, client: ClientId) -> Option<ClientInfo> {
        Shell::client_info(self, client)
    }
    fn client_ids(&self) -> Vec<ClientId> {
        self.clients().collect()
    }
    fn server_info(&self) -> ServerInfo {
        Shell::server_info(self)
    }
    fn log(&self, level: Level, text: &str) {
        Shell::log(self, level, text);
    }
    fn stop(&mut self) {
        Shell::stop(self);
    }
    fn unix_ms(&self) -> u64 {
        Shell::unix_ms(self)
    }
    fn journals(&self) -> bool {
        Shell::journals(self)
    }
    fn journal(&mut self, record: &[u8]) {
        Shell::journal(self, record);
    }
    fn durability(&self) -> Durability {
        Shell::durability(self)
    }
    fn snapshot_for(&mut self, client: ClientId) -> bool {
        Shell::snapshot_for(self, client)
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), NotSet> {
        Shell::set(self, key, value)
    }
    fn set_for(&mut self, client: ClientId, key: &str, value: &str) -> Result<(), NotSet> {
        Shell::set_for(self, client, key, value)
    }
    fn stop_saving(&mut self, save: bool) {
        Shell::stop_saving(self, save);
    }
}
