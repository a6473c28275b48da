//! Goal: settings take effect, and the tools that look at a server find what they look for. Method:
//! tables over both versions, eviction with a filled server.

mod common;
#[allow(dead_code, reason = "the differential test uses the rest")]
mod peer;
mod resp;

use common::{One, V1, V2, text, words};
use hotshell_kv::latency::{Sample, Spikes, picture};
use peer::Redis;
use resp::{Value, parse};

#[test]
fn parameters_are_checked_kept_and_shown() {
    One::<V2>::new().check(&[
        ("config set maxmemory abc", "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value"),
        ("config set hz 10 hz 20", "-ERR CONFIG SET failed (possibly related to argument 'hz') - duplicate parameter"),
        ("config set nosuch 1", "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"),
        ("config set daemonize yes", "-ERR CONFIG SET failed (possibly related to argument 'daemonize') - can't set immutable config"),
        ("config set maxmemory 1gb timeout z", "-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer"),
        ("config get maxmemory", "*2|$9|maxmemory|$1|0"),
        ("config set maxmemory 1gb timeout 5", "+OK"),
        ("config get maxmemory", "*2|$9|maxmemory|$10|1073741824"),
        ("config set notify-keyspace-events ExK", "+OK"),
        ("config get notify-keyspace-events", "*2|$22|notify-keyspace-events|$3|xKE"),
        ("config set zset-max-ziplist-entries 7", "+OK"),
        ("config get zset-max-listpack-entries", "*2|$25|zset-max-listpack-entries|$1|7"),
    ]);
    One::<V1>::new().check(&[
        ("config set maxmemory abc", "-ERR Invalid argument 'abc' for CONFIG SET 'maxmemory'"),
        ("config set nosuch 1", "-ERR Unsupported CONFIG parameter: nosuch"),
        ("config get zset-max-listpack-entries", "*0"),
    ]);
}

#[test]
fn a_password_keeps_others_out() {
    let mut one = One::<V2>::new();
    one.check(&[("config set requirepass secret", "+OK"), ("ping", "+PONG")]);
    one.client = one.server.connect();
    one.check(&[
        ("get k", "-NOAUTH Authentication required."),
        ("auth wrong", "-WRONGPASS invalid username-password pair or user is disabled."),
        ("auth default secret", "+OK"),
        ("get k", "$-1"),
    ]);
}

#[test]
fn memory_is_kept_below_its_limit_by_eviction() {
    for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-random"] {
        let mut one = One::<V2>::new();
        one.ask("ping");
        let limit = one.server.state_bytes() + 500_000;
        one.ask(&format!("config set maxmemory {limit} maxmemory-policy {policy}"));
        for n in 0..10_000 {
            let reply = one.ask(&format!("set key:{n} {}", "x".repeat(100)));
            assert_eq!(reply, "+OK\r\n", "{policy}");
        }
        assert!(one.server.state_bytes() < limit + 10_000, "{policy}");
        let left: i64 = one.ask("dbsize").trim()[1..].parse().unwrap();
        assert!((500..9000).contains(&left), "{policy}: {left}");
    }
}

#[test]
fn without_eviction_what_needs_memory_is_refused() {
    let mut one = One::<V1>::new();
    one.check(&[
        ("set k v", "+OK"),
        ("config set maxmemory 1", "+OK"),
        ("set k v", "-OOM command not allowed when used memory > 'maxmemory'."),
        ("get k", "$1|v"),
        ("del k", ":1"),
    ]);
}

#[test]
fn slow_commands_are_logged_with_their_arguments() {
    let mut one = One::<V2>::new();
    one.check(&[("config set slowlog-log-slower-than 0", "+OK"), ("slowlog reset", "+OK")]);
    one.ask("set k v");
    let log = one.ask("slowlog get 1");
    assert!(log.contains("$3\r\nset\r\n$1\r\nk\r\n$1\r\nv\r\n"), "{log}");
    one.check(&[("slowlog get x", "-ERR count should be greater than or equal to -1")]);
}

#[test]
fn events_of_keys_are_published() {
    let mut one = One::<V2>::new();
    let listener = one.server.connect();
    one.server.ask(listener, &words("psubscribe __keyevent@0__:*"));
    one.ask("config set notify-keyspace-events EA");
    one.ask("set k v");
    let heard = common::text(one.server.read(listener));
    assert!(heard.ends_with("$18\r\n__keyevent@0__:set\r\n$1\r\nk\r\n"), "{heard}");
    one.ask("rpush l a");
    one.ask("lpop l");
    let heard = common::text(one.server.read(listener));
    let order = ["rpush", "lpop", "del"].map(|event| heard.find(&format!(":{event}\r\n")));
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{heard}");
}

