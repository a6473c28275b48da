//! Clients that notice everything: a wrong reply, a missing one, a closed connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

const CLIENTS: u64 = 8;
const PATIENCE: Duration = Duration::from_secs(10);

/// What happened so far.
#[derive(Default)]
struct Tally {
    answered: AtomicU64,
    wrong: AtomicU64,
    lost: AtomicU64,
    done: AtomicBool,
}

/// A reading of the tally.
pub struct Total {
    /// Requests that were answered.
    pub answered: u64,
    /// Replies that were not what was written.
    pub wrong: u64,
    /// Connections that ended.
    pub lost: u64,
}

/// Clients at work.
pub struct Clients {
    tally: Arc<Tally>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    /// Connects all of them.
    pub fn start(listen: SocketAddr) -> Result<Self> {
        let tally = Arc::new(Tally::default());
        let threads = (0..CLIENTS)
            .map(|number| {
                let mut connection = Connection::open(listen)?;
                let tally = Arc::clone(&tally);
                Ok(std::thread::spawn(move || {
                    if work(&mut connection, number, &tally).is_err() {
                        tally.lost.fetch_add(1, Ordering::Relaxed);
                    }
                }))
            })
            .collect::<Result<_>>()?;
        Ok(Self { tally, threads })
    }

    /// Requests answered so far.
    pub fn answered(&self) -> u64 {
        self.tally.answered.load(Ordering::Relaxed)
    }

    /// All figures so far.
    pub fn total(&self) -> Total {
        Total {
            answered: self.answered(),
            wrong: self.tally.wrong.load(Ordering::Relaxed),
            lost: self.tally.lost.load(Ordering::Relaxed),
        }
    }

    /// Ends the clients and answers the final figures.
    pub fn stop(mut self) -> Total {
        self.tally.done.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                self.tally.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.total()
    }
}

/// Increments a counter and reads a value back, for ever, on one connection.
fn work(connection: &mut Connection, number: u64, tally: &Tally) -> Result<()> {
    let mut round = 0;
    while !tally.done.load(Ordering::Relaxed) {
        round += 1;
        connection.send(&["INCR", &format!("demo:count:{number}")])?;
        connection.send(&["SET", &format!("demo:{number}"), &format!("round {round}")])?;
        connection.send(&["GET", &format!("demo:{number}")])?;
        connection.flush()?;
        for expected in [format!(":{round}"), "+OK".to_owned(), format!("round {round}")] {
            if connection.reply()? != expected {
                tally.wrong.fetch_add(1, Ordering::Relaxed);
            }
            tally.answered.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Connections in delicate situations: blocked, in mid-request, subscribed.
pub struct Witnesses {
    blocked: Connection,
    half: Connection,
    listening: Connection,
    other: std::cell::RefCell<Connection>,
}

impl Witnesses {
    /// Brings them into their situations.
    pub fn connect(listen: SocketAddr) -> Result<Self> {
        let mut blocked = Connection::open(listen)?;
        blocked.send(&["BLPOP", "demo:queue", "0"])?;
        blocked.flush()?;
        let mut half = Connection::open(listen)?;
        half.stream.write_all(b"*2\r\n$4\r\nECHO\r\n$12\r\nhalf a ")?;
        let mut listening = Connection::open(listen)?;
        listening.send(&["SUBSCRIBE", "demo:news"])?;
        listening.flush()?;
        for _ in 0..4 {
            listening.reply()?;
        }
        let other = Connection::open(listen)?.into();
        Ok(Self { blocked, half, listening, other })
    }

    /// What the server says to a command that only version 2 knows.
    pub fn try_getdel(&self) -> Result<String> {
        let mut other = self.other.borrow_mut();
        other.send(&["SET", "demo:short-lived", "here I am"])?;
        other.send(&["GETDEL", "demo:short-lived"])?;
        other.flush()?;
        other.reply()?;
        other.reply()
    }

    /// Ends each situation and checks that the old connection hears the right thing.
    pub fn finish(mut self) -> Result<()> {
        let mut other = self.other.into_inner();
        other.send(&["RPUSH", "demo:queue", "job"])?;
        other.send(&["PUBLISH", "demo:news", "extra"])?;
        other.flush()?;
        self.half.stream.write_all(b"story\r\n")?;
        let popped: Vec<String> = (0..3).map(|_| self.blocked.reply()).collect::<Result<_>>()?;
        ensure!(popped == ["*2", "demo:queue", "job"], "BLPOP was answered with {popped:?}");
        let echoed = self.half.reply()?;
        ensure!(echoed == "half a story", "the half request was answered with {echoed:?}");
        let heard: Vec<String> = (0..4).map(|_| self.listening.reply()).collect::<Result<_>>()?;
        ensure!(heard == ["*3", "message", "demo:news", "extra"], "the listener heard {heard:?}");
        Ok(())
    }
}

/// One connection that speaks just enough RESP.
struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    pending: Vec<u8>,
}

impl Connection {
    fn open(listen: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(listen).with_context(|| format!("connect to {listen}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, reader, pending: Vec::new() })
    }

    fn send(&mut self, args: &[&str]) -> Result<()> {
        write!(self.pending, "*{}\r\n", args.len())?;
        for arg in args {
            write!(self.pending, "${}\r\n{arg}\r\n", arg.len())?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }

    /// One line or bulk string; arrays come as their head, then their elements.
    fn reply(&mut self) -> Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        ensure!(line.ends_with("\r\n"), "the connection ended");
        line.truncate(line.len() - 2);
        let Some(len) = line.strip_prefix('$').and_then(|len| len.parse::<usize>().ok()) else {
            return Ok(line);
        };
        let mut bulk = vec![0; len + 2];
        self.reader.read_exact(&mut bulk)?;
        bulk.truncate(len);
        Ok(String::from_utf8_lossy(&bulk).into_owned())
    }
}
