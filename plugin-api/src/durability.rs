//! How the shell keeps the data of a server: what a plugin can hear of it, and ask for.

use core::mem::offset_of;

use crate::abi::HostTable;
use crate::ctx::{ClientId, Shell, host};
use crate::plugin::Plugin;
use crate::size_headed::size_headed;

/// [`Durability::kept`]: a crash loses everything.
pub const KEPT_MEMORY: u32 = 0;
/// [`Durability::kept`]: a crash leaves the last snapshot.
pub const KEPT_SNAPSHOT: u32 = 1;
/// [`Durability::kept`]: a crash leaves the last snapshot and the journal behind it.
pub const KEPT_JOURNAL: u32 = 2;

/// [`Durability::fsync`]: the journal reaches the disk every second.
pub const FSYNC_EVERYSEC: u32 = 0;
/// [`Durability::fsync`]: it does before any output that could show the change is sent.
pub const FSYNC_ALWAYS: u32 = 1;
/// [`Durability::fsync`]: it does when the system likes.
pub const FSYNC_NO: u32 = 2;

/// [`Durability::disk`]: it keeps up.
pub const DISK_OK: u32 = 0;
/// [`Durability::disk`]: answers wait until it has written what it was given.
pub const DISK_SLOW: u32 = 1;
/// [`Durability::disk`]: answers wait until there is room on it.
pub const DISK_FULL: u32 = 2;

size_headed!(Durability);

/// How the data of this server are kept, and how far that is. Size-headed.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durability {
    /// Bytes of this struct that the caller has room for; the shell fills no more.
    pub size: u32,
    /// What a crash leaves: one of the `KEPT_*` numbers.
    pub kept: u32,
    /// When the journal reaches the disk: one of the `FSYNC_*` numbers.
    pub fsync: u32,
    /// How the journal's disk does: one of the `DISK_*` numbers.
    pub disk: u32,
    /// 1 from the beginning of a snapshot until it is on disk.
    pub snapshot_running: u32,
    /// 1 when the last snapshot to end did not come to its end.
    pub snapshot_failed: u32,
    /// A snapshot is taken after so many milliseconds, if anything changed; 0: never.
    pub snapshot_every_ms: u64,
    /// A snapshot is taken after so many changes; 0: never.
    pub snapshot_after: u64,
    /// Changes since the last snapshot began, or the start: calls that told the journal something; all
    /// calls where there is no journal.
    pub changes: u64,
    /// Snapshots that came to their end since the start.
    pub snapshots: u64,
    /// Those that did not.
    pub snapshots_failed: u64,
    /// When the last one was on disk, milliseconds since the Unix epoch; at first, when the one was taken
    /// that the start read back; 0: none.
    pub snapshot_ms: u64,
    /// From the beginning of the last one until it was on disk, microseconds; 0 before the first.
    pub snapshot_us: u64,
    /// Bytes of its file.
    pub snapshot_bytes: u64,
    /// When the running one began, milliseconds since the Unix epoch; 0: none runs.
    pub snapshot_since_ms: u64,
    /// Bytes of frames that the journal was given since it began.
    pub journal_bytes: u64,
    /// Those of them that are on disk; under `no`, with the system.
    pub journal_durable_bytes: u64,
    /// Syncs of the journal since the start.
    pub journal_syncs: u64,
    /// The longest of them, microseconds.
    pub journal_sync_us_max: u64,
    /// The error number (errno) with which the disk refused what a plugin set last; 0: it took it.
    pub set_errno: u32,
    /// Zero.
    pub reserved: u32,
}

/// Why something was not set at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSet {
    /// The shell has no such key, or it cannot be set while a server runs.
    Unknown,
    /// The key cannot have this value.
    Value,
    /// The server keeps no data, so there is nothing to set.
    InMemory,
}

/// What [`HostTable::set`] answers.
pub const SET_DONE: u32 = 0;
/// See [`NotSet::Unknown`].
pub const SET_UNKNOWN: u32 = 1;
/// See [`NotSet::Value`].
pub const SET_VALUE: u32 = 2;
/// See [`NotSet::InMemory`].
pub const SET_IN_MEMORY: u32 = 3;

