//! Goal: how data are kept can be set while the server runs, by an admin and by the plugin, and holds
//! after a restart; a plugin hears how its data are kept, and what became of a snapshot it asked for.
//! Method: hosts of the ledger on one data folder, killed or stopped in between.

use hotshell_tests::artifacts::plugin;
use hotshell_tests::eventually;
use hotshell_tests::files::Folder;
use hotshell_tests::host::{Host, text};
use serde_json::json;

fn host(data: &Folder, flags: &[&str]) -> Host {
    let path = data.at("data");
    let host = Host::with(plugin("ledger-v1")).flags(&["--data", text(&path)]);
    host.flags(flags).start()
}

fn kill(mut host: Host) {
    host.signal(libc::SIGKILL);
    host.wait();
}

/// Whether a snapshot is in the data folder.
fn has_snapshot(data: &Folder) -> bool {
    let files = std::fs::read_dir(data.at("data").join("main")).expect("the folder is there");
    let mut names = files.map(|file| file.expect("readable").file_name());
    names.any(|name| name.to_string_lossy().ends_with(".hss"))
}

#[test]
fn what_an_admin_sets_holds_at_once_and_after_a_restart_until_it_is_taken_back() {
    let data = Folder::new();
    let first = host(&data, &["--snapshot-every", "5m"]);
    let shown = first.json(&["set"]);
    let row = json!({"server": "main", "key": "snapshot-every", "value": "300s",
                     "configured": "300s", "set": false});
    assert_eq!((shown.as_array().map(Vec::len), &shown[1]), (Some(3), &row));
    let set = first.json(&["set", "fsync", "always"]);
    let row = json!({"server": "main", "key": "fsync", "value": "always",
                     "configured": "everysec", "set": true});
    assert_eq!(set, json!([row]));
    first.json(&["set", "snapshot-after", "3"]);
    let status = first.json(&["status"]);
    assert_eq!(status["journal"]["fsync"], "always");
    assert_eq!(status["settings"], json!({"fsync": "always", "snapshot-after": "3"}));
    let lines = first.cli(&["status"]).expect(0).stdout;
    assert!(lines.contains("snapshot-after 3, at run time"), "{lines}");
    let mut client = first.lines();
    (0..3).for_each(|_| drop(client.ask("ann")));
    eventually("a snapshot comes after three changes", || has_snapshot(&data));
    kill(first);
    let second = host(&data, &[]);
    second.logs(
        "fsync is always, as it was set at run time; the configuration says everysec, to \
                 which `set fsync` goes back",
    );
    assert_eq!(second.lines().ask("!tell"), "journal, fsync 1, 900000 ms, 3, 0 changes");
    let set = second.cli(&["set", "fsync"]).expect(0).stdout;
    assert_eq!(set.trim_end(), "fsync is everysec, as the configuration says");
    assert_eq!(second.json(&["status"])["journal"]["fsync"], "everysec");
    kill(second);
    let third = host(&data, &[]);
    assert_eq!(third.json(&["status"])["settings"], json!({"snapshot-after": "3"}));
    kill(third);
    let fourth = host(&data, &["--ignore-permanent"]);
    assert_eq!(fourth.json(&["status"])["settings"], json!({}), "nothing remembered counts");
}

#[test]
fn a_key_that_cannot_be_set_and_a_value_that_is_none_are_refused_and_nothing_changes() {
    let data = Folder::new();
    let kept = host(&data, &[]);
    let refused = kept.refused(2, &["set", "listen", "7"]);
    assert_eq!(refused["message"], "'listen' cannot be set while the server runs");
    assert_eq!(refused["detail"], "these can: fsync, snapshot-every, snapshot-after");
    let refused = kept.refused(2, &["set", "fsync", "often"]);
    assert_eq!(refused["message"], "fsync = 'often' is refused");
    assert_eq!(refused["detail"], "it must be always, everysec or no");
    assert_eq!(kept.json(&["status"])["settings"], json!({}));
    let in_memory = Host::start(plugin("ledger-v1"));
    let refused = in_memory.refused(1, &["set", "fsync", "no"]);
    assert_eq!(refused["code"], "DATA");
    assert_eq!(refused["hint"], "start it with --data DIR");
}

