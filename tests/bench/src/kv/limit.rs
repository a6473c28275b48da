//! redis-benchmark's default tests, from a client that takes less time for a request than the servers do.
//!
//! With pipelines redis-benchmark's one thread is busy all the time, so that its rates tell how fast it is,
//! and not how fast the server is. This client sends requests that are made beforehand, registers each
//! socket once, and only looks where replies end. The table shows how busy both sides were: a rate is the
//! server's own where the server is at 1.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, bail, ensure};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use super::words;
use super::{KvArgs, rates};
use crate::clock::{SECOND, now_ns, own_cpu_s};
use crate::process::Process;
use crate::random::Random;
use crate::redis_benchmark::{HEADER, Load, Measured, judge};
use crate::report::{Report, Table};
use crate::resp::reply_len;

/// Pipelines that are made beforehand. They are sent in turn.
const PIPELINES: usize = 1_000;
/// Room for one read.
const READ_SIZE: usize = 256 << 10;
/// How long a server may say nothing.
const PATIENCE: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };
/// The numbers in the requests are the same in each run, and for both sides.
const SEED: u64 = 0x5eed;

/// Runs all tests, each with pipelines of each length.
pub fn run(args: &KvArgs, report: &mut Report) -> Result<()> {
    let tests = rates::wanted(args)?;
    report.note(format!(
        "limit: the same requests from a cheaper client, {} connections, numbers below {}, seed {SEED:#x}; \
         medians of {} measurements of each side, by turns",
        args.clients, args.keyspace, args.rounds
    ));
    let mut table = Table::new("a client that is not the limit", HEADER);
    for &pipeline in args.pipeline.iter().filter(|&&pipeline| pipeline > 1) {
        for (test, sides) in rates::measured(args, &tests, pipeline, measure)? {
            judge(report, &mut table, "own client: ", (test, pipeline), sides);
        }
    }
    report.tables.push(table);
    Ok(())
}

/// Measures one server.
fn measure(load: Load, test: &str, address: SocketAddr, server: &Process) -> Result<Measured> {
    let mut random = Random::new(SEED);
    let mut pipeline = || -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for _ in 0..load.pipeline {
            let request = words::request_of(test, || random.below(load.keyspace.max(1)));
            bytes.extend_from_slice(&request.with_context(|| format!("no test {test}"))?);
        }
        Ok(bytes)
    };
    let pipelines: Vec<Vec<u8>> = (0..PIPELINES).map(|_| pipeline()).collect::<Result<_>>()?;
    let mut crowd = Crowd::connect(address, load.clients)?;
    let (server_s, own_s, began) = (server.threads_cpu_s()?, own_cpu_s(), now_ns());
    let longest_ns = crowd.ask(&pipelines, load)?;
    let took_s = (now_ns() - began) as f64 / SECOND as f64;
    let (server_s, own_s) = (server.threads_cpu_s()? - server_s, own_cpu_s() - own_s);
    let requests = load.requests.next_multiple_of(load.pipeline) as f64;
    Ok(Measured {
        requests_per_s: requests / took_s,
        cpu_us: server_s * 1e6 / requests,
        server_busy: server_s / took_s,
        client_busy: own_s / took_s,
        longest_ms: longest_ns as f64 / 1e6,
    })
}

/// The connections.
#[derive(Debug)]
struct Crowd {
    epoll: OwnedFd,
    members: Vec<Member>,
}

/// One of them.
#[derive(Debug)]
struct Member {
    socket: TcpStream,
    /// Replies that are due.
    due: u64,
    /// When they were asked for.
    asked_ns: u64,
    /// The beginning of a reply whose end has not come.
    rest: Vec<u8>,
}

