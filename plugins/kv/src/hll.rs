//! HyperLogLog: an estimate of how many different elements there were, in a string of Redis' form: `HYLL`,
//! a byte for the form, three spare bytes, the last estimate, and 16384 registers.
//!
//! Few elements are kept sparse, as runs of registers: `00nnnnnn` n + 1 that are 0, `01nnnnnn nnnnnnnn`
//! likewise, `1vvvvvnn` n + 1 that are v + 1. Many are kept dense, six bits for each.

use hotshell_plugin_api::collections::Bytes;

/// How many registers there are.
pub const REGISTERS: usize = 1 << 14;
/// Bytes in front of the registers.
const FRONT: usize = 16;
/// Bytes of a dense one.
const DENSE: usize = FRONT + REGISTERS * 6 / 8;
/// Where the byte for the form stands.
const FORM: usize = 4;
const SPARSE_FORM: u8 = 1;
/// Where the last estimate stands, eight bytes, little-endian; its highest bit says that it is stale.
const ESTIMATE: usize = 8;
const STALE: u8 = 0x80;
/// The highest register of the sparse form.
const SPARSE_MOST: u8 = 32;
/// Most registers of a run that have a value.
const RUN: usize = 4;
/// `0.5 / ln 2`.
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// The runs make no sense. Redis' error.
pub const CORRUPT: &str = "INVALIDOBJ Corrupted HLL object detected";

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
pub fn place(text: &[u8]) -> (usize, u8) {
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

/// An empty one, sparse.
pub fn empty() -> Bytes {
    let mut bytes = Bytes::with_capacity(FRONT + 2);
    bytes.extend_from_slice(b"HYLL");
    bytes.extend_from_slice(&[SPARSE_FORM]);
    bytes.resize(FRONT, 0);
    bytes.extend_from_slice(&Run { value: 0, len: REGISTERS }.to_bytes());
    bytes
}

/// Whether a string may be one; its runs are not looked at.
pub fn is_valid(text: &[u8]) -> bool {
    text.starts_with(b"HYLL")
        && match text.get(FORM) {
            Some(0) => text.len() == DENSE,
            Some(&SPARSE_FORM) => text.len() >= FRONT,
            _ => false,
        }
}

/// Whether it is dense.
pub fn is_dense(text: &[u8]) -> bool {
    text[FORM] == 0
}

/// The last estimate, when it still holds.
pub fn estimate(text: &[u8]) -> Option<u64> {
    let bytes = text[ESTIMATE..].first_chunk::<8>()?;
    (bytes[7] & STALE == 0).then(|| u64::from_le_bytes(*bytes))
}

/// Keeps an estimate.
pub fn keep_estimate(text: &mut [u8], estimate: u64) {
    text[ESTIMATE..FRONT].copy_from_slice(&estimate.to_le_bytes());
}

/// The registers changed.
pub fn forget_estimate(text: &mut [u8]) {
    text[FRONT - 1] |= STALE;
}

/// Registers in a row that have one value.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    value: u8,
    len: usize,
}

impl Run {
    /// The run that begins here, and how many bytes it takes.
    fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let first = *bytes.first()?;
        Some(match first >> 6 {
            0 => (Self { value: 0, len: usize::from(first & 63) + 1 }, 1),
            1 => {
                // One that is cut off goes on with a zero, which is what C finds behind a string.
                let low = bytes.get(1).copied().unwrap_or(0);
                let len = usize::from(first & 63) << 8 | usize::from(low);
                (Self { value: 0, len: len + 1 }, bytes.len().min(2))
            }
            _ => (Self { value: (first >> 2 & 31) + 1, len: usize::from(first & 3) + 1 }, 1),
        })
    }

    fn to_bytes(self) -> Vec<u8> {
        let len = self.len - 1;
        match (self.value, len) {
            (0, 0..64) => vec![len as u8],
            (0, _) => vec![0x40 | (len >> 8) as u8, len as u8],
            (value, _) => vec![0x80 | (value - 1) << 2 | len as u8],
        }
    }
}

/// All registers.
///
/// # Errors
/// [`CORRUPT`].
pub fn registers(text: &[u8]) -> Result<Vec<u8>, &'static str> {
    if is_dense(text) {
        return Ok((0..REGISTERS).map(|n| get(&text[FRONT..], n)).collect());
    }
    let mut all = Vec::with_capacity(REGISTERS);
    let mut rest = &text[FRONT..];
    while !rest.is_empty() {
        let (run, used) = Run::read(rest).ok_or(CORRUPT)?;
        all.resize(all.len() + run.len, run.value);
        rest = &rest[used..];
    }
    if all.len() == REGISTERS { Ok(all) } else { Err(CORRUPT) }
}

