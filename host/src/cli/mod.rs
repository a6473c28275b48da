//! The command line: `hotshell serve`, and every verb of the admin socket.

mod args;
mod authors;
mod client;
mod data;
mod discover;
mod local;
mod output;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::ArgMatches;

use crate::commands::{self, Verb};
use crate::error::{Code, Error, Result};
use crate::options::Options;
use crate::stdout;
use output::Output;

/// Runs the command line and answers the exit code: 0 done, 1 refused, 2 usage, 3 host unreachable,
/// 4 busy, 5 outcome unknown, 6 rolled back, 7 one-way.
pub fn main(words: impl Iterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.collect();
    let json = words.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    let mut output = Output { json };
    match run(words, &mut output) {
        Ok(code) => code,
        Err(error) => output.failure(&error),
    }
}

/// What the arguments say of `output`, once they are understood, holds also for a failure.
fn run(words: Vec<OsString>, output: &mut Output) -> Result<ExitCode> {
    let matches = match args::command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return not_understood(&error),
    };
    let (name, matches) = matches.subcommand().expect("clap lets nothing else through");
    if name == "serve" {
        return serve(matches);
    }
    if name == "data" {
        return data::run(matches, *output);
    }
    if name == args::HELP {
        let text = args::help_text(matches.get_one::<String>("VERB").map(String::as_str))?;
        return help(&text, *output);
    }
    let verb = commands::find(name)?;
    // What stands behind the first word of `command` is the plugin's, also a --json.
    output.json = matches.get_flag("json");
    verb_of_host(verb, matches, *output)
}

/// The same answer as the admin socket's `help`, about the command line.
fn help(text: &str, output: Output) -> Result<ExitCode> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    output.reply(match output.json {
        true => client::Reply::Bytes(serde_json::json!({ "help": lines }).to_string().into_bytes()),
        false => client::Reply::Line(lines.join("\n")),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn serve(matches: &ArgMatches) -> Result<ExitCode> {
    let config = crate::config::Config::read(args::flags(matches))?;
    if matches.get_flag("check-config") {
        if let Some(group) = &config.host.admin_group {
            crate::admin::group_id(group)?;
        }
        stdout::print(&config.to_toml());
        return Ok(ExitCode::SUCCESS);
    }
    crate::serve::serve(config)
}

fn verb_of_host(verb: &Verb, matches: &ArgMatches, output: Output) -> Result<ExitCode> {
    // A variable that is set to nothing names no socket.
    let admin = matches.get_one::<OsString>("admin").filter(|path| !path.is_empty());
    if verb.name == "check" && admin.is_none() && matches.get_one::<OsString>("server").is_none() {
        let file = matches.get_one::<OsString>("FILE").expect("clap has checked it");
        let new = matches.get_one::<OsString>("NEW").map(OsString::as_os_str);
        return local::check(file, new, &check_options(matches), output);
    }
    let (mut words, limit) = args::words(verb, matches)?;
    let path = discover::socket(admin.map(std::path::Path::new))?;
    let mut client = client::Client::connect(&path)?;
    if verb.name == "check" && !output.json {
        words.insert(1, b"--json".to_vec());
    }
    let reply = client.ask(verb.name, &words, limit)?;
    if verb.name == "check"
        && let client::Reply::Bytes(json) = &reply
        && let Ok(verdict) = serde_json::from_slice(json)
    {
        return local::tell(&verdict, &check_options(matches), output);
    }
    output.reply(reply)?;
    Ok(ExitCode::SUCCESS)
}

fn check_options(matches: &ArgMatches) -> Options {
    let (one_way, replace_plugin) =
        (matches.get_flag("one-way"), matches.get_flag("replace-plugin"));
    Options { one_way, replace_plugin, ..Options::default() }
}

/// What clap refused: its own text for people, except where we know better.
fn not_understood(error: &clap::Error) -> Result<ExitCode> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        stdout::print(&error.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        output::complain(&error.to_string());
        return Ok(ExitCode::from(2));
    }
    if let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) {
        return Err(commands::no_such(name));
    }
    Err(usage(error))
}

fn usage(error: &clap::Error) -> Error {
    use clap::error::ErrorKind;
    let text = error.to_string();
    let what =
        text.lines().next().unwrap_or("").trim_start_matches("error: ").trim_end_matches(':');
    let rest = || text.lines().skip(1).map(str::trim);
    let mut indented = rest().take_while(|line| !line.starts_with("Usage:"));
    let detail = indented.find(|line| !line.is_empty() && !line.starts_with("For more"));
    let usage = rest().find_map(|line| line.strip_prefix("Usage: "));
    let why = match (detail, error.kind()) {
        (Some(detail), _) => detail,
        (None, ErrorKind::UnknownArgument) => "it takes no such argument",
        (None, ErrorKind::ArgumentConflict) => "it may be given once",
        (None, ErrorKind::InvalidValue) => "it is followed by its value",
        (None, _) => "",
    };
    let hint = usage.map_or("see `hotshell --help`".to_owned(), |usage| format!("usage: {usage}"));
    Error::new(Code::Usage, what, why, hint)
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
