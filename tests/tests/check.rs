//! Goal: CI learns from `hotshell check OLD NEW` what a version does to the state, before anybody
//! loads it. Method: the built program on two versions of the guest book, no host but where said.

use std::path::PathBuf;

use hotshell_tests::artifacts::plugin;
use hotshell_tests::host::text;
use hotshell_tests::{Host, eventually, hotshell, kv_v1};

fn guestbooks() -> (PathBuf, PathBuf) {
    (plugin("guestbook-v1"), plugin("guestbook-v2"))
}

#[test]
fn two_versions_are_compared_field_by_field() {
    let (v1, v2) = guestbooks();
    let said = hotshell(["check", text(&v1), text(&v2)]).expect(0).stdout;
    let (facts, table) = said.split_once("\n\n").expect("facts, then the table");
    assert!(facts.starts_with("guestbook 2.0.0 is sound\n"), "{facts}");
    assert!(facts.ends_with("\n  plan      by-function, from guestbook 1.0.0\n  way back  yes"));
    assert_eq!(
        table,
        "\
FIELD                  OLD              NEW              HOW          WAY BACK     COST
state.guests[].visits  u32              u64              by name      what fits    lazy O(n)
state.guests[].seen    Seen (schema 1)  Seen (schema 2)  by function  by function  lazy O(n)
state.guests[].nick    -                Option<String>   by name      set aside    lazy O(n)
state.visits           hits: u32        u64              by name      what fits    O(1)
state.door.open        open: bool       bool             adopt        yes          O(1)
state.door.opened      -                u32              by name      set aside    O(1)
session                ()               ()               adopt        yes          O(1)
"
    );
}

#[test]
fn programs_read_the_same_as_json() {
    let (v1, v2) = guestbooks();
    let verdict = hotshell(["check", "--json", text(&v2), text(&v1)]).expect(0).json();
    assert_eq!(verdict["migration"], "by-function");
    assert_eq!(
        (&verdict["one_way"], &verdict["against"]),
        (&false.into(), &"guestbook 2.0.0".into())
    );
    let field = |path: &str| {
        let fields = verdict["fields"].as_array().expect("fields").iter();
        fields.clone().find(|field| field["path"] == path).cloned().expect(path)
    };
    let hits = field("state.hits");
    assert_eq!((&hits["old"], &hits["new"]), (&"visits: u64".into(), &"u32".into()));
    assert_eq!((&hits["how"], &hits["fits"]), (&"by-name".into(), &false.into()));
    assert_eq!((&hits["way_back"], &hits["cost"]), (&"yes".into(), &"constant".into()));
    let nick = field("state.guests[].nick");
    assert!(nick["new"].is_null(), "{nick}");
    assert_eq!((&nick["way_back"], &nick["cost"]), (&"returns".into(), &"lazy".into()));
}

