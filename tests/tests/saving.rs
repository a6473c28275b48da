//! Goal: what Redis' words for saving promise is kept. Method: hosts on one data folder, stopped by
//! SHUTDOWN or killed, and what the next one has.

use hotshell_tests::artifacts::plugin;
use hotshell_tests::eventually;
use hotshell_tests::files::Folder;
use hotshell_tests::host::{Host, text};
use hotshell_tests::resp::{Resp, Value, bulk, ok, request};

fn host(data: &Folder, flags: &[&str]) -> Host {
    let path = data.at("data");
    let host = Host::with(plugin("kv-v2")).flags(&["--data", text(&path)]);
    host.flags(&["--snapshot-every", "0"]).flags(flags).start()
}

fn kill(mut host: Host) {
    host.signal(libc::SIGKILL);
    host.wait();
}

/// A number of INFO persistence.
fn info(client: &mut Resp, name: &str) -> i64 {
    let all = client.call(&["INFO", "persistence"]).text();
    let line = all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{name} in {all}")).parse().expect("a number")
}

fn snapshots(data: &Folder) -> usize {
    let all = std::fs::read_dir(data.at("data").join("main")).expect("the folder is there");
    let names = all.map(|entry| entry.expect("readable").path());
    names.filter(|path| path.extension().is_some_and(|extension| extension == "hss")).count()
}

fn fill(client: &mut Resp, keys: usize) {
    let names = (0..keys).map(|n| format!("key-{n}"));
    let mut words = vec!["MSET".to_owned()];
    names.for_each(|name| words.extend([name, "a value of some length".to_owned()]));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(client.call(&words), ok());
}

#[test]
fn save_answers_when_the_snapshot_is_on_disk_and_keeps_nobody_else_waiting() {
    let data = Folder::new();
    let host = host(&data, &[]);
    let (mut client, mut saver) = (host.resp(), host.resp());
    fill(&mut client, 50_000);
    assert!(info(&mut client, "rdb_changes_since_last_save") > 0);
    assert_eq!(info(&mut client, "aof_enabled"), 1);
    saver.send(request(&["SAVE"]));
    saver.send(request(&["GET", "key-1"]));
    assert_eq!(client.call(&["SET", "beside", "it"]), ok());
    assert_eq!(saver.read(), ok());
    assert_eq!(snapshots(&data), 1);
    assert_eq!(
        saver.read().text(),
        "a value of some length",
        "what was sent behind it is answered"
    );
    assert_eq!(info(&mut client, "rdb_saves"), 1);
    assert_eq!(info(&mut client, "rdb_bgsave_in_progress"), 0);
}

#[test]
fn background_work_is_started_once_and_told_of() {
    let data = Folder::new();
    let host = host(&data, &[]);
    let mut client = host.resp();
    fill(&mut client, 50_000);
    let began = client.call(&["LASTSAVE"]).int();
    // All in one write: the first has not begun when the others are read.
    let all = [
        &["BGSAVE"][..],
        &["BGSAVE"],
        &["BGSAVE", "SCHEDULE"],
        &["SAVE"],
        &["BGREWRITEAOF"],
        &["BGSAVE", "NOW"],
    ];
    client.send(all.map(request).concat());
    let saving = "ERR Background save already in progress";
    assert_eq!(client.read().text(), "Background saving started");
    assert_eq!([(); 3].map(|()| client.read().error()), [saving; 3]);
    assert_eq!(client.read().text(), "Background append only file rewriting scheduled");
    assert_eq!(client.read().error(), "ERR syntax error");
    // One snapshot does both, if it had not begun when the second was asked for.
    eventually("both are done", || {
        let running = ["rdb_bgsave_in_progress", "aof_rewrite_in_progress"];
        running.iter().all(|name| info(&mut client, name) == 0)
    });
    assert!((1..=2).contains(&info(&mut client, "rdb_saves")));
    assert!(client.call(&["LASTSAVE"]).int() >= began);
    assert_eq!(info(&mut client, "aof_rewrites"), 1);
    assert_eq!(
        client.call(&["BGREWRITEAOF"]).text(),
        "Background append only file rewriting started"
    );
    client.call(&["MULTI"]);
    client.call(&["BGSAVE"]);
    assert_eq!(client.call(&["SAVE"]).error(), "ERR Command not allowed inside a transaction");
    assert!(client.call(&["EXEC"]).error().starts_with("EXECABORT"));
    client.call(&["MULTI"]);
    client.call(&["BGSAVE"]);
    let replies = client.call(&["EXEC"]);
    assert_eq!(replies.array()[0].text(), "Background saving scheduled");
}

