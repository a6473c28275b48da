//! Goal: bits, bit fields and cardinalities as Redis has them. Method: exact replies, both versions.

mod common;

use common::{One, V1, V2};

#[test]
fn bits_are_set_counted_found_and_combined() {
    const TABLE: &[(&str, &str)] = &[
        ("setbit b 7 1", ":0"),
        ("setbit b 7 1", ":1"),
        ("getbit b 7", ":1"),
        ("getbit b 100", ":0"),
        ("get b", "$1|\u{1}"),
        ("bitcount b", ":1"),
        ("bitpos b 1", ":7"),
        ("setbit b -1 1", "-ERR bit offset is not an integer or out of range"),
        ("setbit b 0 2", "-ERR bit is not an integer or out of range"),
        ("set x a", "+OK"),
        ("set y c", "+OK"),
        ("bitop and z x y", ":1"),
        ("get z", "$1|a"),
        ("bitop xor z x y", ":1"),
        ("get z", "$1|\u{2}"),
        ("bitop not z x y", "-ERR BITOP NOT must be called with a single source key."),
        ("bitfield f set u8 0 255 incrby u8 0 1 get u8 0", "*3|:0|:0|:0"),
        ("bitfield f overflow sat incrby u8 0 300", "*1|:255"),
        ("bitfield f overflow fail incrby u8 0 1", "*1|$-1"),
    ];
    One::<V1>::new().check(TABLE);
    One::<V2>::new().check(TABLE);
}

#[test]
fn cardinalities_are_counted_and_merged() {
    const TABLE: &[(&str, &str)] = &[
        ("pfadd h a b c", ":1"),
        ("pfadd h a", ":0"),
        ("pfcount h", ":3"),
        ("pfadd i c d", ":1"),
        ("pfcount h i", ":4"),
        ("pfmerge j h i", "+OK"),
        ("pfcount j", ":4"),
        ("pfcount none", ":0"),
    ];
    One::<V1>::new().check(TABLE);
    One::<V2>::new().check(TABLE);
}

#[test]
fn a_cardinality_is_sparse_until_it_would_take_too_much() {
    let mut one = One::<V2>::new();
    one.check(&[
        ("pfadd p", ":1"),
        ("strlen p", ":18"),
        ("pfadd p a b c", ":1"),
        ("strlen p", ":27"),
        ("pfcount p", ":3"),
        ("pfcount p", ":3"),
        ("config set hll-sparse-max-bytes 27", "+OK"),
        ("pfadd p c", ":0"),
        ("strlen p", ":27"),
        ("pfadd p d", ":1"),
        ("strlen p", ":12304"),
        ("pfcount p", ":4"),
        ("pfadd q a e", ":1"),
        ("pfmerge q p", "+OK"),
        ("strlen q", ":12304"),
        ("pfcount q", ":5"),
        ("setrange q 4 x", ":12304"),
        ("pfcount q", "-WRONGTYPE Key is not a valid HyperLogLog string value."),
        ("pfadd r x", ":1"),
        ("append r x", ":21"),
        ("pfcount r", "-INVALIDOBJ Corrupted HLL object detected"),
    ]);
    one.check(&[
        ("pfadd s a", ":1"),
        ("pfdebug encoding s", "+sparse"),
        ("pfdebug decode s", "$20|Z:12711 v:2,1 Z:3672"),
        ("pfdebug todense s", ":1"),
        ("pfdebug todense s", ":0"),
        ("pfdebug decode s", "-ERR HLL encoding is not sparse"),
        ("pfdebug encoding none", "-ERR The specified key does not exist"),
        ("pfdebug what s", "-ERR Unknown PFDEBUG subcommand 'what'"),
        ("pfselftest", "+OK"),
    ]);
    assert!(one.ask("pfdebug getreg s").starts_with("*16384\r\n:0\r\n"));
}

#[test]
fn a_field_that_would_overflow_is_no_change_for_who_watches() {
    let mut one = One::<V2>::new();
    one.ask("watch w");
    assert_eq!(one.ask("bitfield w overflow fail incrby u2 0 5"), "*1\r\n$-1\r\n");
    one.ask("multi");
    one.ask("ping");
    assert_eq!(one.ask("exec"), "*1\r\n+PONG\r\n");
}
