//! What the command line prints. Whoever reads it may have gone (`hotshell list | head`): that is
//! no failure of the verb.

use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;

use super::client::Reply;
use crate::error::{Error, Result};
use crate::stdout::{print, print_bytes};

/// How answers are printed.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// One JSON value, on standard output, also for failures.
    pub json: bool,
}

/// A failure as JSON.
#[derive(Serialize)]
struct Failure<'a> {
    error: &'a Error,
}

impl Output {
    /// Prints an answer.
    ///
    /// # Errors
    /// The reply, when it is a refusal.
    pub fn reply(self, reply: Reply) -> Result<()> {
        match reply {
            Reply::Line(line) => print(&line),
            Reply::Lines(lines) => print(&lines.join("\n")),
            Reply::Bytes(bytes) => print_bytes(&bytes),
            Reply::Refused(error) => return Err(error),
        }
        Ok(())
    }

    /// Prints a failure, and answers its exit code.
    pub fn failure(self, error: &Error) -> ExitCode {
        if self.json {
            let failure = Failure { error };
            print(&serde_json::to_string(&failure).expect("texts only"));
        } else {
            complain(&three_lines(error));
        }
        ExitCode::from(error.code.exit_code())
    }

    /// Says why to people, where the JSON has said it already; answers the exit code.
    pub fn complaint(self, error: &Error) -> ExitCode {
        if !self.json {
            complain(&three_lines(error));
        }
        ExitCode::from(error.code.exit_code())
    }
}

/// The three parts of an error, a line each, aligned.
pub fn three_lines(error: &Error) -> String {
    let mut text = format!("error: {} [{}]", error.message, error.code.text());
    for (name, part) in [("why", &error.detail), ("next", &error.hint)] {
        if !part.is_empty() {
            text.push_str(&format!("\n{name:>5}: {part}"));
        }
    }
    text
}

/// Prints a text with a line end to standard error.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}
