//! Goal: `TestServer` means what a shell means. Method: a line protocol that does each thing on demand.

use hotshell_plugin_api::collections::Vec as StateVec;
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::testing::TestServer;

/// Lines, each a request. `V` tells two versions apart.
struct Lines<const V: u32>;

impl<const V: u32> Plugin for Lines<V> {
    /// Clients that wait.
    type State = StateVec<u64>;
    /// Requests of this client.
    type Session = u64;

    fn init(ctx: &mut InitCtx<'_>) -> Result<Self::State, Refusal> {
        match ctx.config("refuse") {
            Some(why) => Err(Refusal::new(why)),
            None => Ok(StateVec::new()),
        }
    }

    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        let Some(end) = unread.iter().position(|&b| b == b'\n') else { return Flow::NeedMore };
        let line = core::str::from_utf8(&unread[..end]).unwrap();
        if line == "early" {
            panic!("before begin");
        }
        ctx.begin(end + 1);
        *ctx.session += 1;
        match line.split_once(' ').unwrap_or((line, "")) {
            ("version", _) => ctx.out.put(format!("v{V}\n").as_bytes()),
            ("late", _) => {
                ctx.out.put(b"half");
                let ids: Vec<u64> = ctx.shell.clients().collect();
                ctx.shell.send_many(&ids, b"must not be seen\n");
                panic!("after begin");
            }
            ("wait", _) => {
                let id = ctx.client();
                ctx.state.push(id);
                return Flow::Blocked;
            }
            ("wake", _) => {
                let waiting: Vec<u64> = ctx.state.drain(..).collect();
                let woken = waiting.iter().filter(|&&id| ctx.shell.resume(id)).count();
                ctx.out.put(format!("woke {woken}\n").as_bytes());
            }
            ("kick", id) => {
                ctx.shell.close(id.parse().unwrap());
            }
            ("in", ms) => {
                let at = ctx.shell.unix_ms() + ms.parse::<u64>().unwrap();
                ctx.shell.wake_at(at);
            }
            ("bye", _) => {
                ctx.out.put(b"bye\n");
                return Flow::Close;
            }
            _ => ctx.out.put(b"?\n"),
        }
        Flow::Done(end + 1)
    }

    fn resume(ctx: &mut Ctx<'_, Self>) -> Flow {
        ctx.out.put(b"resumed\n");
        Flow::Done(0)
    }

    fn tick(ctx: &mut ServerCtx<'_, Self>) {
        let ids: Vec<u64> = ctx.shell.clients().collect();
        ctx.shell.send_many(&ids, format!("tick v{V}\n").as_bytes());
    }

    fn panicked(ctx: &mut Ctx<'_, Self>, message: &str) -> Flow {
        ctx.out.put(format!("sorry: {message}\n").as_bytes());
        Flow::Done(0)
    }

    fn command(ctx: &mut CommandCtx<'_, Self>, args: &[&[u8]]) -> Result<(), Refusal> {
        if args.is_empty() {
            return Err(Refusal::new("say something"));
        }
        args.iter().for_each(|arg| ctx.out.put(arg));
        Ok(())
    }
}

/// Another state.
struct Other;

impl Plugin for Other {
    type State = StateVec<u32>;
    type Session = u64;

    fn init(_: &mut InitCtx<'_>) -> Result<Self::State, Refusal> {
        Ok(StateVec::new())
    }

    fn data(_: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        Flow::Done(unread.len())
    }
}

#[test]
fn a_panic_takes_back_all_output_of_its_call() {
    let mut server = TestServer::<Lines<1>>::new();
    let (a, b) = (server.connect(), server.connect());
    assert_eq!(server.ask(a, b"version\nlate\nversion\n"), b"v1\nsorry: after begin\nv1\n");
    assert_eq!(server.read(b), b"");
    assert_eq!(server.panics(), ["data: after begin"]);
    assert_eq!(server.session(a), Some(&3));
}

#[test]
fn a_panic_before_begin_closes_the_client() {
    let mut server = TestServer::<Lines<1>>::new();
    let a = server.connect();
    assert_eq!(server.ask(a, b"version\nearly\nversion\n"), b"v1\n");
    assert!(!server.is_connected(a));
}

#[test]
fn a_blocked_client_goes_on_after_resume_with_what_came_meanwhile() {
    let mut server = TestServer::<Lines<1>>::new();
    let (a, b) = (server.connect(), server.connect());
    assert_eq!(server.ask(a, b"wait\nversion\n"), b"");
    assert!(server.is_blocked(a));
    assert_eq!(server.unread(a), 8);
    assert_eq!(server.ask(b, b"wake\n"), b"woke 1\n");
    assert_eq!(server.read(a), b"resumed\nv1\n");
}

#[test]
fn closing_keeps_what_was_sent_before() {
    let mut server = TestServer::<Lines<1>>::new();
    let (a, b) = (server.connect(), server.connect());
    assert_eq!(server.ask(a, b"bye\nversion\n"), b"bye\n");
    assert!(!server.is_connected(a));
    let me = server.connect();
    server.feed(b, format!("version\nkick {me}\nkick {b}\nversion\n").as_bytes());
    assert!(!server.is_connected(me));
    assert!(!server.is_connected(b));
    assert_eq!(server.read(b), b"v1\n");
}

#[test]
fn ticks_come_when_they_were_asked_for_and_once() {
    let mut server = TestServer::<Lines<1>>::new();
    let a = server.connect();
    server.feed(a, b"in 100\nin 50\n");
    server.advance(49);
    assert_eq!(server.read(a), b"");
    server.advance(1);
    assert_eq!(server.read(a), b"tick v1\n");
    server.advance(1000);
    assert_eq!(server.read(a), b"", "the later ask was forgotten with the tick");
}

#[test]
fn a_swap_takes_over_sessions_or_says_what_differs() {
    let mut server = TestServer::<Lines<1>>::new();
    let a = server.connect();
    server.feed(a, b"vers");
    server.swap::<Lines<2>>().unwrap();
    assert_eq!(server.ask(a, b"ion\n"), b"tick v2\nv2\n");
    assert_eq!(server.session(a), Some(&1));
    let refusal = server.swap::<Other>().unwrap_err();
    assert_eq!(refusal.text(), "state[]: u64 | u32");
    assert_eq!(server.ask(a, b"version\n"), b"v2\n");
}

#[test]
fn init_and_commands_may_refuse() {
    let refused = TestServer::<Lines<1>>::try_with_config(&[("refuse", "no room")]);
    assert_eq!(refused.unwrap_err().text(), "no room");
    let mut server = TestServer::<Lines<1>>::new();
    assert_eq!(server.command(&["a", "b c"]).unwrap(), "ab c");
    assert_eq!(server.command(&[]).unwrap_err().text(), "say something");
}
