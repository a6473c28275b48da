//! Goal: RESP however it is cut, broken or piled up. Method: every byte boundary, one at a time.

mod common;

use common::{One, V1, V2, encode, text, words};
use hotshell_plugin_api::testing::TestServer;

/// Requests of every form, with their replies.
fn pipeline() -> (Vec<u8>, Vec<u8>) {
    let requests = [
        words("set key value"),
        b"*0\r\n".to_vec(),
        words("get key"),
        b"PING\r\n".to_vec(),
        b"\r\n".to_vec(),
        b"set \"quo ted\" 'x y'\n".to_vec(),
        encode(&[b"get".as_slice(), b"quo ted"]),
        words("rpush l 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18"),
        words("multi"),
        words("incr n"),
        b"incr n\r\n".to_vec(),
        words("exec"),
        encode(&[b"echo".as_slice(), &[b'x'; 300]]),
    ];
    let replies = format!(
        "+OK\r\n$5\r\nvalue\r\n+PONG\r\n+OK\r\n$3\r\nx y\r\n:18\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n\
         *2\r\n:1\r\n:2\r\n$300\r\n{}\r\n",
        "x".repeat(300)
    );
    (requests.concat(), replies.into_bytes())
}

#[test]
fn a_pipeline_is_answered_in_order() {
    let (requests, replies) = pipeline();
    let mut one = One::<V1>::new();
    assert_eq!(text(one.server.ask(one.client, &requests)), text(replies));
}

#[test]
fn requests_may_be_cut_at_every_byte() {
    let (requests, replies) = pipeline();
    for cut in 0..=requests.len() {
        let mut one = One::<V2>::new();
        let mut got = one.server.ask(one.client, &requests[..cut]);
        got.extend(one.server.ask(one.client, &requests[cut..]));
        assert_eq!(text(got), text(replies.clone()), "cut at {cut}");
    }
    let mut one = One::<V2>::new();
    let mut got = Vec::new();
    for byte in requests.chunks(1) {
        got.extend(one.server.ask(one.client, byte));
    }
    assert_eq!(text(got), text(replies), "byte by byte");
}

#[test]
fn a_browser_is_turned_away_without_a_word_also_inside_multi() {
    for line in ["POST / HTTP/1.1\r\n", "Host: example\r\n"] {
        let mut one = One::<V2>::new();
        one.check(&[("multi", "+OK")]);
        let reply = one.server.ask(one.client, format!("{line}set k v\r\n").as_bytes());
        assert_eq!(text(reply), "");
        assert!(!one.server.is_connected(one.client), "{line}");
    }
}

#[test]
fn what_is_not_resp_is_told_and_ends_the_connection() {
    let long = [b"*1\r\n$".as_slice(), &[b'1'; 70_000]].concat();
    let inline = vec![b'x'; 70_000];
    let table: [(&[u8], &str); 8] = [
        (b"*abc\r\n", "invalid multibulk length"),
        (b"*1048577\r\n", "invalid multibulk length"),
        (b"*1\r\n$-5\r\n", "invalid bulk length"),
        (b"*1\r\n$600000000\r\n", "invalid bulk length"),
        (b"*2\r\n$3\r\nGET\r\nfoo\r\n", "expected '$', got 'f'"),
        (&long, "too big bulk count string"),
        (&inline, "too big inline request"),
        (b"get \"x\r\n", "unbalanced quotes in request"),
    ];
    for (request, error) in table {
        let mut server = TestServer::<V2>::new();
        let client = server.connect();
        server.feed(client, &words("ping"));
        server.feed(client, request);
        assert_eq!(text(server.read(client)), format!("+PONG\r\n-ERR Protocol error: {error}\r\n"));
        assert!(!server.is_connected(client));
    }
}

#[test]
fn quit_answers_what_came_before_and_nothing_after() {
    let mut server = TestServer::<V1>::new();
    let client = server.connect();
    server.feed(client, &["ping", "quit", "ping"].map(words).concat());
    assert_eq!(server.read(client), b"+PONG\r\n+OK\r\n");
    assert!(!server.is_connected(client));
}

