//! Goal: programs with the Rust crate `redis` do not notice that kv is not Redis, nor that its code is
//! replaced. Method: the ways the crate has of talking to a server, alone and through swaps.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use hotshell_tests::poll::eventually;
use hotshell_tests::{Host, kv_v1, kv_v2};
use redis::{Cmd, Commands, Connection, FromRedisValue, PushInfo, PushKind, RedisResult, Value};

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
    /// Commands of streams that Redis 4 does not know, and that were asked again.
    unknown: &'a AtomicU64,
    /// How often the client that tracks was told that all is gone.
    all_gone: &'a AtomicU64,
}

/// Programs that go on in any version, and the one with streams, which waits while Redis 4 serves.
const ALWAYS: usize = 6;
const GROUP: usize = ALWAYS;

/// An entry as the reply has it: its id, then fields and values.
type Entry = (String, (String, u64));
/// What XREADGROUP answers: each stream with its entries.
type Streams = Vec<(String, Vec<Entry>)>;

/// What a client that tracks keeps, and what it hears.
struct Tracker {
    con: Connection,
    pushes: mpsc::Receiver<PushInfo>,
}

impl Tracker {
    fn new(host: &Host) -> Self {
        let mut con = connection(host, "resp3");
        let (sender, pushes) = mpsc::channel();
        con.set_push_sender(sender);
        redis::cmd("CLIENT").arg(&["TRACKING", "ON"]).exec(&mut con).expect("OK");
        Self { con, pushes }
    }

    /// What came so far: keys, `None` for all of them. A PING is answered behind it.
    fn heard(&mut self) -> Vec<Option<String>> {
        redis::cmd("PING").exec(&mut self.con).expect("PONG");
        let mut all = Vec::new();
        for push in self.pushes.try_iter() {
            assert_eq!((&push.kind, push.data.len()), (&PushKind::Invalidate, 1), "{push:?}");
            match Option::<Vec<String>>::from_redis_value_ref(&push.data[0]).expect("keys") {
                Some(keys) => all.extend(keys.into_iter().map(Some)),
                None => all.push(None),
            }
        }
        all
    }
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

    /// A cache of one key: whoever keeps a copy of it has heard of a change before the next reply.
    fn tracking(&self, place: usize) {
        let (mut writer, mut tracker) = (self.connect(), Tracker::new(self.host));
        self.go_on(place, |n| {
            let kept: Option<u64> = tracker.con.get("kept").expect("a number");
            assert_eq!(kept, (n > 1).then(|| n - 1));
            let _: () = writer.set("kept", n).expect("OK");
            let heard = tracker.heard();
            let gone = heard.iter().filter(|key| key.is_none()).count();
            self.all_gone.fetch_add(gone as u64, Ordering::SeqCst);
            // A swap between the two tells of all keys, and nothing is kept then.
            let told = heard.iter().flatten().collect::<Vec<_>>();
            assert!(told == ["kept"] || (told.is_empty() && gone > 0), "{heard:?}");
        });
    }

    /// Asks until it is answered: Redis 4 knows no command of streams, and says so without having done
    /// anything.
    fn until_known<T: FromRedisValue>(&self, con: &mut Connection, command: &Cmd) -> T {
        loop {
            match command.query(con) {
                Ok(reply) => return reply,
                Err(refused) if refused.to_string().contains("unknown command") => {
                    self.unknown.fetch_add(1, Ordering::SeqCst);
                }
                Err(other) => panic!("{other}"),
            }
            assert!(!self.over.load(Ordering::SeqCst), "it ends while version 2 serves");
        }
    }

    /// Every entry reaches the group once: most the consumer that waits for it, every third is left by
    /// it and claimed by another; each is acknowledged once.
    fn group(&self, place: usize) {
        let (mut adding, mut reading, mut claiming) =
            (self.connect(), self.connect(), self.connect());
        let words = |line: &str| {
            let mut words = line.split(' ');
            let mut command = redis::cmd(words.next().expect("a name"));
            command.arg(words.collect::<Vec<_>>());
            command
        };
        let read = words("XREADGROUP GROUP workers one COUNT 2 BLOCK 30000 STREAMS orders >");
        let claim = words("XAUTOCLAIM orders workers two 0 - COUNT 2");
        let create = words("XGROUP CREATE orders workers 0 MKSTREAM");
        self.until_known::<()>(&mut adding, &create);
        self.go_on(place, |n| {
            let (id, streams) = std::thread::scope(|scope| {
                let read = scope.spawn(|| self.until_known::<Streams>(&mut reading, &read));
                let add = words(&format!("XADD orders * n {n}"));
                let id: String = self.until_known(&mut adding, &add);
                (id, read.join().expect("no panic"))
            });
            let entry = (id.clone(), ("n".to_owned(), n));
            assert_eq!(streams, [("orders".to_owned(), vec![entry.clone()])]);
            let mut holder = &mut reading;
            if n.is_multiple_of(3) {
                let claimed: (String, Vec<Entry>, Vec<String>) =
                    self.until_known(&mut claiming, &claim);
                assert_eq!(claimed, ("0-0".to_owned(), vec![entry], vec![]));
                holder = &mut claiming;
            }
            let acknowledge = words(&format!("XACK orders workers {id}"));
            assert_eq!(self.until_known::<u64>(holder, &acknowledge), 1);
            assert_eq!(self.until_known::<u64>(holder, &acknowledge), 0, "once");
        });
    }
}

