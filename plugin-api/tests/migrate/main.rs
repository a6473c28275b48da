//! Goal: state changes its shape and back, and nothing is lost that either shape can hold. Method: two
//! versions of a plugin in one test server, swapped forth and back, read through their own types.

/// A plugin that has a state, and answers nothing.
macro_rules! silent {
    ($name:ident, $state:ty) => {
        struct $name;
        impl Plugin for $name {
            type State = $state;
            type Session = ();
            fn init(_: &mut InitCtx<'_>) -> Result<Self::State, Refusal> {
                Ok(Self::State::default())
            }
            fn data(_: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
                Flow::Done(unread.len())
            }
        }
    };
}

mod below;
mod drain;
mod in_place;
mod list_rests;
mod model;
mod nested;
mod removed;
mod removed_tree;
mod returns;
mod sessions;
mod together;
mod tree_returns;
mod trees;
mod versions;

use hotshell_plugin_api::collections::{Box, Option, String};
use hotshell_plugin_api::plugin::Plugin;
use hotshell_plugin_api::testing::TestServer;

use versions::{App1, App2, one, two};

/// The server under another version, which takes the state.
fn swap<A: Plugin, B: Plugin>(server: TestServer<A>) -> TestServer<B> {
    server.swap_to::<B>().unwrap_or_else(|no| panic!("{}", no.refusal))
}

fn swap_up(server: TestServer<App1>) -> TestServer<App2> {
    swap(server)
}

fn swap_down(server: TestServer<App2>) -> TestServer<App1> {
    swap(server)
}

#[test]
fn fields_are_added_removed_renamed_widened_and_wrapped() {
    let mut server = TestServer::<App1>::new();
    let state = server.state_mut();
    state.visits = 7;
    state.title = "a title that is longer than what lies inline".into();
    state.gone = "what version 2 has no field for, long enough for a block".into();
    state.floor = 3;
    state.maybe = 5;
    state.boxed = Box::new(9);
    state.days = [1, 2, 3];
    let server = swap_up(server);
    let state = server.state();
    assert_eq!(state.visits, 7_u64);
    assert_eq!(&*state.name, "a title that is longer than what lies inline");
    assert_eq!(&*state.motto, "none yet, and that is said in more than a few bytes");
    assert_eq!(state.place.floor, 3);
    assert_eq!(state.maybe, Option::Some(5));
    assert_eq!(*state.boxed, 9_u64);
    assert_eq!(state.days, [1_i64, 2, 3]);
    assert_eq!(server.set_aside(), 1, "the field that version 2 does not have");
}

#[test]
fn a_removed_field_is_there_again_after_an_undo() {
    let mut server = TestServer::<App1>::new();
    server.state_mut().gone = "remembered although nobody could see it".into();
    let mut server = swap_up(server);
    server.state_mut().visits = 8;
    server.state_mut().motto = "onwards".into();
    let server = swap_down(server);
    assert_eq!(&*server.state().gone, "remembered although nobody could see it");
    assert_eq!(server.state().visits, 8_u32);
    let server = swap_up(server);
    assert_eq!(&*server.state().motto, "onwards");
}

#[test]
fn what_no_longer_fits_starts_with_its_default_and_comes_back() {
    let mut server = swap_up(TestServer::<App1>::new());
    server.state_mut().visits = 1 << 40;
    server.state_mut().maybe = Option::None;
    let server = swap_down(server);
    assert_eq!((server.state().visits, server.state().maybe), (0, 4));
    assert_eq!(server.set_aside(), 4, "two values, and two fields that version 1 does not have");
    let mut server = swap_up(server);
    assert_eq!((server.state().visits, server.state().maybe), (1 << 40, Option::None));
    assert_eq!(server.overtaken(), 0);
    server.state_mut().visits = 1 << 41;
    let mut server = swap_down(server);
    server.state_mut().visits = 2;
    let server = swap_up(server);
    assert_eq!(server.state().visits, 2, "what was written since wins");
    assert_eq!(server.overtaken(), 1);
}

#[test]
fn elements_of_lists_change_and_those_without_a_place_return_at_the_end() {
    let mut server = TestServer::<App1>::new();
    let state = server.state_mut();
    for i in 0..3000_u32 {
        state.line.push(one::Entry { score: i, note: String::from("n") });
        state.queue.push_back(one::Entry { score: i, note: String::from("q") });
    }
    let mut server = swap_up(server);
    let state = server.state_mut();
    assert_eq!((state.line.len(), state.queue.len()), (3000, 3000));
    assert_eq!((state.line[2999].score, state.queue[2999].score), (2999_u64, 2999_u64));
    assert_eq!(state.line[5].tries, 1);
    state.line[1].score = 1 << 40;
    state.queue[1].score = 1 << 40;
    let server = swap_down(server);
    let state = server.state();
    assert_eq!((state.line.len(), state.queue.len()), (2999, 2999), "the others close up");
    assert_eq!((state.line[1].score, state.queue[1].score), (2, 2));
    let server = swap_up(server);
    let state = server.state();
    assert_eq!((state.line.len(), state.queue.len()), (3000, 3000));
    assert_eq!((state.line[2999].score, state.queue[2999].score), (1 << 40, 1 << 40));
    assert_eq!(&*state.queue[2999].note, "q");
}

