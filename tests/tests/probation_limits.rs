//! Goal: each limit of probation can be set by a flag and by a key of the file, is the one that counts then,
//! and refuses what it cannot mean. Method: a table of limits; plugins that break them on demand.

use std::path::{Path, PathBuf};

use hotshell_tests::artifacts::plugin;
use hotshell_tests::cli::{self, hotshell};
use hotshell_tests::host::text;
use hotshell_tests::{Folder, Host, eventually, kv_v1, misbehave};

/// Where a setting is given.
#[derive(Debug, Clone, Copy)]
enum By {
    Flag,
    File,
}

const BOTH: [By; 2] = [By::Flag, By::File];

/// A host on this plugin with these settings.
fn host(by: By, plugin: &Path, settings: &[(&str, &str)]) -> Host {
    match by {
        By::Flag => {
            let flags =
                settings.iter().flat_map(|(key, value)| [format!("--{key}"), (*value).into()]);
            flags.fold(Host::with(plugin), |builder, word| builder.flag(word)).start()
        }
        By::File => Host::bare().toml(&file(plugin, settings), 1).start(),
    }
}

fn file(plugin: &Path, settings: &[(&str, &str)]) -> String {
    let key = |(key, value): &(&str, &str)| format!("{key} = '{value}'\n");
    let keys: String = settings.iter().map(key).collect();
    format!("plugin = '{}'\nlisten = '127.0.0.1:0'\n{keys}", text(plugin))
}

fn misbehaving(folder: &Folder, behaviour: &str) -> PathBuf {
    folder.write(&format!("{behaviour}.so"), &misbehave(behaviour))
}

/// What `status` says of the last probation, once there is one.
fn judged(host: &Host) -> (String, String) {
    let last = || host.json(&["status"])["last_probation"].clone();
    eventually("there is a verdict", || !last().is_null());
    let word = |name: &str| last()[name].as_str().unwrap_or_default().to_owned();
    (word("verdict"), word("reason"))
}

#[test]
fn what_calls_may_do_is_limited_by_flag_and_by_file() {
    /// A behaviour, the settings, what is asked how often before `boom` crosses the limit, the reason.
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], (u32, &'a str), &'a str);
    let table: [Row<'_>; 3] = [
        (
            "data-panic-after-begin",
            &[("probation-max-panics", "1")],
            (1, "boom"),
            "2 of 2 calls panicked, probation-max-panics is 1",
        ),
        (
            "fail",
            &[("probation-max-failed", "12.5"), ("probation-min-calls", "4")],
            (3, "boom"),
            "4 of 4 replies failed (100.0 %), probation-max-failed is 12.5 %",
        ),
        (
            "slow-call",
            &[("probation-max-slowdown", "2.5"), ("probation-min-calls", "1")],
            (99, "hello"),
            "probation-max-slowdown is 2.5",
        ),
    ];
    for by in BOTH {
        for (behaviour, settings, (calls, word), reason) in table {
            let folder = Folder::new();
            let host = host(by, &misbehaving(&folder, "none"), settings);
            let mut client = host.lines();
            (0..100).for_each(|_| assert_eq!(client.ask("hello"), "hello ok"));
            host.swap(misbehaving(&folder, behaviour));
            (0..calls).for_each(|_| drop(client.ask(word)));
            let status = host.json(&["status"]);
            assert!(status["last_probation"].is_null(), "{by:?} {behaviour}: not yet: {status}");
            client.ask("boom");
            let (verdict, said) = judged(&host);
            assert_eq!(verdict, "rolled-back", "{by:?} {behaviour}");
            assert!(said.ends_with(reason), "{by:?} {behaviour}: {said}");
            assert_eq!(client.ask("boom"), "boom ok", "the same connection, the good code");
        }
    }
}

#[test]
fn what_the_state_may_do_is_limited_by_flag_and_by_file() {
    for by in BOTH {
        let settings = [
            ("probation-max-self-tests", "2"),
            ("probation-self-test", "20ms"),
            ("probation-max-conversions", "1"),
        ];
        let host = host(by, &plugin("roster-v2"), &settings);
        let mut clients = [host.lines(), host.lines()];
        clients.iter_mut().for_each(|client| assert_eq!(client.ask("note unlucky"), "noted"));
        host.swap(plugin("roster-v3"));
        let reason = "2 conversions of values panicked, probation-max-conversions is 1";
        assert_eq!(judged(&host), ("rolled-back".to_owned(), reason.to_owned()), "{by:?}");
        // Version 2 does not like this state.
        assert_eq!(clients[0].ask("put 999 1"), "ok");
        host.swap(plugin("roster-v2"));
        let failed = || judged(&host).1.contains("3 of 3 self-tests failed");
        eventually("it was tested three times", failed);
        let (verdict, said) = judged(&host);
        assert_eq!(verdict, "rolled-back", "{by:?}");
        assert!(said.contains("probation-max-self-tests is 2: "), "{by:?}: {said}");
    }
}

