//! Goal: under `always` nobody is shown what is not on disk, whatever a sync does, and syncs are shared.
//! Method: hosts whose disk waits, takes its time and fails as the test says.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hotshell_tests::artifacts::plugin;
use hotshell_tests::eventually;
use hotshell_tests::files::Folder;
use hotshell_tests::host::{Host, text};
use hotshell_tests::resp::{Resp, Value, request};

/// A folder of data on a disk that obeys.
struct Disk(Folder);

impl Disk {
    fn new() -> Self {
        Self(Folder::new())
    }

    fn order(&self) -> PathBuf {
        self.0.at("order")
    }

    /// From now on syncs wait, fail, or take so many microseconds.
    fn does(&self, what: &str) {
        let new = self.0.write("order.new", what.as_bytes());
        std::fs::rename(new, self.order()).expect("renamed");
    }

    /// A host of kv that keeps its data there.
    fn host(&self) -> Host {
        let data = self.0.at("data");
        let host = Host::with(plugin("kv-v1")).flags(&["--data", text(&data), "--fsync", "always"]);
        let host = host.flags(&["--probation", "0"]).env("SLOW_DISK", self.order());
        host.env("LD_PRELOAD", plugin("slow-disk")).start()
    }
}

/// Waits until so many calls have been executed since the start: the last of them may not be counted yet
/// when its reply is there.
fn counted(host: &Host, calls: u64) {
    eventually("they are executed", || host.status("calls") == calls);
}

/// The same, with the journal behind.
fn executed(host: &Host, calls: u64) {
    counted(host, calls);
    let lag = host.json(&["status"])["journal"]["lag_bytes"].as_u64();
    assert!(lag.is_some_and(|bytes| bytes > 0), "the disk waits: {lag:?}");
}

#[test]
fn nobody_is_shown_what_is_not_on_disk_and_everybody_once_it_is() {
    let disk = Disk::new();
    let host = disk.host();
    let [mut writer, mut reader, mut listener, mut popper] = std::array::from_fn(|_| host.resp());
    listener.call(&["SUBSCRIBE", "news"]);
    popper.send(request(&["BLPOP", "queue", "0"]));
    writer.call(&["SET", "key", "old"]);
    counted(&host, 3);
    disk.does("wait");
    writer.send(request(&["SET", "key", "new"]));
    executed(&host, 4);
    reader.send(request(&["GET", "key"]));
    executed(&host, 5);
    // Each is called for with a sync in flight already.
    writer.send(request(&["PUBLISH", "news", "told"]));
    reader.send(request(&["LPUSH", "queue", "element"]));
    // With the one in which the popper goes on.
    executed(&host, 8);
    for client in [&mut writer, &mut reader, &mut listener, &mut popper] {
        assert!(client.is_silent());
    }
    disk.does("");
    assert_eq!(writer.read().text(), "OK");
    assert_eq!((writer.read(), listener.read().array()[2].text()), (Value::Int(1), "told".into()));
    assert_eq!((reader.read().text(), reader.read()), ("new".to_owned(), Value::Int(1)));
    assert_eq!(popper.read().array()[1].text(), "element");
}

#[test]
fn a_sync_that_fails_ends_the_host_before_anybody_is_answered() {
    let disk = Disk::new();
    let mut host = disk.host();
    let mut client = host.resp();
    client.call(&["SET", "key", "old"]);
    disk.does("fail");
    client.send(request(&["SET", "key", "new"]));
    assert_eq!(host.wait().code(), Some(1));
    assert!(client.try_call(&["PING"]).is_err(), "no answer");
    host.logs("ending, so that a restart finds what is on disk");
    disk.does("");
    let again = disk.host();
    let found = again.resp().call(&["GET", "key"]).text();
    assert!(["old", "new"].contains(&&*found), "{found}: the write was not acknowledged");
}

