//! Goal: DEBUG does what suites ask of it. Method: exact replies, a clock that is moved by hand, and a real
//! redis-server with the same data.

mod common;
#[allow(dead_code, reason = "the differential test uses the rest")]
mod peer;

use common::{One, V2, encode, text, words};
use peer::Redis;

/// Data of every type and form, in two databases.
const DATA: &[&str] = &[
    "set s text",
    "set n 12",
    "rpush l a 1 b",
    "sadd ints 3 1 2",
    "sadd words x y z",
    "zadd z 1.5 a -2 b inf c",
    "hset h f v g 12",
    "expire h 1000",
    "xadd x 1-1 f v g w",
    "xadd x 2-0 f v",
    "pfadd hll a b c",
    "setbit bits 100 1",
    "select 3",
    "rpush l other",
];

#[test]
fn the_digest_of_all_data_is_that_of_a_redis_with_the_same() {
    let Some(mut redis) = Redis::start() else {
        println!("skipped: no redis-server");
        return;
    };
    redis.renew(1);
    let mut one = One::<V2>::new();
    assert_eq!(one.ask("debug digest"), format!("+{}\r\n", "0".repeat(40)));
    for request in DATA {
        one.ask(request);
        redis.send(0, &words(request));
        redis.sync();
        redis.read_until(0, |reply| !reply.is_empty());
        let theirs = redis.digest();
        assert_eq!(one.ask("debug digest"), text(theirs), "{request}");
    }
    one.ask("select 0");
    redis.send(0, &words("select 0"));
    let values = ["debug", "digest-value", "s", "n", "l", "ints", "words", "z", "h", "x", "none"];
    redis.sync();
    redis.read_until(0, |reply| !reply.is_empty());
    redis.send(0, &encode(&values));
    redis.sync();
    let theirs = redis.read_until(0, |reply| reply.len() > 9 * 40);
    assert_eq!(one.send(&values), text(theirs));
}

#[test]
fn keys_are_made_unless_they_are_there() {
    let mut one = One::<V2>::new();
    one.check(&[
        ("set key:1 mine", "+OK"),
        ("debug populate 3", "+OK"),
        ("mget key:0 key:1 key:2 key:3", "*4|$7|value:0|$4|mine|$7|value:2|$-1"),
        ("debug populate 2 other 3", "+OK"),
        ("get other:1", "$3|val"),
        ("dbsize", ":5"),
        ("debug populate -1", "-ERR value is out of range, must be positive"),
        ("debug populate 10000001", "-ERR DEBUG POPULATE makes at most 10000000 keys"),
        ("dbsize", ":5"),
    ]);
}

#[test]
fn while_it_sleeps_nobody_is_answered() {
    let mut one = One::<V2>::new();
    let other = one.server.connect();
    one.check(&[("debug sleep 0", "+OK"), ("debug sleep words", "+OK")]);
    one.server.feed(one.client, &words("debug sleep 1.5"));
    one.server.feed(other, &words("set k v"));
    one.server.advance(1400);
    assert_eq!(one.server.read(one.client), b"");
    assert_eq!(one.server.read(other), b"");
    one.server.advance(200);
    assert_eq!(one.server.read(one.client), b"+OK\r\n");
    assert_eq!(one.server.read(other), b"+OK\r\n");
    one.check(&[("get k", "$1|v")]);
}

#[test]
fn an_object_is_shown_with_its_encoding_and_the_length_of_its_payload() {
    let mut one = One::<V2>::new();
    one.ask("set k value");
    let lru = (one.server.unix_ms() / 1000) % (1 << 24);
    one.server.advance(3000);
    let shown = format!(
        "+Value at:0x0 refcount:1 encoding:embstr serializedlength:6 lru:{lru} lru_seconds_idle:3"
    );
    one.check(&[
        ("debug object k", &shown),
        ("debug object none", "-ERR no such key"),
        ("debug quicklist-packed-threshold 100b", "+OK"),
        ("debug log hello", "+OK"),
    ]);
    assert!(one.ask("debug help").contains("POPULATE"));
}
