//! HyperLogLog: PFADD, PFCOUNT, PFMERGE. The value is a string in Redis' dense form: `HYLL`, the
//! encoding, three spare bytes, the cached count, and 16384 registers of six bits.

use hotshell_plugin_api::collections::Bytes;

use super::range::bytes_mut;
use crate::cx::{Cx, Outcome};
use crate::errors;
use crate::flags::{READ, WRITE, WRITE_FAST};
use crate::notify;
use crate::reply::Reply;
use crate::table::{ALL_KEYS, ONE_KEY, rows, v};
use crate::value::{Kind, Value};

rows! { HyperLogLog:
    "pfadd", -2, WRITE_FAST, ONE_KEY, v(2, 8), pfadd,
        "O(1) to add every element.",
        "Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.";
    "pfcount", -2, READ, ALL_KEYS, v(2, 8), pfcount,
        "O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.",
        "Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s).";
    "pfmerge", -2, WRITE, ALL_KEYS, v(2, 8), pfmerge,
        "O(N) to merge N HyperLogLogs, but with high constant times.",
        "Merges one or more HyperLogLog values into a single key.";
}

const REGISTERS: usize = 1 << 14;
const FRONT: usize = 16;
const DENSE: usize = FRONT + REGISTERS * 6 / 8;
const NOT_HLL: &str = "WRONGTYPE Key is not a valid HyperLogLog string value.";
/// `0.5 / ln 2`.
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// MurmurHash64A with Redis' seed.
fn hash(text: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut h = 0xadc8_3b19 ^ (text.len() as u64).wrapping_mul(M);
    let (words, rest) = text.as_chunks::<8>();
    for word in words {
        let mut k = u64::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> 47)).wrapping_mul(M);
        h = (h ^ k).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        h = (h ^ u64::from_le_bytes(word)).wrapping_mul(M);
    }
    h = (h ^ (h >> 47)).wrapping_mul(M);
    h ^ (h >> 47)
}

/// An element's register, and what it would be raised to.
fn place(text: &[u8]) -> (usize, u8) {
    let hash = hash(text);
    let rest = (hash >> 14) | 1 << 50;
    ((hash as usize) % REGISTERS, rest.trailing_zeros() as u8 + 1)
}

fn get(registers: &[u8], n: usize) -> u8 {
    let (byte, shift) = (n * 6 / 8, n * 6 % 8);
    let low = registers[byte];
    let high = registers.get(byte + 1).copied().unwrap_or(0);
    ((u16::from_le_bytes([low, high]) >> shift) & 63) as u8
}

fn raise(registers: &mut [u8], n: usize, to: u8) -> bool {
    if get(registers, n) >= to {
        return false;
    }
    let (byte, shift) = (n * 6 / 8, n * 6 % 8);
    let high = registers.get(byte + 1).copied().unwrap_or(0);
    let word = u16::from_le_bytes([registers[byte], high]) & !(63 << shift);
    let [low, high] = (word | u16::from(to) << shift).to_le_bytes();
    registers[byte] = low;
    if let Some(next) = registers.get_mut(byte + 1) {
        *next = high;
    }
    true
}

fn empty() -> Bytes {
    let mut bytes = Bytes::with_capacity(DENSE);
    bytes.extend_from_slice(b"HYLL");
    bytes.resize(DENSE, 0);
    bytes
}

fn is_valid(text: &[u8]) -> bool {
    text.len() == DENSE && text.starts_with(b"HYLL\0")
}

/// The key's bytes to change; a missing key gets an empty HyperLogLog. Whether it is new.
fn open<'a>(cx: &'a mut Cx<'_>, key: &[u8]) -> Result<(&'a mut Bytes, bool), &'static str> {
    let new = check(cx, key)?;
    if new {
        cx.put(key, Value::raw(empty()));
    }
    Ok((bytes_mut(cx, key)?.ok_or(errors::NO_SUCH_KEY)?, new))
}

/// Whether the key is free.
fn check(cx: &mut Cx<'_>, key: &[u8]) -> Result<bool, &'static str> {
    match cx.find(key, Kind::String)?.0 {
        None => Ok(true),
        Some(Value::Str(_, bytes)) if is_valid(bytes) => Ok(false),
        Some(_) => Err(NOT_HLL),
    }
}

fn pfadd(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (bytes, new) = open(cx, args[1])?;
    let registers = &mut bytes[FRONT..];
    let raised =
        args[2..].iter().map(|text| place(text)).filter(|&(n, to)| raise(registers, n, to));
    let changed = raised.count() > 0 || new;
    if changed {
        cx.event(args[1], notify::STRING, "pfadd");
    }
    cx.out.int(i64::from(changed));
    Ok(())
}

/// The highest registers of all keys.
fn merged(cx: &mut Cx<'_>, keys: &[&[u8]]) -> Result<Bytes, &'static str> {
    let mut all = empty();
    for key in keys {
        check(cx, key)?;
        if let (Some(Value::Str(_, bytes)), _) = cx.find(key, Kind::String)? {
            for n in 0..REGISTERS {
                raise(&mut all[FRONT..], n, get(&bytes[FRONT..], n));
            }
        }
    }
    Ok(all)
}

fn pfcount(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let all = merged(cx, &args[1..])?;
    cx.out.int(count(&all[FRONT..]) as i64);
    Ok(())
}

fn pfmerge(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let all = merged(cx, &args[1..])?;
    let (bytes, _) = open(cx, args[1])?;
    *bytes = all;
    cx.event(args[1], notify::STRING, "pfadd");
    cx.out.ok();
    Ok(())
}

/// Ertl's improved estimate (arXiv:1702.01284), as Redis since 4.0.10.
fn count(registers: &[u8]) -> u64 {
    let mut histogram = [0u32; 64];
    (0..REGISTERS).for_each(|n| histogram[get(registers, n) as usize] += 1);
    let m = REGISTERS as f64;
    let mut z = m * tau((m - f64::from(histogram[51])) / m);
    for n in (1..=50).rev() {
        z = 0.5 * (z + f64::from(histogram[n]));
    }
    z += m * sigma(f64::from(histogram[0]) / m);
    (ALPHA * m * m / z).round() as u64
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}
