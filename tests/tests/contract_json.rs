//! Goal: programs can rely on the JSON that the design page fixes: names, types, null for what is
//! absent, digests, times. Method: every field of every answer is looked at by its type.

use std::fs;
use std::path::Path;

use hotshell_tests::host::text;
use hotshell_tests::{Host, eventually, kv_v1, kv_v2, misbehave};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What a field may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Text,
    Whole,
    Number,
    Bool,
    Null,
    Path,
    Digest,
    Time,
}

#[track_caller]
fn has(object: &Value, fields: &[(&str, Is)]) {
    for &(name, is) in fields {
        let value = object.get(name).unwrap_or_else(|| panic!("{name} is missing in {object}"));
        let right = match is {
            Is::Text => value.as_str().is_some_and(|text| !text.is_empty()),
            Is::Whole => value.is_u64(),
            Is::Number => value.as_f64().is_some_and(|n| n > 0.0),
            Is::Bool => value.is_boolean(),
            Is::Null => value.is_null(),
            Is::Path => value.as_str().is_some_and(|text| Path::new(text).is_absolute()),
            Is::Digest => value.as_str().is_some_and(is_digest),
            Is::Time => value.as_str().is_some_and(is_time),
        };
        assert!(right, "{name} should be {is:?}: {value}");
    }
}

fn is_digest(text: &str) -> bool {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    text.strip_prefix("sha256:").is_some_and(|rest| rest.len() == 64 && rest.chars().all(hex))
}

fn is_time(text: &str) -> bool {
    text.ends_with('Z') && text.contains('T') && text.parse::<jiff::Timestamp>().is_ok()
}

fn digest_of(file: &Path) -> String {
    let digest = Sha256::digest(fs::read(file).expect("it is there"));
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

const LISTED: [(&str, Is); 14] = [
    ("server", Is::Text),
    ("generation", Is::Whole),
    ("plugin", Is::Text),
    ("version", Is::Text),
    ("status", Is::Text),
    ("temperature", Is::Text),
    ("schema", Is::Whole),
    ("digest", Is::Digest),
    ("path", Is::Path),
    ("loaded_at", Is::Time),
    ("permanent", Is::Bool),
    ("probation", Is::Null),
    ("rollback_target", Is::Bool),
    ("mapped", Is::Bool),
];

#[test]
fn list_has_every_generation_with_every_field() {
    let host = Host::with(kv_v1()).flags(&["--probation", "0"]).start();
    host.swap(kv_v2());
    let _client = host.resp();
    host.json(&["load", text(&kv_v1())]);
    eventually("the client is counted", || host.status("clients") == 1);
    host.json(&["discard", "3"]);
    let list = host.json(&["list"]);
    let rows = list.as_array().expect("an array");
    assert_eq!(rows.len(), 3);
    for row in rows {
        has(row, &LISTED);
        has(row, &[("sessions", Is::Whole), ("weight", Is::Whole)]);
    }
    let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("generation"), [1, 2, 3]);
    assert_eq!(column("version"), ["1.0.0", "2.0.0", "1.0.0"]);
    assert_eq!(column("status"), ["available", "active", "discarded"]);
    assert_eq!(column("temperature"), ["warm", "warm", "cold"]);
    assert_eq!(column("permanent"), [false, true, false]);
    assert_eq!(column("rollback_target"), [true, false, false]);
    assert_eq!(column("mapped"), [true, true, false]);
    assert_eq!(column("weight"), [0, 100, 0]);
    assert_eq!(column("sessions"), [0, 1, 0]);
}

#[test]
fn a_digest_is_that_of_the_file() {
    let host = Host::start(kv_v1());
    let swapped = host.json(&["load", text(&kv_v2())]);
    assert_eq!(swapped["digest"], digest_of(&kv_v2()));
    let list = host.json(&["list"]);
    assert_eq!(list[0]["digest"], digest_of(&kv_v1()));
    assert_eq!(list[1]["digest"], digest_of(&kv_v2()));
    assert_eq!(host.json(&["check", text(&kv_v2())])["digest"], digest_of(&kv_v2()));
}

