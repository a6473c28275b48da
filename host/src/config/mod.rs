//! The configuration: what the flags and the file say, checked as a whole.
//!
//! One table of keys ([`keys::KEYS`]) feeds the flags, the file, `--check-config` and the help.
//! Flags go before the file, the file before the defaults. A file holds host keys, and either the
//! keys of one server, or a table `[server.NAME]` per server; the texts under
//! `[server.NAME.config]` are the plugin's own.

mod file;
pub mod keys;
mod live;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::data::Fsync;
use crate::data::snapshot::Policy;
use crate::error::{Code, Error, Result};
use crate::limits::{Limits, VET_TIMEOUT};
use crate::probation::Rules;
pub use keys::{KEYS, Key};
pub use live::Live;

/// Name of a server that nobody named.
pub const MAIN: &str = "main";
/// Where a server listens when nothing is configured.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:6380";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// What belongs to the host as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostConfig {
    /// The admin socket; by default one named after the first server's port.
    pub admin: Option<PathBuf>,
    /// The group that may use it.
    pub admin_group: Option<String>,
    /// Folder for private copies of plugins; by default one of this user under `$TMPDIR`.
    pub stage_dir: Option<PathBuf>,
    /// The folder that keeps the data.
    pub data: Option<PathBuf>,
    /// Where supervisors and scrapers ask over HTTP.
    pub http: Option<SocketAddr>,
    /// How long a plugin may take when it is tried out.
    pub vet_timeout: Duration,
    /// Ends the process when a call of a plugin takes longer than this.
    pub stuck_abort: Option<Duration>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged.
    pub log_level: String,
}

/// What belongs to one server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerConfig {
    /// Its name.
    pub name: String,
    /// The plugin file it starts with, the first time.
    pub plugin: PathBuf,
    /// Start with that file also when another one is permanent.
    pub ignore_permanent: bool,
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Whether the plugin's file and folder are watched for newer versions.
    pub watch: bool,
    /// When its journal reaches the disk.
    pub fsync: Fsync,
    /// When snapshots of its data are taken.
    pub snapshots: Policy,
    /// Its limits.
    pub limits: Limits,
    /// How new generations are judged.
    pub rules: Rules,
    /// Texts for the plugin.
    pub config: BTreeMap<String, String>,
}

/// The whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What belongs to the host.
    pub host: HostConfig,
    /// Its servers, at least one, in the order of their names.
    pub servers: Vec<ServerConfig>,
    /// The file it was read from.
    pub file: Option<PathBuf>,
}

/// A key that was given, by flag or by file.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Which key.
    pub key: &'static Key,
    /// Its value, as text.
    pub text: String,
    /// Where it was given: `--listen`, `/etc/hotshell.toml:3: listen`.
    pub origin: String,
}

