//! What `list` and `status` answer, from published counters alone: also while an engine is stuck.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::gate::Work;
use super::probation::{Judged, Watched};
use super::report::micros;
use super::{Control, Server};
use crate::engine::{CALL_KINDS, Counters};
use crate::loader::retained_images;
use crate::registry::{Generation, Status as Standing};
use crate::{text, time};

/// One row of `list`.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct Listed {
    pub server: String,
    pub generation: u64,
    pub plugin: String,
    pub version: String,
    pub status: &'static str,
    pub temperature: &'static str,
    pub schema: u32,
    pub digest: String,
    pub path: PathBuf,
    pub loaded_at: String,
    /// Loaded at the next start.
    pub permanent: bool,
    /// Null outside probation.
    pub probation: Option<String>,
    /// Where `rollback` leads.
    pub rollback_target: bool,
    pub sessions: u64,
    /// Percent of the clients that it serves.
    pub weight: u32,
    pub mapped: bool,
    /// Why the image of a discarded generation is still mapped.
    pub retained: Option<String>,
}

/// The answer of `status`.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct Status {
    pub server: String,
    pub listen: String,
    pub pid: u32,
    pub host_version: &'static str,
    pub started_at: String,
    pub uptime_s: u64,
    pub plugin: String,
    pub version: String,
    pub generation: u64,
    pub schema: u32,
    pub started_from: PathBuf,
    pub clients: u64,
    pub connections: u64,
    pub rejected: u64,
    pub calls: u64,
    pub failed: u64,
    pub panics: u64,
    pub swaps: u64,
    /// Null before the first swap.
    pub swap_pause_us_last: Option<f64>,
    /// Null before the first swap.
    pub swap_pause_us_max: Option<f64>,
    pub state_bytes: u64,
    pub state_bytes_peak: u64,
    pub set_aside: u64,
    /// Parts that were set aside and cannot return, since something newer is in their place.
    pub overtaken: u64,
    /// Where these were exported to; null when there were none.
    pub overtaken_file: Option<PathBuf>,
    /// Values whose conversion to another shape panicked; each is set aside.
    pub conversions_panicked: u64,
    /// Entries and sessions that the last switch left to be converted, between calls.
    pub draining: u64,
    /// What a crash leaves: `journal`, `snapshot` (the plugin keeps no journal), `memory` (nothing).
    pub durability: &'static str,
    /// When the last snapshot of this process was on disk; null before the first.
    pub snapshot_at: Option<String>,
    /// How long ago that was; null before the first.
    pub snapshot_age_s: Option<f64>,
    /// Whether one is being taken.
    pub snapshot_running: bool,
    /// Null without a journal.
    pub journal: Option<JournalStatus>,
    /// What was set at run time, by key of the configuration.
    pub settings: BTreeMap<String, String>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub closed_slow: u64,
    pub closed_unread: u64,
    pub generations_resident: usize,
    pub images_retained: usize,
    /// How long the running call of the plugin has taken so far; null between calls.
    pub call_running_us: Option<f64>,
    /// Which function of the plugin runs; null between calls.
    pub call_kind: Option<&'static str>,
    /// Counters that the plugin named.
    pub plugin_counters: BTreeMap<String, u64>,
    /// The load or use that is under way; null when there is none.
    pub busy: Option<Work>,
    /// The probation that runs; null when there is none.
    pub probation: Option<Watched>,
    /// How the last probation ended; null before the first.
    pub last_probation: Option<Judged>,
    /// The generation that is loaded at the next start.
    pub permanent_generation: u64,
}

/// How the journal of a server does.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct JournalStatus {
    pub fsync: &'static str,
    /// `ok`, `full` (answers wait until there is room on the disk), or `slow` (they wait until it has
    /// written what it was given).
    pub state: &'static str,
    /// Bytes of frames since the journal began.
    pub position: u64,
    /// Those of them that are not on disk yet.
    pub lag_bytes: u64,
    pub syncs: u64,
    pub sync_us_total: f64,
    pub sync_us_max: f64,
    /// For how long the disk has been full; null while it is not.
    pub full_s: Option<f64>,
}

