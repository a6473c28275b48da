//! Goal: a swap between the versions loses nothing, whatever clients are in the middle of. Method: one
//! server, swapped to and fro.

mod common;

use common::{V1, V2, words};
use hotshell_plugin_api::testing::TestServer;

#[test]
fn clients_in_every_situation_survive_a_swap_there_and_back() {
    let mut server = TestServer::<V1>::new();
    let ids: Vec<u64> = (0..6).map(|_| server.connect()).collect();
    let [multi, waiter, listener, half, watcher, other] = ids[..] else { unreachable!() };
    server.ask(other, &words("mset a 1 b 2"));
    server.ask(other, &words("set gone v px 300"));
    server.ask(multi, &["multi", "incr a"].map(words).concat());
    server.feed(waiter, &words("blpop l 1"));
    server.ask(listener, &words("subscribe news"));
    let request = words("set half a-value-that-comes-in-two-parts");
    server.feed(half, &request[..20]);
    server.ask(watcher, &["watch b", "multi", "get b"].map(words).concat());
    server.ask(other, &words("select 5"));

    let mut server = server.swap_to::<V2>().unwrap();
    assert_eq!(server.ask(other, &words("getex none")), b"$-1\r\n", "version 2 is there");
    server.ask(multi, &words("incr a"));
    server.ask(half, &request[20..30]);
    server.ask(other, &["select 0", "incr b"].map(words).concat());
    assert_eq!(server.ask(other, &words("publish news two")), b":1\r\n");

    let mut server = server.swap_to::<V1>().unwrap();
    let unknown = b"-ERR unknown command `getex`, with args beginning with: `none`, \r\n";
    assert_eq!(server.ask(other, &words("getex none")), unknown);
    assert_eq!(server.ask(multi, &words("exec")), b"*2\r\n:2\r\n:3\r\n");
    assert_eq!(server.ask(half, &request[30..]), b"+OK\r\n");
    assert_eq!(server.ask(watcher, &words("exec")), b"*-1\r\n");
    assert_eq!(server.read(listener), b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\ntwo\r\n");
    server.advance(300);
    assert_eq!(server.ask(other, &words("exists gone")), b":0\r\n");
    assert!(server.is_blocked(waiter));
    server.advance(700);
    assert_eq!(server.read(waiter), b"*-1\r\n");
    assert!(server.panics().is_empty());
}

#[test]
fn a_command_queued_under_version_2_that_version_1_lacks_fails_alone() {
    let mut server = TestServer::<V2>::new();
    let client = server.connect();
    server.ask(client, &["set k v", "multi", "getdel k", "get k"].map(words).concat());
    let mut server = server.swap_to::<V1>().unwrap();
    assert_eq!(
        server.ask(client, &words("exec")),
        b"*2\r\n-ERR unknown command `getdel`, with args beginning with: `k`, \r\n$1\r\nv\r\n"
    );
}

#[test]
fn wake_ups_are_asked_for_anew_after_a_swap() {
    let mut server = TestServer::<V1>::new();
    let client = server.connect();
    server.feed(client, &words("blpop l 5"));
    let server = server.swap_to::<V2>().unwrap();
    assert_eq!(server.next_wake(), Some(server.unix_ms() + 5000));
    let mut server = server.swap_to::<V1>().unwrap();
    server.advance(5000);
    assert_eq!(server.read(client), b"*-1\r\n");
}

#[test]
fn who_keeps_copies_forgets_them_when_keys_may_have_come_or_gone() {
    let mut server = TestServer::<V2>::new();
    let [three, by_prefix, two, channel, writer] = [(); 5].map(|()| server.connect());
    for client in [three, by_prefix] {
        server.ask(client, &words("hello 3"));
    }
    server.ask(writer, &["set k v", "xadd s 1-1 f v"].map(words).concat());
    server.ask(three, &["client tracking on", "mget k none"].map(words).concat());
    server.ask(three, &words("xlen s"));
    server.ask(by_prefix, &words("client tracking on bcast prefix s"));
    let id =
        server.ask(channel, &["client id", "subscribe __redis__:invalidate"].map(words).concat());
    let id = String::from_utf8(id).unwrap()[1..].split('\r').next().unwrap().to_owned();
    server.ask(two, &words(&format!("client tracking on redirect {id}")));
    server.ask(two, &words("get k"));
    let all = b">2\r\n$10\r\ninvalidate\r\n_\r\n";
    let redirected = b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n";
    let key = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";

    // The same version again: all is as it was.
    let mut server = server.swap_to::<V2>().unwrap();
    assert_eq!((server.read(three), server.read(by_prefix)), (vec![], vec![]));
    server.ask(writer, &words("set k w"));
    assert_eq!(server.read(three), key);
    assert!(server.read(channel).ends_with(b"*1\r\n$1\r\nk\r\n"));
    server.ask(three, &words("get k"));

    let mut server = server.swap_to::<V1>().unwrap();
    assert_eq!((server.read(three), server.read(by_prefix)), (all.to_vec(), all.to_vec()));
    assert_eq!(server.read(channel), redirected);
    assert_eq!(server.ask(three, &["exists s", "get k"].map(words).concat()), b":0\r\n$1\r\nw\r\n");
    server.ask(writer, &words("set k x"));
    assert_eq!(server.read(three), key, "also while the version has no CLIENT TRACKING");

    let mut server = server.swap_to::<V2>().unwrap();
    assert_eq!((server.read(three), server.read(by_prefix)), (all.to_vec(), all.to_vec()));
    assert_eq!(server.read(channel), redirected);
    assert_eq!(server.ask(three, &words("exists s")), b":1\r\n");
    server.ask(writer, &words("xadd s 2-1 f v"));
    let stream = [&key[..key.len() - 3], b"s\r\n"].concat();
    assert_eq!((server.read(three), server.read(by_prefix)), (stream.clone(), stream));
}

#[test]
fn a_transaction_fails_where_a_watched_stream_may_have_come_or_gone_and_no_other() {
    let mut server = TestServer::<V2>::new();
    let [stream, string, none, writer] = [(); 4].map(|()| server.connect());
    let exec = ["multi", "ping", "exec"].map(words).concat();
    let (done, failed) = (b"+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n", b"+OK\r\n+QUEUED\r\n*-1\r\n");
    server.ask(writer, &["set k v", "xadd s 1-1 f v"].map(words).concat());
    for (client, key) in [(stream, "s"), (string, "k")] {
        server.ask(client, &words(&format!("watch {key}")));
    }

    let mut server = server.swap_to::<V1>().unwrap();
    assert_eq!(server.ask(stream, &exec), failed);
    assert_eq!(server.ask(string, &exec), done);
    for (client, key) in [(stream, "s"), (string, "k"), (none, "nothing")] {
        server.ask(client, &words(&format!("watch {key}")));
    }

    let mut server = server.swap_to::<V2>().unwrap();
    assert_eq!(server.ask(stream, &exec), failed);
    assert_eq!(server.ask(string, &exec), done);
    assert_eq!(server.ask(none, &exec), done);

    // The same version again: nothing went.
    server.ask(stream, &words("watch s"));
    let mut server = server.swap_to::<V2>().unwrap();
    assert_eq!(server.ask(stream, &exec), done);
}
