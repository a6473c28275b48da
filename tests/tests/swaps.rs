//! Goal: a swap is noticed by nobody but the one who asked for it, and every way to ask for one keeps
//! its rules. Method: real sockets, real files, clients that check every reply.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use hotshell_tests::host::text;
use hotshell_tests::resp::{bulk, kv_version, ok, request};
use hotshell_tests::traffic::{Situation, Traffic};
use hotshell_tests::{Folder, Host, Resp, Value, artifacts, eventually, kv_v1, kv_v2, misbehave};

fn json(value: Value) -> serde_json::Value {
    serde_json::from_str(&value.text()).expect("JSON")
}

/// kv 1 -> 2 -> 1 and once more, each time with a client in this situation.
fn there_and_back(situation: Situation) {
    let host = Host::start(kv_v1());
    let traffic = Traffic::start(host.addr(), &[situation]);
    for file in [kv_v2(), kv_v1(), kv_v2(), kv_v1()] {
        traffic.ready();
        host.swap(file);
        traffic.swapped();
    }
    traffic.ready();
    assert!(traffic.finish() > 0, "replies were checked");
    assert_eq!(host.status("swaps"), 4);
    assert_eq!((host.status("panics"), host.status("failed")), (0, 0));
}

#[test]
fn an_idle_client_notices_nothing() {
    there_and_back(Situation::Idle);
}

#[test]
fn a_pipelining_client_gets_every_reply_once_and_in_order() {
    there_and_back(Situation::Pipelining);
}

#[test]
fn a_half_sent_request_is_completed_under_the_next_version() {
    there_and_back(Situation::HalfSent);
}

#[test]
fn an_open_transaction_goes_on() {
    there_and_back(Situation::InMulti);
}

#[test]
fn a_watched_key_stays_watched() {
    there_and_back(Situation::Watching);
}

#[test]
fn a_blocked_client_stays_blocked_and_is_served() {
    there_and_back(Situation::Blocked);
}

#[test]
fn a_subscriber_misses_no_message() {
    there_and_back(Situation::Subscribed);
}

#[test]
fn unsent_output_is_sent() {
    there_and_back(Situation::SlowReader);
}

#[test]
fn two_hundred_swaps_under_load_are_noticed_by_nobody() {
    let host = Host::start(kv_v1());
    let mut situations = Situation::ALL.to_vec();
    situations.push(Situation::Pipelining);
    let traffic = Traffic::start(host.addr(), &situations);
    traffic.ready();
    let connections = host.status("connections");
    let mut admin = host.admin();
    let files = [kv_v2(), kv_v1()];
    for n in 0..200 {
        let swapped = json(admin.call(&["swap", text(&files[n % 2]), "--json"]));
        assert_eq!(swapped["generation"], n + 2);
        assert_eq!(swapped["from_generation"], n + 1);
        traffic.swapped();
    }
    traffic.ready();
    let clients = host.status("clients");
    assert_eq!(host.status("connections"), connections, "nobody had to connect again");
    assert!(traffic.finish() > 10_000);
    assert_eq!(clients, connections, "nobody was closed");
    assert_eq!((host.status("panics"), host.status("failed")), (0, 0));
    assert_eq!(host.status("closed_slow"), 0);
}

#[test]
fn commands_of_the_next_version_are_there_after_the_swap_and_gone_after_the_rollback() {
    let host = Host::start(kv_v1());
    let mut client = host.resp();
    assert_eq!(client.call(&["SET", "k", "v"]), ok());
    assert_eq!(kv_version(&mut client), "4");
    assert!(client.call(&["GETDEL", "k"]).error().starts_with("ERR unknown command"));
    host.swap(kv_v2());
    assert_eq!(kv_version(&mut client), "7");
    assert_eq!(client.call(&["GETDEL", "k"]), bulk("v"));
    assert_eq!(client.call(&["SET", "k", "written by 2"]), ok());
    host.json(&["rollback"]);
    assert_eq!(kv_version(&mut client), "4");
    assert_eq!(client.call(&["GET", "k"]), bulk("written by 2"), "data written since stays");
}

