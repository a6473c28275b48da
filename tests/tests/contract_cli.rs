//! Goal: scripts can rely on the command line as the design page fixes it: exit codes, error objects,
//! how a host and a generation are named. Method: the built program, a host of its own per test.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use hotshell_tests::artifacts::plugin;
use hotshell_tests::cli::{self, skipped};
use hotshell_tests::host::text;
use hotshell_tests::{Folder, Host, Ran, eventually, hotshell, kv_v1, kv_v2, misbehave};

/// The three parts of a refusal for people: `error: ... [CODE]`, why, next.
#[track_caller]
fn three_parts(ran: &Ran, code: &str) {
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let first = lines[0].starts_with("error: ") && lines[0].ends_with(&format!("[{code}]"));
    assert!(first, "{lines:?}");
    assert!(lines[1].trim_start().starts_with("why: "), "{lines:?}");
    assert!(lines[2].trim_start().starts_with("next: "), "{lines:?}");
    assert_eq!(ran.stdout, "", "a failure prints nothing that a script could take for an answer");
}

#[test]
fn what_is_done_exits_0() {
    let host = Host::start(kv_v1());
    assert_eq!(host.cli(&["ping"]).expect(0).stdout, "PONG\n");
    let swapped = host.cli(&["swap", text(&kv_v2())]).expect(0).stdout;
    assert!(swapped.starts_with("kv 1.0.0 -> 2.0.0 (generation 2), by-name, stop "), "{swapped}");
    assert!(host.cli(&["list"]).expect(0).stdout.contains("way back"));
    assert!(host.cli(&["status"]).expect(0).stdout.contains("kv 2.0.0 (generation 2)"));
    host.cli(&["rollback"]).expect(0);
    host.cli(&["use", "2"]).expect(0);
    host.cli(&["reload"]).expect(0);
    let discarded = host.cli(&["discard", "1"]).expect(0).stdout;
    assert_eq!(discarded, "kv 1.0.0 (generation 1) is discarded, unmapped\n");
}

#[test]
fn a_refusal_exits_1_with_what_why_and_the_next_step() {
    let host = Host::start(kv_v1());
    let file = host.folder.write("notes.txt", b"no plugin");
    let before = host.json(&["list"]);
    let ran = host.cli(&["swap", text(&file)]).expect(1);
    three_parts(&ran, "ELF");
    let error = host.refused(1, &["swap", text(&file)]);
    assert_eq!(error["code"], "ELF");
    assert_eq!(error["message"], format!("cannot load '{}'", file.display()));
    assert_eq!(host.json(&["list"]), before);
}

#[test]
fn bad_usage_exits_2() {
    let host = Host::start(kv_v1());
    for args in [
        &["swap"][..],
        &["frobnicate"],
        &["list", "surplus"],
        &["use", "2", "--if-active", "two"],
        &["swap", "a.so", "--timeout", "soon"],
        &["swap", "a.so", "--no-such-option"],
        &["use", "not-a-generation"],
        &[],
    ] {
        let ran = host.cli(args).expect(2);
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{args:?}: {ran:?}");
    }
    for args in [&["swap"][..], &["frobnicate"], &["list", "surplus"], &["rollback", "--now"]] {
        let error = host.refused(2, args);
        assert_eq!(error["code"], "USAGE");
        for part in ["message", "detail", "hint"] {
            assert_ne!(error[part], "", "{args:?}: {error}");
        }
    }
}

#[test]
fn an_unreachable_host_exits_3() {
    let folder = Folder::new();
    let nobody = folder.at("nobody.sock");
    let ran = hotshell(["list", "--admin", text(&nobody)]).expect(3);
    three_parts(&ran, "UNREACHABLE");
    let error = hotshell(["list", "--json", "--admin", text(&nobody)]).expect(3).error();
    assert_eq!(error["code"], "UNREACHABLE");
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("hotshell serve")), "{error}");
}

