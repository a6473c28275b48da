//! The arguments: built from the command table and the table of configuration keys, so that what is
//! understood and what is explained cannot part.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::commands::{self, ArgKind, TABLE, Verb};
use crate::config::{Flags, KEYS, Key, Setting};
use crate::error::{Code, Error, Result};
use crate::paths;

const ABOUT: &str = "A server shell that keeps its connections and its data while its business \
                     logic, a .so, is replaced.";

const TEACH: &str = "\
First steps:
  hotshell check libkv_v1.so                 is this file a sound plugin?
  hotshell serve --plugin libkv_v1.so        clients connect to 127.0.0.1:6380
  hotshell swap libkv_v2.so                  new code, same connections, same data
  hotshell list                              what is loaded, what is active
  hotshell rollback                          undo the swap

Without the command line:
  redis-cli -e -s ADMIN.sock swap /abs/libkv_v2.so
  echo 'swap /abs/libkv_v2.so' | nc -N -U ADMIN.sock

Exit codes: 0 done, 1 refused (nothing changed), 2 usage, 3 host unreachable, 4 busy,
5 outcome unknown, 6 rolled back, 7 one-way (check).";

const TEACH_SERVE: &str = "\
Examples:
  hotshell serve --plugin libkv_v1.so
  hotshell serve --plugin current.so --listen 0.0.0.0:6380 --watch
  hotshell serve --config hotshell.toml --check-config

A file for two servers; every key is a flag without its dashes:
  admin = '/run/hotshell/admin.sock'
  max-clients = 5000

  [server.cache]
  plugin = '/srv/libkv_v1.so'
  listen = '127.0.0.1:6380'

  [server.cache.config]          # texts for the plugin
  title = 'the cache'

  [server.counter]
  plugin = '/srv/libcounter.so'
  listen = '127.0.0.1:6381'

Signals: SIGTERM and SIGINT stop gracefully, a second one at once; SIGHUP reloads every server.";

/// The whole command line.
pub fn command() -> Command {
    let command = Command::new("hotshell")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(TEACH)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(100)
        .infer_subcommands(false)
        // Ours answers --json, too.
        .disable_help_subcommand(true)
        .subcommand(serve())
        .subcommand(super::data::command());
    let verbs = TABLE.iter().filter(|verb| verb.name != HELP);
    verbs.fold(command, |command, verb| command.subcommand(of_verb(verb))).subcommand(help())
}

/// The verb that the command line answers by itself.
pub const HELP: &str = "help";

fn help() -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    Command::new(HELP)
        .about("Explain the verbs")
        .arg(Arg::new("VERB").help("The one to explain; else all, one line each"))
        .arg(json.help("Answer as one JSON value"))
}

/// What `--help` of the whole command line says, or of one verb.
///
/// # Errors
/// `USAGE` for a verb that there is not.
pub fn help_text(verb: Option<&str>) -> Result<String> {
    let mut whole = command();
    whole.build();
    let Some(name) = verb else { return Ok(whole.render_help().to_string()) };
    let found = whole.find_subcommand_mut(name).ok_or_else(|| commands::no_such(name))?;
    Ok(found.render_long_help().to_string())
}

fn serve() -> Command {
    let config = Arg::new("config").long("config").value_name("FILE.toml");
    let name = Arg::new("name").long("name").value_name("NAME");
    let check = Arg::new("check-config").long("check-config").action(ArgAction::SetTrue);
    let command = Command::new("serve")
        .about("Run servers")
        .after_help(TEACH_SERVE)
        .arg(config.help("A configuration file; flags go before it").value_parser(any()))
        .arg(name.help("The server's name, or which server of the file the flags are about"))
        .arg(check.help("Print what would be used, and exit"));
    KEYS.iter().fold(command, |command, key| {
        let arg = Arg::new(key.name).long(key.name).help(key.help);
        command.arg(match key.value {
            Some(value) => arg.value_name(value).value_parser(any()),
            None => arg.action(ArgAction::SetTrue),
        })
    })
}