#[test]
fn a_second_asker_is_told_who_is_at_work_and_one_after_the_other_wins() {
    let host = Host::with(kv_v1()).flags(&["--max-resident", "3", "--probation", "0"]).start();
    let mut client = host.resp();
    let swapper = || {
        let mut admin = host.admin();
        let (mut done, mut busy) = (0, 0);
        for n in 0..10 {
            let file = if n % 2 == 0 { kv_v2() } else { kv_v1() };
            match admin.call(&["swap", text(&file)]) {
                Value::Simple(_) => done += 1,
                Value::Error(refused) => {
                    assert!(refused.starts_with("BUSY cannot swap "), "{refused}");
                    let holder = format!("asked by admin pid {}", std::process::id());
                    assert!(refused.contains(&holder), "{refused}");
                    busy += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        (done, busy)
    };
    let outcomes = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(swapper)).collect();
        threads.into_iter().map(|t| t.join().expect("no panic")).collect::<Vec<(u64, u64)>>()
    });
    let done: u64 = outcomes.iter().map(|(done, _)| done).sum();
    let busy: u64 = outcomes.iter().map(|(_, busy)| busy).sum();
    assert_eq!(done + busy, 40);
    assert!(done > 0 && busy > 0, "{outcomes:?}");
    assert_eq!(host.status("swaps"), done);
    assert_eq!(host.status("generation"), done + 1);
    assert_eq!(client.call(&["PING"]).text(), "PONG");
}

#[test]
fn a_rollback_cancels_a_running_load() {
    let host = Host::patient(kv_v1());
    host.swap(kv_v2());
    let mut client = host.resp();
    for behaviour in ["ctor-hang", "init-hang"] {
        let hangs = host.folder.write("hangs.so", &misbehave(behaviour));
        let mut admin = host.admin();
        admin.send(request(&["swap", text(&hangs)]));
        eventually("the vet child runs", || children(&host) > 0);
        assert_eq!(host.json(&["rollback"])["generation"], 1);
        assert_eq!(kv_version(&mut client), "4");
        let cancelled = admin.read().error();
        let what = format!("CANCELLED `swap {}` was cancelled, nothing changed: ", hangs.display());
        assert!(cancelled.starts_with(&what), "{cancelled}");
        assert_eq!(children(&host), 0, "the vet child is gone");
        host.json(&["use", "2"]);
    }
    assert_eq!(host.json(&["list"]).as_array().map(Vec::len), Some(2));
}

/// How many processes the host has started that are still there.
fn children(host: &Host) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", host.pid())).expect("it runs").flatten();
    let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children"));
    tasks.flat_map(of).map(|pids| pids.split_whitespace().count()).sum()
}

#[test]
fn rollback_walks_backwards_and_never_to_what_it_has_left() {
    let host = Host::start(kv_v1());
    let mut client = host.resp();
    assert_eq!(host.refused(1, &["rollback"])["code"], "NOROLLBACK");
    host.swap(kv_v2());
    host.swap(kv_v1());
    assert_eq!(host.json(&["rollback"])["generation"], 2);
    assert_eq!(host.json(&["rollback"])["generation"], 1);
    let error = host.refused(1, &["rollback"]);
    assert_eq!(error["code"], "NOROLLBACK");
    let said = error.to_string();
    assert!(said.contains("kv 1.0.0 (generation 1)"), "the active one is named: {said}");
    assert_eq!(host.swap(kv_v2())["generation"], 4);
    assert_eq!(host.json(&["rollback"])["generation"], 1, "never forward to 2 or 3");
    host.refused(1, &["rollback"]);
    host.json(&["use", "3"]);
    assert_eq!(host.json(&["use", "2"])["from_generation"], 3);
    assert_eq!(host.json(&["rollback"])["generation"], 3, "an admin who uses it brings it back");
    assert_eq!(host.json(&["rollback"])["generation"], 1);
    assert_eq!(client.call(&["PING"]).text(), "PONG");
}

