//! Goal: whatever is wrong with a file, the one who asked hears what, why and what next; nothing
//! changes, and the clients notice nothing. Method: a good plugin with one thing wrong, swapped to
//! while a client asks all the time and checks every answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hotshell_tests::files::{Folder, built};
use hotshell_tests::host::text;
use hotshell_tests::resp::request;
use hotshell_tests::{Host, Value, artifacts, eventually, kv_v1, misbehave, patch};
use serde_json::Value as Json;

/// Between two questions of the client: without it, client and engine would take the processors away from
/// the loader, which gives way to everybody.
const PAUSE: Duration = Duration::from_millis(1);

/// A host that serves a good plugin, and a client that asks it all the time.
struct Serving {
    host: Host,
    stop: Arc<AtomicBool>,
    client: JoinHandle<u64>,
}

impl Serving {
    #[track_caller]
    fn start() -> Self {
        Self::on(Host::start(artifacts::plugin("misbehave")))
    }

    #[track_caller]
    fn on(host: Host) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut client, ends) = (host.lines(), stop.clone());
        let client = std::thread::spawn(move || {
            let mut asked = 0;
            while !ends.load(Ordering::SeqCst) {
                asked += 1;
                let wanted = format!("count {asked} {asked}");
                assert_eq!(client.ask("count"), wanted, "the client noticed");
                std::thread::sleep(PAUSE);
            }
            asked
        });
        Self { host, stop, client }
    }

    /// What must not change.
    #[track_caller]
    fn seen(&self) -> (Json, Vec<Json>) {
        let status = self.host.json(&["status"]);
        let fields = ["generation", "version", "clients", "connections", "panics", "failed"];
        let more =
            ["swaps", "swap_pause_us_max", "generations_resident", "images_retained", "busy"];
        let status = fields.iter().chain(&more).map(|&field| status[field].clone()).collect();
        (self.host.json(&["list"]), status)
    }

    /// Swaps to bytes that must be refused with this code; `parts` must be in the detail and `hint` in
    /// the hint.
    #[track_caller]
    fn refuses(&self, bytes: &[u8], code: &str, parts: &[&str], hint: &str) {
        let path = self.host.folder.write("bad.so", bytes);
        self.refuses_file(&["swap", text(&path)], code, parts, hint);
    }

    #[track_caller]
    fn refuses_file(&self, args: &[&str], code: &str, parts: &[&str], hint: &str) {
        let before = self.seen();
        let error = self.host.refused(1, args);
        let part = |name: &str| error[name].as_str().expect("a text").to_owned();
        assert_eq!(part("code"), code, "{error}");
        assert!(part("message").contains(args[1]), "the file is named: {error}");
        for wanted in parts {
            assert!(part("detail").contains(wanted), "{wanted:?} is missing: {error}");
        }
        assert!(!part("detail").is_empty(), "{error}");
        assert!(part("hint").contains(hint) && !part("hint").is_empty(), "{hint:?}: {error}");
        assert_eq!(self.seen(), before);
        assert_eq!(self.host.maps_of("/stage/"), self.host.maps_of("misbehave-1.0.0.so"));
        let staged = std::fs::read_dir(self.host.folder.at("stage")).expect("the stage").count();
        assert_eq!(staged, 1, "no private copy of it stays");
        assert!(!self.client.is_finished(), "the client noticed");
    }

    /// [`Self::refuses`] a good plugin after a change.
    #[track_caller]
    fn refuses_changed(
        &self,
        change: impl FnOnce(&mut Vec<u8>),
        code: &str,
        parts: &[&str],
        hint: &str,
    ) {
        let mut bytes = misbehave("none");
        change(&mut bytes);
        self.refuses(&bytes, code, parts, hint);
    }

    /// [`Self::refuses`] `misbehave` that was told to do this.
    #[track_caller]
    fn refuses_told(&self, behaviour: &str, code: &str, parts: &[&str]) {
        self.refuses(&misbehave(behaviour), code, parts, "");
    }

    /// Ends the client, which must have heard right answers only; then a good swap must still do.
    #[track_caller]
    fn finish(mut self) {
        let good = self.host.folder.write("good.so", &misbehave("none"));
        assert_eq!(self.host.swap(&good)["from_generation"], 1);
        self.stop.store(true, Ordering::SeqCst);
        assert!(self.client.join().expect("the client heard right answers only") > 10);
        assert!(self.host.is_running());
    }
}

