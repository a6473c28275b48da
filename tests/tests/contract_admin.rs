//! Goal: the admin socket answers any client of RESP as the design page fixes it, whatever is thrown
//! at it, and lets nobody else in. Method: bytes on the raw socket.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use hotshell_tests::cli::{self, peer, skipped};
use hotshell_tests::host::text;
use hotshell_tests::resp::{bulk, request};
use hotshell_tests::{Folder, Host, Resp, Value, eventually, kv_v1, kv_v2};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").mode() & 0o777
}

#[test]
fn arrays_and_inline_commands_are_understood() {
    let host = Host::start(kv_v1());
    let mut admin = host.admin();
    let pong = Value::Simple("PONG".to_owned());
    assert_eq!(admin.call(&["ping"]), pong);
    assert_eq!(admin.call(&["PING"]), pong);
    admin.send("ping\r\n");
    assert_eq!(admin.read(), pong);
    admin.send("ping\n");
    assert_eq!(admin.read(), pong, "nc sends no carriage return");
    admin.send("\r\n  ping  \r\n");
    assert_eq!(admin.read(), pong, "an empty line is nothing");
    admin.send(format!("swap \"{}\"\r\n", kv_v2().display()));
    assert!(admin.read().text().starts_with("kv 1.0.0 -> 2.0.0 (generation 2), by-name"));
}

#[test]
fn requests_that_come_at_once_are_answered_in_order() {
    let host = Host::start(kv_v1());
    let mut admin = host.admin();
    let swap = request(&["swap", text(&kv_v2()), "--json"]);
    let rest = [request(&["rollback", "--json"]), b"ping\r\nnonsense\r\nuse 2\r\n".to_vec()];
    admin.send([swap, rest.concat()].concat());
    let json = |value: Value| serde_json::from_str::<serde_json::Value>(&value.text());
    assert_eq!(json(admin.read()).expect("JSON")["generation"], 2);
    assert_eq!(json(admin.read()).expect("JSON")["generation"], 1);
    assert_eq!(admin.read().text(), "PONG");
    assert!(admin.read().error().starts_with("USAGE "));
    assert!(admin.read().text().contains("(generation 2)"));
}

#[test]
fn a_request_that_comes_in_pieces_is_put_together() {
    let host = Host::start(kv_v1());
    let mut admin = host.admin();
    for byte in request(&["ping"]) {
        admin.send([byte]);
    }
    assert_eq!(admin.read().text(), "PONG");
}

#[test]
fn tables_are_arrays_of_lines_and_errors_one_line() {
    let host = Host::start(kv_v1());
    let mut admin = host.admin();
    let list = admin.call(&["list"]);
    assert!(list.array()[0].text().starts_with("GEN  PLUGIN"), "{list:?}");
    assert!(list.array()[1].text().contains("active"), "{list:?}");
    let Value::Error(refused) = admin.call(&["discard", "1"]) else { panic!("an error") };
    assert!(refused.starts_with("ACTIVE cannot discard kv 1.0.0 (generation 1)"), "{refused}");
    assert!(refused.contains(": it is the active generation; `use` another"), "{refused}");
    let Value::Bulk(json) = admin.call(&["list", "--json"]) else { panic!("a bulk string") };
    assert!(serde_json::from_slice::<serde_json::Value>(&json).expect("JSON").is_array());
}

#[test]
fn after_hello_3_of_a_hotshell_client_tables_are_verbatim_and_errors_blobs() {
    let host = Host::start(kv_v1());
    let mut admin = host.admin();
    let Value::Map(hello) = admin.call(&["HELLO", "3", "SETNAME", "hotshell"]) else {
        panic!("a map")
    };
    assert!(hello.contains(&(bulk("server"), bulk("hotshell"))), "{hello:?}");
    assert!(hello.contains(&(bulk("proto"), Value::Int(3))), "{hello:?}");
    let Value::Verbatim(list) = admin.call(&["list"]) else { panic!("verbatim") };
    assert_eq!(list.lines().count(), 2);
    let Value::BlobError(refused) = admin.call(&["discard", "1"]) else { panic!("a blob error") };
    let lines: Vec<&str> = refused.lines().collect();
    assert_eq!(lines[0], "ACTIVE cannot discard kv 1.0.0 (generation 1) of server 'main'");
    assert_eq!(lines[1], "it is the active generation");
    assert_eq!(lines[2], "`use` another generation first, then discard this one");
    assert!(matches!(admin.call(&["HELLO", "2"]), Value::Array(_)));
    assert!(matches!(admin.call(&["list"]), Value::Array(_)));
    assert!(admin.call(&["HELLO", "4"]).error().starts_with("NOPROTO"));
}

