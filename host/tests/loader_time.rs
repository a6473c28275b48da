//! A measurement, not a test: where the time of a load goes.
//! `cargo test --release -p hotshell --test loader_time -- --ignored --nocapture`
//! `PLUGIN=/path/of/any.so` in the environment measures another plugin than `misbehave`.

mod loader_support;

use std::path::PathBuf;
use std::time::Duration;

use hotshell::loader::Timings;
use loader_support::{bench, misbehave};

const LOADS: usize = 50;

#[test]
#[ignore = "a measurement"]
fn load_by_stage() {
    let bench = bench();
    let path = std::env::var_os("PLUGIN")
        .map_or_else(|| bench.file("plugin.so", &misbehave("none")), PathBuf::from);
    let mut all: Vec<Timings> = (0..LOADS)
        .map(|_| {
            let loaded = bench.load(&path).expect("a load");
            loaded.image.unmap();
            loaded.timings
        })
        .collect();
    all.sort_by_key(Timings::total);
    let say = |name: &str, pick: fn(&Timings) -> Duration| {
        let mut times: Vec<Duration> = all.iter().map(pick).collect();
        times.sort();
        println!("{name:10} median {:>9.2?}  max {:>9.2?}", times[LOADS / 2], times[LOADS - 1]);
    };
    say("fetch", |t| t.fetch);
    say("inspect", |t| t.inspect);
    say("stage", |t| t.stage);
    say("vet", |t| t.vet);
    say("map", |t| t.map);
    say("handshake", |t| t.handshake);
    say("total", Timings::total);
}
