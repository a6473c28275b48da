//! Goal: plugins need not be built as the host was: another profile and another patch version of
//! hotshell-plugin-api swap fine and keep the state; another panic strategy and another shape of the
//! state are refused. Method: real builds of the counter, in a workspace made for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hotshell_tests::host::text;
use hotshell_tests::{Host, Lines, artifacts, hotshell};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("it is there")
}

/// The target directory of this test: what is built once stays built.
fn target() -> PathBuf {
    let plugin = artifacts::plugin("counter-v1");
    plugin.ancestors().nth(2).expect("a target directory").to_owned()
}

fn cargo(folder: &Path, args: &[&str], vars: &[(&str, &str)]) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--offline"]).args(args);
    cargo.arg("--target-dir").arg(target()).current_dir(folder).envs(vars.iter().copied());
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "{args:?} cannot be built: {status}");
}

/// A workspace with hotshell-plugin-api 0.1.1 and these crates: the next versions of the counter.
const CRATES: [(&str, &str); 3] =
    [("counter-next", "2.0.1"), ("counter-abort", "2.0.2"), ("counter-grown", "3.0.0")];

fn workspace() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(make_workspace)
}

/// Always at the same place, and what has not changed is not written again, so cargo builds it once.
fn make_workspace() -> PathBuf {
    let (folder, repository) = (target().join("tmp/other-builds"), repository());
    let patched = |text: &str| once(text, "version = \"0.1.0\"", "version = \"0.1.1\"");
    copy_tree(&repository.join("plugin-api"), &folder.join("plugin-api"), &patched);
    let root = fs::read_to_string(repository.join("Cargo.toml")).expect("the workspace");
    let (_, rest) = root.split_once("\n]\n").expect("the list of members ends");
    let names = CRATES.map(|(name, _)| format!("\"{name}\"")).join(", ");
    let members = format!("members = [\"plugin-api\", \"plugin-api/macros\", {names}]");
    let manifest = format!("[workspace]\nresolver = \"3\"\n{members}\n{rest}");
    write(&folder.join("Cargo.toml"), manifest.as_bytes());
    if !folder.join("Cargo.lock").exists() {
        fs::copy(repository.join("Cargo.lock"), folder.join("Cargo.lock")).expect("copied");
    }
    for (name, version) in CRATES {
        let renamed = |text: &str| {
            let text = once(text, "name = \"counter-v2\"", &format!("name = \"{name}\""));
            once(&text, "version = \"2.0.0\"", &format!("version = \"{version}\""))
        };
        let (from, to) = (repository.join("examples/counter-v2"), folder.join(name));
        let manifest = fs::read_to_string(from.join("Cargo.toml")).expect("it is there");
        write(&to.join("Cargo.toml"), renamed(&manifest).as_bytes());
        let source = fs::read_to_string(from.join("src/lib.rs")).expect("it is there");
        let field = "    seen: HashMap<String, u64>,";
        let source = match name {
            "counter-grown" => once(&source, field, &format!("{field}\n    last: u64,")),
            _ => source,
        };
        write(&to.join("src/lib.rs"), source.as_bytes());
    }
    folder
}

/// Copies a folder with its folders; every manifest is changed on the way.
fn copy_tree(from: &Path, to: &Path, manifest: &dyn Fn(&str) -> String) {
    for entry in fs::read_dir(from).expect("it is there").flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_tree(&path, &to, manifest);
        } else if path.file_name().is_some_and(|name| name == "Cargo.toml") {
            let text = fs::read_to_string(&path).expect("it is there");
            write(&to, manifest(&text).as_bytes());
        } else {
            write(&to, &fs::read(&path).expect("it is there"));
        }
    }
}

fn write(file: &Path, bytes: &[u8]) {
    if fs::read(file).is_ok_and(|there| there == bytes) {
        return;
    }
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    fs::write(file, bytes).expect("written");
}

fn once(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "{old:?} is there once");
    text.replace(old, new)
}

/// A crate of the made workspace, built with the profile of development and these variables.
fn made(name: &str, vars: &[(&str, &str)]) -> PathBuf {
    cargo(workspace(), &["--package", name], vars);
    target().join("debug").join(format!("lib{}.so", name.replace('-', "_")))
}

const NAMES: u64 = 2000;

/// Sends every name once; each must have been seen `times` times before.
fn everyone(client: &mut Lines, times: u64, friendly: bool) {
    for n in 0..NAMES {
        // Short ones are kept inline, long ones on the heap.
        let name = format!("name {n}{}", "-".repeat((n % 50) as usize));
        let now = times + 1;
        let wanted = if friendly { format!("{name}: {now} so far") } else { now.to_string() };
        assert_eq!(client.ask(&name), wanted);
    }
}

/// counter 1 -> this -> counter 1, with a state that each version reads and grows.
fn there_and_back(file: &Path) {
    let host = Host::start(artifacts::plugin("counter-v1"));
    let mut client = host.lines();
    everyone(&mut client, 0, false);
    let swapped = host.swap(file);
    assert_eq!(swapped["migration"], "adopt");
    everyone(&mut client, 1, true);
    assert_eq!(client.ask("only now"), "only now: 1 so far");
    let names = host.cli(&["command", "names"]).expect(0).stdout;
    assert_eq!(names, format!("{}\n", NAMES + 1));
    host.json(&["rollback"]);
    everyone(&mut client, 2, false);
    assert_eq!(client.ask("only now"), "2");
    assert_eq!(host.status("panics"), 0);
}

#[test]
fn a_plugin_of_another_profile_shares_the_state() {
    cargo(&repository(), &["--release", "--package", "counter-v2"], &[]);
    there_and_back(&target().join("release/libcounter_v2.so"));
}

#[test]
fn a_plugin_of_another_patch_version_of_the_api_shares_the_state() {
    let file = made("counter-next", &[]);
    let verdict = hotshell(["check", "--json", text(&file)]).expect(0).json();
    assert_eq!((&verdict["api_version"], &verdict["version"]), (&"0.1.1".into(), &"2.0.1".into()));
    there_and_back(&file);
}

#[test]
fn a_plugin_built_to_abort_on_panic_is_refused() {
    let file = made("counter-abort", &[("CARGO_PROFILE_DEV_PANIC", "abort")]);
    let host = Host::start(artifacts::plugin("counter-v1"));
    let mut client = host.lines();
    assert_eq!(client.ask("ann"), "1");
    let error = host.refused(1, &["swap", text(&file)]);
    assert_eq!(error["code"], "PANICABORT");
    assert!(error["detail"].as_str().is_some_and(|d| d.contains("panic = \"abort\"")), "{error}");
    assert_eq!(client.ask("ann"), "2");
}

#[test]
fn a_plugin_whose_state_has_another_field_takes_over_by_name() {
    let file = made("counter-grown", &[]);
    let host = Host::start(artifacts::plugin("counter-v1"));
    let mut client = host.lines();
    assert_eq!(client.ask("ann"), "1");
    assert_eq!(host.json(&["swap", text(&file)])["migration"], "by-name");
    assert_eq!(client.ask("ann"), "ann: 2 so far");
    assert_eq!(host.json(&["rollback"])["migration"], "by-name");
    assert_eq!(client.ask("ann"), "3");
}
