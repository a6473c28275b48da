//! Resident memory per key: what it grows by when a fresh server is filled.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::KvArgs;
use super::client::Client;
use crate::bars;
use crate::process::Process;
use crate::random::mix;
use crate::report::{Report, Table};

/// What keys hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A string, with a value of so many bytes.
    String(usize),
    /// A hash of short fields and values.
    Hash,
    List,
    Set,
    /// A set of integers.
    Integers,
    Zset,
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
struct Shape {
    kind: Kind,
    /// Elements of one key.
    size: u64,
    /// Bytes of an element, apart from its number.
    prefix: &'static str,
}

/// Elements that go into one request.
const BATCH: u64 = 100;
/// Memory is looked at this often.
const LOOK: Duration = Duration::from_millis(100);
/// Looks in a row that show the same before it counts as settled: freed blocks are kept for a second.
const SETTLED: u32 = 15;
/// Looks at most.
const LOOKS: u32 = 100;

fn shapes() -> Vec<Shape> {
    let string = |value| Shape { kind: Kind::String(value), size: 1, prefix: "" };
    let mut shapes = [3, 12, 32, 100].map(string).to_vec();
    for kind in [Kind::Hash, Kind::List, Kind::Set, Kind::Integers, Kind::Zset] {
        for size in [10, 10_000] {
            shapes.push(Shape { kind, size, prefix: "e" });
            if kind != Kind::Integers {
                shapes.push(Shape { kind, size, prefix: "element:0000" });
            }
        }
    }
    shapes
}

impl Shape {
    fn name(self) -> String {
        let Self { kind, size, prefix } = self;
        let elements = match kind {
            Kind::String(bytes) => return format!("string of {bytes} bytes"),
            Kind::Hash => "hash",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::Integers => return format!("set of {size} integers"),
            Kind::Zset => "sorted set",
        };
        format!("{elements} of {size}, elements of about {} bytes", prefix.len() + 6)
    }
}

/// Measures all shapes.
pub fn run(args: &KvArgs, report: &mut Report) -> Result<()> {
    report.note(format!(
        "memory: {} strings, or so many elements in collections; resident bytes by /proc, after minus \
         before, fresh servers",
        args.elements
    ));
    let mut table =
        Table::new("resident bytes", ["what", "keys", "per key", "peer's", "per element", "ratio"]);
    let wanted = |name: &str| {
        args.shapes.is_empty() || args.shapes.iter().any(|part| name.contains(part.as_str()))
    };
    for shape in shapes().into_iter().filter(|shape| wanted(&shape.name())) {
        let keys = (args.elements / shape.size).max(1);
        let (host, peer) = super::servers(args)?;
        let ours = grown(host.address, &host.process, shape, keys)? / keys as f64;
        let theirs = grown(peer.address, &peer.process, shape, keys)? / keys as f64;
        let ratio = ours / theirs;
        let name = shape.name();
        table.row([
            json!(name),
            json!(keys),
            json!(ours),
            json!(theirs),
            json!(ours / shape.size as f64),
            json!(ratio),
        ]);
        report.judge(format!("{name}: memory, ours / peer"), bars::MEMORY, ratio);
    }
    report.tables.push(table);
    Ok(())
}

/// Fills a server; answers by how many bytes it has grown.
fn grown(address: SocketAddr, server: &Process, shape: Shape, keys: u64) -> Result<f64> {
    let mut client = Client::connect(address)?;
    client.ask(&["PING"])?;
    let before_kib = settled_kib(server)?;
    for key in 0..keys {
        fill(&mut client, shape, key)?;
    }
    client.finish()?;
    Ok((settled_kib(server)? as f64 - before_kib as f64) * 1024.0)
}

/// Resident memory when it has come to rest.
fn settled_kib(server: &Process) -> Result<u64> {
    let (mut last, mut same) = (server.rss_kib()?, 0);
    for _ in 0..LOOKS {
        sleep(LOOK);
        let now = server.rss_kib()?;
        same = if now == last { same + 1 } else { 0 };
        last = now;
        if same == SETTLED {
            break;
        }
    }
    Ok(last)
}

fn fill(client: &mut Client, shape: Shape, key: u64) -> Result<()> {
    let name = format!("key:{key:012}");
    if let Kind::String(bytes) = shape.kind {
        return client.send(&[b"SET", name.as_bytes(), &b"x".repeat(bytes)]);
    }
    for first in (0..shape.size).step_by(BATCH as usize) {
        let some = first..(first + BATCH).min(shape.size);
        let words: Vec<String> = some.flat_map(|n| element(shape, key, n)).collect();
        let command: &[u8] = match shape.kind {
            Kind::String(_) => b"SET",
            Kind::Hash => b"HSET",
            Kind::List => b"RPUSH",
            Kind::Set | Kind::Integers => b"SADD",
            Kind::Zset => b"ZADD",
        };
        let mut args = vec![command, name.as_bytes()];
        args.extend(words.iter().map(|word| word.as_bytes()));
        client.send(&args)?;
    }
    Ok(())
}

/// The words of one element: the same for both servers, each another.
fn element(shape: Shape, key: u64, n: u64) -> Vec<String> {
    let number = mix(key * shape.size + n) % 1_000_000;
    let text = format!("{}{n:05}", shape.prefix);
    match shape.kind {
        Kind::String(_) => Vec::new(),
        Kind::Hash => vec![text, format!("{number:06}")],
        Kind::List | Kind::Set => vec![text],
        Kind::Integers => vec![number.to_string()],
        Kind::Zset => vec![number.to_string(), text],
    }
}
