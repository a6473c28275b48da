//! Errors that an admin reads: what, why with both values, next step, and a stable code.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Stable codes. They are the prefix of a RESP error, the `code` of a JSON error, and choose the exit
/// code of the CLI. A code is never renamed or reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// A verb, flag or argument that is not understood.
    Usage,
    /// A relative path over the admin socket.
    RelativePath,
    /// The file cannot be read.
    File,
    /// Not a shared object for this machine.
    Elf,
    /// A shared object, but not a hotshell plugin, or a damaged one.
    NotAPlugin,
    /// Another boundary version, or another layout of the boundary.
    Abi,
    /// The plugin is built with `panic = "abort"`.
    PanicAbort,
    /// The dynamic loader refused the file.
    Dlopen,
    /// The file was loaded, but the code behind it is one that was loaded before.
    StaleImage,
    /// The vet child crashed, was killed, or ran out of time.
    Vet,
    /// The plugin itself refused to go up.
    Refused,
    /// The state cannot be taken over.
    Schema,
    /// There would be no way back.
    OneWay,
    /// The state is too large to be converted at once, and nobody allowed that stop.
    Stop,
    /// The file holds another plugin than the one that serves.
    OtherPlugin,
    /// No such generation.
    NoGeneration,
    /// More than one generation fits.
    Ambiguous,
    /// The generation is active and cannot be discarded.
    Active,
    /// The generation is gone.
    Discarded,
    /// `--if-active` named another generation than the active one.
    Moved,
    /// Nothing is left to roll back to.
    NoRollback,
    /// The limit of resident generations is reached.
    TooMany,
    /// A load or use is under way.
    Busy,
    /// A call of the plugin does not return, so the engine cannot switch.
    Stuck,
    /// The load was cancelled by a rollback.
    Cancelled,
    /// There is no such server, or the request must name one.
    Server,
    /// The plugin panicked in a call that the admin asked for.
    Panicked,
    /// The time limit passed; the outcome is unknown.
    Timeout,
    /// The host cannot be reached.
    Unreachable,
    /// The swap was undone in probation.
    RolledBack,
    /// The peer may not use this admin socket, or one connection too many.
    Denied,
    /// The configuration is wrong.
    Config,
    /// The data folder: locked, damaged, or of a newer version.
    Data,
    /// The host could not start: address, file, permission.
    Start,
    /// A defect of hotshell itself.
    Internal,
}

impl Code {
    /// The code's text: upper case, no spaces.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Usage => "USAGE",
            Self::RelativePath => "RELATIVEPATH",
            Self::File => "FILE",
            Self::Elf => "ELF",
            Self::NotAPlugin => "NOTAPLUGIN",
            Self::Abi => "ABI",
            Self::PanicAbort => "PANICABORT",
            Self::Dlopen => "DLOPEN",
            Self::StaleImage => "STALEIMAGE",
            Self::Vet => "VET",
            Self::Refused => "REFUSED",
            Self::Schema => "SCHEMA",
            Self::Stop => "STOP",
            Self::OneWay => "ONEWAY",
            Self::OtherPlugin => "OTHERPLUGIN",
            Self::NoGeneration => "NOGENERATION",
            Self::Ambiguous => "AMBIGUOUS",
            Self::Active => "ACTIVE",
            Self::Discarded => "DISCARDED",
            Self::Moved => "MOVED",
            Self::NoRollback => "NOROLLBACK",
            Self::TooMany => "TOOMANY",
            Self::Busy => "BUSY",
            Self::Stuck => "STUCK",
            Self::Cancelled => "CANCELLED",
            Self::Server => "SERVER",
            Self::Panicked => "PANICKED",
            Self::Timeout => "TIMEOUT",
            Self::Unreachable => "UNREACHABLE",
            Self::RolledBack => "ROLLEDBACK",
            Self::Denied => "DENIED",
            Self::Config => "CONFIG",
            Self::Data => "DATA",
            Self::Start => "START",
            Self::Internal => "INTERNAL",
        }
    }

    /// All codes, for docs and for reading one back from text.
    pub const ALL: [Self; 35] = [
        Self::Usage,
        Self::RelativePath,
        Self::File,
        Self::Elf,
        Self::NotAPlugin,
        Self::Abi,
        Self::PanicAbort,
        Self::Dlopen,
        Self::StaleImage,
        Self::Vet,
        Self::Refused,
        Self::Schema,
        Self::OneWay,
        Self::Stop,
        Self::OtherPlugin,
        Self::NoGeneration,
        Self::Ambiguous,
        Self::Active,
        Self::Discarded,
        Self::Moved,
        Self::NoRollback,
        Self::TooMany,
        Self::Busy,
        Self::Stuck,
        Self::Cancelled,
        Self::Server,
        Self::Panicked,
        Self::Timeout,
        Self::Unreachable,
        Self::RolledBack,
        Self::Denied,
        Self::Config,
        Self::Data,
        Self::Start,
        Self::Internal,
    ];

    /// The code with this text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.text() == text)
    }

    /// Exit code of the CLI: 1 refused (nothing changed), 2 usage, 3 unreachable, 4 busy, 5 outcome
    /// unknown, 6 rolled back.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage | Self::RelativePath | Self::Config => 2,
            Self::Unreachable => 3,
            Self::Busy => 4,
            Self::Timeout => 5,
            Self::RolledBack => 6,
            _ => 1,
        }
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // A newer host knows codes that we do not.
        Ok(Self::parse(&text).unwrap_or(Self::Internal))
    }
}

/// An error in three parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// The stable code.
    pub code: Code,
    /// What happened, with the name of the thing: `cannot load '/srv/kv.so'`.
    pub message: String,
    /// Why, with both values: `it speaks boundary version 3, this host speaks 1`.
    pub detail: String,
    /// The next step: `rebuild the plugin against hotshell-plugin-api 0.1`.
    pub hint: String,
}

/// The result of whatever an admin can ask for.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error in three parts.
    pub fn new(
        code: Code,
        message: impl Into<String>,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { code, message: message.into(), detail: detail.into(), hint: hint.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
