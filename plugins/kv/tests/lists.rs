//! Goal: lists, and clients that wait for their elements. Method: tables; several clients of one server.

mod common;

use common::{One, V1, V2, words};
use hotshell_plugin_api::testing::TestServer;

#[test]
fn lists_by_index_and_at_their_ends() {
    const TABLE: &[(&str, &str)] = &[
        ("lpop l", "$-1"),
        ("rpush l a b c", ":3"),
        ("lpush l z", ":4"),
        ("lrange l 0 -1", "*4|$1|z|$1|a|$1|b|$1|c"),
        ("lrange l -2 100", "*2|$1|b|$1|c"),
        ("lrange l 3 1", "*0"),
        ("lindex l 0", "$1|z"),
        ("lindex l -1", "$1|c"),
        ("lindex l 9", "$-1"),
        ("llen l", ":4"),
        ("lset l 1 A", "+OK"),
        ("lset l 9 A", "-ERR index out of range"),
        ("lset none 0 A", "-ERR no such key"),
        ("rpop l", "$1|c"),
        ("rpoplpush l m", "$1|b"),
        ("lrange m 0 -1", "*1|$1|b"),
        ("ltrim l 1 1", "+OK"),
        ("lrange l 0 -1", "*1|$1|A"),
        ("lpop l", "$1|A"),
        ("exists l", ":0"),
        ("lpushx l x", ":0"),
        ("rpushx m x y", ":3"),
        ("object encoding m", "$9|quicklist"),
        ("set s 1", "+OK"),
        ("lpush s 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("rpoplpush m s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("llen m", ":3"),
    ];
    One::<V1>::new().check(TABLE);
    One::<V2>::new().check(TABLE);
    One::<V2>::new().check(&[
        ("rpush l a b c d", ":4"),
        ("lpop l 0", "*0"),
        ("lpop l 2", "*2|$1|a|$1|b"),
        ("rpop l 9", "*2|$1|d|$1|c"),
        ("lpop l 1", "*-1"),
        ("lpop l -1", "-ERR value is out of range, must be positive"),
        ("rpush l a b", ":2"),
        ("lmove l l left right", "$1|a"),
        ("lrange l 0 -1", "*2|$1|b|$1|a"),
    ]);
    One::<V1>::new().check(&[("lpop l 1", "-ERR wrong number of arguments for 'lpop' command")]);
}

#[test]
fn waiting_clients_are_served_in_the_order_they_came() {
    let mut server = TestServer::<V2>::new();
    let (a, b, pusher) = (server.connect(), server.connect(), server.connect());
    server.feed(a, &words("blpop x l 0"));
    server.feed(b, &words("brpop l 0"));
    assert!(server.is_blocked(a) && server.is_blocked(b));
    assert_eq!(server.ask(pusher, &words("rpush l 1 2 3")), b":3\r\n");
    assert_eq!(server.read(a), b"*2\r\n$1\r\nl\r\n$1\r\n1\r\n");
    assert_eq!(server.read(b), b"*2\r\n$1\r\nl\r\n$1\r\n3\r\n");
    assert!(!server.is_blocked(a) && !server.is_blocked(b));
    assert_eq!(server.ask(pusher, &words("llen l")), b":1\r\n");
    assert!(server.state().dbs[0].waiting.is_empty(), "no traces are left, also of key x");
}

#[test]
fn a_key_that_takes_the_place_of_another_is_not_awaited_as_in_redis() {
    let mut server = TestServer::<V2>::new();
    let [waiter, other] = [(); 2].map(|()| server.connect());
    server.feed(waiter, &words("blpop x l 0"));
    let asked = ["set l text", "rpush q 2 1", "sort q store l", "rpush l 3", "exists l"];
    let replies = asked.map(|line| String::from_utf8(server.ask(other, &words(line))).unwrap());
    assert_eq!(replies, ["+OK\r\n", ":2\r\n", ":2\r\n", ":3\r\n", ":1\r\n"]);
    assert!(server.is_blocked(waiter) && server.read(waiter).is_empty());
    server.ask(other, &words("del l"));
    server.ask(other, &words("rpush l 4"));
    assert_eq!(server.read(waiter), b"*2\r\n$1\r\nl\r\n$1\r\n4\r\n");
}

#[test]
fn an_element_that_is_there_is_given_at_once() {
    One::<V1>::new().check(&[
        ("rpush b 1", ":1"),
        ("blpop a b 0", "*2|$1|b|$1|1"),
        ("exists b", ":0"),
        ("blpop a -1", "-ERR timeout is negative"),
        ("blpop a x", "-ERR timeout is not an integer or out of range"),
    ]);
}

#[test]
fn waiting_ends_with_its_timeout() {
    let mut server = TestServer::<V2>::new();
    let (a, b) = (server.connect(), server.connect());
    server.feed(a, &words("blpop l 0.5"));
    server.feed(b, &words("blpop l 2"));
    server.feed(a, &words("ping"));
    server.advance(499);
    assert_eq!(server.read(a), b"");
    server.advance(1);
    assert_eq!(server.read(a), b"*-1\r\n+PONG\r\n", "what came meanwhile is answered after it");
    assert_eq!(server.read(b), b"");
    server.advance(1500);
    assert_eq!(server.read(b), b"*-1\r\n");
    assert!(server.state().deadlines.is_empty());
    assert!(server.state().dbs[0].waiting.is_empty());
}

#[test]
fn a_client_that_leaves_does_not_take_elements_along() {
    let mut server = TestServer::<V2>::new();
    let (a, b, pusher) = (server.connect(), server.connect(), server.connect());
    server.feed(a, &words("blpop l 10"));
    server.feed(b, &words("blpop l 10"));
    server.disconnect(a);
    server.ask(pusher, &words("lpush l 1"));
    assert_eq!(server.read(b), b"*2\r\n$1\r\nl\r\n$1\r\n1\r\n");
    assert!(server.state().deadlines.is_empty());
}

#[test]
fn a_push_inside_a_transaction_serves_after_exec() {
    let mut server = TestServer::<V1>::new();
    let (waiter, pusher) = (server.connect(), server.connect());
    server.feed(waiter, &words("blpop l 0"));
    let requests = ["multi", "rpush l 1", "lpop l", "rpush l 2", "exec"].map(words).concat();
    let replies = server.ask(pusher, &requests);
    assert!(replies.ends_with(b"*3\r\n:1\r\n$1\r\n1\r\n:1\r\n"));
    assert_eq!(server.read(waiter), b"*2\r\n$1\r\nl\r\n$1\r\n2\r\n");
}

#[test]
fn nothing_waits_inside_a_transaction() {
    One::<V2>::new().check(&[
        ("multi", "+OK"),
        ("blpop l 0", "+QUEUED"),
        ("exec", "*1|*-1"),
        ("ping", "+PONG"),
    ]);
}

#[test]
fn elements_are_found_inserted_and_removed_by_value() {
    const TABLE: &[(&str, &str)] = &[
        ("rpush l a b a c a", ":5"),
        ("lrem l 1 a", ":1"),
        ("lrange l 0 -1", "*4|$1|b|$1|a|$1|c|$1|a"),
        ("lrem l -1 a", ":1"),
        ("lrange l 0 -1", "*3|$1|b|$1|a|$1|c"),
        ("linsert l before a x", ":4"),
        ("linsert l after c y", ":5"),
        ("linsert l after none y", ":-1"),
        ("linsert none after a y", ":0"),
        ("linsert l near a y", "-ERR syntax error"),
        ("lrange l 0 -1", "*5|$1|b|$1|x|$1|a|$1|c|$1|y"),
        ("rpush m a", ":1"),
        ("lrem m 0 a", ":1"),
        ("exists m", ":0"),
    ];
    One::<V1>::new().check(TABLE);
    One::<V2>::new().check(TABLE);
    One::<V2>::new().check(&[
        ("rpush l a b a c a", ":5"),
        ("lpos l a", ":0"),
        ("lpos l a rank -1", ":4"),
        ("lpos l a rank -9223372036854775808", ":4"),
        ("lpos l a rank 2 count 0", "*2|:2|:4"),
        ("lpos l a count 0 maxlen 3", "*2|:0|:2"),
        ("lpos l x", "$-1"),
        ("lpos none x count 1", "*0"),
    ]);
}

#[test]
fn a_waiting_move_carries_an_element_on_or_puts_it_back() {
    let mut server = TestServer::<V2>::new();
    let (mover, popper, pusher) = (server.connect(), server.connect(), server.connect());
    server.feed(popper, &words("blpop to 0"));
    server.feed(mover, &words("blmove from to left right 0"));
    server.ask(pusher, &words("rpush from 1"));
    assert_eq!(server.read(mover), b"$1\r\n1\r\n");
    assert_eq!(
        server.read(popper),
        b"*2\r\n$2\r\nto\r\n$1\r\n1\r\n",
        "it was served from the target"
    );
    server.ask(pusher, &words("set to text"));
    server.feed(mover, &words("brpoplpush from to 0"));
    server.ask(pusher, &words("rpush from 2"));
    assert!(server.read(mover).starts_with(b"-WRONGTYPE"));
    assert_eq!(server.ask(pusher, &words("lrange from 0 -1")), b"*1\r\n$1\r\n2\r\n");
    server.feed(mover, &words("blmove none to left left 1"));
    server.advance(1000);
    assert_eq!(server.read(mover), b"*-1\r\n");
    assert!(server.state().deadlines.is_empty() && server.state().dbs[0].waiting.is_empty());
}
