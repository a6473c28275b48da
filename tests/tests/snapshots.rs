//! Goal: a snapshot that was taken beside a busy server is, with the journal behind it, what was
//! acknowledged; under the version that took it and under others. Method: hosts on one data folder,
//! killed at any moment of it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hotshell_tests::artifacts::plugin;
use hotshell_tests::cli;
use hotshell_tests::eventually;
use hotshell_tests::files::Folder;
use hotshell_tests::host::{Host, text};
use hotshell_tests::resp::{Resp, Value, request};
use hotshell_tests::{Lines, hotshell};

fn host(package: &str, data: &Folder, flags: &[&str]) -> Host {
    let path = data.at("data");
    let host = Host::with(plugin(package)).flags(&["--data", text(&path)]);
    host.flags(&["--probation", "0"]).flags(flags).start()
}

fn kill(mut host: Host) {
    host.signal(libc::SIGKILL);
    host.wait();
}

/// Files of the server in the data folder with this ending.
fn files(data: &Folder, ending: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(data.at("data").join("main")).expect("the folder is there");
    let mut found: Vec<PathBuf> = all.map(|entry| entry.expect("readable").path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == ending));
    found.sort();
    found
}

/// Fills kv with values of every kind, and many of one.
fn fill(client: &mut Resp, keys: usize) {
    for words in [
        &["RPUSH", "list", "a", "b", "c"][..],
        &["SADD", "set", "x", "y"],
        &["ZADD", "scores", "1.5", "one", "2", "two"],
        &["HSET", "hash", "field", "value"],
        &["SET", "short", "2", "EX", "1000"],
        &["SELECT", "3"],
        &["SET", "in-three", "x"],
        &["SELECT", "0"],
    ] {
        client.call(words);
    }
    for from in (0..keys).step_by(500) {
        let (names, mut words) =
            ((from..from + 500).map(|n| format!("key-{n}")), vec!["MSET".into()]);
        names.for_each(|name| words.extend([name.clone(), format!("value of {name}")]));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        client.call(&words);
    }
}

#[test]
fn a_snapshot_and_the_journal_behind_it_are_all_that_was_written() {
    let data = Folder::new();
    let first = host("kv-v1", &data, &["--fsync", "always"]);
    let mut client = first.resp();
    fill(&mut client, 20_000);
    let mut listener = first.resp();
    listener.call(&["SUBSCRIBE", "news"]);
    let mut waiter = first.resp();
    waiter.send(request(&["BLPOP", "queue", "0"]));
    eventually("the waiter waits", || {
        client.call(&["INFO", "clients"]).text().contains("blocked_clients:1")
    });
    let done = first.json(&["snapshot"]);
    assert!(done["entries"].as_u64() >= Some(20_006), "{done}");
    assert!(done["journal_files_removed"].as_u64() >= Some(1), "{done}");
    assert_eq!((files(&data, "hss").len(), files(&data, "hsj").len()), (1, 1));
    client.call(&["SET", "key-1", "changed"]);
    client.call(&["DEL", "key-2"]);
    kill(first);
    let second = host("kv-v1", &data, &["--fsync", "always"]);
    second.logs("the snapshot was read back");
    let mut client = second.resp();
    assert_eq!(client.call(&["DBSIZE"]), Value::Int(20_004));
    assert_eq!(client.call(&["GET", "key-1"]).text(), "changed");
    assert_eq!(client.call(&["GET", "key-2"]), Value::Nil);
    assert_eq!(client.call(&["GET", "key-19999"]).text(), "value of key-19999");
    assert_eq!(client.call(&["LRANGE", "list", "0", "-1"]).array().len(), 3);
    assert_eq!(client.call(&["ZSCORE", "scores", "one"]).text(), "1.5");
    assert!(matches!(client.call(&["TTL", "short"]), Value::Int(900..=1000)));
    // The clients of before are gone, so nobody listens, and nobody takes the element.
    assert_eq!(client.call(&["PUBLISH", "news", "hello"]), Value::Int(0));
    assert_eq!(client.call(&["RPUSH", "queue", "element"]), Value::Int(1));
    assert_eq!(client.call(&["LLEN", "queue"]), Value::Int(1));
    assert_eq!(client.call(&["SELECT", "3"]).text(), "OK");
    assert_eq!(client.call(&["GET", "in-three"]).text(), "x");
    let status = second.json(&["status"]);
    assert_eq!(status["durability"], "journal");
}

