//! Goal: streams beyond what the differential test compares: a swap from the version without them and
//! back, large ones, what waits. Method: a `TestServer`, swapped to and fro.

#[path = "../../kv/tests/common/mod.rs"]
mod common;

use common::{One, V1, V2, words};
use hotshell_plugin_api::testing::TestServer;

#[test]
fn streams_wait_aside_while_the_version_without_them_serves() {
    let mut server = TestServer::<V1>::new();
    let client = server.connect();
    server.ask(client, &words("set old v"));
    let mut server = server.swap_to::<V2>().unwrap();
    assert_eq!(server.ask(client, &words("xadd s 1-1 f v")), b"$3\r\n1-1\r\n");
    assert_eq!(server.ask(client, &words("get old")), b"$1\r\nv\r\n");
    let mut server = server.swap_to::<V1>().unwrap();
    assert_eq!(server.ask(client, &words("exists s old")), b":1\r\n");
    assert_eq!(server.ask(client, &words("set new w")), b"+OK\r\n");
    let mut server = server.swap_to::<V2>().unwrap();
    assert_eq!(server.ask(client, &words("xlen s")), b":1\r\n");
    assert_eq!(server.ask(client, &words("mget old new")), b"*2\r\n$1\r\nv\r\n$1\r\nw\r\n");
    assert!(server.panics().is_empty());
}

#[test]
fn a_large_stream_is_found_cut_and_freed() {
    let mut one = One::<V2>::new();
    for n in 1..=20_000 {
        one.send(&["xadd", "s", &format!("{n}-0"), "field", "value"]);
    }
    one.check(&[
        ("xlen s", ":20000"),
        ("xrange s 12345 12345", "*1|*2|$7|12345-0|*2|$5|field|$5|value"),
        ("xrevrange s + - count 1", "*1|*2|$7|20000-0|*2|$5|field|$5|value"),
        ("xdel s 12345", ":1"),
        ("xrange s 12345 12345", "*0"),
        ("xtrim s maxlen ~ 10050", ":9900"),
        ("xtrim s maxlen 10", ":10089"),
        ("xlen s", ":10"),
        ("object encoding s", "$6|stream"),
        ("scan 0 type stream", "*2|$1|0|*1|$1|s"),
        ("type s", "+stream"),
        ("del s", ":1"),
    ]);
    one.server.advance(1000);
    assert!(one.server.panics().is_empty());
}

#[test]
fn blocks_hold_as_many_entries_and_bytes_as_the_settings_say() {
    let mut one = One::<V2>::new();
    one.check(&[("config set stream-node-max-entries 3", "+OK")]);
    for n in 1..=10 {
        one.send(&["xadd", "s", &format!("{n}-0"), "field", "value"]);
    }
    let keys = |one: &mut One<V2>| {
        let info = one.ask("xinfo stream s");
        let at = info.find("radix-tree-keys\r\n").expect("a field");
        info[at..].split("\r\n").take(4).collect::<Vec<_>>().join(" ")
    };
    let four = "radix-tree-keys :4 $16 radix-tree-nodes";
    assert_eq!(keys(&mut one), four, "three in each but the last");
    one.check(&[
        ("xdel s 10-0", ":1"),
        ("xadd s 11-0 f v", "$4|11-0"),
        ("xtrim s maxlen ~ 8", ":0"),
        ("xtrim s maxlen ~ 7", ":3"),
        ("config set stream-node-max-entries 0 stream-node-max-bytes 100", "+OK"),
        ("del s", ":1"),
    ]);
    for n in 1..=3 {
        one.send(&["xadd", "s", &format!("{n}-0"), "field", &"v".repeat(60)]);
    }
    assert_eq!(keys(&mut one), "radix-tree-keys :3 $16 radix-tree-nodes");
}

#[test]
fn removed_entries_count_for_the_limit_of_their_block() {
    let mut one = One::<V2>::new();
    one.check(&[
        ("config set stream-node-max-entries 3", "+OK"),
        ("xadd s 1-0 f v", "$3|1-0"),
        ("xadd s 2-0 f v", "$3|2-0"),
        ("xdel s 1-0", ":1"),
        ("xadd s 3-0 f v", "$3|3-0"),
    ]);
    assert!(one.ask("xinfo stream s").contains("radix-tree-keys\r\n:1\r\n"));
    one.check(&[("xadd s 4-0 f v", "$3|4-0")]);
    assert!(one.ask("xinfo stream s").contains("radix-tree-keys\r\n:2\r\n"));
}

#[test]
fn a_gap_before_the_oldest_entry_is_none() {
    One::<V2>::new().check(&[
        ("xadd s 8-0 f v", "$3|8-0"),
        ("xsetid s 9-0 entriesadded 4 maxdeletedid 3-0", "+OK"),
        ("xgroup create s g 0 entriesread 0", "+OK"),
        (
            "xinfo groups s",
            "*1|*12|$4|name|$1|g|$9|consumers|:0|$7|pending|:0|$17|last-delivered-id|$3|0-0|\
             $12|entries-read|:0|$3|lag|:4",
        ),
    ]);
}

#[test]
fn an_entry_costs_little_more_than_its_bytes() {
    let mut one = One::<V2>::new();
    // The first command makes the counters of all.
    one.ask("ping");
    let empty = one.server.state_bytes();
    for n in 1..=10_000 {
        one.send(&["xadd", "s", &format!("1700000000000-{n}"), "temperature", "21.5"]);
    }
    let each = (one.server.state_bytes() - empty) / 10_000;
    assert!(each < 16, "{each} bytes for an entry with a value of 4 bytes");
}

#[test]
fn all_who_wait_for_a_stream_are_served_by_one_entry() {
    let mut server = TestServer::<V2>::new();
    let clients: Vec<u64> = (0..3).map(|_| server.connect()).collect();
    for &client in &clients[..2] {
        server.feed(client, &words("xread block 5000 streams s $"));
        assert!(server.is_blocked(client));
    }
    server.ask(clients[2], &words("xadd s 1-1 f v"));
    for &client in &clients[..2] {
        let reply = server.read(client);
        assert_eq!(
            reply,
            b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
        );
    }
    server.feed(clients[0], &words("xread block 100 streams s $"));
    server.advance(100);
    assert_eq!(server.read(clients[0]), b"*-1\r\n");
}

#[test]
fn who_waits_for_a_stream_that_is_evicted_hears_of_it() {
    let mut one = One::<V2>::new();
    one.check(&[("xgroup create s g $ mkstream", "+OK")]);
    let waiter = one.server.connect();
    one.server.feed(waiter, &words("xreadgroup group g c block 0 streams s >"));
    assert!(one.server.is_blocked(waiter));
    one.check(&[("config set maxmemory-policy allkeys-random maxmemory 1", "+OK")]);
    one.server.advance(1000);
    one.check(&[("exists s", ":0")]);
    let told = one.server.read(waiter);
    assert_eq!(common::text(told), "-UNBLOCKED the stream key no longer exists\r\n");
    assert!(!one.server.is_blocked(waiter));
}
