//! Goal: programs with the Rust crate `redis` do not notice that kv is not Redis, nor that its code is
//! replaced. Method: the ways the crate has of talking to a server, alone and through swaps.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hotshell_tests::poll::eventually;
use hotshell_tests::{Host, kv_v1, kv_v2};
use redis::{Commands, Connection, RedisResult};

fn connection(host: &Host, protocol: &str) -> redis::Connection {
    let url = format!("redis://{}/?protocol={protocol}", host.addr());
    redis::Client::open(url).expect("a URL").get_connection().expect("it listens")
}

#[test]
fn the_redis_crate_reads_and_writes_in_both_protocols() {
    let host = Host::start(kv_v2());
    for protocol in ["resp2", "resp3"] {
        let mut con = connection(&host, protocol);
        redis::cmd("FLUSHALL").exec(&mut con).expect("OK");
        let _: () = con.set("n", 41).expect("OK");
        assert_eq!(con.incr::<_, _, i64>("n", 1), Ok(42));
        assert_eq!(con.get::<_, Option<String>>("none"), Ok(None));
        let _: () = con.hset_multiple("h", &[("a", 1), ("b", 2)]).expect("OK");
        let all: HashMap<String, i64> = con.hgetall("h").expect("a map");
        assert_eq!(all, HashMap::from([("a".into(), 1), ("b".into(), 2)]));
        let _: () = con.zadd_multiple("z", &[(1.5, "x"), (2.0, "y")]).expect("OK");
        let scored: Vec<(String, f64)> = con.zrange_withscores("z", 0, -1).expect("scores");
        assert_eq!(scored, [("x".into(), 1.5), ("y".into(), 2.0)]);
        let _: () = con.rpush("l", &["1", "2", "3"][..]).expect("OK");
        assert_eq!(con.lrange::<_, Vec<i64>>("l", 0, -1), Ok(vec![1, 2, 3]));
        let _: () = con.sadd("s", "member").expect("OK");
        assert_eq!(con.sismember::<_, _, bool>("s", "member"), Ok(true));
        let mut keys: Vec<String> = con.scan().expect("SCAN").map(|k| k.expect("a key")).collect();
        keys.sort();
        assert_eq!(keys, ["h", "l", "n", "s", "z"]);
        let wrong: RedisResult<i64> = con.lpush("n", 1);
        let error = wrong.expect_err("a string is no list");
        assert_eq!(error.code(), Some("WRONGTYPE"));
        let (a, b): (i64, i64) =
            redis::pipe().atomic().incr("n", 1).incr("n", 1).query(&mut con).expect("EXEC");
        assert_eq!((a, b), (43, 44));
    }
}

/// Ends what goes on, also when the test has failed.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What goes on while the code is replaced: each calls its step with 1, 2, 3, ... and checks the replies.
struct Going<'a> {
    host: &'a Host,
    over: &'a AtomicBool,
    counts: &'a [AtomicU64],
}

impl Going<'_> {
    fn connect(&self) -> Connection {
        connection(self.host, "resp2")
    }

    fn go_on(&self, place: usize, mut step: impl FnMut(u64)) {
        while !self.over.load(Ordering::SeqCst) {
            step(self.counts[place].load(Ordering::SeqCst) + 1);
            self.counts[place].fetch_add(1, Ordering::SeqCst);
        }
    }

    fn pipelines(&self, place: usize) {
        let mut con = self.connect();
        self.go_on(place, |n| {
            let mut pipe = redis::pipe();
            pipe.incr("piped", 1).rpush("pushed", n).lpop("pushed", None).set("text", n).ignore();
            let replies: (u64, u64, u64) = pipe.query(&mut con).expect("replies");
            assert_eq!(replies, (n, 1, n));
        });
    }

    /// With WATCH: some have to try again.
    fn transactions(&self, place: usize) {
        let mut con = self.connect();
        self.go_on(place, |_| {
            let counted: (u64,) = redis::transaction(&mut con, &["counted"], |con, pipe| {
                let before: Option<u64> = con.get("counted")?;
                pipe.set("counted", before.unwrap_or(0) + 1).ignore().get("counted").query(con)
            })
            .expect("it comes through");
            assert!(counted.0 > 0);
        });
    }

    fn publishing(&self, place: usize) {
        let (mut con, mut listener) = (self.connect(), self.connect());
        listener.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        let mut listener = listener.as_pubsub();
        listener.subscribe("news").expect("OK");
        listener.psubscribe("n*s").expect("OK");
        self.go_on(place, |n| {
            assert_eq!(con.publish::<_, _, i64>("news", n), Ok(2));
            for from_pattern in [false, true] {
                let message = listener.get_message().expect("it comes");
                assert_eq!(message.from_pattern(), from_pattern);
                assert_eq!(message.get_payload::<u64>().expect("a number"), n);
            }
        });
    }

    fn waiting(&self, place: usize) {
        let (mut pushing, mut popping) = (self.connect(), self.connect());
        // The crate would send seconds with a fraction, which Redis 4 refuses.
        let mut pop = redis::cmd("BLPOP");
        pop.arg("queue").arg(30);
        self.go_on(place, |n| {
            std::thread::scope(|scope| {
                let popped = scope.spawn(|| pop.query::<(String, u64)>(&mut popping));
                let _: i64 = pushing.rpush("queue", n).expect("OK");
                assert_eq!(popped.join().expect("no panic"), Ok(("queue".to_owned(), n)));
            });
        });
    }
}

#[test]
fn programs_with_the_redis_crate_go_on_through_swaps_there_and_back() {
    let host = Host::start(kv_v1());
    let (over, counts) = (AtomicBool::new(false), [const { AtomicU64::new(0) }; 5]);
    let going = Going { host: &host, over: &over, counts: &counts };
    let mut old = connection(&host, "resp2");
    let seen = || counts.each_ref().map(|count| count.load(Ordering::SeqCst));
    std::thread::scope(|scope| {
        let _end = End(&over);
        scope.spawn(|| going.pipelines(0));
        scope.spawn(|| going.transactions(1));
        scope.spawn(|| going.transactions(2));
        scope.spawn(|| going.publishing(3));
        scope.spawn(|| going.waiting(4));
        let all_went_on = || {
            let before = seen();
            eventually("all of them go on", || {
                seen().iter().zip(&before).all(|(now, then)| *now > then + 3)
            });
        };
        all_went_on();
        for turn in 1..=3 {
            host.swap(kv_v2());
            all_went_on();
            let id: String = redis::cmd("XADD")
                .arg(&["events", "*", "turn", "x"])
                .query(&mut old)
                .expect("an id");
            assert!(id.contains('-'), "{id}");
            assert_eq!(redis::cmd("XLEN").arg("events").query(&mut old), Ok(turn));
            let mut new = connection(&host, "resp3");
            assert_eq!(new.get_del::<_, Option<u64>>("none"), Ok(None));
            host.swap(kv_v1());
            all_went_on();
            let refused: RedisResult<i64> = redis::cmd("XLEN").arg("events").query(&mut old);
            assert!(refused.is_err(), "Redis 4 has no streams");
        }
    });
    let counted = seen()[1] + seen()[2];
    assert_eq!(old.get::<_, u64>("counted"), Ok(counted));
    assert_eq!((host.status("swaps"), host.status("panics"), host.status("failed")), (6, 0, 0));
}
