//! The ELF note: what a shell must know about an artifact before it runs any of its code.
//!
//! A fixed, relocation-free block in section `.note.hotshell`, readable from the bytes of the file.

use crate::abi::ABI_VERSION;

/// Section that holds the note.
pub const NOTE_SECTION: &str = ".note.hotshell";
/// Owner name of the note, as ELF stores it.
pub const NOTE_NAME: [u8; 12] = *b"hotshell\0\0\0\0";
/// Type number of the note: "HS" and the note format.
pub const NOTE_TYPE: u32 = 0x4853_0001;

/// The note with its ELF header.
#[repr(C, align(4))]
#[derive(Debug, Clone, Copy)]
pub struct Note {
    /// Length of `name` without padding: 9.
    pub name_size: u32,
    /// Length of `body`.
    pub body_size: u32,
    /// [`NOTE_TYPE`].
    pub kind: u32,
    /// [`NOTE_NAME`].
    pub name: [u8; 12],
    /// The content.
    pub body: NoteBody,
}

/// Content of the note. Little-endian; texts are UTF-8, padded with zero bytes.
#[repr(C, packed(4))]
#[derive(Debug, Clone, Copy)]
pub struct NoteBody {
    /// The boundary's version.
    pub abi_version: u32,
    /// 0: panics unwind. 1: panics abort, which a shell refuses.
    pub panic_abort: u32,
    /// Fingerprint of state root and session.
    pub schema_fingerprint: u64,
    /// Equal to `Entry::build_id`.
    pub build_id: u64,
    /// The author's schema number.
    pub schema_number: u32,
    /// Reserved, zero.
    pub reserved: u32,
    /// Plugin name.
    pub plugin: [u8; 64],
    /// Semver of the plugin.
    pub version: [u8; 64],
    /// Name of the exported symbol.
    pub symbol: [u8; 128],
    /// Version of this crate.
    pub api_version: [u8; 32],
}

/// What an author's build contributes to the note.
#[derive(Debug, Clone, Copy)]
pub struct NoteInput {
    /// Plugin name.
    pub plugin: &'static str,
    /// Semver of the plugin.
    pub version: &'static str,
    /// Name of the exported symbol.
    pub symbol: &'static str,
    /// Whether the crate is built with `panic = "abort"`.
    pub panic_abort: bool,
    /// Fingerprint of state root and session.
    pub schema_fingerprint: u64,
    /// The author's schema number.
    pub schema_number: u32,
}

impl Note {
    /// The note of one build. Evaluated at compile time.
    ///
    /// # Panics
    /// At compile time, when a text is too long for its field.
    pub const fn new(input: NoteInput) -> Self {
        Self {
            name_size: 9,
            body_size: size_of::<NoteBody>() as u32,
            kind: NOTE_TYPE,
            name: NOTE_NAME,
            body: NoteBody {
                abi_version: ABI_VERSION,
                panic_abort: input.panic_abort as u32,
                schema_fingerprint: input.schema_fingerprint,
                build_id: input.build_id(),
                schema_number: input.schema_number,
                reserved: 0,
                plugin: padded(input.plugin),
                version: padded(input.version),
                symbol: padded(input.symbol),
                api_version: padded(env!("CARGO_PKG_VERSION")),
            },
        }
    }
}

impl NoteInput {
    /// Ties the note to the code beside it.
    pub const fn build_id(&self) -> u64 {
        use crate::schema::{mix, mix_text};
        let h = mix_text(mix_text(mix(0, self.schema_fingerprint), self.plugin), self.version);
        mix_text(mix_text(h, self.symbol), env!("CARGO_PKG_VERSION"))
    }
}

const fn padded<const N: usize>(text: &str) -> [u8; N] {
    let bytes = text.as_bytes();
    assert!(bytes.len() < N, "the plugin's name, version or crate name is too long for its note");
    let mut out = [0; N];
    let mut i = 0;
    while i < bytes.len() {
        out[i] = bytes[i];
        i += 1;
    }
    out
}
