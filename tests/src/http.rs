//! A client of the HTTP port that reads one page.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::poll::PATIENCE;

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its status.
    pub status: u16,
    /// Its headers, in lower case.
    pub head: String,
    /// Its text.
    pub body: String,
}

/// Asks for a page with GET.
///
/// # Panics
/// When nobody answers in time.
#[track_caller]
pub fn get(addr: SocketAddr, path: &str) -> Page {
    ask(addr, "GET", path)
}

/// Asks for a page.
///
/// # Panics
/// When nobody answers in time.
#[track_caller]
pub fn ask(addr: SocketAddr, method: &str, path: &str) -> Page {
    let mut stream = TcpStream::connect(addr).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    Page { status, head: head.to_lowercase(), body: body.to_owned() }
}
