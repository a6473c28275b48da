//! Goal: a kill loses and doubles nothing, whichever stage of a switch, a snapshot or a rotation it meets.
//! Method: a disk that waits where the test says, so that each stage is met for sure and not by luck; what
//! the kill left in the folder proves it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use hotshell_tests::artifacts::plugin;
use hotshell_tests::files::Folder;
use hotshell_tests::host::{Host, text};
use hotshell_tests::resp::request;
use hotshell_tests::{Lines, Resp, eventually};

/// Where a kill comes.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The copy of the new version's code is being written.
    Load,
    /// The engine has switched; the file that tells of it is being written.
    Use,
    /// Entries are converted.
    Drain,
    /// The new version serves, and may still be undone.
    Probation,
    /// A snapshot is being written.
    Snapshot,
    /// The journal begins another file.
    Rotation,
}

const ROUNDS: usize = 4;

/// A folder of data on a disk that obeys.
struct Disk(Folder);

impl Disk {
    /// From now on, files that are synced as a whole wait; or nothing does.
    fn waits(&self, waits: bool) {
        let order = if waits { "wait for files" } else { "" };
        let new = self.0.write("order.new", order.as_bytes());
        std::fs::rename(new, self.0.at("order")).expect("renamed");
    }

    fn host(&self, probation: &str) -> Host {
        let data = self.0.at("data");
        let host = Host::with(plugin("ledger-v1")).flags(&["--data", text(&data)]);
        let host = host.flags(&["--fsync", "always", "--probation", probation]);
        let host = host.env("SLOW_DISK", self.0.at("order"));
        host.env("LD_PRELOAD", plugin("slow-disk")).start()
    }

    /// Files that have not got their names.
    fn unfinished(&self) -> Vec<String> {
        let main = self.0.at("data").join("main");
        let names = |folder: PathBuf| {
            let all = std::fs::read_dir(folder).expect("the folder is there");
            all.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        };
        let all = names(main.clone()).chain(names(main.join("artifacts")));
        all.filter(|name| name.ends_with(".new")).collect()
    }

    fn is_writing(&self, ending: &str) -> bool {
        self.unfinished().iter().any(|name| name.ends_with(&format!("{ending}.new")))
    }
}

/// The number in an answer of the ledger: `a 12` or `a 12 note`.
fn total(answer: &str) -> u64 {
    let number = answer.split(' ').nth(1).and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{answer:?}"))
}

/// 60,000 accounts, `n0` to `n59999`.
fn name_many(client: &mut Lines) {
    for thousand in 0..60 {
        let lines: String = (0..1000).map(|n| format!("n{}\n", thousand * 1000 + n)).collect();
        client.send(&lines);
        (0..1000).for_each(|_| drop(client.read()));
    }
}

/// Goes to the stage; answers whether the kill is going to meet it.
fn go_to(stage: Stage, host: &Host, disk: &Disk, asker: &mut Resp) -> bool {
    let v2 = plugin("ledger-v2");
    if !matches!(stage, Stage::Load | Stage::Snapshot | Stage::Rotation) {
        host.json(&["load", text(&v2)]);
    }
    disk.waits(!matches!(stage, Stage::Drain | Stage::Probation));
    match stage {
        Stage::Load => asker.send(request(&["swap", text(&v2)])),
        Stage::Snapshot => asker.send(request(&["snapshot"])),
        Stage::Use | Stage::Drain => asker.send(request(&["use", "2"])),
        Stage::Probation => drop(host.json(&["use", "2"])),
        Stage::Rotation => {
            let mut writer = host.lines();
            let line = "x".repeat(1 << 20) + "\n";
            let mut waits = false;
            // What is sent once the next file waits is not answered.
            eventually("the file is full", || {
                if !waits {
                    writer.send(&line);
                }
                waits = writer.is_silent();
                if !waits {
                    writer.read();
                }
                disk.is_writing(".hsj")
            });
        }
    }
    let ending = match stage {
        Stage::Load => ".so",
        Stage::Use | Stage::Rotation => ".hsj",
        Stage::Snapshot => ".hss",
        Stage::Drain => {
            eventually("the switch has come", || host.json(&["status"])["version"] == "2.0.0");
            return host.status("draining") > 0;
        }
        Stage::Probation => return host.json(&["status"])["probation"].is_object(),
    };
    eventually("it is met", || disk.is_writing(ending));
    true
}

/// One round; answers whether the kill met its stage.
fn kill_at(stage: Stage) -> bool {
    let disk = Disk(Folder::new());
    let mut host = disk.host(if matches!(stage, Stage::Probation) { "10m" } else { "0" });
    let mut client = host.lines();
    if matches!(stage, Stage::Drain | Stage::Snapshot) {
        name_many(&mut client);
    }
    let (acknowledged, mut asker) = (AtomicU64::new(total(&client.ask("a"))), host.admin());
    let met = std::thread::scope(|scope| {
        scope.spawn(|| {
            while let Some(answer) = client.try_ask("a") {
                acknowledged.store(total(&answer), Ordering::Relaxed);
            }
        });
        let met = go_to(stage, &host, &disk, &mut asker);
        host.signal(libc::SIGKILL);
        host.wait();
        met
    });
    let (known, left) = (acknowledged.into_inner(), disk.unfinished());
    disk.waits(false);
    let host = disk.host("0");
    let (status, mut client) = (host.json(&["status"]), host.lines());
    let found = total(&client.ask("=a"));
    assert!((known..=known + 10).contains(&found), "{stage:?}: {known}, found {found}");
    let step = if status["version"] == "2.0.0" { 10 } else { 1 };
    let many = total(&client.ask("=n777"));
    assert_eq!(total(&client.ask("a")), found + step, "{stage:?}: the code is that of `status`");
    assert_eq!(many > 0, matches!(stage, Stage::Drain | Stage::Snapshot), "{stage:?}: {many}");
    if !matches!(stage, Stage::Drain) {
        assert_eq!(status["version"], "1.0.0", "{stage:?}: version 2 was not permanent");
    }
    assert!(disk.unfinished().is_empty(), "{stage:?}: {left:?} is gone");
    met
}

/// Each is killed in its stage several times, and met at least once.
fn kills_at(stages: &[Stage]) {
    for &stage in stages {
        let met = (0..ROUNDS).filter(|_| kill_at(stage)).count();
        println!("{stage:?}: met in {met} of {ROUNDS} rounds");
        assert!(met > 0, "{stage:?} was never met");
    }
}

#[test]
fn a_kill_in_each_stage_of_a_switch_leaves_one_generation_and_all_that_was_acknowledged() {
    kills_at(&[Stage::Load, Stage::Use, Stage::Probation]);
}

#[test]
fn a_kill_while_entries_are_converted_leaves_one_generation_and_all_that_was_acknowledged() {
    kills_at(&[Stage::Drain]);
}

#[test]
fn a_kill_while_a_snapshot_is_written_loses_and_doubles_nothing() {
    kills_at(&[Stage::Snapshot]);
}

#[test]
fn a_kill_while_the_journal_begins_another_file_loses_and_doubles_nothing() {
    kills_at(&[Stage::Rotation]);
}
