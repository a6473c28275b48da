//! Goal: whatever a plugin does when it first runs, it does it in a child, and the one who asked
//! hears what and where. Method: `misbehave`, loaded with one behaviour each.

mod loader_support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hotshell::error::Code;
use hotshell::loader::{Loader, LoaderConfig, Target, vet_host_table};
use hotshell_plugin_api::schema::Schema;
use loader_support::{artifacts, bench, bench_with, eventually, misbehave, says};

const CONSTRUCTOR: &str = "in a constructor, while it was being mapped";

#[test]
fn a_constructor_that_crashes_is_contained() {
    let bench = bench();
    let error = bench.refusal_of("ctor-segv");
    says(&error, Code::Vet, &["killed by SIGSEGV", CONSTRUCTOR], "nothing changed here");
    let error = bench.refusal_of("ctor-abort");
    says(&error, Code::Vet, &["killed by SIGABRT", CONSTRUCTOR], "hotshell check");
    let error = bench.refusal_of("ctor-panic");
    let words = "misbehave was told to panic in a constructor";
    says(&error, Code::Vet, &["plugin 'misbehave' 1.0.0", "SIGABRT", CONSTRUCTOR], "");
    assert!(error.detail.contains("its last words: ") && error.detail.contains("panic"), "{words}");
}

#[test]
fn a_constructor_that_exits_is_contained() {
    let bench = bench();
    let error = bench.refusal_of("ctor-exit0");
    says(&error, Code::Vet, &["ended its process with exit code 0", CONSTRUCTOR], "");
    let error = bench.refusal_of("ctor-exit1");
    says(&error, Code::Vet, &["ended its process with exit code 1", CONSTRUCTOR], "");
}

#[test]
fn a_hang_is_ended_and_its_place_is_named() {
    let places =
        [("ctor-hang", CONSTRUCTOR), ("init-hang", "in init"), ("self-test-hang", "in self_test")];
    let hangs = |behaviour, place| {
        // Long enough that a busy machine comes as far as to the hang.
        let error = bench_with(Duration::from_secs(3)).refusal_of(behaviour);
        says(&error, Code::Vet, &["hung", place, "no answer within 3000 ms"], "hotshell check");
    };
    std::thread::scope(|scope| {
        for (behaviour, place) in places {
            scope.spawn(move || hangs(behaviour, place));
        }
    });
}

#[test]
fn a_hang_that_has_left_its_process_group_is_ended_all_the_same() {
    let error = bench_with(Duration::from_secs(3)).refusal_of("ctor-leave-group");
    says(&error, Code::Vet, &["hung", CONSTRUCTOR], "hotshell check");
}

#[test]
fn a_constructor_that_prints_does_not_forge_a_verdict() {
    let bench = bench();
    let path = bench.file("prints.so", &misbehave("ctor-print"));
    let checked = bench.loader.check(&path).expect("printing is no crime");
    assert_eq!(*checked.shape.schema, Schema::of::<u64, u64>());
}

#[test]
fn a_crash_in_a_destructor_is_found_beforehand() {
    let error = bench().refusal_of("dtor-segv");
    says(&error, Code::Vet, &["killed by SIGSEGV", "in a destructor"], "");
}

#[test]
fn a_plugin_that_prints_without_end_fills_nothing() {
    let error = bench_with(Duration::from_secs(3)).refusal_of("ctor-flood");
    says(&error, Code::Vet, &["hung", CONSTRUCTOR, "its last words: ", "and on and on"], "");
    assert!(error.detail.len() < 600, "{}", error.detail);
}

#[test]
fn a_plugin_that_takes_all_memory_meets_its_limit() {
    let error = bench().refusal_of("init-memory");
    says(&error, Code::Vet, &["SIGABRT", "in init", "memory allocation of 8589934592 bytes"], "");
}