/// Large values of every kind, and all that is in them, in an order of their own.
fn large_values(client: &mut Resp) -> Vec<Vec<String>> {
    let asked: [&[&str]; 6] = [
        &["HGETALL", "hash"],
        &["SMEMBERS", "set"],
        &["ZRANGE", "scores", "0", "-1", "WITHSCORES"],
        &["LRANGE", "list", "0", "-1"],
        &["XRANGE", "stream", "-", "+"],
        &["HGETALL", "moved"],
    ];
    asked
        .map(|words| {
            let reply = client.call(words);
            let mut all: Vec<String> = reply.array().iter().map(|v| format!("{v:?}")).collect();
            if ["HGETALL", "SMEMBERS"].contains(&words[0]) {
                all.sort();
            }
            all
        })
        .into()
}

#[test]
fn large_values_that_change_while_a_snapshot_is_taken_come_back_as_they_are() {
    let data = Folder::new();
    let first = host("kv-v2", &data, &["--fsync", "always"]);
    let mut client = first.resp();
    fill(&mut client, 3000);
    for n in 0..3000 {
        let (n, other) = (n.to_string(), (n * 7).to_string());
        for words in [
            &["HSET", "hash", &n, &other][..],
            &["HSET", "renamed", &n, &other],
            &["SADD", "set", &n],
            &["ZADD", "scores", &other, &n],
            &["RPUSH", "list", &other],
            &["XADD", "stream", &format!("1-{}", n.parse::<u64>().expect("a number") + 1), "f", &n],
        ] {
            client.send(request(words));
        }
        (0..6).for_each(|_| drop(client.read()));
    }
    let mut asker = first.admin();
    asker.send(request(&["snapshot"]));
    let mut rounds = 0;
    while rounds < 50 || asker.is_silent() {
        let (n, new) = ((rounds * 37 % 3000).to_string(), format!("new-{rounds}"));
        for words in [
            &["HSET", "hash", &n, &new][..],
            &["HDEL", "hash", &(rounds * 11 % 3000).to_string()],
            &["SREM", "set", &n],
            &["SADD", "set", &new],
            &["ZADD", "scores", &rounds.to_string(), &n],
            &["ZREM", "scores", &(rounds * 13 % 3000).to_string()],
            &["LPOP", "list"],
            &["XADD", "stream", &format!("2-{}", rounds + 1), "f", &new],
        ] {
            client.call(words);
        }
        if rounds == 10 {
            assert_eq!(client.call(&["RENAME", "renamed", "moved"]).text(), "OK");
        }
        rounds += 1;
    }
    drop(asker.read());
    let before = large_values(&mut client);
    assert!(before.iter().all(|value| value.len() > 1000), "{rounds} rounds");
    kill(first);
    let again = host("kv-v2", &data, &[]);
    assert_eq!(large_values(&mut again.resp()), before);
}

#[test]
fn a_graceful_stop_leaves_a_snapshot_that_other_versions_load() {
    let data = Folder::new();
    let mut first = host("ledger-v1", &data, &[]);
    let mut client = first.lines();
    for n in 0..3000 {
        client.ask(&format!("name {n}"));
    }
    first.signal(libc::SIGTERM);
    assert!(first.wait().success());
    assert_eq!(files(&data, "hss").len(), 1);
    let second = host("ledger-v2", &data, &["--ignore-permanent"]);
    assert_eq!(second.lines().ask("=name 2999"), "name 2999 1 -");
    assert_eq!(second.lines().ask("name 0 as first"), "name 0 11 first");
    second.json(&["snapshot"]);
    kill(second);
    let third = host("ledger-v1", &data, &["--ignore-permanent"]);
    assert_eq!(third.lines().ask("name 0"), "name 0 12", "as far as version 1 can hold it");
    assert_eq!(third.status("set_aside"), 1, "the note waits");
    third.json(&["snapshot"]);
    kill(third);
    let fourth = host("ledger-v2", &data, &["--ignore-permanent"]);
    assert_eq!(fourth.lines().ask("=name 0"), "name 0 12 first", "what was set aside is in it");
}