#[test]
fn a_monitor_sees_commands_and_no_passwords() {
    let mut one = One::<V2>::new();
    let watcher = one.server.connect();
    assert_eq!(one.server.ask(watcher, &words("monitor")), b"+OK\r\n");
    one.ask("set k v");
    one.ask("auth secret");
    let seen = common::text(one.server.read(watcher));
    assert!(seen.contains("\"set\" \"k\" \"v\"\r\n") && !seen.contains("secret"), "{seen}");
}

#[test]
fn databases_are_swapped_and_waiters_served() {
    let mut one = One::<V2>::new();
    let waiter = one.server.connect();
    one.server.feed(waiter, &words("blpop l 0"));
    one.check(&[
        ("select 1", "+OK"),
        ("rpush l a", ":1"),
        ("set k v", "+OK"),
        ("swapdb 0 1", "+OK"),
        ("get k", "$-1"),
        ("select 0", "+OK"),
        ("get k", "$1|v"),
        ("swapdb 0 16", "-ERR DB index is out of range"),
        ("swapdb x 1", "-ERR invalid first DB index"),
    ]);
    assert_eq!(one.server.read(waiter), b"*2\r\n$1\r\nl\r\n$1\r\na\r\n");
}

#[test]
fn subsystems_that_are_absent_answer_as_empty_ones_or_say_so() {
    One::<V2>::new().check(&[
        ("script exists abc def", "*2|:0|:0"),
        ("script flush", "+OK"),
        ("function list", "*0"),
        ("function flush", "+OK"),
        ("evalsha abc 0", "-NOSCRIPT No matching script. Please use EVAL."),
        ("fcall f 0", "-ERR Function not found"),
        ("cluster info", "-ERR This instance has cluster support disabled"),
        ("replicaof no one", "+OK"),
        ("wait 0 0", ":0"),
        ("role", "*3|$6|master|:0|*0"),
    ]);
}

#[test]
fn a_pause_holds_requests_back_until_its_end() {
    let mut one = One::<V2>::new();
    let other = one.server.connect();
    one.check(&[("client pause 100 write", "+OK"), ("get k", "$-1")]);
    one.server.feed(other, &words("set k v"));
    assert_eq!(one.server.read(other), b"", "a write waits");
    one.server.advance(100);
    assert_eq!(one.server.read(other), b"+OK\r\n");
    one.check(&[("client pause 100000", "+OK")]);
    one.server.feed(other, &words("get k"));
    one.server.advance(99_999);
    assert_eq!(one.server.read(other), b"", "a read waits, too");
    one.server.advance(1);
    assert_eq!(one.server.read(other), b"$1\r\nv\r\n");
}

#[test]
fn replies_are_left_out_on_demand() {
    let mut one = One::<V2>::new();
    assert_eq!(one.ask("client reply skip"), "");
    assert_eq!(one.ask("ping"), "");
    assert_eq!(one.ask("ping"), "+PONG\r\n");
    assert_eq!(one.ask("client reply off"), "");
    assert_eq!(one.ask("nosuchcommand"), "");
    assert_eq!(one.ask("client reply on"), "+OK\r\n");
}

#[test]
fn idle_time_and_frequency_are_those_of_the_last_uses() {
    let mut one = One::<V2>::new();
    one.ask("set k v");
    one.server.advance(7_000);
    one.check(&[("object idletime k", ":7"), ("get k", "$1|v"), ("object idletime k", ":0")]);
    one.check(&[("config set maxmemory-policy allkeys-lfu", "+OK"), ("set f v", "+OK")]);
    one.check(&[("object freq f", ":5")]);
    assert!(one.ask("object idletime f").starts_with("-ERR An LFU maxmemory policy is selected"));
}

#[test]
fn lists_are_sorted_by_other_keys() {
    One::<V1>::new().check(&[
        ("rpush l 3 1 2", ":3"),
        ("mset w1 30 w2 10 w3 20 n1 one n3 three", "+OK"),
        ("sort l", "*3|$1|1|$1|2|$1|3"),
        ("sort l desc limit 0 2", "*2|$1|3|$1|2"),
        ("sort l by w* get # get n*", "*6|$1|2|$-1|$1|3|$5|three|$1|1|$3|one"),
        ("sort l by nosort", "*3|$1|3|$1|1|$1|2"),
        ("sort l by nosort desc limit 0 2", "*2|$1|2|$1|1"),
        ("sort l by none* alpha", "*3|$1|3|$1|1|$1|2"),
        ("sort l by w* store to", ":3"),
        ("lrange to 0 -1", "*3|$1|2|$1|3|$1|1"),
        ("rpush l x", ":4"),
        ("sort l", "-ERR One or more scores can't be converted into double"),
        ("sort l alpha", "*4|$1|1|$1|2|$1|3|$1|x"),
        ("sort l limit 0", "-ERR syntax error"),
    ]);
}

