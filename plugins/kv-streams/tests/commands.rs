//! Goal: the page of commands is what the tables hold. Method: it is written from their rows and compared;
//! with `HOTSHELL_BLESS=1` it is written anew.

use std::collections::BTreeMap;
use std::fmt::Write;

use hotshell_kv_streams::commands::FAMILIES;
use hotshell_kv_streams::table::{Group, Level, Row};

const HEAD: &str = "\
# Commands of kv

Written from the command tables by `HOTSHELL_BLESS=1 cargo test -p hotshell-kv-streams --test commands`. Version 1 has what
Redis 4.0 has, version 2 what Redis 7.0 has; *since* is the Redis that brought the command, so 5.0 and later are of version
2 only. [README.md](README.md) says what is absent; such commands are here, too, with an error that says so.
";

const GROUPS: [(Group, &str); 16] = [
    (Group::String, "Strings"),
    (Group::Bitmap, "Bits"),
    (Group::List, "Lists"),
    (Group::Set, "Sets"),
    (Group::Hash, "Hashes"),
    (Group::SortedSet, "Sorted sets"),
    (Group::HyperLogLog, "HyperLogLog"),
    (Group::Geo, "Geo"),
    (Group::Stream, "Streams"),
    (Group::Generic, "Keys"),
    (Group::PubSub, "Publishing"),
    (Group::Transactions, "Transactions"),
    (Group::Scripting, "Scripts and functions"),
    (Group::Connection, "Connections"),
    (Group::Server, "Server"),
    (Group::Cluster, "Cluster"),
];

fn level(level: Level) -> String {
    match level.parts() {
        (major, minor, 0) => format!("{major}.{minor}"),
        (major, minor, patch) => format!("{major}.{minor}.{patch}"),
    }
}

fn line(row: &Row, since: Level) -> String {
    let subs: Vec<String> = row.subs.iter().map(|sub| sub.name.to_ascii_uppercase()).collect();
    let subs = if subs.is_empty() { String::new() } else { format!(": {}", subs.join(", ")) };
    let (name, since) = (row.name.to_ascii_uppercase(), level(since));
    let (summary, cost) = (row.summary.replace('|', "\\|"), row.complexity.replace('|', "\\|"));
    format!("| `{name}`{subs} | {since} | {summary} | {cost} |")
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (group, title) in GROUPS {
        // Of a command that grew there are several rows: the first tells since when, the last what.
        let mut rows: BTreeMap<&str, (&Row, Level)> = BTreeMap::new();
        for row in FAMILIES.iter().copied().flatten().filter(|row| row.group == group) {
            let known = rows.entry(row.name).or_insert((row, row.since));
            let latest = if row.since > known.0.since { row } else { known.0 };
            *known = (latest, known.1.min(row.since));
        }
        writeln!(page, "\n## {title}\n").expect("a String");
        writeln!(page, "| command | since | what it does | cost |\n|---|---|---|---|")
            .expect("a String");
        for (row, since) in rows.values() {
            writeln!(page, "{}", line(row, *since)).expect("a String");
        }
    }
    page
}

#[test]
fn the_page_of_commands_is_what_the_tables_hold() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../kv/COMMANDS.md");
    let page = page();
    if std::env::var("HOTSHELL_BLESS").as_deref() == Ok("1") {
        return std::fs::write(file, page).expect("the page is written");
    }
    let there = std::fs::read_to_string(file).unwrap_or_default();
    let differ = page.lines().zip(there.lines()).find(|(now, then)| now != then);
    assert!(
        page == there,
        "plugins/kv/COMMANDS.md is not what the tables hold: {differ:?}; run this test with HOTSHELL_BLESS=1"
    );
}

#[test]
fn every_command_is_on_the_page() {
    let page = page();
    for row in FAMILIES.iter().copied().flatten() {
        let name = row.name.to_ascii_uppercase();
        assert!(page.contains(&format!("| `{name}`")), "{name} is of no group of the page");
    }
}
