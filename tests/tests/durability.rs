//! Goal: what was acknowledged is there after the host was killed, once and not twice.
//! Method: hosts on one data folder, killed with SIGKILL in the middle of what clients ask for.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hotshell_tests::artifacts::plugin;
use hotshell_tests::cli;
use hotshell_tests::files::Folder;
use hotshell_tests::host::{Host, text};
use hotshell_tests::resp::{Resp, Value, request};

/// A host of kv on a data folder.
fn host(version: &str, data: &Folder, fsync: &str) -> Host {
    let data = data.at("data");
    Host::with(plugin(version)).flags(&["--data", text(&data), "--fsync", fsync]).start()
}

/// xorshift64*.
fn next(random: &mut u64) -> u64 {
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    random.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

/// Increments a key over and over, until the host is gone; counts what was acknowledged.
fn increment(addr: SocketAddr, key: &str, known: u64, total: &AtomicU64) -> u64 {
    let (mut client, mut acknowledged) = (Resp::connect(addr), known);
    while let Ok(Value::Int(n)) = client.try_call(&["INCR", key]) {
        acknowledged = n as u64;
        total.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}

#[test]
fn with_always_a_kill_at_any_moment_loses_and_doubles_nothing() {
    let seed = 0x5eed_d00d;
    println!("seed {seed:#x}");
    let (mut random, data) = (seed, Folder::new());
    let keys = ["a", "b", "c"];
    let mut known = [0_u64; 3];
    for round in 0..20 {
        let mut host = host("kv-v1", &data, "always");
        let mut client = host.resp();
        for (key, known) in keys.iter().zip(&mut known) {
            let found = match client.call(&["GET", key]) {
                Value::Nil => 0,
                value => value.text().parse().expect("a number"),
            };
            // One request may have been under way when the host was killed.
            assert!((*known..=*known + 1).contains(&found), "round {round}: {key} {known} {found}");
            *known = found;
        }
        let (addr, total) = (host.addr(), AtomicU64::new(0));
        let enough = 1 + next(&mut random) % 400;
        known = std::thread::scope(|scope| {
            let total = &total;
            let asking: [_; 3] = std::array::from_fn(|n| {
                scope.spawn(move || increment(addr, keys[n], known[n], total))
            });
            while total.load(Ordering::Relaxed) < enough {
                std::thread::yield_now();
            }
            host.signal(libc::SIGKILL);
            host.wait();
            asking.map(|one| one.join().expect("no panics"))
        });
    }
}

#[test]
fn a_resumed_client_that_panics_takes_its_own_records_back_and_not_those_of_who_woke_it() {
    let data = Folder::new();
    let mut first = host("ledger-v1", &data, "always");
    let (mut waiter, mut waker) = (first.lines(), first.lines());
    waiter.send("!wait\n");
    hotshell_tests::eventually("it waits", || first.status("calls") >= 1);
    assert_eq!(waker.ask("!wake ann"), "woke");
    assert!(waiter.is_closed(), "the ledger closes who panics");
    assert_eq!(first.status("panics"), 1);
    first.signal(libc::SIGKILL);
    first.wait();
    let second = host("ledger-v1", &data, "always");
    let mut client = second.lines();
    assert_eq!(client.ask("=ann"), "ann 1", "what was acknowledged");
    assert_eq!(client.ask("=ghost"), "ghost 0", "what no call that returned has told");
}

#[test]
fn a_transaction_in_which_a_command_fails_comes_back_with_all_that_it_changed() {
    let data = Folder::new();
    let mut first = host("kv-v1", &data, "always");
    let mut client = first.resp();
    client.call(&["SET", "text", "no number"]);
    client.call(&["MULTI"]);
    for words in [&["SET", "a", "1"][..], &["INCR", "text"], &["RPUSH", "list", "x"]] {
        assert_eq!(client.call(words).text(), "QUEUED");
    }
    assert!(matches!(client.call(&["EXEC"]).array()[1], Value::Error(_)));
    first.signal(libc::SIGKILL);
    first.wait();
    let second = host("kv-v1", &data, "always");
    let mut client = second.resp();
    assert_eq!(client.call(&["GET", "a"]).text(), "1");
    assert_eq!(client.call(&["GET", "text"]).text(), "no number");
    assert_eq!(client.call(&["LLEN", "list"]), Value::Int(1));
}

/// All that kv has, as replies that do not depend on an order.
fn dump(client: &mut Resp) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for db in ["0", "3"] {
        client.call(&["SELECT", db]);
        let keys = client.call(&["KEYS", "*"]);
        let mut keys: Vec<String> = keys.array().iter().map(Value::text).collect();
        keys.sort();
        for key in keys {
            let kind = client.call(&["TYPE", &key]).text();
            let value = match kind.as_str() {
                "string" => client.call(&["GET", &key]),
                "list" => client.call(&["LRANGE", &key, "0", "-1"]),
                "set" => client.call(&["SORT", &key, "ALPHA"]),
                "zset" => client.call(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]),
                "hash" => client.call(&["HGET", &key, "field"]),
                other => panic!("{key} is a {other}"),
            };
            let expires = client.call(&["PEXPIRETIME", &key]);
            all.push((format!("{db} {key}"), Value::Array(vec![value, expires])));
        }
    }
    all
}

