//! Goal: each place at which `use` can stop leaves the generation that serves, its state and its
//! clients as they were, and says why; each row of the registry's table is walked. Method: the roster
//! under one client that is connected throughout and counts its own requests.

use hotshell_tests::artifacts::plugin;
use hotshell_tests::host::text;
use hotshell_tests::{Host, Lines, eventually, misbehave};

/// A host with a client that has asked once, and somebody of 40 years in map and tree.
struct Scene {
    host: Host,
    client: Lines,
    asked: u64,
}

impl Scene {
    fn of(version: &str, flags: &[&str]) -> Self {
        let host = Host::with(plugin(version)).flags(flags).start();
        let mut scene = Self { client: host.lines(), host, asked: 0 };
        scene.ask("put 1 40");
        scene.ask("rank 1 40");
        scene
    }

    fn ask(&mut self, line: &str) -> String {
        self.asked += 1;
        self.client.ask(line)
    }

    /// The same connection, session and state, under this generation.
    #[track_caller]
    fn serves(&mut self, generation: u64) {
        assert_eq!(self.host.status("generation"), generation);
        assert_eq!((self.ask("get 1"), self.ask("ranked 1")), ("40".into(), "40".into()));
        let (me, asked) = (self.ask("me"), self.asked);
        assert_eq!(me.split(' ').nth(1), Some(&*asked.to_string()), "{me}");
    }

    /// Refused with this code and these words in the message, and nothing changed.
    #[track_caller]
    fn refused(&mut self, args: &[&str], (exit, code): (i32, &str), why: &str) {
        let before = self.host.status("generation");
        let error = self.host.refused(exit, args);
        assert_eq!(error["code"], code, "{error}");
        let told = format!("{} {}", error["message"], error["detail"]);
        assert!(told.contains(why), "{told}");
        assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{error}");
        self.serves(before);
    }
}

#[test]
fn a_plan_that_cannot_be_made_or_is_not_meant_is_refused_before_anything_is_done() {
    let mut scene = Scene::of("roster-v1", &[]);
    let other = plugin("counter-v1");
    scene.refused(&["swap", text(&other)], (1, "OTHERPLUGIN"), "holds plugin 'counter'");
    let args = ["swap", text(&other), "--replace-plugin"];
    scene.refused(&args, (1, "SCHEMA"), "cannot take over the state of roster 1.0.0");
}

#[test]
fn a_stop_that_would_be_long_is_refused_forth_and_back_unless_it_is_meant() {
    let mut scene = Scene::of("roster-v2", &["--probation", "0"]);
    // By function, which may panic over an entry: so the tree converts whole.
    let v3 = plugin("roster-v3");
    scene.ask("fill 10001");
    scene.ask("put 1 40");
    scene.ask("rank 1 40");
    let why = "10001 elements would be converted while nobody is served, for about ";
    scene.refused(&["swap", text(&v3)], (1, "STOP"), why);
    let dry = scene.host.json(&["swap", text(&v3), "--dry-run"]);
    assert_eq!(dry["stop_elements"], 10_001, "{dry}");
    assert!(dry["stop_expected_us"].as_f64() > Some(100.0), "{dry}");
    let said = scene.host.cli(&["swap", text(&v3), "--dry-run"]).expect(0).stdout;
    assert!(said.contains(", 10001 elements at once, about "), "{said}");
    assert!(said.contains(": wants --allow-stop\n"), "{said}");
    scene.host.json(&["swap", text(&v3), "--allow-stop"]);
    scene.serves(2);
    scene.refused(&["rollback"], (1, "STOP"), why);
    scene.host.json(&["rollback", "--allow-stop"]);
    scene.serves(1);
}

