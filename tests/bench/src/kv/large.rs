//! Large values, and large key spaces.

use anyhow::Result;

use super::client::Client;

/// What something large is made of. Each is at the key `big`, but for key spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    List,
    Hash,
    Set,
    Zset,
    /// Strings, each at a key of its own.
    Keys,
    /// The same with a time to live.
    KeysWithTime,
    /// One string of [`STRING`] bytes, whatever is asked for.
    String,
}

/// Bytes of a large string.
pub const STRING: u64 = 100 << 20;
/// Elements that go into one request.
const BATCH: u64 = 100;

impl Fill {
    /// The command that fills.
    pub const fn command(self) -> &'static str {
        match self {
            Self::List => "RPUSH",
            Self::Hash => "HSET",
            Self::Set => "SADD",
            Self::Zset => "ZADD",
            Self::Keys => "SET",
            Self::KeysWithTime => "SETEX",
            Self::String => "SETRANGE",
        }
    }
}

/// Makes it, of so many elements.
pub fn fill(client: &mut Client, what: Fill, elements: u64) -> Result<()> {
    if what == Fill::String {
        let last = (STRING - 1).to_string();
        return client.ask(&["SETRANGE", "big", &last, "x"]).map(drop);
    }
    for first in (0..elements).step_by(BATCH as usize) {
        let some = first..(first + BATCH).min(elements);
        match what {
            Fill::Keys | Fill::KeysWithTime => {
                some.into_iter().try_for_each(|n| put_key(client, what, n))?;
            }
            _ => add(client, what, some)?,
        }
    }
    client.finish()
}

fn put_key(client: &mut Client, what: Fill, n: u64) -> Result<()> {
    let key = format!("key:{n:012}");
    let command = what.command().as_bytes();
    if what == Fill::KeysWithTime {
        return client.send(&[command, key.as_bytes(), b"100", b"value"]);
    }
    client.send(&[command, key.as_bytes(), b"value"])
}

fn add(client: &mut Client, what: Fill, some: std::ops::Range<u64>) -> Result<()> {
    let pairs = matches!(what, Fill::Hash | Fill::Zset);
    let words: Vec<String> = some
        .flat_map(|n| {
            [n.to_string(), format!("element:{n:08}")].into_iter().skip(1 - usize::from(pairs))
        })
        .collect();
    let mut args = vec![what.command().as_bytes(), b"big"];
    args.extend(words.iter().map(|word| word.as_bytes()));
    client.send(&args)
}
