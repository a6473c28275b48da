//! The table of keys: each is a flag and a key of the file.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{HostConfig, LogFormat, ServerConfig};
use crate::limits::{Limits, STUCK_AFTER};
use crate::paths::absolute;
use crate::time::parse_duration;

/// A key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// Its name: `--name` as a flag, `name` in the file.
    pub name: &'static str,
    /// What its value is called; `None` for a switch.
    pub value: Option<&'static str>,
    /// One line.
    pub help: &'static str,
    of: Of,
}

type Set<T> = fn(&mut T, &str, &Path) -> Result<(), String>;
type Show<T> = fn(&T) -> Option<String>;

/// What a key belongs to.
#[derive(Debug)]
enum Of {
    Host(Set<HostConfig>, Show<HostConfig>),
    /// One server only: never a default for several.
    Own(Set<ServerConfig>, Show<ServerConfig>),
    /// A server; above the tables of servers a default for all of them.
    Server(Set<ServerConfig>, Show<ServerConfig>),
    /// A limit in pieces, with its least value.
    Count(fn(&mut Limits) -> &mut usize, usize),
    /// A limit in bytes.
    Bytes(fn(&mut Limits) -> &mut usize),
}

impl Key {
    /// Whether it belongs to one server only.
    pub const fn is_own(&self) -> bool {
        matches!(self.of, Of::Own(..))
    }

    /// Whether it belongs to a server, and not to the host.
    pub const fn is_of_server(&self) -> bool {
        !matches!(self.of, Of::Host(..))
    }

    /// Sets it, if it belongs to the host.
    ///
    /// # Errors
    /// What was expected.
    pub fn set_host(&self, host: &mut HostConfig, text: &str, base: &Path) -> Result<(), String> {
        match self.of {
            Of::Host(set, _) => set(host, text, base),
            _ => Ok(()),
        }
    }

    /// Sets it, if it belongs to a server.
    ///
    /// # Errors
    /// What was expected.
    pub fn set_server(&self, to: &mut ServerConfig, text: &str, base: &Path) -> Result<(), String> {
        match self.of {
            Of::Host(..) => {}
            Of::Own(set, _) | Of::Server(set, _) => set(to, text, base)?,
            Of::Count(limit, least) => {
                let wrong = || format!("it must be a number, at least {least}");
                let number = text.replace('_', "").parse().map_err(|_| wrong())?;
                *limit(&mut to.limits) = if number < least { return Err(wrong()) } else { number };
            }
            Of::Bytes(limit) => *limit(&mut to.limits) = parse_bytes(text)?,
        }
        Ok(())
    }

    /// Its value as the file would have it, if it belongs to the host and is set.
    pub fn show_host(&self, host: &HostConfig) -> Option<String> {
        match self.of {
            Of::Host(_, show) => show(host),
            _ => None,
        }
    }

    /// Its value as the file would have it, if it belongs to a server.
    pub fn show_server(&self, server: &ServerConfig) -> Option<String> {
        match self.of {
            Of::Host(..) => None,
            Of::Own(_, show) | Of::Server(_, show) => show(server),
            Of::Count(limit, _) | Of::Bytes(limit) => {
                Some(limit(&mut server.limits.clone()).to_string())
            }
        }
    }
}

/// A text as the file would have it.
pub fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn quote_path(path: &Path) -> Option<String> {
    Some(quote(&path.display().to_string()))
}

fn path(text: &str, base: &Path) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("it must name a file".to_owned());
    }
    Ok(absolute(Path::new(text), base))
}

fn switch(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "it must be true or false".to_owned())
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let found = text.to_socket_addrs().ok().and_then(|mut all| all.next());
    found.ok_or_else(|| "it must be HOST:PORT, as in 127.0.0.1:6380 or [::]:6380".to_owned())
}

fn parse_bytes(text: &str) -> Result<usize, String> {
    const UNITS: [(&str, usize); 4] =
        [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)];
    let wrong = || "it must be bytes, as in 1048576, 512KiB, 64MiB or 1GiB".to_owned();
    let (digits, unit) = UNITS
        .iter()
        .find_map(|(name, unit)| text.strip_suffix(name).map(|digits| (digits, *unit)))
        .ok_or_else(wrong)?;
    let number: usize = digits.trim().replace('_', "").parse().map_err(|_| wrong())?;
    number.checked_mul(unit).filter(|&n| n > 0).ok_or_else(wrong)
}

pub(super) fn parse_number(text: &str) -> Result<u64, String> {
    text.replace('_', "").parse().map_err(|_| "it must be a number".to_owned())
}

fn parse_share(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0);
    number.ok_or_else(|| "it must be a number, zero or more".to_owned())
}

/// A duration, or a bare zero.
pub(super) fn parse_span(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { parse_duration(text) }
}

fn show_duration(time: Duration) -> Option<String> {
    Some(quote(&format!("{}ms", time.as_millis())))
}

