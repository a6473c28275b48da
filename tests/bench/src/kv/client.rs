//! A client that sends many requests at once and checks that none was answered with an error.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::resp;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that are sent before replies are read.
const BATCH: usize = 32 * 1024;

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    out: Vec<u8>,
    input: Vec<u8>,
    sent: usize,
}

impl Client {
    /// Connects to a server.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connect {address}"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, out: Vec::new(), input: Vec::new(), sent: 0 })
    }

    /// Asks for one thing, after everything before it was answered; the reply as it is.
    pub fn ask(&mut self, words: &[&str]) -> Result<Vec<u8>> {
        self.finish()?;
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        self.send(&words)?;
        self.flush()?;
        self.reply()
    }

    /// Sends a request, soon.
    pub fn send(&mut self, args: &[&[u8]]) -> Result<()> {
        resp::request(&mut self.out, args);
        self.sent += 1;
        if self.out.len() >= BATCH { self.finish() } else { Ok(()) }
    }

    /// Waits until everything was answered.
    pub fn finish(&mut self) -> Result<()> {
        self.flush()?;
        while self.sent > 0 {
            self.reply()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    fn reply(&mut self) -> Result<Vec<u8>> {
        loop {
            match resp::reply_len(&self.input) {
                Ok(Some(len)) => {
                    let reply: Vec<u8> = self.input.drain(..len).collect();
                    self.sent -= 1;
                    ensure!(
                        reply.first() != Some(&b'-'),
                        "answered with an error: {}",
                        String::from_utf8_lossy(&reply)
                    );
                    return Ok(reply);
                }
                Ok(None) => self.read()?,
                Err(resp::Malformed) => bail!("answered with something that is no RESP"),
            }
        }
    }

    fn read(&mut self) -> Result<()> {
        let mut some = [0; 16 * 1024];
        let n = self.stream.read(&mut some)?;
        ensure!(n > 0, "the connection was closed");
        self.input.extend_from_slice(&some[..n]);
        Ok(())
    }
}
