//! `check` without a host.

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use super::client::Reply;
use super::output::Output;
use crate::check::Verdict;
use crate::control::Checked;
use crate::error::Result;
use crate::limits::VET_TIMEOUT;
use crate::options::Options;
use crate::{paths, stage};

/// Exit code of a verdict that there would be no way back.
const ONE_WAY: u8 = 7;

/// Checks a file in this process, or compares two.
///
/// # Errors
/// The loader's refusals.
pub fn check(
    file: &OsStr,
    new: Option<&OsStr>,
    options: &Options,
    output: Output,
) -> Result<ExitCode> {
    let loader = stage::loader(None, VET_TIMEOUT)?;
    let look = |file: &OsStr| loader.check(&paths::from_here(Path::new(file))).map(Checked::from);
    let checked = look(file)?;
    let verdict = match new {
        None => Verdict::alone(&checked),
        Some(new) => Verdict::against(&look(new)?, &checked.version(), options),
    };
    tell(&verdict, options, output)
}

/// Prints a verdict, and answers the exit code. A refusal is told with the table that explains it.
///
/// # Errors
/// The reply, which cannot be a refusal.
pub fn tell(verdict: &Verdict, options: &Options, output: Output) -> Result<ExitCode> {
    let json = || serde_json::to_vec(verdict).expect("a verdict holds nothing JSON cannot hold");
    output.reply(match output.json {
        true => Reply::Bytes(json()),
        false => Reply::Lines(verdict.lines()),
    })?;
    if let Some(error) = &verdict.error {
        return Ok(output.complaint(error));
    }
    let one_way = verdict.one_way && !options.one_way;
    Ok(if one_way { ExitCode::from(ONE_WAY) } else { ExitCode::SUCCESS })
}
