//! Talking to a host: one request, one reply, and never a guess about what became of it.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::admin;
use crate::error::{Code, Error, Result};

/// How long a host may take to say hello: its control thread never waits for anything.
const HELLO_PATIENCE: Duration = Duration::from_secs(5);
/// How much longer than the request's own time limit we listen, so that the host's word comes
/// first.
const GRACE: Duration = Duration::from_millis(250);

/// A reply of the host.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// One line.
    Line(String),
    /// Lines of a table.
    Lines(Vec<String>),
    /// Bytes, as they are.
    Bytes(Vec<u8>),
    /// A refusal.
    Refused(Error),
}

/// A connection to a host.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects, and hears that the host answers.
    ///
    /// # Errors
    /// `UNREACHABLE`; nothing has been asked then. `DENIED`, when the host says so.
    pub fn connect(path: &Path) -> Result<Self> {
        let unreachable = |error: io::Error| {
            let message = format!("cannot reach a host at '{}'", path.display());
            let hint = "is it running? `hotshell serve --plugin FILE.so` starts one";
            Error::new(Code::Unreachable, message, error.to_string(), hint)
        };
        let stream = UnixStream::connect(path).map_err(unreachable)?;
        stream.set_read_timeout(Some(HELLO_PATIENCE)).map_err(unreachable)?;
        let mut client = Self { path: path.to_owned(), stream: BufReader::new(stream) };
        // A host that turns us away has closed already; what it said can still be read.
        let hello = [b"HELLO".as_slice(), b"3", b"SETNAME", admin::OWN_NAME].map(<[u8]>::to_vec);
        let _ = client.send(&hello);
        match read_reply(&mut client.stream).map_err(unreachable)? {
            Reply::Refused(error) => Err(error),
            _ => Ok(client),
        }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// The host's refusal; `TIMEOUT` when the connection or the time is lost after sending.
    pub fn ask(&mut self, verb: &str, words: &[Vec<u8>], limit: Option<Duration>) -> Result<Reply> {
        let limit = limit.map(|limit| limit + GRACE);
        let answered = self
            .stream
            .get_ref()
            .set_read_timeout(limit)
            .and_then(|()| self.send(words))
            .and_then(|()| read_reply(&mut self.stream));
        match answered {
            Ok(Reply::Refused(error)) => Err(error),
            Ok(reply) => Ok(reply),
            Err(error) => {
                let late =
                    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                let why = match error.kind() {
                    _ if late => "the host did not answer in time".to_owned(),
                    io::ErrorKind::UnexpectedEof => "the host closed the connection".to_owned(),
                    _ => error.to_string(),
                };
                let message = format!("it is not known what became of `{verb}`");
                let hint = format!("`hotshell list --admin {}` shows it", self.path.display());
                Err(Error::new(Code::Timeout, message, why, hint))
            }
        }
    }

    fn send(&mut self, words: &[Vec<u8>]) -> io::Result<()> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&request)
    }
}

fn read_reply(from: &mut impl BufRead) -> io::Result<Reply> {
    let (kind, text) = read_header(from)?;
    Ok(match kind {
        b'+' | b':' | b'_' => Reply::Line(text),
        b'-' => Reply::Refused(error(&three_lines(&text))),
        b'!' => Reply::Refused(error(&String::from_utf8_lossy(&read_sized(from, &text)?))),
        b'$' => Reply::Bytes(read_sized(from, &text)?),
        b'=' => {
            let bytes = read_sized(from, &text)?;
            let text = String::from_utf8_lossy(&bytes);
            let text = text.strip_prefix("txt:").unwrap_or(&text);
            Reply::Lines(text.split('\n').map(str::to_owned).collect())
        }
        b'*' | b'%' => {
            let count = length(&text)? * if kind == b'%' { 2 } else { 1 };
            let mut lines = Vec::new();
            for _ in 0..count {
                match read_reply(from)? {
                    Reply::Line(line) => lines.push(line),
                    Reply::Bytes(bytes) => lines.push(String::from_utf8_lossy(&bytes).into_owned()),
                    Reply::Lines(more) => lines.extend(more),
                    refused @ Reply::Refused(_) => return Ok(refused),
                }
            }
            Reply::Lines(lines)
        }
        other => return Err(strange(&format!("a reply of type '{}'", other.escape_ascii()))),
    })
}

fn read_header(from: &mut impl BufRead) -> io::Result<(u8, String)> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let text = String::from_utf8_lossy(&line[1..]).trim_end().to_owned();
    Ok((line[0], text))
}

fn read_sized(from: &mut impl BufRead, header: &str) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length(header)? + 2];
    from.read_exact(&mut bytes)?;
    bytes.truncate(bytes.len() - 2);
    Ok(bytes)
}

fn length(text: &str) -> io::Result<usize> {
    const MOST: usize = 1 << 30;
    let length = text.parse().ok().filter(|&length| length <= MOST);
    length.ok_or_else(|| strange(&format!("the length '{text}'")))
}

fn strange(what: &str) -> io::Error {
    io::Error::other(format!("{what} was not understood; is this a hotshell admin socket?"))
}

/// `CODE message: detail; hint`, as a host says it that turns us away before it has read our HELLO.
fn three_lines(line: &str) -> String {
    let (message, rest) = line.split_once(": ").unwrap_or((line, ""));
    let (detail, hint) = rest.rsplit_once("; ").unwrap_or((rest, ""));
    format!("{message}\n{detail}\n{hint}")
}

/// `CODE message`, detail and hint on a line each; the last two may be missing.
fn error(text: &str) -> Error {
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or("");
    let (code, message) = first.split_once(' ').unwrap_or((first, ""));
    let (code, message) = match Code::parse(code) {
        Some(code) => (code, message),
        // A newer host knows codes that we do not.
        None => (Code::Internal, first),
    };
    let mut part = || lines.next().unwrap_or("").trim_end();
    let (detail, hint) = (part(), part());
    Error::new(code, message, detail, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(bytes: &str) -> io::Result<Reply> {
        read_reply(&mut bytes.as_bytes())
    }

    #[test]
    fn replies_of_either_protocol_are_read() {
        let lines = |lines: &[&str]| Reply::Lines(lines.iter().map(|&l| l.to_owned()).collect());
        assert_eq!(reply("+PONG\r\n").expect("whole"), Reply::Line("PONG".to_owned()));
        assert_eq!(reply("*2\r\n$1\r\na\r\n+b\r\n").expect("whole"), lines(&["a", "b"]));
        assert_eq!(reply("=7\r\ntxt:a\nb\r\n").expect("whole"), lines(&["a", "b"]));
        let busy = Error::new(Code::Busy, "m", "d", "h");
        assert_eq!(reply("!10\r\nBUSY m\nd\nh\r\n").expect("whole"), Reply::Refused(busy));
        let denied = |d, h| Reply::Refused(Error::new(Code::Denied, "no", d, h));
        assert_eq!(reply("-DENIED no\r\n").expect("whole"), denied("", ""));
        assert_eq!(reply("-DENIED no: a: b; c\r\n").expect("whole"), denied("a: b", "c"));
    }

    #[test]
    fn half_a_reply_and_garbage_are_errors() {
        for cut in ["", "+PO", "$5\r\nab", "*2\r\n+a\r\n"] {
            assert_eq!(reply(cut).expect_err(cut).kind(), io::ErrorKind::UnexpectedEof);
        }
        assert!(reply("HTTP/1.1 400\r\n").is_err());
        assert!(reply("$x\r\n").is_err());
    }
}
