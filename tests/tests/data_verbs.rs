//! Goal: an operator sees what a folder of data holds, whether it is sound, and what the way on is.
//! Method: `hotshell data` on folders that real hosts have written, some damaged on purpose.

use std::fs;
use std::path::{Path, PathBuf};

use hotshell_tests::artifacts::plugin;
use hotshell_tests::files::{Folder, kv_v1};
use hotshell_tests::host::{Host, text};
use hotshell_tests::{Ran, hotshell};
use serde_json::{Value, json};

/// Bytes of a segment's head.
const HEAD: usize = 96;

/// Bytes of the mark behind each sync, and so here behind each frame.
const MARK: usize = 20;

/// A folder that a host has written `keys` keys to, one call each, before it was killed: a graceful stop
/// would take a snapshot.
fn written(folder: &Folder, keys: usize) -> PathBuf {
    let data = folder.at("data");
    let flags = ["--data", text(&data), "--fsync", "always"];
    let mut host = Host::with(kv_v1()).flags(&flags).start();
    let mut client = host.resp();
    for n in 0..keys {
        client.call(&["SET", &format!("key-{n}"), "value"]);
    }
    host.signal(libc::SIGKILL);
    host.wait();
    data
}

fn data(verb: &str, folder: &Path) -> Ran {
    hotshell(["data", verb, text(folder), "--json"])
}

fn inspected(folder: &Path) -> Value {
    data("inspect", folder).expect(0).json()
}

/// The journal's only file.
fn journal(folder: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join("main"))
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|end| end == "hsj"))
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[test]
fn inspect_tells_files_sizes_records_and_the_newest_time() {
    let folder = Folder::new();
    let dir = written(&folder, 7);
    let survey = inspected(&dir);
    assert_eq!(survey["host_pid"], Value::Null);
    let server = &survey["servers"][0];
    assert_eq!((&server["server"], &server["frames"]), (&"main".into(), &7.into()));
    assert_eq!((&server["records"], &server["torn"]), (&7.into(), &Value::Null));
    assert_eq!(server["problems"], Value::Array(Vec::new()));
    let file = journal(&dir);
    let size = fs::metadata(&file).expect("there").len();
    assert_eq!(server["position"], size - (HEAD + 7 * MARK) as u64);
    let files = server["files"].as_array().expect("files");
    let of = |kind: &str| files.iter().find(|file| file["kind"] == kind).expect(kind);
    assert_eq!((&of("journal")["bytes"], &of("journal")["first"]), (&size.into(), &0.into()));
    assert_eq!(of("journal")["generation"], 1);
    assert_eq!(of("journal")["digest"], of("artifact")["digest"], "the artifact that wrote it");
    assert_eq!(of("journal")["changed_at"], server["newest_at"]);
    assert!(server["permanent"].as_str().is_some_and(|text| text.starts_with("kv 1.0.0 (sha256:")));
    let shown = hotshell(["data", "inspect", text(&dir)]).expect(0).stdout;
    assert!(shown.contains("on which no host runs"), "{shown}");
    assert!(shown.contains("7 calls with 7 records, newest 20"), "{shown}");
    assert!(shown.contains("starts from kv 1.0.0"), "{shown}");
    assert!(shown.lines().all(|line| line.len() <= 160), "{shown}");
}

#[test]
fn a_folder_is_looked_at_while_a_host_runs_on_it_and_the_host_is_named() {
    let folder = Folder::new();
    let dir = folder.at("data");
    let host = Host::with(kv_v1()).flags(&["--data", text(&dir), "--fsync", "always"]).start();
    host.resp().call(&["SET", "key", "value"]);
    let survey = inspected(&dir);
    assert_eq!(survey["host_pid"], host.pid());
    assert_eq!(survey["servers"][0]["frames"], 1);
    data("check", &dir).expect(0);
    let shown = hotshell(["data", "check", text(&dir)]).expect(0).stdout;
    assert!(shown.contains(&format!("on which a host runs, pid {}", host.pid())), "{shown}");
    assert_eq!(host.resp().call(&["GET", "key"]).text(), "value", "the host has noticed nothing");
}

