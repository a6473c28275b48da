//! Goal: commands over keys of any type, and what a moved clock does to them. Method: tables, and
//! `TestServer::advance`.

mod common;

use common::{One, V1, V2};
use hotshell_plugin_api::testing::TestServer;

#[test]
fn keys_are_counted_renamed_copied_and_removed() {
    One::<V2>::new().check(&[
        ("mset a 1 b 2 c 3", "+OK"),
        ("dbsize", ":3"),
        ("exists a a z", ":2"),
        ("type a", "+string"),
        ("type z", "+none"),
        ("rename a d", "+OK"),
        ("rename a d", "-ERR no such key"),
        ("renamenx d b", ":0"),
        ("renamenx d e", ":1"),
        ("get e", "$1|1"),
        ("copy e b", ":0"),
        ("copy e b replace", ":1"),
        ("copy e e", "-ERR source and destination objects are the same"),
        ("copy e e db 1", ":1"),
        ("get b", "$1|1"),
        ("move e 1", ":0"),
        ("move b 1", ":1"),
        ("select 1", "+OK"),
        ("mget e b", "*2|$1|1|$1|1"),
        ("select 16", "-ERR DB index is out of range"),
        ("del e b x", ":2"),
        ("select 0", "+OK"),
        ("unlink c", ":1"),
        ("touch c e", ":1"),
        ("randomkey", "$1|e"),
        ("keys *", "*1|$1|e"),
        ("keys x*", "*0"),
        ("flushdb", "+OK"),
        ("randomkey", "$-1"),
        ("scan 0", "*2|$1|0|*0"),
        ("scan x", "-ERR invalid cursor"),
    ]);
}

#[test]
fn scan_shows_every_key_once_the_map_rests() {
    let mut one = One::<V1>::new();
    for n in 0..1000 {
        one.ask(&format!("set key:{n} {n}"));
    }
    let mut seen = std::collections::HashSet::new();
    let mut cursor = "0".to_owned();
    loop {
        let reply = one.ask(&format!("scan {cursor} count 50 match key:*"));
        let parts: Vec<&str> = reply.split("\r\n").collect();
        cursor = parts[2].to_owned();
        seen.extend(parts[4..].iter().filter(|p| p.starts_with("key:")).map(|p| p.to_string()));
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len(), 1000);
}

#[test]
fn a_time_to_live_ends_the_key() {
    let mut one = One::<V2>::new();
    one.check(&[
        ("set k v px 1500", "+OK"),
        ("ttl k", ":2"),
        ("pttl k", ":1500"),
        ("set other v", "+OK"),
        ("ttl other", ":-1"),
        ("ttl none", ":-2"),
    ]);
    one.server.advance(1499);
    one.check(&[("get k", "$1|v"), ("pttl k", ":1")]);
    one.server.advance(1);
    one.check(&[("get k", "$-1"), ("ttl k", ":-2"), ("dbsize", ":1")]);
}

#[test]
fn expire_options_compare_with_the_old_end() {
    One::<V2>::new().check(&[
        ("set k v", "+OK"),
        ("expire k 100 gt", ":0"),
        ("expire k 100 xx", ":0"),
        ("expire k 100 nx", ":1"),
        ("expire k 50 gt", ":0"),
        ("expire k 200 lt", ":0"),
        ("expire k 200 gt", ":1"),
        ("ttl k", ":200"),
        (
            "expire k 1 nx xx",
            "-ERR NX and XX, GT or LT options at the same time are not compatible",
        ),
        ("expire k 1 gt lt", "-ERR GT and LT options at the same time are not compatible"),
        ("expire k 1 zz", "-ERR Unsupported option zz"),
        ("persist k", ":1"),
        ("persist k", ":0"),
        ("expire k -1", ":1"),
        ("exists k", ":0"),
        ("expire k 9223372036854775807", "-ERR invalid expire time in 'expire' command"),
    ]);
}

#[test]
fn keys_nobody_looks_at_are_removed_too() {
    let mut one = One::<V1>::new();
    for n in 0..500 {
        one.ask(&format!("set k{n} v px 1000"));
    }
    one.server.advance(999);
    assert_eq!(one.ask("dbsize"), ":500\r\n");
    one.server.advance(5000);
    assert_eq!(one.ask("dbsize"), ":0\r\n");
    assert_eq!(one.server.next_wake(), None, "with no times to live there is nothing to wake for");
}

#[test]
fn a_flushed_keyspace_is_freed_in_slices_and_leaves_nothing() {
    let mut server = TestServer::<V2>::new();
    let client = server.connect();
    // The first command makes the counters of all.
    server.ask(client, &common::words("ping"));
    let empty = server.state_bytes();
    let mut fill = Vec::new();
    for n in 0..20_000 {
        let line = format!("set key-number-{n} a-value-of-more-than-fifteen-bytes-{n} ex 1000");
        fill.extend_from_slice(&common::words(&line));
    }
    server.ask(client, &fill);
    let full = server.state_bytes();
    assert!(full > empty + 20_000 * 40);
    assert_eq!(server.ask(client, &common::words("flushall")), b"+OK\r\n");
    assert_eq!(server.ask(client, &common::words("dbsize")), b":0\r\n");
    server.advance(1000);
    assert!(!server.state().has_graves());
    assert!(server.state_bytes() < empty + 10_000, "{} left", server.state_bytes() - empty);
}