#[test]
fn programs_with_the_redis_crate_go_on_through_swaps_there_and_back() {
    let host = Host::start(kv_v1());
    let (over, counts) = (AtomicBool::new(false), [const { AtomicU64::new(0) }; ALWAYS + 1]);
    let (unknown, all_gone) = (AtomicU64::new(0), AtomicU64::new(0));
    let going =
        Going { host: &host, over: &over, counts: &counts, unknown: &unknown, all_gone: &all_gone };
    let mut old = connection(&host, "resp2");
    let seen = || counts.each_ref().map(|count| count.load(Ordering::SeqCst));
    std::thread::scope(|scope| {
        let _end = End(&over);
        // Version 1 has no CLIENT TRACKING to begin with.
        host.swap(kv_v2());
        scope.spawn(|| going.pipelines(0));
        scope.spawn(|| going.transactions(1));
        scope.spawn(|| going.transactions(2));
        scope.spawn(|| going.publishing(3));
        scope.spawn(|| going.waiting(4));
        scope.spawn(|| going.tracking(5));
        scope.spawn(|| going.group(GROUP));
        let went_on = |programs: usize| {
            let before = seen();
            eventually("all of them go on", || {
                let mut both = seen().into_iter().zip(before).take(programs);
                both.all(|(now, then)| now > then + 3)
            });
        };
        went_on(GROUP + 1);
        let mut tracker = Tracker::new(&host);
        for turn in 1..=3 {
            host.json(&["reload"]);
            went_on(GROUP + 1);
            assert_eq!(tracker.heard(), [None; 0], "the same version keeps all keys");
            let gone_before = all_gone.load(Ordering::SeqCst);
            let id: String = redis::cmd("XADD")
                .arg(&["events", "*", "turn", "x"])
                .query(&mut old)
                .expect("an id");
            assert!(id.contains('-'), "{id}");
            assert_eq!(redis::cmd("XLEN").arg("events").query(&mut old), Ok(turn));
            let told = vec![Some("events".to_owned()); usize::from(turn > 1)];
            assert_eq!(tracker.heard(), told, "it asked for the stream after the last swap");
            assert_eq!(redis::cmd("XLEN").arg("events").query(&mut tracker.con), Ok(turn));
            let mut new = connection(&host, "resp3");
            assert_eq!(new.get_del::<_, Option<u64>>("none"), Ok(None));
            host.swap(kv_v1());
            let refused_before = unknown.load(Ordering::SeqCst);
            went_on(ALWAYS);
            let refused: RedisResult<i64> = redis::cmd("XLEN").arg("events").query(&mut old);
            assert!(refused.is_err(), "Redis 4 has no streams");
            // The stream was set aside: who kept a copy of it must not go on with that.
            assert_eq!(tracker.heard(), [None]);
            assert_eq!(tracker.con.exists("events"), Ok(false));
            eventually("the group hears that there are no streams", || {
                unknown.load(Ordering::SeqCst) > refused_before
            });
            let group_before = seen()[GROUP];
            went_on(ALWAYS);
            assert_eq!(seen()[GROUP], group_before, "no entry comes while streams are aside");
            host.swap(kv_v2());
            assert_eq!(tracker.heard(), [None], "and there it is again");
            assert_eq!(tracker.con.exists("events"), Ok(true));
            went_on(GROUP + 1);
            assert_eq!(all_gone.load(Ordering::SeqCst), gone_before + 2);
        }
    });
    let counted = seen()[1] + seen()[2];
    assert_eq!(old.get::<_, u64>("counted"), Ok(counted));
    let added = seen()[GROUP];
    assert_eq!(redis::cmd("XLEN").arg("orders").query(&mut old), Ok(added));
    let pending: (u64, Value, Value, Value) =
        redis::cmd("XPENDING").arg(&["orders", "workers"]).query(&mut old).expect("a summary");
    assert_eq!(pending, (0, Value::Nil, Value::Nil, Value::Nil), "all is acknowledged");
    let groups: Vec<HashMap<String, Value>> =
        redis::cmd("XINFO").arg(&["GROUPS", "orders"]).query(&mut old).expect("groups");
    let number = |field: &str| groups[0][field].clone();
    assert_eq!(
        (number("entries-read"), number("lag")),
        (Value::Int(added as i64), Value::Int(0)),
        "all was read once"
    );
    assert_eq!((host.status("swaps"), host.status("panics"), host.status("failed")), (10, 0, 0));
}
