//! The admin's verbs: one table feeds dispatch, arity errors, `help`, the CLI and docs/ADMIN.md.

mod execute;
mod help;
mod request;
mod verbs;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use crate::answer::Answer;
use crate::control::Control;
use crate::error::{Code, Error, Result};
use crate::options::Options;
pub use execute::execute;
pub use help::{help, manual};
pub use request::{Request, argument_path};

/// A verb of the admin socket and of the CLI.
#[derive(Debug)]
pub struct Verb {
    /// Its name.
    pub name: &'static str,
    /// What it takes by position.
    pub args: &'static [Arg],
    /// What it takes by name.
    pub options: &'static [&'static Opt],
    /// One line.
    pub summary: &'static str,
    /// What one should know.
    pub help: &'static str,
    /// Lines to try.
    pub examples: &'static [&'static str],
    /// Whether it changes a server, so that its outcome belongs in the log.
    pub changes: bool,
    /// Does it.
    pub run: fn(Rc<Control>, Request) -> Answering,
}

/// A verb at work.
pub type Answering = Pin<Box<dyn Future<Output = Result<Answer>>>>;

/// What a verb takes by position.
#[derive(Debug)]
pub struct Arg {
    /// Its name in texts.
    pub name: &'static str,
    /// What it is.
    pub kind: ArgKind,
    /// Whether it must be there.
    pub required: bool,
}

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgKind {
    /// A path: the CLI makes it absolute, the socket refuses relative ones.
    File,
    /// A word.
    Word,
    /// This and everything after it, options included.
    Rest,
}

/// What a verb takes by name.
#[derive(Debug)]
pub struct Opt {
    /// Its name, without the dashes.
    pub name: &'static str,
    /// What its value is called; `None` for a switch.
    pub value: Option<&'static str>,
    /// One line.
    pub help: &'static str,
    /// Reads it; the error says what was expected.
    pub set: fn(&mut Options, &str) -> Result<(), String>,
}

/// The verb with this name.
///
/// # Errors
/// `USAGE`, with the verb that was probably meant.
pub fn find(name: &str) -> Result<&'static Verb> {
    let lower = name.to_lowercase();
    TABLE.iter().find(|verb| verb.name == lower).ok_or_else(|| no_such(name))
}

/// The refusal of a word that is no verb, with the verb that was probably meant.
pub fn no_such(name: &str) -> Error {
    let lower = name.to_lowercase();
    let meant = match lower.as_str() {
        "unload" | "remove" | "close" => Some("discard"),
        "upgrade" | "update" | "deploy" => Some("swap"),
        "undo" | "revert" => Some("rollback"),
        "info" => Some("status"),
        "ls" => Some("list"),
        _ => crate::text::nearest(&lower, TABLE.iter().map(|verb| verb.name)),
    };
    let hint = match meant.and_then(|meant| TABLE.iter().find(|verb| verb.name == meant)) {
        Some(verb) => format!("the verb is `{}`; `help {}` explains it", verb.usage(), verb.name),
        None => "`help` explains each of them".to_owned(),
    };
    let shown: String = name.chars().take(40).collect();
    let message = format!("there is no verb '{}'", shown.escape_debug());
    let verbs: Vec<&str> = TABLE.iter().map(|verb| verb.name).collect();
    Error::new(Code::Usage, message, format!("the verbs are {}", verbs.join(", ")), hint)
}

impl Verb {
    /// Whether it can be told which server it is about.
    pub fn is_about_a_server(&self) -> bool {
        self.options.iter().any(|option| option.name == SERVER.name)
    }

    /// `swap FILE [--server NAME] ...` without the options: `swap FILE`.
    pub fn usage(&self) -> String {
        let mut usage = self.name.to_owned();
        for Arg { name, kind, required } in self.args {
            let dots = if *kind == ArgKind::Rest { "..." } else { "" };
            let arg = if *required { format!(" {name}{dots}") } else { format!(" [{name}{dots}]") };
            usage.push_str(&arg);
        }
        usage
    }
}

