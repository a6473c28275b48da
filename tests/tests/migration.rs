//! Goal: state changes its shape under a live server, and an undo works after the new version has
//! written. Method: the two guest books, swapped through a real host with a client connected throughout.

use hotshell_tests::Host;
use hotshell_tests::artifacts::plugin;
use hotshell_tests::host::text;

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
fn a_state_that_is_too_large_to_be_converted_at_once_is_refused_until_it_is_allowed() {
    let (v1, v2) = (plugin("guestbook-v1"), plugin("guestbook-v2"));
    let host = Host::start(&v1);
    let mut client = host.lines();
    for hundred in 0..1001 {
        let names: String = (0..100).map(|i| format!("guest {hundred}-{i}\n")).collect();
        client.send(&names);
        (0..100).for_each(|_| assert!(client.read().contains("visit 1")));
    }
    let refused = host.refused(1, &["swap", text(&v2)]);
    assert_eq!(refused["code"], "STOP");
    let detail = refused["detail"].as_str().expect("a text");
    assert!(
        detail.starts_with("100100 elements would be converted while nobody is served"),
        "{detail}"
    );
    assert!(refused["hint"].as_str().expect("a text").starts_with("--allow-stop"), "{refused}");
    assert_eq!(host.json(&["swap", text(&v2), "--allow-stop"])["migration"], "by-function");
    assert_eq!(host.json(&["rollback"])["generation"], 1, "the way back is never barred");
}
