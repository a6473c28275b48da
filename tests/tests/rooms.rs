//! Goal: the rooms of the host stay in floors: each stands above all that it uses, so that it can be read
//! and tested without what is above. And the values of kv know nothing of requests. Method: the top-level
//! modules that the source names, without tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Uses = BTreeMap<String, BTreeSet<String>>;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the source is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Files that exist for tests alone see every floor.
fn is_for_tests(path: &Path) -> bool {
    let name = path.file_stem().expect("a name").to_string_lossy();
    name == "testing" || name == "tests" || name.ends_with("_tests")
}

/// The modules behind `crate::` in a source: `crate::a::b` and `crate::{a, b::c}`.
fn named(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().expect("one part");
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut named = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{').and_then(|rest| rest.split('}').next()) {
            Some(group) => named.extend(group.split(',').map(word)),
            None => drop(named.insert(word(rest))),
        }
    }
    named
}

/// What each top-level module below a folder of the repository uses.
fn uses(folder: &str) -> Uses {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let mut uses = Uses::new();
    for path in paths.iter().filter(|path| !is_for_tests(path)) {
        let place = path.strip_prefix(&root).expect("below it").with_extension("");
        let room = place.iter().next().expect("a room").to_string_lossy().into_owned();
        let source = fs::read_to_string(path).expect("text");
        let others = named(&source).into_iter().filter(|other| *other != room);
        uses.entry(room.clone()).or_default().extend(others);
    }
    uses
}

/// A way from a room back to itself.
fn circle(uses: &Uses) -> Option<Vec<String>> {
    fn walk(uses: &Uses, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        let here = way.last().expect("a beginning").clone();
        for next in uses.get(&here).into_iter().flatten() {
            if let Some(at) = way.iter().position(|room| room == next) {
                way.drain(..at);
                way.push(next.clone());
                return true;
            }
            if done.contains(next) {
                continue;
            }
            way.push(next.clone());
            if walk(uses, way, done) {
                return true;
            }
            way.pop();
        }
        done.insert(here);
        false
    }
    let mut done = BTreeSet::new();
    uses.keys().find_map(|room| {
        let mut way = vec![room.clone()];
        walk(uses, &mut way, &mut done).then_some(way)
    })
}

#[test]
fn no_room_uses_one_that_stands_above_it() {
    let uses = uses("host/src");
    assert!(uses["engine"].contains("data"), "the source was read: {uses:?}");
    if let Some(way) = circle(&uses) {
        panic!("rooms use each other in a circle: {}", way.join(" -> "));
    }
}

/// Values of keys, how they and replies are written, and what decides their form.
const VALUES: [&str; 27] = [
    "arguments",
    "chunk",
    "deadlines",
    "element",
    "errors",
    "extended",
    "flags",
    "geo",
    "glob",
    "hash",
    "hll",
    "intset",
    "level",
    "list",
    "members",
    "memory",
    "number",
    "pack",
    "rdb",
    "reply",
    "set",
    "settings",
    "sparkline",
    "stream",
    "value",
    "zset",
    "zset_range",
];

#[test]
fn values_of_kv_know_nothing_of_requests() {
    let uses = uses("plugins/kv/src");
    assert!(uses["commands"].contains("value"), "the source was read: {uses:?}");
    for room in VALUES {
        let used = uses.get(room).unwrap_or_else(|| panic!("there is no room {room}"));
        let above: Vec<_> = used.iter().filter(|used| !VALUES.contains(&used.as_str())).collect();
        assert!(above.is_empty(), "{room} uses {above:?}");
    }
}

#[test]
fn a_circle_is_found_and_named() {
    let source = "use crate::{b, c::d}; // crate::comment\nlet x = crate::e::f();";
    assert_eq!(named(source), ["b", "c", "e"].map(str::to_owned).into());
    let of = |pairs: &[(&str, &str)]| -> Uses {
        let mut uses = Uses::new();
        for (from, to) in pairs {
            uses.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        uses
    };
    assert_eq!(circle(&of(&[("a", "b"), ("a", "c"), ("b", "c")])), None);
    let way = circle(&of(&[("a", "b"), ("b", "c"), ("c", "b")]));
    assert_eq!(way.expect("a circle").join(" -> "), "b -> c -> b");
}