#[test]
fn what_client_libraries_say_by_themselves_is_answered() {
    let host = Host::start(kv_v1());
    let mut admin = host.admin();
    assert_eq!(admin.call(&["COMMAND", "DOCS"]), Value::Array(Vec::new()));
    assert_eq!(admin.call(&["COMMAND"]), Value::Array(Vec::new()));
    assert_eq!(admin.call(&["CLIENT", "SETINFO", "LIB-NAME", "x"]).text(), "OK");
    assert_eq!(admin.call(&["SELECT", "0"]).text(), "OK");
    assert_eq!(admin.call(&["QUIT"]).text(), "OK");
    assert_eq!(admin.read_to_end(), "");
}

#[test]
fn a_relative_path_is_refused() {
    let host = Host::start(kv_v1());
    for verb in ["swap", "load", "reload", "check"] {
        let refused = host.admin().call(&[verb, "libkv_v2.so"]).error();
        assert!(
            refused.starts_with("RELATIVEPATH 'libkv_v2.so' is a relative path: "),
            "{refused}"
        );
    }
    assert_eq!(host.json(&["list"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn code_cannot_be_loaded_from_the_client_port() {
    let host = Host::start(kv_v1());
    let mut client = host.resp();
    for verb in ["swap", "load", "use", "reload", "rollback"] {
        let refused = client.call(&[verb, text(&kv_v2())]).error();
        assert!(refused.starts_with("ERR unknown command"), "{verb}: {refused}");
    }
    assert_eq!(host.json(&["list"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn an_oversized_request_is_refused_and_closed() {
    let host = Host::start(kv_v1());
    let big = vec![b'x'; 200_000];
    for bytes in [big.clone(), [b"*1\r\n$200000\r\n".to_vec(), big].concat(), b"*100000\r\n".into()]
    {
        let mut stream = UnixStream::connect(&host.admin).expect("a host");
        // It may close before it has read everything.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.starts_with("-USAGE protocol error: "), "{said:?}");
    }
    assert_eq!(host.admin().call(&["ping"]).text(), "PONG");
}

#[test]
fn garbage_is_refused_and_closed() {
    let host = Host::start(kv_v1());
    for bytes in [
        &b"\x00\x01\x02\xff\xfe\r\n"[..],
        b"*1\r\n:4\r\nping\r\n",
        b"*-5\r\n",
        b"*1\r\n$x\r\n",
        b"*1\r\n$3\r\nping\r\n",
        b"swap \"unbalanced\r\n",
        b"*99999999999999999999999\r\n",
    ] {
        let mut admin = host.admin();
        admin.send(bytes);
        let said = admin.read_to_end();
        assert!(said.starts_with("-USAGE protocol error: "), "{bytes:?}: {said:?}");
    }
    assert!(host.admin().call(&["\u{7f}\u{1b}[2J"]).error().starts_with("USAGE there is no verb"));
    assert_eq!(host.admin().call(&["ping"]).text(), "PONG");
}

#[test]
fn an_admin_that_goes_away_after_asking_cancels_nothing() {
    let host = Host::start(kv_v1());
    let mut admin = host.admin();
    admin.send(request(&["swap", text(&kv_v2())]));
    drop(admin);
    eventually("the swap is done", || host.status("generation") == 2);
}

#[test]
fn an_admin_that_goes_away_in_mid_command_has_asked_nothing() {
    let host = Host::start(kv_v1());
    let whole = request(&["swap", text(&kv_v2())]);
    for cut in [1, 4, 10, whole.len() - 1] {
        host.admin().send(&whole[..cut]);
    }
    host.admin().send(b"*2\r\n$4\r\nswap\r\n");
    assert_eq!(host.admin().call(&["ping"]).text(), "PONG");
    let status = host.json(&["status"]);
    assert_eq!((&status["generation"], &status["busy"]), (&1.into(), &serde_json::Value::Null));
}

#[test]
fn a_half_close_cancels_nothing_and_is_answered() {
    let host = Host::start(kv_v1());
    let mut admin = host.admin();
    admin.send(format!("swap {}\n", kv_v2().display()));
    admin.half_close();
    let said = admin.read_to_end();
    assert!(said.starts_with("+kv 1.0.0 -> 2.0.0 (generation 2)"), "{said:?}");
    let mut admin = host.admin();
    admin.send("ping");
    admin.half_close();
    assert_eq!(admin.read_to_end(), "+PONG\r\n", "the end of the input ends the line, too");
}

#[test]
fn too_many_admins_are_turned_away_until_one_leaves() {
    let host = Host::start(kv_v1());
    let mut open: Vec<Resp> = (0..64).map(|_| host.admin()).collect();
    for admin in &mut open {
        assert_eq!(admin.call(&["ping"]).text(), "PONG");
    }
    let said = host.admin().read_to_end();
    assert!(said.starts_with("-DENIED one admin too many: at most 64 "), "{said:?}");
    let error = host.refused(1, &["status"]);
    assert_eq!(error["code"], "DENIED");
    assert_eq!(open[0].call(&["ping"]).text(), "PONG", "those who are in stay");
    open.clear();
    eventually("there is room again", || host.cli(&["ping"]).code == 0);
}

#[test]
fn only_its_user_may_use_the_socket() {
    let host = Host::start(kv_v1());
    let file = fs::symlink_metadata(&host.admin).expect("it is there");
    assert!(file.file_type().is_socket());
    assert_eq!(mode(&host.admin), 0o600);
    let folder = Folder::new();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("ours");
    let deep = folder.at("made/by/it/admin.sock");
    let host = Host::with(kv_v1()).admin(Some(deep.clone())).start();
    assert_eq!((mode(&deep), mode(deep.parent().expect("a folder"))), (0o600, 0o700));
    drop(host);
    let runtime = Folder::new();
    let host = Host::with(kv_v1()).admin(None).env("XDG_RUNTIME_DIR", runtime.path()).start();
    assert_eq!((mode(&host.admin), mode(&runtime.at("hotshell"))), (0o600, 0o700));
}

#[test]
fn a_group_may_be_let_in() {
    let host = Host::with(kv_v1()).flags(&["--admin-group", "0"]);
    // SAFETY: it cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return skipped("only root may give files to any group");
    }
    let host = host.start();
    assert_eq!(mode(&host.admin), 0o660);
    let said = as_stranger(&host, &["--clear-groups"]);
    assert!(said.is_none_or(|said| said.contains("DENIED") || said.contains("ermission denied")));
    let said = as_stranger(&host, &["--groups=0"]);
    assert!(said.is_none_or(|said| said == "PONG\n"), "a supplementary group counts");
}

#[test]
fn a_group_gets_through_a_default_folder_that_was_made_without_one() {
    let runtime = Folder::new();
    // SAFETY: it cannot fail.
    let group = unsafe { libc::getegid() }.to_string();
    let start = |flags: &[&str]| {
        let host = Host::with(kv_v1()).flags(flags).admin(None);
        host.env("XDG_RUNTIME_DIR", runtime.path()).start()
    };
    let folder = runtime.at("hotshell");
    drop(start(&[]));
    assert_eq!(mode(&folder), 0o700);
    let host = start(&["--admin-group", &group]);
    assert_eq!((mode(&host.admin), mode(&folder)), (0o660, 0o710));
    drop(host);
    // Others can look around in this one already: it is somebody's choice.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("ours");
    drop(start(&["--admin-group", &group]));
    assert_eq!(mode(&folder), 0o755);
}

/// What `ping` says as a user who is neither the host's nor root; `None` when nobody can be one.
fn as_stranger(host: &Host, groups: &[&str]) -> Option<String> {
    let setpriv = peer("setpriv")?;
    // A stranger cannot walk to the program or the socket through other people's folders.
    let place = tempfile::Builder::new().prefix("hs").tempdir().expect("a folder");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(place.path(), open.clone()).expect("ours");
    fs::set_permissions(host.folder.path(), open).expect("ours");
    let program = place.path().join("hotshell");
    // By a process of its own: one that another test starts meanwhile would have our copy open for writing,
    // and then nobody may run it.
    let copied = Command::new("cp").arg(cli::program()).arg(&program).status();
    assert!(copied.expect("cp runs").success());
    let mut command = Command::new(setpriv);
    command.args(["--reuid=65534", "--regid=65534"]).args(groups).arg("--").arg(program);
    command.args(["ping", "--admin", text(&host.admin)]);
    let ran = cli::run(&mut command);
    Some(ran.stdout + &ran.stderr)
}

#[test]
fn another_user_is_turned_away_even_when_the_mode_lets_him_in() {
    // SAFETY: it cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return skipped("only root can become another user");
    }
    let host = Host::start(kv_v1());
    let Some(said) = as_stranger(&host, &["--clear-groups"]) else { return };
    assert!(said.contains("ermission denied"), "the mode keeps him out: {said}");
    fs::set_permissions(&host.admin, fs::Permissions::from_mode(0o666)).expect("ours");
    let said = as_stranger(&host, &["--clear-groups"]).expect("it was there");
    assert!(said.contains("this admin socket is not yours [DENIED]"), "{said}");
    assert!(said.contains("you are user 65534, the host runs as user 0"), "{said}");
    host.logs("this admin socket is not yours");
    assert_eq!(host.admin().call(&["ping"]).text(), "PONG");
}

#[test]
fn a_stale_socket_is_replaced() {
    let folder = Folder::new();
    let path = folder.at("admin.sock");
    drop(UnixListener::bind(&path).expect("leaves a stale socket behind"));
    let mut host = Host::with(kv_v1()).admin(Some(path.clone())).start();
    assert_eq!(host.admin().call(&["ping"]).text(), "PONG");
    host.signal(libc::SIGKILL);
    host.wait();
    assert!(path.exists(), "a host that is killed leaves it behind");
    let mut host = Host::with(kv_v1()).admin(Some(path.clone())).start();
    assert_eq!(host.admin().call(&["ping"]).text(), "PONG");
    host.signal(libc::SIGTERM);
    assert!(host.wait().success());
    assert!(!path.exists(), "one that ends takes it along");
}

#[test]
fn a_live_socket_is_refused_with_the_pid_of_its_host() {
    let host = Host::start(kv_v1());
    let plugin = kv_v1();
    let mut command = cli::command();
    command.args(["serve", "--plugin", text(&plugin), "--listen", "127.0.0.1:0", "--admin"]);
    let ran = cli::run(command.arg(&host.admin)).expect(1);
    assert!(ran.stderr.contains("[START]"), "{}", ran.stderr);
    let who = format!("the host with pid {} answers there", host.pid());
    assert!(ran.stderr.contains(&who), "{}", ran.stderr);
    assert_eq!(host.admin().call(&["ping"]).text(), "PONG", "the first one is untouched");
}

#[test]
fn a_file_in_the_sockets_place_is_left_alone() {
    let folder = Folder::new();
    let path = folder.write("admin.sock", b"precious");
    let plugin = kv_v1();
    let mut command = cli::command();
    command.args(["serve", "--plugin", text(&plugin), "--listen", "127.0.0.1:0", "--admin"]);
    let ran = cli::run(command.arg(&path)).expect(1);
    assert!(ran.stderr.contains("a file that is not a socket is in its place"), "{}", ran.stderr);
    assert_eq!(fs::read(&path).expect("still there"), b"precious");
}

#[test]
fn redis_cli_can_do_all_of_it() {
    let Some(redis_cli) = peer("redis-cli") else { return };
    let host = Host::start(kv_v1());
    let ask = |args: &[&str]| {
        let mut command = Command::new(&redis_cli);
        cli::run(command.args(["-e", "-s", text(&host.admin)]).args(args))
    };
    assert_eq!(ask(&["ping"]).expect(0).stdout, "PONG\n");
    let swapped = ask(&["swap", text(&kv_v2())]).expect(0).stdout;
    assert!(swapped.starts_with("kv 1.0.0 -> 2.0.0 (generation 2), by-name, stop "), "{swapped}");
    assert_eq!(ask(&["list"]).expect(0).stdout.lines().count(), 3);
    assert!(ask(&["-3", "list"]).expect(0).stdout.starts_with("GEN  PLUGIN"));
    let refused = ask(&["swap", "relative.so"]);
    assert_eq!(refused.code, 1, "-e makes a refusal a failure");
    let said = refused.stdout + &refused.stderr;
    assert!(said.starts_with("RELATIVEPATH "), "{said}");
    assert_eq!(ask(&["rollback", "--json"]).expect(0).json()["generation"], 1);
}
