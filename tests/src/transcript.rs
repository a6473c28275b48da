//! Runs a transcript out of a Markdown page, and compares what is printed with what the page says.
//!
//! ```console
//! $ hotshell ping
//! PONG
//! ```
//!
//! Lines that start with `$ ` are run, all in one shell, so variables and background jobs stay; lines
//! that start with `> ` go on with the command above. What follows is what it prints, on standard
//! output and standard error; so a host in the background wants `2> host.log`. `…` stands for any text within a line, a line of only `…` for any
//! number of lines.

use std::path::Path;
use std::process::Command;

use crate::cli;

/// The comment in front of a block that is run.
pub const MARK: &str = "<!-- transcript -->";
const MARK_OF_STEP: &str = "\u{1e}step";

/// A command and what it prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is run.
    pub command: String,
    /// What it prints.
    pub prints: Vec<String>,
}

/// The first fenced block after the mark; `None` without a mark.
///
/// # Panics
/// When no block follows the mark, or it starts with something that is no command.
pub fn parse(page: &str) -> Option<Vec<Step>> {
    let (_, rest) = page.split_once(MARK)?;
    let mut lines = rest.lines().skip_while(|line| !line.starts_with("```"));
    lines.next().expect("a fenced block follows the mark");
    let mut steps: Vec<Step> = Vec::new();
    for line in lines.take_while(|line| !line.starts_with("```")) {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), prints: Vec::new() });
            continue;
        }
        let step = steps.last_mut().expect("a transcript starts with a command");
        match line.strip_prefix("> ") {
            Some(more) if step.prints.is_empty() => {
                step.command.push('\n');
                step.command.push_str(more);
            }
            _ => step.prints.push(line.to_owned()),
        }
    }
    Some(steps)
}

/// Runs the steps in a shell, in a folder, with these variables and with this build's programs first
/// in PATH. Background jobs are ended with the shell.
///
/// # Errors
/// The first step that printed something else, with both.
pub fn run(steps: &[Step], folder: &Path, vars: &[(&str, &str)]) -> Result<(), String> {
    let mut script = String::from("exec 2>&1\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n");
    for step in steps {
        script.push_str(&format!("{}\nprintf '\\n{MARK_OF_STEP}\\n'\n", step.command));
    }
    let programs = cli::program();
    let programs = programs.parent().expect("a folder").to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(script).current_dir(folder);
    shell.env("PATH", format!("{}:{path}", programs.display()));
    shell.env_remove("RUNTIME_DIRECTORY").envs(vars.iter().copied());
    let ran = cli::run(&mut shell);
    let end = format!("\n{MARK_OF_STEP}\n");
    let mut printed = ran.stdout.split(&end);
    for step in steps {
        let said = printed.next().unwrap_or("");
        let said: Vec<&str> = said.trim_end().lines().collect();
        let mut wanted: Vec<&str> = step.prints.iter().map(String::as_str).collect();
        while wanted.last().is_some_and(|line| line.is_empty()) {
            wanted.pop();
        }
        if !same(&wanted, &said) {
            return Err(format!(
                "$ {}\n--- the page says ---\n{}\n--- it prints ---\n{}",
                step.command,
                wanted.join("\n"),
                said.join("\n")
            ));
        }
    }
    Ok(())
}

fn same(wanted: &[&str], said: &[&str]) -> bool {
    match wanted.split_first() {
        None => said.is_empty(),
        Some((&"…", rest)) => (0..=said.len()).any(|skip| same(rest, &said[skip..])),
        Some((line, rest)) => said.split_first().is_some_and(|(first, others)| {
            fits(line.trim_end(), first.trim_end()) && same(rest, others)
        }),
    }
}

/// Whether a line fits one in which `…` stands for any text.
fn fits(wanted: &str, said: &str) -> bool {
    match wanted.split_once('…') {
        None => wanted == said,
        Some((head, tail)) => said.strip_prefix(head).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| fits(tail, &rest[at..]))
        }),
    }
}
