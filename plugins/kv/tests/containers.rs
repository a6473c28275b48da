//! Goal: what commands with subcommands say of themselves, and the categories of ACL, are Redis' to the
//! letter. Method: each is asked of a `TestServer` and of a real redis-server. With `HOTSHELL_BLESS=1` the
//! texts of HELP are written from what Redis says.

mod both;
mod common;
#[allow(dead_code, reason = "the differential test uses the rest")]
mod peer;
mod resp;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use both::Both;
use common::text;
use hotshell_kv_streams::Edition;
use resp::Value;

/// The texts of a list of texts.
fn lines(value: &Value) -> Vec<String> {
    value.elements().iter().map(|line| line.text().to_owned()).collect()
}

#[test]
fn every_category_has_the_commands_of_redis() {
    let Some(mut both) = Both::start() else { return };
    let [ours, theirs] = both.values(&["acl", "cat"]).map(|value| lines(&value));
    assert_eq!(ours, theirs);
    assert!(ours.len() > 20, "{ours:?}");
    for category in &theirs {
        let [ours, theirs] = both.values(&["acl", "cat", category]).map(|value| {
            let lines = lines(&value);
            let set: BTreeSet<String> = lines.iter().cloned().collect();
            assert_eq!(set.len(), lines.len(), "{category}: one is there twice");
            set
        });
        let differ: Vec<&String> = ours.symmetric_difference(&theirs).collect();
        assert!(differ.is_empty(), "{category}: only one of the two has {differ:?}");
        assert!(!ours.is_empty(), "{category}");
    }
}

/// Commands that have HELP. That of DEBUG tells of what suites need, which is all there is here.
fn containers() -> Vec<&'static str> {
    let rows = kv_v2::V2::table().rows();
    let mut names: Vec<&str> = rows
        .filter(|row| row.subs.iter().any(|sub| sub.name == "help"))
        .map(|row| row.name)
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn help_is_that_of_redis() {
    let Some(mut both) = Both::start() else { return };
    let mut page = String::new();
    for name in containers() {
        let replies = both.ask(&[name, "help"]);
        let parsed = resp::parse(&replies[1]).expect("a whole reply").0;
        if let Value::Array(_) = parsed {
            let lines = lines(&parsed);
            writeln!(page, "{name}").expect("a String");
            // The first line and the last two are the same for all.
            lines[1..lines.len() - 2]
                .iter()
                .for_each(|line| writeln!(page, " {line}").expect("a String"));
        }
        if std::env::var("HOTSHELL_BLESS").as_deref() != Ok("1") {
            let [ours, theirs] = replies.map(text);
            assert_eq!(ours, theirs, "{name}");
        }
    }
    assert!(containers().len() > 12, "{:?}", containers());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/help.txt");
    if std::env::var("HOTSHELL_BLESS").as_deref() == Ok("1") {
        return std::fs::write(file, page).expect("the texts are written");
    }
    assert_eq!(std::fs::read_to_string(file).expect("the texts"), page, "a text of no command");
}

#[test]
fn subcommands_are_looked_up_as_by_redis() {
    let Some(mut both) = Both::start() else { return };
    let mut ask = |words: &[&str]| {
        let [ours, theirs] = both.ask(words).map(text);
        assert_eq!(ours, theirs, "{words:?}");
        assert!(ours.starts_with('-'), "{words:?}: {ours}");
    };
    for row in kv_v2::V2::table().rows().filter(|row| !row.subs.is_empty()) {
        ask(&[row.name, "nosuch"]);
        for sub in row.subs {
            let mut words = vec![row.name, sub.name];
            let arity = usize::from(sub.arity.unsigned_abs());
            let mut with = |len: usize| {
                words.resize(len, "1");
                ask(&words);
            };
            if arity > 2 {
                with(arity - 1);
            }
            // There is no cluster, so the right number of arguments is an error, too.
            if row.name == "cluster" {
                with(arity);
            }
            if sub.arity > 0 {
                with(arity + 1);
            }
        }
    }
}