#[test]
fn commands_come_back_with_absolute_times_resolved_chance_and_served_waiters() {
    let data = Folder::new();
    let mut first = host("kv-v2", &data, "everysec");
    let (mut client, mut waiter) = (first.resp(), first.resp());
    waiter.send(request(&["BLPOP", "queue", "0"]));
    hotshell_tests::eventually("the waiter waits", || {
        client.call(&["INFO", "clients"]).text().contains("blocked_clients:1")
    });
    let members: Vec<String> = (0..200).map(|n| format!("member-{n}")).collect();
    let mut add = vec!["SADD", "set"];
    add.extend(members.iter().map(String::as_str));
    client.call(&add);
    for words in [
        &["SET", "plain", "1"][..],
        &["SET", "short", "2", "EX", "1000"],
        &["SPOP", "set"],
        &["SPOP", "set", "100"],
        &["RPUSH", "queue", "first", "second"],
        &["ZADD", "scores", "1.5", "one", "2", "two"],
        &["HSET", "hash", "field", "value"],
        &["INCRBYFLOAT", "plain", "0.5"],
        &["SELECT", "3"],
        &["MULTI"],
        &["SET", "in-three", "x"],
        &["LPUSH", "list", "a", "b"],
        &["EXEC"],
        &["LPUSH", "in-three", "fails"],
        &["GETEX", "in-three", "PX", "500000"],
    ] {
        client.call(words);
    }
    assert_eq!(waiter.read().array()[1].text(), "first");
    let before = dump(&mut client);
    first.signal(libc::SIGTERM);
    assert!(first.wait().success());
    let second = host("kv-v2", &data, "everysec");
    assert_eq!(dump(&mut second.resp()), before);
    second.logs("the journal was read back");
}

#[test]
fn a_kill_at_any_moment_of_a_swap_leaves_one_generation_and_all_that_was_acknowledged() {
    let seed = 0x5eed_cafe;
    println!("seed {seed:#x}");
    let (mut random, data) = (seed, Folder::new());
    let (path, plugins) = (data.at("data"), [plugin("ledger-v1"), plugin("ledger-v2")]);
    let mut known = 0;
    for round in 0..20 {
        let flags = ["--data", text(&path), "--fsync", "always", "--probation", "0"];
        let mut host = Host::with(&plugins[0]).flags(&flags).start();
        let found = total(&host.lines().ask("=a"));
        assert!(known <= found && found <= known + 10, "round {round}: {known}, found {found}");
        let status = host.json(&["status"]);
        let serves = usize::from(status["version"] == "2.0.0");
        let (mut asker, mut client) = (host.admin(), host.lines());
        known = total(&client.ask("a"));
        assert_eq!(known, found + [1, 10][serves], "round {round}: the code is that of `status`");
        let swap = ["swap", text(&plugins[1 - serves])];
        asker.send(request(&swap));
        let patience = next(&mut random) % 200_000;
        let until = Instant::now() + Duration::from_micros(patience);
        while Instant::now() < until {
            known = total(&client.ask("a"));
        }
        host.signal(libc::SIGKILL);
        host.wait();
    }
}

/// The number in an answer of the ledger: `a 12` or `a 12 note`.
fn total(answer: &str) -> u64 {
    let number = answer.split(' ').nth(1).and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{answer:?}"))
}

#[test]
fn a_record_is_read_by_its_writer_or_refused_and_nothing_is_lost() {
    let data = Folder::new();
    let mut first = host("kv-v2", &data, "always");
    let mut client = first.resp();
    client.call(&["SET", "key", "value"]);
    client.call(&["COPY", "key", "copied"]);
    let list = first.json(&["list"]);
    let digest = list[0]["digest"].as_str().expect("a digest").replace("sha256:", "");
    first.signal(libc::SIGKILL);
    first.wait();
    let copy = data.at("data").join("main/artifacts").join(format!("{digest}.so"));
    let aside = data.at("aside.so");
    std::fs::rename(&copy, &aside).expect("the copy is there");
    let path = data.at("data");
    let mut serve = cli::command();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--plugin", text(&plugin("kv-v1"))]);
    serve.arg("--ignore-permanent");
    serve.arg("--admin").arg(data.at("other.sock")).args(["--data", text(&path)]);
    let refused = cli::run(&mut serve).expect(1);
    assert!(refused.stderr.contains("[DATA]"), "{}", refused.stderr);
    assert!(refused.stderr.contains("by generation 1, whose code is gone"), "{}", refused.stderr);
    std::fs::rename(&aside, &copy).expect("the folder is there");
    let flags = ["--data", text(&path), "--ignore-permanent"];
    let second = Host::with(plugin("kv-v1")).flags(&flags).start();
    assert_eq!(second.json(&["status"])["version"], "1.0.0");
    assert_eq!(second.resp().call(&["GET", "copied"]).text(), "value");
}

#[test]
fn a_second_host_on_one_folder_is_refused_with_the_pid_of_the_first() {
    let data = Folder::new();
    let first = host("kv-v1", &data, "everysec");
    let path = data.at("data");
    let mut serve = cli::command();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--plugin", text(&plugin("kv-v1"))]);
    serve.arg("--admin").arg(data.at("other.sock")).args(["--data", text(&path)]);
    let refused = cli::run(&mut serve).expect(1);
    let holder = format!("process {} has locked it", first.pid());
    assert!(refused.stderr.contains(&holder), "{}", refused.stderr);
}
