//! Goal: sessions that a function converts, and parts of the root that are set aside, are kept apart and are
//! both there again, however the two meet. Method: two versions of which the second converts sessions by
//! function and knows neither a field of the root nor one of its entries' fields.

use std::io::Write;

use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::testing::TestServer;

mod old {
    use hotshell_plugin_api::collections::{HashMap, String};
    use hotshell_plugin_api::state;

    #[state]
    pub struct Root {
        pub people: HashMap<u64, Person>,
        pub motto: String,
    }

    #[state]
    pub struct Person {
        pub age: u64,
        pub nick: String,
    }

    #[state(schema = 1)]
    pub struct Session {
        pub count: u64,
    }
}

mod new {
    use super::old;
    use hotshell_plugin_api::collections::HashMap;
    use hotshell_plugin_api::state;

    #[state]
    pub struct Root {
        pub people: HashMap<u64, Person>,
    }

    #[state]
    pub struct Person {
        pub age: u32,
    }

    #[state(schema = 2, was = "Session", from = old::Session, with = up, back = down)]
    pub struct Cents {
        pub cents: u64,
    }

    fn up(old: &old::Session) -> Cents {
        assert!(old.count != 13, "13 is not to be converted");
        Cents { cents: old.count * 100 }
    }

    fn down(new: &Cents) -> old::Session {
        old::Session { count: new.cents / 100 }
    }
}

/// Declares a version: any byte counts one up.
macro_rules! version {
    ($app:ident, $root:ty, $session:ty, $field:ident, $one:literal) => {
        struct $app;

        impl Plugin for $app {
            type State = $root;
            type Session = $session;

            fn init(_: &mut InitCtx<'_>) -> Result<$root, Refusal> {
                Ok(Default::default())
            }

            fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
                ctx.begin(unread.len());
                ctx.session.$field += $one * unread.len() as u64;
                let _ = write!(ctx.out, "{}", ctx.session.$field);
                Flow::Done(unread.len())
            }
        }
    };
}

version!(Old, old::Root, old::Session, count, 1);
version!(New, new::Root, new::Cents, cents, 100);

/// More people than are converted at once.
const PEOPLE: u64 = 2000;
/// Every so many have a nickname, and the one after has an age that the new version cannot hold.
const EVERY: u64 = 10;

fn filled(mut server: TestServer<Old>) -> (TestServer<Old>, [u64; 3]) {
    server.state_mut().motto = "a motto that is longer than what lies inline".into();
    for id in 0..PEOPLE {
        let nick =
            if id % EVERY == 0 { format!("nick {id} of some length") } else { String::new() };
        let age = if id % EVERY == 1 { 1 << 40 } else { id };
        server.state_mut().people.insert(id, old::Person { age, nick: nick.as_str().into() });
    }
    let clients = [server.connect(), server.connect(), server.connect()];
    assert_eq!(server.ask(clients[0], b"x"), b"1");
    assert_eq!(server.ask(clients[1], &[b'x'; 13]), b"13");
    (server, clients)
}

fn there(server: TestServer<Old>) -> TestServer<New> {
    server.swap_to::<New>().unwrap_or_else(|no| panic!("{}", no.refusal))
}

fn back(server: TestServer<New>) -> TestServer<Old> {
    server.swap_to::<Old>().unwrap_or_else(|no| panic!("{}", no.refusal))
}

fn is_whole(server: &mut TestServer<Old>) {
    server.drain();
    assert_eq!((server.set_aside(), server.overtaken()), (0, 0));
    let state = server.state();
    assert_eq!(&*state.motto, "a motto that is longer than what lies inline");
    assert_eq!(state.people.len() as u64, PEOPLE);
    for (&id, person) in &state.people {
        let nick =
            if id % EVERY == 0 { format!("nick {id} of some length") } else { String::new() };
        let age = if id % EVERY == 1 { 1 << 40 } else { id };
        assert_eq!((person.age, &*person.nick), (age, nick.as_str()), "{id}");
    }
}

#[test]
fn both_are_there_again_after_the_drain() {
    let (server, [a, b, c]) = filled(TestServer::new());
    let mut server = there(server);
    server.drain();
    let people = PEOPLE / EVERY * 2;
    assert_eq!(server.set_aside() as u64, people + 2, "the motto, and the session of 13");
    assert_eq!(server.conversions_panicked(), 1);
    assert_eq!(server.ask(a, b"x"), b"200");
    assert_eq!(server.state().people.len() as u64, PEOPLE - PEOPLE / EVERY);
    let mut server = back(server);
    is_whole(&mut server);
    assert_eq!(server.ask(a, b"x"), b"3");
    assert_eq!(server.ask(b, b"x"), b"14", "it was set aside whole");
    assert_eq!(server.ask(c, b"x"), b"1");
}

#[test]
fn both_are_there_again_when_nothing_or_some_of_it_was_converted() {
    for slices in [0, 1, 5] {
        let (server, [a, b, c]) = filled(TestServer::new());
        let mut server = there(server);
        (0..slices).for_each(|_| _ = server.drain_some(1));
        assert_eq!(server.ask(c, b"x"), b"100", "{slices} slices");
        let mut server = back(server);
        assert_eq!(server.ask(c, b"x"), b"2", "{slices} slices");
        is_whole(&mut server);
        assert_eq!(server.ask(a, b"x"), b"2");
        assert_eq!(server.ask(b, b"x"), b"14");
        // And once more, since what returned is to be set aside anew.
        let mut server = there(server);
        server.drain();
        let mut server = back(server);
        is_whole(&mut server);
    }
}

#[test]
fn both_leak_nothing() {
    let round = |server: TestServer<Old>| {
        let mut server = there(server);
        server.drain();
        let mut server = back(server);
        server.drain();
        server
    };
    let (server, _) = filled(TestServer::new());
    let server = round(server);
    let bytes = server.state_bytes();
    let server = round(round(server));
    assert_eq!(server.state_bytes(), bytes);
}