/// What the flags say.
#[derive(Debug, Default)]
pub struct Flags {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--name`.
    pub name: Option<String>,
    /// All other keys.
    pub settings: Vec<Setting>,
}

/// What the file says.
#[derive(Debug, Default)]
struct FromFile {
    /// Keys above the first table.
    top: Vec<Setting>,
    /// Texts for the plugin, above the first table.
    top_config: BTreeMap<String, String>,
    servers: BTreeMap<String, ServerTable>,
}

#[derive(Debug, Default)]
struct ServerTable {
    settings: Vec<Setting>,
    config: BTreeMap<String, String>,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            admin: None,
            admin_group: None,
            http: None,
            stage_dir: None,
            data: None,
            vet_timeout: VET_TIMEOUT,
            stuck_abort: None,
            log_format: LogFormat::Human,
            log_level: "info".to_owned(),
        }
    }
}

impl ServerConfig {
    fn named(name: &str) -> Self {
        let listen = DEFAULT_LISTEN.parse().expect("it is an address");
        let (plugin, limits) = (PathBuf::new(), Limits::default());
        let config = BTreeMap::new();
        let rules = Rules::default();
        Self {
            name: name.to_owned(),
            plugin,
            listen,
            ignore_permanent: false,
            watch: false,
            fsync: Fsync::default(),
            snapshots: Policy::default(),
            limits,
            rules,
            config,
        }
    }
}

impl ServerConfig {
    /// What of it can be set while the server runs.
    pub const fn live(&self) -> Live {
        Live { fsync: self.fsync, snapshots: self.snapshots }
    }
}

impl Config {
    /// The configuration that flags and file make.
    ///
    /// # Errors
    /// `CONFIG`, naming the flag, or the file's line and key.
    pub fn read(flags: Flags) -> Result<Self> {
        let from_file = match &flags.file {
            Some(path) => file::read(path)?,
            None => FromFile::default(),
        };
        let mut config = Self::combine(from_file, &flags)?;
        config.file = flags.file;
        config.check()?;
        Ok(config)
    }

    fn combine(from_file: FromFile, flags: &Flags) -> Result<Self> {
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let folder = flags.file.as_deref().and_then(Path::parent).map(|f| here.join(f));
        let folder = folder.unwrap_or_else(|| here.clone());
        let mut host = HostConfig::default();
        let mut servers = servers(&from_file, flags, &folder)?;
        for setting in &from_file.top {
            setting.apply_to_host(&mut host, &folder)?;
        }
        let chosen = chosen(&mut servers, flags)?;
        for setting in &flags.settings {
            setting.apply_to_host(&mut host, &here)?;
            setting.apply_to_server(chosen, &here)?;
        }
        Ok(Self { host, servers, file: None })
    }

    fn check(&self) -> Result<()> {
        for (at, server) in self.servers.iter().enumerate() {
            let name = &server.name;
            if server.plugin.as_os_str().is_empty() {
                let message = format!("server '{name}' has no plugin");
                let hint = format!("pass --plugin FILE.so, or set plugin in [server.{name}]");
                return Err(Error::new(Code::Config, message, "nothing says which to start", hint));
            }
            let mut others = self.servers[..at].iter();
            let same = |other: &&ServerConfig| other.listen == server.listen;
            if let Some(other) = others.find(same).filter(|other| other.listen.port() != 0) {
                let message =
                    format!("servers '{}' and '{name}' listen on one address", other.name);
                let hint = format!("set another listen in [server.{name}]");
                return Err(Error::new(Code::Config, message, server.listen.to_string(), hint));
            }
        }
        Ok(())
    }

    /// The configuration as a file that would make it.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut line = |key: &Key, value: Option<String>| {
            if let Some(value) = value {
                text.push_str(&format!("{} = {value}\n", key.name));
            }
        };
        for key in KEYS {
            line(key, key.show_host(&self.host));
        }
        for server in &self.servers {
            text.push_str(&format!("\n[server.{}]\n", server.name));
            for key in KEYS {
                if let Some(value) = key.show_server(server) {
                    text.push_str(&format!("{} = {value}\n", key.name));
                }
            }
            if !server.config.is_empty() {
                text.push_str(&format!("\n[server.{}.config]\n", server.name));
            }
            for (name, value) in &server.config {
                text.push_str(&format!("{} = {}\n", keys::quote(name), keys::quote(value)));
            }
        }
        text
    }
}

/// The servers of the file, or the one that the flags alone make.
fn servers(from_file: &FromFile, flags: &Flags, folder: &Path) -> Result<Vec<ServerConfig>> {
    let mut servers = Vec::new();
    if from_file.servers.is_empty() {
        let mut server = ServerConfig::named(flags.name.as_deref().unwrap_or(MAIN));
        check_name(&server.name, "--name")?;
        for setting in &from_file.top {
            setting.apply_to_server(&mut server, folder)?;
        }
        server.config.clone_from(&from_file.top_config);
        servers.push(server);
    }
    for (name, table) in &from_file.servers {
        let mut server = ServerConfig::named(name);
        for setting in &from_file.top {
            if setting.key.is_own() {
                let hint = format!("move it into [server.{name}]");
                let why = "with [server.NAME] tables it belongs to one of them";
                return Err(setting.wrong(why, &hint));
            }
            setting.apply_to_server(&mut server, folder)?;
        }
        for setting in &table.settings {
            setting.apply_to_server(&mut server, folder)?;
        }
        server.config.clone_from(&table.config);
        servers.push(server);
    }
    Ok(servers)
}

/// The server that server flags are about.
fn chosen<'a>(servers: &'a mut [ServerConfig], flags: &Flags) -> Result<&'a mut ServerConfig> {
    let names: Vec<String> = servers.iter().map(|server| server.name.clone()).collect();
    let about_server = flags.settings.iter().find(|setting| setting.key.is_of_server());
    let at = match (&flags.name, about_server) {
        (Some(name), _) => names.iter().position(|other| other == name).ok_or_else(|| {
            let detail = format!("the file has {}", names.join(", "));
            let message = format!("there is no server '{name}' in the file");
            Error::new(Code::Config, message, detail, "pass one of these to --name")
        })?,
        (None, Some(setting)) if servers.len() > 1 => {
            let why = format!("the file has several servers: {}", names.join(", "));
            return Err(setting.wrong(&why, "name the one it is about with --name"));
        }
        _ => 0,
    };
    Ok(&mut servers[at])
}

fn check_name(name: &str, origin: &str) -> Result<()> {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.len() <= 64 && name.chars().all(sound) {
        return Ok(());
    }
    let message = format!("{origin}: '{}' is not a server's name", name.escape_debug());
    let hint = "use 1 to 64 letters, digits, '-' and '_'";
    Err(Error::new(Code::Config, message, "it appears in logs, metrics and file names", hint))
}

impl Setting {
    fn apply_to_host(&self, host: &mut HostConfig, base: &Path) -> Result<()> {
        let outcome = self.key.set_host(host, &self.text, base);
        outcome.map_err(|why| self.wrong(&why, "see `hotshell serve --help`"))
    }

    fn apply_to_server(&self, server: &mut ServerConfig, base: &Path) -> Result<()> {
        let outcome = self.key.set_server(server, &self.text, base);
        outcome.map_err(|why| self.wrong(&why, "see `hotshell serve --help`"))
    }

    fn wrong(&self, why: &str, hint: &str) -> Error {
        let text: String = self.text.chars().take(80).collect();
        Error::new(Code::Config, format!("{} = '{text}' is refused", self.origin), why, hint)
    }
}
