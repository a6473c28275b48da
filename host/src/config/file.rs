//! The configuration file: TOML, read key by key so that an error names its line.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{FromFile, KEYS, Key, ServerTable, Setting, check_name};
use crate::error::{Code, Error, Result};
use crate::text::{nearest, one_line};

/// The plugin's own texts, in a server's table.
const CONFIG: &str = "config";
/// The tables of servers.
const SERVER: &str = "server";

type Entry<'a, 'i> = (&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>);

/// A file being read.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

/// Reads a file.
///
/// # Errors
/// `CONFIG`, with file, line and key.
pub fn read(path: &Path) -> Result<FromFile> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read the configuration '{}'", path.display());
        Error::new(Code::Config, message, error.to_string(), "check the path given to --config")
    })?;
    parse(path, &text)
}

/// Reads a file's text.
///
/// # Errors
/// `CONFIG`, with file, line and key.
pub fn parse(path: &Path, text: &str) -> Result<FromFile> {
    let reader = Reader { path, text };
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let why = one_line(error.message());
        Error::new(
            Code::Config,
            format!("{}: not TOML", reader.place(at)),
            why,
            "correct that line",
        )
    })?;
    reader.file(table.get_ref())
}

/// Adds a key that is not there yet: `max-clients` and `max_clients` are one.
fn once(settings: &mut Vec<Setting>, setting: Setting) -> Result<()> {
    if let Some(first) = settings.iter().find(|first| first.key.name == setting.key.name) {
        let why = format!("it is given already, at {}", first.origin);
        return Err(setting.wrong(&why, "remove one of the two"));
    }
    settings.push(setting);
    Ok(())
}

impl Reader<'_> {
    /// `/etc/hotshell.toml:12`.
    fn place(&self, at: usize) -> String {
        let before = self.text.as_bytes().iter().take(at);
        let line = 1 + before.filter(|&&byte| byte == b'\n').count();
        format!("{}:{line}", self.path.display())
    }

    fn file(&self, table: &DeTable<'_>) -> Result<FromFile> {
        let mut read = FromFile::default();
        for entry in table {
            match entry.0.get_ref().as_ref() {
                CONFIG => read.top_config = self.config(entry)?,
                SERVER => {
                    for server in self.table(entry)? {
                        let name = server.0.get_ref().to_string();
                        check_name(&name, &self.place(server.0.span().start))?;
                        let table = self.server(self.table(server)?, &name)?;
                        read.servers.insert(name, table);
                    }
                }
                _ => once(&mut read.top, self.setting(entry, "")?)?,
            }
        }
        Ok(read)
    }

    fn server(&self, table: &DeTable<'_>, name: &str) -> Result<ServerTable> {
        let mut read = ServerTable::default();
        for entry in table {
            if entry.0.get_ref() == CONFIG {
                read.config = self.config(entry)?;
            } else {
                let setting = self.setting(entry, name)?;
                if !setting.key.is_of_server() {
                    let hint = "move it above the first table";
                    return Err(setting.wrong("it belongs to the host, not to a server", hint));
                }
                once(&mut read.settings, setting)?;
            }
        }
        Ok(read)
    }

    fn setting(&self, (name, value): Entry<'_, '_>, server: &str) -> Result<Setting> {
        let (place, given) = (self.place(name.span().start), name.get_ref());
        let wanted = given.replace('_', "-");
        let Some(key) = KEYS.iter().find(|key| key.name == wanted) else {
            let known = |key: &&Key| server.is_empty() || key.is_of_server();
            let names = KEYS.iter().filter(known).map(|key| key.name);
            let tables = if server.is_empty() { &[CONFIG, SERVER][..] } else { &[CONFIG] };
            let meant = nearest(&wanted, names.chain(tables.iter().copied()));
            let hint = meant.map_or("`hotshell serve --help` lists all keys".to_owned(), |meant| {
                format!("did you mean '{meant}'?")
            });
            let table = if server.is_empty() { "" } else { &format!(" in [server.{server}]") };
            let message = format!("{place}: unknown key '{given}'{table}");
            return Err(Error::new(Code::Config, message, "no key has this name", hint));
        };
        let origin = format!("{place}: {given}");
        let text = self.text_of(value).ok_or_else(|| {
            let detail = format!("it is {}, not a single value", value.get_ref().type_str());
            Error::new(Code::Config, format!("{origin} is refused"), detail, "give one value")
        })?;
        Ok(Setting { key, text, origin })
    }

    fn config(&self, entry: Entry<'_, '_>) -> Result<BTreeMap<String, String>> {
        let mut read = BTreeMap::new();
        for (name, value) in self.table(entry)? {
            let text = self.text_of(value).ok_or_else(|| {
                let place = self.place(name.span().start);
                let detail = format!("it is {}", value.get_ref().type_str());
                let message = format!("{place}: config key '{}' is refused", name.get_ref());
                let hint = "the plugin gets texts, numbers and booleans only";
                Error::new(Code::Config, message, detail, hint)
            })?;
            read.insert(name.get_ref().to_string(), text);
        }
        Ok(read)
    }

    fn table<'a, 'i>(&self, (name, value): Entry<'a, 'i>) -> Result<&'a DeTable<'i>> {
        value.get_ref().as_table().ok_or_else(|| {
            let (place, name) = (self.place(name.span().start), name.get_ref());
            let detail = format!("it is {}", value.get_ref().type_str());
            let message = format!("{place}: '{name}' must be a table");
            Error::new(
                Code::Config,
                message,
                detail,
                "write it as [server.NAME] or [server.NAME.config]",
            )
        })
    }

    /// A single value as text: numbers and booleans as they stand in the file.
    fn text_of(&self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Boolean(on) => Some(on.to_string()),
            DeValue::Integer(_) | DeValue::Float(_) => {
                self.text.get(value.span()).map(|text| text.replace('_', ""))
            }
            _ => None,
        }
    }
}
