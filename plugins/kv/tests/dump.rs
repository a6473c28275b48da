//! Goal: values leave as bytes and come back, here and at Redis. Method: payloads of the Redis
//! documentation, and a real redis-server that takes ours and gives its own in every form it has.

mod common;
#[allow(dead_code, reason = "the differential test uses the rest")]
mod peer;

use common::{One, V1, V2, encode};
use peer::Redis;

/// A list of 1, 2, 3 as Redis 2.6 wrote it: the example of RESTORE's documentation.
const LIST: &[u8] =
    b"\n\x17\x17\x00\x00\x00\x12\x00\x00\x00\x03\x00\x00\xc0\x01\x00\x04\xc0\x02\x00\x04\
\xc0\x03\x00\xff\x04\x00u#<\xc0;.\xe9\xdd";

/// Keys of every type and form, each with a request that shows it in an order of its own.
const VALUES: &[(&str, &str)] = &[
    ("set k hello", "get k"),
    ("set k -7", "get k"),
    ("set k 300", "get k"),
    ("set k -70000", "get k"),
    ("set k 9223372036854775807", "get k"),
    (
        "rpush k a 1 -1 4095 -4096 4096 32768 8388608 2147483648 9223372036854775807",
        "lrange k 0 -1",
    ),
    ("sadd k 1 2 -3", "sort k"),
    ("sadd k 1 2 40000", "sort k"),
    ("sadd k 1 5000000000", "sort k"),
    ("sadd k a b c", "sort k alpha"),
    ("hset k f v n 1 m -200", "hmget k f n m"),
    ("zadd k 1 a 2.5 b -inf c inf d 1e300 e", "zrange k 0 -1 withscores"),
];

