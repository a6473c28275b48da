//! What verbs answer: one struct each, which is its JSON, and its lines for people.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::Server;
use super::probation::Judged;
use crate::engine::{Switched, Whole};
use crate::generation::{Artifact, Shape};
use crate::limits::STOP_ELEMENTS_MAX;
use crate::loader::Retained;
use crate::migration::{Field, Migration, Version};
use crate::registry::Generation;
use crate::time;

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
    /// Page faults in that time. Null in a plan.
    pub pause_faults: Option<u64>,
    pub total_us: f64,
    pub dry_run: bool,
    /// Entries that the new schema cannot hold.
    pub set_aside: u64,
    /// Elements of lists, and entries of trees that may lose some, that would be converted while nobody is
    /// served. Null but in a plan.
    pub stop_elements: Option<u64>,
    /// About how long that would take; null when it cannot be told, and but in a plan.
    pub stop_expected_us: Option<f64>,
    /// Whether there is no way back.
    pub one_way: bool,
    /// Fields and variants that are set aside as a whole, since the new schema has none such.
    pub sets_aside: Vec<String>,
    /// Fields whose values may not all fit the new schema: those that do not are set aside.
    pub may_not_fit: Vec<String>,
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

/// Nanoseconds in the microseconds of the outside contract.
pub(super) fn micros(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

/// Paths for one line; `--json` has all of them.
fn some_of(paths: &[String]) -> String {
    const MOST: usize = 4;
    let mut text = paths.iter().take(MOST).cloned().collect::<Vec<_>>().join(" ");
    if paths.len() > MOST {
        text.push_str(&format!(" and {} more", paths.len() - MOST));
    }
    text
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
            pause_faults: None,
            total_us: total(elapsed),
            dry_run: true,
            set_aside: switched.set_aside,
            stop_elements: None,
            stop_expected_us: None,
            one_way: migration.one_way.is_some(),
            sets_aside: migration.sets_aside(),
            may_not_fit: migration.may_not_fit(),
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
        let Whole { elements, expected_ns } = switched.whole;
        let stop_expected_us = (expected_ns > 0).then(|| micros(expected_ns));
        let (stop_elements, fields) = (Some(elements), migration.fields);
        Self { generation, stop_elements, stop_expected_us, fields, ..plan }
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
        let pause_faults = Some(switched.faults);
        let plan = Self::new(server, artifact, migration, switched, elapsed);
        Self { generation, pause_us, pause_faults, dry_run: false, ..plan }
    }

    /// What a plan converts at once: `, 120000 elements at once, about 12 ms: wants --allow-stop`.
    fn stop(&self) -> String {
        let Some(elements) = self.stop_elements.filter(|elements| *elements > 0) else {
            return String::new();
        };
        let mut text = format!(", {elements} elements at once");
        if let Some(us) = self.stop_expected_us {
            text.push_str(&format!(", about {}", time::short_duration((us * 1e3) as u64)));
        }
        if elements > STOP_ELEMENTS_MAX {
            text.push_str(": wants --allow-stop");
        }
        text
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
            line.push_str(&self.stop());
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
            line.push_str(&format!(", set aside {}", some_of(&self.sets_aside)));
        }
        if !self.may_not_fit.is_empty() {
            line.push_str(&format!(", what does not fit of {}", some_of(&self.may_not_fit)));
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
