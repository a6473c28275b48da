//! Goal: sessions change their shape when somebody looks at them, however many swaps later, and none is
//! lost or mixed up. Method: three versions of a plugin that counts per client, the third by function;
//! nothing is drained unless a test says so.

use std::io::Write;

use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::testing::TestServer;

mod one {
    use hotshell_plugin_api::state;

    #[state]
    pub struct Session {
        pub count: u32,
    }
}

mod two {
    use hotshell_plugin_api::collections::String;
    use hotshell_plugin_api::state;

    #[state(schema = 2)]
    pub struct Session {
        #[state(default = "nothing was said yet, in more than a few bytes".into())]
        pub note: String,
        pub count: u64,
    }
}

mod three {
    use super::two;
    use hotshell_plugin_api::collections::String;
    use hotshell_plugin_api::state;

    /// Counts in hundredths.
    #[state(schema = 3, was = "Session", from = two::Session, with = up, back = down)]
    pub struct Session {
        pub cents: u64,
        pub note: String,
    }

    fn up(old: &two::Session) -> Session {
        assert!(old.count != 13, "13 is not to be converted");
        Session { cents: old.count * 100, note: old.note.clone() }
    }

    fn down(new: &Session) -> two::Session {
        two::Session { note: new.note.clone(), count: new.cents / 100 }
    }
}

/// Declares a version: `x` counts one up, `n` leaves a note, `?` looks at the session of client 1;
/// a client that leaves adds its count to the state.
macro_rules! version {
    ($app:ident, $session:ty, $count:expr, $up:expr, $note:expr) => {
        struct $app;

        impl Plugin for $app {
            type State = u64;
            type Session = $session;

            fn init(_: &mut InitCtx<'_>) -> Result<u64, Refusal> {
                Ok(0)
            }

            fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
                ctx.begin(1);
                let count: fn(&$session) -> u64 = $count;
                match unread[0] {
                    b'x' => $up(ctx.session),
                    b'n' => $note(ctx.session),
                    _ => {
                        let seen = ctx.shell.session_of(1).map(|session| count(session));
                        let _ = write!(ctx.out, "{seen:?} ");
                        return Flow::Done(1);
                    }
                }
                let _ = write!(ctx.out, "{} ", count(ctx.session));
                Flow::Done(1)
            }

            fn disconnect(ctx: &mut Ctx<'_, Self>) {
                let count: fn(&$session) -> u64 = $count;
                *ctx.state += count(ctx.session);
            }
        }
    };
}

version!(
    One,
    one::Session,
    |s| s.count.into(),
    |s: &mut one::Session| s.count += 1,
    |_: &mut one::Session| ()
);
version!(
    Two,
    two::Session,
    |s| s.count,
    |s: &mut two::Session| s.count += 1,
    |s: &mut two::Session| s.note = "a note that is longer than what lies inline".into()
);
version!(
    Three,
    three::Session,
    |s| s.cents / 100,
    |s: &mut three::Session| s.cents += 100,
    |s: &mut three::Session| s.note = "a note of version 3, not inline either".into()
);

fn to<A: Plugin, B: Plugin>(server: TestServer<A>) -> TestServer<B> {
    server.swap_to::<B>().unwrap_or_else(|no| panic!("{}", no.refusal))
}

/// Three clients that have counted to 1, 2 and 3.
fn counted<P: Plugin>(server: &mut TestServer<P>) -> [u64; 3] {
    let clients = [server.connect(), server.connect(), server.connect()];
    for (i, &client) in clients.iter().enumerate() {
        server.feed(client, &b"xxx"[..=i]);
        server.read(client);
    }
    clients
}

#[test]
fn a_session_follows_at_the_first_call_of_its_client_or_of_another() {
    let mut server = TestServer::<One>::new();
    let [a, b, c] = counted(&mut server);
    let mut server = to::<One, Two>(server);
    assert_eq!(server.sessions_to_convert(), 3, "the swap has looked at none");
    assert_eq!(server.ask(b, b"x"), b"3 ");
    assert_eq!(server.sessions_to_convert(), 2);
    assert_eq!(server.ask(c, b"?"), b"Some(1) ", "another's session, and its own");
    assert_eq!(server.sessions_to_convert(), 0);
    assert_eq!(server.ask(a, b"x"), b"2 ");
}

#[test]
fn slices_bring_the_sessions_that_nobody_looks_at() {
    let mut server = TestServer::<One>::new();
    let [a, ..] = counted(&mut server);
    let mut server = to::<One, Two>(server);
    while server.drain_some(1) {}
    assert_eq!(server.sessions_to_convert(), 0);
    assert_eq!(
        &*server.session(a).expect("connected").note,
        "nothing was said yet, in more than a few bytes"
    );
}

#[test]
fn an_undo_before_the_first_look_finds_sessions_untouched() {
    let mut server = TestServer::<One>::new();
    let [a, b, _] = counted(&mut server);
    let server = to::<One, Two>(server);
    let mut server = to::<Two, One>(server);
    assert_eq!((server.sessions_to_convert(), server.set_aside()), (0, 0));
    assert_eq!((server.ask(a, b"x"), server.ask(b, b"x")), (b"2 ".to_vec(), b"3 ".to_vec()));
}