impl JournalStatus {
    fn of(counters: &Counters) -> Option<Self> {
        let progress = counters.journal.get()?;
        let position = Counters::get(&counters.journal_position);
        let (syncs, sync_ns, sync_ns_max) = progress.syncs();
        let full = progress.full_for();
        Some(Self {
            fsync: progress.fsync().text(),
            state: match full {
                Some(_) => "full",
                None if progress.is_late() => "slow",
                None => "ok",
            },
            position,
            lag_bytes: position.saturating_sub(progress.durable()),
            syncs,
            sync_us_total: micros(sync_ns),
            sync_us_max: micros(sync_ns_max),
            full_s: full.map(|time| time.as_secs_f64()),
        })
    }

    /// `fsync everysec, 1.2 MiB written, 3.0 KiB not on disk yet, longest sync 4.1 ms`.
    pub fn line(&self) -> String {
        let (written, lag) = (text::bytes(self.position), text::bytes(self.lag_bytes));
        let longest = time::short_duration((self.sync_us_max * 1e3) as u64);
        let facts = format!(
            "fsync {}, {written} written, {lag} not on disk yet, longest sync {longest}",
            self.fsync
        );
        match (self.state, self.full_s) {
            ("full", Some(s)) => {
                format!("the disk has been full for {s:.0} s and answers wait; {facts}")
            }
            ("slow", _) => format!("the disk is slow and answers wait; {facts}"),
            _ => facts,
        }
    }
}

fn snapshot_age_s(counters: &Counters) -> Option<f64> {
    let ms = i64::try_from(Counters::get(&counters.snapshot_at_ms)).ok().filter(|ms| *ms > 0)?;
    Some((jiff::Timestamp::now().as_millisecond() - ms).max(0) as f64 / 1e3)
}

fn snapshot_at(counters: &Counters) -> Option<String> {
    let ms = i64::try_from(Counters::get(&counters.snapshot_at_ms)).ok().filter(|ms| *ms > 0)?;
    jiff::Timestamp::from_millisecond(ms).ok().map(time::text)
}

impl Status {
    /// `kv 1.0.0 (generation 1), 12 clients`.
    pub fn title(&self) -> String {
        let Self { plugin, version, generation, clients, .. } = self;
        format!("{plugin} {version} (generation {generation}), {clients} clients")
    }
}

impl Control {
    /// Every generation of every server, or of one.
    pub fn list(&self, only: Option<&str>) -> crate::error::Result<Vec<Listed>> {
        if only.is_some() {
            return Ok(listed(self.server(only)?));
        }
        Ok(self.servers().iter().flat_map(listed).collect())
    }

    /// How a server does.
    ///
    /// # Errors
    /// `SERVER`.
    pub fn status(&self, name: Option<&str>) -> crate::error::Result<Status> {
        let server = self.server(name)?;
        Ok(self.status_of(server))
    }

