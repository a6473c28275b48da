//! One admin's connection: read, do, answer, in order.

use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::peer::Access;
use super::resp::{self, Garbage, Writer};
use crate::commands::{self, Request};
use crate::control::Control;
use crate::error::{Code, Error, Result};
use crate::limits::{ADMIN_IDLE, MAX_ADMIN_CONNECTIONS};

/// One admin's connection.
#[derive(Debug)]
pub struct Session {
    id: u64,
    control: Rc<Control>,
    writer: Writer,
    asker: String,
    out: Vec<u8>,
    /// How long it may ask nothing.
    pub(super) idle: Duration,
}

/// The client name under which errors come as blobs of three lines.
pub const OWN_NAME: &[u8] = b"hotshell";

/// Whether the connection stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Stay,
    Close,
}

impl Session {
    /// A session that has not begun.
    pub fn new(id: u64, control: Rc<Control>) -> Self {
        let (writer, asker) = (Writer::default(), "admin".to_owned());
        Self { id, control, writer, asker, out: Vec::new(), idle: ADMIN_IDLE }
    }

    /// Serves until the admin leaves. `others` are the connections that are open already.
    pub async fn run(mut self, mut stream: UnixStream, access: &Access, others: usize) {
        if let Err(refused) = self.admit(&stream, access, others) {
            tracing::warn!(verb = "admin", code = refused.code.text(), "{refused}");
            self.writer.error(&refused, &mut self.out);
            // Whoever does not listen is turned away all the same.
            let _ = self.send(&mut stream).await;
            return;
        }
        let mut input = Vec::new();
        // Ends when the admin is gone: then nobody is left to tell.
        while let Ok(Then::Stay) = self.serve(&mut stream, &mut input).await {}
    }

    fn admit(&mut self, stream: &UnixStream, access: &Access, others: usize) -> Result<()> {
        let peer = stream.peer_cred().map_err(|error| {
            let message = "cannot tell who you are";
            Error::new(Code::Denied, message, error.to_string(), "connect again")
        })?;
        self.asker = peer.pid().map_or("admin".to_owned(), |pid| format!("admin pid {pid}"));
        access.check(&peer)?;
        if others < MAX_ADMIN_CONNECTIONS {
            return Ok(());
        }
        let detail = format!("at most {MAX_ADMIN_CONNECTIONS} admins may be connected at once");
        Err(Error::new(Code::Denied, "one admin too many", detail, "close a connection first"))
    }

    /// Reads once, does every whole request, and answers.
    async fn serve(
        &mut self,
        stream: &mut UnixStream,
        input: &mut Vec<u8>,
    ) -> std::io::Result<Then> {
        let Ok(read) = tokio::time::timeout(self.idle, stream.read_buf(input)).await else {
            tracing::info!(verb = "admin", asker = self.asker, "idle: disconnected");
            return Ok(Then::Close);
        };
        let read = read?;
        let mut at = 0;
        let mut then = if read == 0 { Then::Close } else { Then::Stay };
        if read == 0 && !input.is_empty() && !input.ends_with(b"\n") && input[0] != b'*' {
            // `printf status | nc`: the end of the input ends the line, too.
            input.push(b'\n');
        }
        loop {
            match resp::parse(&input[at..]) {
                Ok(None) => break,
                Ok(Some((words, taken))) => {
                    at += taken;
                    let next = self.request(&words).await;
                    self.send(stream).await?;
                    if next == Then::Close {
                        then = Then::Close;
                        break;
                    }
                }
                Err(garbage) => {
                    self.writer.error(&protocol_error(garbage), &mut self.out);
                    self.send(stream).await?;
                    then = Then::Close;
                    break;
                }
            }
        }
        input.drain(..at);
        Ok(then)
    }

    /// Sends what was answered. An admin that does not read it is as silent as one that does not ask.
    async fn send(&mut self, stream: &mut UnixStream) -> std::io::Result<()> {
        let sent = tokio::time::timeout(self.idle, stream.write_all(&self.out)).await;
        self.out.clear();
        sent.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
    }

    async fn request(&mut self, words: &[Vec<u8>]) -> Then {
        let Some(name) = words.first() else { return Then::Stay };
        if let Some(then) = self.client_library(name, &words[1..]) {
            return then;
        }
        let outcome = match Request::parse(words, &self.asker) {
            Ok(request) => {
                let json = request.options.json;
                commands::execute(&self.control, request).await.map(|answer| (answer, json))
            }
            Err(refused) => Err(refused),
        };
        match outcome {
            Ok((answer, json)) => self.writer.answer(&answer, json, &mut self.out),
            Err(error) => self.writer.error(&error, &mut self.out),
        }
        Then::Stay
    }

    /// What client libraries say by themselves, without their user asking.
    fn client_library(&mut self, name: &[u8], args: &[Vec<u8>]) -> Option<Then> {
        let upper = name.to_ascii_uppercase();
        match upper.as_slice() {
            b"HELLO" => self.hello(args),
            b"QUIT" => {
                resp::simple("OK", &mut self.out);
                return Some(Then::Close);
            }
            b"CLIENT" | b"SELECT" => resp::simple("OK", &mut self.out),
            b"COMMAND" if asks_for_commands(name, args) => resp::empty_array(&mut self.out),
            _ => return None,
        }
        Some(Then::Stay)
    }

    fn hello(&mut self, args: &[Vec<u8>]) {
        match args.first().map(Vec::as_slice) {
            None => {}
            Some(b"2") => self.writer = Writer::default(),
            Some(b"3") => {
                let named = args
                    .windows(2)
                    .any(|pair| pair[0].eq_ignore_ascii_case(b"SETNAME") && pair[1] == OWN_NAME);
                self.writer = Writer { resp3: true, blob_errors: named };
            }
            Some(other) => {
                let other = other.escape_ascii();
                let line = format!("-NOPROTO protocol version '{other}' is not 2 or 3\r\n");
                self.out.extend_from_slice(line.as_bytes());
                return;
            }
        }
        self.writer.hello(self.id, &mut self.out);
    }
}

/// `COMMAND`, `COMMAND DOCS`, ...: in upper case, as client libraries send them by themselves. The
/// admin's verb `command` for plugins is written in lower case.
fn asks_for_commands(name: &[u8], args: &[Vec<u8>]) -> bool {
    const TOPICS: [&[u8]; 5] = [b"DOCS", b"INFO", b"COUNT", b"LIST", b"GETKEYS"];
    args.first().map_or(name == b"COMMAND", |topic| {
        name == b"COMMAND" && TOPICS.contains(&topic.as_slice())
    })
}

fn protocol_error(Garbage(why): Garbage) -> Error {
    let hint = "send a line such as `status`, or use the hotshell command line";
    Error::new(Code::Usage, "protocol error", why, hint)
}