/// All keys, in the order of the help.
pub const KEYS: &[Key] = &[
    Key {
        name: "plugin",
        value: Some("FILE"),
        help: "The plugin to start with; with --data, the first time: later starts are from the \
               permanent one",
        of: Of::Own(
            |server, text, base| path(text, base).map(|path| server.plugin = path),
            |server| quote_path(&server.plugin),
        ),
    },
    Key {
        name: "ignore-permanent",
        value: None,
        help: "Start from --plugin also when --data remembers another artifact as permanent",
        of: Of::Server(
            |server, text, _| switch(text).map(|on| server.ignore_permanent = on),
            |server| Some(server.ignore_permanent.to_string()),
        ),
    },
    Key {
        name: "listen",
        value: Some("ADDR"),
        help: "Where clients connect [default: 127.0.0.1:6380]; port 0 lets the system choose",
        of: Of::Own(
            |server, text, _| parse_listen(text).map(|listen| server.listen = listen),
            |server| Some(quote(&server.listen.to_string())),
        ),
    },
    Key {
        name: "watch",
        value: None,
        help: "Swap by itself when the plugin's file changes or a newer version lies beside it",
        of: Of::Server(
            |server, text, _| switch(text).map(|on| server.watch = on),
            |server| Some(server.watch.to_string()),
        ),
    },
    Key {
        name: "admin",
        value: Some("PATH"),
        help: "The admin socket [default: PORT.sock in $RUNTIME_DIRECTORY, \
               $XDG_RUNTIME_DIR/hotshell or /tmp/hotshell-UID]",
        of: Of::Host(
            |host, text, base| path(text, base).map(|path| host.admin = Some(path)),
            |host| host.admin.as_deref().and_then(quote_path),
        ),
    },
    Key {
        name: "admin-group",
        value: Some("GROUP"),
        help: "A group that may use the admin socket, besides this user and root",
        of: Of::Host(
            |host, text, _| {
                host.admin_group = Some(text.to_owned());
                Ok(())
            },
            |host| host.admin_group.as_deref().map(quote),
        ),
    },
    Key {
        name: "data",
        value: Some("DIR"),
        help: "A folder that keeps the data; without it they are in memory only",
        of: Of::Host(
            |host, text, base| path(text, base).map(|path| host.data = Some(path)),
            |host| host.data.as_deref().and_then(quote_path),
        ),
    },
    Key {
        name: "fsync",
        value: Some("always|everysec|no"),
        help: "When the journal in --data reaches the disk: before an answer is sent, every second, \
               or when the system likes [default: everysec]",
        of: Of::Server(
            |server, text, _| text.parse().map(|fsync| server.fsync = fsync),
            |server| Some(quote(server.fsync.text())),
        ),
    },
    Key {
        name: "http",
        value: Some("ADDR"),
        help: "Answer /healthz, /readyz and /metrics over HTTP; a port alone is one of 127.0.0.1 \
               [default: off]",
        of: Of::Host(
            |host, text, _| parse_listen(text).map(|http| host.http = Some(http)),
            |host| host.http.map(|http| quote(&http.to_string())),
        ),
    },
    Key {
        name: "snapshot-every",
        value: Some("DUR"),
        help: "Take a snapshot after this time, if anything changed, and cut the journal \
               [default: 900s]; 0 switches it off",
        of: Of::Server(
            |server, text, _| parse_span(text).map(|time| server.snapshots.every = time),
            |server| show_duration(server.snapshots.every),
        ),
    },
    Key {
        name: "snapshot-after",
        value: Some("N"),
        help: "Take a snapshot after so many changes [default: 2000000]; 0 switches it off",
        of: Of::Server(
            |server, text, _| parse_number(text).map(|n| server.snapshots.after = n),
            |server| Some(server.snapshots.after.to_string()),
        ),
    },
    Key {
        name: "stage-dir",
        value: Some("DIR"),
        help: "Folder for private copies of plugins; must allow mapping code \
               [default: hotshell-UID-stage under $TMPDIR]",
        of: Of::Host(
            |host, text, base| path(text, base).map(|path| host.stage_dir = Some(path)),
            |host| host.stage_dir.as_deref().and_then(quote_path),
        ),
    },
    Key {
        name: "vet-timeout",
        value: Some("DUR"),
        help: "How long a plugin may take when it is tried out in a child process [default: 5s]",
        of: Of::Host(
            |host, text, _| match parse_duration(text)? {
                Duration::ZERO => Err("it must be longer than nothing".to_owned()),
                time => {
                    host.vet_timeout = time;
                    Ok(())
                }
            },
            |host| show_duration(host.vet_timeout),
        ),
    },
    Key {
        name: "stuck-abort",
        value: Some("DUR"),
        help: "End the process when a call of a plugin takes longer than this, so that a supervisor \
               restarts it [default: never]",
        of: Of::Host(
            |host, text, _| match parse_span(text)? {
                time if time < STUCK_AFTER => Err(format!("it must be at least {STUCK_AFTER:?}")),
                time => {
                    host.stuck_abort = Some(time);
                    Ok(())
                }
            },
            |host| host.stuck_abort.and_then(show_duration),
        ),
    },
    Key {
        name: "log-format",
        value: Some("human|json"),
        help: "How log lines on standard error look [default: human]",
        of: Of::Host(
            |host, text, _| {
                host.log_format = match text {
                    "human" => LogFormat::Human,
                    "json" => LogFormat::Json,
                    _ => return Err("it must be human or json".to_owned()),
                };
                Ok(())
            },
            |host| {
                let json = host.log_format == LogFormat::Json;
                Some(quote(if json { "json" } else { "human" }))
            },
        ),
    },
    Key {
        name: "log-level",
        value: Some("LEVEL"),
        help: "error, warn, info, debug or trace, or a filter of tracing [default: info]",
        of: Of::Host(
            |host, text, _| {
                tracing_subscriber::EnvFilter::try_new(text).map_err(|why| why.to_string())?;
                host.log_level = text.to_owned();
                Ok(())
            },
            |host| Some(quote(&host.log_level)),
        ),
    },
    Key {
        name: "max-clients",
        value: Some("N"),
        help: "Most clients connected at once",
        of: Of::Count(|limits| &mut limits.max_clients, 1),
    },
    Key {
        name: "max-unread-bytes",
        value: Some("BYTES"),
        help: "Most unread input a client may pile up",
        of: Of::Bytes(|limits| &mut limits.max_unread_bytes),
    },
    Key {
        name: "soft-unsent-bytes",
        value: Some("BYTES"),
        help: "Unsent output above which a client is not read from",
        of: Of::Bytes(|limits| &mut limits.soft_unsent_bytes),
    },
    Key {
        name: "max-unsent-bytes",
        value: Some("BYTES"),
        help: "Unsent output above which a client is closed",
        of: Of::Bytes(|limits| &mut limits.max_unsent_bytes),
    },
    Key {
        name: "max-resident",
        value: Some("N"),
        help: "Most generations kept ready at once: the active one, the way back and the permanent \
               one included",
        of: Of::Count(|limits| &mut limits.max_resident, 3),
    },
    Key {
        name: "max-retained",
        value: Some("N"),
        help: "Most images that may stay mapped after their generation was discarded",
        of: Of::Count(|limits| &mut limits.max_retained, 1),
    },
    Key {
        name: "probation",
        value: Some("DUR"),
        help: "How long a new generation is watched, and undone if it breaks a rule \
               [default: 30s]; 0 switches it off",
        of: Of::Server(
            |server, text, _| parse_span(text).map(|time| server.rules.time = time),
            |server| show_duration(server.rules.time),
        ),
    },
    Key {
        name: "probation-max",
        value: Some("DUR"),
        help: "How long at most, when calls are too few to tell [default: 300s]",
        of: Of::Server(
            |server, text, _| parse_span(text).map(|time| server.rules.max_time = time),
            |server| show_duration(server.rules.max_time),
        ),
    },
    Key {
        name: "probation-min-calls",
        value: Some("N"),
        help: "Calls below which shares and durations say nothing [default: 100]",
        of: Of::Server(
            |server, text, _| parse_number(text).map(|n| server.rules.min_calls = n),
            |server| Some(server.rules.min_calls.to_string()),
        ),
    },
    Key {
        name: "probation-max-panics",
        value: Some("N"),
        help: "Most calls of a generation on probation that may panic [default: 2]",
        of: Of::Server(
            |server, text, _| parse_number(text).map(|n| server.rules.max_panics = n),
            |server| Some(server.rules.max_panics.to_string()),
        ),
    },
    Key {
        name: "probation-max-failed",
        value: Some("PERCENT"),
        help: "Most replies that the plugin may mark as failed [default: 5]",
        of: Of::Server(
            |server, text, _| parse_share(text).map(|n| server.rules.max_failed_percent = n),
            |server| Some(server.rules.max_failed_percent.to_string()),
        ),
    },
    Key {
        name: "probation-max-slowdown",
        value: Some("FACTOR"),
        help: "How many times as much CPU time as before a call may take, or as long as before it \
               may wait [default: 5]",
        of: Of::Server(
            |server, text, _| parse_share(text).map(|n| server.rules.max_slowdown = n),
            |server| Some(server.rules.max_slowdown.to_string()),
        ),
    },
    Key {
        name: "probation-max-conversions",
        value: Some("N"),
        help: "Most values whose conversion to a new shape may panic [default: 0]",
        of: Of::Server(
            |server, text, _| parse_number(text).map(|n| server.rules.max_conversions = n),
            |server| Some(server.rules.max_conversions.to_string()),
        ),
    },
    Key {
        name: "probation-max-self-tests",
        value: Some("N"),
        help: "Most self-tests on the live state that may fail [default: 0]",
        of: Of::Server(
            |server, text, _| parse_number(text).map(|n| server.rules.max_self_tests = n),
            |server| Some(server.rules.max_self_tests.to_string()),
        ),
    },
    Key {
        name: "probation-self-test",
        value: Some("DUR"),
        help: "How often the self-test looks at the live state [default: 1s]; 0 switches it off",
        of: Of::Server(
            |server, text, _| parse_span(text).map(|time| server.rules.self_test_every = time),
            |server| show_duration(server.rules.self_test_every),
        ),
    },
];
