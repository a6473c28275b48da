//! Goal: the benchmark of kv measures what it says, of all tests, shapes and acts; that of durability loses
//! and doubles nothing in any scene. Method: slices of them, small enough for a test; figures that depend
//! on the machine are looked at and not judged.

use std::process::Command;

use hotshell_tests::cli::peer;
use hotshell_tests::{artifacts, kv_v2, misbehave};
use serde_json::Value;

fn bench(args: &[&str]) -> Value {
    // The programs lie beside each other.
    let bench = artifacts::plugin("kv-v2").with_file_name("hotshell-bench");
    let output = Command::new(bench).arg("--json").args(args).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn the_kv_benchmark_measures_requests_memory_and_stops_against_redis() {
    if peer("redis-server").is_none() || peer("redis-benchmark").is_none() {
        return;
    }
    let _built = kv_v2();
    let report = bench(&[
        "kv",
        "--requests",
        "4000",
        "--rounds",
        "1",
        "--keyspace",
        "100",
        "--pipeline",
        "16",
        "--elements",
        "20000",
        "--large",
        "20000",
        "--shapes",
        "string of 12,hash of 10000",
    ]);
    let tables = report["tables"].as_array().expect("tables");
    let rows = |n: usize| tables[n]["rows"].as_array().expect("rows");
    let counts = [tables.len(), rows(0).len(), rows(1).len()];
    assert_eq!(counts, [5, 19, 19], "every default test of redis-benchmark, by both clients");
    for row in rows(0).iter().chain(rows(1)) {
        let figures: Vec<f64> = row.as_array().expect("cells")[2..5]
            .iter()
            .map(|cell| cell.as_f64().unwrap_or(f64::NAN))
            .collect();
        assert!(figures.iter().all(|n| *n > 0.0), "{row}");
        assert!((figures[0] / figures[1] - figures[2]).abs() < 1e-6, "{row}");
    }
    for row in rows(2) {
        let bytes = row[2].as_f64().expect("a figure");
        assert!(bytes > 16.0, "a key takes memory: {row}");
    }
    assert!(rows(3).len() > 10, "removing and filling is looked at");
    for row in rows(4) {
        assert!(
            row[2].as_f64().is_some() && row[3].as_f64().is_some(),
            "each call is timed: {row}"
        );
    }
    let bars = report["bars"].as_array().expect("bars");
    assert!(bars.iter().all(|bar| bar["pass"].is_boolean()));
}

/// Each scene comes twice with each policy: load, swaps and rollbacks in any stage, rotation, snapshots,
/// drains, and what a change of shape gives up.
#[test]
fn kills_in_every_scene_lose_and_double_nothing() {
    for package in ["kv-v1", "kv-v2", "ledger-v1", "ledger-v2"] {
        artifacts::plugin(package);
    }
    let seed = "3";
    println!("seed {seed}");
    let report = bench(&["durability", "--parts", "kill", "--rounds", "32", "--seed", seed]);
    let notes = report["notes"].as_array().expect("notes");
    let scenes: Vec<&str> =
        notes.iter().filter_map(|note| note.as_str()?.strip_prefix("kill -9, always: ")).collect();
    assert_eq!(scenes.len(), 8, "{scenes:?}");
    assert!(scenes.iter().all(|scene| !scene.starts_with("0 rounds")), "{scenes:?}");
    let rows = report["tables"][0]["rows"].as_array().expect("rows");
    for row in rows {
        let [rounds, acknowledged] = [&row[1], &row[2]].map(|n| n.as_u64().expect("a number"));
        assert!(rounds == 16 && acknowledged > 100, "{row}");
    }
    let bars = report["bars"].as_array().expect("bars");
    assert_eq!(bars.len(), 4, "missing and doubled, with always and with everysec");
    // How old a write may be that is lost is a bar of the bench program: a test's machine may stand still.
    let (timed, counted): (Vec<_>, Vec<_>) = bars
        .iter()
        .partition(|bar| bar["what"].as_str().is_some_and(|what| what.contains("age of")));
    assert!(counted.len() == 3 && counted.iter().all(|bar| bar["pass"] == true), "{bars:?}");
    assert!(timed[0]["measured"].is_number(), "{bars:?}");
}

#[test]
fn swaps_between_the_versions_of_kv_lose_nothing() {
    for package in ["kv-v1", "kv-v2"] {
        artifacts::plugin(package);
    }
    let report = bench(&["versions", "--keys", "3000", "--streams", "20", "--rounds", "2"]);
    let rows = report["tables"][0]["rows"].as_array().expect("rows");
    let set_aside: Vec<f64> = rows.iter().filter_map(|row| row[4].as_f64()).collect();
    assert_eq!(set_aside, [0.0, 20.0, 0.0, 20.0], "{rows:?}");
    let bars = report["bars"].as_array().expect("bars");
    assert_eq!(bars.len(), 5);
    assert_eq!((&bars[4]["measured"], &bars[4]["pass"]), (&0.0.into(), &true.into()), "{bars:?}");
}

#[test]
fn the_probation_benchmark_measures_storms_and_endless_loops() {
    let _built = (kv_v2(), misbehave("none"));
    let report = bench(&["probation", "--rounds", "1", "--clients", "5"]);
    let rows = report["tables"][0]["rows"].as_array().expect("rows");
    let figures: Vec<f64> = rows.iter().filter_map(|row| row[2].as_f64()).collect();
    assert!(figures[..3].iter().all(|time| *time > 0.0), "{figures:?}");
    assert!(figures[3] >= 3.0, "panics beyond the limit: {figures:?}");
    assert_eq!(figures[4..], [0.0], "connections lost");
}