#[test]
fn what_a_session_loses_waits_on_its_client_and_is_there_again() {
    let mut server = TestServer::<Two>::new();
    let [a, b, c] = counted(&mut server);
    server.ask(a, b"n");
    server.ask(c, b"n");
    let mut server = to::<Two, One>(server);
    server.drain();
    assert_eq!(server.set_aside(), 2, "two notes; a note that is the default leaves nothing");
    server.disconnect(c);
    assert_eq!(server.set_aside(), 1, "it goes with its client");
    assert_eq!(server.ask(a, b"x"), b"2 ");
    let mut server = to::<One, Two>(server);
    let note =
        |server: &mut TestServer<Two>, of| server.session(of).expect("connected").note.to_string();
    assert_eq!(note(&mut server, a), "a note that is longer than what lies inline");
    assert_eq!(note(&mut server, b), "nothing was said yet, in more than a few bytes");
    assert_eq!((server.set_aside(), server.overtaken()), (0, 0));
}

#[test]
fn a_session_catches_up_with_several_swaps_at_once() {
    let mut server = TestServer::<Two>::new();
    let [a, b, c] = counted(&mut server);
    server.ask(b, b"n");
    // By name to version 1 and back, then by function: `a` looks in between, `b` and `c` never.
    let mut server = to::<Two, One>(server);
    server.ask(a, b"x");
    let server = to::<One, Two>(server);
    let mut server = to::<Two, Three>(server);
    assert_eq!(server.sessions_to_convert(), 3);
    assert_eq!(server.ask(a, b"x"), b"3 ");
    assert_eq!(server.ask(c, b"x"), b"4 ");
    assert!(server.session(b).expect("connected").note.starts_with("a note that is longer"));
}

#[test]
fn what_a_function_converts_is_over_before_the_next_swap() {
    let mut server = TestServer::<Two>::new();
    let [a, ..] = counted(&mut server);
    let server = to::<Two, Three>(server);
    assert_eq!(server.sessions_to_convert(), 3);
    let mut server = to::<Three, One>(server);
    assert_eq!(server.sessions_to_convert(), 3, "by function to version 3, and not on yet");
    assert_eq!(server.ask(a, b"x"), b"1 ", "version 1 knows no cents");
}

#[test]
fn a_swap_back_leaves_sessions_alone_that_nobody_looked_at() {
    let mut server = TestServer::<Two>::new();
    let [a, b, _] = counted(&mut server);
    let mut server = to::<Two, Three>(server);
    assert_eq!(server.ask(b, b"x"), b"3 ", "by function");
    let mut server = to::<Three, Two>(server);
    assert_eq!(server.sessions_to_convert(), 1);
    assert_eq!((server.ask(a, b"x"), server.ask(b, b"x")), (b"2 ".to_vec(), b"4 ".to_vec()));
}

#[test]
fn a_client_that_leaves_before_the_first_look_leaves_in_the_new_shape() {
    let mut server = TestServer::<One>::new();
    let [a, b, c] = counted(&mut server);
    let mut server = to::<One, Two>(server);
    server.disconnect(b);
    assert_eq!(*server.state(), 2, "version 2 was told of its session");
    let server = to::<Two, Three>(server);
    let mut server = to::<Three, Two>(server);
    server.disconnect(a);
    server.disconnect(c);
    assert_eq!((*server.state(), server.set_aside()), (6, 0));
}

#[test]
fn a_session_whose_conversion_panics_starts_anew_and_is_back_after_the_undo() {
    let mut server = TestServer::<Two>::new();
    let [a, b, _] = counted(&mut server);
    for _ in 0..12 {
        server.ask(a, b"x");
    }
    server.ask(a, b"n");
    let mut server = to::<Two, Three>(server);
    assert_eq!(server.conversions_panicked(), 0, "nothing was converted yet");
    assert_eq!(server.ask(b, b"?"), b"Some(0) ", "it starts anew");
    assert_eq!((server.conversions_panicked(), server.set_aside()), (1, 1));
    assert!(server.is_connected(a));
    let mut server = to::<Three, Two>(server);
    assert_eq!(server.ask(a, b"x"), b"14 ");
    assert!(server.session(a).expect("connected").note.starts_with("a note that is longer"));
    assert_eq!((server.set_aside(), server.overtaken()), (0, 0));
    // Once something was done with the session that started anew, that one wins.
    server.feed(b, b"xxxxxxxxxxx");
    let mut server = to::<Two, Three>(server);
    server.read(b);
    assert_eq!(server.ask(b, b"x"), b"1 ");
    let mut server = to::<Three, Two>(server);
    server.drain();
    assert_eq!(server.ask(b, b"x"), b"2 ");
    assert_eq!((server.set_aside(), server.overtaken()), (0, 1));
}

#[test]
fn sessions_leak_nothing() {
    let mut server = TestServer::<Two>::new();
    let bytes = server.state_bytes();
    let [a, b, c] = counted(&mut server);
    server.ask(b, b"n");
    let mut server = to::<Two, One>(server);
    server.ask(b, b"x");
    let server = to::<One, Two>(server);
    let mut server = to::<Two, Three>(server);
    server.ask(c, b"x");
    let mut server = to::<Three, Two>(server);
    [a, b, c].into_iter().for_each(|client| server.disconnect(client));
    assert_eq!(server.state_bytes(), bytes);
}
