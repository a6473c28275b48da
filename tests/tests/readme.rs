//! Goal: what README.md shows is what happens. Method: its transcript is run in a shell with this
//! build's programs; a small page shows that the runner would notice.

use std::path::Path;

use hotshell_tests::host::text;
use hotshell_tests::port::Port;
use hotshell_tests::transcript::{MARK, parse, run};
use hotshell_tests::{Folder, artifacts, kv_v1, kv_v2};

/// Plays the transcript of a page in a folder that holds the plugins, with a port of its own in place
/// of 6380, also as `$PORT`. A host started there is the one that verbs find.
fn play(page: &str) -> Option<Result<(), String>> {
    let reserved = Port::reserve().expect("a port");
    let port = reserved.address().port().to_string();
    let steps = parse(&page.replace("6380", &port))?;
    let folder = Folder::new();
    let admin = folder.at(&format!("hotshell/{port}.sock"));
    for (name, file) in [
        ("libkv_v1.so", kv_v1()),
        ("libkv_v2.so", kv_v2()),
        ("libcounter_v1.so", artifacts::plugin("counter-v1")),
        ("libcounter_v2.so", artifacts::plugin("counter-v2")),
    ] {
        std::fs::copy(file, folder.at(name)).expect("copied");
    }
    let vars = [
        ("PORT", port.as_str()),
        ("XDG_RUNTIME_DIR", text(folder.path())),
        ("HOTSHELL_ADMIN", text(&admin)),
        ("TMPDIR", text(folder.path())),
    ];
    Some(run(&steps, folder.path(), &vars))
}

#[test]
fn the_transcript_of_the_readme_is_true() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let Ok(page) = std::fs::read_to_string(readme) else {
        return hotshell_tests::cli::skipped("there is no README.md yet");
    };
    if hotshell_tests::cli::peer("redis-cli").is_none() {
        return;
    }
    let played = play(&page).unwrap_or_else(|| panic!("README.md has no {MARK}"));
    played.unwrap_or_else(|differs| panic!("{differs}"));
}

const PAGE: &str = "\
# A page

```console
$ false # not this one: no mark
```

<!-- transcript -->
```console
$ hotshell serve --plugin libcounter_v1.so --listen 127.0.0.1:6380 2> host.log &
> until hotshell ping 2> /dev/null; do sleep 0.01; done
…
PONG
$ exec 3<>/dev/tcp/127.0.0.1/$PORT; echo ann >&3; head -n 1 <&3
1
$ hotshell swap libcounter_v2.so
counter 1.0.0 -> 2.0.0 (generation 2), adopt, stop …, total …
$ echo ann >&3; head -n 1 <&3
ann: 2 so far
$ hotshell swap README.md; echo $?
error: cannot load '…/README.md' [FILE]
…
1
```
";

#[test]
fn a_true_transcript_passes() {
    assert_eq!(play(PAGE), Some(Ok(())));
}

#[test]
fn a_wrong_transcript_is_noticed() {
    let wrong = PAGE.replace("ann: 2 so far", "ann: 3 so far");
    let differs = play(&wrong).expect("it has a mark").expect_err("it is wrong");
    assert!(differs.contains("ann: 3 so far") && differs.contains("ann: 2 so far"), "{differs}");
    let wrong = PAGE.replace("PONG\n", "");
    assert!(play(&wrong).expect("it has a mark").is_ok(), "… stands for any number of lines");
    let wrong = PAGE.replace("…\nPONG\n", "PONG\n");
    assert!(play(&wrong).expect("it has a mark").is_err(), "a line is missing");
    assert_eq!(play("no mark"), None);
}