const SERVER: &Opt = &Opt {
    name: "server",
    value: Some("NAME"),
    help: "The server; may be left out when the host runs one",
    set: |options, text| {
        options.server = Some(text.to_owned());
        Ok(())
    },
};
const JSON: &Opt = &Opt {
    name: "json",
    value: None,
    help: "Answer as one JSON value",
    set: |options, _| {
        options.json = true;
        Ok(())
    },
};
const IF_ACTIVE: &Opt = &Opt {
    name: "if-active",
    value: Some("GEN"),
    help: "Only if this generation is active; refused as MOVED otherwise",
    set: |options, text| {
        let number = text.parse().map_err(|_| format!("'{text}' is not a generation's number"))?;
        options.if_active = Some(number);
        Ok(())
    },
};
const DRY_RUN: &Opt = &Opt {
    name: "dry-run",
    value: None,
    help: "Say what would happen and what would be set aside; change nothing",
    set: |options, _| {
        options.dry_run = true;
        Ok(())
    },
};
const WAIT: &Opt = &Opt {
    name: "wait",
    value: None,
    help: "Answer at the verdict of probation; at once where there is none",
    set: |options, _| {
        options.wait = true;
        Ok(())
    },
};
const ONE_WAY: &Opt = &Opt {
    name: "one-way",
    value: None,
    help: "Allow a migration without a way back: no rollback, no automatic undo",
    set: |options, _| {
        options.one_way = true;
        Ok(())
    },
};
const REPLACE: &Opt = &Opt {
    name: "replace-plugin",
    value: None,
    help: "Allow a plugin of another name, and a plan that sets most of the state aside",
    set: |options, _| {
        options.replace_plugin = true;
        Ok(())
    },
};
const ALLOW_STOP: &Opt = &Opt {
    name: "allow-stop",
    value: None,
    help: "Allow lists with many elements to be converted at once, while clients wait",
    set: |options, _| {
        options.allow_stop = true;
        Ok(())
    },
};
const TIMEOUT: &Opt = &Opt {
    name: "timeout",
    value: Some("DUR"),
    help: "Answer TIMEOUT after this long (500ms, 5s, 2m); the work goes on",
    set: |options, text| {
        options.timeout = Some(crate::time::parse_duration(text)?);
        Ok(())
    },
};

const FILE: Arg = Arg { name: "FILE", kind: ArgKind::File, required: true };
const GENERATION: Arg = Arg { name: "GEN|NAME@VERSION", kind: ArgKind::Word, required: true };

const SWAP_OPTIONS: &[&Opt] =
    &[SERVER, JSON, IF_ACTIVE, DRY_RUN, WAIT, TIMEOUT, REPLACE, ONE_WAY, ALLOW_STOP];

