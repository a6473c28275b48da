//! The services that tell how the data are kept, and let a plugin ask for more of it.

use core::ffi::c_void;

use hotshell_plugin_api::durability::{
    DISK_FULL, DISK_OK, DISK_SLOW, Durability, FSYNC_ALWAYS, FSYNC_EVERYSEC, FSYNC_NO,
    KEPT_JOURNAL, KEPT_SNAPSHOT, NotSet, SET_DONE, SET_IN_MEMORY, SET_UNKNOWN, SET_VALUE,
};

use tokio::sync::oneshot;

use super::{fill, server, slice};
use crate::config::Live;
use crate::data::Fsync;
use crate::engine::Set;
use crate::engine::core::{Core, Server};
use crate::engine::settling::Answered;
use crate::engine::snapshot::Waiter;

impl Core {
    fn durability(&self) -> Durability {
        let mut told = Durability::NONE;
        if let Some(snapshots) = &self.snapshots {
            let (ended, policy) = (&snapshots.ended, snapshots.policy);
            told.kept = if self.replays { KEPT_JOURNAL } else { KEPT_SNAPSHOT };
            told.snapshot_running = u32::from(snapshots.busy);
            told.snapshot_failed = u32::from(ended.failed);
            told.snapshot_every_ms = policy.every.as_millis() as u64;
            told.snapshot_after = policy.after;
            told.changes = self.changes().saturating_sub(snapshots.changes);
            [told.snapshots, told.snapshots_failed] = ended.counts;
            told.snapshot_ms = ended.last_ms;
            told.snapshot_us = ended.last.as_ref().map_or(0, |last| last.total_us as u64);
            told.snapshot_bytes = ended.last.as_ref().map_or(0, |last| last.bytes);
            told.snapshot_since_ms = snapshots.since_ms;
            told.set_errno = self.set_errno;
        }
        if let Some(journal) = &self.journal {
            let progress = journal.progress();
            told.fsync = match progress.fsync() {
                Fsync::EverySec => FSYNC_EVERYSEC,
                Fsync::Always => FSYNC_ALWAYS,
                Fsync::No => FSYNC_NO,
            };
            told.disk = match (progress.full_for(), progress.is_late()) {
                (Some(_), _) => DISK_FULL,
                (None, true) => DISK_SLOW,
                (None, false) => DISK_OK,
            };
            let (syncs, _, longest_ns) = progress.syncs();
            told.journal_bytes = journal.position();
            told.journal_durable_bytes = progress.durable();
            told.journal_syncs = syncs;
            told.journal_sync_us_max = longest_ns / 1000;
        }
        told
    }

    /// Sets a key of [`Live`], from the next batch of the journal and the next look at the clock on.
    pub(in crate::engine) fn set(&mut self, key: &str, text: &str) -> Result<(), NotSet> {
        let mut live = self.live().ok_or(NotSet::InMemory)?;
        live.set(key, text)?;
        if let (Some(journal), Some(snapshots)) = (&self.journal, &mut self.snapshots) {
            journal.progress().set_fsync(live.fsync);
            snapshots.policy = live.snapshots;
        }
        Ok(())
    }

    /// What holds now of what can be set; `None` when the data are in memory only.
    fn live(&self) -> Option<Live> {
        let (journal, snapshots) = (self.journal.as_ref()?, self.snapshots.as_ref()?);
        Some(Live { fsync: journal.progress().fsync(), snapshots: snapshots.policy })
    }
}

pub(super) unsafe extern "C" fn tell(at: *mut c_void, told: *mut Durability) {
    // SAFETY: called from inside a call of this server; `told` says how much room it has.
    unsafe {
        let now = server(at).core.borrow().durability();
        fill(told, now, (*told).size);
    }
}

pub(super) unsafe extern "C" fn snapshot(at: *mut c_void, client: u64) -> bool {
    // SAFETY: called from inside a call of this server.
    let server = unsafe { server(at) };
    let kept = server.core.borrow().snapshots.is_some();
    if kept {
        server.ask_snapshot(Waiter::Client(client));
    }
    kept
}

pub(super) unsafe extern "C" fn set(
    at: *mut c_void,
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
) -> u32 {
    // SAFETY: called from inside a call of this server, with texts that are valid for the call; `call`
    // is the engine's, and the plugin that is being called reads it, too.
    unsafe {
        let server = server(at);
        let client = Answered::ByTheCall((*server.call).client);
        set_key(server, client, slice(key, key_len), slice(value, value_len))
    }
}

pub(super) unsafe extern "C" fn set_for(
    at: *mut c_void,
    client: u64,
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
) -> u32 {
    // SAFETY: as above.
    unsafe {
        let client = Answered::WhenResumed(client);
        set_key(server(at), client, slice(key, key_len), slice(value, value_len))
    }
}

fn set_key(server: &Server, client: Answered, key: &[u8], value: &[u8]) -> u32 {
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    let (key, value, core) = (text(key), text(value), &mut *server.core.borrow_mut());
    let before = core.live().and_then(|live| live.show(key)).unwrap_or_default();
    match core.set(key, value) {
        Ok(()) => {
            if let Some(remember) = &core.remember {
                let (on_disk, wait) = oneshot::channel();
                let (key, text) = (key.to_owned(), value.to_owned());
                // The receiver is gone only when the host is stopping already.
                let _ = remember.send(Set { key, text, before, on_disk });
                core.settle(client, wait);
            }
            SET_DONE
        }
        Err(NotSet::Unknown) => SET_UNKNOWN,
        Err(NotSet::Value) => SET_VALUE,
        Err(NotSet::InMemory) => SET_IN_MEMORY,
    }
}

pub(super) unsafe extern "C" fn stop_saving(at: *mut c_void, save: bool) {
    // SAFETY: called from inside a call of this server.
    let core = &mut *unsafe { server(at) }.core.borrow_mut();
    core.snapshots.iter_mut().for_each(|snapshots| snapshots.at_stop = Some(save));
    // The receiver is gone only when the host is stopping already.
    let _ = core.stop.send(());
}
