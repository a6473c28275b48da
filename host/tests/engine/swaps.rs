//! Goal: a swap between two calls keeps sessions, requests and clients.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use hotshell::engine::Counters;
use hotshell_plugin_api::collections::Vec as StateVec;
use hotshell_plugin_api::prelude::*;

use crate::harness::{Client, Host, PATIENCE};
use crate::plugin::Lines;

#[test]
fn a_swap_keeps_sessions_half_read_requests_and_blocked_clients() {
    let host = Host::start();
    let (mut counted, mut half, mut blocked) = (host.connect(), host.connect(), host.connect());
    assert_eq!(counted.ask("version"), "v1");
    blocked.send("wait\nversion\n");
    host.until("the client is blocked", |c| Counters::get(&c.calls) >= 2);
    half.send("vers");
    host.until("half a request is read", |c| Counters::get(&c.bytes_in) >= 8 + 13 + 4);

    let switched = host.switch::<Lines<2>>(2).expect("the schema is the same");
    assert_eq!(switched.from, 1);

    half.send("ion\n");
    assert_eq!(half.line(), "v2");
    assert_eq!(counted.ask("count"), "2", "the session is the same");
    assert_eq!(counted.ask("wake"), "woken 1");
    assert_eq!(blocked.line(), "resumed");
    assert_eq!(blocked.line(), "v2", "what it sent while it was blocked is answered afterwards");
    assert_eq!(Counters::get(&host.engine.counters.generation), 2);
    assert_eq!(Counters::get(&host.engine.counters.swaps), 1);
}

#[test]
fn a_state_of_another_shape_is_converted_between_two_calls() {
    struct Narrow;
    impl Plugin for Narrow {
        type State = StateVec<u32>;
        type Session = u32;
        fn init(_: &mut InitCtx<'_>) -> core::result::Result<Self::State, Refusal> {
            Ok(StateVec::new())
        }
        fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
            let Some(line) = framing::line(unread) else { return Flow::NeedMore };
            ctx.begin(line.consumed);
            *ctx.session += 1;
            writeln!(ctx.out, "{:?} {}", ctx.state, ctx.session).unwrap();
            Flow::Done(line.consumed)
        }
    }
    let host = Host::start();
    let (mut busy, mut waiting) = (host.connect(), host.connect());
    assert_eq!((busy.ask("a"), busy.ask("b")), ("a ok".to_owned(), "b ok".to_owned()));
    waiting.send("wait\n");
    busy.send("half a li");
    host.until("the client waits", |c| Counters::get(&c.calls) == 4);
    host.switch::<Narrow>(2).expect("narrower numbers hold these");
    let id = waiting_id(&mut busy);
    assert_eq!(id, "[2] 3", "state and session in their new shape, the half request completed");
    assert_eq!(host.connect().ask("x"), "[2] 1", "new sessions have the new shape");
    drop(waiting);
    host.until("a session of the new shape is freed", |c| Counters::get(&c.clients) == 1);
    assert_eq!(busy.ask("x"), "[2] 4");
}

/// Completes the request that was half sent.
fn waiting_id(client: &mut Client) -> String {
    client.send("ne\n");
    client.line()
}

#[test]
fn a_thousand_swaps_under_load_lose_and_reorder_nothing() {
    let host = Host::start();
    let address = host.engine.listen;
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let done = Arc::clone(&done);
            std::thread::spawn(move || {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut client = Client { stream, buffered: Vec::new() };
                let mut number = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let batch: String = (number..number + 8).map(|i| format!("n{i}\n")).collect();
                    let (first, second) = batch.split_at(batch.len() / 2);
                    client.send(first);
                    client.send(second);
                    for i in number..number + 8 {
                        assert_eq!(client.line(), format!("n{i} ok"));
                    }
                    number += 8;
                }
                assert_eq!(client.ask("count"), format!("{}", number + 1));
                number
            })
        })
        .collect();
    for generation in 2..1002 {
        if generation % 2 == 0 {
            host.switch::<Lines<2>>(generation).unwrap();
        } else {
            host.switch::<Lines<1>>(generation).unwrap();
        }
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    let answered: u64 = clients.into_iter().map(|client| client.join().unwrap()).sum();
    assert!(answered > 0);
    assert_eq!(Counters::get(&host.engine.counters.swaps), 1000);
    assert_eq!(Counters::get(&host.engine.counters.connections), 4);
}