impl Durability {
    /// What a shell tells that keeps nothing.
    pub const NONE: Self = Self {
        size: size_of::<Self>() as u32,
        kept: KEPT_MEMORY,
        fsync: FSYNC_EVERYSEC,
        disk: DISK_OK,
        snapshot_running: 0,
        snapshot_failed: 0,
        snapshot_every_ms: 0,
        snapshot_after: 0,
        changes: 0,
        snapshots: 0,
        snapshots_failed: 0,
        snapshot_ms: 0,
        snapshot_us: 0,
        snapshot_bytes: 0,
        snapshot_since_ms: 0,
        journal_bytes: 0,
        journal_durable_bytes: 0,
        journal_syncs: 0,
        journal_sync_us_max: 0,
        set_errno: 0,
        reserved: 0,
    };
}

/// The shell's table, if it reaches beyond a field.
fn offers(field: usize) -> Option<&'static HostTable> {
    let host = host();
    (host.size as usize > field).then_some(host)
}

fn set_answer(answer: u32) -> Result<(), NotSet> {
    match answer {
        SET_DONE => Ok(()),
        SET_VALUE => Err(NotSet::Value),
        SET_IN_MEMORY => Err(NotSet::InMemory),
        _ => Err(NotSet::Unknown),
    }
}

impl<P: Plugin> Shell<'_, P> {
    /// How the data of this server are kept, and how far that is.
    pub fn durability(&self) -> Durability {
        let mut told = Durability::NONE;
        if let Some(host) = offers(offset_of!(HostTable, durability)) {
            // SAFETY: `[engine]`, in a shell that has the function; the struct says its room.
            unsafe { (host.durability)(self.call().server, &raw mut told) }
        }
        told
    }

    /// Asks for a snapshot: one begins as soon as can be, after this call. If one runs, another one
    /// follows it. `false` when the server keeps no data. [`Shell::durability`] tells what became of it.
    /// Not taken back when the call panics.
    pub fn snapshot(&mut self) -> bool {
        self.snapshot_for(0)
    }

    /// The same; and `client`, which this call or an earlier one has blocked, is resumed when that
    /// snapshot is on disk or has failed.
    pub fn snapshot_for(&mut self, client: ClientId) -> bool {
        offers(offset_of!(HostTable, snapshot)).is_some_and(|host| {
            // SAFETY: `[engine]`, in a shell that has the function.
            unsafe { (host.snapshot)(self.call().server, client) }
        })
    }

    /// Sets a key of the configuration while the server runs: `fsync` (`always`, `everysec`, `no`),
    /// `snapshot-every` (`900s`, `0`), `snapshot-after` (a number). It is remembered in the data folder,
    /// and holds after a restart, too. Not taken back when the call panics.
    ///
    /// What the calling client is answered leaves when that is on disk. If the disk does not take it, it is
    /// taken back, and the client's connection ends without an answer; [`Shell::set_for`] allows one.
    ///
    /// # Errors
    /// [`NotSet`]; nothing is changed then.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), NotSet> {
        let host = offers(offset_of!(HostTable, set)).ok_or(NotSet::Unknown)?;
        let (key, value) = (key.as_bytes(), value.as_bytes());
        // SAFETY: `[engine]`, in a shell that has the function; both texts are valid for the call.
        set_answer(unsafe {
            let at = self.call().server;
            (host.set)(at, key.as_ptr(), key.len(), value.as_ptr(), value.len())
        })
    }

    /// The same for `client`, which this call blocks: it is resumed when the setting is on disk, or was
    /// taken back because the disk did not take it. [`Durability::set_errno`] tells in that resume which.
    ///
    /// # Errors
    /// As for [`Shell::set`]; nobody is resumed then. [`NotSet::Unknown`] also from a shell without it.
    pub fn set_for(&mut self, client: ClientId, key: &str, value: &str) -> Result<(), NotSet> {
        let host = offers(offset_of!(HostTable, set_for)).ok_or(NotSet::Unknown)?;
        let (key, value) = (key.as_bytes(), value.as_bytes());
        // SAFETY: as above.
        set_answer(unsafe {
            let at = self.call().server;
            (host.set_for)(at, client, key.as_ptr(), key.len(), value.as_ptr(), value.len())
        })
    }

    /// [`Shell::stop`], which says whether a last snapshot is taken: one of all that is there, or none.
    /// Without a word a stop takes one if anything changed.
    pub fn stop_saving(&mut self, save: bool) {
        match offers(offset_of!(HostTable, stop_saving)) {
            // SAFETY: `[engine]`, in a shell that has the function; the stop happens after the call.
            Some(host) => unsafe { (host.stop_saving)(self.call().server, save) },
            None => self.stop(),
        }
    }
}