#[test]
fn connection_commands() {
    One::<V2>::new().check(&[
        ("ping x", "$1|x"),
        ("ping x y", "-ERR wrong number of arguments for 'ping' command"),
        ("echo hi", "$2|hi"),
        ("hello 4", "-NOPROTO unsupported protocol version"),
        ("hello x", "-ERR Protocol version is not an integer or out of range"),
        ("client id", ":1"),
        ("client getname", "$-1"),
        ("client setname me", "+OK"),
        ("client getname", "$2|me"),
        ("client nope", "-ERR unknown subcommand 'nope'. Try CLIENT HELP."),
        ("config get databases", "*2|$9|databases|$2|16"),
        ("config set slowlog-max-len 5", "+OK"),
        ("config get slowlog-max-len", "*2|$15|slowlog-max-len|$1|5"),
        ("config set nope 5", "-ERR Unknown option or number of arguments for CONFIG SET - 'nope'"),
        (
            "command info get",
            "*1|*10|$3|get|:2|*2|+readonly|+fast|:1|:1|:1|*3|+@read|+@string|+@fast|*0|\
             *1|*6|$5|flags|*2|+RO|+access|$12|begin_search|*4|$4|type|$5|index|$4|spec|*2|$5|index|:1|\
             $9|find_keys|*4|$4|type|$5|range|$4|spec|*6|$7|lastkey|:0|$7|keystep|:1|$5|limit|:0|*0",
        ),
        ("command getkeys mset a 1 b 2", "*2|$1|a|$1|b"),
        ("command list filterby pattern WAIT*", "*1|$4|wait"),
        ("command list filterby none x", "-ERR syntax error"),
        ("time", "*2|$10|1700000000|$1|0"),
    ]);
    One::<V1>::new().check(&[
        ("command info get", "*1|*6|$3|get|:2|*2|+readonly|+fast|:1|:1|:1"),
        ("hello", "-ERR unknown command `hello`, with args beginning with: "),
    ]);
    let mut one = One::<V2>::new();
    let error = "-ERR wrong number of arguments for 'client|setname' command\r\n";
    assert_eq!(one.ask("client setname"), error);
    assert_eq!(one.ask("command list filterby pattern OBJECT|f*"), "*1\r\n$11\r\nobject|freq\r\n");
    assert!(one.ask("client list").contains("id=1 addr=127.0.0.1:50001 "));
    assert!(one.ask("info").contains("redis_version:7.0.15\r\n"));
    assert!(one.ask("info hotshell").contains("plugin_version:2.0.0\r\ngeneration:1\r\n"));
    assert!(One::<V1>::new().ask("info server").contains("redis_version:4.0.14\r\n"));
    one.ask("shutdown");
    assert!(one.server.is_stopping());
}

#[test]
fn a_panic_costs_one_request() {
    let mut server = TestServer::<V2>::new();
    let client = server.connect();
    let replies = server.ask(client, &["ping", "debug panic", "ping"].map(words).concat());
    assert_eq!(text(replies), "+PONG\r\n-ERR internal error: called by DEBUG PANIC\r\n+PONG\r\n");
    assert_eq!(server.panics(), ["data: called by DEBUG PANIC"]);
    server.self_test().unwrap();
}

#[test]
fn nothing_is_left_in_the_heap_when_all_is_deleted() {
    let mut server = TestServer::<V2>::new();
    let client = server.connect();
    // The first command makes the counters of all.
    server.ask(client, &words("ping"));
    let empty = server.state_bytes();
    let guest = server.connect();
    let requests =
        ["set k a-value-of-more-than-fifteen-bytes", "rpush l a-long-long-long-element b"];
    server.ask(guest, &requests.map(words).concat());
    server.ask(guest, &["watch k l", "multi", "get a-long-long-long-long-key"].map(words).concat());
    server.disconnect(guest);
    server.ask(client, &words("del k l"));
    let left = server.state_bytes() - empty;
    assert!(left < 2000, "{left} bytes: more than the tables of empty maps");
}

#[test]
fn an_unknown_command_is_quoted_byte_by_byte_up_to_its_first_zero() {
    let mut one = One::<V2>::new();
    let mut ask = |words: &[&[u8]]| one.server.ask(one.client, &encode(words));
    // As a Redis 7.0 answers.
    let quoted = b"-ERR unknown command 'f\xff ', with args beginning with: 'a  ' \r\n";
    assert_eq!(ask(&[b"f\xff\n", b"a\r\n"]), quoted);
    let cut = b"-ERR unknown command 'n', with args beginning with: '' '\xfe' \r\n";
    assert_eq!(ask(&[b"n\0ame", b"", b"\xfe\0x"]), cut);
}