/// All verbs, in the order in which `help` shows them.
pub const TABLE: &[Verb] = &[
    Verb {
        name: "swap",
        args: &[FILE],
        options: SWAP_OPTIONS,
        summary: "Load a plugin file and switch to it",
        help: "Load and use in one step. Clients stay connected and data stays in place; the stop \
               is microseconds. When anything is wrong with the file, nothing changes and the \
               refusal says why. Once more than max-resident generations are resident, the oldest \
               that is neither active, nor the way back, nor permanent is discarded.",
        examples: &["swap /srv/plugins/libkv_v2.so", "swap /srv/plugins/libkv_v2.so --dry-run"],
        changes: true,
        run: verbs::swap,
    },
    Verb {
        name: "rollback",
        args: &[],
        options: &[SERVER, JSON, IF_ACTIVE, DRY_RUN, WAIT, TIMEOUT, ALLOW_STOP],
        summary: "Switch back to the generation used before",
        help: "Walks backwards along the history of uses, never to a generation that a rollback \
               has left before. Data written since the swap stays. Never waits for a load into \
               the server: it cancels it.",
        examples: &["rollback", "rollback --if-active 2"],
        changes: true,
        run: verbs::rollback,
    },
    Verb {
        name: "list",
        args: &[],
        options: &[SERVER, JSON],
        summary: "List the generations",
        help: "Every generation of every server: status, temperature, version, schema, digest. \
               Answers at once, also while an engine is stuck.",
        examples: &["list", "list --json"],
        changes: false,
        run: verbs::list,
    },
    Verb {
        name: "status",
        args: &[],
        options: &[SERVER, JSON],
        summary: "Show how a server does",
        help: "Clients, calls, panics, swaps and their longest stop, bytes of state. Answers at \
               once, also while an engine is stuck or a load runs, and then says so. While the host \
               starts it tells how much of the data has been read back.",
        examples: &["status", "status --json"],
        changes: false,
        run: verbs::status,
    },
    Verb {
        name: "load",
        args: &[FILE],
        options: &[SERVER, JSON, IF_ACTIVE, TIMEOUT, REPLACE],
        summary: "Load a plugin file without switching to it",
        help: "Reads, inspects, vets and maps the file, so that `use` can switch to it at once. \
               Changes nothing for clients. A failed load takes no number.",
        examples: &["load /srv/plugins/libkv_v2.so"],
        changes: true,
        run: verbs::load,
    },
    Verb {
        name: "use",
        args: &[GENERATION],
        options: SWAP_OPTIONS,
        summary: "Switch to a loaded generation",
        help: "The only switch there is: `swap`, `reload` and `rollback` end in it. Using the \
               active generation does nothing and is no error.",
        examples: &["use 2", "use kv@2.0.0"],
        changes: true,
        run: verbs::use_generation,
    },
    Verb {
        name: "reload",
        args: &[Arg { name: "FILE", kind: ArgKind::File, required: false }],
        options: SWAP_OPTIONS,
        summary: "Swap, by default from the active generation's own file",
        help: "The same as `swap`. Without FILE it loads again the path from which the active \
               generation was loaded; SIGHUP does that on every server.",
        examples: &["reload"],
        changes: true,
        run: verbs::reload,
    },
    Verb {
        name: "discard",
        args: &[GENERATION],
        options: &[SERVER, JSON, IF_ACTIVE, TIMEOUT],
        summary: "Give a generation up",
        help: "Retires it, so that no call can ever reach it, then unmaps its image and looks \
               whether it is gone: `unmapped`, or `retained: <reason>`, which is harmless but \
               counts against max-retained. The active generation is refused; so is each one, \
               as BUSY, while entries and sessions of the last switch are still to be converted.",
        examples: &["discard 1", "discard kv@1.0.0"],
        changes: true,
        run: verbs::discard,
    },
    Verb {
        name: "snapshot",
        args: &[],
        options: &[SERVER, JSON, TIMEOUT],
        summary: "Write all data to --data now, and cut the journal",
        help: "An image of the whole state as it is now, written while clients are served; the \
               answer comes when it is on disk. What the journal held before is removed then. \
               Snapshots are also taken by themselves (snapshot-every, snapshot-after) and at a \
               graceful stop.",
        examples: &["snapshot"],
        changes: true,
        run: verbs::snapshot,
    },
    Verb {
        name: "set",
        args: &[
            Arg { name: "KEY", kind: ArgKind::Word, required: false },
            Arg { name: "VALUE", kind: ArgKind::Word, required: false },
        ],
        options: &[SERVER, JSON, TIMEOUT],
        summary: "Set a key of the configuration while the server runs",
        help: "fsync, snapshot-every and snapshot-after can be set so. What is set is kept in --data \
               and holds after a restart, too, whatever the configuration says; with \
               --ignore-permanent it is forgotten. Without VALUE the key goes back to what the \
               configuration says; without KEY it shows all three.",
        examples: &["set", "set fsync always", "set snapshot-every 5m", "set fsync"],
        changes: true,
        run: verbs::set,
    },
    Verb {
        name: "check",
        args: &[FILE, Arg { name: "NEW", kind: ArgKind::File, required: false }],
        options: &[SERVER, JSON, TIMEOUT, REPLACE, ONE_WAY],
        summary: "Inspect and vet a plugin file, or compare two versions",
        help: "Does what a load does up to mapping. With two files it tells, field by field, how \
               the second takes over the state of the first: adopt, by name, by function, or \
               refused; what the way back does; and what it costs. With one file, asked of a \
               host, it compares with the active generation. The CLI checks by itself, without a \
               host, unless --admin or --server names one. Exit code 7 of the CLI: there would be \
               no way back, and --one-way was not given.",
        examples: &["check /srv/plugins/libkv_v2.so", "check libkv_v1.so libkv_v2.so"],
        changes: false,
        run: verbs::check,
    },
    Verb {
        name: "command",
        args: &[Arg { name: "ARG", kind: ArgKind::Rest, required: true }],
        options: &[SERVER, JSON, TIMEOUT],
        summary: "Run an admin verb of the active plugin",
        help: "Options go before the first ARG; everything from there on is handed to the plugin.",
        examples: &["command stats", "command --server main -- --verbose"],
        changes: false,
        run: verbs::command,
    },
    Verb {
        name: "shutdown",
        args: &[],
        options: &[JSON],
        summary: "Stop the host gracefully",
        help: "What SIGTERM does: replies that are owed are sent, then every client is closed.",
        examples: &["shutdown"],
        changes: true,
        run: verbs::shutdown,
    },
    Verb {
        name: "ping",
        args: &[],
        options: &[SERVER, JSON],
        summary: "Ask whether the host serves",
        help: "Answers PONG; BUSY while the host starts. With --server also whether it runs that one.",
        examples: &["ping"],
        changes: false,
        run: verbs::ping,
    },
    Verb {
        name: "help",
        args: &[Arg { name: "VERB", kind: ArgKind::Word, required: false }],
        options: &[JSON],
        summary: "Explain the verbs",
        help: "Without VERB: all verbs, one line each.",
        examples: &["help", "help swap"],
        changes: false,
        run: verbs::help,
    },
];