#[test]
fn what_is_no_shared_object_is_refused() {
    let serving = Serving::start();
    serving.refuses(b"", "FILE", &["empty (0 bytes)"], "a build may be writing it");
    serving.refuses(b"#!/bin/sh\n", "ELF", &["it is not an ELF file"], "cargo build --release");
    serving.refuses(&[0x7f], "ELF", &[], "");
    serving.refuses_changed(|b| patch::executable(b), "ELF", &["not a shared object"], "cdylib");
    let folder = serving.host.folder.path().to_owned();
    let name = text(&folder);
    serving.refuses_file(&["swap", name], "FILE", &["it is a directory"], ".so file");
    let nowhere = serving.host.folder.at("nowhere.so");
    serving.refuses_file(&["swap", text(&nowhere)], "FILE", &["No such file"], "check the path");
    serving.finish();
}

#[test]
fn a_plugin_truncated_anywhere_is_refused() {
    let serving = Serving::start();
    let bytes = misbehave("none");
    // That no cut passes inspection is shown byte by byte beside the loader; here, a few through the
    // front door.
    let cuts = [1, 4, 63, 64, 65, 1000, 4096, bytes.len() / 10, bytes.len() / 2, bytes.len() - 1];
    for cut in cuts {
        serving.refuses(&bytes[..cut], "ELF", &[], "cargo build --release");
    }
    serving.refuses(&bytes[..bytes.len() / 2], "ELF", &["cut short"], "");
    serving.finish();
}

#[test]
fn another_architecture_is_refused_with_both() {
    let serving = Serving::start();
    let here = format!("this host runs on {}", std::env::consts::ARCH);
    let parts = ["built for s390x", here.as_str()];
    serving.refuses_changed(|b| patch::machine(b, 22), "ELF", &parts, "--target");
    serving.refuses_changed(|b| b[4] = 1, "ELF", &["64-bit"], "");
    serving.finish();
}

#[test]
fn a_library_that_is_no_plugin_is_refused() {
    let serving = Serving::start();
    serving.refuses_changed(
        |b| patch::rename_export(b),
        "NOTAPLUGIN",
        &["does not export"],
        "cdylib",
    );
    serving.refuses_changed(|b| patch::remove_note(b), "NOTAPLUGIN", &["note is gone"], "");
    let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
    let line = maps.lines().find(|line| line.contains("libgcc_s")).expect("it is mapped");
    let path = PathBuf::from(line.split_whitespace().last().expect("a path"));
    let library = std::fs::read(path).expect("readable");
    serving.refuses(&library, "NOTAPLUGIN", &["not a hotshell plugin"], "export_plugin!");
    serving.finish();
}

#[test]
fn another_boundary_is_refused_with_both_sides() {
    let serving = Serving::start();
    let newer = ["it speaks boundary version 99", "this host speaks 1"];
    serving.refuses_changed(|b| patch::note_abi(b, 99), "ABI", &newer, "upgrade the host");
    let older = ["it speaks boundary version 0", "this host speaks 1"];
    serving.refuses_changed(|b| patch::note_abi(b, 0), "ABI", &older, "rebuild the plugin");
    let code = ["code speaks boundary version 9", "this host speaks 1"];
    serving.refuses_changed(|b| patch::entry_abi(b, 9), "ABI", &code, "rebuild");
    let layout = ["laid out otherwise", "host: PluginTable", "plugin: Buffer"];
    serving.refuses(&built("wrong-layout"), "ABI", &layout, "rebuild");
    let format = ["HashMap<u64, u32> in format 3", "this host knows format 2"];
    serving.refuses(&built("other-format"), "ABI", &format, "rebuild");
    serving.refuses_changed(|b| patch::glibc(b), "ELF", &["needs glibc 9.99"], "as old as");
    serving.refuses_changed(|b| patch::needed(b), "DLOPEN", &["libnone_.so.1"], "hint: ");
    serving.finish();
}

#[test]
fn panic_abort_is_refused() {
    let serving = Serving::start();
    let parts = ["panic = \"abort\"", "panic = \"unwind\""];
    serving.refuses_changed(|b| patch::panic_abort(b), "PANICABORT", &parts, "profile");
    serving.finish();
}

#[test]
fn a_constructor_that_panics_exits_aborts_or_crashes_does_so_in_a_child() {
    let serving = Serving::start();
    let place = "in a constructor, while it was being mapped";
    for (behaviour, end) in [
        ("ctor-panic", "SIGABRT"),
        ("ctor-abort", "killed by SIGABRT"),
        ("ctor-segv", "killed by SIGSEGV"),
        ("ctor-exit0", "exit code 0"),
        ("ctor-exit1", "exit code 1"),
        ("dtor-segv", "killed by SIGSEGV"),
    ] {
        let place = if behaviour == "dtor-segv" { "in a destructor" } else { place };
        serving.refuses_told(behaviour, "VET", &["plugin 'misbehave' 1.0.0", end, place]);
    }
    serving.finish();
}

