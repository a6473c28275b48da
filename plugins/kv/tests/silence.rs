//! Goal: CLIENT REPLY leaves out what Redis leaves out: replies, and no messages. Method: exact replies,
//! as redis-server 7.0 gives them.

mod common;

use common::{V2, text, words};
use hotshell_plugin_api::testing::TestServer;

/// What a client gets for lines that it sends one by one.
fn heard(lines: &[&str]) -> Vec<String> {
    let mut server = TestServer::<V2>::new();
    let client = server.connect();
    lines.iter().map(|line| text(server.ask(client, &words(line)))).collect()
}

#[test]
fn a_client_that_wants_no_replies_still_hears_messages() {
    let got = heard(&["client reply off", "subscribe c", "ping", "unsubscribe c", "ping"]);
    let subscribed = "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";
    let unsubscribed = "*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n";
    assert_eq!(got, ["", subscribed, "", unsubscribed, ""]);

    let got = heard(&["hello 3", "subscribe c", "client reply off", "publish c hi", "get x"]);
    let message = ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n";
    assert_eq!(got[2..], ["", message, ""], "its own message, without the number of who heard it");
}

#[test]
fn replies_come_back_with_on_and_with_reset() {
    assert_eq!(
        heard(&["client reply off", "ping", "client reply on", "ping"])[1..],
        ["", "+OK\r\n", "+PONG\r\n"]
    );
    assert_eq!(heard(&["client reply off", "reset", "ping"]), ["", "+RESET\r\n", "+PONG\r\n"]);
    assert_eq!(heard(&["client reply skip", "reset", "ping"]), ["", "", "+PONG\r\n"]);
}

#[test]
fn within_a_transaction_it_counts_from_its_place_on() {
    let queued = "+QUEUED\r\n";
    let off = heard(&["multi", "echo a", "client reply off", "echo b", "exec", "ping"]);
    assert_eq!(off, ["+OK\r\n", queued, queued, queued, "*3\r\n$1\r\na\r\n", ""]);
    let skip = heard(&["multi", "client reply skip", "echo b", "exec", "ping", "ping"]);
    assert_eq!(skip[3..], ["*2\r\n$1\r\nb\r\n", "", "+PONG\r\n"]);
}

#[test]
fn a_client_that_waits_is_served_without_a_word() {
    for (line, then) in [("client reply off", ""), ("client reply skip", "+PONG\r\n")] {
        let mut server = TestServer::<V2>::new();
        let [waiter, other] = [(); 2].map(|()| server.connect());
        server.ask(waiter, &words(line));
        server.ask(waiter, &words("blpop list 0"));
        assert_eq!(text(server.ask(other, &words("rpush list a"))), ":1\r\n");
        assert_eq!(text(server.read(waiter)), "", "{line}");
        assert_eq!(text(server.ask(other, &words("exists list"))), ":0\r\n", "it was served");
        assert_eq!(text(server.ask(waiter, &words("ping"))), then, "{line}");
    }
}
