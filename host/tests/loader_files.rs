//! Goal: every file that is no plugin for this host is refused before any of its code runs, with a
//! text that names both sides and the next step. Method: a real plugin, changed in one place.

mod loader_support;

use std::os::unix::fs::symlink;

use hotshell::error::Code;
use loader_support::{bench, built, misbehave, patch, says};

/// Loads a good plugin after a change.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> hotshell::error::Error {
    let mut bytes = misbehave("none");
    change(&mut bytes);
    bench().refusal(&bytes)
}

#[test]
fn a_missing_file_is_refused() {
    let bench = bench();
    let error = bench.load(&bench.dir().join("nowhere.so")).expect_err("a refusal");
    says(&error, Code::File, &["No such file"], "check the path");
}

#[test]
fn a_directory_and_a_pipe_are_refused() {
    let bench = bench();
    let error = bench.load(bench.dir()).expect_err("a refusal");
    says(&error, Code::File, &["it is a directory"], "name the plugin's .so file");
    let fifo = bench.dir().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
    assert!(made.success());
    let error = bench.load(&fifo).expect_err("a refusal");
    says(&error, Code::File, &["it is not a regular file"], "name the plugin's .so file");
}

#[test]
fn an_empty_file_is_refused() {
    says(&bench().refusal(b""), Code::File, &["empty (0 bytes)"], "a build may be writing it");
}

#[test]
fn a_text_is_refused() {
    let error = bench().refusal(b"#!/bin/sh\necho hello\n");
    says(&error, Code::Elf, &["it is not an ELF file"], "cargo build --release");
}

#[test]
fn a_truncated_plugin_is_refused() {
    let bytes = misbehave("none");
    let error = bench().refusal(&bytes[..bytes.len() / 2]);
    says(&error, Code::Elf, &["cut short", &format!("it has {}", bytes.len() / 2)], "");
    says(&bench().refusal(&bytes[..40]), Code::Elf, &["cut short"], "");
}

#[test]
fn another_architecture_is_refused() {
    let error = changed(|bytes| patch::machine(bytes, 22));
    let here = std::env::consts::ARCH;
    says(&error, Code::Elf, &["built for s390x", &format!("runs on {here}")], "--target");
}

#[test]
fn another_class_is_refused() {
    let error = changed(|bytes| bytes[4] = 1);
    says(&error, Code::Elf, &["not a 64-bit little-endian ELF file"], "");
}

#[test]
fn an_executable_is_refused() {
    says(&changed(|b| patch::executable(b)), Code::Elf, &["not a shared object"], "cdylib");
}

#[test]
fn a_library_that_is_no_plugin_is_refused() {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
    let line = maps.lines().find(|l| l.contains("libgcc_s")).expect("libgcc_s is mapped");
    let path = line.split_whitespace().last().expect("a path");
    let error = bench().refusal(&std::fs::read(path).expect("libgcc_s"));
    says(&error, Code::NotAPlugin, &["not a hotshell plugin"], "export_plugin!");
}

#[test]
fn a_plugin_without_its_note_is_refused() {
    let error = changed(|b| patch::remove_note(b));
    says(&error, Code::NotAPlugin, &["its hotshell note is gone"], ".note.hotshell");
}

#[test]
fn a_note_of_another_format_is_refused() {
    let error = changed(|b| patch::note_type(b, 0x4853_0002));
    says(&error, Code::Abi, &["format 0x48530002", "reads 0x48530001"], "rebuild");
}

#[test]
fn a_plugin_without_its_export_is_refused() {
    let error = changed(|b| patch::rename_export(b));
    says(
        &error,
        Code::NotAPlugin,
        &["does not export the symbol 'hotshell_plugin_misbehave'"],
        "cdylib",
    );
}

#[test]
fn a_newer_boundary_is_refused_with_both_versions() {
    let error = changed(|b| patch::note_abi(b, 3));
    says(
        &error,
        Code::Abi,
        &["it speaks boundary version 3", "this host speaks 1"],
        "upgrade the host",
    );
}

