//! Instructions, counted by callgrind: this program once more, as a child with other arguments.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Instructions of a whole child with these arguments.
pub fn instructions(arguments: &[&str]) -> Result<u64> {
    count(&[], arguments)
}

/// The same, of what a function of the child does whose name has this word in it, and all that it calls.
pub fn instructions_within(function: &str, arguments: &[&str]) -> Result<u64> {
    count(&["--collect-atstart=no", &format!("--toggle-collect=*{function}*")], arguments)
}

fn count(options: &[&str], arguments: &[&str]) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(options)
        .arg(std::env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("cannot run valgrind, which counts the instructions; it is in Debian's package")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}: {said}", arguments.join(" "), output.status);
    let counted =
        said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    counted.with_context(|| format!("valgrind did not say how much it collected: {said}"))
}

/// The word for a value of an option, for a child's arguments.
pub fn word(value: &impl clap::ValueEnum) -> String {
    value.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())
}
