//! The hotshell note of an artifact: found in its bytes, read, judged field by field.

use core::mem::offset_of;

use hotshell_plugin_api::note::{NOTE_TYPE, NoteBody};

use super::elf::{Elf, RawNote};
use super::reason::Reason;
use crate::error::Code;

/// What the note says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoteFacts {
    pub abi_version: u32,
    pub panic_abort: bool,
    pub schema_fingerprint: u64,
    pub build_id: u64,
    pub schema_number: u32,
    pub plugin: String,
    pub version: String,
    pub symbol: String,
    pub api_version: String,
}

const USE_MACRO: &str = "call `export_plugin!` once, in a crate that is built as a cdylib";

/// Finds the one note and reads it. `has_entry` tells a plugin without its note from a stranger.
pub(super) fn read(elf: &Elf<'_>, has_entry: bool) -> Result<NoteFacts, Reason> {
    let notes = elf.notes();
    let ours: Vec<&RawNote<'_>> = notes.iter().filter(|n| n.owner == b"hotshell").collect();
    match ours.as_slice() {
        [one] => read_one(one),
        [] if has_entry => {
            let detail = "it exports a hotshell plugin, but its hotshell note is gone";
            let hint = "do not remove .note.hotshell when stripping or linking";
            Err(Reason::new(Code::NotAPlugin, detail, hint))
        }
        [] => {
            let detail =
                "it is a shared object, but not a hotshell plugin: it has no hotshell note";
            Err(Reason::new(Code::NotAPlugin, detail, USE_MACRO))
        }
        many => {
            let detail = format!("it holds {} hotshell notes, and must hold one", many.len());
            Err(Reason::new(Code::NotAPlugin, detail, USE_MACRO))
        }
    }
}

fn read_one(note: &RawNote<'_>) -> Result<NoteFacts, Reason> {
    if note.kind != NOTE_TYPE {
        let detail = format!(
            "its hotshell note has format {:#010x}, this host reads {NOTE_TYPE:#010x}",
            note.kind
        );
        let hint = "rebuild the plugin against the hotshell-plugin-api of this host";
        return Err(Reason::new(Code::Abi, detail, hint));
    }
    let body = Body(note.content);
    if body.0.len() < size_of::<NoteBody>() {
        let (has, needs) = (body.0.len(), size_of::<NoteBody>());
        return Err(damaged(format!("it has {has} bytes and needs {needs}")));
    }
    let facts = NoteFacts {
        abi_version: body.u32(offset_of!(NoteBody, abi_version)),
        panic_abort: body.u32(offset_of!(NoteBody, panic_abort)) != 0,
        schema_fingerprint: body.u64(offset_of!(NoteBody, schema_fingerprint)),
        build_id: body.u64(offset_of!(NoteBody, build_id)),
        schema_number: body.u32(offset_of!(NoteBody, schema_number)),
        plugin: body.text(offset_of!(NoteBody, plugin), 64)?,
        version: body.text(offset_of!(NoteBody, version), 64)?,
        symbol: body.text(offset_of!(NoteBody, symbol), 128)?,
        api_version: body.text(offset_of!(NoteBody, api_version), 32)?,
    };
    judge_texts(&facts)?;
    Ok(facts)
}

fn judge_texts(facts: &NoteFacts) -> Result<(), Reason> {
    let NoteFacts { plugin, version, .. } = facts;
    if !is_name(plugin) {
        let hint = "name it with letters, digits, '-' and '_' in `export_plugin!(App, name = ..)`";
        let detail = format!("its plugin name {plugin:?} is not a name");
        return Err(Reason::new(Code::NotAPlugin, detail, hint));
    }
    if !is_semver(version) {
        let hint = "give the plugin's crate a version like 1.2.3 in its Cargo.toml";
        let detail = format!("its version {version:?} is not MAJOR.MINOR.PATCH");
        return Err(Reason::new(Code::NotAPlugin, detail, hint));
    }
    Ok(())
}

fn damaged(why: impl std::fmt::Display) -> Reason {
    let detail = format!("its hotshell note is damaged: {why}");
    Reason::new(Code::NotAPlugin, detail, "build the plugin again")
}

/// The body's bytes; the caller has checked that there are enough.
struct Body<'a>(&'a [u8]);

impl Body<'_> {
    fn u32(&self, at: usize) -> u32 {
        self.0[at..at + 4].iter().rev().fold(0, |n, &b| n << 8 | u32::from(b))
    }

    fn u64(&self, at: usize) -> u64 {
        self.0[at..at + 8].iter().rev().fold(0, |n, &b| n << 8 | u64::from(b))
    }

    fn text(&self, at: usize, room: usize) -> Result<String, Reason> {
        let field = &self.0[at..at + room];
        let end = field.iter().position(|&b| b == 0);
        let end = end.ok_or_else(|| damaged("a text has no end"))?;
        let text =
            std::str::from_utf8(&field[..end]).map_err(|_| damaged("a text is not UTF-8"))?;
        Ok(text.to_owned())
    }
}

/// Names reach file names, logs and the CLI.
pub(super) fn is_name(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(fine)
}

/// `MAJOR.MINOR.PATCH[-pre][+build]`, <https://semver.org>.
pub(super) fn is_semver(text: &str) -> bool {
    let (text, build) = text.split_once('+').map_or((text, None), |(a, b)| (a, Some(b)));
    let (core, pre) = text.split_once('-').map_or((text, None), |(a, b)| (a, Some(b)));
    let tail = |tail: &str| {
        let part = |p: &str| {
            !p.is_empty() && p.chars().all(|c: char| c.is_ascii_alphanumeric() || c == '-')
        };
        tail.split('.').all(part)
    };
    let number = |n: &str| !n.is_empty() && n.len() < 20 && n.bytes().all(|b| b.is_ascii_digit());
    core.split('.').count() == 3
        && core.split('.').all(number)
        && pre.is_none_or(tail)
        && build.is_none_or(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semver() {
        for good in ["1.0.0", "0.1.0-rc.1", "1.2.3+build.5", "1.2.3-a-b+c"] {
            assert!(is_semver(good), "{good}");
        }
        for bad in ["", "1", "1.0", "1.0.0.0", "1.0.x", "1.0.0-", "1.0.0+", "v1.0.0", "../1.0.0"] {
            assert!(!is_semver(bad), "{bad}");
        }
    }

    #[test]
    fn names_are_plain() {
        assert!(is_name("kv") && is_name("kv-2_x"));
        for bad in ["", "-kv", "a/b", "a b", "..", "ä"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
