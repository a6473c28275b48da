//! A client of RESP, over TCP for kv and over the admin socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::poll::PATIENCE;

/// A reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `+OK`.
    Simple(String),
    /// `-ERR ...`.
    Error(String),
    /// `!12`: an error of several lines.
    BlobError(String),
    /// `:1`.
    Int(i64),
    /// `$3`.
    Bulk(Vec<u8>),
    /// `=12`, without its `txt:`.
    Verbatim(String),
    /// `$-1`, `*-1`, `_`.
    Nil,
    /// `*2`, `>2`.
    Array(Vec<Value>),
    /// `%2`.
    Map(Vec<(Value, Value)>),
}

/// A bulk string.
pub fn bulk(text: &str) -> Value {
    Value::Bulk(text.as_bytes().to_vec())
}

/// `+OK`.
pub fn ok() -> Value {
    Value::Simple("OK".to_owned())
}

/// A request as an array of bulk strings.
pub fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

impl Value {
    /// The text of a line, a bulk string or an error.
    ///
    /// # Panics
    /// When it is something else.
    #[track_caller]
    pub fn text(&self) -> String {
        match self {
            Self::Simple(t) | Self::Error(t) | Self::BlobError(t) | Self::Verbatim(t) => t.clone(),
            Self::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("not a text: {other:?}"),
        }
    }

    /// The number.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn int(&self) -> i64 {
        let Self::Int(n) = self else { panic!("not a number: {self:?}") };
        *n
    }

    /// The elements.
    ///
    /// # Panics
    /// When it is no array.
    #[track_caller]
    pub fn array(&self) -> &[Self] {
        let Self::Array(all) = self else { panic!("not an array: {self:?}") };
        all
    }

    /// The text of an error.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn error(&self) -> String {
        match self {
            Self::Error(text) | Self::BlobError(text) => text.clone(),
            other => panic!("not an error: {other:?}"),
        }
    }
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connected client.
#[derive(Debug)]
pub struct Resp(BufReader<Stream>);

impl Resp {
    /// Connects to a server.
    ///
    /// # Panics
    /// When nobody listens.
    #[track_caller]
    pub fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Self(BufReader::new(Stream::Tcp(stream)))
    }

    /// Connects to an admin socket.
    ///
    /// # Panics
    /// When nobody listens.
    #[track_caller]
    pub fn admin(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("the host listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Self(BufReader::new(Stream::Unix(stream)))
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).expect("the connection is open");
    }

    /// Sends a request and answers the reply.
    #[track_caller]
    pub fn call(&mut self, words: &[&str]) -> Value {
        self.send(request(words));
        self.read()
    }

    /// Sends a request to a host that may be killed meanwhile.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn try_call(&mut self, words: &[&str]) -> io::Result<Value> {
        self.0.get_mut().write_all(&request(words))?;
        read_value(&mut self.0)
    }

    /// The next reply.
    ///
    /// # Panics
    /// When none comes in time, or the connection is closed.
    #[track_caller]
    pub fn read(&mut self) -> Value {
        read_value(&mut self.0).unwrap_or_else(|error| panic!("no reply: {error}"))
    }

    /// All bytes up to the end of the connection.
    ///
    /// # Panics
    /// When the end does not come in time.
    #[track_caller]
    pub fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => panic!("{error}"),
            _ => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// Whether nothing has arrived so far.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn is_silent(&mut self) -> bool {
        let set = |s: &Stream, on| match s {
            Stream::Tcp(s) => s.set_nonblocking(on),
            Stream::Unix(s) => s.set_nonblocking(on),
        };
        set(self.0.get_ref(), true).expect("a socket");
        let silent = match self.0.fill_buf() {
            Ok(bytes) => {
                assert!(!bytes.is_empty(), "the connection was closed");
                false
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(error) => panic!("{error}"),
        };
        set(self.0.get_ref(), false).expect("a socket");
        silent
    }

    /// Closes the sending half.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn half_close(&mut self) {
        let done = match self.0.get_ref() {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
        done.expect("the connection is open");
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read_value(from: &mut impl BufRead) -> io::Result<Value> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    if !line.ends_with(b"\r\n") {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the connection ended after {:?}", String::from_utf8_lossy(&line)),
        ));
    }
    let text = String::from_utf8_lossy(&line[1..line.len() - 2]).into_owned();
    let number =
        || text.parse::<i64>().map_err(|_| io::Error::other(format!("not a length: {text:?}")));
    Ok(match line[0] {
        b'+' => Value::Simple(text),
        b'-' => Value::Error(text),
        b':' => Value::Int(number()?),
        b'_' => Value::Nil,
        b'$' | b'*' if number()? < 0 => Value::Nil,
        b'$' => Value::Bulk(sized(from, number()?)?),
        b'!' => Value::BlobError(String::from_utf8_lossy(&sized(from, number()?)?).into_owned()),
        b'=' => {
            let bytes = sized(from, number()?)?;
            let text = String::from_utf8_lossy(&bytes);
            Value::Verbatim(text.strip_prefix("txt:").expect("a text").to_owned())
        }
        b'*' | b'>' => {
            Value::Array((0..number()?).map(|_| read_value(from)).collect::<io::Result<_>>()?)
        }
        b'%' => {
            let mut pairs = Vec::new();
            for _ in 0..number()? {
                pairs.push((read_value(from)?, read_value(from)?));
            }
            Value::Map(pairs)
        }
        other => {
            return Err(io::Error::other(format!("a reply of type '{}'", other.escape_ascii())));
        }
    })
}

fn sized(from: &mut impl BufRead, len: i64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).expect("it was checked") + 2];
    from.read_exact(&mut bytes)?;
    bytes.truncate(bytes.len() - 2);
    Ok(bytes)
}

/// Which version of kv answers: `4` for kv 1, `7` for kv 2.
#[track_caller]
pub fn kv_version(client: &mut Resp) -> String {
    let info = client.call(&["INFO", "server"]).text();
    let line = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
    line.expect("INFO tells it").split('.').next().expect("a number").to_owned()
}
