//! Goal: state changes its shape under a live server, and an undo works after the new version has
//! written. Method: the two guest books, swapped through a real host with a client connected throughout.

use hotshell_tests::artifacts::plugin;
use hotshell_tests::host::text;
use hotshell_tests::{Host, eventually};

#[test]
fn a_swap_changes_the_shape_and_a_rollback_changes_it_back() {
    let (v1, v2) = (plugin("guestbook-v1"), plugin("guestbook-v2"));
    let host = Host::start(&v1);
    let mut client = host.lines();
    assert!(client.ask("ann").starts_with("ann: visit 1, at "));
    assert!(client.ask("ann").starts_with("ann: visit 2, at "));
    let swapped = host.json(&["swap", text(&v2)]);
    assert_eq!((&swapped["migration"], &swapped["generation"]), (&"by-function".into(), &2.into()));
    assert!(swapped["pause_us"].as_f64().expect("a stop") > 0.0);
    let answer = client.ask("ann as queen");
    assert!(answer.starts_with("ann: visit 3, at ") && answer.ends_with("queen"), "{answer}");
    assert!(answer.contains("000 ms, queen") || answer.contains(" ms, before "), "{answer}");
    let back = host.json(&["rollback"]);
    assert_eq!((&back["migration"], &back["generation"]), (&"by-function".into(), &1.into()));
    assert!(back["set_aside"].as_u64() >= Some(2), "the nick and the door's counter: {back}");
    assert!(host.status("set_aside") >= 2);
    assert!(client.ask("ann").starts_with("ann: visit 4, at "), "what it can hold is kept");
    let again = host.json(&["use", "2"]);
    assert_eq!(again["generation"], 2);
    assert_eq!(host.status("set_aside"), 0, "it is there again");
    let answer = client.ask("ann");
    assert!(answer.starts_with("ann: visit 5, at ") && answer.ends_with(", queen"), "{answer}");
}

#[test]
fn a_dry_run_says_what_would_be_set_aside_and_changes_nothing() {
    let (v1, v2) = (plugin("guestbook-v1"), plugin("guestbook-v2"));
    let host = Host::start(&v1);
    let mut client = host.lines();
    client.ask("ann");
    host.swap(&v2);
    client.ask("ann as queen");
    let dry = host.json(&["rollback", "--dry-run"]);
    assert!(dry["set_aside"].as_u64() >= Some(2), "{dry}");
    assert_eq!((&dry["pause_us"], &dry["dry_run"]), (&serde_json::Value::Null, &true.into()));
    assert_eq!(host.status("set_aside"), 0);
    assert!(client.ask("ann").ends_with(", queen"));
}

#[test]
fn a_large_map_follows_in_slices_and_is_whole_after_an_undo_in_the_middle() {
    let (v1, v2) = (plugin("guestbook-v1"), plugin("guestbook-v2"));
    let host = Host::start(&v1);
    let mut client = host.lines();
    let name = |i: u32| format!("guest number {i}");
    for thousand in 0..100 {
        let names: String = (0..1000).map(|i| name(thousand * 1000 + i) + "\n").collect();
        client.send(&names);
        (0..1000).for_each(|_| assert!(client.read().contains("visit 1")));
    }
    let swapped = host.json(&["swap", text(&v2)]);
    assert_eq!(swapped["migration"], "by-function");
    for i in (0..100_000).step_by(997) {
        assert!(client.ask(&name(i)).contains(": visit 2, at "), "guest {i}");
    }
    eventually("all entries have followed", || host.status("draining") == 0);
    assert!(client.ask("guest number 0 as the first").ends_with("the first"));
    host.json(&["rollback"]);
    host.json(&["use", "2"]);
    host.json(&["rollback"]);
    for i in (0..100_000).step_by(997) {
        let visit = if i == 0 { 4 } else { 3 };
        assert!(client.ask(&name(i)).contains(&format!(": visit {visit}, at ")), "guest {i}");
    }
    assert!(client.ask(&name(1)).contains(": visit 2, at "));
    eventually("all entries have followed", || host.status("draining") == 0);
    assert_eq!(host.json(&["use", "2"])["generation"], 2);
    assert!(client.ask(&name(0)).ends_with("the first"), "what was set aside is there again");
    eventually("the other version goes when nothing needs it", || {
        let ran = host.cli(&["discard", "1", "--json"]);
        if ran.code == 0 {
            return true;
        }
        let refused = ran.expect(4).error();
        let detail = refused["detail"].as_str().expect("a reason");
        assert!(detail.contains(" are still to be converted, 0 must be left"), "{refused}");
        false
    });
    assert_eq!(host.status("draining"), 0, "a drain is over before an image goes that it may call");
    assert!(client.ask(&name(997)).contains(": visit 4, at "));
}