#[test]
fn a_busy_host_exits_4_and_names_the_holder() {
    let host = Host::patient(kv_v1());
    let hangs = host.folder.write("hangs.so", &misbehave("ctor-hang"));
    let mut holder = host.admin();
    holder.send(format!("swap {}\r\n", hangs.display()));
    eventually("the load is under way", || !host.json(&["status"])["busy"].is_null());
    let error = host.refused(4, &["swap", text(&kv_v2())]);
    assert_eq!(error["code"], "BUSY");
    let detail = error["detail"].as_str().expect("a text");
    let who = format!("`swap {}` on server 'main', asked by admin pid", hangs.display());
    assert!(detail.starts_with(&who), "{detail}");
    three_parts(&host.cli(&["load", text(&kv_v2())]).expect(4), "BUSY");
}

#[test]
fn a_time_limit_exits_5_and_the_work_goes_on() {
    let folder = Folder::new();
    let host = Host::with(kv_v1()).flags(&["--data", text(&folder.at("data"))]);
    let host = host.env("SLOW_DISK", folder.at("order")).env("LD_PRELOAD", plugin("slow-disk"));
    let host = host.start();
    // The copy of the new code does not come to the disk before the time is over.
    folder.install("order", b"wait for files");
    let error = host.refused(5, &["swap", text(&kv_v2()), "--timeout", "1ms"]);
    assert_eq!(error["code"], "TIMEOUT");
    folder.install("order", b"as it does");
    eventually("the swap is done all the same", || host.status("generation") == 2);
}

#[test]
fn a_connection_lost_after_sending_exits_5() {
    let mut host = Host::patient(kv_v1());
    let hangs = host.folder.write("hangs.so", &misbehave("ctor-hang"));
    let (admin, file) = (host.admin.clone(), hangs);
    let asker = std::thread::spawn(move || {
        hotshell(["swap", "--json", text(&file), "--admin", text(&admin)])
    });
    eventually("the load is under way", || !host.json(&["status"])["busy"].is_null());
    host.signal(libc::SIGKILL);
    host.wait();
    let ran = asker.join().expect("no panic").expect(5);
    assert_eq!(ran.error()["code"], "TIMEOUT");
}

#[test]
fn a_dry_run_answers_the_plan_and_changes_nothing() {
    let host = Host::start(kv_v1());
    let before = host.json(&["list"]);
    let plan = host.json(&["swap", text(&kv_v2()), "--dry-run"]);
    assert_eq!((&plan["dry_run"], &plan["migration"]), (&true.into(), &"by-name".into()));
    assert!(plan["pause_us"].is_null() && plan["generation"].is_null(), "{plan}");
    assert_eq!((&plan["set_aside"], &plan["from_generation"]), (&0.into(), &1.into()));
    assert_eq!(host.json(&["list"]), before);
    assert_eq!(host.maps_of("2.0.0.so"), 0, "nothing stays mapped");
    host.swap(kv_v2());
    let before = host.json(&["list"]);
    assert_eq!(host.json(&["rollback", "--dry-run"])["generation"], 1);
    assert_eq!(host.json(&["use", "1", "--dry-run"])["generation"], 1);
    assert_eq!(host.json(&["list"]), before);
    assert_eq!(host.status("swaps"), 1);
}

#[test]
fn a_verb_with_if_active_is_refused_when_another_generation_is_active() {
    let host = Host::start(kv_v1());
    host.swap(kv_v2());
    for args in [
        &["swap", text(&kv_v1()), "--if-active", "1"][..],
        &["use", "1", "--if-active", "1"],
        &["rollback", "--if-active", "1"],
    ] {
        let error = host.refused(1, args);
        assert_eq!(error["code"], "MOVED");
        assert_eq!(error["message"], "generation 1 of server 'main' is not active");
        assert_eq!(error["detail"], "kv 2.0.0 (generation 2) is");
    }
    assert_eq!(host.status("generation"), 2);
    assert_eq!(host.json(&["rollback", "--if-active", "2"])["generation"], 1);
}

