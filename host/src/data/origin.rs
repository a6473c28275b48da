//! [`Origin`]: which generation wrote a file, so that the same code can read it back.

use super::Digest;

/// The generation that wrote what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// Its number.
    pub generation: u64,
    /// Fingerprint of its schema.
    pub fingerprint: u64,
    /// Its artifact, a copy of which is kept for as long as the file is.
    pub digest: Digest,
}

/// Bytes of an origin in a file.
pub const SIZE: usize = 48;

impl Origin {
    /// Its bytes in a file: generation, fingerprint, digest.
    pub fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[..8].copy_from_slice(&self.generation.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.fingerprint.to_le_bytes());
        bytes[16..].copy_from_slice(&self.digest.0);
        bytes
    }

    /// Reads [`Origin::encode`].
    pub fn decode(bytes: &[u8; SIZE]) -> Self {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let mut digest = [0; 32];
        digest.copy_from_slice(&bytes[16..]);
        Self { generation: word(0), fingerprint: word(8), digest: Digest(digest) }
    }
}
