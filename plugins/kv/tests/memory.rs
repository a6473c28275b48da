//! Goal: MEMORY and DEBUG answer what tools and test suites ask. Method: exact replies and bounds, and names
//! that are compared with a real redis-server.

mod both;
mod common;
#[allow(dead_code, reason = "the differential test uses the rest")]
mod peer;
mod resp;

use both::Both;
use common::{One, V1, V2, text};
use hotshell_plugin_api::plugin::Plugin;
use peer::Redis;
use resp::Value;

fn usage<P: Plugin>(one: &mut One<P>, key: &str) -> usize {
    let reply = one.ask(&format!("memory usage {key} samples 0"));
    reply.trim_end().trim_start_matches(':').parse().expect("a number")
}

#[test]
fn what_a_key_takes_grows_with_it_and_is_near_what_the_heap_gave() {
    let mut one = One::<V2>::new();
    let fill: [(&str, &dyn Fn(u32) -> String); 5] = [
        ("string", &|n| format!("append string {n:0100}")),
        ("list", &|n| format!("rpush list item:{n:040}")),
        ("hash", &|n| format!("hset hash field:{n} value:{n:040}")),
        ("set", &|n| format!("sadd set member:{n:040}")),
        ("zset", &|n| format!("zadd zset {n} member:{n:040}")),
    ];
    for (key, request) in fill {
        let before = one.server.state_bytes();
        one.ask(&request(0));
        let small = usage(&mut one, key);
        (1..3000).for_each(|n| drop(one.ask(&request(n))));
        let (large, given) = (usage(&mut one, key), one.server.state_bytes() - before);
        assert!(small < 300 && large > 100 * small, "{key}: {small}, {large}");
        let ratio = large as f64 / given as f64;
        assert!((0.5..1.5).contains(&ratio), "{key}: {large} of {given}");
    }
}

#[test]
fn memory_has_the_subcommands_of_redis() {
    let mut one = One::<V1>::new();
    one.check(&[
        ("memory usage none", "$-1"),
        ("memory usage none samples", "-ERR syntax error"),
        ("memory usage none samples -1", "-ERR syntax error"),
        ("memory purge", "+OK"),
        ("memory malloc-stats", "$45|Stats not supported for the current allocator"),
    ]);
    assert!(one.ask("memory doctor").contains("Hi Sam, this instance is empty"));
    one.ask("set k v");
    let stats = one.ask("memory stats");
    for name in ["peak.allocated", "total.allocated", "keys.count\r\n:1", "db.0"] {
        assert!(stats.contains(name), "{name} in {stats}");
    }
}

#[test]
fn keys_end_only_when_looked_at_without_active_expiry() {
    let mut one = One::<V2>::new();
    one.check(&[("debug set-active-expire 0", "+OK"), ("set k v px 10", "+OK")]);
    one.server.advance(10_000);
    one.check(&[("dbsize", ":1"), ("debug set-active-expire 1", "+OK")]);
    one.server.advance(10_000);
    one.check(&[("dbsize", ":0")]);
}

#[test]
fn debug_shows_each_type_of_the_protocol() {
    let mut one = One::<V2>::new();
    one.check(&[
        ("debug reload", "+OK"),
        ("debug stringmatch-len a* abc", ":1"),
        ("debug protocol integer", ":12345"),
        ("debug protocol push", "-ERR RESP2 is not supported by this command"),
        (
            "debug jump",
            "-ERR unknown subcommand or wrong number of arguments for 'jump'. Try DEBUG HELP.",
        ),
    ]);
    one.ask("hello 3");
    one.check(&[
        ("debug protocol double", ",3.141"),
        ("debug protocol null", "_"),
        ("debug protocol set", "~3|:0|:1|:2"),
        ("debug protocol map", "%3|:0|#f|:1|#t|:2|#f"),
        (
            "debug protocol push",
            ">2|$16|server-cpu-usage|:42|$40|Some real reply following the push reply",
        ),
        ("debug protocol bignum", "(1234567999999999999999999999999999999"),
        ("debug protocol true", "#t"),
    ]);
}

#[test]
fn small_forms_end_where_the_settings_say() {
    let mut one = One::<V2>::new();
    for (limit, fill, small, large) in [
        (
            "hash-max-listpack-entries 2",
            ["hset k a 1", "hset k b 2", "hset k c 3"],
            "listpack",
            "hashtable",
        ),
        (
            "hash-max-listpack-value 3",
            ["hset k a 123", "hset k b 1", "hset k c 1234"],
            "listpack",
            "hashtable",
        ),
        (
            "zset-max-listpack-entries 2",
            ["zadd k 1 a", "zadd k 2 b", "zadd k 3 c"],
            "listpack",
            "skiplist",
        ),
        (
            "zset-max-listpack-value 3",
            ["zadd k 1 a", "zadd k 2 abc", "zadd k 3 abcd"],
            "listpack",
            "skiplist",
        ),
        ("set-max-intset-entries 2", ["sadd k 1", "sadd k 2", "sadd k 3"], "intset", "hashtable"),
    ] {
        let shown = |form: &str| format!("${}|{form}", form.len());
        one.check(&[("del k", ":0"), (&format!("config set {limit}"), "+OK")]);
        one.ask(fill[0]);
        one.ask(fill[1]);
        one.check(&[("object encoding k", &shown(small))]);
        one.ask(fill[2]);
        one.check(&[("object encoding k", &shown(large))]);
        one.ask("del k");
        one.ask("config set hash-max-listpack-entries 512");
    }
}

/// The names of MEMORY STATS, those within the tables of a database, too.
fn names(stats: &Value) -> Vec<String> {
    let pairs = stats.elements().chunks_exact(2);
    let name = |pair: &[Value]| match &pair[1] {
        Value::Array(_) | Value::Map(_) => {
            [vec![pair[0].text().to_owned()], names(&pair[1])].concat()
        }
        _ => vec![pair[0].text().to_owned()],
    };
    pairs.flat_map(name).collect()
}

#[test]
fn memory_stats_and_info_modules_have_the_names_of_redis() {
    fn compare<P: Plugin>(mut both: Both<P>) {
        for request in ["set k v", "hset h f v"] {
            both.ask(&request.split(' ').collect::<Vec<_>>());
        }
        let [ours, theirs] = both.values(&["memory", "stats"]);
        assert_eq!(names(&ours), names(&theirs));
    }
    match Redis::start_4() {
        Some(redis) => compare(Both::<V1>::beside(redis)),
        None => println!("skipped: HOTSHELL_REDIS_4 is not set: the path of a redis-server 4.0"),
    }
    let Some(mut both) = Both::start() else { return };
    for section in ["modules", "module_list", "MODULES"] {
        let [ours, theirs] = both.ask(&["info", section]).map(text);
        assert_eq!(ours, theirs, "{section}");
    }
    compare(both);
}
