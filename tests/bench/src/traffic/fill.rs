//! Filling keys before the traffic, and looking at all of them after it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, ensure};

use super::expect::{Reply, filled_key, filled_value};
use crate::resp::request;

/// How long an answer may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// Requests under way at once.
const BATCH: u64 = 1024;

/// Writes `keys` keys.
pub fn fill(address: SocketAddr, keys: u64) -> Result<()> {
    let wrong = ask(
        address,
        keys,
        |out, n| request(out, &[b"SET", &filled_key(n), &filled_value(n)]),
        |_| Reply::Ok,
    )?;
    ensure!(wrong == 0, "{wrong} of {keys} keys could not be written");
    Ok(())
}

/// Reads all of them; answers how many are not what they were.
pub fn verify_filled(address: SocketAddr, keys: u64) -> Result<u64> {
    ask(address, keys, |out, n| request(out, &[b"GET", &filled_key(n)]), Reply::Filled)
}

fn ask(
    address: SocketAddr,
    keys: u64,
    write: impl Fn(&mut Vec<u8>, u64),
    reply: impl Fn(u64) -> Reply,
) -> Result<u64> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("connect {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let (mut out, mut wanted, mut got) = (Vec::new(), Vec::new(), Vec::new());
    let mut wrong = 0;
    for first in (0..keys).step_by(BATCH as usize) {
        let batch = first..(first + BATCH).min(keys);
        out.clear();
        batch.clone().for_each(|n| write(&mut out, n));
        wanted.clear();
        batch.clone().for_each(|n| reply(n).render(&mut wanted));
        stream.write_all(&out)?;
        got.resize(wanted.len(), 0);
        stream.read_exact(&mut got)?;
        if got != wanted {
            // Which ones does not matter: any is one too many.
            wrong += batch.end - batch.start;
        }
    }
    Ok(wrong)
}