fn of_verb(verb: &'static Verb) -> Command {
    let examples: Vec<String> =
        verb.examples.iter().map(|example| format!("  hotshell {example}")).collect();
    let admin = Arg::new("admin").long("admin").value_name("PATH").env("HOTSHELL_ADMIN");
    let mut command = Command::new(verb.name)
        .about(verb.summary)
        .long_about(format!("{}.\n\n{}", verb.summary, verb.help))
        .after_help(format!("Examples:\n{}", examples.join("\n")))
        .arg(admin.help("The admin socket; else the only live one is taken").value_parser(any()));
    for arg in verb.args {
        let built = Arg::new(arg.name).required(arg.required).value_parser(any());
        command = command.arg(match arg.kind {
            ArgKind::Rest => built.num_args(1..).trailing_var_arg(true).allow_hyphen_values(true),
            ArgKind::File | ArgKind::Word => built,
        });
    }
    for option in verb.options {
        let arg = Arg::new(option.name).long(option.name).help(option.help);
        command = command.arg(match option.value {
            Some(value) => arg.value_name(value).value_parser(any()),
            None => arg.action(ArgAction::SetTrue),
        });
    }
    command
}

/// Any bytes: paths need not be UTF-8.
fn any() -> ValueParser {
    ValueParser::os_string()
}

/// What the flags of `serve` say.
pub fn flags(matches: &ArgMatches) -> Flags {
    let text = |key: &Key| match key.value {
        None => matches.get_flag(key.name).then(|| "true".to_owned()),
        Some(_) => {
            matches.get_one::<OsString>(key.name).map(|given| given.to_string_lossy().into_owned())
        }
    };
    let setting = |key: &'static Key| {
        let origin = format!("--{}", key.name);
        text(key).map(|text| Setting { key, text, origin })
    };
    Flags {
        file: matches.get_one::<OsString>("config").map(PathBuf::from),
        name: matches.get_one::<String>("name").cloned(),
        settings: KEYS.iter().filter_map(setting).collect(),
    }
}

/// The words of a request, and how long to wait for its answer.
///
/// # Errors
/// `USAGE` for a `--timeout` that is no duration.
pub fn words(verb: &Verb, matches: &ArgMatches) -> Result<(Vec<Vec<u8>>, Option<Duration>)> {
    let mut words = vec![verb.name.as_bytes().to_vec()];
    for option in verb.options {
        match option.value {
            None if matches.get_flag(option.name) => {
                words.push(format!("--{}", option.name).into_bytes());
            }
            None => {}
            Some(_) => {
                if let Some(given) = matches.get_one::<OsString>(option.name) {
                    words.push(format!("--{}", option.name).into_bytes());
                    words.push(given.clone().into_vec());
                }
            }
        }
    }
    words.push(b"--".to_vec());
    for arg in verb.args {
        for given in matches.get_many::<OsString>(arg.name).into_iter().flatten() {
            let word = match arg.kind {
                ArgKind::File => paths::from_here(Path::new(given)).into_os_string(),
                ArgKind::Word | ArgKind::Rest => given.clone(),
            };
            words.push(word.into_vec());
        }
    }
    Ok((words, limit(verb, matches)?))
}

fn limit(verb: &Verb, matches: &ArgMatches) -> Result<Option<Duration>> {
    if !verb.options.iter().any(|option| option.name == "timeout") {
        return Ok(None);
    }
    let Some(text) = matches.get_one::<OsString>("timeout") else { return Ok(None) };
    let parsed = crate::time::parse_duration(&text.to_string_lossy());
    parsed.map(Some).map_err(|why| {
        let hint = format!("see `hotshell {} --help`", verb.name);
        Error::new(Code::Usage, "cannot understand --timeout", why, hint)
    })
}
