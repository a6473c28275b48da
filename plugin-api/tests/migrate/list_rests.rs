//! Goal: what an older version cannot hold of the elements of a list is there again after an undo, in the
//! elements that were left alone, wherever they are by then. Method: a version with notes and one without;
//! the latter edits its lists, then the former comes back.

use hotshell_plugin_api::collections::{BTreeMap, HashMap, String, Vec, VecDeque};
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::testing::TestServer;

use super::swap;

macro_rules! version {
    ($module:ident, $app:ident, { $($field:ident: $ty:ty),* }) => {
        mod $module {
            #[allow(unused_imports, reason = "some versions have no text")]
            use super::{BTreeMap, HashMap, String, Vec, VecDeque};
            use hotshell_plugin_api::state;

            #[state(schema = 1)]
            pub struct State {
                pub list: Vec<Item>,
                pub queue: VecDeque<Item>,
                pub groups: HashMap<u32, Group>,
                pub ranks: BTreeMap<u32, Group>,
            }

            #[state]
            pub struct Group {
                pub members: Vec<Item>,
            }

            #[state]
            pub struct Item {
                $(pub $field: $ty),*
            }
        }
        silent!($app, $module::State);
    };
}

version!(full, Full, { n: u32, note: String });
version!(lean, Lean, { n: u32 });
version!(wide, Wide, { n: u64 });

const ITEMS: u32 = 400;

fn note(n: u32) -> std::string::String {
    format!("the note of number {n}")
}

fn item(n: u32) -> full::Item {
    full::Item { n, note: (*note(n)).into() }
}

/// Without notes; each item had one.
fn lean() -> TestServer<Lean> {
    let mut server = TestServer::<Full>::new();
    server.state_mut().list = (0..ITEMS).map(item).collect();
    server.state_mut().queue = (0..ITEMS).map(item).collect();
    let server: TestServer<Lean> = swap(server);
    assert_eq!(server.set_aside() as u32, 2 * ITEMS);
    server
}

/// Each item has its own note, or none.
#[track_caller]
fn each_its_own<'i>(items: impl Iterator<Item = &'i full::Item>, without: &[u32]) -> usize {
    let mut noted = 0;
    for item in items {
        let expected = if without.contains(&item.n) { "".into() } else { note(item.n) };
        assert_eq!(&*item.note, &*expected, "number {}", item.n);
        noted += usize::from(!expected.is_empty());
    }
    noted
}

#[test]
fn elements_that_were_left_alone_get_their_rests_back() {
    let server: TestServer<Full> = swap(lean());
    assert_eq!(each_its_own(server.state().list.iter(), &[]), ITEMS as usize);
    assert_eq!(each_its_own(server.state().queue.iter(), &[]), ITEMS as usize);
    assert_eq!((server.set_aside(), server.overtaken()), (0, 0));
}

#[test]
fn elements_are_found_wherever_they_are_by_now() {
    let mut server = lean();
    let state = server.state_mut();
    drop(state.list.drain(10..13));
    state.list.insert(200, lean::Item { n: 1000 });
    state.list[300].n = 2000; // by now that is what was number 302
    state.list.push(lean::Item { n: 3000 });
    for n in 0..50 {
        state.queue.pop_front();
        state.queue.push_back(lean::Item { n: 4000 + n });
    }
    let new: std::vec::Vec<u32> = [1000, 2000, 3000].into_iter().chain(4000..4050).collect();
    let server: TestServer<Full> = swap(server);
    let state = server.state();
    assert_eq!(each_its_own(state.list.iter(), &new), ITEMS as usize - 4);
    assert_eq!(each_its_own(state.queue.iter(), &new), ITEMS as usize - 50);
    assert_eq!(server.overtaken(), 4 + 50, "what went and what was changed");
    assert_eq!(server.set_aside(), 0);
}

#[test]
fn no_rest_is_put_into_two_elements_and_none_replaces_another() {
    let mut server = TestServer::<Full>::new();
    let twins = (0..20).map(|n| full::Item { n: 7, note: (*note(n)).into() });
    server.state_mut().list = twins.collect();
    let mut server: TestServer<Lean> = swap(server);
    server.state_mut().list.remove(0);
    let server: TestServer<Full> = swap(server);
    let mut notes: std::vec::Vec<&str> = server.state().list.iter().map(|i| &*i.note).collect();
    assert!(notes.iter().all(|note| !note.is_empty()), "each of the 19 has one: {notes:?}");
    notes.sort_unstable();
    notes.dedup();
    assert_eq!((notes.len(), server.overtaken()), (19, 1));
}

#[test]
fn a_list_that_loses_elements_on_the_way_back_mixes_nothing_up() {
    let mut server = TestServer::<Full>::new();
    server.state_mut().list = (0..20).map(item).collect();
    let mut server: TestServer<Wide> = swap(server);
    server.state_mut().list.insert(3, wide::Item { n: 1 << 40 });
    let server: TestServer<Full> = swap(server);
    let without: std::vec::Vec<u32> = (0..20).collect();
    assert_eq!(each_its_own(server.state().list.iter(), &without), 0);
    assert_eq!((server.set_aside(), server.overtaken()), (1, 20), "told, not guessed");
}

/// Lists in entries of maps of this size, and of trees.
fn in_entries(size: u32) {
    let mut server = TestServer::<Full>::new();
    for n in 0..size {
        let group = || full::Group { members: (n..n + 3).map(item).collect() };
        server.state_mut().groups.insert(n, group());
        server.state_mut().ranks.insert(n, group());
    }
    let mut server: TestServer<Lean> = swap(server);
    server.drain();
    assert_eq!(server.set_aside() as u32, 2 * 3 * size);
    let state = server.state_mut();
    for groups in [state.groups.get_mut(&5), state.ranks.get_mut(&5)] {
        let members = &mut groups.expect("it is there").members;
        members.remove(0);
        members.push(lean::Item { n: 100_000 });
    }
    let mut server: TestServer<Full> = swap(server);
    server.drain();
    let state = server.state();
    for n in 0..size {
        for group in [&state.groups[&n], &state.ranks[&n]] {
            let noted = each_its_own(group.members.iter(), &[100_000]);
            assert_eq!(noted, if n == 5 { 2 } else { 3 }, "{n} of {size}");
        }
    }
    assert_eq!((server.set_aside(), server.overtaken()), (0, 2), "{size}");
}

#[test]
fn lists_in_entries_are_searched_too() {
    in_entries(20);
    in_entries(3000);
}