#[test]
fn init_and_self_test_that_refuse_panic_or_crash_are_told_with_their_words() {
    let serving = Serving::start();
    for (step, place) in [("init", "init"), ("self-test", "self_test")] {
        let refuse = [format!("refuses to go up in {place}"), format!("told to refuse in {step}")];
        let refuse: Vec<&str> = refuse.iter().map(String::as_str).collect();
        serving.refuses_told(&format!("{step}-refuse"), "REFUSED", &refuse);
        let panic = [format!("panicked in {place}"), format!("told to panic in {step}")];
        let panic: Vec<&str> = panic.iter().map(String::as_str).collect();
        serving.refuses_told(&format!("{step}-panic"), "PANICKED", &panic);
    }
    serving.refuses_told("init-segv", "VET", &["killed by SIGSEGV", "in init"]);
    serving.refuses_told("init-exit", "VET", &["exit code 0", "in init"]);
    let parts = ["misbehave needs mood = \"good\""];
    serving.refuses_told("needs-config", "REFUSED", &parts);
    serving.finish();
}

/// A hang costs the vet child its time limit of five seconds, so these run side by side.
#[track_caller]
fn hangs(behaviour: &str, place: &str) {
    let serving = Serving::start();
    serving.refuses_told(behaviour, "VET", &["hung", place, "no answer within 5000 ms"]);
    serving.finish();
}

#[test]
fn a_constructor_that_hangs_is_ended_and_named() {
    hangs("ctor-hang", "in a constructor");
}

#[test]
fn an_init_that_hangs_is_ended_and_named() {
    hangs("init-hang", "in init");
}

#[test]
fn a_self_test_that_hangs_is_ended_and_named() {
    hangs("self-test-hang", "in self_test");
}

#[test]
fn another_plugin_is_refused_by_its_name() {
    let serving = Serving::start();
    let parts = ["it holds plugin 'kv', and 'misbehave' serves"];
    serving.refuses(&built("kv-v1"), "OTHERPLUGIN", &parts, "--replace-plugin");
    serving.finish();
}

#[test]
fn another_schema_is_refused_with_the_first_field_that_differs() {
    let serving = Serving::start();
    let mut kv = built("kv-v1");
    patch::note_plugin(&mut kv, "misbehave");
    let before = serving.seen();
    let path = serving.host.folder.write("bad.so", &kv);
    let error = serving.host.refused(1, &["swap", text(&path)]);
    assert_eq!(error["code"], "SCHEMA");
    let message = "misbehave 1.0.0 cannot take over the state of misbehave 1.0.0 (generation 1)";
    assert_eq!(error["message"], message);
    let detail = error["detail"].as_str().expect("a text");
    assert!(detail.starts_with("state: misbehave 1.0.0 (generation 1) has "), "{detail}");
    assert_eq!(serving.seen(), before);
    // Allowing another name does not allow another state.
    let plain = serving.host.folder.write("kv.so", &built("kv-v1"));
    let args = ["swap", text(&plain), "--replace-plugin"];
    assert_eq!(serving.host.refused(1, &args)["code"], "SCHEMA");
    assert_eq!(serving.seen(), before);
    serving.finish();
}

#[test]
fn note_and_code_of_two_builds_are_refused() {
    let serving = Serving::start();
    serving.refuses_changed(|b| patch::entry_build_id(b, 7), "NOTAPLUGIN", &["build id"], "build");
    let change = |b: &mut Vec<u8>| patch::note_fingerprint(b, 7);
    serving.refuses_changed(change, "NOTAPLUGIN", &["schema 0x0000000000000007"], "build");
    serving.finish();
}

#[test]
fn the_same_refusals_hold_for_load_reload_and_a_dry_run() {
    let serving = Serving::start();
    let path = serving.host.folder.write("bad.so", &misbehave("init-refuse"));
    let file = text(&path);
    for args in [&["load", file][..], &["reload", file], &["swap", file, "--dry-run"]] {
        serving.refuses_file(args, "REFUSED", &["told to refuse in init"], "");
    }
    serving.finish();
}

