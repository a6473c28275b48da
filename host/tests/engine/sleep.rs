//! Goal: an engine without work sleeps, also after it has lingered for more.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use crate::harness::{Host, PATIENCE};

/// The state letter of the engine's thread and how often it went to sleep, as the system counts it.
fn thread(host: &Host) -> (char, u64) {
    let id = host.engine.counters.thread.load(Relaxed);
    let read = |file| std::fs::read_to_string(format!("/proc/self/task/{id}/{file}")).unwrap();
    let stat = read("stat");
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).expect("a state");
    let status = read("status");
    let slept = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    (state, slept.and_then(|n| n.trim().parse().ok()).expect("a count"))
}

#[test]
fn the_engine_sleeps_after_every_request_that_no_other_follows() {
    let host = Host::start();
    let mut client = host.connect();
    for n in 0..200 {
        let (_, before) = thread(&host);
        assert_eq!(client.ask(&format!("r{n}")), format!("r{n} ok"));
        let deadline = Instant::now() + PATIENCE;
        while thread(&host).0 != 'S' || thread(&host).1 == before {
            assert!(Instant::now() < deadline, "awake after request {n}");
            std::thread::yield_now();
        }
    }
}