#[test]
fn entries_of_maps_change_and_the_live_one_wins_over_one_that_was_set_aside() {
    let mut server = swap_up(TestServer::<App1>::new());
    let state = server.state_mut();
    for i in 0..2000_u64 {
        state.by_id.insert(i, two::Shape::Circle { radius: i });
        let name = String::from(format!("key number {i}, which is not inline"));
        state.ranked.insert(name, two::Entry { score: i, note: "r".into(), tries: i as u32 });
    }
    state
        .by_id
        .insert(5, two::Shape::Star(String::from("only version 2 knows stars, of any size")));
    state.by_id.insert(6, two::Shape::Star(String::from("another star, which nobody overtakes")));
    let mut server = swap_down(server);
    server.drain();
    let state = server.state_mut();
    assert_eq!(state.by_id.len(), 1998, "stars are invisible to version 1");
    assert!(state.by_id.get(&5).is_none());
    state.by_id.insert(5, one::Shape::Dot);
    state.ranked.remove("key number 9, which is not inline");
    let mut server = swap_up(server);
    server.drain();
    let state = server.state();
    assert_eq!(state.by_id.len(), 2000);
    assert_eq!(state.by_id[&5], two::Shape::Dot, "the live one wins");
    assert!(matches!(&state.by_id[&6], two::Shape::Star(text) if text.starts_with("another")));
    assert_eq!(state.ranked["key number 7, which is not inline"].tries, 7, "a rest rejoins");
    assert_eq!(state.ranked.len(), 1999);
    assert!(server.overtaken() >= 1);
    assert_eq!(server.set_aside(), 1, "version 1's own field");
}

#[test]
fn sessions_change_with_the_state() {
    let mut server = TestServer::<App1>::new();
    let (ann, bob) = (server.connect(), server.connect());
    assert_eq!(server.ask(ann, b"x"), b"1 ");
    assert_eq!(server.ask(ann, b"x"), b"2 ");
    let mut server = swap_up(server);
    assert_eq!(server.ask(ann, b"x"), b"3/1 ");
    assert_eq!(server.ask(bob, b"x"), b"1/1 ");
    let mut server = swap_down(server);
    assert_eq!(server.ask(ann, b"x"), b"4 ");
    let mut server = swap_up(server);
    assert_eq!(server.ask(ann, b"x"), b"5/2 ", "a session's removed field comes back, too");
    server.disconnect(bob);
    let new = server.connect();
    assert_eq!(server.ask(new, b"x"), b"1/1 ");
}

#[test]
fn a_default_that_panics_refuses_the_swap_and_changes_nothing() {
    let mut server = TestServer::<App1>::new();
    let client = server.connect();
    server.ask(client, b"x");
    server.state_mut().gone = "still here".into();
    let bytes = server.state_bytes();
    let Err(no) = server.swap_to::<versions::Broken>() else { panic!("refused") };
    assert_eq!(no.refusal.text(), "a default of the new version panicked");
    let mut server = no.server;
    assert_eq!(server.state_bytes(), bytes, "nothing is left of the attempt");
    assert_eq!(server.ask(client, b"x"), b"2 ");
    assert_eq!(&*server.state().gone, "still here");
}

#[test]
fn a_state_that_cannot_be_taken_over_is_refused_with_the_place() {
    let server = TestServer::<App1>::new();
    let Err(no) = server.swap_to::<versions::Other>() else { panic!("refused") };
    assert!(no.refusal.text().contains("state.visits"), "{}", no.refusal);
}

#[test]
fn forth_and_back_leaks_nothing() {
    let mut server = TestServer::<App1>::new();
    let state = server.state_mut();
    for i in 0..100_u32 {
        let text = String::from(format!("a text of more bytes than lie inline, number {i}"));
        state.line.push(one::Entry { score: i, note: text.clone() });
        state.by_id.insert(i.into(), one::Shape::Circle { radius: i.into() });
        state.ranked.insert(text.clone(), one::Entry { score: i, note: text.clone() });
        state.queue.push_back(one::Entry { score: i, note: text });
    }
    let server = swap_down(swap_up(server));
    let bytes = server.state_bytes();
    let server = swap_down(swap_up(swap_down(swap_up(server))));
    assert_eq!(server.state_bytes(), bytes);
}

#[test]
fn an_entry_leaves_a_part_behind_only_where_it_differs_from_the_default() {
    let set_aside = |tries: [u32; 3]| {
        let mut server = swap_up(TestServer::<App1>::new());
        for (i, tries) in tries.into_iter().enumerate() {
            let entry = two::Entry { score: 1, note: "n".into(), tries };
            server.state_mut().ranked.insert(format!("key {i}").as_str().into(), entry);
        }
        let server = swap_down(server);
        let aside = server.set_aside();
        let server = swap_up(server);
        let back: Vec<u32> = server.state().ranked.values().map(|entry| entry.tries).collect();
        assert_eq!(back, tries);
        aside
    };
    let none = set_aside([1, 1, 1]);
    assert_eq!(set_aside([1, 5, 1]), none + 1);
    assert_eq!(set_aside([0, 5, 7]), none + 3);
}
