//! What was set aside comes back into a large map by the drain: at once where somebody looks, and without
//! ending the drain.

use hotshell_plugin_api::collections::{HashMap, String};
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::state::StateType;
use hotshell_plugin_api::testing::TestServer;

use super::swap;

macro_rules! version {
    ($module:ident, $app:ident, { $($field:ident: $ty:ty),* }) => {
        mod $module {
            use hotshell_plugin_api::state;

            use super::{HashMap, String};

            #[state(schema = 1)]
            pub struct State {
                pub by_name: HashMap<String, Entry>,
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

version!(narrow, Narrow, { score: u32, note: String });
version!(wide, Wide, { score: u64, note: String });
version!(bare, Bare, { score: u32 });

const ENTRIES: u64 = 20_000;

fn key(n: u64) -> std::string::String {
    format!("key {n}")
}

fn put<E: StateType>(map: &mut HashMap<String, E>, n: u64, entry: E) {
    map.insert(key(n).as_str().into(), entry);
}

/// Version `Narrow` with a large map, whose entries 0..10 wait aside: their scores are too large for it.
fn with_ten_aside() -> TestServer<Narrow> {
    let mut server = TestServer::<Wide>::new();
    for n in 0..ENTRIES {
        let score = if n < 10 { 1 << 40 | n } else { n };
        put(&mut server.state_mut().by_name, n, wide::Entry { score, note: "wide".into() });
    }
    let mut server: TestServer<Narrow> = swap(server);
    server.drain();
    assert_eq!(server.set_aside(), 10);
    assert_eq!(server.state().by_name.len() as u64, ENTRIES - 10);
    server
}

#[test]
fn entries_return_through_the_drain_and_are_there_for_who_looks() {
    let server: TestServer<Wide> = swap(with_ten_aside());
    assert_eq!(server.entries_to_convert(), ENTRIES - 10, "the switch ends no drain");
    let map = &server.state().by_name;
    assert_eq!(map.len() as u64, ENTRIES, "they count from the switch on");
    assert_eq!(map.get(key(3).as_str()).map(|entry| entry.score), Some(1 << 40 | 3));
    assert_eq!(map.get("no such key"), None);
    let mut server = server;
    assert_eq!(
        server.state_mut().by_name.remove(key(4).as_str()).map(|e| e.score),
        Some(1 << 40 | 4)
    );
    server.drain();
    let map = &server.state().by_name;
    assert_eq!(map.len() as u64, ENTRIES - 1);
    for n in (0..ENTRIES).filter(|&n| n != 4) {
        let score = if n < 10 { 1 << 40 | n } else { n };
        assert_eq!(map.get(key(n).as_str()).map(|entry| entry.score), Some(score), "{n}");
    }
    assert_eq!(map.get(key(4).as_str()), None, "removed, though it had not come back yet");
    assert_eq!((server.set_aside(), server.overtaken()), (0, 0));
}

#[test]
fn walks_and_scans_show_what_is_still_to_return() {
    let server: TestServer<Wide> = swap(with_ten_aside());
    let (mut cursor, mut shown) = (0, std::collections::BTreeSet::new());
    loop {
        cursor = server.state().by_name.scan(cursor, 100, |key, _| {
            shown.insert(key.to_string());
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(shown.len() as u64, ENTRIES);
    let server: TestServer<Wide> = swap(with_ten_aside());
    assert_eq!(server.state().by_name.iter().count() as u64, ENTRIES);
    let mut server: TestServer<Wide> = swap(with_ten_aside());
    server.state_mut().by_name.clear();
    server.drain();
    assert_eq!((server.state().by_name.len(), server.set_aside()), (0, 0), "clear clears both");
}

#[test]
fn the_live_entry_wins_and_the_other_is_told() {
    let mut server = with_ten_aside();
    put(&mut server.state_mut().by_name, 5, narrow::Entry { score: 7, note: "live".into() });
    let mut server: TestServer<Wide> = swap(server);
    assert_eq!(server.state().by_name.get(key(5).as_str()).map(|entry| entry.score), Some(7));
    // Put in after the switch, before the drain came to it: it was there already.
    let entry = wide::Entry { score: 8, note: "newer".into() };
    let before = server.state_mut().by_name.insert(key(6).as_str().into(), entry);
    assert_eq!(before.map(|entry| entry.score), Some(1 << 40 | 6));
    server.drain();
    let map = &server.state().by_name;
    assert_eq!(map.len() as u64, ENTRIES);
    assert_eq!(map.get(key(5).as_str()).map(|entry| entry.score), Some(7));
    assert_eq!(map.get(key(6).as_str()).map(|entry| entry.score), Some(8));
    assert_eq!((server.set_aside(), server.overtaken()), (0, 1));
}

#[test]
fn a_rest_rejoins_its_entry_and_none_that_was_put_in_since() {
    let mut server = TestServer::<Narrow>::new();
    for n in 0..ENTRIES {
        let note = if n < 100 { format!("note {n}") } else { std::string::String::new() };
        let entry = narrow::Entry { score: n as u32, note: note.as_str().into() };
        put(&mut server.state_mut().by_name, n, entry);
    }
    let mut server: TestServer<Bare> = swap(server);
    server.drain();
    assert_eq!(server.set_aside(), 100, "notes that are not the default");
    let mut server: TestServer<Narrow> = swap(server);
    assert_eq!(server.entries_to_convert(), ENTRIES, "the switch ends no drain");
    let map = &mut server.state_mut().by_name;
    assert_eq!(map.get(key(1).as_str()).map(|entry| entry.note.to_string()), Some("note 1".into()));
    assert_eq!(map.remove(key(2).as_str()).map(|e| e.note.to_string()), Some("note 2".into()));
    put(map, 2, narrow::Entry::default());
    server.drain();
    for n in 0..ENTRIES {
        let expected =
            if n < 100 && n != 2 { format!("note {n}") } else { std::string::String::new() };
        let found = server.state().by_name.get(key(n).as_str());
        assert_eq!(found.map(|entry| entry.note.to_string()), Some(expected), "{n}");
    }
    assert_eq!((server.set_aside(), server.overtaken()), (0, 0));
}

#[test]
fn a_rest_goes_with_its_entry() {
    let mut server = TestServer::<Narrow>::new();
    for n in 0..ENTRIES {
        let entry = narrow::Entry { score: n as u32, note: "n".into() };
        put(&mut server.state_mut().by_name, n, entry);
    }
    let mut server: TestServer<Bare> = swap(server);
    server.drain();
    for n in 0..7 {
        server.state_mut().by_name.remove(key(n).as_str());
    }
    server.drain();
    assert_eq!(server.set_aside() as u64, ENTRIES - 7);
    let mut server: TestServer<Narrow> = swap(server);
    server.drain();
    assert_eq!(server.state().by_name.len() as u64, ENTRIES - 7);
    assert_eq!((server.set_aside(), server.overtaken()), (0, 0));
}

/// A conversion that begins while the map grows: two sources.
#[test]
fn a_map_in_mid_growth_changes_its_shape() {
    let mut server = TestServer::<Narrow>::new();
    let mut count = 0;
    while count < 5000 || !server.state().by_name.is_moving() {
        let entry = narrow::Entry { score: count as u32, note: "n".into() };
        put(&mut server.state_mut().by_name, count, entry);
        count += 1;
    }
    let mut server: TestServer<Wide> = swap(server);
    assert_eq!(server.entries_to_convert(), count);
    let mut steps = 0;
    while server.drain_some(64) {
        let (seen, gone) = (key(steps * 37 % count), key(steps * 41 % count));
        let map = &mut server.state_mut().by_name;
        let is_there = map.contains_key(gone.as_str());
        assert_eq!(map.remove(gone.as_str()).is_some(), is_there);
        put(map, steps * 41 % count, wide::Entry { score: steps * 41 % count, note: "new".into() });
        assert_eq!(map.get(seen.as_str()).map(|e| e.score), Some(steps * 37 % count), "{seen}");
        assert_eq!(map.len() as u64, count);
        steps += 1;
    }
    assert!(steps > 20, "the drain went on in between: {steps}");
    let map = &server.state().by_name;
    assert_eq!(map.iter().count() as u64, count);
    assert!((0..count).all(|n| map.get(key(n).as_str()).is_some_and(|entry| entry.score == n)));
}

#[test]
fn a_map_in_mid_drain_is_copied_thinned_enlarged_and_dropped() {
    let mut server: TestServer<Wide> = swap(with_ten_aside());
    server.drain_some(500);
    let copy = server.state().by_name.clone();
    assert_eq!(copy.len() as u64, ENTRIES);
    drop(copy);
    let mut server: TestServer<Wide> = swap(with_ten_aside());
    server.drain_some(500);
    drop(server);
    let server: TestServer<Wide> = swap(with_ten_aside());
    let mut all = 0;
    let mut server = server;
    server.state_mut().by_name.retain(|_, entry| {
        all += 1;
        entry.score % 2 == 0
    });
    assert_eq!(all, ENTRIES);
    server.state_mut().by_name.reserve(100_000);
    assert_eq!(server.state().by_name.len() as u64, ENTRIES / 2);
    server.drain();
}