#[test]
fn a_refusal_is_told_with_the_table_that_explains_it() {
    let (v1, other) = (plugin("guestbook-v1"), plugin("counter-v1"));
    let ran = hotshell(["check", text(&v1), text(&other), "--replace-plugin"]).expect(1);
    assert!(ran.stdout.contains("\n  plan      refused, from guestbook 1.0.0\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("\nstate    Guestbook"), "{}", ran.stdout);
    assert_eq!(
        ran.stderr,
        "\
error: counter 1.0.0 cannot take over the state of guestbook 1.0.0 [SCHEMA]
  why: state: guestbook 1.0.0 has Guestbook, counter 1.0.0 has Counter; the type has another name
 next: if it is the same type under a new name, write #[state(was = \"OLD\")] on it
"
    );
    let json = hotshell(["check", "--json", text(&v1), text(&other), "--replace-plugin"]).expect(1);
    assert_eq!(json.error()["code"], "SCHEMA");
    assert!(json.json()["migration"].is_null());
    let ran = hotshell(["check", text(&v1), text(&other)]).expect(1);
    assert!(ran.stderr.starts_with("error: counter 1.0.0 is another plugin [OTHERPLUGIN]\n"));
}

#[test]
fn a_host_compares_with_what_serves_and_says_the_same() {
    let (v1, v2) = guestbooks();
    let host = Host::start(v1);
    let said = host.cli(&["check", text(&v2)]).expect(0).stdout;
    assert!(
        said.contains("\n  plan      by-function, from guestbook 1.0.0 (generation 1)\n"),
        "{said}"
    );
    assert!(said.contains("\nstate.door.opened "), "{said}");
    let other = host.cli(&["check", text(&kv_v1())]).expect(0).stdout;
    assert!(!other.contains("  plan "), "another plugin is compared with nothing: {other}");
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let (v1, v2) = guestbooks();
    let host = Host::start(v1);
    let before = host.json(&["list"]);
    let plan = host.json(&["swap", text(&v2), "--dry-run"]);
    assert_eq!((&plan["migration"], &plan["one_way"]), (&"by-function".into(), &false.into()));
    assert_eq!(plan["fields"].as_array().map(Vec::len), Some(7));
    assert_eq!(plan["sets_aside"], serde_json::json!([]));
    let said = host.cli(&["swap", text(&v2), "--dry-run"]).expect(0).stdout;
    assert!(
        said.starts_with("would be guestbook 1.0.0 -> 2.0.0 (a new generation), by-function, ")
    );
    assert!(said.contains("\nstate.guests[].nick "), "{said}");
    assert_eq!(host.json(&["list"]), before);
}

#[test]
fn a_plan_without_a_way_back_exits_7_unless_that_is_meant() {
    let (v1, one_way) = (plugin("guestbook-v1"), plugin("one-way"));
    let said = hotshell(["check", text(&v1), text(&one_way)]).expect(7).stdout;
    assert!(
        said.contains(
            "\n  way back  none: state.guests[].seen: guestbook 9.0.0 has Seen (schema 9), \
             guestbook 1.0.0 has Seen (schema 1); the conversion between them has no way back\n"
        ),
        "{said}"
    );
    let row = said.lines().find(|line| line.starts_with("state.guests[].seen ")).expect("a row");
    assert!(row.contains("by function  none "), "{row}");
    hotshell(["check", text(&v1), text(&one_way), "--one-way"]).expect(0);
    let verdict = hotshell(["check", "--json", text(&v1), text(&one_way)]).expect(7).json();
    assert_eq!((&verdict["one_way"], &verdict["migration"]), (&true.into(), &"by-function".into()));
    let host = Host::start(&v1);
    host.cli(&["check", text(&one_way)]).expect(7);
}

#[test]
fn a_switch_without_a_way_back_wants_to_be_meant_and_is_not_undone() {
    let (v1, one_way) = (plugin("guestbook-v1"), plugin("one-way"));
    let host = Host::start(&v1);
    let mut client = host.lines();
    client.ask("ann");
    let refused = host.refused(1, &["swap", text(&one_way)]);
    assert_eq!(refused["code"], "ONEWAY");
    assert_eq!(
        refused["message"],
        "there would be no way back from guestbook 9.0.0 to guestbook 1.0.0 (generation 1)"
    );
    assert!(refused["hint"].as_str().is_some_and(|hint| hint.contains("--one-way")), "{refused}");
    assert!(client.ask("ann").starts_with("ann: visit 2, "), "nothing changed");
    let loaded = host.json(&["load", text(&one_way)]);
    assert_eq!((&loaded["one_way"], &loaded["migration"]), (&true.into(), &"by-function".into()));
    assert_eq!(host.refused(1, &["use", "2"])["code"], "ONEWAY");
    let used = host.json(&["use", "2", "--one-way"]);
    assert_eq!((&used["one_way"], &used["from_generation"]), (&true.into(), &1.into()));
    assert_eq!(client.ask("ann"), "ann: 2");
    let refused = host.refused(1, &["rollback"]);
    assert_eq!(refused["code"], "SCHEMA");
    let detail = refused["detail"].as_str().expect("a text");
    assert!(detail.ends_with("the conversion between them has no way back"), "{detail}");
    assert_eq!(client.ask("ann"), "ann: 2", "it serves on");
}

#[test]
fn probation_of_a_one_way_switch_only_alarms() {
    let (v1, one_way) = (plugin("guestbook-v1"), plugin("one-way"));
    let host = Host::start(&v1);
    let mut client = host.lines();
    host.json(&["swap", text(&one_way), "--one-way"]);
    (0..20).for_each(|_| assert_eq!(client.ask("panic"), "panicked"));
    let verdict = || host.json(&["status"])["last_probation"]["verdict"].clone();
    eventually("the alarm", || verdict() == "alarm");
    assert_eq!(host.json(&["status"])["generation"], 2, "nobody took it back");
    assert_eq!(client.ask("bob"), "bob: 0");
}
