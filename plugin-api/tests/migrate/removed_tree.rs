//! Goal: as `removed.rs`, for trees. Method: two narrower versions: `Lean` holds every score, so that a large
//! tree changes its shape leaf by leaf; `Bare` does not, so that a tree changes at once. Neither holds notes.

use std::mem::{self, MaybeUninit};
use std::ptr;

use hotshell_plugin_api::collections::btree_map::Entry as Place;
use hotshell_plugin_api::collections::{BTreeMap, HashMap, String, Vec};
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::reflect::{Rebuilding, Reflect};
use hotshell_plugin_api::schema::Schema;
use hotshell_plugin_api::state::StateType;
use hotshell_plugin_api::testing::TestServer;

use super::swap;

macro_rules! version {
    ($module:ident, $app:ident, { $($field:ident: $ty:ty),* }) => {
        mod $module {
            use hotshell_plugin_api::state;

            #[allow(unused_imports, reason = "some versions have no text")]
            use super::{BTreeMap, HashMap, String, Vec};

            #[state(schema = 1)]
            pub struct State {
                pub ranks: BTreeMap<u32, Entry>,
                pub nested: HashMap<u32, Group>,
                /// Trees that are taken out and freed later.
                pub graves: Vec<BTreeMap<u32, Entry>>,
            }

            #[state]
            #[derive(Clone)]
            pub struct Group {
                pub members: BTreeMap<u32, Entry>,
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
version!(lean, Lean, { score: u64 });
version!(bare, Bare, { score: u32 });

/// So that one converts at once, the other one leaf by leaf if it can.
const SIZES: [u32; 2] = [20, 5000];
/// Entries below have a score that fits no `u32`.
const LARGE: u32 = 3;

/// A version without notes.
trait Narrow: Plugin {
    type Entry: StateType + Default + Clone;
    /// Entries that it cannot hold.
    const ABSENT: u32;
    fn entry(score: u32) -> Self::Entry;
    fn ranks(state: &mut Self::State) -> &mut BTreeMap<u32, Self::Entry>;
    fn graves(state: &mut Self::State) -> &mut Vec<BTreeMap<u32, Self::Entry>>;
    fn members(state: &mut Self::State, group: u32) -> &mut BTreeMap<u32, Self::Entry>;
    /// Removes a group, and puts its copy in its place.
    fn copy_group(state: &mut Self::State, group: u32);
}

macro_rules! narrow {
    ($app:ident, $module:ident, $absent:expr) => {
        impl Narrow for $app {
            type Entry = $module::Entry;
            const ABSENT: u32 = $absent;
            fn entry(score: u32) -> Self::Entry {
                $module::Entry { score: score.into() }
            }
            fn ranks(state: &mut Self::State) -> &mut BTreeMap<u32, Self::Entry> {
                &mut state.ranks
            }
            fn graves(state: &mut Self::State) -> &mut Vec<BTreeMap<u32, Self::Entry>> {
                &mut state.graves
            }
            fn members(state: &mut Self::State, group: u32) -> &mut BTreeMap<u32, Self::Entry> {
                &mut state.nested.get_mut(&group).expect("it is there").members
            }
            fn copy_group(state: &mut Self::State, group: u32) {
                let copy = state.nested.get(&group).expect("it is there").clone();
                state.nested.remove(&group);
                state.nested.insert(group, copy);
            }
        }
    };
}

narrow!(Lean, lean, 0);
narrow!(Bare, bare, LARGE);

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
    server.state_mut().ranks = (0..size).map(|n| (n, entry(n))).collect();
    server
}

/// The same as a narrower one: all notes are set aside.
fn narrow<N: Narrow>(size: u32) -> TestServer<N> {
    let mut server: TestServer<N> = swap(filled(size));
    server.drain();
    assert_eq!(server.set_aside() as u32, size, "a note or an entry each");
    assert_eq!(N::ranks(server.state_mut()).len() as u32, size - N::ABSENT);
    server
}

/// What the note of an entry is after the way back.
fn noted(server: &TestServer<Full>, n: u32) -> Option<std::string::String> {
    server.state().ranks.get(&n).map(|entry| entry.note.to_string())
}

fn back<N: Narrow>(server: TestServer<N>) -> TestServer<Full> {
    let mut server: TestServer<Full> = swap(server);
    server.drain();
    assert_eq!(server.set_aside(), 0);
    server
}

/// What a narrower version does.
type Act<N> = fn(&mut <N as Plugin>::State);

/// One way to remove an entry of the tree: number 10, or the first, or the last one.
type Remove<N> = fn(&mut BTreeMap<u32, <N as Narrow>::Entry>);

fn removals<N: Narrow>() -> [(&'static str, Remove<N>); 11] {
    [
        ("remove", |tree| drop(tree.remove(&10))),
        ("remove_entry", |tree| drop(tree.remove_entry(&10))),
        ("remove_index", |tree| drop(tree.remove_index((10 - N::ABSENT) as usize))),
        ("pop_first", |tree| drop(tree.pop_first())),
        ("pop_last", |tree| drop(tree.pop_last())),
        ("take_some", |tree| assert_eq!(tree.take_some(3).count(), 3)),
        ("take_some, dropped", |tree| drop(tree.take_some(3))),
        ("first_entry", |tree| drop(tree.first_entry().expect("it has one").remove())),
        ("last_entry", |tree| drop(tree.last_entry().expect("it has one").remove_entry())),
        ("retain", |tree| tree.retain(|&n, _| n != 10)),
        ("entry", |tree| match tree.entry(10) {
            Place::Occupied(found) => drop(found.remove()),
            Place::Vacant(_) => unreachable!("it is there"),
        }),
    ]
}

fn another_entry_gets_nothing<N: Narrow>() {
    for size in SIZES {
        for (way, remove) in removals::<N>() {
            let mut server = narrow::<N>(size);
            let tree = N::ranks(server.state_mut());
            let before: std::vec::Vec<u32> = tree.keys().copied().collect();
            remove(tree);
            let gone = before.into_iter().filter(|n| !tree.contains_key(n));
            let gone: std::vec::Vec<u32> = gone.collect();
            assert!(matches!(gone.len(), 1 | 3), "{way}");
            gone.iter().for_each(|&n| drop(tree.insert(n, N::entry(n))));
            server.drain();
            assert_eq!(server.set_aside(), size as usize - gone.len(), "{way} of {size}");
            let server = back(server);
            for n in 0..size {
                let expected = if gone.contains(&n) { "".into() } else { note(n) };
                assert_eq!(noted(&server, n), Some(expected), "{way}: {n} of {size}");
            }
            assert_eq!(server.overtaken(), 0, "{way} of {size}");
        }
    }
}

#[test]
fn another_entry_under_the_same_key_gets_nothing_of_the_one_that_was_removed() {
    another_entry_gets_nothing::<Lean>();
    another_entry_gets_nothing::<Bare>();
}

fn replaced_is_the_same<N: Narrow>() {
    for size in SIZES {
        let mut server = narrow::<N>(size);
        N::ranks(server.state_mut()).insert(4, N::entry(44));
        let server = back(server);
        assert_eq!(server.state().ranks[&4], full::Entry { score: 44, note: (*note(4)).into() });
    }
}

#[test]
fn an_entry_whose_value_is_replaced_is_the_same_entry() {
    replaced_is_the_same::<Lean>();
    replaced_is_the_same::<Bare>();
}

fn clearing_clears_both<N: Narrow>() {
    let ways: [(&str, Act<N>); 3] = [
        ("clear", |state| N::ranks(state).clear()),
        ("take", |state| drop(mem::take(N::ranks(state)))),
        ("bury", |state| {
            N::ranks(state).forget_aside();
            let grave = mem::take(N::ranks(state));
            N::graves(state).push(grave);
        }),
    ];
    for size in SIZES {
        for (way, clear) in &ways {
            for drained in [true, false] {
                let mut server: TestServer<N> = swap(filled(size));
                server.drain_some(100);
                if drained {
                    server.drain();
                }
                clear(server.state_mut());
                N::ranks(server.state_mut()).insert(1, N::entry(1));
                server.drain();
                assert_eq!(server.set_aside(), 0, "{way} of {size}, drained: {drained}");
                let server = back(server);
                assert_eq!(
                    (noted(&server, 0), noted(&server, 1)),
                    (None, Some("".into())),
                    "{way}"
                );
                assert_eq!((server.state().ranks.len(), server.overtaken()), (1, 0), "{way}");
            }
        }
    }
}

#[test]
fn clearing_a_tree_clears_what_is_set_aside_of_it() {
    clearing_clears_both::<Lean>();
    clearing_clears_both::<Bare>();
}

#[test]
fn taking_all_entries_out_leaves_those_that_are_not_there() {
    for size in SIZES {
        let mut server = narrow::<Bare>(size);
        assert!(mem::take(&mut server.state_mut().ranks).into_iter().count() > 0);
        server.state_mut().ranks.insert(4, Bare::entry(1));
        server.drain();
        assert_eq!(server.set_aside() as u32, LARGE, "{size}");
        let server = back(server);
        assert_eq!((noted(&server, 0), noted(&server, 4)), (Some(note(0)), Some("".into())));
        assert_eq!(server.state().ranks.len() as u32, LARGE + 1, "{size}");
    }
}

#[test]
fn a_removal_in_the_middle_of_the_drain_counts() {
    let size = SIZES[1];
    for look_first in [false, true] {
        let mut server: TestServer<Lean> = swap(filled(size));
        assert!(server.drain_some(100), "there is more to be converted");
        for n in (0..size).step_by(3) {
            let tree = &mut server.state_mut().ranks;
            if look_first {
                assert!(tree.get(&n).is_some());
            }
            assert!(tree.remove(&n).is_some());
            tree.insert(n, Lean::entry(n));
            if n % 30 == 0 {
                server.drain_some(40);
            }
        }
        server.drain();
        let server = back(server);
        for n in 0..size {
            let expected = if n % 3 == 0 { "".into() } else { note(n) };
            assert_eq!(noted(&server, n), Some(expected), "{n}");
        }
        assert_eq!(server.overtaken(), 0);
    }
}

fn trees_in_entries_are_followed<N: Narrow>() {
    let mut server = TestServer::<Full>::new();
    for group in 0..4 {
        let members = (LARGE..10).map(|n| (n, entry(n))).collect();
        server.state_mut().nested.insert(group, full::Group { members });
    }
    let mut server: TestServer<N> = swap(server);
    assert_eq!(server.set_aside(), 4 * 7);
    let state = server.state_mut();
    N::members(state, 0).remove(&4);
    N::members(state, 0).insert(4, N::entry(4));
    N::members(state, 1).clear();
    N::copy_group(state, 2);
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
fn trees_within_entries_are_followed_too() {
    trees_in_entries_are_followed::<Lean>();
    trees_in_entries_are_followed::<Bare>();
}

#[test]
fn a_second_round_follows_the_entries_as_they_are_then() {
    for size in SIZES {
        let mut server = narrow::<Bare>(size);
        server.state_mut().ranks.remove(&4);
        let mut server = back(server);
        assert!(server.state_mut().ranks.insert(4, entry(4)).is_none());
        let mut server: TestServer<Lean> = swap(server);
        server.drain();
        assert_eq!(server.set_aside() as u32, size);
        server.state_mut().ranks.remove(&9);
        server.state_mut().ranks.insert(9, Lean::entry(9));
        let server = back(server);
        assert_eq!((noted(&server, 4), noted(&server, 9)), (Some(note(4)), Some("".into())));
    }
}

/// The version that is away is not always the next one that comes.
#[test]
fn what_waits_follows_its_entry_through_a_third_version() {
    for size in SIZES {
        let mut server: TestServer<Bare> = swap(narrow::<Lean>(size));
        server.drain();
        assert!(server.state_mut().ranks.remove(&9).is_some());
        server.state_mut().ranks.insert(9, Bare::entry(9));
        let mut server: TestServer<Lean> = swap(server);
        server.drain();
        assert!(server.state_mut().ranks.remove(&11).is_some());
        server.state_mut().ranks.insert(11, Lean::entry(11));
        let server = back(server);
        for n in 0..size {
            let expected = if n == 9 || n == 11 { "".into() } else { note(n) };
            assert_eq!(noted(&server, n), Some(expected), "{n} of {size}");
        }
    }
}

/// A state that is made of its image, as a start does, of which `change` removes entries.
fn after_a_start(size: u32, outline: bool, change: impl FnOnce(&mut lean::State)) -> usize {
    let mut server = narrow::<Lean>(size);
    let schema = Schema::of::<lean::State, ()>();
    let (reflect, mut image) = (Reflect::new(&schema), std::vec::Vec::new());
    let at = ptr::from_mut(server.state_mut()).cast();
    let mut copy = MaybeUninit::<lean::State>::uninit();
    let to = copy.as_mut_ptr().cast();
    // SAFETY: a state and room for one, of this schema; `copy` is whole once it is built.
    let mut copy = unsafe {
        if outline {
            reflect.write_outline(schema.root, at, &mut image, &mut |_| false);
            let source = &mut &image[..];
            let built = Rebuilding::begin(Reflect::new(&schema), schema.root, to, source);
            built.expect("a whole outline").finish().expect("nothing was left out");
        } else {
            reflect.write(schema.root, at, &mut image);
            reflect.build(schema.root, to, &mut &image[..]).expect("a whole image");
        }
        copy.assume_init()
    };
    change(&mut copy);
    server.drain();
    let left = server.set_aside();
    drop(copy);
    server.drain();
    assert_eq!(server.set_aside(), 0, "the tree went, and all that hung on it");
    left
}

#[test]
fn a_tree_that_was_read_back_is_still_known() {
    for size in SIZES {
        for outline in [false, true] {
            let left = after_a_start(size, outline, |state| _ = state.ranks.remove(&4));
            assert_eq!(left as u32, size - 1, "outline: {outline}");
        }
    }
}