#[test]
fn processes_that_a_plugin_starts_in_the_vet_child_are_ended() {
    let error = bench().refusal_of("init-spawn");
    let pid = error.detail.rsplit_once("pid=").expect("a pid").1;
    eventually("the process is gone, or dead and unburied", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
}

#[test]
fn a_refusal_to_go_up_reaches_the_one_who_asked() {
    let bench = bench();
    let error = bench.refusal_of("init-refuse");
    let parts = ["refuses to go up in init", "misbehave was told to refuse in init"];
    says(&error, Code::Refused, &parts, "load it again");
    let error = bench.refusal_of("self-test-refuse");
    let parts = ["refuses to go up in self_test", "misbehave was told to refuse in self-test"];
    says(&error, Code::Refused, &parts, "load it again");
}

#[test]
fn a_panic_on_the_way_up_is_told_with_its_text() {
    let bench = bench();
    let error = bench.refusal_of("init-panic");
    let parts = ["panicked in init", "misbehave was told to panic in init"];
    says(&error, Code::Panicked, &parts, "correct the plugin");
    let error = bench.refusal_of("self-test-panic");
    let parts = ["panicked in self_test", "misbehave was told to panic in self-test"];
    says(&error, Code::Panicked, &parts, "correct the plugin");
}

#[test]
fn a_crash_or_an_exit_in_init_is_contained() {
    let bench = bench();
    says(&bench.refusal_of("init-segv"), Code::Vet, &["killed by SIGSEGV", "in init"], "");
    says(&bench.refusal_of("init-exit"), Code::Vet, &["exit code 0", "in init"], "");
}

#[test]
fn the_vet_child_knows_the_configuration() {
    let bench = bench();
    let path = bench.file("plugin.so", &misbehave("needs-config"));
    let error = bench.load(&path).expect_err("a refusal");
    says(&error, Code::Refused, &["needs mood = \"good\""], "");
    let config = BTreeMap::from([("mood".to_owned(), "good".to_owned())]);
    let target = Target { config: Some(&config), ..Target::default() };
    bench.loader.check_for(&path, &target).expect("it has what it needs");
}

#[test]
fn another_program_is_no_vet_child() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let mut config = LoaderConfig::new(dir.path());
    config.vet_program = "/bin/false".into();
    let loader = Loader::new(config.clone(), vet_host_table()).expect("a loader");
    let error = loader.check(&artifacts::plugin("misbehave")).expect_err("a refusal");
    let parts = ["vet child '/bin/false' ended its process with exit code 1 before it began"];
    says(&error, Code::Vet, &parts, "hotshell program");
    config.vet_program = "/nowhere/hotshell".into();
    let loader = Loader::new(config, vet_host_table()).expect("a loader");
    let error = loader.check(&artifacts::plugin("misbehave")).expect_err("a refusal");
    says(&error, Code::Vet, &["'/nowhere/hotshell' cannot be started"], "");
}

#[test]
fn a_stage_that_cannot_be_made_is_refused() {
    let dir = tempfile::NamedTempFile::new().expect("a file");
    let config = LoaderConfig::new(dir.path().join("stage"));
    let error = Loader::new(config, vet_host_table()).expect_err("a refusal");
    says(&error, Code::Start, &["Not a directory"], "name a directory");
}

#[test]
fn leftovers_of_dead_hosts_are_removed_at_the_start() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let leftover = dir.path().join("4194305.1-1.0-0123456789ab-kv-1.0.0.so");
    let stranger = dir.path().join("README");
    for path in [&leftover, &stranger] {
        std::fs::write(path, "x").expect("a file");
    }
    Loader::new(LoaderConfig::new(dir.path()), vet_host_table()).expect("a loader");
    assert!(!leftover.exists() && stranger.exists());
}

#[test]
fn a_cancelled_load_ends_its_child_at_once() {
    let bench = bench_with(Duration::from_secs(1800));
    let path = bench.file("hangs.so", &misbehave("init-hang"));
    let cancel = Arc::new(AtomicBool::new(false));
    let (begin, flag) = (Instant::now(), Arc::clone(&cancel));
    let error = std::thread::scope(|scope| {
        let load = scope.spawn(|| bench.loader.load(&path, 1, &cancel));
        eventually("the file is staged", || !bench.staged().is_empty());
        flag.store(true, Ordering::Relaxed);
        load.join().expect("the loader does not panic").expect_err("a refusal")
    });
    assert!(begin.elapsed() < Duration::from_secs(180));
    says(&error, Code::Cancelled, &["cancelled"], "load it again");
    bench.nothing_is_left();
}

#[test]
fn a_load_cancelled_before_it_starts_does_nothing() {
    let bench = bench();
    let path = bench.file("plugin.so", &misbehave("none"));
    let error = bench.loader.load(&path, 1, &AtomicBool::new(true)).expect_err("a refusal");
    assert_eq!(error.code, Code::Cancelled);
    bench.nothing_is_left();
}

#[test]
fn the_vet_child_cannot_be_used_by_hand() {
    let program = env!("CARGO_BIN_EXE_hotshell");
    let output = std::process::Command::new(program).arg("__vet").output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("hotshell check FILE"));
}
