//! Goal: sorted sets, small and large, by member and by range. Method: tables at both levels; a large
//! one against a sorted vector.

mod common;

use common::{One, V1, V2};

const WRONG: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

#[test]
fn members_have_scores_and_ranks() {
    const TABLE: &[(&str, &str)] = &[
        ("zadd z 1 a 2 b 1.5 c", ":3"),
        ("zadd z 3 a 4 d", ":1"),
        ("zadd z ch 5 a 4 d", ":1"),
        ("zadd z nx 9 a 1 e", ":1"),
        ("zadd z xx 6 a 1 f", ":0"),
        ("zadd z incr 1 a", "$1|7"),
        ("zadd z nx incr 1 a", "$-1"),
        ("zadd z nx xx 1 a", "-ERR XX and NX options at the same time are not compatible"),
        ("zadd z incr 1 a 2 b", "-ERR INCR option supports a single increment-element pair"),
        ("zadd z x a", "-ERR value is not a valid float"),
        ("zadd z 1 a 2", "-ERR syntax error"),
        ("zadd none xx 1 a", ":0"),
        ("zscore z a", "$1|7"),
        ("zscore z x", "$-1"),
        ("zincrby z 0.1 b", "$18|2.1000000000000001"),
        ("zincrby z xx b", "-ERR syntax error"),
        ("zincrby z inf inf", "$3|inf"),
        ("zincrby z -inf inf", "-ERR resulting score is not a number (NaN)"),
        ("zrem z inf", ":1"),
        ("zcard z", ":5"),
        ("zrank z e", ":0"),
        ("zrevrank z e", ":4"),
        ("zrank z x", "$-1"),
        ("zrange z 0 -1", "*5|$1|e|$1|c|$1|b|$1|d|$1|a"),
        ("zrevrange z 0 1 withscores", "*4|$1|a|$1|7|$1|d|$1|4"),
        ("zrangebyscore z (1 4", "*3|$1|c|$1|b|$1|d"),
        ("zrangebyscore z -inf +inf limit 1 2", "*2|$1|c|$1|b"),
        ("zrevrangebyscore z 4 (1 limit 0 1", "*1|$1|d"),
        ("zrangebyscore z x 1", "-ERR min or max is not a float"),
        ("zcount z 1 (7", ":4"),
        ("zremrangebyrank z 0 0", ":1"),
        ("zremrangebyscore z 4 +inf", ":2"),
        ("zscan z 0", "*2|$1|0|*4|$1|c|$3|1.5|$1|b|$18|2.1000000000000001"),
        ("zrem z b c x", ":2"),
        ("exists z", ":0"),
        ("set s x", "+OK"),
        ("zadd s 1 a", WRONG),
        ("zrange s 0 -1", WRONG),
        ("zadd l 0 a 0 b 0 c 0 d", ":4"),
        ("zrangebylex l [b (d", "*2|$1|b|$1|c"),
        ("zrevrangebylex l + (b", "*2|$1|d|$1|c"),
        ("zlexcount l - +", ":4"),
        ("zlexcount l a +", "-ERR min or max not valid string range item"),
        ("zremrangebylex l - [b", ":2"),
        ("zadd a 1 x 2 y", ":2"),
        ("sadd b y z", ":2"),
        ("zunionstore c 2 a b weights 2 3", ":3"),
        ("zrange c 0 -1 withscores", "*6|$1|x|$1|2|$1|z|$1|3|$1|y|$1|7"),
        ("zinterstore c 2 a b aggregate max", ":1"),
        ("zrange c 0 -1 withscores", "*2|$1|y|$1|2"),
        ("zinterstore c 2 a none", ":0"),
        ("exists c", ":0"),
    ];
    One::<V1>::new().check(TABLE);
    One::<V2>::new().check(TABLE);
    One::<V1>::new().check(&[
        ("zadd z 1 a", ":1"),
        ("object encoding z", "$7|ziplist"),
        ("zadd z gt 1 a", "-ERR syntax error"),
        ("zrange z 0 1 byscore", "-ERR syntax error"),
    ]);
}

#[test]
fn version_2_unites_the_ranges() {
    One::<V2>::new().check(&[
        ("zadd z 1 a 2 b 3 c", ":3"),
        ("object encoding z", "$8|listpack"),
        ("zadd z gt ch 0 a 5 b", ":1"),
        ("zadd z lt 6 b", ":0"),
        ("zmscore z a x", "*2|$1|1|$-1"),
        ("zrange z (1 +inf byscore", "*2|$1|c|$1|b"),
        ("zrange z +inf (1 byscore rev limit 1 1", "*1|$1|c"),
        ("zrangestore y z 1 -1", ":2"),
        ("zpopmin y", "*2|$1|c|$1|3"),
        ("zpopmax z 2", "*4|$1|b|$1|5|$1|c|$1|3"),
        ("zrandmember z", "$1|a"),
        ("zunion 2 z y withscores", "*4|$1|a|$1|1|$1|b|$1|5"),
        ("zdiff 2 z y", "*1|$1|a"),
        ("zintercard 2 z z limit 5", ":1"),
        ("zinter 0 z", "-ERR at least 1 input key is needed for 'zinter' command"),
    ]);
}

#[test]
fn a_large_one_answers_as_a_sorted_list() {
    let mut one = One::<V2>::new();
    let mut list: Vec<(u32, String)> = Vec::new();
    for n in 0..1000u32 {
        let (score, member) = (n.wrapping_mul(2_654_435_761) % 500, format!("member-number-{n}"));
        assert_eq!(one.ask(&format!("zadd z {score} {member}")), ":1\r\n");
        list.push((score, member));
    }
    list.sort();
    one.check(&[("object encoding z", "$8|skiplist"), ("zcard z", ":1000")]);
    for (rank, (score, member)) in list.iter().enumerate().step_by(7) {
        assert_eq!(one.ask(&format!("zrank z {member}")), format!(":{rank}\r\n"));
        let below = list.iter().filter(|(other, _)| other < score).count();
        assert_eq!(one.ask(&format!("zcount z -inf ({score}")), format!(":{below}\r\n"));
        let up_to = list.iter().filter(|(other, _)| other <= score).count();
        assert_eq!(one.ask(&format!("zcount z -inf {score}")), format!(":{up_to}\r\n"));
    }
    let reply = one.ask("zrange z 100 102");
    assert!(list[100..103].iter().all(|(_, member)| reply.contains(member)), "{reply}");
    one.check(&[("zremrangebyrank z 0 499", ":500"), ("zcard z", ":500"), ("copy z y", ":1")]);
    assert_eq!(one.ask(&format!("zrank y {}", list[600].1)), ":100\r\n");
    one.check(&[("del z y", ":2")]);
    one.server.advance(1000);
    assert!(!one.server.state().has_graves());
}
