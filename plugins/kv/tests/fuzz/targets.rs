//! What is checked of any bytes. The tests run it for a bounded time; `plugins/kv/fuzz` has the same
//! functions as targets of cargo-fuzz, for as long as one likes.

use hotshell_kv::inline::{self, Line};
use hotshell_kv::resp::{self, Args, Front};
use hotshell_plugin_api::plugin::Plugin;
use hotshell_plugin_api::testing::TestServer;

/// State that any input may make: the longest string, and as much again for what surrounds it.
const MOST_STATE: u64 = 1 << 30;

/// The parsers take any bytes, look at no more than they say, and say how much is missing without
/// asking for too much.
pub fn parser(input: &[u8]) {
    if input.is_empty() {
        return;
    }
    let mut args = Args::new();
    match resp::parse(input, &mut args) {
        Front::Request(n) => whole(&input[..n], args.as_slice()),
        Front::Inline => inline_line(input),
        Front::Nothing(n) => assert!(n > 0 && n <= input.len()),
        Front::More(n) => assert!(n > input.len(), "{n} bytes are there already"),
        Front::Broken(text) => assert!(!text.is_empty()),
    }
}

fn whole(request: &[u8], args: &[&[u8]]) {
    assert!(!args.is_empty());
    for cut in cuts(request.len()) {
        let mut some = Args::new();
        match resp::parse(&request[..cut], &mut some) {
            Front::More(n) => assert!(cut < n && n <= request.len(), "{n} at {cut}"),
            other => panic!("{other:?} of {cut} bytes of a request of {}", request.len()),
        }
    }
    let again = crate::common::encode(args);
    let mut same = Args::new();
    assert_eq!(resp::parse(&again, &mut same), Front::Request(again.len()));
    assert_eq!(same.as_slice(), args);
}

/// Some places to cut a request; all of a short one.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (1..len).step_by((len / 64).max(1))
}

fn inline_line(input: &[u8]) {
    match inline::parse(input) {
        Line::Words(words, n) => {
            assert!(n <= input.len() && input[n - 1] == b'\n');
            assert!(words.iter().map(|word| word.len()).sum::<usize>() <= n);
        }
        Line::More => assert!(!input.contains(&b'\n')),
        Line::Broken(text) => assert!(!text.is_empty()),
    }
}

/// A server takes any bytes of two clients, in turn: no panic, no disorder in its state, no memory
/// beyond what a string may take.
pub fn dispatcher<P: Plugin>(input: &[u8]) {
    let mut server = TestServer::<P>::new();
    let clients = [server.connect(), server.connect()];
    for (n, part) in input.chunks(200).enumerate() {
        let client = clients[usize::from(n % 5 == 4)];
        if server.is_connected(client) {
            server.feed(client, part);
        }
        clients.iter().for_each(|&client| drop(server.read(client)));
        server.advance(10);
    }
    // DEBUG PANIC is there to panic.
    let meant = |panic: &&String| !panic.ends_with("called by DEBUG PANIC");
    assert_eq!(server.panics().iter().find(meant), None, "{:?}", input.escape_ascii().to_string());
    server.self_test().unwrap_or_else(|refusal| panic!("{refusal}"));
    assert!(server.state_bytes() <= MOST_STATE, "{} bytes of state", server.state_bytes());
}
