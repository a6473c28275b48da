//! Clients that ask one thing at a time, and fill a server: of RESP, and of lines.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::resp::{self, reply_len};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Keys in one write of a fill.
const BATCH: u64 = 10_000;

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    input: Vec<u8>,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, request: Vec::new(), input: Vec::new() })
    }

    /// Asks, and answers the bytes of the reply.
    ///
    /// # Errors
    /// The server is gone, or says an error.
    pub fn call(&mut self, args: &[&[u8]]) -> Result<Vec<u8>> {
        self.request.clear();
        resp::request(&mut self.request, args);
        self.stream.write_all(&self.request)?;
        self.reply()
    }

    /// Asks for a number; nothing there is 0.
    pub fn number(&mut self, args: &[&[u8]]) -> Result<u64> {
        let reply = self.call(args)?;
        let text = String::from_utf8_lossy(&reply);
        let number = match text.strip_prefix(':') {
            Some(number) => number,
            None if text.starts_with("$-1") => return Ok(0),
            None => text.split("\r\n").nth(1).unwrap_or_default(),
        };
        number.trim_end().parse().with_context(|| format!("a number is not {text:?}"))
    }

    /// Sets keys `0..count`, named and filled like each other, in large writes.
    pub fn fill(&mut self, count: u64) -> Result<()> {
        for from in (0..count).step_by(BATCH as usize) {
            let to = (from + BATCH).min(count);
            self.request.clear();
            for n in from..to {
                let key = format!("key:{n:012}");
                let value = format!("value:{n:026}");
                resp::request(&mut self.request, &[b"SET", key.as_bytes(), value.as_bytes()]);
            }
            self.stream.write_all(&self.request)?;
            for _ in from..to {
                self.reply()?;
            }
        }
        Ok(())
    }

    fn reply(&mut self) -> Result<Vec<u8>> {
        loop {
            match reply_len(&self.input) {
                Ok(Some(len)) => {
                    let reply: Vec<u8> = self.input.drain(..len).collect();
                    if reply.first() == Some(&b'-') {
                        bail!("the server says {}", String::from_utf8_lossy(&reply).trim_end());
                    }
                    return Ok(reply);
                }
                Ok(None) => {}
                Err(_) => bail!("not RESP: {}", String::from_utf8_lossy(&self.input)),
            }
            let mut room = [0; 64 << 10];
            match self.stream.read(&mut room)? {
                0 => bail!("the server closed the connection"),
                n => self.input.extend_from_slice(&room[..n]),
            }
        }
    }
}

/// A connection to a server of lines.
#[derive(Debug)]
pub struct Lines(BufReader<TcpStream>);

impl Lines {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a line; answers the next one.
    ///
    /// # Errors
    /// The server is gone.
    pub fn ask(&mut self, line: &str) -> Result<String> {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes())?;
        self.read()
    }

    /// Names `name-0` to `name-COUNT`, in large writes.
    pub fn fill(&mut self, count: u64) -> Result<()> {
        for from in (0..count).step_by(BATCH as usize) {
            let to = (from + BATCH).min(count);
            let lines: String = (from..to).map(|n| format!("name-{n}\n")).collect();
            self.0.get_mut().write_all(lines.as_bytes())?;
            for _ in from..to {
                self.read()?;
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => bail!("the server closed the connection"),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}