#[test]
fn what_a_constructor_prints_is_no_verdict() {
    let serving = Serving::start();
    let prints = serving.host.folder.write("prints.so", &misbehave("ctor-print"));
    assert_eq!(serving.host.swap(&prints)["generation"], 2);
    serving.host.json(&["rollback"]);
    serving.finish();
}

/// A host on a plugin that was swapped to `behaviour`, after the first of its clients had connected.
#[track_caller]
fn swapped_to(behaviour: &str) -> (Host, hotshell_tests::Lines) {
    let host = Host::start(artifacts::plugin("misbehave"));
    let mut client = host.lines();
    assert_eq!(client.ask("x"), "x ok");
    let bad = host.folder.write("bad.so", &misbehave(behaviour));
    host.swap(&bad);
    (host, client)
}

/// The server goes on: this client is served, and the admin can get away from it.
#[track_caller]
fn goes_on(host: &Host, client: &mut hotshell_tests::Lines, panics: u64) {
    assert_eq!(client.ask("y"), "y ok");
    eventually("the panics are counted", || host.status("panics") == panics);
    assert_eq!(host.json(&["rollback"])["generation"], 1);
    assert_eq!(client.ask("z"), "z ok");
    let mut fresh = host.lines();
    assert_eq!(fresh.ask("new"), "new ok");
}

#[test]
fn a_panic_in_connect_closes_that_client() {
    let (host, mut client) = swapped_to("connect-panic");
    assert!(host.lines().is_closed());
    goes_on(&host, &mut client, 1);
}

#[test]
fn a_panic_in_data_before_begin_closes_that_client() {
    let (host, mut client) = swapped_to("data-panic");
    let mut other = host.lines();
    other.send("boom\n");
    assert!(other.is_closed());
    host.logs("ERROR plugin: panicked at tests/plugins/misbehave/src/lib.rs:");
    host.logs(": misbehave was told to data-panic server=main");
    goes_on(&host, &mut client, 1);
}

#[test]
fn a_panic_in_data_after_begin_is_an_error_to_that_client_and_its_output_is_cut_back() {
    let (host, mut client) = swapped_to("data-panic-after-begin");
    let mut other = host.lines();
    other.send("a\nboom\nb\n");
    assert_eq!(other.read(), "a ok");
    assert_eq!(other.read(), "error misbehave was told to panic in data after begin");
    assert_eq!(other.read(), "b ok", "the requests behind it are answered");
    goes_on(&host, &mut client, 1);
}

#[test]
fn a_panic_whose_payload_panics_when_dropped_is_contained() {
    let (host, mut client) = swapped_to("payload-drop-panics");
    assert!(client.ask("boom").starts_with("error "));
    goes_on(&host, &mut client, 1);
}

/// std would read the debug information of each image that panics, and keep it.
#[test]
fn caught_panics_take_no_memory_though_the_environment_asks_for_backtraces() {
    let host = Host::with(artifacts::plugin("misbehave")).flags(&["--probation", "0"]);
    let host = host.env("RUST_BACKTRACE", "1").start();
    let (mut client, bad) = (host.lines(), misbehave("data-panic-after-begin"));
    let bad = host.folder.write("bad.so", &bad);
    let mut generation_that_panics = || {
        host.swap(&bad);
        assert!(client.ask("boom").starts_with("error "));
    };
    (0..4).for_each(|_| generation_that_panics());
    let before = host.resident_bytes();
    (0..4).for_each(|_| generation_that_panics());
    // The last load's thread may still be giving back what it read.
    let grown = || host.resident_bytes().saturating_sub(before);
    eventually("four generations that panicked once are small", || grown() < 16 << 20);
}

#[test]
fn a_panic_in_resume_is_an_error_to_the_blocked_client() {
    let (host, mut client) = swapped_to("resume-panic");
    let mut waits = host.lines();
    assert_eq!(waits.ask("block"), "block wait");
    assert_eq!(client.ask("wake"), "wake ok");
    assert_eq!(waits.read(), "error misbehave was told to resume-panic");
    goes_on(&host, &mut client, 1);
}

#[test]
fn a_panic_in_disconnect_is_counted() {
    let (host, mut client) = swapped_to("disconnect-panic");
    let mut leaves = host.lines();
    assert_eq!(leaves.ask("x"), "x ok");
    drop(leaves);
    eventually("it is gone", || host.status("clients") == 1);
    goes_on(&host, &mut client, 1);
}

#[test]
fn a_panic_in_tick_is_counted() {
    let (host, mut client) = swapped_to("tick-panic");
    eventually("the tick after the swap has panicked", || host.status("panics") > 0);
    let panics = host.status("panics");
    goes_on(&host, &mut client, panics);
}

