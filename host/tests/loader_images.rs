//! Goal: a load always answers the bytes that lie at the path, what happens to that file later
//! touches nothing, and what `dlclose` did is looked up. Method: `misbehave`, called directly.

mod loader_support;

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::mpsc;

use hotshell::loader::{Retained, Unmapping};
use loader_support::{Called, bench, eventually, misbehave, patch};

#[test]
fn the_same_path_with_other_bytes_is_other_code() {
    let bench = bench();
    let path = bench.file("plugin.so", &misbehave("none"));
    let one = bench.load(&path).expect("a load");
    bench.file("plugin.so", &misbehave("answer-otherwise"));
    let two = bench.load(&path).expect("other bytes at the same path");
    assert_ne!(one.artifact.digest, two.artifact.digest);
    assert_eq!(Called::start(&one).line("x\n"), "x ok\n");
    assert_eq!(Called::start(&two).line("x\n"), "x otherwise\n");
    assert_eq!(one.image.unmap(), Unmapping::Unmapped);
    assert_eq!(two.image.unmap(), Unmapping::Unmapped);
}

#[test]
fn the_same_bytes_twice_are_two_images() {
    let bench = bench();
    let path = bench.file("plugin.so", &misbehave("none"));
    let (one, two) = (bench.load(&path).expect("a load"), bench.load(&path).expect("a load"));
    assert_ne!(one.callable.table.data as usize, two.callable.table.data as usize);
    assert_ne!(one.image.staged_path(), two.image.staged_path());
    assert_eq!(one.image.unmap(), Unmapping::Unmapped);
    assert!(two.image.is_mapped(), "the other one stays");
    assert_eq!(Called::start(&two).line("still\n"), "still ok\n");
    assert_eq!(two.image.unmap(), Unmapping::Unmapped);
    bench.nothing_is_left();
}

#[test]
fn a_retargeted_symlink_is_other_code() {
    let bench = bench();
    let link = bench.dir().join("current.so");
    symlink(bench.file("one.so", &misbehave("none")), &link).expect("a link");
    let one = bench.load(&link).expect("a load");
    fs::remove_file(&link).expect("the link");
    symlink(bench.file("two.so", &misbehave("answer-otherwise")), &link).expect("a link");
    let two = bench.load(&link).expect("another target");
    assert_eq!(Called::start(&one).line("x\n"), "x ok\n");
    assert_eq!(Called::start(&two).line("x\n"), "x otherwise\n");
    one.image.unmap();
    two.image.unmap();
}

#[test]
fn a_file_that_is_cut_or_overwritten_after_the_load_changes_nothing() {
    let bench = bench();
    let path = bench.file("plugin.so", &misbehave("none"));
    let loaded = bench.load(&path).expect("a load");
    let mut called = Called::start(&loaded);
    // In place, as `cp` does it: a mapping of this file would be SIGBUS from here on.
    fs::OpenOptions::new().write(true).truncate(true).open(&path).expect("cut");
    assert_eq!(called.line("one\n"), "one ok\n");
    fs::write(&path, vec![0xcc; 1 << 20]).expect("overwritten");
    assert_eq!(called.line("two\n"), "two ok\n");
    assert_eq!(called.line("count\n"), "count 3 3\n");
    assert_eq!(loaded.image.unmap(), Unmapping::Unmapped);
}

#[test]
fn an_artifact_tells_what_it_is() {
    let bench = bench();
    let bytes = misbehave("none");
    let loaded = bench.load(&bench.file("plugin.so", &bytes)).expect("a load");
    let about = &loaded.artifact;
    assert_eq!(about.symbol, "hotshell_plugin_misbehave");
    assert_eq!((about.abi_version, about.size), (1, bytes.len() as u64));
    assert_eq!(about.schema_fingerprint, loaded.callable.shape.schema.fingerprint);
    assert!(about.target.ends_with("-linux-gnu"));
    assert_eq!((&*loaded.callable.plugin, loaded.callable.generation), ("misbehave", 1));
    let name = loaded.image.staged_path().file_name().expect("a name").to_string_lossy();
    assert!(name.contains(&about.digest["sha256:".len()..][..12]), "{name}");
    assert!(name.ends_with("-misbehave-1.0.0.so"), "{name}");
    loaded.image.unmap();
}

