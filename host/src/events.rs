//! What happened so far, counted where it happens: switches, loads, verdicts.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::engine::Switched;
use crate::error::Result;

/// Upper bounds of the stop's histogram, seconds: the stop is microseconds, and milliseconds where the
/// shape of large lists changes.
const STOP_BOUNDS_S: [f64; 12] =
    [1e-6, 2e-6, 5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 500e-6, 1e-3, 10e-3, 0.1, 1.0];
/// Upper bounds of the histogram of loads, seconds.
const LOAD_BOUNDS_S: [f64; 8] = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Switch {
    server: String,
    verb: &'static str,
    migration: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    server: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Verdict {
    server: String,
    verdict: &'static str,
    /// The rule that was broken, or `none`.
    rule: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Server {
    server: String,
}

/// Counters and histograms of what happens on the control thread. Clones count together.
#[derive(Debug, Clone)]
pub struct Events(Arc<Families>);

#[derive(Debug)]
struct Families {
    switches: Family<Switch, Counter>,
    stops: Family<Server, Histogram, fn() -> Histogram>,
    loads: Family<Outcome, Counter>,
    load_times: Family<Server, Histogram, fn() -> Histogram>,
    verdicts: Family<Verdict, Counter>,
}

impl Default for Events {
    fn default() -> Self {
        let stops: fn() -> Histogram = || Histogram::new(STOP_BOUNDS_S);
        let load_times: fn() -> Histogram = || Histogram::new(LOAD_BOUNDS_S);
        Self(Arc::new(Families {
            switches: Family::default(),
            stops: Family::new_with_constructor(stops),
            loads: Family::default(),
            load_times: Family::new_with_constructor(load_times),
            verdicts: Family::default(),
        }))
    }
}

impl Events {
    /// A switch was tried.
    pub fn switched(
        &self,
        server: &str,
        verb: &'static str,
        migration: &'static str,
        done: &Result<Switched>,
    ) {
        let (outcome, server) = (outcome(done), server.to_owned());
        if let Ok(switched) = done {
            let stop = Server { server: server.clone() };
            self.0.stops.get_or_create(&stop).observe(switched.pause_ns as f64 / 1e9);
        }
        self.0.switches.get_or_create(&Switch { server, verb, migration, outcome }).inc();
    }

    /// A load was tried.
    pub fn loaded<T>(&self, server: &str, done: &Result<T>, took: Duration) {
        let (outcome, server) = (outcome(done), server.to_owned());
        if done.is_ok() {
            let times = Server { server: server.clone() };
            self.0.load_times.get_or_create(&times).observe(took.as_secs_f64());
        }
        self.0.loads.get_or_create(&Outcome { server, outcome }).inc();
    }

    /// A probation ended, perhaps by a rule that was broken.
    pub fn judged(&self, server: &str, verdict: &'static str, rule: Option<&'static str>) {
        let (server, rule) = (server.to_owned(), rule.unwrap_or("none"));
        self.0.verdicts.get_or_create(&Verdict { server, verdict, rule }).inc();
    }

    /// Adds all of it to what a scrape shows.
    pub(super) fn register(&self, registry: &mut Registry) {
        let families = &self.0;
        let help = "Switches that were tried, by verb, migration and outcome";
        registry.register("swaps", help, families.switches.clone());
        let help = "From the last return of the old code until the new code may be called";
        registry.register_with_unit("swap_stop", help, Unit::Seconds, families.stops.clone());
        let help = "Loads that were tried, by outcome";
        registry.register("loads", help, families.loads.clone());
        let help = "Time of loads that were done, all stages";
        registry.register_with_unit("load", help, Unit::Seconds, families.load_times.clone());
        let help = "Probations that ended, by verdict and broken rule";
        registry.register("probations", help, families.verdicts.clone());
    }
}

/// `done`, or the stable code of the refusal.
fn outcome<T>(done: &Result<T>) -> &'static str {
    match done {
        Ok(_) => "done",
        Err(error) => error.code.text(),
    }
}