/// What a snapshot says of a session is as the state was that knows of it: here, that a client subscribes
/// to one channel, or to both, and the other way round.
#[test]
fn sessions_are_in_a_snapshot_as_they_were_at_its_beginning_whoever_uses_them_meanwhile() {
    let (data, seed) = (Folder::new(), 0x5eed_5e55_u64);
    println!("seed {seed:#x}");
    let (host, mut random) = (host("kv-v1", &data, &[]), seed);
    fill(&mut host.resp(), 20_000);
    let mut clients: Vec<Resp> = (0..40).map(|_| host.resp()).collect();
    clients.iter_mut().for_each(|client| drop(client.call(&["SUBSCRIBE", "one"])));
    let mut asker = host.admin();
    for _ in 0..5 {
        asker.send(request(&["snapshot"]));
        let mut changes = 0;
        while asker.is_silent() || changes < 20 {
            let client = &mut clients[next(&mut random) as usize % 40];
            let verb = ["SUBSCRIBE", "UNSUBSCRIBE"][next(&mut random) as usize % 2];
            client.call(&[verb, ["one", "two"][next(&mut random) as usize % 2]]);
            changes += 1;
        }
        assert!(!matches!(asker.read(), Value::Error(_)));
        let said = hotshell(["data", "export", text(&data.at("data"))]).expect(0).stdout;
        let lines: Vec<serde_json::Value> =
            said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        // Clients by channel, as the state has them and as the sessions have them.
        let (mut state, mut sessions) = (Vec::new(), Vec::new());
        for line in &lines {
            if line["map"] == "channels" {
                let of = line["value"].as_array().expect("clients").iter();
                state.extend(of.map(|id| (line["key"].to_string(), id.to_string())));
            }
            if line["kind"] == "session" {
                let channels = line["value"]["subscriptions"]["channels"].as_array();
                let of = channels.into_iter().flatten();
                sessions.extend(of.map(|name| (name.to_string(), line["client"].to_string())));
            }
        }
        state.sort();
        sessions.sort();
        assert!(!state.is_empty(), "somebody subscribes");
        assert_eq!(state, sessions);
    }
}

#[test]
fn a_plugin_without_a_journal_has_snapshots_only() {
    let data = Folder::new();
    let mut first = host("counter-v1", &data, &[]);
    assert_eq!(first.json(&["status"])["durability"], "snapshot");
    let mut client = first.lines();
    assert_eq!((client.ask("a"), client.ask("a")), ("1".into(), "2".into()));
    first.json(&["snapshot"]);
    assert_eq!(client.ask("a"), "3");
    first.signal(libc::SIGKILL);
    first.wait();
    let mut second = host("counter-v1", &data, &[]);
    assert_eq!(second.lines().ask("a"), "3", "what came behind the snapshot is lost");
    second.signal(libc::SIGTERM);
    assert!(second.wait().success());
    assert_eq!(host("counter-v1", &data, &[]).lines().ask("a"), "4");
}

