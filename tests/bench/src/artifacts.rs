//! Where the binary under test and its plugins lie: beside this program.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// The `hotshell` binary.
pub fn hotshell() -> Result<PathBuf> {
    beside("hotshell")
}

/// Version 1 of the kv plugin.
pub fn kv_v1() -> Result<PathBuf> {
    beside("libkv_v1.so")
}

/// Version 2 of the kv plugin.
pub fn kv_v2() -> Result<PathBuf> {
    beside("libkv_v2.so")
}

/// Version 1 of the guest book.
pub fn guestbook_v1() -> Result<PathBuf> {
    beside("libguestbook_v1.so")
}

/// Version 2 of the guest book, whose state has another shape.
pub fn guestbook_v2() -> Result<PathBuf> {
    beside("libguestbook_v2.so")
}

/// A ledger that keeps a journal, version 1.
pub fn ledger_v1() -> Result<PathBuf> {
    beside("libledger_v1.so")
}

/// Version 2 of the ledger, whose accounts have another shape.
pub fn ledger_v2() -> Result<PathBuf> {
    beside("libledger_v2.so")
}

/// The plugin that misbehaves on demand.
pub fn misbehave() -> Result<PathBuf> {
    beside("libmisbehave.so")
}

fn beside(name: &str) -> Result<PathBuf> {
    let me = std::env::current_exe().context("where this program lies")?;
    let folder = me.parent().context("this program lies in no folder")?;
    let path = folder.join(name);
    if !path.exists() {
        let release = if folder.ends_with("release") { " --release" } else { "" };
        bail!("{} is not there; build it first: cargo build{release} --workspace", path.display());
    }
    Ok(path)
}
