//! Goal: a start goes on with the permanent artifact, and reads back what every version wrote with the
//! version that wrote it. Method: hosts on one data folder, killed or stopped between swaps.

use std::path::PathBuf;

use hotshell_tests::artifacts::plugin;
use hotshell_tests::cli;
use hotshell_tests::files::Folder;
use hotshell_tests::host::{Host, HostBuilder, text};

/// A host of the ledger on a data folder; version 1 is what a first start begins with.
fn ledger(data: &Folder) -> HostBuilder {
    let path = data.at("data");
    let flags = ["--data", text(&path), "--fsync", "always", "--probation"];
    Host::with(plugin("ledger-v1")).flags(&flags)
}

/// One whose swaps are permanent at once.
fn settled(data: &Folder) -> Host {
    ledger(data).flag("0").start()
}

/// One whose swaps are on probation for as long as the test runs.
fn on_probation(data: &Folder) -> Host {
    ledger(data).flag("1h").start()
}

fn kill(mut host: Host) {
    host.signal(libc::SIGKILL);
    host.wait();
}

#[test]
fn after_a_swap_a_restart_goes_on_with_the_permanent_artifact_and_rollback_works() {
    let data = Folder::new();
    let host = settled(&data);
    assert_eq!(host.lines().ask("ann"), "ann 1");
    host.swap(plugin("ledger-v2"));
    assert_eq!(host.lines().ask("ann as queen"), "ann 11 queen");
    kill(host);
    let host = settled(&data);
    assert_eq!(host.lines().ask("=ann"), "ann 11 queen", "each record as its writer meant it");
    host.logs("starting from the permanent ledger 2.0.0");
    let status = host.json(&["status"]);
    let from = status["started_from"].as_str().expect("a path");
    assert!(from.starts_with(text(&data.at("data"))) && from.ends_with(".so"), "{from}");
    assert_eq!((&status["version"], &status["generation"]), (&"2.0.0".into(), &4.into()));
    let list = host.json(&["list"]);
    assert_eq!(list[1]["path"], text(&plugin("ledger-v2")), "what `reload` would load");
    let back = host.json(&["rollback"]);
    assert_eq!((&back["version"], &back["generation"]), (&"1.0.0".into(), &3.into()));
    assert_eq!(host.lines().ask("ann"), "ann 12");
    kill(host);
    let host = settled(&data);
    assert_eq!(host.lines().ask("ann"), "ann 13", "the rollback is permanent");
    let refused = host.refused(1, &["rollback"]);
    assert_eq!(refused["code"], "NOROLLBACK", "what a rollback left is no way back: {refused}");
}

#[test]
fn an_interrupted_probation_is_undone_and_the_undo_outlives_the_next_start() {
    let data = Folder::new();
    let host = on_probation(&data);
    host.lines().ask("ann");
    host.swap(plugin("ledger-v2"));
    assert_eq!(host.lines().ask("ann as queen"), "ann 11 queen");
    kill(host);
    for total in [12, 13] {
        let host = on_probation(&data);
        assert_eq!(host.json(&["status"])["version"], "1.0.0");
        assert_eq!(host.lines().ask("ann"), format!("ann {total}"));
        assert_eq!(host.status("set_aside"), 1, "the note has no place in version 1");
        kill(host);
    }
    let host = on_probation(&data);
    host.swap(plugin("ledger-v2"));
    assert_eq!(host.lines().ask("=ann"), "ann 13 queen", "it is there again");
}

#[test]
fn without_a_word_from_the_file_system_the_permanent_artifact_is_the_copy() {
    let data = Folder::new();
    let so = data.write("ledger.so", &std::fs::read(plugin("ledger-v2")).expect("it is built"));
    let host = settled(&data);
    host.lines().ask("ann");
    host.swap(&so);
    kill(host);
    std::fs::remove_file(&so).expect("it is there");
    let host = settled(&data);
    assert_eq!(host.lines().ask("=ann"), "ann 1 -");
}

#[test]
fn ignore_permanent_starts_from_the_flag_and_makes_that_permanent() {
    let data = Folder::new();
    let host = settled(&data);
    host.lines().ask("ann");
    host.swap(plugin("ledger-v2"));
    host.lines().ask("ann as queen");
    kill(host);
    let host = ledger(&data).flag("0").flag("--ignore-permanent").start();
    assert_eq!(host.lines().ask("ann"), "ann 12");
    assert_eq!(host.json(&["status"])["started_from"], text(&plugin("ledger-v1")));
    kill(host);
    assert_eq!(settled(&data).lines().ask("=ann"), "ann 12");
}