#[test]
fn a_kill_at_any_moment_of_a_snapshot_loses_and_doubles_nothing() {
    let seed = 0x5eed_5aff;
    println!("seed {seed:#x}");
    let (mut random, data, mut known, mut met) = (seed, Folder::new(), 0, 0);
    fill(&mut host("kv-v1", &data, &["--fsync", "always"]).resp(), 20_000);
    for round in 0..100 {
        // On a slow machine, more rounds that live for longer, until a kill has met a snapshot.
        if round >= 10 && met > 0 {
            break;
        }
        let mut host = host("kv-v1", &data, &["--fsync", "always"]);
        let (mut client, mut asker) = (host.resp(), host.admin());
        let found = match client.call(&["GET", "key-0"]) {
            Value::Nil => 0,
            value => value.text().parse().unwrap_or(0),
        };
        assert!((known..=known + 1).contains(&found), "round {round}: {known}, found {found}");
        assert!(files(&data, "new").is_empty(), "round {round}: what the kill left is gone");
        assert_eq!(client.call(&["GET", "key-777"]).text(), "value of key-777", "round {round}");
        if round == 0 {
            client.call(&["SET", "key-0", "0"]);
        }
        asker.send(request(&["snapshot"]));
        let until =
            Instant::now() + Duration::from_micros(next(&mut random) % (80_000 * (1 + round / 10)));
        known = found;
        while Instant::now() < until {
            known += 1;
            assert_eq!(client.call(&["INCR", "key-0"]), Value::Int(known as i64));
        }
        host.signal(libc::SIGKILL);
        host.wait();
        met += usize::from(!files(&data, "new").is_empty());
    }
    println!("met in {met} rounds");
    assert!(met > 0, "no kill came while a snapshot was written");
}

