//! Goal: a disk that is full or read-only costs nothing that was acknowledged, and an operator sees it.
//! Method: hosts on file systems of a few megabytes that the test fills and frees.

use std::fs;
use std::path::Path;

use hotshell_tests::artifacts::plugin;
use hotshell_tests::cli;
use hotshell_tests::eventually;
use hotshell_tests::files::{Folder, kv_v1};
use hotshell_tests::host::{Host, text};
use hotshell_tests::resp::{Value, request};
use hotshell_tests::small_disk::SmallDisk;

/// More than the copies of a plugin that the folder keeps.
const MIB: u64 = 512;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("known").is_dir() {
            true => copy(&entry.path(), &target),
            false => _ = fs::copy(entry.path(), &target).expect("copied"),
        }
    }
}

fn a_full_disk_under(fsync: &str) {
    let Some(disk) = SmallDisk::new(MIB) else { return };
    let data = disk.path().join("data");
    let host = Host::with(kv_v1()).flags(&["--data", text(&data), "--fsync", fsync]);
    let host = host.inside(&disk).start();
    let (mut client, mut other) = (host.resp(), host.resp());
    client.call(&["SET", "before", "1"]);
    disk.fill();
    let large = "x".repeat(256 << 10);
    client.send(request(&["SET", "large", &large]));
    eventually("the host finds the disk full", || {
        host.json(&["status"])["journal"]["state"] == "full"
    });
    let shown = host.cli(&["status"]).expect(0).stdout;
    assert!(shown.contains("the disk has been full for") && shown.contains("answers wait"));
    host.logs("journal: the disk is full; answers wait until there is room, nothing is lost");
    let full_s = || host.json(&["status"])["journal"]["full_s"].as_f64().expect("it is full");
    // Frames that are not late yet may be answered ahead of the disk, except under `always`.
    eventually("frames are late", || full_s() > 2.5);
    other.send(request(&["INCR", "meanwhile"]));
    let sent_s = full_s();
    eventually("it was long since executed", || full_s() > sent_s + 0.3);
    assert!(other.is_silent(), "no answer shows what is not on disk");
    disk.free();
    eventually("there is room", || host.json(&["status"])["journal"]["state"] == "ok");
    host.logs("journal: there is room on the disk again");
    assert_eq!(client.read().text(), "OK");
    assert_eq!(other.read().int(), 1);
    eventually("all is on disk", || host.json(&["status"])["journal"]["lag_bytes"] == 0);
    host.signal(libc::SIGKILL);
    let outside = Folder::new();
    copy(&disk.outside(&data), &outside.at("data"));
    let again = Host::with(kv_v1()).flags(&["--data", text(&outside.at("data"))]).start();
    let mut client = again.resp();
    assert_eq!(client.call(&["GET", "before"]).text(), "1");
    assert_eq!(client.call(&["STRLEN", "large"]).int(), large.len() as i64);
    assert_eq!(client.call(&["GET", "meanwhile"]).text(), "1");
}

#[test]
fn a_full_disk_holds_every_answer_back_under_always_and_loses_nothing() {
    a_full_disk_under("always");
}

#[test]
fn a_full_disk_holds_answers_back_under_everysec_once_it_is_late() {
    a_full_disk_under("everysec");
}

#[test]
fn a_snapshot_that_finds_the_disk_full_leaves_everything_as_it_was_and_the_next_one_comes() {
    let Some(disk) = SmallDisk::new(MIB) else { return };
    let data = disk.path().join("data");
    let host = Host::with(kv_v1()).flags(&["--data", text(&data), "--fsync", "everysec"]);
    let host = host.inside(&disk).start();
    let mut client = host.resp();
    let large = "x".repeat(64 << 10);
    (0..20).for_each(|n| drop(client.call(&["SET", &format!("key-{n}"), &large])));
    disk.fill();
    let mut asker = host.admin();
    asker.send(request(&["snapshot"]));
    eventually("the snapshot finds the disk full", || {
        host.json(&["status"])["journal"]["state"] == "full"
    });
    assert_eq!(client.call(&["STRLEN", "key-7"]).int(), large.len() as i64, "reads are answered");
    disk.free();
    let refused = asker.read().error();
    assert!(refused.starts_with("DATA cannot keep data in '"), "{refused}");
    assert!(refused.contains("No space left on device"), "{refused}");
    let left = fs::read_dir(disk.outside(&data).join("main")).expect("readable");
    let left = left.map(|entry| entry.expect("readable").file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("snapshot-")));
    assert_eq!(client.call(&["CONFIG", "SET", "save", "3600 1000000"]).text(), "OK");
    let refused = client.call(&["SET", "after", "0"]).error();
    assert!(refused.starts_with("MISCONF Redis is configured to save RDB snapshots"), "{refused}");
    assert_eq!(client.call(&["PING"]).error(), refused);
    assert_eq!(client.call(&["STRLEN", "key-7"]).int(), large.len() as i64, "reads are answered");
    let anyway = ["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"];
    assert_eq!(client.call(&anyway).text(), "OK");
    assert_eq!(client.call(&["SET", "after", "1"]).text(), "OK");
    assert_eq!(client.call(&["CONFIG", "SET", anyway[2], "yes"]).text(), "OK");
    assert_eq!(client.call(&["SET", "after", "2"]).error(), refused);
    host.json(&["snapshot"]);
    eventually("the data are saved", || client.call(&["PING"]) == Value::Simple("PONG".to_owned()));
    host.signal(libc::SIGKILL);
    let outside = Folder::new();
    copy(&disk.outside(&data), &outside.at("data"));
    let again = Host::with(kv_v1()).flags(&["--data", text(&outside.at("data"))]).start();
    let mut client = again.resp();
    assert_eq!(client.call(&["STRLEN", "key-19"]).int(), large.len() as i64);
    assert_eq!(client.call(&["GET", "after"]).text(), "1");
}

