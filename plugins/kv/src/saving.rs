//! What Redis calls saving, done by the shell's snapshots: which work runs, save points, parameters.

use hotshell_plugin_api::ctx::ClientId;
use hotshell_plugin_api::durability::{
    Durability, FSYNC_ALWAYS, FSYNC_EVERYSEC, KEPT_JOURNAL, KEPT_MEMORY,
};
use hotshell_plugin_api::state;

use crate::services::Services;
use crate::settings::{SavePoint, Settings};
use crate::state::{MODE_UNSAVED, State};

/// Time between two looks at the save points, milliseconds.
const LOOK_MS: u64 = 1000;
/// Time after a snapshot that failed until a save point asks for another one, milliseconds.
const RETRY_MS: u64 = 5000;

/// As what a snapshot was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// SAVE, BGSAVE, a save point, or the shell itself.
    Save,
    /// BGREWRITEAOF.
    Rewrite,
}

/// What was asked for last.
#[state]
#[derive(Debug)]
pub struct Saving {
    /// BGREWRITEAOF, not a save.
    rewrite: bool,
    /// The server's start, milliseconds since the Unix epoch: the number below counts from there.
    started_ms: u64,
    /// It is done when so many snapshots have ended.
    done_at: u64,
    /// When the save points are looked at next, milliseconds since the Unix epoch.
    look_ms: u64,
    /// How often data were saved and rewritten.
    pub rewrites: u64,
}

/// Whether the data outlive the process.
pub fn is_kept(shell: &dyn Services) -> bool {
    shell.durability().kept != KEPT_MEMORY
}

fn ended(told: &Durability) -> u64 {
    told.snapshots + told.snapshots_failed
}

/// The work that runs, or was asked for and is about to begin.
pub fn running(state: &State, shell: &dyn Services) -> Option<Work> {
    let (told, asked) = (shell.durability(), &state.saving);
    let awaited =
        asked.started_ms == shell.server_info().started_ms && ended(&told) < asked.done_at;
    let work = if asked.rewrite && awaited { Work::Rewrite } else { Work::Save };
    (awaited || told.snapshot_running != 0).then_some(work)
}

/// Asks for a snapshot, and for a resume of `client` (0: nobody) behind it. `false` when nothing is kept.
pub fn begin(state: &mut State, shell: &mut dyn Services, work: Work, client: ClientId) -> bool {
    let told = shell.durability();
    if !shell.snapshot_for(client) {
        return false;
    }
    let saving = &mut state.saving;
    saving.rewrite = work == Work::Rewrite;
    saving.rewrites += u64::from(saving.rewrite);
    saving.started_ms = shell.server_info().started_ms;
    // One that runs already is another one.
    saving.done_at = ended(&told) + 1 + u64::from(told.snapshot_running);
    true
}

/// When data were saved last; at first when the server started. Milliseconds since the Unix epoch.
pub fn last_save_ms(shell: &dyn Services) -> u64 {
    match shell.durability().snapshot_ms {
        0 => shell.server_info().started_ms,
        ms => ms,
    }
}

/// Whether data may be changed: not while the last snapshot has failed where save points ask for some.
pub fn choose_mode(state: &mut State, shell: &dyn Services) {
    let Settings { save_points, write_anyway, .. } = &state.settings;
    let cares = !save_points.is_empty() && !write_anyway && is_kept(shell);
    state.set_mode(MODE_UNSAVED, cares && shell.durability().snapshot_failed != 0);
}

/// Takes a snapshot where a save point says so.
pub fn tick(state: &mut State, shell: &mut dyn Services, now: u64) {
    if state.settings.save_points.is_empty() {
        return;
    }
    choose_mode(state, shell);
    if now < state.saving.look_ms {
        return shell.wake_at(state.saving.look_ms);
    }
    let told = shell.durability();
    if told.kept == KEPT_MEMORY {
        return;
    }
    state.saving.look_ms = now + LOOK_MS;
    shell.wake_at(state.saving.look_ms);
    let since_ms = now.saturating_sub(last_save_ms(shell));
    let due = |point: &SavePoint| {
        told.changes >= point.changes && since_ms > point.seconds.saturating_mul(1000)
    };
    let due = state.settings.save_points.iter().any(due);
    if due && running(state, shell).is_none() {
        if told.snapshot_failed != 0 {
            state.saving.look_ms = now + RETRY_MS;
        }
        begin(state, shell, Work::Save, 0);
    }
}

/// The value of a parameter that the shell knows better; `None` of others.
pub fn parameter(shell: &dyn Services, name: &str) -> Option<&'static str> {
    let told = shell.durability();
    if told.kept != KEPT_JOURNAL {
        return None;
    }
    match name {
        "appendonly" => Some("yes"),
        "appendfsync" => Some(match told.fsync {
            FSYNC_EVERYSEC => "everysec",
            FSYNC_ALWAYS => "always",
            _ => "no",
        }),
        _ => None,
    }
}

/// Whether a parameter can have this value here.
///
/// # Errors
/// Why not, as the end of CONFIG SET's error.
pub fn check(shell: &dyn Services, name: &str, value: &[u8]) -> Result<(), &'static str> {
    let journal = shell.durability().kept == KEPT_JOURNAL;
    match (name, value) {
        ("appendonly", b"yes") if !journal => Err("Unable to turn on AOF. Check server logs."),
        ("appendonly", b"no") if journal => {
            Err("the journal is the shell's: start hotshell without --data to have none")
        }
        _ => Ok(()),
    }
}

/// Tells the shell of a parameter that was set. Answers whether it resumes `waits` when that is on disk,
/// or was taken back.
pub fn set(shell: &mut dyn Services, waits: Option<ClientId>, name: &str, value: &[u8]) -> bool {
    if name != "appendfsync" || shell.durability().kept != KEPT_JOURNAL {
        return false;
    }
    let value = core::str::from_utf8(value).unwrap_or_default();
    if waits.is_some_and(|client| shell.set_for(client, "fsync", value).is_ok()) {
        return true;
    }
    // The words are the shell's, and it keeps a journal: nothing is left to refuse.
    let done = shell.set("fsync", value);
    debug_assert!(done.is_ok(), "{done:?}");
    false
}

/// Why what was set last is not; `None`: it is on disk.
pub fn not_set(shell: &dyn Services) -> Option<String> {
    let errno = shell.durability().set_errno;
    (errno != 0).then(|| {
        let why = std::io::Error::from_raw_os_error(errno as i32);
        format!(
            "ERR CONFIG SET failed (possibly related to argument 'appendfsync') - it is as before: \
             the data folder does not take it: {why}; make room there and set it again"
        )
    })
}