#[test]
fn a_panic_in_panicked_closes_that_client() {
    let (host, mut client) = swapped_to("panicked-panic");
    let mut other = host.lines();
    other.send("boom\n");
    assert!(other.is_closed(), "nobody can tell it its error");
    eventually("both panics are counted", || host.status("panics") >= 2);
    goes_on(&host, &mut client, 2);
}

#[test]
fn a_panic_or_a_refusal_in_command_is_told_to_the_admin() {
    let (host, mut client) = swapped_to("command-panic");
    let error = host.refused(1, &["command", "x"]);
    assert_eq!(error["code"], "PANICKED");
    assert!(error.to_string().contains("misbehave was told to command-panic"), "{error}");
    goes_on(&host, &mut client, 1);
    let (host, mut client) = swapped_to("command-refuse");
    let error = host.refused(1, &["command", "x"]);
    assert_eq!(error["code"], "REFUSED");
    assert!(error.to_string().contains("told to refuse the command"), "{error}");
    goes_on(&host, &mut client, 0);
}

#[test]
fn a_panic_in_shutdown_does_not_keep_the_host_from_stopping() {
    let (mut host, mut client) = swapped_to("shutdown-panic");
    client.send("last\n");
    assert_eq!(client.read(), "last ok");
    host.signal(libc::SIGTERM);
    assert!(client.is_closed());
    assert_eq!(host.wait().code(), Some(0));
}

#[test]
fn a_call_that_hangs_is_named_by_a_status_that_still_answers() {
    let (host, mut client) = swapped_to("hang-in-data");
    client.send("boom\n");
    eventually("the call is seen", || !host.json(&["status"])["call_running_us"].is_null());
    let status = host.json(&["status"]);
    assert_eq!(status["call_kind"], "data");
    assert_eq!(host.json(&["list"]).as_array().map(Vec::len), Some(2));
    host.logs("engine: stuck in data()");
    let good = artifacts::plugin("misbehave");
    let error = host.refused(1, &["swap", text(&good)]);
    assert_eq!(error["code"], "STUCK");
    let detail = error["detail"].as_str().expect("a text");
    assert!(detail.contains("stuck in data() of generation 2"), "{detail}");
    for args in [&["command", "x"][..], &["snapshot"], &["use", "1"], &["rollback"]] {
        assert_eq!(host.refused(1, args)["code"], "STUCK", "{args:?} would wait for ever");
    }
    assert_eq!(host.status("generation"), 2, "nothing changed");
    assert_eq!(host.json(&["list"]).as_array().map(Vec::len), Some(2));
}

#[test]
fn a_setting_is_not_waited_for_while_a_call_hangs() {
    let data = Folder::new();
    let path = data.at("data");
    let host = Host::with(artifacts::plugin("misbehave")).flags(&["--data", text(&path)]).start();
    let hangs = host.folder.write("hangs.so", &misbehave("hang-in-data"));
    host.swap(&hangs);
    let mut client = host.lines();
    client.send("boom\n");
    host.logs("engine: stuck in data()");
    assert_eq!(host.refused(1, &["set", "fsync", "no"])["code"], "STUCK");
    let settings = host.json(&["set"]);
    let all = settings.as_array().expect("a list");
    assert!(all.iter().all(|setting| setting["set"] == false), "nothing was changed: {settings}");
    host.cli(&["ping", "--server", "main"]).expect(0);
}

#[test]
fn a_stop_does_not_wait_for_ever_for_a_call_that_hangs() {
    let (mut host, mut client) = swapped_to("hang-in-data");
    client.send("boom\n");
    eventually("the call is seen", || !host.json(&["status"])["call_running_us"].is_null());
    host.signal(libc::SIGTERM);
    assert_eq!(host.wait().code(), Some(1), "not everything was answered");
    host.logs("stop: a call of the plugin does not return");
}

#[test]
fn a_client_of_kv_survives_a_bad_swap_in_mid_request() {
    let host = Host::start(kv_v1());
    let mut client = host.resp();
    let whole = request(&["SET", "k", "v"]);
    client.send(&whole[..9]);
    for behaviour in ["ctor-segv", "init-panic"] {
        let bad = host.folder.write("bad.so", &misbehave(behaviour));
        host.refused(1, &["swap", text(&bad)]);
    }
    client.send(&whole[9..]);
    assert_eq!(client.read(), Value::Simple("OK".to_owned()));
}
