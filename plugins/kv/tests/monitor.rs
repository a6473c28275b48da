//! Goal: MONITOR shows what Redis shows, in its order, and no passwords. Method: kv and a redis-server are
//! sent the same by one client while another one watches; times and addresses are left out.

mod common;
#[allow(dead_code, reason = "the differential test uses the rest")]
mod peer;

use common::{One, V1, V2, encode, text};
use hotshell_plugin_api::plugin::Plugin;
use peer::Redis;

const REQUESTS: &str = "\
set k v;SET k a\"b\\c\u{7}\u{8}\té;get k;multi;incr n;exec;multi;get k;discard;auth secret;config set requirepass x;\
config set requirepass ;config get port;config help;select 3;get k;nosuch a;get;eval return 0;client list;\
client setname me;client getname;client id;client nosuch;client kill id 999999;debug object k;migrate h 1 nokey 0 1;\
acl whoami;acl setuser bob;acl cat;cluster info;cluster reset;slowlog len;slowlog help;latency latest;memory usage k;\
script exists a;function list;object encoding k;pubsub numpat;swapdb 0 1;blpop none 1000000;";

/// Each with its database.
fn lines(shown: &[u8]) -> Vec<String> {
    let line = |line: &str| {
        let (_, line) = line.split_once(" [")?;
        let (db, rest) = line.split_once(' ')?;
        rest.split_once("] ").map(|(_, args)| format!("{db} {args}"))
    };
    String::from_utf8_lossy(shown).lines().filter_map(line).collect()
}

fn compare<P: Plugin>(mut redis: Redis, more: &[&str], left_out: &[&str]) {
    redis.renew(2);
    let mut one = One::<P>::new();
    let watcher = one.server.connect();
    assert_eq!(text(one.server.ask(watcher, &encode(&["monitor"]))), "+OK\r\n");
    redis.send(1, &encode(&["monitor"]));
    redis.sync();
    assert!(text(redis.read_until(1, |shown| !shown.is_empty())).starts_with("+OK\r\n"));
    let requests = more.iter().copied().chain(REQUESTS.split(';').filter(|line| !line.is_empty()));
    for line in requests.filter(|line| !left_out.iter().any(|name| line.starts_with(name))) {
        let request = encode(&line.split(' ').collect::<Vec<_>>());
        one.server.feed(one.client, &request);
        redis.send(0, &request);
        redis.sync();
        let ours = lines(&one.server.read(watcher));
        let own = |shown: &[u8]| {
            let mut lines = lines(shown);
            // What the test itself sends to know that all is answered.
            lines.retain(|line| {
                !line.ends_with(" \"PING\"") && !line.ends_with("\"DEBUG\" \"DIGEST\"")
            });
            lines
        };
        let theirs = own(&redis.read_until(1, |shown| own(shown) == ours));
        assert_eq!(ours, theirs, "{line}");
        assert!(!ours.concat().contains("secret"), "{ours:?}");
    }
}

#[test]
fn a_monitor_sees_what_one_of_redis_7_sees() {
    let Some(redis) = Redis::start() else { return println!("skipped: no redis-server") };
    let more = [
        "hello 2 auth default secret setname x",
        "hello 3 setname x",
        "hello 2",
        "auth default secret",
        "migrate h 1 nokey 0 1 auth secret",
        "migrate h 1 nokey 0 1 auth2 default secret",
    ];
    compare::<V2>(redis, &more, &[]);
}

/// Debian has no such server any more, so this runs where one was built: `HOTSHELL_REDIS_4` is its path.
#[test]
fn a_monitor_sees_what_one_of_redis_4_sees() {
    let Some(redis) = Redis::start_4() else {
        return println!("skipped: HOTSHELL_REDIS_4 is not set: the path of a redis-server 4.0");
    };
    // It shows passwords; and its other clients have to tell the one that is set.
    compare::<V1>(redis, &[], &["auth", "config set requirepass"]);
}

#[test]
fn no_password_is_shown_or_in_the_slow_log() {
    fn check<P: Plugin>() {
        let mut one = One::<P>::new();
        let watcher = one.server.connect();
        one.server.ask(watcher, &encode(&["monitor"]));
        one.ask("config set slowlog-log-slower-than 0");
        one.ask("auth secret");
        one.ask("config set requirepass secret");
        one.ask("config set requirepass \"\"");
        let shown = text(one.server.read(watcher));
        assert!(shown.contains("\"auth\" \"(redacted)\"") && !shown.contains("secret"), "{shown}");
        let slow = one.ask("slowlog get 10");
        assert!(slow.contains("(redacted)") && !slow.contains("secret"), "{slow}");
    }
    check::<V1>();
    check::<V2>();
}
