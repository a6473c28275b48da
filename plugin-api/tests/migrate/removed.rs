//! Goal: what is set aside of an entry goes with the entry: another one that is made under its key gets
//! none of it, and clearing a map clears both. Method: a note that the narrower version has no field for,
//! a score that does not fit it, and removals in every way while that version serves.

use std::mem;

use hotshell_plugin_api::collections::{HashMap, String, Vec};
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::testing::TestServer;

use super::swap;

macro_rules! version {
    ($module:ident, $app:ident, { $($field:ident: $ty:ty),* }) => {
        mod $module {
            use hotshell_plugin_api::state;

            #[allow(unused_imports, reason = "one version has no text")]
            use super::{HashMap, String, Vec};

            #[state(schema = 1)]
            pub struct State {
                pub by_name: HashMap<u32, Entry>,
                pub nested: HashMap<u32, Group>,
                /// Maps that are taken out and freed later.
                pub graves: Vec<HashMap<u32, Entry>>,
            }

            #[state]
            #[derive(Clone)]
            pub struct Group {
                pub members: HashMap<u32, Entry>,
            }

            #[state]
            #[derive(Debug, Clone, PartialEq)]
            pub struct Entry {
                $(pub $field: $ty),*
            }
        }
        silent!($app, $module::State);
    };
}

version!(full, Full, { score: u64, note: String });
version!(bare, Bare, { score: u32 });

/// What version `Bare` does.
type Act = fn(&mut bare::State);

/// So that one converts at once, the other one by a drain.
const SIZES: [u32; 2] = [20, 5000];
/// Entries below have a score that fits no `u32`.
const LARGE: u32 = 3;

fn note(n: u32) -> std::string::String {
    format!("the note of number {n}")
}

fn entry(n: u32) -> full::Entry {
    let score = u64::from(n) + if n < LARGE { 1 << 40 } else { 0 };
    full::Entry { score, note: note(n).as_str().into() }
}

/// A full server of so many entries, each with a note.
fn filled(size: u32) -> TestServer<Full> {
    let mut server = TestServer::<Full>::new();
    for n in 0..size {
        server.state_mut().by_name.insert(n, entry(n));
    }
    server
}

/// The same as a bare one: all notes and the large scores are set aside.
fn bare(size: u32) -> TestServer<Bare> {
    let mut server: TestServer<Bare> = swap(filled(size));
    server.drain();
    assert_eq!(server.set_aside() as u32, size, "a note or an entry each");
    assert_eq!(server.state().by_name.len() as u32, size - LARGE);
    server
}

/// What the note of an entry is after the way back.
fn noted(server: &TestServer<Full>, n: u32) -> Option<std::string::String> {
    server.state().by_name.get(&n).map(|entry| entry.note.to_string())
}

fn back(server: TestServer<Bare>) -> TestServer<Full> {
    let mut server: TestServer<Full> = swap(server);
    server.drain();
    assert_eq!(server.set_aside(), 0);
    server
}

#[test]
fn another_entry_under_the_same_key_gets_nothing_of_the_one_that_was_removed() {
    for size in SIZES {
        let mut server = bare(size);
        let map = &mut server.state_mut().by_name;
        assert!(map.remove(&4).is_some());
        map.insert(4, bare::Entry { score: 44 });
        assert!(map.remove_entry(&5).is_some());
        map.entry(5).or_default().score = 55;
        match map.entry(6) {
            hotshell_plugin_api::collections::hash_map::Entry::Occupied(found) => found.remove(),
            hotshell_plugin_api::collections::hash_map::Entry::Vacant(_) => unreachable!(),
        };
        map.insert(6, bare::Entry { score: 66 });
        map.retain(|&n, _| n != 7);
        map.insert(7, bare::Entry { score: 77 });
        map.remove(&8);
        server.drain();
        assert_eq!(server.set_aside() as u32, size - 5, "they went with their entries");
        let server = back(server);
        for n in 4..8 {
            assert_eq!(noted(&server, n), Some(std::string::String::new()), "{n} of {size}");
        }
        assert_eq!(noted(&server, 8), None);
        for n in (0..size).filter(|n| !(4..=8).contains(n)) {
            assert_eq!(noted(&server, n), Some(note(n)), "{n} of {size}");
        }
        assert_eq!(server.overtaken(), 0);
    }
}

#[test]
fn an_entry_whose_value_is_replaced_is_the_same_entry() {
    for size in SIZES {
        let mut server = bare(size);
        server.state_mut().by_name.insert(4, bare::Entry { score: 44 });
        let server = back(server);
        assert_eq!(server.state().by_name.get(&4).map(|entry| entry.score), Some(44));
        assert_eq!(noted(&server, 4), Some(note(4)));
    }
}

