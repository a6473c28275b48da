//! `/metrics`: what Prometheus reads, in base units. Made anew for each scrape, from what `status` says.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{Seen, Window};
use crate::control::{JournalStatus, Status};
use crate::life::{Far, Phase};

/// What the text is, for the scraper.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;
/// A figure of every server that has a `T`.
struct Figure<T> {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    /// It only rises, until the process ends.
    counts: bool,
    value: fn(&T) -> f64,
}

const fn count<T>(
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    value: fn(&T) -> f64,
) -> Figure<T> {
    Figure { name, help, unit, counts: true, value }
}

const fn level<T>(
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    value: fn(&T) -> f64,
) -> Figure<T> {
    Figure { name, help, unit, counts: false, value }
}

/// What is known of every server.
const OF_SERVERS: &[Figure<Status>] = &[
    count("connections", "Connections accepted", None, |s| s.connections as f64),
    count("connections_rejected", "Turned away at max-clients", None, |s| s.rejected as f64),
    count("calls", "Requests that the plugin was called for", None, |s| s.calls as f64),
    count("failed_replies", "Replies that the plugin marked as failed", None, |s| s.failed as f64),
    count("panics", "Calls of the plugin that panicked", None, |s| s.panics as f64),
    count("conversions_panicked", "Values whose conversion panicked, now set aside", None, |s| {
        s.conversions_panicked as f64
    }),
    count("received", "Read from clients", Some(Unit::Bytes), |s| s.bytes_in as f64),
    count("sent", "Sent to clients", Some(Unit::Bytes), |s| s.bytes_out as f64),
    level("clients", "Connected now", None, |s| s.clients as f64),
    level("uptime", "Since the host started", Some(Unit::Seconds), |s| s.uptime_s as f64),
    level("generation", "Number of the active generation", None, |s| s.generation as f64),
    level("generations_resident", "Generations that are mapped and ready", None, |s| {
        s.generations_resident as f64
    }),
    level("images_retained", "Images of discarded generations that stayed mapped", None, |s| {
        s.images_retained as f64
    }),
    level("state", "Memory of the server's state", Some(Unit::Bytes), |s| s.state_bytes as f64),
    level("state_peak", "The most so far", Some(Unit::Bytes), |s| s.state_bytes_peak as f64),
    level("set_aside", "Parts of the state that the active schema cannot hold", None, |s| {
        s.set_aside as f64
    }),
    count("overtaken", "Parts set aside that could not return, and were exported", None, |s| {
        s.overtaken as f64
    }),
    level("draining", "Entries and sessions left to be converted", None, |s| s.draining as f64),
    level("probation", "1 while a new generation is watched", None, |s| {
        f64::from(s.probation.is_some())
    }),
    level("snapshot_running", "1 while a snapshot is taken", None, |s| {
        f64::from(s.snapshot_running)
    }),
    level("call_running", "How long the running call has taken", Some(Unit::Seconds), |s| {
        s.call_running_us.unwrap_or(0.0) / 1e6
    }),
];

/// What is known of every journal.
const OF_JOURNALS: &[Figure<JournalStatus>] = &[
    count("journal", "Written since the journal began", Some(Unit::Bytes), |j| j.position as f64),
    count("journal_syncs", "Syncs of the journal", None, |j| j.syncs as f64),
    count("journal_sync", "Time of all syncs", Some(Unit::Seconds), |j| j.sync_us_total / 1e6),
    level("journal_sync_max", "The longest sync", Some(Unit::Seconds), |j| j.sync_us_max / 1e6),
    level("journal_lag", "Not on disk yet", Some(Unit::Bytes), |j| j.lag_bytes as f64),
    level("journal_waiting", "1 while answers wait for a full or slow disk", None, |j| {
        f64::from(j.state != "ok")
    }),
];

/// The text of one scrape.
pub fn text(window: &Window, seen: &[Seen]) -> String {
    let mut registry = Registry::with_prefix("hotshell");
    let up = Gauge::<i64>::default();
    up.set(i64::from(window.life.phase() == Phase::Serving));
    registry.register("serving", "1 while servers answer clients", up);
    let version = env!("CARGO_PKG_VERSION").to_owned();
    gauge(&mut registry, "build_info", "The host", None, [(vec![("version", version)], 1.0)]);
    window.events.register(&mut registry);
    loading(&mut registry, &window.life.far());
    let server = |seen: &Seen| vec![("server", seen.status.server.clone())];
    let servers: Vec<_> = seen.iter().map(|seen| (server(seen), &seen.status)).collect();
    let journals =
        seen.iter().filter_map(|seen| Some((server(seen), seen.status.journal.as_ref()?)));
    let journals: Vec<_> = journals.collect();
    figures(&mut registry, OF_SERVERS, &servers);
    figures(&mut registry, OF_JOURNALS, &journals);
    plugins(&mut registry, seen);
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    text
}