#[test]
fn check_refuses_a_flipped_bit_with_the_place_what_is_lost_and_a_command_that_works() {
    let folder = Folder::new();
    let dir = written(&folder, 3);
    data("check", &dir).expect(0);
    let file = journal(&dir);
    let mut bytes = fs::read(&file).expect("readable");
    let frame = (bytes.len() - HEAD) / 3 - MARK;
    let place = HEAD + frame + MARK;
    bytes[place + 20] ^= 4;
    fs::write(&file, &bytes).expect("writable");
    let checked = data("check", &dir).expect(1).json();
    let problem = &checked["servers"][0]["problems"][0];
    assert_eq!(problem["code"], "DATA");
    let message = problem["message"].as_str().expect("a text");
    assert!(message.ends_with(&format!("is damaged at byte {place}")), "{message}");
    let lost = problem["detail"].as_str().expect("a text");
    assert!(
        lost.contains(&format!("{} bytes from there on are lost", bytes.len() - place)),
        "{lost}"
    );
    let ran = hotshell(["data", "check", text(&dir)]).expect(1);
    assert!(ran.stdout.contains("DAMAGED"), "{}", ran.stdout);
    assert!(
        ran.stderr.starts_with("error: ") && ran.stderr.contains("\n  why: "),
        "{}",
        ran.stderr
    );
    data("inspect", &dir).expect(0);
    assert_eq!(fs::read(&file).expect("readable"), bytes, "looking changes nothing");
    let hint = problem["hint"].as_str().expect("a text");
    let command = hint.split('`').nth(1).expect("a command");
    let done = std::process::Command::new("sh").args(["-c", command]).status().expect("sh runs");
    assert!(done.success());
    data("check", &dir).expect(0);
    let host = Host::with(kv_v1()).flags(&["--data", text(&dir)]).start();
    assert_eq!(host.resp().call(&["DBSIZE"]).int(), 1);
}

#[test]
fn a_torn_end_is_no_damage_and_its_bytes_are_counted_here_and_by_the_start() {
    let folder = Folder::new();
    let dir = written(&folder, 2);
    let file = journal(&dir);
    let whole = fs::read(&file).expect("readable");
    fs::write(&file, &whole[..whole.len() - MARK - 5]).expect("writable");
    let checked = data("check", &dir).expect(0).json();
    let frame = (whole.len() - HEAD) / 2 - MARK;
    let (torn, at) = (&checked["servers"][0]["torn"], HEAD + frame + MARK);
    assert_eq!((&torn["bytes"], &torn["offset"]), (&(frame - 5).into(), &at.into()));
    let shown = hotshell(["data", "check", text(&dir)]).expect(0).stdout;
    let said = format!("the last {} bytes of '", frame - 5);
    assert!(shown.contains(&said) && shown.contains("a start cuts it off"), "{shown}");
    let host = Host::with(kv_v1()).flags(&["--data", text(&dir)]).start();
    host.logs("cut off what a crash left unfinished");
    assert!(host.log().contains(&format!("bytes={}", frame - 5)), "{}", host.log());
    assert_eq!(host.resp().call(&["DBSIZE"]).int(), 1);
}

#[test]
fn a_file_of_a_newer_version_and_a_damaged_artifact_are_named() {
    let folder = Folder::new();
    let dir = written(&folder, 1);
    let file = journal(&dir);
    let sound = fs::read(&file).expect("readable");
    let mut newer = sound.clone();
    newer[8] = 9;
    fs::write(&file, &newer).expect("writable");
    let problem = data("check", &dir).expect(1).json()["servers"][0]["problems"][0].clone();
    assert_eq!(problem["detail"], "it has format 9, this version reads 2");
    fs::write(&file, &sound).expect("writable");
    let artifacts = fs::read_dir(dir.join("main/artifacts")).expect("readable");
    let artifact = artifacts.map(|entry| entry.expect("readable").path()).next().expect("one");
    let mut permissions = fs::metadata(&artifact).expect("there").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o700);
    fs::set_permissions(&artifact, permissions).expect("ours");
    fs::write(&artifact, b"no plugin").expect("writable");
    let problem = data("check", &dir).expect(1).json()["servers"][0]["problems"][0].clone();
    let message = problem["message"].as_str().expect("a text");
    assert!(message.starts_with("the artifact '") && message.ends_with("is damaged"), "{message}");
    fs::remove_file(&artifact).expect("ours");
    let problem = data("check", &dir).expect(1).json()["servers"][0]["problems"][0].clone();
    let gone = format!("the artifact '{}' is gone", artifact.display());
    assert_eq!(problem["message"], gone.as_str());
    let why = problem["detail"].as_str().expect("a text");
    assert!(why.starts_with("the next start is from it: it is kv 1.0.0, loaded from '"), "{why}");
}