fn words(line: &str) -> Vec<Vec<u8>> {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// The content of a bulk string.
fn content(reply: &[u8]) -> &[u8] {
    let head = reply.iter().position(|&b| b == b'\n').expect("a line");
    &reply[head + 1..reply.len() - 2]
}

/// A small and a large form of each of [`VALUES`], and long texts that Redis shortens.
fn requests() -> Vec<(Vec<Vec<u8>>, &'static str)> {
    let mut all: Vec<_> = VALUES.iter().map(|(make, show)| (words(make), *show)).collect();
    let many = |command: &str, each: &dyn Fn(usize) -> String| {
        let items = (0..1000).map(each).collect::<Vec<_>>().join(" ");
        words(&format!("{command} k {items}"))
    };
    all.push((many("rpush", &|n| format!("item:{n}:{}", "x".repeat(n % 90))), "lrange k 0 -1"));
    all.push((many("sadd", &|n| format!("m{n}")), "sort k alpha"));
    all.push((many("sadd", &|n| n.to_string()), "sort k"));
    all.push((many("hset", &|n| format!("f{n} v{n}")), "hmget k f0 f500 f999 f1000"));
    all.push((many("zadd", &|n| format!("{n}.5 m{n}")), "zrange k 0 -1 withscores"));
    all.push((words(&format!("set k {}", "abcdefgh".repeat(1000))), "get k"));
    all.push((words(&format!("rpush k {}", "long".repeat(5000))), "lrange k 0 -1"));
    all.push((words(&format!("hset k f {}", "z".repeat(300))), "hmget k f"));
    all
}

#[test]
fn a_payload_of_the_documentation_is_read() {
    let mut one = One::<V2>::new();
    assert_eq!(one.send(&[b"restore", &b"k"[..], b"0", LIST]), "+OK\r\n");
    one.check(&[("lrange k 0 -1", "*3|$1|1|$1|2|$1|3"), ("ttl k", ":-1")]);
    assert_eq!(
        one.send(&[b"restore", &b"k"[..], b"0", LIST]),
        "-BUSYKEY Target key name already exists.\r\n"
    );
    assert_eq!(one.send(&[b"restore", &b"k"[..], b"5000", LIST, b"replace"]), "+OK\r\n");
    one.check(&[("pttl k", ":5000")]);
    for (args, reply) in [
        ([&b"-1"[..], LIST, b"replace", b"absttl"], "-ERR Invalid TTL value, must be >= 0\r\n"),
        ([&b"0"[..], LIST, b"replace", b"more"], "-ERR syntax error\r\n"),
        ([&b"1"[..], LIST, b"replace", b"absttl"], "+OK\r\n"),
    ] {
        let all = [&[b"restore", &b"k"[..]][..], &args[..]].concat();
        assert_eq!(one.send(&all), reply);
    }
    one.check(&[("exists k", ":0")]);
}

#[test]
fn payloads_that_are_cut_or_changed_are_refused_without_a_panic() {
    let mut one = One::<V2>::new();
    for cut in 0..LIST.len() {
        let reply = one.send(&[b"restore", &b"k"[..], b"0", &LIST[..cut]]);
        assert!(reply.starts_with("-ERR "), "{cut}: {reply}");
    }
    for (make, _) in requests() {
        one.send(&make);
        let payload = one.server.ask(one.client, &encode(&["dump", "k"]));
        one.send(&["del", "k"]);
        let body = content(&payload);
        for at in (0..body.len()).step_by(body.len() / 60 + 1) {
            let mut changed = body.to_vec();
            changed[at] ^= 0x55;
            // Without a checksum, as Redis itself may be told to write them: the content is read.
            let len = changed.len();
            changed[len - 8..].fill(0);
            one.send(&[b"restore", &b"r"[..], b"0", &changed, b"replace"]);
        }
    }
    assert!(one.server.panics().is_empty(), "{:?}", one.server.panics());
    assert!(one.server.self_test().is_ok());
}

/// What Redis answers to a request of its first client.
fn ask(redis: &mut Redis, args: &[Vec<u8>]) -> Vec<u8> {
    redis.send(0, &encode(args));
    redis.sync();
    redis.read_until(0, |reply| reply.ends_with(b"\r\n"))
}

#[test]
fn redis_takes_our_payloads_and_we_take_those_of_redis() {
    let Some(mut redis) = Redis::start() else {
        println!("skipped: no redis-server");
        return;
    };
    redis.renew(1);
    let mut one = One::<V2>::new();
    let client = one.client;
    let bytes = |args: &[&[u8]]| args.iter().map(|arg| arg.to_vec()).collect::<Vec<_>>();
    for limits in [512, 0] {
        // With limits of 0 Redis writes its large forms.
        for name in
            ["hash-max-listpack-entries", "zset-max-listpack-entries", "set-max-intset-entries"]
        {
            ask(&mut redis, &words(&format!("config set {name} {limits}")));
        }
        for (make, show) in requests() {
            let line = String::from_utf8_lossy(&make.join(&b' ')[..]).into_owned();
            let line = &line[..line.len().min(60)];
            one.send(&make);
            let shown = one.server.ask(client, &encode(&words(show)));
            let ours = one.server.ask(client, &encode(&["dump", "k"]));
            let restore = bytes(&[b"restore", b"k", b"0", content(&ours), b"replace"]);
            assert_eq!(ask(&mut redis, &restore), b"+OK\r\n", "{line}");
            assert!(ask(&mut redis, &words(show)) == shown, "Redis shows ours otherwise: {line}");
            ask(&mut redis, &words("del k"));
            ask(&mut redis, &make);
            let theirs = ask(&mut redis, &words("dump k"));
            let restore = bytes(&[b"restore", b"k", b"0", content(&theirs), b"replace"]);
            assert_eq!(one.send(&restore), "+OK\r\n", "{line}");
            let again = one.server.ask(client, &encode(&words(show)));
            assert!(again == shown, "we show theirs otherwise: {line}");
            one.send(&["del", "k"]);
            ask(&mut redis, &words("del k"));
        }
    }
}

#[test]
fn a_payload_of_a_newer_format_is_refused_by_the_older_version() {
    let mut new = One::<V2>::new();
    new.send(&["set", "k", "v"]);
    let payload = new.server.ask(new.client, &encode(&["dump", "k"]));
    let mut old = One::<V1>::new();
    assert_eq!(
        old.send(&[b"restore", &b"k"[..], b"0", content(&payload)]),
        "-ERR DUMP payload version or checksum are wrong\r\n"
    );
    old.send(&["set", "k", "v"]);
    let payload = old.server.ask(old.client, &encode(&["dump", "k"]));
    assert_eq!(new.send(&[b"restore", &b"r"[..], b"0", content(&payload)]), "+OK\r\n");
    new.check(&[("get r", "$1|v"), ("dump none", "$-1")]);
}

/// Requests that make a stream at `k` with all that a stream can have: entries of one and of several
/// shapes, holes, full and new blocks, groups that have read some of it, what is pending with whom.
fn stream_requests() -> Vec<Vec<Vec<u8>>> {
    let mut all: Vec<String> = Vec::new();
    for n in 1..=250 {
        all.push(match n % 7 {
            0 => format!("xadd k {n}-{n} other {n} more text"),
            1 => format!("xadd k {n}-0 temp {n} place -{n}000000"),
            _ => format!("xadd k {n}-5 temp {n}.5 place {}", "x".repeat(n)),
        });
    }
    all.push("xadd k 18446744073709551615-18446744073709551614 last one".to_owned());
    all.extend(
        ["xdel k 3-5 100-5 250-5", "xgroup create k none 0", "xgroup create k some 0"]
            .map(String::from),
    );
    all.push("xreadgroup group some alice count 20 streams k >".to_owned());
    all.push("xreadgroup group some bob count 5 streams k >".to_owned());
    all.push("xack k some 1-0 2-5".to_owned());
    all.push("xclaim k some alice 0 21-21 22-0 time 1000 retrycount 7".to_owned());
    all.push("xgroup createconsumer k some idler".to_owned());
    all.push("xgroup create k end $".to_owned());
    all.iter().map(|line| words(line)).collect()
}

const STREAM_SHOWS: &[&str] = &[
    "xlen k",
    "xrange k - +",
    "xrevrange k + - count 3",
    "xinfo groups k",
    "xpending k some",
    "xpending k some - + 100",
    "xreadgroup group some alice streams k 0",
    "xadd k 18446744073709551615-1 f v",
    "xread count 2 streams k 120-0",
];

/// Without what depends on the clock: of two integers in a row, idle time and deliveries, the first.
fn without_idle_times(reply: &[u8]) -> String {
    let text = String::from_utf8_lossy(reply).into_owned();
    let lines: Vec<&str> = text.split("\r\n").collect();
    let both = |n: usize| lines[n..].iter().take(2).filter(|line| line.starts_with(':')).count();
    let kept = (0..lines.len()).filter(|&n| both(n) < 2).map(|n| lines[n]);
    kept.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_stream_comes_back_with_its_groups_and_what_is_pending() {
    let mut one = One::<V2>::new();
    for request in stream_requests() {
        let reply = one.send(&request);
        assert!(!reply.starts_with('-'), "{reply}");
    }
    let client = one.client;
    let shown = |one: &mut One<V2>| -> Vec<Vec<u8>> {
        STREAM_SHOWS.iter().map(|show| one.server.ask(client, &encode(&words(show)))).collect()
    };
    let payload = one.server.ask(client, &encode(&["dump", "k"]));
    let before = shown(&mut one);
    one.send(&["del", "k"]);
    assert_eq!(one.send(&[b"restore", &b"k"[..], b"0", content(&payload)]), "+OK\r\n");
    for (show, (before, after)) in STREAM_SHOWS.iter().zip(before.iter().zip(shown(&mut one))) {
        assert_eq!(common::text(before.clone()), common::text(after), "{show}");
    }
    assert!(one.server.self_test().is_ok());
}

#[test]
fn streams_go_to_redis_and_come_from_it() {
    let Some(mut redis) = Redis::start() else {
        println!("skipped: no redis-server");
        return;
    };
    redis.renew(1);
    let mut one = One::<V2>::new();
    let client = one.client;
    let bytes = |args: &[&[u8]]| args.iter().map(|arg| arg.to_vec()).collect::<Vec<_>>();
    for request in stream_requests() {
        one.send(&request);
        ask(&mut redis, &request);
    }
    let ours = one.server.ask(client, &encode(&["dump", "k"]));
    let theirs = ask(&mut redis, &words("dump k"));
    let restore = |payload: &[u8]| bytes(&[b"restore", b"k", b"0", payload, b"replace"]);
    assert_eq!(ask(&mut redis, &restore(content(&ours))), b"+OK\r\n");
    assert_eq!(one.send(&restore(content(&theirs))), "+OK\r\n");
    for show in STREAM_SHOWS {
        let ours = one.server.ask(client, &encode(&words(show)));
        let theirs = ask(&mut redis, &words(show));
        assert_eq!(without_idle_times(&ours), without_idle_times(&theirs), "{show}");
    }
}

/// A few requests that fill a stream at `k`, whose nodes hold three entries, and cut holes into it.
fn holed_stream(random: &mut impl FnMut(u64) -> u64) -> Vec<String> {
    let (mut all, mut newest) = (Vec::new(), 0);
    for _ in 0..8 + random(20) {
        let any = 1 + random(newest + 1);
        all.push(match random(8) {
            0 => format!("xdel k {any}-1"),
            1 => format!("xdel k {newest}-1 {any}-1"),
            2 => format!("xtrim k minid {any}-1"),
            3 => format!("xtrim k maxlen {}", random(8)),
            4 => "xgroup create k g 0 mkstream".to_owned(),
            5 => "xreadgroup group g c count 2 streams k >".to_owned(),
            _ => {
                newest += 1;
                format!("xadd k {newest}-1 f{} v", random(2))
            }
        });
    }
    all.push(format!("xadd k {}-1 f v", newest + 1));
    all
}

/// What a stream does next shows where its nodes begin and end, and what was removed from them.
fn uses_of_holed_stream(random: &mut impl FnMut(u64) -> u64) -> Vec<String> {
    let mut all: Vec<String> =
        ["xrange k - +", "xinfo groups k", "xpending k g"].map(String::from).into();
    for n in 0..6 {
        let id = random(12);
        all.push(match random(3) {
            0 => format!("xtrim k minid ~ {id}"),
            1 => format!("xtrim k maxlen ~ {id}"),
            _ => format!("xadd k {}-1 f v", 100 + n),
        });
        all.push("xinfo stream k".to_owned());
    }
    all
}

#[test]
fn a_stream_with_holes_goes_on_as_at_redis_wherever_it_came_from() {
    let Some(mut redis) = Redis::start() else {
        println!("skipped: no redis-server");
        return;
    };
    let bytes = |args: &[&[u8]]| args.iter().map(|arg| arg.to_vec()).collect::<Vec<_>>();
    for seed in 1..=200 {
        redis.renew(1);
        ask(&mut redis, &words("config set stream-node-max-entries 3"));
        let mut state: u64 = seed;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        let [mut kept, mut moved, mut taken] = [(); 3].map(|()| {
            let mut one = One::<V2>::new();
            one.ask("config set stream-node-max-entries 3");
            one
        });
        let requests = holed_stream(&mut random);
        for request in &requests {
            kept.send(&words(request));
            ask(&mut redis, &words(request));
        }
        let restore =
            |payload: &[u8]| bytes(&[b"restore", b"k", b"0", content(payload), b"replace"]);
        let ours = kept.server.ask(kept.client, &encode(&["dump", "k"]));
        let theirs = ask(&mut redis, &words("dump k"));
        assert_eq!(moved.send(&restore(&ours)), "+OK\r\n", "seed {seed}");
        assert_eq!(taken.send(&restore(&theirs)), "+OK\r\n", "seed {seed}");
        let uses = uses_of_holed_stream(&mut random);
        let wanted: Vec<String> =
            uses.iter().map(|line| common::text(ask(&mut redis, &words(line)))).collect();
        ask(&mut redis, &restore(&ours));
        for (line, wanted) in uses.iter().zip(&wanted) {
            let given = common::text(ask(&mut redis, &words(line)));
            assert_eq!(
                given, *wanted,
                "Redis, given ours: seed {seed}, {line} after {requests:#?}"
            );
            for (whose, one) in [("kept", &mut kept), ("ours", &mut moved), ("theirs", &mut taken)]
            {
                let reply = one.ask(line);
                assert_eq!(reply, *wanted, "{whose}: seed {seed}, {line} after {requests:#?}");
            }
        }
    }
}