#[test]
fn a_generation_is_named_by_number_or_by_name_and_version() {
    let host = Host::start(kv_v1());
    host.json(&["load", text(&kv_v2())]);
    assert_eq!(host.json(&["use", "kv@2.0.0"])["generation"], 2);
    host.json(&["load", text(&kv_v2())]);
    let error = host.refused(1, &["use", "kv@2.0.0"]);
    assert_eq!(error["code"], "AMBIGUOUS");
    assert_eq!(error["detail"], "generations 2, 3 are kv@2.0.0");
    let error = host.refused(1, &["use", "kv@9.9.9"]);
    assert_eq!(error["code"], "NOGENERATION");
    assert!(error["detail"].as_str().is_some_and(|d| d.contains("kv 1.0.0 (generation 1)")));
    assert_eq!(host.refused(1, &["use", "9"])["code"], "NOGENERATION");
    assert_eq!(host.refused(1, &["discard", "9"])["code"], "NOGENERATION");
    host.json(&["discard", "3"]);
    assert_eq!(host.refused(1, &["use", "3"])["code"], "DISCARDED");
    assert_eq!(host.json(&["discard", "kv@1.0.0"])["generation"], 1);
}

#[test]
fn a_server_is_named_when_there_are_several() {
    let host = Host::bare().toml(&two_servers(), 2).start();
    let error = host.refused(1, &["swap", text(&kv_v2())]);
    assert_eq!(error["code"], "SERVER");
    assert_eq!(error["message"], "the server must be named");
    assert!(error["detail"].as_str().is_some_and(|d| d.contains("left") && d.contains("right")));
    assert_eq!(host.refused(1, &["status", "--server", "middle"])["code"], "SERVER");
    assert_eq!(host.json(&["swap", text(&kv_v2()), "--server", "right"])["server"], "right");
    assert_eq!(host.json(&["status", "--server", "left"])["generation"], 1);
    assert_eq!(host.json(&["status", "--server", "right"])["generation"], 2);
    assert_eq!(host.json(&["list"]).as_array().map(Vec::len), Some(3));
    assert_eq!(host.json(&["list", "--server", "left"]).as_array().map(Vec::len), Some(1));
}

fn two_servers() -> String {
    let server = |name: &str| {
        let plugin = kv_v1();
        format!("[server.{name}]\nplugin = '{}'\nlisten = '127.0.0.1:0'\n", plugin.display())
    };
    server("left") + &server("right")
}

#[test]
fn a_relative_path_is_made_absolute_by_the_command_line() {
    let host = Host::start(kv_v1());
    fs::copy(kv_v2(), host.folder.at("next.so")).expect("copied");
    let mut command = cli::command();
    command.current_dir(host.folder.path()).args(["swap", "./next.so", "--json", "--admin"]);
    let ran = cli::run(command.arg(&host.admin)).expect(0);
    assert_eq!(ran.json()["generation"], 2);
    let path = host.folder.path().canonicalize().expect("there").join("next.so");
    assert_eq!(host.json(&["list"])[1]["path"], text(&path));
}

#[test]
fn the_admin_socket_is_named_by_variable_or_by_flag() {
    let (one, two) = (Host::start(kv_v1()), Host::start(kv_v1()));
    let ask = |args: &[&str]| {
        let mut command = cli::command();
        let ran = cli::run(command.env("HOTSHELL_ADMIN", &one.admin).args(args));
        ran.expect(0).json()["pid"].clone()
    };
    assert_eq!(ask(&["status", "--json"]), one.pid());
    assert_eq!(ask(&["status", "--json", "--admin", text(&two.admin)]), two.pid());
}

/// Sockets of other hosts of this user, in the folder that every command line looks into.
fn strangers() -> bool {
    // SAFETY: it cannot fail.
    let folder = format!("/tmp/hotshell-{}", unsafe { libc::geteuid() });
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| UnixStream::connect(path).is_ok())
}

fn with_runtime(variable: &str, folder: &Path) -> Command {
    let mut command = cli::command();
    command.env(variable, folder).args(["status", "--json"]);
    command
}

#[test]
fn the_only_live_socket_is_found_and_several_are_listed() {
    if strangers() {
        return skipped("another host of this user runs");
    }
    let runtime = Folder::new();
    let status = || cli::run(&mut with_runtime("XDG_RUNTIME_DIR", runtime.path()));
    let none = status().expect(3).error();
    assert_eq!(none["code"], "UNREACHABLE");
    assert_eq!(none["message"], "no host is running");
    let in_runtime = || {
        let host = Host::with(kv_v1()).admin(None);
        host.env("XDG_RUNTIME_DIR", runtime.path()).start()
    };
    let one = in_runtime();
    let default = runtime.at(&format!("hotshell/{}.sock", one.addr().port()));
    assert_eq!(one.admin, default);
    runtime.write("hotshell/1.sock", b"a stale one does not count");
    assert_eq!(status().expect(0).json()["pid"], one.pid());
    let two = in_runtime();
    let several = status().expect(2).error();
    assert_eq!(several["message"], "several hosts are running");
    for host in [&one, &two] {
        assert!(several["detail"].as_str().is_some_and(|d| d.contains(text(&host.admin))));
    }
    drop(one);
    let found = status().expect(0).json();
    assert_eq!(found["pid"], two.pid(), "the socket of a host that was killed does not count");
}

