//! A client of the admin socket: RESP arrays out, one JSON value back.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::resp::{self, reply_len};

/// How long an answer may take: a snapshot of much takes a while.
const PATIENCE: Duration = Duration::from_secs(600);

/// A connection to the admin socket.
#[derive(Debug)]
pub struct Admin {
    stream: UnixStream,
    path: PathBuf,
    request: Vec<u8>,
    input: Vec<u8>,
}

impl Admin {
    /// Connects.
    pub fn connect(path: &Path) -> Result<Self> {
        let stream = UnixStream::connect(path)
            .with_context(|| format!("cannot reach {}", path.display()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, path: path.to_owned(), request: Vec::new(), input: Vec::new() })
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sends a verb whose answer nobody waits for.
    ///
    /// # Errors
    /// The host is gone.
    pub fn tell(&mut self, words: &[&str]) -> Result<()> {
        let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        self.request.clear();
        resp::request(&mut self.request, &args);
        Ok(self.stream.write_all(&self.request)?)
    }

    /// Sends a verb with its arguments and `--json`; answers the JSON.
    ///
    /// # Errors
    /// The host's refusal, with its text.
    pub fn ask(&mut self, words: &[&str]) -> Result<Value> {
        self.request.clear();
        let mut args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        args.push(b"--json");
        resp::request(&mut self.request, &args);
        self.stream.write_all(&self.request)?;
        let reply = self.reply().with_context(|| format!("no answer to `{}`", words.join(" ")))?;
        match reply.first() {
            Some(b'$') => {
                let start = reply.iter().position(|&byte| byte == b'\n').unwrap_or(0) + 1;
                let json = reply.get(start..reply.len() - 2).unwrap_or_default();
                Ok(serde_json::from_slice(json)?)
            }
            _ => bail!("`{}`: {}", words.join(" "), String::from_utf8_lossy(&reply).trim_end()),
        }
    }

    fn reply(&mut self) -> Result<Vec<u8>> {
        loop {
            match reply_len(&self.input) {
                Ok(Some(len)) => return Ok(self.input.drain(..len).collect()),
                Ok(None) => {}
                Err(_) => bail!("not RESP: {}", String::from_utf8_lossy(&self.input)),
            }
            let mut room = [0; 16 << 10];
            match self.stream.read(&mut room)? {
                0 => bail!("the host closed the admin connection"),
                n => self.input.extend_from_slice(&room[..n]),
            }
        }
    }
}

/// A number in an answer.
pub fn number(answer: &Value, name: &str) -> Result<f64> {
    answer[name].as_f64().with_context(|| format!("the answer has no number '{name}': {answer}"))
}