#[test]
fn whoever_reads_no_further_than_the_first_lines_of_an_export_hears_of_no_failure() {
    let folder = Folder::new();
    let dir = folder.at("data");
    let mut host = Host::with(kv_v1()).flags(&["--data", text(&dir), "--fsync", "always"]).start();
    // More than a pipe holds.
    host.resp().call(&["SET", "large", &"x".repeat(1 << 20)]);
    host.signal(libc::SIGKILL);
    host.wait();
    let mut exporting = hotshell_tests::cli::command()
        .args(["data", "export", text(&dir)])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(exporting.stdout.take());
    let ended = exporting.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn a_snapshot_is_counted_verified_and_named_and_a_flipped_bit_in_it_is_refused() {
    let folder = Folder::new();
    let dir = folder.at("data");
    let mut host = Host::with(kv_v1()).flags(&["--data", text(&dir)]).start();
    for n in 0..5 {
        host.resp().call(&["SET", &format!("key-{n}"), "value"]);
    }
    host.json(&["snapshot"]);
    host.resp().call(&["SET", "after", "value"]);
    host.signal(libc::SIGTERM);
    assert!(host.wait().success());
    let survey = data("check", &dir).expect(0).json();
    let files = survey["servers"][0]["files"].as_array().expect("files").clone();
    let snapshot = files.iter().find(|file| file["kind"] == "snapshot").expect("one");
    assert!(snapshot["records"].as_u64().is_some_and(|entries| entries >= 5), "{snapshot}");
    let said = hotshell(["data", "export", text(&dir)]).expect(0).stdout;
    assert!(
        said.lines().next().is_some_and(|line| line.contains("\"kind\":\"snapshot\"")),
        "{said}"
    );
    let file = dir.join("main").join(snapshot["file"].as_str().expect("a name"));
    let mut bytes = fs::read(&file).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).expect("writable");
    let problem = data("check", &dir).expect(1).json()["servers"][0]["problems"][0].clone();
    let message = problem["message"].as_str().expect("a text");
    assert!(message.starts_with("the snapshot '") && message.contains("is damaged at byte "));
    assert_eq!(fs::read(&file).expect("readable"), bytes, "looking changes nothing");
}

#[test]
fn export_shows_a_snapshot_by_its_schema_without_the_plugin_that_wrote_it() {
    let folder = Folder::new();
    let dir = folder.at("data");
    let flags = ["--data", text(&dir), "--fsync", "always"];
    let mut host = Host::with(kv_v1()).flags(&flags).start();
    let mut client = host.resp();
    client.call(&["SET", "name", "value"]);
    client.call(&["HSET", "hash", "field", "inside"]);
    client.call(&["SELECT", "3"]);
    client.call(&["SET", "third", "\u{1}\u{2}"]);
    host.json(&["snapshot"]);
    client.call(&["SET", "later", "x"]);
    host.signal(libc::SIGKILL);
    host.wait();
    fs::remove_dir_all(dir.join("main/artifacts")).expect("the copies were there");
    let said = hotshell(["data", "export", text(&dir)]).expect(0).stdout;
    let lines: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut kinds: Vec<&str> =
        lines.iter().map(|line| line["kind"].as_str().expect("a kind")).collect();
    kinds.dedup();
    assert_eq!(kinds, ["snapshot", "root", "session", "entry", "call"]);
    assert_eq!((&lines[0]["schema"], &lines[0]["generation"]), (&1.into(), &1.into()));
    assert_eq!(lines[1]["value"]["dbs"][0]["keys"]["entries"], 2);
    assert_eq!(lines[2]["value"]["db"], 3, "the client had selected it");
    let entry = |key: &str| lines.iter().find(|line| line["key"] == key).expect(key);
    assert_eq!(entry("name")["map"], "dbs[0].keys");
    assert!(entry("name")["value"].to_string().contains("\"value\""), "{}", entry("name"));
    // A small hash is one block of bytes, with `inside` in it.
    assert!(entry("hash")["value"].to_string().contains("696e73696465"), "{}", entry("hash"));
    assert_eq!(entry("third")["map"], "dbs[3].keys");
    assert!(entry("third")["value"].to_string().contains("{\"hex\":\"0102\"}"));
}