#[test]
fn how_long_it_takes_is_set_by_flag_and_by_file() {
    let short = [("probation", "50ms"), ("probation-max", "150ms"), ("probation-min-calls", "3")];
    let patient = [("probation", "50ms"), ("probation-max", "10m"), ("probation-min-calls", "3")];
    for by in BOTH {
        let folder = Folder::new();
        let (sound, next) =
            (misbehaving(&folder, "none"), misbehaving(&folder, "answer-otherwise"));
        let watched = host(by, &sound, &short);
        watched.swap(&next);
        assert_eq!(judged(&watched).0, "unproven", "{by:?}: nobody called");
        // However long the calls take to come, they are enough, and one less is not.
        let watched = host(by, &sound, &patient);
        let mut client = watched.lines();
        watched.swap(&next);
        (0..2).for_each(|_| assert_eq!(client.ask("hello"), "hello otherwise"));
        let extended = || watched.json(&["status"])["probation"]["extended"] == true;
        eventually("two calls are too few", extended);
        assert_eq!(client.ask("hello"), "hello otherwise");
        assert_eq!(judged(&watched).0, "proven", "{by:?}");
        let off = host(by, &sound, &[("probation", "0")]);
        off.swap(&next);
        let status = off.json(&["status"]);
        assert_eq!(status["permanent_generation"], 2, "{by:?}");
        assert!(status["probation"].is_null() && status["last_probation"].is_null(), "{by:?}");
    }
}

#[test]
fn a_limit_that_means_nothing_is_refused_with_its_place_and_the_next_step() {
    let (span, number, share) = ("a duration", "it must be a number", "zero or more");
    let table = [
        ("probation", "soon", span),
        ("probation-max", "5", span),
        ("probation-self-test", "-1s", span),
        ("probation-min-calls", "-1", number),
        ("probation-min-calls", "1e3", number),
        ("probation-max-panics", "none", number),
        ("probation-max-self-tests", "0.5", number),
        ("probation-max-conversions", "", number),
        ("probation-max-failed", "-5", share),
        ("probation-max-failed", "5%", share),
        ("probation-max-slowdown", "nan", share),
        ("probation-max-slowdown", "inf", share),
    ];
    let kv = kv_v1();
    for (key, value, why) in table {
        let folder = Folder::new();
        let mut command = cli::command();
        let flag = format!("--{key}={value}");
        command.args(["serve", "--check-config", "--plugin", text(&kv), &flag]);
        let by_flag = cli::run(&mut command).expect(2).stderr;
        let file = folder.write("h.toml", file(&kv, &[(key, value)]).as_bytes());
        let by_file = hotshell(["serve", "--check-config", "--config", text(&file)]);
        let by_file = by_file.expect(2).stderr;
        for (said, place) in [(by_flag, format!("--{key}")), (by_file, format!("h.toml:3: {key}"))]
        {
            let message = format!("{place} = '{value}' is refused");
            assert!(said.contains(&message), "{message}: {said}");
            assert!(said.contains(why), "{why}: {said}");
            assert!(said.contains("next: see `hotshell serve --help`"), "{said}");
        }
    }
}

#[test]
fn the_defaults_are_what_is_printed() {
    let kv = kv_v1();
    let args = ["serve", "--check-config", "--plugin", text(&kv), "--listen", "127.0.0.1:0"];
    let printed = hotshell(args).expect(0).stdout;
    let help = hotshell(["serve", "--help"]).expect(0).stdout;
    for (key, value) in [
        ("probation", "\"30000ms\""),
        ("probation-max", "\"300000ms\""),
        ("probation-min-calls", "100"),
        ("probation-max-panics", "2"),
        ("probation-max-failed", "5"),
        ("probation-max-slowdown", "5"),
        ("probation-max-conversions", "0"),
        ("probation-max-self-tests", "0"),
        ("probation-self-test", "\"1000ms\""),
    ] {
        let line = format!("{key} = {value}");
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
        assert!(help.contains(&format!("--{key} ")), "{key} is no flag: {help}");
    }
}
