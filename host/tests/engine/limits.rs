//! Goal: no client takes more than its share of memory, connections or time.

use std::io::{Read, Write};

use hotshell::engine::Counters;
use hotshell::limits::Limits;

use crate::harness::{Client, Host};

#[test]
fn a_client_that_does_not_read_is_not_read_and_keeps_its_replies() {
    let limits = Limits { soft_unsent_bytes: 64 << 10, ..Limits::default() };
    let host = Host::with(limits, &[]).unwrap();
    let mut client = host.connect();
    let mut writer = client.stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        for _ in 0..200 {
            writer.write_all(b"big 100000\n").unwrap();
        }
        writer.write_all(b"done\n").unwrap();
    });
    let mut other = host.connect();
    assert_eq!(other.ask("x"), "x ok", "others are served meanwhile");
    for _ in 0..200 {
        assert_eq!(client.line().len(), 100_000);
    }
    assert_eq!(client.line(), "done ok");
    sender.join().unwrap();
}

#[test]
fn a_client_over_the_hard_limit_of_unsent_output_is_closed() {
    let limits = Limits { max_unsent_bytes: 1 << 20, ..Limits::default() };
    let host = Host::with(limits, &[]).unwrap();
    let mut client = host.connect();
    client.send("big 50000000\n");
    host.until("it is closed", |c| Counters::get(&c.closed_slow) == 1);
    host.until("it is gone", |c| Counters::get(&c.clients) == 0);
    assert_eq!(host.connect().ask("x"), "x ok");
}

#[test]
fn room_for_large_replies_is_kept_while_it_is_used_and_then_given_back() {
    let host = Host::start();
    let mut client = host.connect();
    client.ask("x");
    let idle = Counters::get(&host.engine.counters.state_bytes);
    client.send("big 1000000\n");
    assert_eq!(client.line().len(), 1_000_000);
    host.until("the room is kept", |c| Counters::get(&c.state_bytes) > idle + 1_000_000);
    host.until("it is given back", |c| Counters::get(&c.state_bytes) < idle + 100_000);
    client.send("big 1000000\n");
    assert_eq!(client.line().len(), 1_000_000);
    drop(client);
    host.until("it goes with its client", |c| Counters::get(&c.state_bytes) < idle + 100_000);
}

#[test]
fn room_that_all_clients_keep_is_limited() {
    let host = Host::start();
    let mut clients: Vec<Client> = (0..40).map(|_| host.connect()).collect();
    let idle = Counters::get(&host.engine.counters.state_bytes);
    let mut reply = vec![0; 2_000_001];
    for client in &mut clients {
        client.send("big 2000000\n");
        client.stream.read_exact(&mut reply).expect("the whole reply");
    }
    assert_eq!(clients[0].ask("y"), "y ok");
    let peak = Counters::get(&host.engine.counters.state_bytes_peak) - idle;
    assert!(peak < (32 + 4) << 20, "32 MiB are kept at most, beside one reply: {peak}");
}

#[test]
fn a_client_over_the_limit_of_unread_input_is_closed() {
    let limits = Limits { max_unread_bytes: 1 << 20, ..Limits::default() };
    let host = Host::with(limits, &[]).unwrap();
    let mut client = host.connect();
    let endless = vec![b'x'; 4 << 20];
    // The engine may close while we still write.
    let _ = client.stream.write_all(&endless);
    host.until("it is gone", |c| Counters::get(&c.clients) == 0);
    assert_eq!(Counters::get(&host.engine.counters.closed_unread), 1);
}

#[test]
fn clients_over_the_limit_are_turned_away() {
    let limits = Limits { max_clients: 2, ..Limits::default() };
    let host = Host::with(limits, &[]).unwrap();
    let (mut one, mut two) = (host.connect(), host.connect());
    assert_eq!((one.ask("x"), two.ask("y")), ("x ok".to_owned(), "y ok".to_owned()));
    host.connect().expect_end();
    drop(two);
    host.until("one is gone", |c| Counters::get(&c.clients) == 1);
    assert_eq!(host.connect().ask("z"), "z ok");
    assert_eq!(Counters::get(&host.engine.counters.rejected), 1);
}

#[test]
fn a_huge_pipeline_does_not_starve_the_others() {
    let host = Host::start();
    let mut greedy = host.connect();
    let mut writer = greedy.stream.try_clone().unwrap();
    let requests = "r\n".repeat(500_000);
    let sender = std::thread::spawn(move || writer.write_all(requests.as_bytes()).unwrap());
    assert_eq!(greedy.line(), "r ok");
    let mut other = host.connect();
    assert_eq!(other.ask("x"), "x ok");
    let calls = Counters::get(&host.engine.counters.calls);
    assert!(calls < 500_000, "answered in the middle of the pipeline, after {calls} calls");
    for _ in 1..500_000 {
        assert_eq!(greedy.line(), "r ok");
    }
    sender.join().unwrap();
}