/// The lines of `data export`.
fn exported(dir: &Path, flags: &[&str]) -> Vec<Value> {
    let said = hotshell(["data", "export", text(dir)].iter().chain(flags)).expect(0).stdout;
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn export_shows_records_as_the_plugin_does_that_wrote_them() {
    let folder = Folder::new();
    let dir = folder.at("data");
    let flags = ["--data", text(&dir), "--fsync", "always", "--probation", "0"];
    let mut host = Host::with(kv_v1()).flags(&flags).start();
    let mut client = host.resp();
    client.call(&["SET", "a \"quoted\\ name\"", "\u{1}\u{2}"]);
    client.call(&["SELECT", "3"]);
    host.swap(plugin("kv-v2"));
    client.call(&["RPUSH", "list", "\u{e9}l\u{e9}ment"]);
    host.signal(libc::SIGKILL);
    host.wait();
    let lines = exported(&dir, &[]);
    let values: Vec<&Value> = lines.iter().map(|line| &line["value"]).collect();
    let binary = json!({"hex": "0102"});
    assert_eq!(values[0]["command"], json!(["SET", "a \"quoted\\ name\"", binary]));
    assert!(values[0]["unix_ms"].as_u64().is_some_and(|ms| ms > 1_600_000_000_000));
    assert_eq!((&lines[1]["kind"], &lines[1]["text"]), (&"use".into(), &"use".into()));
    assert_eq!(values[2]["command"], json!(["RPUSH", "list", "\u{e9}l\u{e9}ment"]));
    assert_eq!(values[2]["db"], 3);
    assert!(lines.iter().all(|line| line["hex"].is_null()), "{lines:?}");
    let raw = exported(&dir, &["--raw"]);
    let known = |line: &Value| line["value"].is_null() && line["hex"].is_string();
    assert!(known(&raw[0]) && known(&raw[2]), "{raw:?}");
    fs::remove_dir_all(dir.join("main/artifacts")).expect("the copies were there");
    assert_eq!(exported(&dir, &[]), raw, "without the code that wrote them");
}

#[test]
fn export_prints_every_record_as_a_line_of_json() {
    let folder = Folder::new();
    let dir = written(&folder, 3);
    let (lines, file) = (exported(&dir, &["--raw"]), fs::read(journal(&dir)).expect("readable"));
    assert_eq!(lines.len(), 3);
    for (n, line) in lines.iter().enumerate() {
        assert_eq!((&line["server"], &line["kind"]), (&"main".into(), &"call".into()));
        let hex = line["hex"].as_str().expect("kv's records are bytes");
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("two digits"))
            .collect();
        let key = format!("key-{n}");
        assert!(bytes.windows(key.len()).any(|part| part == key.as_bytes()), "{line}");
        // Behind the frame's head of twelve bytes and the record's length.
        let at = line["offset"].as_u64().expect("a place") as usize + 12;
        assert_eq!(file[at..at + 4], (bytes.len() as u32).to_le_bytes(), "all of it: {line}");
        assert_eq!(file[at + 4..][..bytes.len()], bytes, "{line}");
    }
    let refused = hotshell(["data", "export", text(&dir), "--server", "other"]).expect(1);
    assert!(refused.stderr.contains("keeps no server 'other' [SERVER]"), "{}", refused.stderr);
    assert!(refused.stderr.contains("it keeps main"), "{}", refused.stderr);
}

