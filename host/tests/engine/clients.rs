//! Goal: requests are answered in order, and a connection ends when and how it should.

use std::io::Write;
use std::net::{Shutdown, TcpStream};

use hotshell::engine::Counters;

use crate::harness::Host;

#[test]
fn requests_are_answered_in_order_however_they_are_split() {
    let host = Host::start();
    let mut client = host.connect();
    let requests: String = (0..200).map(|i| format!("r{i}\n")).collect();
    for cut in [1, 2, 3, 7, 64, requests.len()] {
        for part in requests.as_bytes().chunks(cut) {
            client.stream.write_all(part).unwrap();
        }
        for i in 0..200 {
            assert_eq!(client.line(), format!("r{i} ok"), "cut into parts of {cut}");
        }
    }
}

#[test]
fn close_sends_what_was_written_first() {
    let host = Host::start();
    let mut client = host.connect();
    client.send("a\nquit\nnever\n");
    assert_eq!(client.line(), "a ok");
    assert_eq!(client.line(), "bye");
    client.expect_end();
    host.until("the client is gone", |c| Counters::get(&c.clients) == 0);
}

#[test]
fn a_client_can_close_another_and_write_to_all() {
    let host = Host::start();
    let (mut one, mut two) = (host.connect(), host.connect());
    let id = two.ask("id");
    assert_eq!(one.ask("x"), "x ok");
    one.send("all hello\n");
    assert_eq!(one.line(), "hello");
    assert_eq!(one.line(), "sent 2");
    assert_eq!(two.line(), "hello");
    assert_eq!(one.ask(&format!("kick {id}")), "kicked true");
    two.expect_end();
    assert_eq!(one.ask(&format!("kick {id}")), "kicked false");
}

#[test]
fn half_close_is_answered_before_the_end() {
    let host = Host::start();
    let mut client = host.connect();
    client.send("a\nb\nhalf");
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.line(), "a ok");
    assert_eq!(client.line(), "b ok");
    client.expect_end();
    let mut empty = host.connect();
    empty.stream.shutdown(Shutdown::Write).unwrap();
    empty.expect_end();
}

#[test]
fn a_blocked_client_that_leaves_is_forgotten() {
    let host = Host::start();
    let mut waiting = host.connect();
    waiting.send("wait\n");
    host.until("it waits", |c| Counters::get(&c.calls) == 1);
    assert_eq!(host.command(&["waiting"]).unwrap(), b"1\n");
    drop(waiting);
    host.until("it is gone", |c| Counters::get(&c.clients) == 0);
    assert_eq!(host.command(&["waiting"]).unwrap(), b"0\n");
    assert_eq!(host.engine.counters.plugin(), [("disconnects".to_owned(), 1)]);
}

#[test]
fn a_stop_answers_what_arrived_and_closes() {
    let mut host = Host::start();
    let mut client = host.connect();
    client.send("a\nbig 3000000\nb\n");
    assert_eq!(client.line(), "a ok");
    client.send("stop\n");
    host.runtime.block_on(host.stop.recv()).expect("the plugin asked for a stop");
    let engine = host.engine.clone();
    let runtime = host.runtime;
    let stopping = std::thread::spawn(move || runtime.block_on(engine.stop()).unwrap());
    assert_eq!(client.line().len(), 3_000_000);
    assert_eq!(client.line(), "b ok");
    client.expect_end();
    stopping.join().unwrap();
    assert!(TcpStream::connect(host.engine.listen).is_err(), "nobody listens any more");
}