#[test]
fn clearing_a_map_clears_what_is_set_aside_of_it() {
    type Map = HashMap<u32, bare::Entry>;
    let ways: [(&str, Act); 3] = [
        ("clear", |state| state.by_name.clear()),
        ("take", |state| drop(mem::take(&mut state.by_name))),
        ("bury", |state| {
            state.by_name.forget_aside();
            let grave: Map = mem::take(&mut state.by_name);
            state.graves.push(grave);
        }),
    ];
    for size in SIZES {
        for (way, clear) in &ways {
            let mut server = bare(size);
            clear(server.state_mut());
            server.state_mut().by_name.insert(1, bare::Entry { score: 1 });
            server.drain();
            assert_eq!(server.set_aside(), 0, "{way} of {size}");
            let server = back(server);
            assert_eq!((noted(&server, 0), noted(&server, 1)), (None, Some("".into())), "{way}");
            assert_eq!((server.state().by_name.len(), server.overtaken()), (1, 0), "{way}");
        }
    }
}

#[test]
fn taking_all_entries_out_leaves_those_that_are_not_there() {
    let ways: [(&str, Act); 2] = [
        ("drain", |state| assert!(state.by_name.drain().count() > 0)),
        ("into_iter", |state| assert!(mem::take(&mut state.by_name).into_iter().count() > 0)),
    ];
    for size in SIZES {
        for (way, take) in &ways {
            let mut server = bare(size);
            take(server.state_mut());
            server.state_mut().by_name.insert(4, bare::Entry { score: 1 });
            server.drain();
            assert_eq!(server.set_aside() as u32, LARGE, "{way} of {size}");
            let server = back(server);
            assert_eq!((noted(&server, 0), noted(&server, 4)), (Some(note(0)), Some("".into())));
            assert_eq!(server.state().by_name.len() as u32, LARGE + 1, "{way} of {size}");
        }
    }
}

#[test]
fn a_removal_in_the_middle_of_the_drain_counts() {
    let size = SIZES[1];
    for look_first in [false, true] {
        let mut server: TestServer<Bare> = swap(filled(size));
        server.drain_some(100);
        for n in (LARGE..size).step_by(3) {
            let map = &mut server.state_mut().by_name;
            if look_first {
                assert!(map.get(&n).is_some());
            }
            assert!(map.remove(&n).is_some());
            map.insert(n, bare::Entry { score: n });
        }
        server.drain();
        let server = back(server);
        for n in LARGE..size {
            let expected = if n % 3 == 0 { "".into() } else { note(n) };
            assert_eq!(noted(&server, n), Some(expected), "{n}");
        }
        assert_eq!(server.overtaken(), 0);
    }
}

#[test]
fn clearing_in_the_middle_of_the_drain_counts() {
    let mut server: TestServer<Bare> = swap(filled(SIZES[1]));
    server.drain_some(100);
    server.state_mut().by_name.clear();
    server.state_mut().by_name.insert(4, bare::Entry { score: 4 });
    server.drain();
    assert_eq!(server.set_aside(), 0);
    let server = back(server);
    assert_eq!((server.state().by_name.len(), noted(&server, 4)), (1, Some("".into())));
}

#[test]
fn maps_within_entries_are_followed_too() {
    let mut server = TestServer::<Full>::new();
    for group in 0..4 {
        let members = (LARGE..10).map(|n| (n, entry(n))).collect();
        server.state_mut().nested.insert(group, full::Group { members });
    }
    let mut server: TestServer<Bare> = swap(server);
    assert_eq!(server.set_aside(), 4 * 7);
    let nested = &mut server.state_mut().nested;
    nested.get_mut(&0).expect("it is there").members.remove(&4);
    nested.get_mut(&0).expect("it is there").members.insert(4, bare::Entry { score: 4 });
    nested.get_mut(&1).expect("it is there").members.clear();
    let copy = nested.get(&2).expect("it is there").clone();
    assert!(nested.remove(&2).is_some());
    nested.insert(2, copy);
    server.drain();
    assert_eq!(server.set_aside(), 6 + 7);
    let server = back(server);
    let noted = |group: u32, n: u32| {
        let group = server.state().nested.get(&group).expect("it is there");
        group.members.get(&n).map(|entry| entry.note.to_string())
    };
    for n in LARGE..10 {
        let first = if n == 4 { "".into() } else { note(n) };
        assert_eq!(noted(0, n), Some(first), "{n}");
        assert_eq!((noted(1, n), noted(2, n)), (None, Some("".into())), "{n}");
        assert_eq!(noted(3, n), Some(note(n)), "{n}");
    }
}

#[test]
fn a_second_round_follows_the_entries_as_they_are_then() {
    let mut server = bare(SIZES[1]);
    server.state_mut().by_name.remove(&4);
    let mut server = back(server);
    let put = |server: &mut TestServer<Full>| server.state_mut().by_name.insert(4, entry(4));
    assert!(put(&mut server).is_none());
    let mut server: TestServer<Bare> = swap(server);
    server.drain();
    assert_eq!(server.set_aside() as u32, SIZES[1]);
    server.state_mut().by_name.remove(&9);
    server.state_mut().by_name.insert(9, bare::Entry { score: 9 });
    let server = back(server);
    assert_eq!((noted(&server, 4), noted(&server, 9)), (Some(note(4)), Some("".into())));
}