#[test]
fn what_is_no_folder_of_data_is_refused_with_the_way_on() {
    let folder = Folder::new();
    fs::create_dir(folder.at("empty")).expect("made");
    let empty = data("inspect", &folder.at("empty")).expect(1).error();
    assert!(empty["message"].as_str().is_some_and(|text| text.ends_with("keeps no data")));
    let nowhere = data("check", &folder.at("nowhere")).expect(1).error();
    assert_eq!(nowhere["hint"], "name the folder that `serve --data` was given");
    hotshell(["data", "frobnicate", "x"]).expect(2);
    let help = hotshell(["data", "--help"]).expect(0).stdout;
    assert!(help.contains("Exit codes: 0 sound"), "{help}");
}

/// A host of the ledger that another artifact has written to last, on probation, before it was killed: the
/// first one is permanent. Answers the copy of the other's code.
fn written_by_two(dir: &Path, other: &Path) -> PathBuf {
    let flags = ["--data", text(dir), "--fsync", "always", "--probation", "10m"];
    let mut host = Host::with(plugin("ledger-v1")).flags(&flags).start();
    let mut client = host.lines();
    client.ask("ann");
    host.swap(other);
    client.ask("ann");
    let list = host.json(&["list"]);
    let digest = list[1]["digest"].as_str().expect("a digest").replace("sha256:", "");
    host.signal(libc::SIGKILL);
    host.wait();
    dir.join("main/artifacts").join(format!("{digest}.so"))
}

#[test]
fn check_misses_the_artifact_of_another_shape_that_a_file_needs_as_a_start_does() {
    let folder = Folder::new();
    let dir = folder.at("data");
    let copy = written_by_two(&dir, &plugin("ledger-v2"));
    data("check", &dir).expect(0);
    let aside = folder.at("aside.so");
    fs::rename(&copy, &aside).expect("it is there");
    let checked = data("check", &dir).expect(1).json();
    let problems = checked["servers"][0]["problems"].as_array().expect("problems").clone();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0]["message"], format!("the artifact '{}' is gone", copy.display()));
    let why = problems[0]["detail"].as_str().expect("a text");
    assert!(why.starts_with("generation 2 wrote 'journal-"), "{why}");
    assert!(why.ends_with("the state of the permanent one has another shape"), "{why}");
    let hint = problems[0]["hint"].as_str().expect("a text");
    assert!(hint.starts_with("put the file with this SHA-256 back under this name"), "{hint}");
    let mut serve = hotshell_tests::cli::command();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--plugin", text(&plugin("ledger-v1"))]);
    serve.arg("--admin").arg(folder.at("other.sock")).args(["--data", text(&dir)]);
    let refused = hotshell_tests::cli::run(&mut serve).expect(1).stderr;
    assert!(refused.contains("by generation 2, whose code is gone"), "{refused}");
    fs::rename(&aside, &copy).expect("the folder is there");
    data("check", &dir).expect(0);
    let host = Host::with(plugin("ledger-v1")).flags(&["--data", text(&dir)]).start();
    host.logs(
        "the state was taken from ledger 2.0.0, generation 2, to ledger 1.0.0, which is to serve",
    );
    assert_eq!(host.lines().ask("=ann"), "ann 11");
}

#[test]
fn check_says_which_file_the_permanent_artifact_reads_in_place_of_one_that_is_gone() {
    let folder = Folder::new();
    let dir = folder.at("data");
    let mut bytes = fs::read(plugin("ledger-v1")).expect("readable");
    bytes.push(0);
    let copy = written_by_two(&dir, &folder.write("same.so", &bytes));
    let none = data("check", &dir).expect(0).json()["servers"][0]["gone"].clone();
    assert_eq!(none, json!([]));
    fs::remove_file(&copy).expect("it is there");
    let gone = data("check", &dir).expect(0).json()["servers"][0]["gone"][0].clone();
    assert_eq!(gone["generation"], 2);
    let shown = hotshell(["data", "check", text(&dir)]).expect(0).stdout;
    let file = gone["file"].as_str().expect("a name");
    let said =
        format!("the artifact of generation 2, which wrote '{file}', is gone: the permanent");
    assert!(shown.contains(&said), "{shown}");
    let host = Host::with(plugin("ledger-v1")).flags(&["--data", text(&dir)]).start();
    host.logs("the artifact that wrote a part of the data is gone: ledger 1.0.0 reads it");
    assert_eq!(host.lines().ask("=ann"), "ann 2");
}
