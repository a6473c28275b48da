//! Goal: MULTI, EXEC, WATCH and the subscribed mode. Method: tables; several clients of one server.

mod common;

use common::{One, V1, V2, words};
use hotshell_plugin_api::testing::TestServer;

#[test]
fn queued_commands_run_together() {
    const TABLE: &[(&str, &str)] = &[
        ("exec", "-ERR EXEC without MULTI"),
        ("discard", "-ERR DISCARD without MULTI"),
        ("multi", "+OK"),
        ("multi", "-ERR MULTI calls can not be nested"),
        ("watch k", "-ERR WATCH inside MULTI is not allowed"),
        ("set k 1", "+QUEUED"),
        ("incr k", "+QUEUED"),
        ("lpush k x", "+QUEUED"),
        ("get k", "+QUEUED"),
        (
            "exec",
            "*4|+OK|:2|-WRONGTYPE Operation against a key holding the wrong kind of value|$1|2",
        ),
        ("multi", "+OK"),
        ("set k 9", "+QUEUED"),
        ("discard", "+OK"),
        ("get k", "$1|2"),
        ("multi", "+OK"),
        ("exec", "*0"),
        ("multi", "+OK"),
        ("get", "-ERR wrong number of arguments for 'get' command"),
        ("set k 9", "+QUEUED"),
        ("exec", "-EXECABORT Transaction discarded because of previous errors."),
        ("get k", "$1|2"),
    ];
    One::<V1>::new().check(TABLE);
    One::<V2>::new().check(TABLE);
}

#[test]
fn a_watched_key_that_changed_stops_exec() {
    for change in
        ["set k 2", "del k", "expire k 100", "rename k l", "flushall", "append k x", "incr k"]
    {
        let mut server = TestServer::<V2>::new();
        let (a, b) = (server.connect(), server.connect());
        server.ask(b, &words("set k 1"));
        server.ask(a, &["watch k x", "multi", "ping"].map(words).concat());
        server.ask(b, &words(change));
        assert_eq!(server.ask(a, &words("exec")), b"*-1\r\n", "{change}");
        assert!(server.state().dbs[0].watchers.is_empty());
        assert_eq!(server.ask(a, &["multi", "ping", "exec"].map(words).concat()).len(), 5 + 9 + 11);
    }
}

#[test]
fn what_is_not_a_change_lets_exec_run() {
    for other in ["set l 2", "get k", "del none", "unwatch", "setnx k 5", "flushdb async 1"] {
        let mut server = TestServer::<V2>::new();
        let (a, b) = (server.connect(), server.connect());
        server.ask(b, &words("set k 1"));
        server.ask(a, &["watch k x", "multi", "ping"].map(words).concat());
        server.ask(b, &words(other));
        assert_eq!(server.ask(a, &words("exec")), b"*1\r\n+PONG\r\n", "{other}");
    }
}

#[test]
fn a_client_also_watches_itself_and_unwatch_forgets() {
    One::<V1>::new().check(&[
        ("watch k", "+OK"),
        ("set k 1", "+OK"),
        ("multi", "+OK"),
        ("exec", "*-1"),
        ("watch k", "+OK"),
        ("set k 1", "+OK"),
        ("unwatch", "+OK"),
        ("multi", "+OK"),
        ("exec", "*0"),
    ]);
}

#[test]
fn a_watched_key_that_ran_out_of_time_stops_exec() {
    let mut one = One::<V2>::new();
    one.check(&[
        ("set k v px 50", "+OK"),
        ("watch k", "+OK"),
        ("multi", "+OK"),
        ("ping", "+QUEUED"),
    ]);
    one.server.advance(60);
    one.check(&[("exec", "*-1")]);
}

#[test]
fn messages_reach_channels_and_patterns() {
    let mut server = TestServer::<V2>::new();
    let (a, b, c) = (server.connect(), server.connect(), server.connect());
    assert_eq!(
        server.ask(a, &words("subscribe news sport")),
        b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$5\r\nsport\r\n:2\r\n"
    );
    server.ask(b, &words("psubscribe n*"));
    assert_eq!(server.ask(c, &words("publish news hi")), b":2\r\n");
    assert_eq!(server.read(a), b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n");
    assert_eq!(server.read(b), b"*4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$2\r\nhi\r\n");
    assert_eq!(
        server.ask(a, &words("get k")),
        b"-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
          allowed in this context\r\n"
    );
    assert_eq!(server.ask(a, &words("ping")), b"*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    assert_eq!(
        server.ask(c, &words("pubsub numsub news x")),
        b"*4\r\n$4\r\nnews\r\n:1\r\n$1\r\nx\r\n:0\r\n"
    );
    server.ask(a, &words("unsubscribe news"));
    server.ask(a, &words("unsubscribe sport"));
    assert_eq!(server.ask(a, &words("get k")), b"$-1\r\n");
    server.disconnect(b);
    assert_eq!(server.ask(c, &words("publish news hi")), b":0\r\n");
    assert!(server.state().channels.is_empty() && server.state().patterns.is_empty());
}

#[test]
fn reset_ends_every_mode() {
    One::<V2>::new().check(&[
        ("select 3", "+OK"),
        ("subscribe c", "*3|$9|subscribe|$1|c|:1"),
        ("reset", "+RESET"),
        ("multi", "+OK"),
        ("reset", "+RESET"),
        ("get k", "$-1"),
        ("exec", "-ERR EXEC without MULTI"),
    ]);
}