#[test]
fn an_older_boundary_is_refused_with_both_versions() {
    let error = changed(|b| patch::note_abi(b, 0));
    says(
        &error,
        Code::Abi,
        &["it speaks boundary version 0", "this host speaks 1"],
        "rebuild the plugin",
    );
}

#[test]
fn panic_abort_is_refused() {
    let error = changed(|b| patch::panic_abort(b));
    says(&error, Code::PanicAbort, &["\"abort\"", "\"unwind\""], "profile");
}

#[test]
fn a_version_that_is_not_semver_is_refused() {
    let error = changed(|b| patch::note_version(b, "../../1"));
    says(&error, Code::NotAPlugin, &["\"../../1\" is not MAJOR.MINOR.PATCH"], "1.2.3");
}

#[test]
fn a_name_that_is_no_name_is_refused() {
    for name in ["", "a/b", "a b"] {
        let error = changed(|b| patch::note_plugin(b, name));
        says(&error, Code::NotAPlugin, &[&format!("{name:?} is not a name")], "export_plugin!");
    }
}

#[test]
fn a_newer_glibc_is_refused_with_both_versions() {
    let error = changed(|b| patch::glibc(b));
    says(&error, Code::Elf, &["needs glibc 9.99", "runs on glibc 2."], "as old as the host's");
}

#[test]
fn a_missing_library_is_named() {
    let error = changed(|b| patch::needed(b));
    says(
        &error,
        Code::Dlopen,
        &["libnone_.so.1", "cannot open shared object", "it needs libnone_.so.1"],
        "hint: ",
    );
}

#[test]
fn note_and_code_that_differ_are_refused() {
    let error = changed(|b| patch::entry_build_id(b, 7));
    says(&error, Code::NotAPlugin, &["build id", "the code 0x0000000000000007"], "build");
    let error = changed(|b| patch::entry_abi(b, 9));
    says(&error, Code::Abi, &["code speaks boundary version 9", "speaks 1"], "rebuild");
    let error = changed(|b| patch::note_fingerprint(b, 7));
    says(&error, Code::NotAPlugin, &["schema 0x0000000000000007"], "build");
}

#[test]
fn another_layout_of_the_boundary_is_refused() {
    let error = bench().refusal(&built("wrong-layout"));
    says(
        &error,
        Code::Abi,
        &["laid out otherwise", "host: PluginTable", "plugin: Buffer"],
        "rebuild",
    );
    assert!(error.detail.len() < 600, "short: {}", error.detail);
}

#[test]
fn another_format_of_a_collection_is_refused() {
    let error = bench().refusal(&built("other-format"));
    let both = ["its state has HashMap<u64, u32> in format 3", "this host knows format 2"];
    says(&error, Code::Abi, &both, "rebuild");
}

#[test]
fn a_refused_layout_does_not_spoil_later_loads() {
    let bench = bench();
    for _ in 0..5 {
        assert_eq!(bench.refusal(&built("wrong-layout")).code, Code::Abi);
        let good = bench.file("good.so", &misbehave("none"));
        bench.load(&good).expect("a load").image.unmap();
    }
}

#[test]
fn a_plugin_without_section_headers_is_loaded() {
    let bench = bench();
    let mut bytes = misbehave("none");
    patch::strip_sections(&mut bytes);
    let path = bench.file("stripped.so", &bytes);
    let loaded = bench.load(&path).expect("a load");
    assert_eq!(
        (loaded.artifact.plugin.as_str(), loaded.artifact.version.as_str()),
        ("misbehave", "1.0.0")
    );
    loaded.image.unmap();
}

#[test]
fn a_symlink_is_followed_and_its_own_path_is_kept() {
    let bench = bench();
    let link = bench.dir().join("current.so");
    symlink(loader_support::artifacts::plugin("misbehave"), &link).expect("a link");
    let checked = bench.loader.check(&link).expect("a good plugin");
    assert_eq!(checked.artifact.path, link);
    assert_eq!(checked.artifact.digest.len(), "sha256:".len() + 64);
    assert_eq!(checked.warnings, Vec::<String>::new());
    bench.nothing_is_left();
}