#[test]
fn those_who_ask_while_a_sync_runs_share_the_next_one() {
    const CLIENTS: usize = 20;
    const EACH: i64 = 40;
    let disk = Disk::new();
    let host = disk.host();
    let addr = host.addr();
    let syncs = || host.json(&["status"])["journal"]["syncs"].as_u64().expect("a number");
    // Longer, about as long, and shorter than what all of them need to ask again.
    for (round, us) in (1..).zip(["5000", "500", "50"]) {
        disk.does(us);
        let before = syncs();
        std::thread::scope(|scope| {
            for n in 0..CLIENTS {
                scope.spawn(move || {
                    let (mut client, key) = (Resp::connect(addr), format!("key-{n}"));
                    for i in 1..=EACH {
                        let known = (round - 1) * EACH + i;
                        assert_eq!(client.call(&["INCR", &key]), Value::Int(known));
                    }
                });
            }
        });
        let (taken, calls) = (syncs() - before, CLIENTS as u64 * EACH as u64);
        println!("{us} us: {calls} calls, {taken} syncs");
        let most = if us == "5000" { calls / 5 } else { calls };
        assert!(taken <= most, "{us} us: {calls} calls, {taken} syncs");
    }
}

/// Clients that were answered are waited for a little, so that they share the next sync.
#[test]
fn after_a_long_sync_nobody_waits_for_clients_that_do_not_ask_again() {
    let disk = Disk::new();
    let host = disk.host();
    let (mut silent, mut asks) = (host.resp(), host.resp());
    let took = (0..3).map(|round| {
        counted(&host, 2 * round);
        disk.does("wait");
        silent.send(request(&["INCR", "key"]));
        executed(&host, 2 * round + 1);
        eventually("it takes long", || host.json(&["status"])["journal"]["state"] == "slow");
        disk.does("");
        silent.read();
        let began = Instant::now();
        asks.call(&["PING"]);
        began.elapsed()
    });
    let took = took.min().expect("three of them");
    assert!(took < Duration::from_millis(250), "{took:?} after a sync of more than two seconds");
}

#[test]
fn a_switch_and_a_stop_come_while_a_sync_is_in_flight_and_lose_nothing() {
    let disk = Disk::new();
    let mut host = disk.host();
    let (mut before, mut after) = (host.resp(), host.resp());
    before.call(&["PING"]);
    after.call(&["PING"]);
    counted(&host, 2);
    disk.does("wait");
    before.send(request(&["SET", "before", "1"]));
    executed(&host, 3);
    host.swap(plugin("kv-v2"));
    after.send(request(&["COPY", "before", "after"]));
    executed(&host, 4);
    host.signal(libc::SIGTERM);
    host.logs("stopping");
    assert!(before.is_silent() && after.is_silent());
    disk.does("");
    assert_eq!((before.read().text(), after.read()), ("OK".to_owned(), Value::Int(1)));
    assert!(host.wait().success());
    let again = disk.host();
    assert_eq!(again.json(&["status"])["version"], "2.0.0");
    assert_eq!(again.resp().call(&["MGET", "before", "after"]).array().len(), 2);
    assert_eq!(again.resp().call(&["GET", "after"]).text(), "1");
}

#[test]
fn config_set_is_answered_when_it_is_on_disk_and_nobody_else_waits_for_that() {
    let disk = Disk::new();
    let mut host = disk.host();
    let [mut admin, mut other] = std::array::from_fn(|_| host.resp());
    admin.call(&["PING"]);
    counted(&host, 1);
    disk.does("wait for files");
    admin.send(request(&["CONFIG", "SET", "appendfsync", "no"]));
    counted(&host, 2);
    assert_eq!(other.call(&["SET", "key", "value"]).text(), "OK");
    assert!(admin.is_silent(), "it is not on disk");
    disk.does("as it does");
    assert_eq!(admin.read().text(), "OK");
    host.signal(libc::SIGKILL);
    host.wait();
    let host = disk.host();
    assert_eq!(host.resp().call(&["CONFIG", "GET", "appendfsync"]).array()[1].text(), "no");
}