#[test]
fn what_a_rollback_has_left_is_no_way_back_though_it_served_before() {
    let host = Host::start(kv_v1());
    host.swap(kv_v2());
    host.json(&["use", "1"]);
    assert_eq!(host.json(&["rollback"])["generation"], 2);
    let error = host.refused(1, &["rollback"]);
    assert_eq!(error["code"], "NOROLLBACK", "1 served before 2, but was rolled back from");
    assert_eq!(host.status("generation"), 2);
}

#[test]
fn swap_makes_room_by_itself_and_load_is_refused() {
    let flags = ["--max-resident", "3", "--probation", "0"];
    let host = Host::with(kv_v1()).flags(&flags).start();
    host.swap(kv_v2());
    host.swap(kv_v1());
    let error = host.refused(1, &["load", text(&kv_v2())]);
    assert_eq!(error["code"], "TOOMANY");
    assert_eq!(error["detail"], "3 are resident, max-resident is 3");
    assert_eq!(host.swap(kv_v2())["discarded"], serde_json::json!([1]));
    assert_eq!(host.status("generations_resident"), 3);
    // Generations 2, 3 and 4 are there; 3 is the way back, so 2 goes.
    assert_eq!(host.swap(kv_v1())["discarded"], serde_json::json!([2]));
    assert_eq!(host.json(&["rollback"])["generation"], 4);
    assert_eq!(host.json(&["rollback"])["generation"], 3);
    assert_eq!(host.refused(1, &["rollback"])["code"], "NOROLLBACK");
    // Now 3 is active and nothing is the way back: the oldest goes.
    assert_eq!(host.swap(kv_v2())["discarded"], serde_json::json!([4]));
}

#[test]
fn the_active_generation_cannot_be_discarded() {
    let host = Host::start(kv_v1());
    let mut client = host.resp();
    let error = host.refused(1, &["discard", "1"]);
    assert_eq!(error["code"], "ACTIVE");
    assert_eq!(error["message"], "cannot discard kv 1.0.0 (generation 1) of server 'main'");
    assert_eq!(error["detail"], "it is the active generation");
    assert_eq!(client.call(&["PING"]).text(), "PONG");
}

#[test]
fn discard_unmaps_and_removes_the_private_copy() {
    let host = Host::start(kv_v1());
    let mut client = host.resp();
    assert_eq!(client.call(&["SET", "k", "from 1"]), ok());
    host.swap(kv_v2());
    assert!(host.maps_of("kv-1.0.0.so") > 0 && host.maps_of("kv-2.0.0.so") > 0);
    let discarded = host.json(&["discard", "1"]);
    assert_eq!(discarded["outcome"], "unmapped");
    assert_eq!(discarded["mapped"], false);
    assert_eq!(host.maps_of("kv-1.0.0.so"), 0);
    assert_eq!(staged(&host).len(), 1, "{:?}", staged(&host));
    assert_eq!(client.call(&["GET", "k"]), bulk("from 1"), "what the code of 1 wrote stays");
    assert_eq!(client.call(&["APPEND", "k", &"x".repeat(1000)]), Value::Int(1006));
}

fn staged(host: &Host) -> Vec<PathBuf> {
    let entries = fs::read_dir(host.folder.at("stage")).expect("the stage").flatten();
    entries.map(|entry| entry.path()).collect()
}

