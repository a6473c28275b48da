//! A client of a line protocol: counter and misbehave.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};

use crate::poll::PATIENCE;

/// A connected client.
#[derive(Debug)]
pub struct Lines(BufReader<TcpStream>);

impl Lines {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    #[track_caller]
    pub fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Self(BufReader::new(stream))
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn send(&mut self, bytes: &str) {
        self.0.get_mut().write_all(bytes.as_bytes()).expect("the connection is open");
    }

    /// The next line, without its end.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn read(&mut self) -> String {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).expect("an answer in time");
        assert!(read > 0, "the connection was closed");
        line.trim_end().to_owned()
    }

    /// Sends a line and answers the next one.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> String {
        self.send(&format!("{line}\n"));
        self.read()
    }

    /// The same; `None` when the connection ends without an answer.
    pub fn try_ask(&mut self, line: &str) -> Option<String> {
        let mut answer = String::new();
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).ok()?;
        self.0.read_line(&mut answer).ok().filter(|_| answer.ends_with('\n'))?;
        Some(answer.trim_end().to_owned())
    }

    /// Whether nothing has arrived so far.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn is_silent(&mut self) -> bool {
        self.0.get_ref().set_nonblocking(true).expect("a socket");
        let silent = match self.0.fill_buf() {
            Ok(bytes) => {
                assert!(!bytes.is_empty(), "the connection was closed");
                false
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => true,
            Err(error) => panic!("{error}"),
        };
        self.0.get_ref().set_nonblocking(false).expect("a socket");
        silent
    }

    /// Whether the server closes the connection with nothing more to say.
    ///
    /// # Panics
    /// When it does neither in time.
    #[track_caller]
    pub fn is_closed(&mut self) -> bool {
        let mut line = Vec::new();
        match self.0.read_until(b'\n', &mut line) {
            Ok(read) => read == 0,
            // A reset is an end, too.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
            Err(error) => panic!("the connection is open, and nothing comes: {error}"),
        }
    }
}