#[test]
fn what_the_plugin_sets_holds_after_a_restart_and_the_admin_sees_it() {
    let data = Folder::new();
    let first = host(&data, &[]);
    let mut client = first.lines();
    assert_eq!(client.ask("!tell"), "journal, fsync 0, 900000 ms, 2000000, 0 changes");
    assert_eq!(client.ask("!set fsync no"), "Ok(())");
    assert_eq!(client.ask("!set snapshot-every 0"), "Ok(())");
    assert_eq!(client.ask("!set snapshot-every often"), "Err(Value)");
    assert_eq!(client.ask("!set listen 7"), "Err(Unknown)");
    client.ask("ann");
    assert_eq!(client.ask("!tell"), "journal, fsync 2, 0 ms, 2000000, 1 changes");
    let set = json!({"fsync": "no", "snapshot-every": "0"});
    eventually("it is remembered", || first.json(&["status"])["settings"] == set);
    let file = data.at("data").join("main/permanent.json");
    eventually("it is on disk", || {
        let kept = std::fs::read_to_string(&file).expect("it is there");
        kept.contains("\"fsync\": \"no\"") && kept.contains("\"snapshot-every\": \"0\"")
    });
    kill(first);
    let second = host(&data, &[]);
    assert_eq!(second.lines().ask("!tell"), "journal, fsync 2, 0 ms, 2000000, 0 changes");
    let in_memory = Host::start(plugin("ledger-v1"));
    assert_eq!(in_memory.lines().ask("!set fsync no"), "Err(InMemory)");
}

#[test]
fn a_client_that_waits_for_a_snapshot_goes_on_when_it_is_on_disk() {
    let data = Folder::new();
    let kept = host(&data, &[]);
    let (mut one, mut other) = (kept.lines(), kept.lines());
    one.ask("ann");
    one.send("!save\n=ann\n");
    other.send("!save\n");
    let said = [one.read(), other.read()];
    let sound = |said: &str| {
        matches!(
            said,
            "saved 1 failed 0, 0 run" | "saved 2 failed 0, 0 run" | "saved 1 failed 0, 1 run"
        )
    };
    assert!(said.iter().all(|said| sound(said)), "{said:?}");
    assert_eq!(
        one.read(),
        "=ann 1".trim_start_matches('='),
        "and the request behind it is answered"
    );
    assert!(has_snapshot(&data));
    assert_eq!(Host::start(plugin("ledger-v1")).lines().ask("!save"), "nothing is kept");
}

#[test]
fn a_stop_that_the_plugin_asks_for_saves_or_not_as_it_says() {
    for (order, saves) in [("!stop no", false), ("!stop yes", true)] {
        let data = Folder::new();
        let mut kept = host(&data, &["--fsync", "always"]);
        let mut client = kept.lines();
        client.ask("ann");
        client.send(&format!("{order}\n"));
        assert!(kept.wait().success());
        assert_eq!(has_snapshot(&data), saves, "{order}");
        assert_eq!(host(&data, &[]).lines().ask("=ann"), "ann 1", "the journal has it anyway");
    }
}

#[test]
fn a_client_that_waits_for_a_snapshot_goes_on_also_when_a_switch_of_shape_comes_first() {
    let data = Folder::new();
    let kept = host(&data, &["--probation", "0"]);
    let mut client = kept.lines();
    for thousand in 0..60 {
        let lines: String = (0..1000).map(|n| format!("n{}\n", thousand * 1000 + n)).collect();
        client.send(&lines);
        (0..1000).for_each(|_| drop(client.read()));
    }
    client.send("!save\n");
    assert_eq!(kept.swap(plugin("ledger-v2"))["migration"], "by-name");
    eventually("a snapshot was taken", || has_snapshot(&data));
    // Version 2 knows nothing of `!save`: unless the snapshot came first, it says nothing of it.
    let said = client.ask("=n7");
    let said = if said.starts_with("saved") { client.read() } else { said };
    assert_eq!(said, "n7 1 -");
}