#[test]
fn images_that_stay_are_reported_and_limited() {
    let folder = Folder::new();
    let thread = folder.write("thread.so", &misbehave("thread"));
    let tls = folder.write("tls.so", &misbehave("tls-destructor"));
    let good = folder.write("good.so", &misbehave("none"));
    let host = Host::with(&good).flags(&["--max-retained", "2"]).start();
    let mut client = host.lines();
    for (number, file) in [(2, &thread), (4, &tls)] {
        host.swap(file);
        assert_eq!(client.ask("x"), "x ok");
        host.swap(&good);
        let discarded = host.json(&["discard", &number.to_string()]);
        assert_eq!(discarded["mapped"], true);
        let outcome = discarded["outcome"].as_str().expect("a text");
        assert!(outcome.starts_with("retained: still mapped after dlclose: "), "{outcome}");
    }
    let list = host.json(&["list"]);
    assert_eq!((&list[1]["status"], &list[1]["mapped"]), (&"discarded".into(), &true.into()));
    assert!(list[1]["retained"].is_string(), "{list}");
    assert_eq!(host.status("images_retained"), 2);
    for verb in ["swap", "load"] {
        let error = host.refused(1, &[verb, text(&good)]);
        assert_eq!(error["code"], "TOOMANY");
        let detail = error["detail"].as_str().expect("a text");
        assert!(detail.contains("max-retained is 2"), "{detail}");
    }
    assert_eq!(client.ask("count"), "count 3 3");
}

#[test]
fn a_hundred_swaps_leave_no_memory_no_mapping_and_no_descriptor() {
    let host = Host::start(kv_v1());
    let mut admin = host.admin();
    let files = [kv_v2(), kv_v1()];
    let mut swap = |times: usize| {
        for n in 0..times {
            let swapped = admin.call(&["swap", text(&files[n % 2])]);
            assert!(matches!(swapped, Value::Simple(_)), "{swapped:?}");
        }
    };
    swap(10);
    let (maps, descriptors) = (host.maps_of(""), host.descriptors());
    let (images, resident) = (host.maps_of("/stage/"), host.resident_bytes());
    swap(100);
    assert_eq!(host.maps_of("/stage/"), images);
    assert_eq!(host.descriptors(), descriptors);
    let more = host.maps_of("").saturating_sub(maps);
    assert!(more < 20, "{more} more mappings");
    // The last load's thread may still be giving back what it read.
    let grown = || host.resident_bytes().saturating_sub(resident);
    eventually("no memory has gone into a hundred swaps", || grown() < 4 << 20);
    assert_eq!(host.status("images_retained"), 0);
    assert_eq!(staged(&host).len(), 4);
}

#[test]
fn the_same_path_with_other_bytes_is_other_code() {
    let host_folder = Folder::new();
    let path = host_folder.write("plugin.so", &misbehave("none"));
    let host = Host::start(&path);
    let mut client = host.lines();
    assert_eq!(client.ask("x"), "x ok");
    let digest = |n: usize| host.json(&["list"])[n]["digest"].clone();
    // In place, as `cp` writes, and by renaming, as `install` does.
    host_folder.write("plugin.so", &misbehave("answer-otherwise"));
    host.swap(&path);
    assert_eq!(client.ask("x"), "x otherwise");
    assert_ne!(digest(0), digest(1));
    host_folder.install("plugin.so", &misbehave("none"));
    host.json(&["reload"]);
    assert_eq!(client.ask("x"), "x ok");
    assert_eq!(digest(0), digest(2));
    assert_eq!(client.ask("count"), "count 4 4");
}

#[test]
fn a_symlink_is_followed_anew_at_every_load() {
    let folder = Folder::new();
    let one = folder.write("one.so", &misbehave("none"));
    let two = folder.write("two.so", &misbehave("answer-otherwise"));
    let link = folder.at("current.so");
    symlink(&one, &link).expect("a link");
    let host = Host::start(&link);
    let mut client = host.lines();
    assert_eq!(client.ask("x"), "x ok");
    fs::remove_file(&link).expect("ours");
    symlink(&two, &link).expect("a link");
    assert_eq!(client.ask("x"), "x ok", "nothing happens by itself");
    host.json(&["reload"]);
    assert_eq!(client.ask("x"), "x otherwise");
    let name = |row: usize| {
        let path = host.json(&["list"])[row]["path"].as_str().map(PathBuf::from);
        path.and_then(|path| path.file_name().map(|name| name.to_owned())).expect("a path")
    };
    assert_eq!(name(1), "current.so", "the link is what a reload follows");
}

