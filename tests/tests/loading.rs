//! Goal: a start that loads for long is visible, and clients that come meanwhile are answered and kept.
//! Method: a host on a journal of many records, asked from all sides while it reads them back.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::process::Stdio;

use hotshell_tests::cli;
use hotshell_tests::eventually;
use hotshell_tests::files::{Folder, kv_v1};
use hotshell_tests::host::{Host, text};
use hotshell_tests::http::get;
use hotshell_tests::port::Port;
use hotshell_tests::resp::{Resp, Value, request};

/// Commands of the journal that take milliseconds each: some seconds of reading back.
const SLOW: usize = 300;
/// Bytes that each of them goes through.
const BYTES: &str = "100000";
const LOADING: &str = "LOADING Redis is loading the dataset in memory";

/// A folder whose journal takes some seconds to be read back; `counter` is [`SLOW`] then.
fn written(folder: &Folder) -> String {
    let data = text(&folder.at("data")).to_owned();
    let mut host = Host::with(kv_v1()).flags(&["--data", &data, "--fsync", "always"]).start();
    let mut client = host.resp();
    client.call(&["SETRANGE", "large", BYTES, "x"]);
    for _ in 0..SLOW {
        client.call(&["BITOP", "NOT", "other", "large"]);
        client.call(&["INCR", "counter"]);
    }
    // A graceful stop would take a snapshot.
    host.signal(libc::SIGKILL);
    host.wait();
    data
}

#[test]
fn a_start_that_loads_is_visible_and_its_clients_hear_loading_and_stay() {
    let folder = Folder::new();
    let data = written(&folder);
    let ports = [(); 2].map(|()| Port::reserve().expect("a port"));
    let [addr, http] = ports.each_ref().map(Port::address);
    let host = Host::bare().without_waiting().flag("--plugin").flag(kv_v1());
    let (listen, port) = (addr.to_string(), http.to_string());
    let host = host.flags(&["--listen", &listen, "--http", &port, "--data", &data]).start();
    eventually("it listens", || std::net::TcpStream::connect(addr).is_ok());
    let (mut client, mut half, mut inline) =
        (Resp::connect(addr), Resp::connect(addr), Resp::connect(addr));
    assert_eq!(client.call(&["GET", "counter"]).error(), LOADING);
    client.send(request(&["PING"]));
    client.send(request(&["SET", "counter", "0"]));
    assert_eq!((client.read().error(), client.read().error()), (LOADING.into(), LOADING.into()));
    inline.send("get counter\r\n\r\n");
    assert_eq!(inline.read().error(), LOADING);
    let (front, rest) = (b"*2\r\n$3\r\nGET\r\n$7\r\ncou", b"nter\r\n");
    half.send(front);
    eventually("progress is told", || get(http, "/readyz").body.starts_with("main: loading, "));
    assert_eq!(get(http, "/readyz").status, 503);
    assert_eq!(get(http, "/healthz").status, 200, "a restart would not help");
    let status = host.json(&["status"]);
    assert_eq!(status["phase"], "starting");
    let server = &status["servers"][0];
    assert!(server["loading_of_bytes"].as_u64().is_some_and(|bytes| bytes > SLOW as u64));
    let refused = host.refused(4, &["ping"]);
    assert_eq!(refused["message"], "the host is starting");
    let mut seen = Vec::new();
    eventually("it serves", || {
        seen.push(get(http, "/readyz"));
        seen.last().is_some_and(|page| page.status == 200)
    });
    assert_eq!(client.call(&["GET", "counter"]).text(), SLOW.to_string(), "it stayed");
    half.send(rest);
    assert_eq!(half.read().text(), SLOW.to_string(), "what was half sent was kept");
    inline.send("ping\r\n");
    assert_eq!(inline.read(), Value::Simple("PONG".to_owned()));
    assert_eq!(host.status("clients"), 3);
    let grows = seen.windows(2).filter(|pair| pair[0].body != pair[1].body).count();
    assert!(grows > 1, "progress is seen: {seen:?}");
}

#[test]
fn a_stop_while_it_loads_ends_the_host_at_once_and_loses_nothing() {
    let folder = Folder::new();
    let data = written(&folder);
    let port = Port::reserve().expect("a port");
    let addr = port.address();
    let begin = || {
        let host = Host::bare().without_waiting().flag("--plugin").flag(kv_v1());
        host.flags(&["--listen", &addr.to_string(), "--data", &data]).start()
    };
    let mut host = begin();
    eventually("it loads", || {
        std::net::TcpStream::connect(addr).is_ok()
            && Resp::connect(addr).try_call(&["PING"]).is_ok()
    });
    host.signal(libc::SIGTERM);
    assert!(host.wait().success());
    let again = begin();
    again.logs("the journal was read back");
    eventually("it serves", || {
        let value = Resp::connect(addr).try_call(&["GET", "counter"]);
        value.is_ok_and(|value| matches!(value, Value::Bulk(_)))
    });
    assert_eq!(Resp::connect(addr).call(&["GET", "counter"]).text(), SLOW.to_string());
}

/// What a program writes to a terminal until it closes it.
fn terminal() -> (Stdio, std::thread::JoinHandle<String>) {
    let (mut ours, mut theirs) = (0, 0);
    let (null, size) = (std::ptr::null_mut(), std::ptr::null());
    // SAFETY: two places for descriptors; no name, modes or size are asked for or given.
    let made = unsafe { libc::openpty(&mut ours, &mut theirs, null, std::ptr::null(), size) };
    assert_eq!(made, 0, "a terminal");
    // SAFETY: both were just made, and nobody else has them.
    let (ours, theirs) = unsafe { (fs::File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
    let read = std::thread::spawn(move || {
        let (mut ours, mut said) = (ours, Vec::new());
        // The last one who closes it makes this an error.
        let _ = ours.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    });
    (Stdio::from(theirs), read)
}

#[test]
fn a_bar_on_a_terminal_moves_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let data = written(&folder);
    let (stderr, said) = terminal();
    let mut serve = cli::command();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--plugin", text(&kv_v1()), "--data", &data]);
    serve.arg("--admin").arg(folder.at("admin.sock")).stdout(Stdio::piped()).stderr(stderr);
    let mut host = serve.spawn().expect("hotshell runs");
    // Otherwise the terminal would stay open.
    drop(serve);
    let mut listens = String::new();
    BufReader::new(host.stdout.take().expect("piped")).read_line(&mut listens).expect("a text");
    assert!(listens.starts_with("serve: main listening on"), "{listens}");
    host.kill().expect("it runs");
    host.wait().expect("it ends");
    let said = said.join().expect("no panics");
    let mut moves: Vec<&str> = said.split("main: loading [").skip(1).collect();
    moves.dedup();
    assert!(moves.len() > 2, "{said:?}");
    assert!(said.contains("the journal was read back"), "{said:?}");
    for line in said.split_inclusive('\n') {
        let left = line.rsplit("\u{1b}[2K").next().unwrap_or_default();
        assert!(!left.contains("loading ["), "it is taken away before a line: {line:?}");
    }
}