#[test]
fn use_swap_reload_and_rollback_answer_alike() {
    let host = Host::start(kv_v1());
    let swapped = |answer: &Value, generation: u64, version: &str, from: u64, how: &str| {
        has(
            answer,
            &[
                ("server", Is::Text),
                ("generation", Is::Whole),
                ("plugin", Is::Text),
                ("version", Is::Text),
                ("from_generation", Is::Whole),
                ("migration", Is::Text),
                ("pause_us", Is::Number),
                ("total_us", Is::Number),
            ],
        );
        assert_eq!(answer["generation"], generation);
        assert_eq!(answer["version"], version);
        assert_eq!(answer["from_generation"], from);
        assert_eq!(answer["migration"], how);
        let (pause, total) = (answer["pause_us"].as_f64(), answer["total_us"].as_f64());
        assert!(pause < total, "the stop is a part of the whole: {answer}");
    };
    swapped(&host.swap(kv_v2()), 2, "2.0.0", 1, "by-name");
    swapped(&host.json(&["rollback"]), 1, "1.0.0", 2, "by-name");
    swapped(&host.json(&["use", "2"]), 2, "2.0.0", 1, "by-name");
    swapped(&host.json(&["reload"]), 3, "2.0.0", 2, "adopt");
    swapped(&host.json(&["reload", text(&kv_v1())]), 4, "1.0.0", 3, "by-name");
}

#[test]
fn status_has_every_field_and_null_for_what_is_absent() {
    let host = Host::start(kv_v1());
    let fields = [
        ("server", Is::Text),
        ("pid", Is::Whole),
        ("uptime_s", Is::Whole),
        ("clients", Is::Whole),
        ("calls", Is::Whole),
        ("panics", Is::Whole),
        ("swaps", Is::Whole),
        ("state_bytes", Is::Whole),
        ("set_aside", Is::Whole),
        ("generations_resident", Is::Whole),
        ("started_from", Is::Path),
        ("started_at", Is::Time),
    ];
    let before = host.json(&["status"]);
    has(&before, &fields);
    has(&before, &[("swap_pause_us_max", Is::Null), ("busy", Is::Null)]);
    assert_eq!(before["pid"], host.pid());
    assert_eq!(before["started_from"], text(&kv_v1()));
    let mut client = host.resp();
    client.call(&["SET", "k", &"x".repeat(100_000)]);
    host.swap(kv_v2());
    let after = host.json(&["status"]);
    has(&after, &fields);
    has(&after, &[("swap_pause_us_max", Is::Number)]);
    assert_eq!((&after["swaps"], &after["clients"]), (&1.into(), &1.into()));
    assert_eq!(after["generations_resident"], 2);
    assert_eq!(after["started_from"], text(&kv_v1()), "what it was started from stays");
    let grown = after["state_bytes"].as_u64() > before["state_bytes"].as_u64().map(|b| b + 100_000);
    assert!(grown, "the value is in the state: {before} {after}");
    assert!(after["calls"].as_u64() > before["calls"].as_u64());
}

#[test]
fn what_is_under_way_is_told_with_who_asked_and_since_when() {
    let host = Host::patient(kv_v1());
    let hangs = host.folder.write("hangs.so", &misbehave("ctor-hang"));
    let mut holder = host.admin();
    holder.send(format!("load {}\r\n", hangs.display()));
    eventually("the load is under way", || !host.json(&["status"])["busy"].is_null());
    let busy = host.json(&["status"])["busy"].clone();
    has(&busy, &[("verb", Is::Text), ("what", Is::Path), ("by", Is::Text), ("since", Is::Time)]);
    assert_eq!(busy["verb"], "load");
    assert_eq!(busy["by"], format!("admin pid {}", std::process::id()));
}

#[test]
fn numbers_start_at_1_and_never_come_again() {
    let host = Host::start(kv_v1());
    let bad = host.folder.write("bad.so", b"no plugin");
    assert_eq!(host.json(&["load", text(&kv_v2())])["generation"], 2);
    host.json(&["discard", "2"]);
    host.refused(1, &["load", text(&bad)]);
    host.refused(1, &["swap", text(&bad)]);
    assert_eq!(host.json(&["load", text(&kv_v2())])["generation"], 3, "a failed load takes none");
    host.json(&["discard", "3"]);
    assert_eq!(host.swap(kv_v2())["generation"], 4, "a discarded number does not come again");
}

#[test]
fn an_error_object_has_its_four_parts_for_every_kind_of_failure() {
    let host = Host::start(kv_v1());
    let bad = host.folder.write("bad.so", b"no plugin");
    for (code, args) in [
        (1, &["swap", text(&bad)][..]),
        (1, &["use", "9"]),
        (1, &["discard", "1"]),
        (1, &["rollback"]),
        (1, &["status", "--server", "nobody"]),
        (2, &["swap"]),
        (2, &["frobnicate"]),
    ] {
        let error = host.refused(code, args);
        let text = |part: &str| error[part].as_str().unwrap_or("").to_owned();
        assert!(!text("message").is_empty() && !text("hint").is_empty(), "{args:?}: {error}");
        let upper = |c: char| c.is_ascii_uppercase();
        assert!(text("code").chars().all(upper), "{args:?}: {error}");
    }
}