/// The runs of a sparse one as text: `z:` and `Z:` with the length of a run of zeros, `v:` with the value
/// and the length of another one.
pub fn runs(text: &[u8]) -> String {
    let (mut words, mut rest) = (Vec::new(), &text[FRONT..]);
    while let Some((Run { value, len }, used)) = Run::read(rest) {
        words.push(match rest[0] >> 6 {
            0 => format!("z:{len}"),
            1 => format!("Z:{len}"),
            _ => format!("v:{value},{len}"),
        });
        rest = &rest[used..];
    }
    words.join(" ")
}

/// Whether both forms hold the same, and the estimate is near. Some 100 us.
///
/// # Errors
/// What is wrong.
pub fn self_test() -> Result<(), &'static str> {
    const ELEMENTS: u64 = 200;
    let (mut sparse, mut dense) = (empty(), empty());
    make_dense(&mut dense)?;
    for n in 0..ELEMENTS {
        let (register, to) = place(&n.to_le_bytes());
        raise_to(&mut sparse, register, to, u64::MAX)?;
        raise_to(&mut dense, register, to, 0)?;
    }
    let all = registers(&dense)?;
    if is_dense(&sparse) || registers(&sparse)? != all {
        return Err("TESTFAILED the sparse form and the dense one differ");
    }
    // With so few the error is far below one in a hundred.
    let near = count(&all).abs_diff(ELEMENTS) <= ELEMENTS / 50;
    if near { Ok(()) } else { Err("TESTFAILED the estimate is too far off") }
}

/// Makes it dense.
///
/// # Errors
/// [`CORRUPT`].
pub fn make_dense(bytes: &mut Bytes) -> Result<(), &'static str> {
    if is_dense(bytes) {
        return Ok(());
    }
    let all = registers(bytes)?;
    bytes.truncate(FRONT);
    bytes.resize(DENSE, 0);
    bytes[FORM] = 0;
    for (n, &value) in all.iter().enumerate() {
        raise(&mut bytes[FRONT..], n, value);
    }
    Ok(())
}

/// Raises a register; false when it is as high already. A sparse one becomes dense when it would take
/// more than `most` bytes. O(1), O(bytes) in a sparse one.
///
/// # Errors
/// [`CORRUPT`].
pub fn raise_to(bytes: &mut Bytes, n: usize, to: u8, most: u64) -> Result<bool, &'static str> {
    if !is_dense(bytes) && to <= SPARSE_MOST {
        let (mut at, mut first, mut before) = (FRONT, 0, FRONT);
        let (run, used) = loop {
            let (run, used) = Run::read(&bytes[at..]).ok_or(CORRUPT)?;
            if n < first + run.len {
                break (run, used);
            }
            (before, at, first) = (at, at + used, first + run.len);
        };
        if run.value >= to {
            return Ok(false);
        }
        let parts = [
            Run { value: run.value, len: n - first },
            Run { value: to, len: 1 },
            Run { value: run.value, len: first + run.len - n - 1 },
        ];
        let parts = parts.into_iter().filter(|part| part.len > 0);
        let parts: Vec<u8> = parts.flat_map(Run::to_bytes).collect();
        // Of one that is cut off the length loses what it never had, as in Redis.
        let whole = if bytes[at] >> 6 == 1 { 2 } else { 1 };
        let grown = bytes.len() + parts.len() - whole;
        if parts.len() <= whole || grown as u64 <= most {
            let tail = bytes[at + used..].to_vec();
            bytes.truncate(at);
            bytes.extend_from_slice(&parts);
            bytes.extend_from_slice(&tail);
            bytes.truncate(grown);
            join(bytes, before);
            return Ok(true);
        }
    }
    make_dense(bytes)?;
    Ok(raise(&mut bytes[FRONT..], n, to))
}

/// Joins runs of one value, among the few behind `at` where one was just changed.
fn join(bytes: &mut Bytes, mut at: usize) {
    /// A change makes three runs of one, beside two neighbours.
    const FEW: usize = 5;
    for _ in 0..FEW {
        let Some((run, used)) = Run::read(&bytes[at..]) else { return };
        let next = Run::read(&bytes[at + used..]).map(|(next, _)| next);
        let joined = next.filter(|next| run.value > 0 && next.value == run.value);
        match joined.map(|next| Run { len: run.len + next.len, ..run }) {
            Some(whole) if whole.len <= RUN => {
                bytes[at + used] = whole.to_bytes()[0];
                let tail = bytes[at + used..].to_vec();
                bytes.truncate(at);
                bytes.extend_from_slice(&tail);
            }
            _ => at += used,
        }
    }
}

/// Ertl's improved estimate (arXiv:1702.01284), as Redis since 4.0.10.
pub fn count(registers: &[u8]) -> u64 {
    let mut histogram = [0u32; 64];
    registers.iter().for_each(|&value| histogram[usize::from(value)] += 1);
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
