//! Goal: a plugin that panics or refuses costs what it must cost, and no more.

use std::collections::BTreeMap;

use hotshell::engine::{self, Counters, EngineConfig};
use hotshell::error::Code;
use hotshell::limits::Limits;

use crate::harness::{Host, callable};
use crate::plugin::Lines;

#[test]
fn a_panic_after_begin_costs_one_request_and_no_connection() {
    let host = Host::start();
    let (mut client, mut other) = (host.connect(), host.connect());
    assert_eq!(other.ask("x"), "x ok");
    client.send("a\nlate\nb\n");
    assert_eq!(client.line(), "a ok", "earlier replies of the batch stay");
    assert_eq!(client.line(), "error after begin", "the half reply is cut");
    assert_eq!(client.line(), "b ok", "later requests are answered");
    assert_eq!(other.ask("y"), "y ok", "what the call wrote to others is cut");
    host.until("the panic is counted", |c| Counters::get(&c.panics) == 1);
}

#[test]
fn a_panic_before_begin_closes_that_client_only() {
    let host = Host::start();
    let (mut client, mut other) = (host.connect(), host.connect());
    client.send("a\nearly\n");
    assert_eq!(client.line(), "a ok");
    client.expect_end();
    assert_eq!(other.ask("x"), "x ok");
}

#[test]
fn a_plugin_that_consumes_nothing_loses_that_client_only() {
    let host = Host::start();
    let (mut client, mut other) = (host.connect(), host.connect());
    client.send("zero\n");
    client.expect_end();
    assert_eq!(other.ask("x"), "x ok");
}

#[test]
fn admin_commands_of_the_plugin_answer_refuse_and_may_panic() {
    let host = Host::start();
    let error = host.command(&["nonsense"]).expect_err("unknown");
    assert_eq!((error.code, &*error.message), (Code::Refused, "the plugin refused 'nonsense'"));
    assert_eq!(error.detail, "only 'waiting' and 'boom' are known");
    let error = host.command(&["boom"]).expect_err("it panics");
    assert_eq!((error.code, &*error.detail), (Code::Panicked, "in a command"));
    assert_eq!(host.connect().ask("x"), "x ok");
}

#[test]
fn an_init_that_refuses_or_panics_is_told_to_whoever_starts() {
    for (how, code, detail) in
        [("refuse", Code::Refused, "asked to refuse"), ("panic", Code::Panicked, "asked to panic")]
    {
        let error = Host::with(Limits::default(), &[("init", how)]).err().expect("no start");
        assert_eq!((error.code, &*error.detail), (code, detail));
    }
}

#[test]
fn a_port_in_use_is_named() {
    let host = Host::start();
    let (stop, _) = tokio::sync::mpsc::unbounded_channel();
    let listen = host.engine.listen;
    let config = EngineConfig {
        name: "second".into(),
        listen,
        limits: Limits::default(),
        plugin: BTreeMap::new(),
        data: None,
        overtaken: std::env::temp_dir().join("overtaken.jsonl"),
        stop,
    };
    let error = engine::start(config, callable::<Lines<1>>(1, "1.0.0")).expect_err("in use");
    assert_eq!(error.message, format!("cannot listen on {listen}"));
    assert!(error.hint.contains(&format!("sport = :{}", listen.port())), "{}", error.hint);
}
