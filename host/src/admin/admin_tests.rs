//! Goal: what the socket promises to any client. Method: bytes through a real socket, to a host whose
//! engine and loads are stand-ins.

use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::spawn_local;

use super::*;
use crate::control::tests::with_main;
use crate::limits::{MAX_ADMIN_CONNECTIONS, MAX_ADMIN_REQUEST};
use crate::testing::PATIENCE;

/// Runs a test against a socket of a host with one server.
fn with_socket<F: Future<Output = ()>>(test: impl FnOnce(PathBuf) -> F) {
    with_main(|control, _| async move {
        let folder = tempfile::tempdir().expect("a folder");
        let mut claim = Claim::new(&folder.path().join("a.sock"), None).expect("free");
        let access = Access { uid: rustix::process::geteuid().as_raw(), gid: None };
        spawn_local(accept(claim.listener().expect("it listens"), access, control));
        test(claim.path.clone()).await;
    });
}

/// Sends, closes the sending half, and reads until the host closes.
async fn exchange(path: &PathBuf, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).await.expect("it accepts");
    stream.write_all(bytes).await.expect("it reads");
    stream.shutdown().await.expect("half of it closes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    answer
}

#[test]
fn requests_are_answered_in_order_also_after_half_close() {
    with_socket(|path| async move {
        let answer = exchange(&path, b"ping\r\n*1\r\n$4\r\nPING\r\n\r\nswap /kv/2.0.0\nping").await;
        let lines: Vec<&str> = answer.lines().collect();
        assert_eq!((lines[0], lines[1], lines[3]), ("+PONG", "+PONG", "+PONG"));
        assert!(lines[2].starts_with("+kv 1.0.0 -> 2.0.0 (generation 2), adopt, stop"), "{answer}");
        assert_eq!(exchange(&path, b"QUIT\nping\n").await, "+OK\r\n");
        assert_eq!(exchange(&path, b"COMMAND DOCS\nCOMMAND\n").await, "*0\r\n*0\r\n");
    });
}

#[test]
fn an_admin_who_leaves_at_once_has_asked_all_the_same() {
    with_socket(|path| async move {
        let mut stream = UnixStream::connect(&path).await.expect("it accepts");
        stream.write_all(b"load /kv/2.0.0\n").await.expect("it reads");
        drop(stream);
        while !exchange(&path, b"list --json\n").await.contains("\"version\":\"2.0.0\"") {}
    });
}

#[test]
fn garbage_and_floods_are_answered_and_closed() {
    with_socket(|path| async move {
        let answer = exchange(&path, b"*x\r\nping\n").await;
        assert!(answer.starts_with("-USAGE protocol error: 'x' is not a length"), "{answer}");
        assert_eq!(answer.lines().count(), 1);
        let mut stream = UnixStream::connect(&path).await.expect("it accepts");
        stream.write_all(&vec![b'a'; MAX_ADMIN_REQUEST + 1]).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it closes");
        assert!(answer.contains("a request is at most 65536 bytes"), "{answer}");
    });
}

#[test]
fn one_admin_too_many_is_refused_and_the_others_stay() {
    with_socket(|path| async move {
        let mut open = Vec::new();
        for _ in 0..MAX_ADMIN_CONNECTIONS {
            open.push(UnixStream::connect(&path).await.expect("it accepts"));
        }
        let mut late = UnixStream::connect(&path).await.expect("it accepts");
        let mut answer = String::new();
        late.read_to_string(&mut answer).await.expect("it closes");
        assert!(answer.starts_with("-DENIED one admin too many"), "{answer}");
        let mut pong = [0; 7];
        open[0].write_all(b"ping\n").await.expect("it reads");
        open[0].read_exact(&mut pong).await.expect("it answers");
        assert_eq!(&pong, b"+PONG\r\n");
    });
}

#[test]
fn an_admin_who_asks_nothing_for_long_is_disconnected() {
    with_main(|control, _| async move {
        let (host_side, mut admin) = UnixStream::pair().expect("a pair");
        let mut session = session::Session::new(1, control);
        session.idle = std::time::Duration::ZERO;
        let access = Access { uid: rustix::process::geteuid().as_raw(), gid: None };
        admin.write_all(b"ping\n").await.expect("it is sent");
        // What was asked before is answered; then the silence counts.
        session.run(host_side, &access, 0).await;
        let mut answer = String::new();
        admin.read_to_string(&mut answer).await.expect("the host has closed");
        assert_eq!(answer, "+PONG\r\n");
    });
}

#[test]
fn an_admin_who_reads_nothing_for_long_is_disconnected() {
    with_main(|control, _| async move {
        let (host_side, mut admin) = UnixStream::pair().expect("a pair");
        let mut session = session::Session::new(1, control);
        session.idle = std::time::Duration::from_millis(50);
        let access = Access { uid: rustix::process::geteuid().as_raw(), gid: None };
        let session = spawn_local(async move { session.run(host_side, &access, 0).await });
        // As many answers as no socket holds; what is asked is read as long as the answers go out.
        let asked = async { while admin.write_all(&b"help\n".repeat(1000)).await.is_ok() {} };
        tokio::time::timeout(PATIENCE, asked).await.expect("the host closes");
        session.await.expect("no panic");
    });
}