#[test]
fn shutdown_saves_or_not_and_loses_nothing_of_the_journal() {
    let data = Folder::new();
    for (round, (words, saved)) in [
        (&["SHUTDOWN", "NOSAVE"][..], 0),
        (&["SHUTDOWN", "SAVE"], 1),
        (&["SHUTDOWN", "NOSAVE", "NOW", "FORCE"], 1),
        (&["SHUTDOWN"], 1),
    ]
    .into_iter()
    .enumerate()
    {
        let mut host = host(&data, &[]);
        let mut client = host.resp();
        assert_eq!(client.call(&["INCR", "rounds"]), Value::Int(round as i64 + 1));
        client.send(request(words));
        assert!(host.wait().success());
        assert_eq!(snapshots(&data), saved, "{words:?}");
    }
    let host = host(&data, &[]);
    let mut client = host.resp();
    assert_eq!(client.call(&["GET", "rounds"]), bulk("4"));
    for words in
        [&["SHUTDOWN", "SAVE", "NOSAVE"][..], &["SHUTDOWN", "ABORT", "NOW"], &["SHUTDOWN", "x"]]
    {
        assert_eq!(client.call(words).error(), "ERR syntax error");
    }
    assert_eq!(client.call(&["SHUTDOWN", "ABORT"]).error(), "ERR No shutdown in progress.");
}

#[test]
fn the_policy_of_the_journal_is_set_and_remembered() {
    let data = Folder::new();
    let first = host(&data, &[]);
    let mut client = first.resp();
    let get = |client: &mut Resp, name| client.call(&["CONFIG", "GET", name]).array()[1].text();
    assert_eq!(get(&mut client, "appendonly"), "yes");
    assert_eq!(get(&mut client, "appendfsync"), "everysec");
    assert_eq!(client.call(&["CONFIG", "SET", "appendfsync", "always"]), ok());
    assert_eq!(get(&mut client, "appendfsync"), "always");
    assert_eq!(first.json(&["status"])["journal"]["fsync"], "always");
    assert!(client.call(&["CONFIG", "SET", "appendonly", "no"]).error().contains("--data"));
    assert_eq!(client.call(&["CONFIG", "SET", "appendonly", "yes"]), ok());
    let remembered = data.at("data/main/permanent.json");
    eventually("it is remembered", || {
        std::fs::read_to_string(&remembered).is_ok_and(|text| text.contains("\"always\""))
    });
    kill(first);
    let second = host(&data, &[]);
    assert_eq!(get(&mut second.resp(), "appendfsync"), "always");
}

#[test]
fn what_config_set_changes_holds_after_a_kill() {
    let data = Folder::new();
    let first = host(&data, &["--fsync", "always"]);
    let mut client = first.resp();
    for words in [
        &["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"][..],
        &["CONFIG", "SET", "hash-max-listpack-entries", "7"],
        &["CONFIG", "SET", "save", "900 5"],
    ] {
        assert_eq!(client.call(words).text(), "OK", "{words:?}");
    }
    let refused = client.call(&["CONFIG", "SET", "hz", "no number"]);
    assert!(matches!(refused, Value::Error(_)), "{refused:?}");
    assert_eq!(client.call(&["CONFIG", "SET", "requirepass", "secret"]).text(), "OK");
    kill(first);
    let second = host(&data, &[]);
    let mut client = second.resp();
    let refused = client.call(&["GET", "key"]);
    assert!(matches!(&refused, Value::Error(text) if text.contains("NOAUTH")), "{refused:?}");
    assert_eq!(client.call(&["AUTH", "secret"]).text(), "OK");
    for (name, value) in [
        ("maxmemory-policy", "allkeys-lfu"),
        ("hash-max-listpack-entries", "7"),
        ("save", "900 5"),
        ("hz", "10"),
    ] {
        assert_eq!(client.call(&["CONFIG", "GET", name]).array()[1].text(), value, "{name}");
    }
    let mut hash = vec!["HSET".to_owned(), "hash".to_owned()];
    hash.extend((0..16).map(|n| n.to_string()));
    client.call(&hash.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(client.call(&["OBJECT", "ENCODING", "hash"]).text(), "hashtable", "it is in force");
}

#[test]
fn a_save_point_takes_a_snapshot_when_enough_has_changed() {
    let data = Folder::new();
    let host = host(&data, &[]);
    let mut client = host.resp();
    assert_eq!(client.call(&["CONFIG", "SET", "save", "3600 1 1 3"]), ok());
    client.call(&["SET", "a", "1"]);
    client.call(&["SET", "b", "1"]);
    assert_eq!(info(&mut client, "rdb_saves"), 0);
    client.call(&["SET", "c", "1"]);
    eventually("the save point is reached", || info(&mut client, "rdb_saves") == 1);
    assert_eq!(snapshots(&data), 1);
}

#[test]
fn a_server_in_memory_says_that_it_cannot_save() {
    let mut host = Host::start(plugin("kv-v2"));
    let mut client = host.resp();
    let refused =
        "ERR This server keeps its data in memory only. Start hotshell with --data to save them.";
    for words in [&["SAVE"][..], &["BGSAVE"], &["BGREWRITEAOF"]] {
        assert_eq!(client.call(words).error(), refused);
    }
    let error = client.call(&["CONFIG", "SET", "appendonly", "yes"]).error();
    assert!(error.ends_with("Unable to turn on AOF. Check server logs."), "{error}");
    assert_eq!(client.call(&["CONFIG", "SET", "appendfsync", "always"]), ok());
    assert_eq!(info(&mut client, "aof_enabled"), 0);
    assert!(client.call(&["LASTSAVE"]).int() > 1_700_000_000);
    let error = client.call(&["SHUTDOWN", "SAVE"]).error();
    assert_eq!(error, "ERR Errors trying to SHUTDOWN. Check logs.");
    client.send(request(&["SHUTDOWN"]));
    assert!(host.wait().success());
}