#[test]
fn a_file_that_is_cut_overwritten_or_removed_after_the_load_keeps_serving() {
    let folder = Folder::new();
    let path = folder.write("plugin.so", &misbehave("none"));
    let host = Host::start(&path);
    let mut client = host.lines();
    fs::OpenOptions::new().write(true).truncate(true).open(&path).expect("cut");
    assert_eq!(client.ask("x"), "x ok");
    assert_eq!(host.refused(1, &["reload"])["code"], "FILE");
    folder.write("plugin.so", &vec![0xcc; 1 << 20]);
    assert_eq!(client.ask("x"), "x ok");
    assert_eq!(host.refused(1, &["reload"])["code"], "ELF");
    fs::remove_file(&path).expect("removed");
    assert_eq!(client.ask("count"), "count 3 3");
    assert_eq!(host.refused(1, &["reload"])["code"], "FILE");
    assert_eq!(host.status("generation"), 1);
}

#[test]
fn sighup_reloads_every_server_from_its_own_file() {
    let folder = Folder::new();
    let [one, two] = ["one.so", "two.so"].map(|name| folder.write(name, &misbehave("none")));
    let server = |name: &str, file: &Path| {
        format!("[server.{name}]\nplugin = '{}'\nlisten = '127.0.0.1:0'\n", file.display())
    };
    let mut host = Host::bare().toml(&(server("one", &one) + &server("two", &two)), 2).start();
    let mut client = hotshell_tests::Lines::connect(host.servers["one"]);
    folder.install("one.so", &misbehave("answer-otherwise"));
    folder.install("two.so", b"half a build");
    host.signal(libc::SIGHUP);
    host.logs("WARN  reload: cannot load");
    host.logs("server=two by=\"signal SIGHUP\" code=ELF");
    host.logs("(generation 2), adopt");
    assert_eq!(client.ask("x"), "x otherwise");
    let generation =
        |host: &Host, name| host.json(&["status", "--server", name])["generation"].clone();
    assert_eq!((generation(&host, "one"), generation(&host, "two")), (2.into(), 1.into()));
    folder.install("two.so", &misbehave("answer-otherwise"));
    host.signal(libc::SIGHUP);
    eventually("both are reloaded", || {
        generation(&host, "two") == 2 && generation(&host, "one") == 3
    });
    assert!(host.is_running());
}

#[test]
fn a_stop_answers_what_was_asked_and_exits_0() {
    for ask in ["SIGTERM", "SIGINT", "shutdown"] {
        let mut host = Host::start(kv_v1());
        let (mut busy, mut slow, mut idle) = (host.resp(), host.resp(), host.resp());
        let big = "0123456789abcdef".repeat(128 << 10);
        assert_eq!(slow.call(&["SET", "big", &big]), ok());
        assert_eq!(idle.call(&["PING"]).text(), "PONG");
        slow.send(request(&["GET", "big"]).repeat(3));
        busy.send(request(&["INCR", "n"]).repeat(500));
        assert_eq!(busy.read(), Value::Int(1));
        match ask {
            "SIGTERM" => host.signal(libc::SIGTERM),
            "SIGINT" => host.signal(libc::SIGINT),
            _ => drop(host.json(&["shutdown"])),
        }
        for n in 2..=500 {
            assert_eq!(busy.read(), Value::Int(n));
        }
        for _ in 0..3 {
            assert_eq!(slow.read().text().len(), big.len(), "{ask}");
        }
        for client in [&mut busy, &mut slow, &mut idle] {
            assert_eq!(client.read_to_end(), "");
        }
        assert_eq!(host.wait().code(), Some(0), "{ask}");
        assert!(!host.admin.exists());
        assert!(staged(&host).is_empty(), "the private copies go: {:?}", staged(&host));
        assert!(std::net::TcpStream::connect(host.addr()).is_err());
    }
}

