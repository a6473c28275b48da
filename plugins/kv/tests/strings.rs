//! Goal: string commands reply as Redis, to the byte. Method: tables of requests and replies, on both
//! versions where they agree.

mod common;

use common::{One, V1, V2};

/// Replies that both versions give.
const BOTH: &[(&str, &str)] = &[
    ("get k", "$-1"),
    ("set k v", "+OK"),
    ("get k", "$1|v"),
    ("GeT k", "$1|v"),
    ("set k v2 nx", "$-1"),
    ("set k v2 xx", "+OK"),
    ("set none v xx", "$-1"),
    ("set k v nx xx", "-ERR syntax error"),
    ("set k v ex", "-ERR syntax error"),
    ("set k v ex 10 px 10", "-ERR syntax error"),
    ("set k v ex x", "-ERR value is not an integer or out of range"),
    ("getset k 12", "$2|v2"),
    ("object encoding k", "$3|int"),
    ("append k 3", ":3"),
    ("object encoding k", "$3|raw"),
    ("get k", "$3|123"),
    ("strlen k", ":3"),
    ("setrange k 5 x", ":6"),
    ("get k", "$6|123\0\0x"),
    ("getrange k 0 1", "$2|12"),
    ("getrange k -1 -1", "$1|x"),
    ("getrange k 5 1", "$0|"),
    ("setrange k -1 x", "-ERR offset is out of range"),
    ("setnx k v", ":0"),
    ("setnx n v", ":1"),
    ("mset a 1 b 2", "+OK"),
    ("mget a none b", "*3|$1|1|$-1|$1|2"),
    ("msetnx a 1 c 2", ":0"),
    ("exists c", ":0"),
    ("msetnx c 1 d 2", ":1"),
    ("incr a", ":2"),
    ("incrby a 10", ":12"),
    ("decr a", ":11"),
    ("decrby a 12", ":-1"),
    ("incr n", "-ERR value is not an integer or out of range"),
    ("set big 9223372036854775807", "+OK"),
    ("incr big", "-ERR increment or decrement would overflow"),
    ("decrby a -9223372036854775808", "-ERR decrement would overflow"),
    ("incrbyfloat a 1.5", "$3|0.5"),
    ("incrbyfloat a x", "-ERR value is not a valid float"),
    ("rpush l x", ":1"),
    ("get l", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("incr l", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("append l x", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("mget l a", "*2|$-1|$3|0.5"),
    ("set l x", "+OK"),
    ("type l", "+string"),
    ("get", "-ERR wrong number of arguments for 'get' command"),
    ("get a b", "-ERR wrong number of arguments for 'get' command"),
];

#[test]
fn both_versions_agree_on_the_old_commands() {
    One::<V1>::new().check(BOTH);
    One::<V2>::new().check(BOTH);
}

#[test]
fn version_2_adds_options_and_commands() {
    One::<V2>::new().check(&[
        ("set k v get", "$-1"),
        ("set k w get", "$1|v"),
        ("set k x nx get", "$1|w"),
        ("set k v ex 100", "+OK"),
        ("set k w keepttl", "+OK"),
        ("ttl k", ":100"),
        ("set k v", "+OK"),
        ("ttl k", ":-1"),
        ("set k v exat 1800000000", "+OK"),
        ("expiretime k", ":1800000000"),
        ("getex k persist", "$1|v"),
        ("ttl k", ":-1"),
        ("getex k px 5000", "$1|v"),
        ("pttl k", ":5000"),
        ("getdel k", "$1|v"),
        ("getdel k", "$-1"),
        ("set k v ex 0", "-ERR invalid expire time in 'set' command"),
        ("setex k 0 v", "-ERR invalid expire time in 'setex' command"),
        ("getex k ex -1", "$-1"),
        ("mset a 1 b", "-ERR wrong number of arguments for 'mset' command"),
        ("nope a b", "-ERR unknown command 'nope', with args beginning with: 'a' 'b' "),
    ]);
}

#[test]
fn version_1_does_not_know_what_came_later() {
    One::<V1>::new().check(&[
        ("set k v", "+OK"),
        ("set k v keepttl", "-ERR syntax error"),
        ("set k v get", "-ERR syntax error"),
        ("set k v exat 1800000000", "-ERR syntax error"),
        ("getdel k", "-ERR unknown command `getdel`, with args beginning with: `k`, "),
        ("copy k l", "-ERR unknown command `copy`, with args beginning with: `k`, `l`, "),
        ("setex k 0 v", "-ERR invalid expire time in setex"),
        ("mset a 1 b", "-ERR wrong number of arguments for MSET"),
        ("select x", "-ERR invalid DB index"),
        ("config nope", "-ERR CONFIG subcommand must be one of GET, SET, RESETSTAT, REWRITE"),
    ]);
}

#[test]
fn values_of_every_length_come_back() {
    let mut one = One::<V2>::new();
    for len in [0, 1, 15, 16, 44, 45, 99, 100, 1000, 70_000] {
        let value = vec![b'x'; len];
        assert_eq!(one.send(&[b"set", b"k".as_slice(), &value]), "+OK\r\n");
        let expected = format!("${len}\r\n{}\r\n", "x".repeat(len));
        assert_eq!(one.ask("get k"), expected, "{len}");
        let encoding = if len <= 44 { "$6\r\nembstr\r\n" } else { "$3\r\nraw\r\n" };
        assert_eq!(one.ask("object encoding k"), encoding, "{len}");
    }
}