#[test]
fn a_rollback_on_a_full_disk_is_remembered_as_soon_as_there_is_room() {
    let Some(disk) = SmallDisk::new(MIB) else { return };
    let data = disk.path().join("data");
    let host = Host::with(plugin("ledger-v1")).flags(&["--data", text(&data), "--probation", "0"]);
    let mut host = host.inside(&disk).start();
    host.swap(plugin("ledger-v2"));
    disk.fill();
    assert_eq!(host.json(&["rollback"])["version"], "1.0.0");
    host.logs("it is tried again until it is on disk");
    disk.free();
    host.logs("what the next start starts from is on disk");
    host.signal(libc::SIGKILL);
    host.wait();
    let outside = Folder::new();
    copy(&disk.outside(&data), &outside.at("data"));
    let again =
        Host::with(plugin("ledger-v2")).flags(&["--data", text(&outside.at("data"))]).start();
    assert_eq!(again.json(&["status"])["version"], "1.0.0");
}

#[test]
fn what_is_set_on_a_full_disk_is_refused_with_the_reason_and_holds_neither_now_nor_after_a_restart()
{
    let Some(disk) = SmallDisk::new(MIB) else { return };
    let data = disk.path().join("data");
    let host = Host::with(kv_v1()).flags(&["--data", text(&data), "--fsync", "always"]);
    let mut host = host.inside(&disk).start();
    let mut client = host.resp();
    assert_eq!(client.call(&["SET", "key", "value"]).text(), "OK");
    disk.fill();
    let said = host.refused(1, &["set", "snapshot-every", "5m"]);
    assert_eq!(said["code"], "DATA");
    assert_eq!(said["message"], "snapshot-every = '5m' was not set: it is 900s, as before");
    let why = said["detail"].as_str().expect("a text");
    let full = "cannot be written: No space left on device (os error 28)";
    assert!(why.starts_with('\'') && why.contains("/main/permanent.json'"), "{why}");
    assert!(why.ends_with(full), "{why}");
    assert_eq!(
        said["hint"],
        "make room on that file system, or look at the disk; then set it again"
    );
    let refused = client.call(&["CONFIG", "SET", "appendfsync", "everysec"]).error();
    assert_eq!(
        refused,
        "ERR CONFIG SET failed (possibly related to argument 'appendfsync') - it is as before: the data \
         folder does not take it: No space left on device (os error 28); make room there and set it again"
    );
    host.logs("fsync = 'everysec' was not set: it is always, as before");
    assert_eq!(client.call(&["GET", "key"]).text(), "value", "service goes on");
    assert_eq!(client.call(&["CONFIG", "GET", "appendfsync"]).array()[1].text(), "always");
    // An answer that was written already cannot be taken back: the connection ends without it.
    client.call(&["MULTI"]);
    client.call(&["CONFIG", "SET", "appendfsync", "no"]);
    assert!(client.try_call(&["EXEC"]).is_err(), "no answer says that it was done");
    assert_eq!(host.json(&["status"])["settings"], serde_json::json!({}));
    assert_eq!(host.json(&["status"])["journal"]["fsync"], "always");
    disk.free();
    let mut client = host.resp();
    assert_eq!(client.call(&["CONFIG", "SET", "appendfsync", "everysec"]).text(), "OK");
    host.json(&["set", "snapshot-every", "5m"]);
    host.signal(libc::SIGKILL);
    host.wait();
    let outside = Folder::new();
    copy(&disk.outside(&data), &outside.at("data"));
    let again = Host::with(kv_v1()).flags(&["--data", text(&outside.at("data"))]).start();
    let set = serde_json::json!({"fsync": "everysec", "snapshot-every": "5m"});
    assert_eq!(again.json(&["status"])["settings"], set);
}

#[test]
fn a_read_only_folder_is_refused_with_the_way_on() {
    let Some(mut disk) = SmallDisk::new(16) else { return };
    disk.make_read_only();
    let (data, folder) = (disk.path().join("data"), Folder::new());
    let mut serve = cli::command();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--plugin", text(&kv_v1())]);
    serve.arg("--admin").arg(folder.at("admin.sock")).args(["--data", text(&data)]);
    let refused = cli::run(&mut disk.inside(&serve)).expect(1).stderr;
    assert!(refused.contains(&format!("cannot keep data in '{}' [DATA]", data.display())));
    assert!(refused.contains("why: Read-only file system"), "{refused}");
    assert!(refused.contains("next: let this user write there, or choose another"), "{refused}");
}