#[test]
fn entries_that_return_to_a_large_tree_are_a_stop_that_must_be_meant() {
    let mut scene = Scene::of("roster-v1", &["--probation", "0"]);
    scene.ask("fill 10002");
    scene.ask("put 1 40");
    scene.ask("rank 1 40");
    scene.host.json(&["swap", text(&plugin("roster-v2"))]);
    // No age of version 1.
    scene.ask("rank 7 4000000000000");
    scene.refused(&["rollback"], (1, "STOP"), "10002 elements");
    scene.host.json(&["rollback", "--allow-stop"]);
    scene.serves(1);
    assert_eq!(scene.ask("ranked 7"), "none");
    scene.refused(&["use", "2"], (1, "STOP"), "10001 elements");
    scene.host.json(&["use", "2", "--allow-stop"]);
    scene.serves(2);
    assert_eq!(scene.ask("ranked 7"), "4000000000000");
}

#[test]
fn the_undo_of_probation_is_worth_a_stop() {
    let mut scene = Scene::of("roster-v1", &[]);
    scene.ask("fill 10001");
    scene.ask("put 1 40");
    scene.ask("rank 1 40");
    // Every age fits version 2, so the tree follows leaf by leaf; not every one fits version 1.
    scene.host.json(&["swap", text(&plugin("roster-v2"))]);
    scene.serves(2);
    (0..3).for_each(|_| assert_eq!(scene.ask("panic"), "panicked"));
    eventually("it is undone", || scene.host.status("generation") == 1);
    scene.serves(1);
}

#[test]
fn a_default_that_panics_stops_the_use_before_the_point_of_no_return() {
    let mut scene = Scene::of("roster-v2", &["--probation", "0"]);
    scene.ask("note kept");
    let broken = plugin("roster-broken");
    scene.refused(
        &["swap", text(&broken)],
        (1, "PANICKED"),
        "a default of the new version panicked",
    );
    assert!(scene.ask("me").ends_with(" kept"));
    let again = plugin("roster-v3");
    scene.host.swap(again);
    scene.serves(2);
}

#[test]
fn a_generation_that_is_not_there_not_meant_or_not_alone_is_refused() {
    let mut scene = Scene::of("roster-v2", &["--probation", "0"]);
    let v3 = plugin("roster-v3");
    scene.refused(&["use", "7"], (1, "NOGENERATION"), "has no generation 7");
    scene.refused(&["swap", text(&v3), "--if-active", "9"], (1, "MOVED"), "9");
    scene.refused(&["rollback"], (1, "NOROLLBACK"), "no earlier one is left");
    scene.refused(&["discard", "1"], (1, "ACTIVE"), "active");
    scene.host.json(&["load", text(&v3)]);
    scene.host.json(&["load", text(&v3)]);
    scene.refused(&["use", "roster@3.0.0"], (1, "AMBIGUOUS"), "2, 3");
    scene.host.json(&["discard", "2"]);
    scene.refused(&["use", "2"], (1, "DISCARDED"), "gone");
    scene.refused(&["discard", "2"], (1, "DISCARDED"), "gone");
    // The active one again: nothing is done, and that is no error.
    assert_eq!(scene.host.json(&["use", "1"])["generation"], 1);
    scene.serves(1);
    scene.host.json(&["use", "roster@3.0.0"]);
    scene.serves(3);
    scene.host.json(&["rollback"]);
    scene.serves(1);
    scene.refused(&["rollback"], (1, "NOROLLBACK"), "no earlier one is left");
}

#[test]
fn a_load_that_is_refused_at_any_stage_leaves_the_client_alone() {
    let mut scene = Scene::of("roster-v1", &[]);
    let folder = &scene.host.folder;
    let absent = folder.at("absent.so");
    let text_file = folder.write("text.so", b"no plugin");
    let refuses = folder.write("refuses.so", &misbehave("init-refuse"));
    let stages = [(&absent, "FILE"), (&text_file, "ELF"), (&refuses, "REFUSED")];
    for (file, code) in stages {
        let file = text(file).to_owned();
        let error = scene.host.refused(1, &["swap", &file]);
        assert_eq!(error["code"], code, "{error}");
        scene.serves(1);
    }
}
