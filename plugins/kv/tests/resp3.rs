//! Goal: a client that says HELLO 3 gets the types of RESP3, all others what they always got. Method:
//! reply bytes of each type; pub/sub between clients of both protocols; a swap in between.

mod common;

use common::{One, V1, V2, text, words};
use hotshell_plugin_api::testing::TestServer;

fn speaks_resp3(server: &mut TestServer<V2>) -> u64 {
    let client = server.connect();
    let reply = text(server.ask(client, &words("hello 3")));
    assert!(reply.starts_with("%7\r\n$6\r\nserver\r\n") && reply.contains("$5\r\nproto\r\n:3\r\n"));
    client
}

#[test]
fn every_type_of_resp3_is_used_where_redis_uses_it() {
    let mut one = One::<V2>::new();
    one.ask("hello 3");
    one.check(&[
        ("get none", "_"),
        ("hset h f v", ":1"),
        ("hgetall h", "%1|$1|f|$1|v"),
        ("hgetall none", "%0"),
        ("hrandfield h 1 withvalues", "*1|*2|$1|f|$1|v"),
        ("sadd s m", ":1"),
        ("smembers s", "~1|$1|m"),
        ("sinter s none", "~0"),
        ("zadd z 1.5 m", ":1"),
        ("zscore z m", ",1.5"),
        ("zmscore z m n", "*2|,1.5|_"),
        ("zincrby z inf m", ",inf"),
        ("zrange z 0 -1 withscores", "*1|*2|$1|m|,inf"),
        ("zpopmin z 1", "*1|*2|$1|m|,inf"),
        ("lpop none 2", "_"),
        ("config get databases", "%1|$9|databases|$2|16"),
        ("watch k", "+OK"),
        ("set k v", "+OK"),
        ("multi", "+OK"),
        ("exec", "_"),
        ("subscribe c", ">3|$9|subscribe|$1|c|:1"),
        ("ping", "+PONG"),
        ("get k", "$1|v"),
        ("reset", "+RESET"),
        ("get none", "$-1"),
    ]);
    assert!(one.ask("info server").starts_with('$'));
    one.ask("hello 3");
    assert!(one.ask("info server").starts_with("="));
}

#[test]
fn a_message_reaches_each_subscriber_in_its_protocol() {
    let mut server = TestServer::<V2>::new();
    let old = server.connect();
    let new = speaks_resp3(&mut server);
    for client in [old, new] {
        server.ask(client, &words("subscribe news"));
    }
    // Its own message comes before the count, as in Redis.
    let own = text(server.ask(new, &words("publish news x")));
    assert_eq!(own, ">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\nx\r\n:2\r\n");
    assert_eq!(text(server.read(old)), "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\nx\r\n");
}

#[test]
fn the_protocol_of_a_client_outlives_a_swap_to_a_version_without_hello() {
    let mut server = TestServer::<V2>::new();
    let client = speaks_resp3(&mut server);
    let mut server = server.swap_to::<V1>().unwrap();
    assert_eq!(server.ask(client, &words("get none")), b"_\r\n");
    let waiter = client;
    server.feed(waiter, &words("blpop l 1"));
    let mut server = server.swap_to::<V2>().unwrap();
    server.advance(1000);
    assert_eq!(server.read(waiter), b"_\r\n");
    server.disconnect(client);
    assert!(server.state().resp3_clients.is_empty());
}
