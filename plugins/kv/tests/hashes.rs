//! Goal: hashes, small and large. Method: tables at both levels.

mod common;

use common::{One, V1, V2};
use hotshell_plugin_api::plugin::Plugin;

const WRONG: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

#[test]
fn fields_are_set_read_counted_and_removed() {
    const TABLE: &[(&str, &str)] = &[
        ("hset h a 1 b 2", ":2"),
        ("hset h a 3 c 4", ":1"),
        ("hget h a", "$1|3"),
        ("hget h x", "$-1"),
        ("hget none x", "$-1"),
        ("hmget h a x c", "*3|$1|3|$-1|$1|4"),
        ("hgetall h", "*6|$1|a|$1|3|$1|b|$1|2|$1|c|$1|4"),
        ("hkeys h", "*3|$1|a|$1|b|$1|c"),
        ("hvals h", "*3|$1|3|$1|2|$1|4"),
        ("hlen h", ":3"),
        ("hstrlen h a", ":1"),
        ("hexists h a", ":1"),
        ("hexists h x", ":0"),
        ("hsetnx h a 9", ":0"),
        ("hsetnx h d 9", ":1"),
        ("hmset h e 5", "+OK"),
        ("hincrby h e 10", ":15"),
        ("hincrby h new -1", ":-1"),
        ("hincrbyfloat h e 0.5", "$4|15.5"),
        ("hincrby h e 1", "-ERR hash value is not an integer"),
        ("hincrby h a 9223372036854775807", "-ERR increment or decrement would overflow"),
        ("hincrby h a x", "-ERR value is not an integer or out of range"),
        ("hset h text x", ":1"),
        ("hincrbyfloat h text 1", "-ERR hash value is not a float"),
        ("hscan h 0 match a*", "*2|$1|0|*2|$1|a|$1|3"),
        ("type h", "+hash"),
        ("hdel h a b x", ":2"),
        ("hdel h c d e new text", ":5"),
        ("exists h", ":0"),
        ("set s 1", "+OK"),
        ("hset s a 1", WRONG),
        ("hget s a", WRONG),
        ("hgetall none", "*0"),
    ];
    One::<V1>::new().check(TABLE);
    One::<V2>::new().check(TABLE);
    One::<V1>::new().check(&[
        ("hset h a 1 b", "-ERR wrong number of arguments for HMSET"),
        ("hset h a 1", ":1"),
        ("object encoding h", "$7|ziplist"),
    ]);
    One::<V2>::new().check(&[
        ("hset h a 1 b", "-ERR wrong number of arguments for 'hset' command"),
        ("hset h a 1", ":1"),
        ("object encoding h", "$8|listpack"),
        ("hrandfield h", "$1|a"),
        ("hrandfield h 5 withvalues", "*2|$1|a|$1|1"),
        ("hrandfield h -2", "*2|$1|a|$1|a"),
        ("hrandfield none 2", "*0"),
        ("hrandfield h 1 x", "-ERR syntax error"),
    ]);
}

#[test]
fn a_hash_that_grows_keeps_its_fields() {
    fn grow<P: Plugin>(has_graves: fn(&P::State) -> bool) {
        let mut one = One::<P>::new();
        for n in 0..600 {
            assert_eq!(one.ask(&format!("hset h field:{n} {n}")), ":1\r\n");
        }
        one.check(&[("object encoding h", "$9|hashtable"), ("hlen h", ":600")]);
        one.ask(&format!("hset long f {}", "x".repeat(65)));
        one.check(&[("object encoding long", "$9|hashtable")]);
        for n in 0..600 {
            let length = n.to_string().len();
            assert_eq!(one.ask(&format!("hget h field:{n}")), format!("${length}\r\n{n}\r\n"));
        }
        one.check(&[("unlink h", ":1"), ("del long", ":1")]);
        one.server.advance(1000);
        assert!(!has_graves(one.server.state()));
    }
    grow::<V1>(|state| state.has_graves());
    grow::<V2>(|state| state.has_graves());
}
