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
    let stage = stage::folder(None)?;
    let loader = stage::loader(stage.path().to_owned())?;
    let checked = loader.check(&paths::from_here(Path::new(file)))?;
    let checked = Checked { artifact: checked.artifact, schema: checked.schema };
    let verdict = Verdict::new(&checked, None)?;
    let json = serde_json::to_vec(&verdict).expect("a verdict holds nothing JSON cannot hold");
    output.reply(if output.json { Reply::Bytes(json) } else { Reply::Lines(verdict.lines()) })?;
    Ok(ExitCode::SUCCESS)
}
