//! `hotshell data`: what lies in a folder of `serve --data`, without a host.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::authors::Authors;
use super::client::Reply;
use super::output::Output;
use crate::data::survey::Survey;
use crate::data::{Origin, Store, export};
use crate::error::{Code, Error, Result};
use crate::{paths, render};

const TEACH: &str = "\
Examples:
  hotshell data inspect /var/lib/hotshell
  hotshell data check /var/lib/hotshell && systemctl start hotshell
  hotshell data export /var/lib/hotshell --server main | head

All of them read only, and take no lock: also while a host runs on the folder. What it is writing at
that moment may look torn.

Exit codes: 0 sound, 1 damaged or unreadable, 2 usage.";

/// The arguments of `data`.
pub fn command() -> Command {
    let folder = Arg::new("DIR").required(true).value_parser(ValueParser::os_string());
    let folder = folder.help("The folder that `serve --data` was given");
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    let raw = Arg::new("raw").long("raw").action(ArgAction::SetTrue);
    let server = Arg::new("server").long("server").value_name("NAME");
    let verb = |name: &'static str, about: &'static str| {
        Command::new(name).about(about).arg(folder.clone())
    };
    Command::new("data")
        .about("Look at, check and export what `serve --data` keeps")
        .after_help(TEACH)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            verb("inspect", "What is there: files, sizes, records, the newest time")
                .arg(json.clone().help("Answer as one JSON value")),
        )
        .subcommand(
            verb("check", "Verify every checksum; exit with 1 when a start would refuse")
                .arg(json.help("Answer as one JSON value")),
        )
        .subcommand(
            verb("export", "The newest snapshot and every record after it as lines of JSON")
                .arg(server.help("Only this server"))
                .arg(raw.help("Records as text or digits; runs no code of the plugin")),
        )
}

/// Runs `data`.
///
/// # Errors
/// `DATA`: it is no such folder, or it is damaged.
pub fn run(matches: &ArgMatches, output: Output) -> Result<ExitCode> {
    let (verb, matches) = matches.subcommand().expect("clap lets nothing else through");
    let folder = matches.get_one::<OsString>("DIR").expect("clap has checked it");
    let folder = paths::from_here(Path::new(folder));
    match verb {
        "export" => export(&folder, matches),
        "check" => check(&Survey::of(&folder)?, output),
        _ => tell(&Survey::of(&folder)?, output),
    }
}

/// Prints what is there. Damage is part of it, and no failure of looking.
fn tell(survey: &Survey, output: Output) -> Result<ExitCode> {
    print(survey, output, || render::survey(survey))?;
    survey.problems().for_each(|problem| _ = output.complaint(problem));
    Ok(ExitCode::SUCCESS)
}

/// Prints whether a start would read all of it.
fn check(survey: &Survey, output: Output) -> Result<ExitCode> {
    print(survey, output, || render::soundness(survey))?;
    let complaints: Vec<ExitCode> =
        survey.problems().map(|problem| output.complaint(problem)).collect();
    Ok(complaints.first().copied().unwrap_or(ExitCode::SUCCESS))
}

fn print(survey: &Survey, output: Output, lines: impl Fn() -> Vec<String>) -> Result<()> {
    let json = || serde_json::to_vec(survey).expect("a survey holds nothing JSON cannot hold");
    output.reply(match output.json {
        true => Reply::Bytes(json()),
        false => Reply::Lines(lines()),
    })
}

fn export(folder: &Path, matches: &ArgMatches) -> Result<ExitCode> {
    let server = matches.get_one::<String>("server").map(String::as_str);
    let (raw, mut authors) = (matches.get_flag("raw"), Authors::default());
    let mut show = |store: &Store, origin: &Origin, record: &[u8]| match raw {
        true => None,
        false => authors.describe(store, origin, record),
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut gone = false;
    let exported = export::export(folder, server, &mut show, &mut |record| {
        let line = serde_json::to_writer(&mut out, record).map_err(std::io::Error::from);
        let written = line.and_then(|()| out.write_all(b"\n"));
        gone |= written.is_err();
        written
    });
    let flushed = out.flush();
    match exported {
        // `hotshell data export DIR | head` is no failure.
        Err(_) if gone => Ok(ExitCode::SUCCESS),
        Err(refused) => Err(refused),
        Ok(()) if flushed.is_err_and(|error| error.kind() != std::io::ErrorKind::BrokenPipe) => {
            let (what, hint) = ("cannot print the records", "make room where they are written to");
            Err(Error::new(Code::File, what, "the last of them could not be written", hint))
        }
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}
