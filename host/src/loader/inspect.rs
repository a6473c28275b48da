//! Stage 2: what the file says of itself, from its bytes, before any of its code runs.
//!
//! Constructors run inside `dlopen`, so whatever can be refused here must be.

use std::ffi::CStr;

use hotshell_plugin_api::abi::{ABI_VERSION, SYMBOL_PREFIX};

use super::elf::{Elf, Export};
use super::fetch::Fetched;
use super::note::{self, NoteFacts};
use super::reason::Reason;
use crate::error::{Code, Result};
use crate::generation::Artifact;

/// An artifact that may be mapped, and what to expect of its image.
#[derive(Debug, Clone)]
pub(super) struct Inspected {
    pub artifact: Artifact,
    /// Why `dlclose` will not unmap it, if that is visible from outside.
    pub pinned: Option<&'static str>,
    /// Libraries it wants besides those that every Rust library has.
    pub extra_needed: Vec<String>,
}

const ORDINARY: [&str; 7] = [
    "libc.so.6",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "ld-linux",
];

/// The machines that the name of is worth knowing; `e_machine` and Rust's word for it.
const MACHINES: [(u16, &str); 10] = [
    (62, "x86_64"),
    (183, "aarch64"),
    (243, "riscv64"),
    (3, "i686"),
    (40, "arm"),
    (8, "mips"),
    (21, "powerpc64"),
    (22, "s390x"),
    (258, "loongarch64"),
    (247, "bpf"),
];

/// What the bytes say.
struct Seen {
    facts: NoteFacts,
    pinned: Option<&'static str>,
    extra_needed: Vec<String>,
}

/// Looks at the bytes. Never panics, whatever they hold.
pub(super) fn inspect(fetched: &Fetched) -> Result<Inspected> {
    let seen = look(fetched.copy.bytes()).map_err(|reason| reason.about(&fetched.path))?;
    let Seen { facts, pinned, extra_needed } = seen;
    Ok(Inspected { artifact: artifact(fetched, facts), pinned, extra_needed })
}

fn look(bytes: &[u8]) -> Result<Seen, Reason> {
    let elf = Elf::parse(bytes).map_err(not_elf)?;
    right_machine(&elf)?;
    let exports = elf.exports().map_err(not_elf)?;
    let facts = note::read(&elf, has_entry(&exports))?;
    right_boundary(&facts)?;
    one_entry(&exports, &facts.symbol)?;
    right_libc(&elf)?;
    Ok(Seen { facts, pinned: pinned(&elf)?, extra_needed: extra_needed(&elf)? })
}

fn not_elf(damage: String) -> Reason {
    Reason::new(Code::Elf, damage, "name the .so that `cargo build --release` of a plugin makes")
}

fn right_machine(elf: &Elf<'_>) -> Result<(), Reason> {
    let name = |n: u16| MACHINES.iter().find(|m| m.0 == n).map(|m| m.1.to_owned());
    let host = std::env::consts::ARCH;
    let found = name(elf.machine()).unwrap_or_else(|| format!("machine {}", elf.machine()));
    if found != host {
        let hint = format!("build the plugin with `--target {host}-unknown-linux-gnu`");
        let detail = format!("it is built for {found}, this host runs on {host}");
        return Err(Reason::new(Code::Elf, detail, hint));
    }
    if !elf.is_shared_object() {
        let hint = "add `crate-type = [\"cdylib\", \"rlib\"]` to the plugin's Cargo.toml";
        return Err(Reason::new(Code::Elf, "it is an ELF file, but not a shared object", hint));
    }
    Ok(())
}

fn right_boundary(facts: &NoteFacts) -> Result<(), Reason> {
    let NoteFacts { abi_version: theirs, api_version: api, .. } = facts;
    let detail = format!(
        "it speaks boundary version {theirs} (hotshell-plugin-api {api}), this host speaks \
         {ABI_VERSION}"
    );
    if *theirs > ABI_VERSION {
        let hint = "upgrade the host, or rebuild the plugin against an older hotshell-plugin-api";
        return Err(Reason::new(Code::Abi, detail, hint));
    }
    if *theirs < ABI_VERSION {
        let hint = format!(
            "rebuild the plugin against the hotshell-plugin-api of this host, {}",
            env!("CARGO_PKG_VERSION")
        );
        return Err(Reason::new(Code::Abi, detail, hint));
    }
    if facts.panic_abort {
        let detail = "it is built with panic = \"abort\", so a panic in it would end the host; \
                      the host needs panic = \"unwind\"";
        let hint = "remove `panic = \"abort\"` from the profile it is built with";
        return Err(Reason::new(Code::PanicAbort, detail, hint));
    }
    Ok(())
}

