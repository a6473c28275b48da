//! The key hash, algorithm 1. Its every bit is ABI: a map written by one version is searched by the
//! next, so a change here is a new algorithm id, never an edit.
//!
//! A folded 64×64→128-bit multiplication per 8 or 16 bytes (the construction of wyhash and foldhash),
//! keyed with 128 bits of seed that live in the map's header. Seeded so that an attacker without
//! the seed cannot aim for collisions; not a cryptographic hash.

/// Id of the algorithm in this file, kept in each map's header.
pub const ALGORITHM: u32 = 1;

const P0: u64 = 0xa076_1d64_78bd_642f;
const P1: u64 = 0xe703_7ed1_a0b4_28db;
const P2: u64 = 0x8ebc_6af0_9c88_c6e3;

/// Hashes the canonical encoding of one key.
#[derive(Debug, Clone, Copy)]
pub struct KeyHasher {
    state: u64,
    seed: u64,
}

#[inline(always)]
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    let mut buffer = [0; 8];
    buffer.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(buffer)
}

#[inline(always)]
fn half(bytes: &[u8], at: usize) -> u64 {
    let mut buffer = [0; 4];
    buffer.copy_from_slice(&bytes[at..at + 4]);
    u64::from(u32::from_le_bytes(buffer))
}

impl KeyHasher {
    /// A hasher keyed with a map's seed.
    #[inline(always)]
    pub const fn new(seed: [u64; 2]) -> Self {
        Self { state: seed[0], seed: seed[1] }
    }

    /// Folds one integer in.
    #[inline(always)]
    pub const fn write_u64(&mut self, n: u64) {
        self.state = fold(self.state ^ n, self.seed ^ P0);
    }

    /// Folds a byte string in, with its length, so that neighbouring strings cannot be confused.
    #[inline]
    pub fn write_bytes(&mut self, bytes: &[u8]) {
        let n = bytes.len();
        let (a, b) = if n <= 16 {
            match n {
                8.. => (word(bytes, 0), word(bytes, n - 8)),
                4.. => (half(bytes, 0), half(bytes, n - 4)),
                1.. => {
                    let ends = u64::from(bytes[0]) << 16 | u64::from(bytes[n / 2]) << 8;
                    (ends | u64::from(bytes[n - 1]), 0)
                }
                0 => (0, 0),
            }
        } else {
            self.write_long(bytes)
        };
        self.state = fold(a ^ self.state, b ^ self.seed ^ P1);
        self.state = fold(self.state ^ n as u64, self.seed ^ P2);
    }

    /// All blocks of 16 bytes but the last, which overlaps and is left to the caller.
    #[inline]
    fn write_long(&mut self, bytes: &[u8]) -> (u64, u64) {
        let n = bytes.len();
        let mut at = 0;
        while at + 16 < n {
            let (a, b) = (word(bytes, at), word(bytes, at + 8));
            self.state = fold(a ^ self.state, b ^ self.seed ^ P0);
            at += 16;
        }
        (word(bytes, n - 16), word(bytes, n - 8))
    }

    /// The hash. The high bits choose the place, the low eight are the tag.
    ///
    /// One fold alone leaves counting keys in an arithmetic progression in the high bits, which for
    /// unlucky seeds crowds some places; the multiplication lifts the well-mixed low half there.
    #[inline(always)]
    pub const fn finish(self) -> u64 {
        self.state.wrapping_mul(P1)
    }
}