    /// How this server does.
    pub fn status_of(&self, server: &Server) -> Status {
        let registry = server.registry.borrow();
        let (active, counters) = (registry.active(), &*server.handle.counters);
        let swaps = Counters::get(&counters.swaps);
        let overtaken = Counters::get(&counters.overtaken);
        let after_swap = |pause| (swaps > 0).then(|| micros(Counters::get(pause)));
        let uptime = jiff::Timestamp::now().duration_since(self.started).as_secs();
        Status {
            server: server.name.clone(),
            listen: server.handle.listen.to_string(),
            pid: std::process::id(),
            host_version: env!("CARGO_PKG_VERSION"),
            started_at: time::text(self.started),
            uptime_s: u64::try_from(uptime).unwrap_or(0),
            plugin: active.artifact.plugin.clone(),
            version: active.artifact.version.clone(),
            generation: active.number,
            schema: active.artifact.schema,
            started_from: server.started_from.clone(),
            clients: Counters::get(&counters.clients),
            connections: Counters::get(&counters.connections),
            rejected: Counters::get(&counters.rejected),
            calls: Counters::get(&counters.calls),
            failed: Counters::get(&counters.failed),
            panics: Counters::get(&counters.panics),
            swaps,
            swap_pause_us_last: after_swap(&counters.swap_pause_ns_last),
            swap_pause_us_max: after_swap(&counters.swap_pause_ns_max),
            state_bytes: Counters::get(&counters.state_bytes),
            state_bytes_peak: Counters::get(&counters.state_bytes_peak),
            set_aside: Counters::get(&counters.set_aside),
            overtaken,
            overtaken_file: (overtaken > 0).then(|| server.overtaken.clone()),
            conversions_panicked: Counters::get(&counters.conversions_panicked),
            draining: Counters::get(&counters.draining),
            durability: match (&server.keeping, Counters::get(&counters.replays)) {
                (None, _) => "memory",
                (Some(_), 0) => "snapshot",
                (Some(_), _) => "journal",
            },
            snapshot_at: snapshot_at(counters),
            snapshot_age_s: snapshot_age_s(counters),
            snapshot_running: Counters::get(&counters.snapshot_running) > 0,
            journal: JournalStatus::of(counters),
            settings: server.set_at_run_time(),
            bytes_in: Counters::get(&counters.bytes_in),
            bytes_out: Counters::get(&counters.bytes_out),
            closed_slow: Counters::get(&counters.closed_slow),
            closed_unread: Counters::get(&counters.closed_unread),
            generations_resident: registry.resident(),
            images_retained: registry.retained(),
            call_running_us: running(counters),
            call_kind: running(counters).map(|_| kind(counters)),
            plugin_counters: counters.plugin().into_iter().collect(),
            busy: self.gate.work_on(&server.name),
            probation: server.watched(),
            last_probation: server.judged.borrow().clone(),
            permanent_generation: registry.permanent(),
        }
    }
}

fn running(counters: &Counters) -> Option<f64> {
    let since = Counters::get(&counters.call_since_ns);
    (since > 0).then(|| micros(crate::time::monotonic_ns().saturating_sub(since)))
}

fn kind(counters: &Counters) -> &'static str {
    let kind = usize::try_from(Counters::get(&counters.call_kind)).unwrap_or(usize::MAX);
    CALL_KINDS.get(kind).unwrap_or(&"unknown")
}

/// Notices images that went since their generation was discarded. Costs a look into the maps, so
/// only when there is one to look for.
fn look_again(server: &Server) {
    if server.registry.borrow().retained() > 0 {
        retained_images();
        server.registry.borrow_mut().look_again();
    }
}

fn listed(server: &Server) -> Vec<Listed> {
    look_again(server);
    let registry = server.registry.borrow();
    let (way_back, watched) = (registry.rollback_target(), server.watched());
    let row = |g: &Generation| {
        let active = g.status == Standing::Active;
        Listed {
            server: server.name.clone(),
            generation: g.number,
            plugin: g.artifact.plugin.clone(),
            version: g.artifact.version.clone(),
            status: g.status.text(),
            temperature: g.temperature(),
            schema: g.artifact.schema,
            digest: g.artifact.digest.clone(),
            path: g.artifact.path.clone(),
            loaded_at: time::text(g.loaded_at),
            permanent: g.number == registry.permanent(),
            probation: watched.as_ref().filter(|w| w.generation == g.number).map(|w| {
                let calls = w.sample.calls;
                format!("{:.0} s left, {calls} calls so far", w.seconds_left)
            }),
            rollback_target: way_back == Some(g.number),
            sessions: if active { Counters::get(&server.handle.counters.clients) } else { 0 },
            weight: if active { 100 } else { 0 },
            mapped: g.is_mapped(),
            retained: g.retained.as_ref().map(|retained| retained.reason.clone()),
        }
    };
    registry.all().iter().map(row).collect()
}
