//! Goal: sets, small and large, and sets made of sets. Method: tables at both levels.

mod common;

use common::{One, V1, V2};

const WRONG: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

#[test]
fn members_are_added_found_moved_and_removed() {
    const TABLE: &[(&str, &str)] = &[
        ("sadd s 3 1 2 3", ":3"),
        ("object encoding s", "$6|intset"),
        ("smembers s", "*3|$1|1|$1|2|$1|3"),
        ("sismember s 2", ":1"),
        ("sismember s x", ":0"),
        ("scard s", ":3"),
        ("sadd s x", ":1"),
        ("object encoding s", "$9|hashtable"),
        ("sadd s x", ":0"),
        ("srem s x y", ":1"),
        ("smove s t 3", ":1"),
        ("smove s t 3", ":0"),
        ("smove s s 1", ":1"),
        ("smembers t", "*1|$1|3"),
        ("srandmember t", "$1|3"),
        ("srandmember t -3", "*3|$1|3|$1|3|$1|3"),
        ("srandmember none", "$-1"),
        ("srandmember none 3", "*0"),
        ("spop t", "$1|3"),
        ("exists t", ":0"),
        ("spop t 2", "*0"),
        ("spop t", "$-1"),
        ("srem s 1 2", ":2"),
        ("type s", "+none"),
        ("set str x", "+OK"),
        ("sadd str x", WRONG),
        ("smembers str", WRONG),
        ("sinter str", WRONG),
        ("sscan none 0", "*2|$1|0|*0"),
    ];
    One::<V1>::new().check(TABLE);
    One::<V2>::new().check(TABLE);
}

#[test]
fn sets_are_made_of_sets() {
    const TABLE: &[(&str, &str)] = &[
        ("sadd a 1 2 3 4", ":4"),
        ("sadd b 2 4 6", ":3"),
        ("sinter a b", "*2|$1|2|$1|4"),
        ("sunion a b none", "*5|$1|1|$1|2|$1|3|$1|4|$1|6"),
        ("sdiff a b", "*2|$1|1|$1|3"),
        ("sinter a none", "*0"),
        ("sinterstore c a b", ":2"),
        ("smembers c", "*2|$1|2|$1|4"),
        ("sdiffstore a a b", ":2"),
        ("smembers a", "*2|$1|1|$1|3"),
        ("sunionstore c none", ":0"),
        ("exists c", ":0"),
        ("set str x", "+OK"),
        ("sunion a str", WRONG),
    ];
    One::<V1>::new().check(TABLE);
    One::<V2>::new().check(TABLE);
    One::<V1>::new().check(&[("set str x", "+OK"), ("sinter none str", "*0")]);
    One::<V2>::new().check(&[
        ("set str x", "+OK"),
        ("sinter none str", WRONG),
        ("sadd a 1 2 3", ":3"),
        ("sadd b 2 3 4", ":3"),
        ("sintercard 2 a b", ":2"),
        ("sintercard 2 a b limit 1", ":1"),
        ("sintercard 0 a", "-ERR numkeys should be greater than 0"),
        ("smismember a 1 9 3", "*3|:1|:0|:1"),
        ("spop a -1", "-ERR value is out of range, must be positive"),
    ]);
}

#[test]
fn a_set_changes_its_form_and_keeps_its_members() {
    let mut one = One::<V2>::new();
    for n in 0..513 {
        assert_eq!(one.ask(&format!("sadd ints {n}")), ":1\r\n");
        assert_eq!(one.ask(&format!("sadd names name:{n}")), ":1\r\n");
    }
    one.check(&[("object encoding ints", "$9|hashtable"), ("scard names", ":513")]);
    for n in 0..513 {
        assert_eq!(one.ask(&format!("sismember ints {n}")), ":1\r\n");
        assert_eq!(one.ask(&format!("sismember names name:{n}")), ":1\r\n");
    }
    assert!(one.ask("spop names 500").starts_with("*500\r\n"));
    assert!(one.ask("srandmember names 5").starts_with("*5\r\n"));
    one.check(&[("scard names", ":13")]);
}
