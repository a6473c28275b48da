//! Goal: the limits of what waits for clients, and of what they send, close those that are over them, as
//! in Redis; writes wait for replicas that a parameter wants. Method: clients that do not read, the clock
//! moved by hand.

mod common;

use common::{One, V1, V2, encode, text, words};
use hotshell_plugin_api::ctx::ClientId;
use hotshell_plugin_api::plugin::Plugin;

const MIB: usize = 1 << 20;

/// A server with a client of its own, and one that listens to a channel and does not read.
fn with_listener() -> (One<V2>, ClientId) {
    let mut one = One::<V2>::new();
    let listener = one.server.connect();
    one.server.ask(listener, &words("subscribe news"));
    (one, listener)
}

fn publish(one: &mut One<V2>, bytes: usize) {
    let message = vec![b'm'; bytes];
    assert_eq!(one.send(&[&b"publish"[..], b"news", &message]), ":1\r\n");
}

#[test]
fn a_listener_that_does_not_read_is_closed_within_a_second_above_the_hard_limit() {
    let (mut one, listener) = with_listener();
    publish(&mut one, 7 * MIB);
    one.server.advance(1100);
    assert!(one.server.is_connected(listener), "Redis lets it have 32 MiB");
    (0..4).for_each(|_| publish(&mut one, 7 * MIB));
    assert!(one.server.is_connected(listener));
    one.server.advance(1100);
    assert!(!one.server.is_connected(listener));
    assert_eq!(one.server.read(listener), b"", "what it did not read is gone with it");
    one.check(&[("publish news m", ":0"), ("ping", "+PONG")]);
}

#[test]
fn above_the_soft_limit_it_has_some_seconds() {
    let (mut one, listener) = with_listener();
    let set = ["config", "set", "client-output-buffer-limit", "pubsub 32mb 1mb 5"];
    assert_eq!(one.send(&set), "+OK\r\n");
    publish(&mut one, 2 * MIB);
    one.server.advance(4000);
    assert!(one.server.is_connected(listener));
    assert!(one.server.read(listener).len() > 2 * MIB);
    one.server.advance(4000);
    assert!(one.server.is_connected(listener), "it has read in time");
    publish(&mut one, 2 * MIB);
    one.server.advance(7100);
    assert!(!one.server.is_connected(listener));
}

#[test]
fn a_reply_above_the_limit_of_its_class_closes_the_client() {
    let mut one = One::<V2>::new();
    one.send(&["set", "k", &"v".repeat(100_000)]);
    let set = |one: &mut One<V2>, limits: &str| {
        one.send(&["config", "set", "client-output-buffer-limit", limits])
    };
    assert_eq!(set(&mut one, "normal 90000 0 0"), "+OK\r\n");
    let reader = one.server.connect();
    assert_eq!(text(one.server.ask(reader, &words("strlen k"))), ":100000\r\n");
    assert!(one.server.is_connected(reader));
    one.server.feed(reader, &words("mget k k"));
    assert!(!one.server.is_connected(reader));
    assert_eq!(one.server.read(reader), b"");
    assert_eq!(set(&mut one, "normal 0 0 0"), "+OK\r\n");
    let reader = one.server.connect();
    assert!(one.server.ask(reader, &words("mget k k")).len() > 200_000, "no limit any more");
}

#[test]
fn a_request_longer_than_the_limit_of_input_closes_the_client() {
    let mut one = One::<V2>::new();
    let request = encode(&[&b"set"[..], b"k", &vec![b'v'; 2 * MIB]]);
    one.check(&[("config set client-query-buffer-limit 1mb", "+OK")]);
    let writer = one.server.connect();
    one.server.feed(writer, &request[..100]);
    assert!(!one.server.is_connected(writer));
    one.check(&[
        ("exists k", ":0"),
        ("config set client-query-buffer-limit 4mb", "+OK"),
        ("ping", "+PONG"),
    ]);
    assert_eq!(one.server.ask(one.client, &request), b"+OK\r\n");
}

#[test]
fn clients_that_take_more_than_their_share_of_memory_are_evicted_largest_first() {
    let mut one = One::<V2>::new();
    one.send(&["set", "k", &"v".repeat(MIB)]);
    one.check(&[("config set maxmemory 100mb", "+OK"), ("config set maxmemory-clients 6%", "+OK")]);
    let [spared, large, small] = [(); 3].map(|()| one.server.connect());
    one.server.ask(spared, &words("client no-evict on"));
    for (client, times) in [(spared, 4), (large, 3), (small, 1)] {
        (0..times).for_each(|_| one.server.feed(client, &words("get k")));
    }
    one.server.advance(1100);
    assert!(!one.server.is_connected(large));
    assert!(one.server.is_connected(spared) && one.server.is_connected(small));
    assert!(one.ask("info stats").contains("evicted_clients:1\r\n"));
}

#[test]
fn writes_are_refused_while_replicas_are_wanted() {
    fn check<P: Plugin>(which: &str) {
        let mut one = One::<P>::new();
        let refusal = format!("-NOREPLICAS Not enough good {which} to write.");
        one.check(&[
            ("set k v", "+OK"),
            ("config set min-slaves-to-write 1", "+OK"),
            ("set k w", &refusal),
            ("get k", "$1|v"),
            ("multi", "+OK"),
            ("set k w", &refusal),
            ("exec", "-EXECABORT Transaction discarded because of previous errors."),
            ("ping", "+PONG"),
            ("config set min-slaves-max-lag 0", "+OK"),
            ("set k w", "+OK"),
        ]);
    }
    check::<V1>("slaves");
    check::<V2>("replicas");
}