/// A data folder whose permanent artifact is version 2, after version 1, and the copy of version 2 in it.
fn settled_on_the_second() -> (Folder, PathBuf) {
    let data = Folder::new();
    let host = settled(&data);
    host.lines().ask("ann");
    host.swap(plugin("ledger-v2"));
    let list = host.json(&["list"]);
    let digest = list[1]["digest"].as_str().expect("a digest").replace("sha256:", "");
    kill(host);
    let copy = data.at("data").join("main/artifacts").join(format!("{digest}.so"));
    (data, copy)
}

/// A start that is refused, of a host on this data folder.
fn refused_start(data: &Folder) -> String {
    let (path, mut serve) = (data.at("data"), cli::command());
    serve.args(["serve", "--listen", "127.0.0.1:0", "--plugin", text(&plugin("ledger-v1"))]);
    serve.arg("--admin").arg(data.at("other.sock")).args(["--data", text(&path)]);
    cli::run(&mut serve).expect(1).stderr
}

#[test]
fn starts_that_fail_count_only_in_a_row_and_only_for_the_artifact() {
    let (data, copy) = settled_on_the_second();
    let aside = data.at("aside.so");
    let fail = |times: usize| {
        std::fs::rename(&copy, &aside).expect("the copy is there");
        (0..times).for_each(|_| assert!(refused_start(&data).contains("cannot load")));
        std::fs::rename(&aside, &copy).expect("it was there");
    };
    // Two, then one that succeeds, then two: never three in a row.
    for _ in 0..2 {
        fail(2);
        let host = settled(&data);
        assert_eq!(host.json(&["status"])["version"], "2.0.0");
        assert!(!host.log().contains("starts in a row failed"), "{}", host.log());
        // A start that fails since the folder is in use is not the artifact's fault.
        (0..3).for_each(|_| assert!(refused_start(&data).contains("[DATA]")));
        kill(host);
    }
    let starts = data.at("data").join("main/starts");
    assert!(!starts.exists(), "a start that serves forgets the failed ones");
    // The third in a row is still refused; the one after it falls back.
    fail(3);
    assert_eq!(std::fs::read_to_string(&starts).expect("it is there"), "3\n");
    let host = settled(&data);
    assert_eq!(host.json(&["status"])["version"], "1.0.0");
    host.logs("3 starts in a row failed with ledger 2.0.0");
    assert!(!starts.exists());
}

#[test]
fn three_starts_that_fail_fall_back_to_the_permanent_artifact_before() {
    let (data, copy) = settled_on_the_second();
    std::fs::remove_file(&copy).expect("the copy is there");
    for _ in 0..3 {
        let refused = refused_start(&data);
        assert!(refused.contains("cannot load"), "{refused}");
        assert!(refused.contains("--ignore-permanent"), "{refused}");
    }
    let host = settled(&data);
    assert_eq!(host.lines().ask("ann"), "ann 2");
    host.logs("3 starts in a row failed with ledger 2.0.0");
    kill(host);
    assert_eq!(settled(&data).lines().ask("=ann"), "ann 2");
}

#[test]
fn copies_of_code_that_nothing_needs_any_more_make_room_for_new_ones() {
    let (data, builds) = (Folder::new(), 8_u8);
    let code = std::fs::read(plugin("ledger-v1")).expect("it is built");
    let host = settled(&data);
    for n in 0..builds {
        // What comes behind an ELF file changes its digest and nothing else.
        let build = data.write(&format!("build-{n}.so"), &[&code[..], &[n]].concat());
        host.swap(&build);
        assert_eq!(host.lines().ask("ann"), format!("ann {}", n + 1));
        host.json(&["snapshot"]);
    }
    let copies = || {
        let all = std::fs::read_dir(data.at("data").join("main/artifacts")).expect("readable");
        all.map(|entry| entry.expect("readable").file_name().into_string().expect("a name"))
            .collect::<Vec<_>>()
    };
    let usable = host.json(&["list"]);
    let usable = usable.as_array().expect("an array").iter();
    let usable = usable.filter(|row| row["status"] != "discarded").count();
    let kept = copies();
    assert!(kept.len() <= usable + 2 && kept.len() < usize::from(builds), "{kept:?}");
    kill(host);
    assert_eq!(settled(&data).lines().ask("=ann"), format!("ann {builds}"));
    assert_eq!(copies().len(), 3, "the permanent one and two ways back");
}

#[test]
fn what_a_newer_version_remembers_is_refused_with_both_numbers() {
    let data = Folder::new();
    kill(settled(&data));
    let file = data.at("data").join("main/permanent.json");
    let text_of = std::fs::read_to_string(&file).expect("it is there");
    std::fs::write(&file, text_of.replace("\"format\": 1", "\"format\": 7")).expect("writable");
    let refused = refused_start(&data);
    assert!(refused.contains("permanent.json' is of a newer version"), "{refused}");
    assert!(refused.contains("format 7, this version reads 1"), "{refused}");
}