/// What a start reads back; stays at its last value afterwards.
fn loading(registry: &mut Registry, far: &[Far]) {
    let server = |far: &Far| vec![("server", far.server.clone())];
    let rows = far.iter().map(|far| (server(far), far.loading_bytes as f64));
    gauge(registry, "loading", "Read back by the start so far", Some(Unit::Bytes), rows);
    let rows = far.iter().map(|far| (server(far), far.loading_of_bytes as f64));
    gauge(registry, "loading_of", "What the start reads back", Some(Unit::Bytes), rows);
}

fn figures<T>(registry: &mut Registry, figures: &[Figure<T>], of: &[(Labels, &T)]) {
    for Figure { name, help, unit, counts, value } in figures {
        let rows = of.iter().map(|(labels, of)| (labels.clone(), value(of)));
        match counts {
            true => counter(registry, name, help, unit.clone(), rows),
            false => gauge(registry, name, help, unit.clone(), rows),
        }
    }
}

/// What is not a number, and what the plugins count themselves.
fn plugins(registry: &mut Registry, seen: &[Seen]) {
    let infos = seen.iter().map(|Seen { status, .. }| {
        let labels = vec![
            ("server", status.server.clone()),
            ("plugin", status.plugin.clone()),
            ("version", status.version.clone()),
        ];
        (labels, 1.0)
    });
    gauge(registry, "plugin_info", "The active plugin", None, infos);
    let judged = seen.iter().filter_map(|Seen { status, .. }| {
        let judged = status.last_probation.as_ref()?;
        let labels = vec![
            ("server", status.server.clone()),
            ("generation", judged.generation.to_string()),
            ("verdict", judged.verdict.to_owned()),
            ("rule", judged.rule.unwrap_or("none").to_owned()),
            ("reason", judged.reason.clone().unwrap_or_default()),
        ];
        Some((labels, 1.0))
    });
    let help = "How the last probation ended, and the numbers that tipped it";
    gauge(registry, "last_probation_info", help, None, judged);
    let ages = seen.iter().filter_map(|Seen { status, .. }| {
        Some((vec![("server", status.server.clone())], status.snapshot_age_s?))
    });
    let help = "Since the last snapshot of this process was on disk";
    gauge(registry, "snapshot_age", help, Some(Unit::Seconds), ages);
    let closed = seen.iter().flat_map(|Seen { status, .. }| {
        let labels =
            |reason: &str| vec![("server", status.server.clone()), ("reason", reason.to_owned())];
        [
            (labels("unsent"), status.closed_slow as f64),
            (labels("unread"), status.closed_unread as f64),
        ]
    });
    let help = "Clients that were closed at a limit: output unsent, or a request too long";
    counter(registry, "clients_closed", help, None, closed);
    let counted = seen.iter().flat_map(|Seen { status, .. }| {
        status.plugin_counters.iter().map(|(name, value)| {
            let labels = vec![("server", status.server.clone()), ("name", name.clone())];
            (labels, *value as f64)
        })
    });
    gauge(registry, "plugin_counter", "What the plugin counts, by its own names", None, counted);
}

fn counter(
    registry: &mut Registry,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    rows: impl IntoIterator<Item = (Labels, f64)>,
) {
    let family = Family::<Labels, Counter<f64, std::sync::atomic::AtomicU64>>::default();
    for (labels, value) in rows {
        family.get_or_create(&labels).inc_by(value);
    }
    register(registry, name, help, unit, family);
}

fn gauge(
    registry: &mut Registry,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    rows: impl IntoIterator<Item = (Labels, f64)>,
) {
    let family = Family::<Labels, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
    for (labels, value) in rows {
        family.get_or_create(&labels).set(value);
    }
    register(registry, name, help, unit, family);
}

fn register(
    registry: &mut Registry,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    metric: impl prometheus_client::registry::Metric,
) {
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, metric),
        None => registry.register(name, help, metric),
    }
}