#[test]
fn the_folder_that_a_service_manager_gives_is_used_as_it_is() {
    if strangers() {
        return skipped("another host of this user runs");
    }
    let runtime = Folder::new();
    let host = Host::with(kv_v1()).admin(None).env("RUNTIME_DIRECTORY", runtime.path()).start();
    assert_eq!(host.admin, runtime.at(&format!("{}.sock", host.addr().port())));
    let found = cli::run(&mut with_runtime("RUNTIME_DIRECTORY", runtime.path())).expect(0).json();
    assert_eq!(found["pid"], host.pid());
}

#[test]
fn words_of_other_systems_are_answered_with_the_right_verb() {
    for (typed, verb) in
        [("unload", "discard"), ("upgrade", "swap"), ("undo", "rollback"), ("staus", "status")]
    {
        let ran = hotshell([typed, "1", "--json"]).expect(2);
        let hint = ran.error()["hint"].to_string();
        assert!(hint.contains(&format!("the verb is `{verb}")), "{typed}: {hint}");
    }
}

#[test]
fn help_teaches() {
    let has = |help: &str, words: &[&str]| {
        for word in words {
            assert!(help.contains(word), "{word} is missing:\n{help}");
        }
    };
    let help = hotshell(["--help"]).expect(0).stdout;
    has(&help, &["serve", "swap", "rollback", "First steps:", "Exit codes:", "redis-cli -e -s"]);
    let swap = hotshell(["swap", "--help"]).expect(0).stdout;
    has(&swap, &["--if-active <GEN>", "--dry-run", "--wait", "--timeout", "Examples:"]);
    let serve = hotshell(["serve", "--help"]).expect(0).stdout;
    has(&serve, &["--plugin <FILE>", "--listen", "--admin", "--data", "--config", "--watch"]);
    has(&serve, &["--check-config", "SIGHUP", "[server.cache]"]);
    let swap = hotshell(["help", "swap", "--json"]).expect(0).json();
    assert!(swap["help"].as_array().is_some_and(|lines| lines.contains(&"Examples:".into())));
    assert_eq!(hotshell(["help"]).expect(0).stdout.trim_end(), help.trim_end());
    let error = hotshell(["help", "frobnicate", "--json"]).expect(2).error();
    assert_eq!(error["message"], "there is no verb 'frobnicate'");
    let version = hotshell(["--version"]).expect(0).stdout;
    assert_eq!(version, format!("hotshell {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_file_is_checked_without_a_host() {
    let file = kv_v1();
    let verdict = hotshell(["check", "--json", text(&file)]).expect(0).json();
    assert_eq!((&verdict["plugin"], &verdict["version"]), (&"kv".into(), &"1.0.0".into()));
    assert_eq!(verdict["one_way"], false);
    let said = hotshell(["check", text(&file)]).expect(0).stdout;
    assert!(said.starts_with("kv 1.0.0 is sound\n"), "{said}");
    let folder = Folder::new();
    let refuses = folder.write("refuses.so", &misbehave("init-refuse"));
    three_parts(&hotshell(["check", text(&refuses)]).expect(1), "REFUSED");
    let ran = hotshell(["check", "--json", text(&folder.at("nowhere.so"))]).expect(1);
    assert_eq!(ran.error()["code"], "FILE");
    hotshell(["check"]).expect(2);
}

#[test]
fn a_file_is_compared_with_what_serves_when_a_host_is_named() {
    let host = Host::start(kv_v1());
    let file = kv_v2();
    let check = ["check", text(&file), "--json", "--admin", text(&host.admin)];
    let verdict = hotshell(check).expect(0).json();
    assert_eq!(verdict["against"], "kv 1.0.0 (generation 1)");
    assert_eq!(verdict["migration"], "by-name");
    assert_eq!(host.json(&["list"]).as_array().map(Vec::len), Some(1), "checking loads nothing");
}

#[test]
fn a_configuration_is_checked_and_printed_as_a_file() {
    let folder = Folder::new();
    let plugin = kv_v1();
    let args = ["serve", "--check-config", "--plugin", text(&plugin), "--listen", "127.0.0.1:0"];
    let printed = hotshell(args).expect(0).stdout;
    assert!(printed.contains("[server.main]") && printed.contains("max-clients = "), "{printed}");
    let file = folder.write("printed.toml", printed.as_bytes());
    let again = hotshell(["serve", "--check-config", "--config", text(&file)]).expect(0).stdout;
    assert_eq!(again, printed, "what is printed is a file that says the same");
    let bad = folder.write("bad.toml", b"plugin = 'x.so'\nmax_client = 3\n");
    let ran = hotshell(["serve", "--check-config", "--config", text(&bad)]).expect(2);
    assert!(ran.stderr.contains("bad.toml:2: unknown key 'max_client'"), "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean 'max-clients'?"), "{}", ran.stderr);
}

#[test]
fn a_wrong_flag_of_serve_is_named_with_the_next_step() {
    let plugin = kv_v1();
    let plugin = text(&plugin);
    for (args, what) in [
        (&["serve"][..], "server 'main' has no plugin"),
        (&["serve", "--plugin", plugin, "--listen", "nowhere"], "--listen = 'nowhere'"),
        (&["serve", "--plugin", plugin, "--max-clients", "0"], "--max-clients = '0'"),
        (&["serve", "--plugin", plugin, "--max-resident", "1"], "--max-resident = '1'"),
        (&["serve", "--plugin", plugin, "--max-unread-bytes", "many"], "--max-unread-bytes"),
        (&["serve", "--plugin", plugin, "--log-format", "xml"], "--log-format = 'xml'"),
        (&["serve", "--plugin", plugin, "--name", "a b"], "'a b' is not a server's name"),
        (&["serve", "--plugin", plugin, "--admin-group", "no such group"], "no such group"),
        (&["serve", "--plugin", plugin, "--frobnicate"], "--frobnicate"),
        (&["serve", "--config", "/nowhere/hotshell.toml"], "/nowhere/hotshell.toml"),
        (&["serve", "--plugin", plugin, "--fsync", "never"], "always, everysec or no"),
    ] {
        let folder = Folder::new();
        let mut command = cli::command();
        command.args(args).env("XDG_RUNTIME_DIR", folder.path());
        let said = cli::run(&mut command).expect(2).stderr;
        assert!(said.contains(what) && said.contains("next: "), "{args:?}: {said}");
    }
}

#[test]
fn a_host_that_cannot_start_says_why_and_leaves_nothing() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("an address").to_string();
    let (folder, plugin) = (Folder::new(), kv_v1());
    let missing = folder.at("missing.so");
    let bad = folder.write("bad.so", b"not a plugin");
    let refuses = folder.write("refuses.so", &misbehave("init-refuse"));
    for (plugin, listen, code, what) in [
        (&plugin, addr.as_str(), "START", addr.as_str()),
        (&missing, "127.0.0.1:0", "FILE", "missing.so"),
        (&bad, "127.0.0.1:0", "ELF", "bad.so"),
        (&refuses, "127.0.0.1:0", "REFUSED", "told to refuse in init"),
    ] {
        let (admin, stage) = (folder.at("admin.sock"), folder.at("stage"));
        let mut command = cli::command();
        command.args(["serve", "--plugin", text(plugin), "--listen", listen]);
        command.args(["--admin", text(&admin), "--stage-dir", text(&stage)]);
        let ran = cli::run(&mut command).expect(1);
        three_parts(&ran, code);
        assert!(ran.stderr.contains(what), "{what}: {}", ran.stderr);
        assert!(!admin.exists(), "the socket goes");
        let staged = fs::read_dir(&stage).map_or(0, Iterator::count);
        assert_eq!(staged, 0, "the private copy goes");
    }
}