fn has_entry(exports: &[Export<'_>]) -> bool {
    exports.iter().any(|e| e.name.starts_with(SYMBOL_PREFIX.as_bytes()))
}

/// The exported symbol is there, it is data, and there is no second one.
fn one_entry(exports: &[Export<'_>], symbol: &str) -> Result<(), Reason> {
    let entries = exports.iter().filter(|e| e.name.starts_with(SYMBOL_PREFIX.as_bytes()));
    let entries: Vec<&Export<'_>> = entries.collect();
    let names = || {
        let names = entries.iter().map(|e| String::from_utf8_lossy(e.name));
        names.collect::<Vec<_>>().join(", ")
    };
    let export = "call `export_plugin!` once, in the crate that is the plugin";
    match entries.as_slice() {
        [] => {
            let detail = format!("it does not export the symbol '{symbol}' that its note names");
            let hint = "build the plugin as a cdylib, and strip with `strip = true` in its profile \
                        rather than by hand";
            Err(Reason::new(Code::NotAPlugin, detail, hint))
        }
        [one] if one.name != symbol.as_bytes() => {
            let detail = format!("its note names the symbol '{symbol}', it exports '{}'", names());
            Err(Reason::new(Code::NotAPlugin, detail, export))
        }
        [one] if !one.data || one.size < 24 || one.address == 0 => {
            let detail = format!("its symbol '{symbol}' is not a plugin's entry");
            Err(Reason::new(Code::NotAPlugin, detail, export))
        }
        [_] => Ok(()),
        many => {
            let detail = format!("it exports {} plugins: {}", many.len(), names());
            Err(Reason::new(Code::NotAPlugin, detail, export))
        }
    }
}

fn right_libc(elf: &Elf<'_>) -> Result<(), Reason> {
    let wanted = elf.wanted_versions().map_err(not_elf)?;
    let wanted = wanted.iter().filter_map(|v| parse_libc(v.strip_prefix("GLIBC_")?)).max();
    let (Some(wanted), Some(running)) = (wanted, running_libc()) else { return Ok(()) };
    if wanted > running {
        let say = |v: (u32, u32)| format!("{}.{}", v.0, v.1);
        let detail =
            format!("it needs glibc {}, this host runs on glibc {}", say(wanted), say(running));
        let hint = "build the plugin on a system as old as the host's, or with `cargo zigbuild`";
        return Err(Reason::new(Code::Elf, detail, hint));
    }
    Ok(())
}

/// `2.34` or `2.3.4` as major and minor.
fn parse_libc(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn running_libc() -> Option<(u32, u32)> {
    // SAFETY: glibc answers a static text.
    let text = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
    parse_libc(text.to_str().ok()?)
}

fn pinned(elf: &Elf<'_>) -> Result<Option<&'static str>, Reason> {
    if elf.is_nodelete() {
        return Ok(Some("it is linked with -z nodelete (DT_FLAGS_1 says NODELETE)"));
    }
    let unique = elf.has_unique_symbols().map_err(not_elf)?;
    Ok(unique.then_some("it defines GNU_UNIQUE symbols, as C++ code does"))
}

fn extra_needed(elf: &Elf<'_>) -> Result<Vec<String>, Reason> {
    let mut needed = elf.needed().map_err(not_elf)?;
    needed.retain(|name| !ORDINARY.iter().any(|ordinary| name.starts_with(ordinary)));
    Ok(needed)
}

fn artifact(fetched: &Fetched, facts: NoteFacts) -> Artifact {
    Artifact {
        path: fetched.path.clone(),
        plugin: facts.plugin,
        version: facts.version,
        digest: fetched.digest.clone(),
        target: format!("{}-linux-gnu", std::env::consts::ARCH),
        abi_version: facts.abi_version,
        api_version: facts.api_version,
        schema: facts.schema_number,
        schema_fingerprint: facts.schema_fingerprint,
        build_id: facts.build_id,
        symbol: facts.symbol,
        size: fetched.copy.bytes().len() as u64,
    }
}

#[cfg(test)]
mod tests {
    //! Goal: no bytes make inspection panic, and none that are cut short pass. Method: a real
    //! plugin, cut at many places and with random bytes changed.

    use super::*;
    use crate::loader::artifacts;

    fn plugin() -> Vec<u8> {
        std::fs::read(artifacts::plugin("misbehave")).expect("a built plugin")
    }

    #[test]
    fn a_plugin_cut_short_anywhere_is_refused_without_a_panic() {
        let bytes = plugin();
        assert!(look(&bytes).is_ok());
        let every = (0..bytes.len()).step_by(97).chain(0..4096).chain([bytes.len() - 1]);
        for len in every {
            assert!(look(&bytes[..len]).is_err(), "accepted at {len} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn changed_bytes_never_panic() {
        let mut bytes = plugin();
        let loaded = 0x600_usize.max(bytes.len() / 8);
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random as usize % below
        };
        for round in 0..20_000 {
            // Headers, note and symbols lie in front, the dynamic section at the end of what is
            // mapped.
            let below = [64, 0x1000, loaded, bytes.len()][round % 4];
            let changes: Vec<(usize, u8)> =
                (0..1 + round % 3).map(|_| (next(below), next(256) as u8)).collect();
            let before: Vec<(usize, u8)> = changes.iter().map(|&(at, _)| (at, bytes[at])).collect();
            changes.iter().for_each(|&(at, byte)| bytes[at] = byte);
            let _ = look(&bytes);
            before.iter().rev().for_each(|&(at, byte)| bytes[at] = byte);
        }
        assert!(look(&bytes).is_ok(), "every change was taken back");
    }
}