#[test]
fn every_page_is_there_before_the_first_call() {
    let bench = bench();
    let loaded = bench.load(&bench.file("plugin.so", &misbehave("none"))).expect("a load");
    let smaps = fs::read_to_string("/proc/self/smaps").expect("smaps");
    let path = loaded.image.staged_path().display().to_string();
    let mut ours = false;
    let (mut size_kb, mut rss_kb) = (0, 0);
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let (name, value) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        match name {
            "Size:" if ours => size_kb += value.parse::<u64>().expect("kB"),
            "Rss:" if ours => rss_kb += value.parse::<u64>().expect("kB"),
            _ if !name.ends_with(':') => ours = line.ends_with(&path),
            _ => {}
        }
    }
    assert!(size_kb > 100, "the image was found");
    assert_eq!(rss_kb, size_kb);
    loaded.image.unmap();
}

#[test]
fn a_dropped_image_stays_mapped() {
    let bench = bench();
    let loaded = bench.load(&bench.file("plugin.so", &misbehave("none"))).expect("a load");
    let mut called = Called::start(&loaded);
    drop(loaded);
    assert_eq!(called.line("here\n"), "here ok\n", "a call may still come");
}

#[test]
fn an_image_with_a_thread_is_retained_with_the_reason() {
    let bench = bench();
    let loaded = bench.load(&bench.file("plugin.so", &misbehave("thread"))).expect("a load");
    Called::start(&loaded).tick();
    let staged = loaded.image.staged_path().to_owned();
    let Unmapping::Retained(Retained { reason, .. }) = loaded.image.unmap() else {
        panic!("retained")
    };
    assert!(reason.starts_with("still mapped after dlclose: a thread that it started"), "{reason}");
    assert!(staged.exists(), "debuggers need it");
}

#[test]
fn an_image_with_a_thread_local_destructor_goes_after_its_thread() {
    let bench = bench();
    let bytes = misbehave("tls-destructor");
    let loaded = bench.load(&bench.file("plugin.so", &bytes)).expect("a load");
    let (end, wait) = mpsc::channel::<()>();
    let (ready, ticked) = mpsc::channel();
    let mut called = SendCalled(Called::start(&loaded));
    let engine = std::thread::spawn(move || {
        called.tick();
        ready.send(()).expect("somebody waits");
        let _ = wait.recv();
    });
    ticked.recv().expect("a tick");
    let staged = loaded.image.staged_path().to_owned();
    let Unmapping::Retained(retained) = loaded.image.unmap() else { panic!("retained") };
    assert!(retained.reason.contains("thread-local destructor"), "{}", retained.reason);
    assert!(retained.is_mapped());
    drop(end);
    engine.join().expect("the thread ends");
    // glibc unmaps it at the next dlclose.
    let other = bench.load(&bench.file("other.so", &misbehave("none"))).expect("a load");
    other.image.unmap();
    eventually("the leftover goes, and its file with it", || {
        hotshell::loader::retained_images();
        !staged.exists()
    });
    assert!(!retained.is_mapped(), "`list` says so no longer");
}

#[test]
fn a_nodelete_image_is_announced_and_retained() {
    let bench = bench();
    let mut bytes = misbehave("none");
    patch::nodelete(&mut bytes);
    let path = bench.file("plugin.so", &bytes);
    let checked = bench.loader.check(&path).expect("it may be loaded");
    assert!(checked.warnings[0].contains("NODELETE"), "{:?}", checked.warnings);
    let Unmapping::Retained(Retained { reason, .. }) =
        bench.load(&path).expect("a load").image.unmap()
    else {
        panic!("retained")
    };
    assert!(
        reason.contains("still mapped after dlclose") && reason.contains("NODELETE"),
        "{reason}"
    );
}

struct SendCalled(Called);

// SAFETY: the plugin's state is reached from one thread at a time.
unsafe impl Send for SendCalled {}

impl SendCalled {
    fn tick(&mut self) {
        self.0.tick();
    }
}
