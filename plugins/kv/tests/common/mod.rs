//! What all tests of the kv plugin share.
#![allow(dead_code, reason = "each test file uses a part")]

use hotshell_plugin_api::ctx::ClientId;
use hotshell_plugin_api::plugin::Plugin;
use hotshell_plugin_api::testing::TestServer;

/// Both versions.
pub type V1 = kv_v1::Kv;
/// Both versions.
pub type V2 = kv_v2::Kv;

/// A request as a client library writes it.
pub fn encode<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        request.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        request.extend_from_slice(arg);
        request.extend_from_slice(b"\r\n");
    }
    request
}

/// A request from words that hold no spaces.
pub fn words(line: &str) -> Vec<u8> {
    encode(&line.split(' ').collect::<Vec<_>>())
}

/// A server with one client.
pub struct One<P: Plugin> {
    pub server: TestServer<P>,
    pub client: ClientId,
}

impl<P: Plugin> One<P> {
    pub fn new() -> Self {
        let mut server = TestServer::new();
        let client = server.connect();
        Self { server, client }
    }

    /// The reply to a request of words.
    pub fn ask(&mut self, line: &str) -> String {
        text(self.server.ask(self.client, &words(line)))
    }

    /// The reply to a request of any bytes.
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> String {
        text(self.server.ask(self.client, &encode(args)))
    }

    /// Checks requests of words against their replies, in which `|` stands for a line break.
    #[track_caller]
    pub fn check(&mut self, table: &[(&str, &str)]) {
        for (line, reply) in table {
            let expected = format!("{}\r\n", reply.replace('|', "\r\n"));
            assert_eq!(self.ask(line), expected, "{line}");
        }
    }
}

/// Bytes as text, for readable failures.
pub fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
