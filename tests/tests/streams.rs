//! Goal: version 2 of kv adds a type of value, and both ways across that change keep what each version
//! can hold. Method: a real host, clients through sockets, versions swapped to and fro.

use hotshell_tests::files::Folder;
use hotshell_tests::host::text;
use hotshell_tests::resp::request;
use hotshell_tests::{Host, Resp, Value, eventually, kv_v1, kv_v2};

fn ask(client: &mut Resp, line: &str) -> Value {
    client.call(&line.split(' ').collect::<Vec<_>>())
}

fn int(n: i64) -> Value {
    Value::Int(n)
}

/// All texts and numbers of a reply, in order.
fn flat(value: &Value) -> String {
    match value {
        Value::Array(all) => all.iter().map(flat).collect::<Vec<_>>().join(" "),
        Value::Int(n) => n.to_string(),
        other => other.text(),
    }
}

#[test]
fn streams_wait_aside_while_version_1_serves_and_are_there_again_with_version_2() {
    let host = Host::start(kv_v1());
    let (mut client, mut waiter) = (host.resp(), host.resp());
    ask(&mut client, "set old v");
    assert_eq!(host.swap(kv_v2())["migration"], "by-name");
    assert_eq!(ask(&mut client, "xadd s 1-1 f v").text(), "1-1");
    ask(&mut client, "xadd s 2-1 f w");
    assert_eq!(ask(&mut client, "xadd t 3-1 g x").text(), "3-1");
    ask(&mut client, "xgroup create s group 0");
    ask(&mut client, "xreadgroup group group one count 1 streams s >");
    waiter.send(request(&["xread", "block", "0", "streams", "s", "$"]));
    eventually("the reader waits", || ask(&mut client, "client list").text().contains("cmd=xread"));

    let back = host.json(&["rollback"]);
    assert_eq!((&back["migration"], &back["set_aside"]), (&"by-name".into(), &2.into()), "{back}");
    assert_eq!(host.status("set_aside"), 2);
    assert_eq!(
        ask(&mut client, "exists s t old"),
        int(1),
        "what version 1 cannot hold is not seen"
    );
    assert_eq!(ask(&mut client, "dbsize"), int(1));
    ask(&mut client, "set t taken");
    ask(&mut client, "rpush s element");
    ask(&mut client, "del s");
    ask(&mut client, "set new w");

    host.json(&["use", "2"]);
    assert_eq!(ask(&mut client, "type s").text(), "stream");
    assert_eq!(ask(&mut client, "get t").text(), "taken", "what a client wrote meanwhile counts");
    host.logs(
        "what was set aside cannot return, since something newer is in its place: exported to",
    );
    assert_eq!(host.status("overtaken"), 1);
    let file = host.json(&["status"])["overtaken_file"].as_str().expect("a path").to_owned();
    let lines = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let line: serde_json::Value = serde_json::from_str(&lines).expect("one line of JSON");
    assert_eq!(line["path"], r#"state.dbs[0].keys["t"]"#);
    assert_eq!((&line["server"], &line["type"]), (&"main".into(), &"Value".into()));
    assert!(line["value"]["Stream"].is_array(), "with all that was in it: {line}");
    assert_eq!(ask(&mut client, "xlen s"), int(2));
    let pending = flat(&ask(&mut client, "xpending s group - + 10"));
    assert!(pending.starts_with("1-1 one "), "the group's state is there: {pending}");
    assert_eq!(ask(&mut client, "get new").text(), "w");
    ask(&mut client, "xadd s 5-1 f late");
    assert_eq!(flat(&waiter.read()), "s 5-1 f late", "who waited through both swaps is served");
    assert_eq!(host.status("set_aside"), 0);
}

#[test]
fn a_large_keyspace_is_taken_over_as_it_is_and_goes_back_in_slices() {
    const KEYS: usize = 20_000;
    let host = Host::start(kv_v1());
    let mut client = host.resp();
    let fill: Vec<u8> =
        (0..KEYS).flat_map(|n| request(&["set", &format!("key:{n}"), &n.to_string()])).collect();
    client.send(fill);
    (0..KEYS).for_each(|_| assert_eq!(client.read().text(), "OK"));
    host.swap(kv_v2());
    assert_eq!(host.status("draining"), 0, "values of version 1 are values of version 2");
    // So many that they return one by one, with a drain.
    const STREAMS: usize = 500;
    for n in 0..STREAMS {
        ask(&mut client, &format!("xadd stream:{n} {n}-1 f v"));
    }
    host.json(&["rollback"]);
    for n in (0..KEYS).step_by(487) {
        assert_eq!(ask(&mut client, &format!("get key:{n}")).text(), n.to_string());
    }
    assert_eq!(ask(&mut client, "exists stream:0 stream:4"), int(0));
    eventually("all keys have followed", || host.status("draining") == 0);
    assert_eq!(ask(&mut client, "dbsize"), int(KEYS as i64));
    assert_eq!(host.status("set_aside"), STREAMS as u64);
    host.json(&["use", "2"]);
    assert_eq!(ask(&mut client, "dbsize"), int((KEYS + STREAMS) as i64));
    for n in (0..STREAMS).step_by(7) {
        assert_eq!(ask(&mut client, &format!("xlen stream:{n}")), int(1), "stream {n}");
    }
    assert_eq!(host.status("set_aside"), 0);
    // Back and forth once more, without waiting for anything.
    host.json(&["rollback"]);
    assert_eq!(ask(&mut client, "exists stream:0 stream:499"), int(0));
    host.json(&["use", "2"]);
    assert_eq!(ask(&mut client, "exists stream:0 stream:499 key:1"), int(3));
    eventually("all have returned", || host.status("draining") == 0);
    assert_eq!(ask(&mut client, "dbsize"), int((KEYS + STREAMS) as i64));
    assert_eq!(host.status("set_aside"), 0);
}

#[test]
fn what_version_1_clears_does_not_come_back_with_version_2() {
    // A few streams are set aside at once, many while the drain finds them.
    for streams in [3, 20_000] {
        let host = Host::with(kv_v1()).flags(&["--probation", "0"]).start();
        let mut client = host.resp();
        host.swap(kv_v2());
        let add = |n: usize| request(&["xadd", &format!("stream:{n}"), "1-1", "f", "v"]);
        let fill: Vec<u8> = (0..streams).flat_map(add).collect();
        client.send(&fill);
        (0..streams).for_each(|_| assert_eq!(client.read().text(), "1-1"));
        host.json(&["rollback"]);
        assert_eq!(ask(&mut client, "flushall").text(), "OK");
        ask(&mut client, "set after v");
        eventually("all has followed", || host.status("draining") == 0);
        assert_eq!(host.status("set_aside"), 0, "of {streams} streams");
        host.json(&["use", "2"]);
        assert_eq!(ask(&mut client, "dbsize"), int(1), "{streams} streams were cleared");
        assert_eq!(ask(&mut client, "get after").text(), "v");
    }
}

#[test]
fn a_database_that_version_1_empties_takes_only_its_own_streams_along() {
    // A small database is dropped at once, a large one is taken out and freed in slices.
    for keys in [10, 20_000] {
        let host = Host::with(kv_v1()).flags(&["--probation", "0"]).start();
        let mut client = host.resp();
        host.swap(kv_v2());
        for (db, key) in [(0, "zero"), (1, "one")] {
            assert_eq!(ask(&mut client, &format!("select {db}")).text(), "OK");
            assert_eq!(ask(&mut client, &format!("xadd {key} 1-1 f v")).text(), "1-1");
            let fill: Vec<u8> =
                (0..keys).flat_map(|n| request(&["set", &format!("key:{n}"), "v"])).collect();
            client.send(&fill);
            (0..keys).for_each(|_| assert_eq!(client.read().text(), "OK"));
        }
        host.json(&["rollback"]);
        eventually("all has followed", || host.status("draining") == 0);
        assert_eq!(host.status("set_aside"), 2, "of {keys} keys");
        assert_eq!(ask(&mut client, "select 0").text(), "OK");
        assert_eq!(ask(&mut client, "flushdb").text(), "OK");
        host.json(&["use", "2"]);
        assert_eq!(ask(&mut client, "exists zero"), int(0), "it was cleared with its database");
        assert_eq!(ask(&mut client, "select 1").text(), "OK");
        assert_eq!(ask(&mut client, "xlen one"), int(1), "another database is not concerned");
        assert_eq!(host.status("set_aside"), 0);
    }
}

/// What is set aside knows its database also after a restart, from a snapshot or from the journal alone.
#[test]
fn a_database_that_is_emptied_after_a_restart_takes_only_its_own_streams_along() {
    for snapshot in [false, true] {
        let data = Folder::new();
        let path = data.at("data");
        let start = || {
            let host = Host::with(kv_v1()).flags(&["--probation", "0", "--data", text(&path)]);
            host.flags(&["--snapshot-every", "0", "--fsync", "always"]).start()
        };
        let mut host = start();
        host.swap(kv_v2());
        let mut client = host.resp();
        for (db, key) in [(0, "zero"), (1, "one")] {
            assert_eq!(ask(&mut client, &format!("select {db}")).text(), "OK");
            assert_eq!(ask(&mut client, &format!("xadd {key} 1-1 f v")).text(), "1-1");
            assert_eq!(ask(&mut client, "set text v").text(), "OK");
        }
        host.json(&["rollback"]);
        eventually("all has followed", || host.status("draining") == 0);
        if snapshot {
            host.cli(&["snapshot"]).expect(0);
        }
        host.signal(libc::SIGKILL);
        host.wait();

        let host = start();
        let mut client = host.resp();
        assert_eq!(host.status("set_aside"), 2, "with a snapshot: {snapshot}");
        assert_eq!(ask(&mut client, "flushdb").text(), "OK");
        host.swap(kv_v2());
        assert_eq!(ask(&mut client, "exists zero"), int(0), "with a snapshot: {snapshot}");
        assert_eq!(ask(&mut client, "select 1").text(), "OK");
        assert_eq!((ask(&mut client, "xlen one"), host.status("set_aside")), (int(1), 0));
    }
}

#[test]
fn what_was_exported_is_not_exported_again_by_a_restart() {
    let data = Folder::new();
    let path = data.at("data");
    let start = || {
        let flags = ["--data", text(&path), "--fsync", "always", "--probation", "0"];
        Host::with(kv_v1()).flags(&flags).start()
    };
    let lines = |host: &Host| {
        let file = host.json(&["status"])["overtaken_file"].as_str().expect("a path").to_owned();
        std::fs::read_to_string(&file).unwrap_or_default()
    };
    let mut host = start();
    let mut client = host.resp();
    host.swap(kv_v2());
    for key in ["s", "t"] {
        ask(&mut client, &format!("xadd {key} 1-1 f v"));
    }
    host.json(&["rollback"]);
    for key in ["s", "t"] {
        ask(&mut client, &format!("set {key} taken"));
    }
    host.json(&["use", "2"]);
    eventually("both are exported", || lines(&host).lines().count() == 2);
    let places = |host: &Host| {
        let path = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            line["path"].as_str().expect("a path").to_owned()
        };
        let mut all: Vec<String> = lines(host).lines().map(path).collect();
        all.sort();
        all
    };
    let exported = places(&host);
    for round in 0..2 {
        // A crash may come before a line is on disk: that one is missing, the other is not.
        let (all, file) = (lines(&host), host.json(&["status"])["overtaken_file"].clone());
        let file = file.as_str().expect("a path");
        host.signal(libc::SIGKILL);
        host.wait();
        let kept = all.lines().nth(round).expect("two lines");
        std::fs::write(file, format!("{kept}\n")).expect("a disk");
        host = start();
        assert_eq!(host.status("overtaken"), 2, "the switches are repeated");
        assert_eq!(ask(&mut host.resp(), "get t").text(), "taken");
        eventually("the missing one is exported", || lines(&host).lines().count() == 2);
        assert_eq!(places(&host), exported, "round {round}");
    }
}