/// xorshift64*.
fn next(random: &mut u64) -> u64 {
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    random.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

#[test]
fn snapshots_come_by_themselves_and_cut_the_journal() {
    let data = Folder::new();
    let host = host("kv-v1", &data, &["--snapshot-after", "100"]);
    let mut client = host.resp();
    (0..100).for_each(|n| drop(client.call(&["SET", &format!("key-{n}"), "value"])));
    eventually("a snapshot was taken", || !host.json(&["status"])["snapshot_at"].is_null());
    assert_eq!(files(&data, "hsj").len(), 1, "the journal before it is gone");
}

#[test]
fn a_damaged_snapshot_and_one_of_a_newer_version_are_refused() {
    let data = Folder::new();
    let first = host("kv-v1", &data, &[]);
    fill(&mut first.resp(), 2000);
    first.json(&["snapshot"]);
    kill(first);
    let file = files(&data, "hss").remove(0);
    let whole = std::fs::read(&file).expect("readable");
    let path = data.at("data");
    let refused = |bytes: &[u8]| {
        std::fs::write(&file, bytes).expect("writable");
        let mut serve = cli::command();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--plugin", text(&plugin("kv-v1"))]);
        serve.arg("--admin").arg(data.at("other.sock")).args(["--data", text(&path)]);
        cli::run(&mut serve).expect(1).stderr
    };
    let mut newer = whole.clone();
    newer[8] = 9;
    let said = refused(&newer);
    assert!(said.contains("is of a newer version") && said.contains("has format 9"), "{said}");
    let mut flipped = whole.clone();
    let middle = whole.len() / 2;
    flipped[middle] ^= 4;
    let said = refused(&flipped);
    assert!(said.contains(".hss' is damaged at byte ") && said.contains("from a copy"), "{said}");
    let said = refused(&whole[..whole.len() - 1]);
    assert!(said.contains(".hss' is damaged at byte "), "{said}");
    std::fs::write(&file, &whole).expect("writable");
    assert_eq!(host("kv-v1", &data, &[]).resp().call(&["DBSIZE"]), Value::Int(2005));
}

#[test]
fn a_switch_that_keeps_the_shape_does_not_disturb_a_snapshot() {
    let data = Folder::new();
    let host = host("ledger-v1", &data, &["--fsync", "always"]);
    let mut client = host.lines();
    name_many(&mut client);
    let mut asker = host.admin();
    asker.send(request(&["snapshot"]));
    let swapped = host.swap(plugin("ledger-v1"));
    assert_eq!(swapped["migration"], "adopt");
    // The new image's code meets maps that are watched.
    for n in 0..500 {
        assert_eq!(client.ask(&format!("n{}", n * 100)), format!("n{} 2", n * 100));
    }
    let said = asker.read();
    assert!(said.text().starts_with("snapshot of 60000 entries"), "{said:?}");
    kill(host);
    let path = data.at("data");
    let host = Host::with(plugin("ledger-v1")).flags(&["--data", text(&path)]).start();
    let mut client = host.lines();
    assert_eq!([client.ask("=n100"), client.ask("=n101")], ["n100 2", "n101 1"]);
    assert_eq!(client.ask("=n59999"), "n59999 1");
}

/// 60,000 accounts, `n0` to `n59999`.
fn name_many(client: &mut Lines) {
    for thousand in 0..60 {
        let lines: String = (0..1000).map(|n| format!("n{}\n", thousand * 1000 + n)).collect();
        client.send(&lines);
        (0..1000).for_each(|_| drop(client.read()));
    }
}

#[test]
fn a_switch_of_shape_comes_before_a_snapshot() {
    let data = Folder::new();
    let host = host("ledger-v1", &data, &["--fsync", "always"]);
    let mut client = host.lines();
    name_many(&mut client);
    let mut asker = host.admin();
    asker.send(request(&["snapshot"]));
    let swapped = host.swap(plugin("ledger-v2"));
    assert_eq!(swapped["migration"], "by-name");
    eventually("a snapshot was taken", || !host.json(&["status"])["snapshot_at"].is_null());
    assert_eq!(client.ask("n7 as seven"), "n7 11 seven");
    kill(host);
    let path = data.at("data");
    let host = Host::with(plugin("ledger-v1")).flags(&["--data", text(&path)]).start();
    let mut client = host.lines();
    assert_eq!(client.ask("=n59999"), "n59999 1 -");
    assert_eq!(client.ask("=n7"), "n7 11 seven");
}

/// Snapshots and switches that change the shape, asked for in one breath: one comes while the other makes its
/// memory ready, is under way, or converts entries.
#[test]
fn snapshots_and_switches_in_any_order_leave_every_account_as_it_was() {
    let data = Folder::new();
    let host = host("ledger-v1", &data, &["--fsync", "always"]);
    let mut client = host.lines();
    name_many(&mut client);
    host.json(&["load", text(&plugin("ledger-v2"))]);
    let (mut saves, mut uses) = (host.admin(), host.admin());
    let ([mut done, mut given_up, mut drains], mut known) = ([0; 3], 0);
    for round in 0..12 {
        let generation = if round % 2 == 0 { "2" } else { "1" };
        let (save, switch) = (request(&["snapshot"]), request(&["use", generation]));
        if round % 4 < 2 {
            saves.send(save);
            uses.send(switch);
        } else {
            uses.send(switch);
            saves.send(save);
        }
        drains += usize::from(host.status("draining") > 0);
        known = client.ask("a").split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number");
        assert!(!matches!(uses.read(), Value::Error(_)), "round {round}");
        match saves.read() {
            Value::Error(why) => {
                assert!(why.starts_with("BUSY the snapshot was given up"), "{why}");
                given_up += 1;
            }
            said => {
                assert!(said.text().starts_with("snapshot of 6000"), "{said:?}");
                done += 1;
            }
        }
        eventually("the server is quiet", || {
            let status = host.json(&["status"]);
            status["draining"] == 0 && status["snapshot_running"] != true
        });
    }
    println!("{done} snapshots, {given_up} given up, {drains} rounds with a drain seen");
    assert!(done > 0 && drains > 0);
    kill(host);
    let host = self::host("ledger-v1", &data, &[]);
    let mut client = host.lines();
    let total = |answer: String| answer.split(' ').nth(1).and_then(|n| n.parse().ok());
    assert_eq!(total(client.ask("=a")), Some(known));
    for n in (0..60_000).step_by(997) {
        assert_eq!(total(client.ask(&format!("=n{n}"))), Some(1), "n{n}");
    }
}
