//! Plugins damaged on purpose: the bytes of a built `.so`, changed in one place.
//!
//! All functions panic when the place is not found: the fixture is broken then, not the host.

use std::mem::offset_of;

use hotshell_plugin_api::abi::{ABI_VERSION, MAGIC};
use hotshell_plugin_api::note::{NOTE_NAME, NOTE_TYPE, NoteBody};

const MARKER: &[u8] = b"HOTSHELL-BEHAVIOUR:";
const BEHAVIOUR_ROOM: usize = 64 - MARKER.len();
/// Bytes of the note in front of its body.
const NOTE_HEAD: usize = 24;

/// Tells a copy of `misbehave` what to do; see its `patched::ALL`.
pub fn behaviour(bytes: &mut [u8], name: &str) {
    assert!(name.len() <= BEHAVIOUR_ROOM, "{name} is too long");
    let at = only(bytes, MARKER) + MARKER.len();
    let field = &mut bytes[at..at + BEHAVIOUR_ROOM];
    field.fill(b'.');
    field[..name.len()].copy_from_slice(name.as_bytes());
}

/// Changes the boundary version in the note.
pub fn note_abi(bytes: &mut [u8], version: u32) {
    put(bytes, body(bytes) + offset_of!(NoteBody, abi_version), &version.to_le_bytes());
}

/// Changes the boundary version in the code's entry, so that it differs from the note's.
pub fn entry_abi(bytes: &mut [u8], version: u32) {
    put(bytes, entry(bytes) + 8, &version.to_le_bytes());
}

/// Changes the build id in the code's entry, so that it differs from the note's.
pub fn entry_build_id(bytes: &mut [u8], id: u64) {
    put(bytes, entry(bytes) + 16, &id.to_le_bytes());
}

/// Makes the note say `panic = "abort"`.
pub fn panic_abort(bytes: &mut [u8]) {
    put(bytes, body(bytes) + offset_of!(NoteBody, panic_abort), &1_u32.to_le_bytes());
}

/// Changes the schema fingerprint in the note.
pub fn note_fingerprint(bytes: &mut [u8], fingerprint: u64) {
    let at = body(bytes) + offset_of!(NoteBody, schema_fingerprint);
    put(bytes, at, &fingerprint.to_le_bytes());
}

/// Changes the plugin's name in the note.
pub fn note_plugin(bytes: &mut [u8], name: &str) {
    put_text::<64>(bytes, body(bytes) + offset_of!(NoteBody, plugin), name);
}

/// Changes the version in the note.
pub fn note_version(bytes: &mut [u8], version: &str) {
    put_text::<64>(bytes, body(bytes) + offset_of!(NoteBody, version), version);
}

/// Changes the format of the note.
pub fn note_type(bytes: &mut [u8], kind: u32) {
    put(bytes, body(bytes) - 16, &kind.to_le_bytes());
}

/// Gives the note another owner, so that there is no hotshell note.
pub fn remove_note(bytes: &mut [u8]) {
    put(bytes, body(bytes) - 12, b"hotshelX");
}

/// Renames the exported symbol, so that the one that the note names is missing.
pub fn rename_export(bytes: &mut [u8]) {
    every(bytes, b"\0hotshell_plugin_", b"\0notshell_plugin_", body(bytes)..body(bytes) + 500);
}

/// Changes `e_machine`; 183 is aarch64.
pub fn machine(bytes: &mut [u8], machine: u16) {
    put(bytes, 18, &machine.to_le_bytes());
}

/// Makes an executable of it, as far as the header goes.
pub fn executable(bytes: &mut [u8]) {
    put(bytes, 16, &2_u16.to_le_bytes());
}

/// Removes the section headers, as `sstrip` does.
pub fn strip_sections(bytes: &mut [u8]) {
    put(bytes, 0x28, &0_u64.to_le_bytes());
    put(bytes, 0x3c, &[0; 4]);
}

/// Makes it want a glibc that is not there.
pub fn glibc(bytes: &mut [u8]) {
    every(bytes, b"\0GLIBC_2.34\0", b"\0GLIBC_9.99\0", 0..0);
}

/// Makes it want a library that is not there.
pub fn needed(bytes: &mut [u8]) {
    every(bytes, b"\0libgcc_s.so.1\0", b"\0libnone_.so.1\0", 0..0);
}

/// Sets NODELETE in `DT_FLAGS_1`.
pub fn nodelete(bytes: &mut [u8]) {
    let tag = 0x6fff_fffb_u64.to_le_bytes();
    let at = only(bytes, &tag) + 8;
    bytes[at] |= 8;
}

/// Makes a symbol that it exports, other than its entry, a GNU_UNIQUE one, as C++ inline variables are.
pub fn unique_symbol(bytes: &mut [u8]) {
    const DYNSYM: usize = 11;
    const SYMBOL: usize = 24;
    const UNIQUE: u8 = 10;
    let number = |at: usize, len: usize| {
        bytes[at..at + len].iter().rev().fold(0, |n: usize, &byte| n << 8 | usize::from(byte))
    };
    let headers = (0..number(0x3c, 2)).map(|n| number(0x28, 8) + n * number(0x3a, 2));
    let table = headers.clone().find(|&at| number(at + 4, 4) == DYNSYM).expect("a .dynsym");
    let names = headers.clone().nth(number(table + 0x28, 4)).expect("its texts");
    let symbols =
        (0..number(table + 0x20, 8) / SYMBOL).map(|n| number(table + 0x18, 8) + n * SYMBOL);
    let own = |&at: &usize| {
        let name = number(names + 0x18, 8) + number(at, 4);
        number(at + 6, 2) != 0 && !bytes[name..].starts_with(b"hotshell_plugin_")
    };
    let at = symbols.clone().find(own).expect("it exports something else, too") + 4;
    bytes[at] = UNIQUE << 4 | bytes[at] & 0xf;
}

fn body(bytes: &[u8]) -> usize {
    let mut head = Vec::new();
    head.extend_from_slice(&NOTE_TYPE.to_le_bytes());
    head.extend_from_slice(&NOTE_NAME);
    only(bytes, &head) - 8 + NOTE_HEAD
}

fn entry(bytes: &[u8]) -> usize {
    let mut head = MAGIC.to_le_bytes().to_vec();
    head.extend_from_slice(&ABI_VERSION.to_le_bytes());
    only(bytes, &head)
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    bytes[at..at + new.len()].copy_from_slice(new);
}

fn put_text<const ROOM: usize>(bytes: &mut [u8], at: usize, text: &str) {
    let mut field = [0; ROOM];
    field[..text.len()].copy_from_slice(text.as_bytes());
    put(bytes, at, &field);
}

fn find(bytes: &[u8], what: &[u8]) -> Vec<usize> {
    let first = what[0];
    let starts = bytes.iter().enumerate().filter(|&(_, &b)| b == first).map(|(at, _)| at);
    starts.filter(|&at| bytes[at..].starts_with(what)).collect()
}

fn only(bytes: &[u8], what: &[u8]) -> usize {
    let found = find(bytes, what);
    assert_eq!(found.len(), 1, "{:?} must be there once", String::from_utf8_lossy(what));
    found[0]
}

/// Replaces every occurrence but those in a range.
fn every(bytes: &mut [u8], old: &[u8], new: &[u8], but: std::ops::Range<usize>) {
    let found = find(bytes, old);
    assert!(!found.is_empty(), "{:?} must be there", String::from_utf8_lossy(old));
    found.into_iter().filter(|at| !but.contains(at)).for_each(|at| put(bytes, at, new));
}
