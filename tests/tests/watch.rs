//! Goal: the watcher swaps as an admin would, once a file is finished, wherever its path leads by then;
//! it is silent about what it need not tell, and absent unless asked for. Method: real hosts with
//! `--watch`, files that are written, renamed, linked and removed under them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

use hotshell_tests::files::built;
use hotshell_tests::host::text;
use hotshell_tests::{Folder, Host, eventually, misbehave, patch};

#[test]
fn the_watcher_takes_what_is_finished_and_leaves_what_is_not() {
    let folder = Folder::new();
    let path = folder.write("plugin.so", &misbehave("none"));
    let host = Host::with(&path).flag("--watch").start();
    let mut client = host.lines();
    let whole = misbehave("answer-otherwise");
    // A build that is still writing: nothing is closed or renamed.
    let mut writing = fs::File::create(folder.at("next.so.part")).expect("a file");
    writing.write_all(&whole[..whole.len() / 2]).expect("written");
    // A copy that was cut short: finished by the look of it, but not whole.
    folder.install("plugin.so", &whole[..whole.len() / 2]);
    host.logs("WARN  watch: cannot load");
    assert_eq!(client.ask("x"), "x ok");
    writing.write_all(&whole[whole.len() / 2..]).expect("written");
    drop(writing);
    fs::rename(folder.at("next.so.part"), &path).expect("renamed");
    eventually("the finished file is taken", || client.ask("x") == "x otherwise");
    assert_eq!(host.status("generation"), 2, "nothing else was taken on the way");
    assert_eq!(host.log().matches("watch: cannot load").count(), 1, "a refusal is told once");
    host.logs("by=watcher");
}

#[test]
fn the_watcher_takes_a_newer_version_beside_it_and_no_older_or_other_one() {
    let folder = Folder::new();
    let path = folder.write("plugin.so", &misbehave("none"));
    let host = Host::with(&path).flag("--watch").start();
    let mut client = host.lines();
    let mut older = misbehave("answer-otherwise");
    patch::note_version(&mut older, "0.9.0");
    folder.install("older.so", &older);
    folder.install("other.so", &built("kv-v2"));
    folder.install("notes.txt", b"no plugin");
    let mut newer = misbehave("answer-otherwise");
    patch::note_version(&mut newer, "1.2.0");
    folder.install("newer.so", &newer);
    eventually("the newer one is taken", || client.ask("x") == "x otherwise");
    let status = host.json(&["status"]);
    assert_eq!((&status["generation"], &status["version"]), (&2.into(), &"1.2.0".into()));
    // A rollback changes no file, so it is not undone.
    host.json(&["rollback"]);
    folder.install("notes.txt", b"still no plugin");
    let mut newest = misbehave("answer-otherwise");
    patch::note_version(&mut newest, "2.0.0-rc.1");
    folder.install("newest.so", &newest);
    eventually("the newest one is taken", || host.status("generation") > 1);
    let status = host.json(&["status"]);
    assert_eq!((&status["generation"], &status["version"]), (&3.into(), &"2.0.0-rc.1".into()));
}

/// Makes a link lead elsewhere in one step, as a deployment does.
fn point(link: &Path, target: &Path) {
    let new = link.with_extension("new");
    symlink(target, &new).expect("a link");
    fs::rename(new, link).expect("renamed");
}

#[test]
fn reload_and_the_watcher_follow_a_folder_that_is_pointed_to_the_next_release() {
    let folder = Folder::new();
    let release = |name: &str, bytes: &[u8]| {
        fs::create_dir(folder.at(name)).expect("a folder");
        folder.write(&format!("{name}/plugin.so"), bytes);
        folder.at(name)
    };
    let one = release("1", &misbehave("none"));
    let two = release("2", &misbehave("answer-otherwise"));
    let current = folder.at("current");
    point(&current, &one);
    let path = current.join("plugin.so");
    let (reloaded, watched) = (Host::start(&path), Host::with(&path).flag("--watch").start());
    assert_eq!(reloaded.json(&["list"])[0]["path"], text(&path), "the link stays in the path");
    let (mut client, mut other) = (reloaded.lines(), watched.lines());
    point(&current, &two);
    eventually("the watcher has followed", || other.ask("x") == "x otherwise");
    assert_eq!(client.ask("x"), "x ok", "nothing happens by itself");
    reloaded.json(&["reload"]);
    assert_eq!(client.ask("x"), "x otherwise");
    // What comes into the folder of now counts, and what comes into the one of before does not.
    folder.install("1/plugin.so", &misbehave("ctor-segv"));
    folder.install("2/plugin.so", &misbehave("none"));
    eventually("it watches the folder of now", || other.ask("x") == "x ok");
    assert_eq!(watched.status("generation"), 3);
}

#[test]
fn the_watcher_follows_a_folder_that_is_made_anew() {
    let folder = Folder::new();
    fs::create_dir(folder.at("out")).expect("a folder");
    let path = folder.write("out/plugin.so", &misbehave("none"));
    let host = Host::with(&path).flag("--watch").start();
    let mut client = host.lines();
    fs::remove_dir_all(folder.at("out")).expect("removed");
    assert_eq!(client.ask("x"), "x ok");
    fs::create_dir(folder.at("out")).expect("a folder");
    folder.install("out/plugin.so", &misbehave("answer-otherwise"));
    eventually("it is taken", || client.ask("x") == "x otherwise");
    folder.install("out/plugin.so", &misbehave("none"));
    eventually("and the next one, too", || client.ask("x") == "x ok");
    assert!(!host.log().contains("WARN"), "{}", host.log());
}

#[test]
fn a_folder_in_which_something_happens_all_the_time_keeps_no_version_back() {
    let folder = Folder::new();
    let path = folder.write("plugin.so", &misbehave("none"));
    let host = Host::with(&path).flag("--watch").start();
    let mut client = host.lines();
    folder.install("plugin.so", &misbehave("answer-otherwise"));
    eventually("it is taken", || {
        folder.write("busy.log", b"something");
        client.ask("x") == "x otherwise"
    });
}

#[test]
fn without_being_asked_to_nobody_watches() {
    let folder = Folder::new();
    let path = folder.write("plugin.so", &misbehave("none"));
    let host = Host::start(&path);
    folder.install("plugin.so", &misbehave("answer-otherwise"));
    // What a watcher would have done by now, a reload does afterwards, as generation 2.
    assert_eq!(host.json(&["reload"])["generation"], 2);
    let fds = fs::read_dir(format!("/proc/{}/fd", host.pid())).expect("it runs").flatten();
    let inotify = |fd: fs::DirEntry| {
        fs::read_link(fd.path()).is_ok_and(|to| to.to_string_lossy().contains("inotify"))
    };
    assert_eq!(fds.filter_map(|fd| inotify(fd).then_some(())).count(), 0);
}
