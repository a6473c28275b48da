//! `check` without a host.

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use super::client::Reply;
use super::output::Output;
use crate::check::Verdict;
use crate::control::Checked;
use crate::error::Result;
use crate::{paths, stage};

/// Checks a file in this process.
///
/// # Errors
/// The loader's refusals.
pub fn check(file: &OsStr, output: Output) -> Result<ExitCode> {
    let loader = stage::loader(None)?;
    let checked = loader.check(&paths::from_here(Path::new(file)))?;
    let verdict = Verdict::new(&Checked::from(checked), None)?;
    let json = serde_json::to_vec(&verdict).expect("a verdict holds nothing JSON cannot hold");
    output.reply(if output.json { Reply::Bytes(json) } else { Reply::Lines(verdict.lines()) })?;
    Ok(ExitCode::SUCCESS)
}