#[test]
fn the_list_of_clients_names_the_last_command_of_each() {
    let mut one = One::<V2>::new();
    let other = one.server.connect();
    let silent = one.ask("client list");
    assert!(silent.contains(" cmd=client|list ") && silent.contains(" cmd=NULL "), "{silent}");
    one.server.ask(other, &words("get k"));
    let list = one.ask("client list");
    assert!(list.contains(" cmd=get "), "{list}");
}

#[test]
fn info_counts_commands_and_errors() {
    let mut one = One::<V2>::new();
    one.ask("get k");
    one.ask("get");
    one.ask("lpush l");
    one.ask("config get hz");
    let info = one.ask("info everything");
    for line in [
        "cmdstat_get:calls=1,usec=",
        ",rejected_calls=1,failed_calls=0\r\n",
        "cmdstat_config|get:calls=1,",
        "errorstat_ERR:count=2\r\n",
        "maxmemory_policy:noeviction\r\n",
    ] {
        assert!(info.contains(line), "{line} in {info}");
    }
    assert!(!one.ask("info").contains("cmdstat_"));
}

#[test]
fn how_long_commands_take_is_told_by_powers_of_two() {
    let mut one = One::<V2>::new();
    one.check(&[("set k v", "+OK"), ("get k", "$1|v"), ("get k", "$1|v")]);
    let all = one.ask("latency histogram get config");
    assert!(
        all.starts_with("*2\r\n$3\r\nget\r\n*4\r\n$5\r\ncalls\r\n:2\r\n$14\r\nhistogram_usec"),
        "{all}"
    );
    one.check(&[
        ("config set latency-tracking-info-percentiles 90", "+OK"),
        ("setex t 100 v", "+OK"),
    ]);
    let keys = one.ask("info keyspace");
    assert!(keys.contains("db0:keys=2,expires=1,avg_ttl=100000\r\n"), "{keys}");
    let info = one.ask("info latencystats");
    assert!(info.contains("latency_percentiles_usec_get:p90=") && !info.contains("p99"), "{info}");
    one.check(&[("config resetstat", "+OK"), ("latency histogram get", "*0")]);
    assert!(one.ask("latency histogram config").contains("config|resetstat"));
    one.check(&[
        ("config set latency-tracking no", "+OK"),
        ("get k", "$1|v"),
        ("latency histogram get", "*0"),
    ]);
    assert!(one.ask("info commandstats").contains("cmdstat_get:calls=1,"));
    assert!(!one.ask("info latencystats").contains("_get:"));
}

#[test]
fn the_longest_string_is_as_long_as_it_is_set() {
    const TOO_LONG: &str = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    let mut one = One::<V2>::new();
    one.check(&[
        ("config set proto-max-bulk-len 1mb", "+OK"),
        ("setrange k 1048575 ab", TOO_LONG),
        ("setbit k 8388608 1", "-ERR bit offset is not an integer or out of range"),
        ("bitfield k set u8 8388608 1", "-ERR bit offset is not an integer or out of range"),
        ("setbit k 8388607 1", ":0"),
        ("strlen k", ":1048576"),
        ("append k x", TOO_LONG),
    ]);
    let refused = one.server.ask(one.client, b"*2\r\n$4\r\nECHO\r\n$1048577\r\n");
    assert_eq!(text(refused), "-ERR Protocol error: invalid bulk length\r\n");
}

#[test]
fn a_graph_of_latencies_is_drawn_as_by_redis() {
    let Some(mut redis) = Redis::start() else {
        println!("skipped: no redis-server");
        return;
    };
    redis.renew(1);
    let mut ask = |line: &str| {
        redis.send(0, &words(line));
        redis.sync();
        let reply = redis.read_until(0, |bytes| parse(bytes).is_some());
        parse(&reply).expect("a whole reply").0
    };
    ask("config set latency-monitor-threshold 1");
    for seconds in ["0.3", "1.05", "0.002", "1.01"] {
        ask(&format!("debug sleep {seconds}"));
    }
    // Samples are kept in state memory, which comes with a server.
    let _server = One::<V2>::new();
    loop {
        let now_s = peer::unix_ms() / 1000;
        let [before, theirs, after] =
            ["latency history command", "latency graph command", "latency history command"]
                .map(&mut ask);
        // A loaded machine makes slow what is not, and how long ago that was is told in seconds.
        if before != after || peer::unix_ms() / 1000 != now_s {
            continue;
        }
        let mut spikes = Spikes::default();
        for sample in before.elements() {
            let [Value::Int(time_s), Value::Int(ms)] = *sample.elements() else {
                panic!("{sample:?}")
            };
            spikes.samples.push_back(Sample { time_s: time_s as u64, ms: ms as u64 });
            spikes.max_ms = spikes.max_ms.max(ms as u64);
        }
        assert!(spikes.samples.len() >= 2, "{spikes:?}");
        assert_eq!(picture("command", &spikes, now_s), theirs.text());
        break;
    }
    let mut one = One::<V2>::new();
    one.check(&[("latency graph no", "-ERR No samples available for event 'no'")]);
}
