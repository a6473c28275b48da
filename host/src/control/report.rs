//! What verbs answer: one struct each, which is its JSON, and its lines for people.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::gate::Work;
use super::probation::{Judged, Watched};
use super::{Control, Server};
use crate::commands::Text;
use crate::engine::{CALL_KINDS, Counters, Switched};
use crate::generation::{Artifact, Shape};
use crate::loader::{Retained, retained_images};
use crate::migration::{Field, Migration, Version};
use crate::registry::{Generation, Status as Standing};
use crate::{render, time};

/// What `check` found out about a file.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What it says of itself.
    pub artifact: Artifact,
    /// The shape of its state.
    pub shape: Shape,
    /// What no load would refuse, but an admin may want to know.
    pub warnings: Vec<String>,
}

impl Checked {
    /// It, as one side of a comparison.
    pub fn version(&self) -> Version {
        let Artifact { plugin, version, .. } = &self.artifact;
        let title = format!("{plugin} {version}");
        Version { title, plugin: plugin.clone(), shape: self.shape.clone() }
    }
}

impl From<crate::loader::Checked> for Checked {
    fn from(checked: crate::loader::Checked) -> Self {
        let crate::loader::Checked { artifact, shape, warnings, .. } = checked;
        Self { artifact, shape, warnings }
    }
}

/// The answer of `load`.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct Loaded {
    pub server: String,
    pub generation: u64,
    pub plugin: String,
    pub version: String,
    pub schema: u32,
    pub digest: String,
    pub path: PathBuf,
    pub total_us: f64,
    /// How it would take over the state that serves.
    pub migration: &'static str,
    /// Whether `use` of it has no way back, and so wants --one-way.
    pub one_way: bool,
}

/// The answer of `use`, `swap`, `reload` and `rollback`.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct Swapped {
    pub server: String,
    /// Null in the plan of a `swap`: the generation would be a new one.
    pub generation: Option<u64>,
    pub plugin: String,
    pub version: String,
    pub from_generation: u64,
    pub from_version: Option<String>,
    pub migration: &'static str,
    /// Null in a plan.
    pub pause_us: Option<f64>,
    pub total_us: f64,
    pub dry_run: bool,
    /// Entries that the new schema cannot hold.
    pub set_aside: u64,
    /// Whether there is no way back.
    pub one_way: bool,
    /// Fields and variants that are set aside as a whole, since the new schema has none such.
    pub sets_aside: Vec<String>,
    /// The plan, field by field: of a dry run only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// Generations that were discarded to make room.
    pub discarded: Vec<u64>,
    /// The verdict of probation, if the request waited for it.
    pub probation: Option<Judged>,
}

/// The answer of `discard`.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct Discarded {
    pub server: String,
    pub generation: u64,
    pub mapped: bool,
    /// `unmapped` or `retained: <reason>`.
    pub outcome: String,
    #[serde(skip)]
    title: String,
}

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
        let (written, lag) = (render::bytes(self.position), render::bytes(self.lag_bytes));
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

