//! Built plugins and the built host, for tests.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What tests load, and the program that loads it.
const PACKAGES: [&str; 19] = [
    "hotshell",
    "hotshell-bench",
    "misbehave",
    "one-way",
    "other-format",
    "roster-broken",
    "roster-v1",
    "roster-v2",
    "roster-v3",
    "slow-disk",
    "wrong-layout",
    "kv-v1",
    "kv-v2",
    "counter-v1",
    "counter-v2",
    "guestbook-v1",
    "guestbook-v2",
    "ledger-v1",
    "ledger-v2",
];

/// How long cargo may build before somebody who looks at the tests is told.
const SILENT: Duration = Duration::from_secs(5);

/// The `.so` of a package, a plugin or what a host has preloaded, built with the profile of the running test.
///
/// # Panics
/// When it cannot be built.
pub fn plugin(package: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let dir = BUILT.get_or_init(build);
    let file = dir.join(format!("lib{}.so", package.replace('-', "_")));
    assert!(file.exists(), "{} is not built: add it to PACKAGES", file.display());
    file
}

/// Builds the plugins into the target directory of this test; answers where they are.
fn build() -> PathBuf {
    let dir = profile_dir();
    let profile = match dir.file_name().and_then(|n| n.to_str()) {
        Some("debug") => "dev",
        Some(name) => name,
        None => panic!("{} does not name a profile", dir.display()),
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--profile", profile]);
    cargo.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    cargo.arg("--target-dir").arg(dir.parent().expect("a target directory"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    let (mut child, begun) = (cargo.spawn().expect("cargo runs"), Instant::now());
    let mut told = false;
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
        if begun.elapsed() > SILENT && !told {
            told = true;
            // Past the harness's capture: otherwise the first tests would seem to hang.
            let _ = writeln!(std::io::stderr(), "cargo build of what the tests load takes a while");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "the plugins cannot be built: {status}");
    dir
}

/// `target/debug` for the test `target/debug/deps/x-0123`.
fn profile_dir() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let dir = test.parent().filter(|dir| dir.ends_with("deps")).and_then(Path::parent);
    dir.expect("tests run from the target directory").to_owned()
}