impl Crowd {
    fn connect(address: SocketAddr, members: u64) -> Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let connect = |id| -> Result<Member> {
            let socket =
                TcpStream::connect(address).with_context(|| format!("connect {address}"))?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            epoll::add(&epoll, &socket, EventData::new_u64(id), EventFlags::IN)?;
            Ok(Member { socket, due: 0, asked_ns: 0, rest: Vec::new() })
        };
        let members = (0..members).map(connect).collect::<Result<_>>()?;
        Ok(Self { epoll, members })
    }

    /// Sends so many requests, each member its next pipeline when it has all replies. Answers the longest
    /// time for which one waited, nanoseconds.
    fn ask(&mut self, pipelines: &[Vec<u8>], load: Load) -> Result<u64> {
        let count = load.requests.div_ceil(load.pipeline);
        let mut pipelines = pipelines.iter().cycle().take(count as usize);
        let (mut waiting, mut longest_ns) = (0, 0);
        for (member, pipeline) in self.members.iter_mut().zip(pipelines.by_ref()) {
            member.send(pipeline, load.pipeline)?;
            waiting += 1;
        }
        let mut scratch = vec![0; READ_SIZE];
        let mut events = Vec::with_capacity(self.members.len());
        while waiting > 0 {
            events.clear();
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&PATIENCE))?;
            ensure!(!events.is_empty(), "the server said nothing for {} s", PATIENCE.tv_sec);
            for event in &events {
                let member = &mut self.members[event.data.u64() as usize];
                if !member.receive(&mut scratch)? {
                    continue;
                }
                longest_ns = longest_ns.max(now_ns() - member.asked_ns);
                match pipelines.next() {
                    Some(pipeline) => member.send(pipeline, load.pipeline)?,
                    None => waiting -= 1,
                }
            }
        }
        Ok(longest_ns)
    }
}

impl Member {
    fn send(&mut self, pipeline: &[u8], requests: u64) -> Result<()> {
        (self.due, self.asked_ns) = (requests, now_ns());
        // A pipeline is some kilobytes, and the socket's buffer is empty.
        self.socket.write_all(pipeline).context("the server takes no request")
    }

    /// Reads once. Answers whether all replies have come.
    fn receive(&mut self, scratch: &mut [u8]) -> Result<bool> {
        let kept = self.rest.len();
        ensure!(kept < scratch.len(), "a reply of more than {} bytes", scratch.len());
        scratch[..kept].copy_from_slice(&self.rest);
        let read = match self.socket.read(&mut scratch[kept..]) {
            Ok(0) => bail!("the server closed the connection"),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let mut input = &scratch[..kept + read];
        while !input.is_empty() {
            match reply_len(input) {
                Ok(Some(len)) => {
                    ensure!(
                        input[0] != b'-',
                        "an error was answered: {}",
                        String::from_utf8_lossy(&input[..len])
                    );
                    self.due = self.due.checked_sub(1).context("a reply that nobody asked for")?;
                    input = &input[len..];
                }
                Ok(None) => break,
                Err(_) => bail!("the server answered with something that is no RESP"),
            }
        }
        self.rest.clear();
        self.rest.extend_from_slice(input);
        Ok(self.due == 0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn member() -> (Member, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, _) = listener.accept().unwrap();
        (Member { socket, due: 2, asked_ns: 0, rest: Vec::new() }, peer)
    }

    #[test]
    fn replies_that_come_in_pieces_are_counted_once() {
        let (mut member, mut peer) = member();
        let mut scratch = vec![0; 64];
        for (piece, all) in [("*1\r\n$3\r\nfo", false), ("o\r\n+O", false), ("K\r\n", true)] {
            peer.write_all(piece.as_bytes()).unwrap();
            assert_eq!(member.receive(&mut scratch).unwrap(), all, "{piece:?}");
        }
    }

    #[test]
    fn an_error_too_many_replies_and_an_end_are_told() {
        for (bytes, told) in [
            ("-ERR no\r\n", "an error was answered: -ERR no\r\n"),
            ("+1\r\n+2\r\n+3\r\n", "a reply that nobody asked for"),
            ("hello\r\n", "the server answered with something that is no RESP"),
            ("", "the server closed the connection"),
        ] {
            let (mut member, mut peer) = member();
            peer.write_all(bytes.as_bytes()).unwrap();
            drop(peer);
            assert_eq!(member.receive(&mut [0; 64]).unwrap_err().to_string(), told);
        }
    }
}