/// Nanoseconds in the microseconds of the outside contract.
fn micros(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

fn total(elapsed: Duration) -> f64 {
    micros(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
}

impl Loaded {
    pub(super) fn new(
        server: &Server,
        generation: &Generation,
        migration: &Migration,
        elapsed: Duration,
    ) -> Self {
        let artifact = &generation.artifact;
        Self {
            server: server.name.clone(),
            generation: generation.number,
            plugin: artifact.plugin.clone(),
            version: artifact.version.clone(),
            schema: artifact.schema,
            digest: artifact.digest.clone(),
            path: artifact.path.clone(),
            total_us: total(elapsed),
            migration: migration.word(),
            one_way: migration.one_way.is_some(),
        }
    }

    /// `kv 2.0.0 (generation 2) is available, total 41 ms`.
    pub fn line(&self) -> String {
        let total = time::short_duration((self.total_us * 1e3) as u64);
        let (plugin, version, number) = (&self.plugin, &self.version, self.generation);
        let mut line = format!("{plugin} {version} (generation {number}) is available");
        if self.migration != "adopt" {
            line.push_str(&format!(", {}", self.migration));
        }
        if self.one_way {
            line.push_str(", one-way");
        }
        format!("{line}, total {total}")
    }
}

impl Swapped {
    fn new(
        server: &Server,
        artifact: &Artifact,
        migration: &Migration,
        switched: &Switched,
        elapsed: Duration,
    ) -> Self {
        let registry = server.registry.borrow();
        let from = registry.get(switched.from).ok();
        Self {
            server: server.name.clone(),
            generation: None,
            plugin: artifact.plugin.clone(),
            version: artifact.version.clone(),
            from_generation: switched.from,
            from_version: from.map(|g| g.artifact.version.clone()),
            migration: migration.word(),
            pause_us: None,
            total_us: total(elapsed),
            dry_run: true,
            set_aside: switched.set_aside,
            one_way: migration.one_way.is_some(),
            sets_aside: migration.sets_aside(),
            fields: Vec::new(),
            discarded: Vec::new(),
            probation: None,
        }
    }

    pub(super) fn plan(
        server: &Server,
        generation: Option<u64>,
        artifact: &Artifact,
        migration: Migration,
        switched: &Switched,
        elapsed: Duration,
    ) -> Self {
        let plan = Self::new(server, artifact, &migration, switched, elapsed);
        Self { generation, fields: migration.fields, ..plan }
    }

    pub(super) fn done(
        server: &Server,
        number: u64,
        artifact: &Artifact,
        migration: &Migration,
        switched: &Switched,
        elapsed: Duration,
    ) -> Self {
        let generation = Some(number);
        let pause_us = Some(micros(switched.pause_ns));
        let plan = Self::new(server, artifact, migration, switched, elapsed);
        Self { generation, pause_us, dry_run: false, ..plan }
    }

    /// For people: one line, and of a dry run that changes something the plan as a table.
    pub fn text(&self) -> Text {
        if self.fields.iter().all(|field| field.how == "adopt") {
            return Text::Line(self.line());
        }
        let mut lines = vec![self.line(), String::new()];
        lines.extend(render::fields(&self.fields));
        Text::Lines(lines)
    }

    /// `kv 1.0.0 -> 2.0.0 (generation 2), adopt, stop 3.2 us, total 41 ms`.
    pub fn line(&self) -> String {
        let (plugin, to, migration) = (&self.plugin, &self.version, self.migration);
        let from = self.from_version.as_deref().unwrap_or("?");
        if self.generation == Some(self.from_generation) {
            return format!(
                "{plugin} {to} (generation {}) is active already",
                self.from_generation
            );
        }
        let Some(pause_us) = self.pause_us else {
            let number = self
                .generation
                .map_or("a new generation".to_owned(), |n| format!("generation {n}"));
            let mut line = format!(
                "would be {plugin} {from} -> {to} ({number}), {migration}, {} entries set aside",
                self.set_aside
            );
            if self.one_way {
                line.push_str(", one-way");
            }
            return line;
        };
        let number = self.generation.unwrap_or_default();
        let stop = time::short_duration((pause_us * 1e3) as u64);
        let total = time::short_duration((self.total_us * 1e3) as u64);
        let mut line = format!(
            "{plugin} {from} -> {to} (generation {number}), {migration}, stop {stop}, total {total}"
        );
        if !self.sets_aside.is_empty() {
            line.push_str(&format!(", set aside {}", self.sets_aside.join(" ")));
        }
        for number in &self.discarded {
            line.push_str(&format!(", discarded generation {number}"));
        }
        if let Some(judged) = &self.probation {
            let (verdict, calls) = (judged.verdict, judged.sample.calls);
            line.push_str(&format!(", {verdict} after {:.0} s and {calls} calls", judged.seconds));
        }
        line
    }
}

impl Discarded {
    pub(super) fn new(
        server: &Server,
        generation: u64,
        title: String,
        retained: Option<Retained>,
    ) -> Self {
        let mapped = retained.is_some();
        let outcome = retained
            .map_or("unmapped".to_owned(), |retained| format!("retained: {}", retained.reason));
        Self { server: server.name.clone(), generation, mapped, outcome, title }
    }

    /// `kv 1.0.0 (generation 1) is discarded, unmapped`.
    pub fn line(&self) -> String {
        format!("{} is discarded, {}", self.title, self.outcome)
    }
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
    (since > 0).then(|| micros(crate::engine::monotonic_ns().saturating_sub(since)))
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