#[test]
fn a_stop_ends_a_running_load() {
    let mut host = Host::patient(kv_v1());
    let hangs = host.folder.write("hangs.so", &misbehave("ctor-hang"));
    let mut admin = host.admin();
    admin.send(request(&["swap", text(&hangs)]));
    eventually("the vet child runs", || children(&host) > 0);
    host.signal(libc::SIGTERM);
    assert_eq!(host.wait().code(), Some(0));
}

#[test]
fn several_servers_live_in_one_host_and_are_swapped_apart() {
    let needs_config = Folder::new();
    let moody = needs_config.write("moody.so", &misbehave("needs-config"));
    let counter = artifacts::plugin("counter-v1");
    let file = format!(
        "max-clients = 7\n[server.kv]\nplugin = '{}'\nlisten = '127.0.0.1:0'\n\
         [server.counter]\nplugin = '{}'\nlisten = '127.0.0.1:0'\n\
         [server.moody]\nplugin = '{}'\nlisten = '127.0.0.1:0'\n\
         [server.moody.config]\nmood = 'good'\n",
        kv_v1().display(),
        counter.display(),
        moody.display()
    );
    let host = Host::bare().toml(&file, 3).start();
    let mut kv = Resp::connect(host.servers["kv"]);
    let mut counter = hotshell_tests::Lines::connect(host.servers["counter"]);
    let mut moody = hotshell_tests::Lines::connect(host.servers["moody"]);
    assert_eq!(kv.call(&["SET", "k", "v"]), ok());
    assert_eq!(counter.ask("ann"), "1");
    assert_eq!(moody.ask("x"), "x ok");
    let two = artifacts::plugin("counter-v2");
    assert_eq!(host.json(&["swap", text(&two), "--server", "counter"])["generation"], 2);
    assert_eq!(counter.ask("ann"), "ann: 2 so far");
    assert_eq!(host.json(&["swap", text(&kv_v2()), "--server", "kv"])["generation"], 2);
    assert_eq!(kv.call(&["GET", "k"]), bulk("v"));
    let names = host.cli(&["command", "--server", "counter", "names"]).expect(0).stdout;
    assert_eq!(names, "1\n");
    assert_eq!(host.json(&["reload", "--server", "moody"])["generation"], 2, "with its config");
    let error = host.refused(1, &["swap", text(&kv_v2()), "--server", "moody"]);
    assert_eq!(error["code"], "OTHERPLUGIN");
    assert_eq!(host.json(&["rollback", "--server", "counter"])["generation"], 1);
    assert_eq!(counter.ask("ann"), "3");
    assert_eq!(host.json(&["status", "--server", "moody"])["generation"], 2);
}

#[test]
fn limits_on_clients_are_kept_and_told() {
    let flags = ["--max-clients", "2", "--max-unsent-bytes", "4MiB", "--max-unread-bytes", "1MiB"];
    let host = Host::with(kv_v1()).flags(&flags).start();
    let (mut one, mut two) = (host.resp(), host.resp());
    assert_eq!(one.call(&["PING"]).text(), "PONG");
    assert_eq!(two.call(&["SET", "big", &"x".repeat(500_000)]), ok());
    assert_eq!(host.resp().read_to_end(), "", "the third is turned away");
    eventually("it is counted, also without traffic", || host.status("rejected") == 1);
    assert_eq!(one.call(&["PING"]).text(), "PONG");
    two.send(request(&["GET", "big"]).repeat(100));
    eventually("one who does not read is closed", || host.status("closed_slow") == 1);
    host.logs("client: unsent output over the limit: closing server=main client=");
    let mut three = std::net::TcpStream::connect(host.addr()).expect("there is room again");
    // It may close before it has read everything.
    let _ = write!(three, "*2\r\n$3\r\nGET\r\n$9000000\r\n{}", "x".repeat(2 << 20));
    eventually("one whose request never ends is closed", || host.status("closed_unread") == 1);
    assert_eq!(one.call(&["PING"]).text(), "PONG");
}
