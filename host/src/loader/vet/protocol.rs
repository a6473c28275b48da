//! What host and vet child say to each other, as lines of JSON: one order, then a report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Vet;
use crate::error::Code;
use crate::generation::Artifact;
use crate::loader::inspect::Inspected;
use crate::loader::reason::Reason;

/// What the child is to examine, and within which limits.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub plugin: String,
    pub version: String,
    pub symbol: String,
    pub build_id: u64,
    pub schema_fingerprint: u64,
    pub extra_needed: Vec<String>,
    /// What the plugin is told when it asks for its configuration.
    pub config: BTreeMap<String, String>,
    /// Address space, bytes.
    pub memory: u64,
    /// Processor time, seconds.
    pub cpu_s: u64,
    /// The host: when it ends, so does the child.
    pub host_pid: u32,
}

/// Where the child is; said before each step, so that a crash or a hang has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum At {
    /// It has not said anything.
    Start,
    Constructor,
    Handshake,
    Init,
    SelfTest,
    DropState,
    Destructor,
    End,
}

/// One line of the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Line {
    At(At),
    Refused(Refusal),
    Done(Done),
}

/// A [`Reason`] on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Refusal {
    code: String,
    detail: String,
    hint: String,
}

/// All went well.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Done {
    /// The encoded schema, in hex.
    pub schema: String,
    /// The encoded lineage, in hex.
    pub lineage: String,
    /// Whether the image went at `dlclose`.
    pub unmapped: bool,
}

impl Order {
    pub fn new(inspected: &Inspected, config: &BTreeMap<String, String>, vet: &Vet) -> Self {
        let Artifact { plugin, version, symbol, .. } = &inspected.artifact;
        Self {
            plugin: plugin.clone(),
            version: version.clone(),
            symbol: symbol.clone(),
            build_id: inspected.artifact.build_id,
            schema_fingerprint: inspected.artifact.schema_fingerprint,
            extra_needed: inspected.extra_needed.clone(),
            config: config.clone(),
            memory: vet.memory,
            cpu_s: vet.timeout.as_secs() + 1,
            host_pid: std::process::id(),
        }
    }

    /// What the child needs to know of the artifact; the rest stays empty.
    pub fn inspected(&self) -> Inspected {
        let artifact = Artifact {
            path: std::path::PathBuf::new(),
            plugin: self.plugin.clone(),
            version: self.version.clone(),
            digest: String::new(),
            target: String::new(),
            abi_version: 0,
            api_version: String::new(),
            schema: 0,
            schema_fingerprint: self.schema_fingerprint,
            build_id: self.build_id,
            symbol: self.symbol.clone(),
            size: 0,
        };
        Inspected { artifact, pinned: None, extra_needed: self.extra_needed.clone() }
    }
}

impl At {
    /// Where, as it reads behind a verb.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Start => "before any of its code ran",
            Self::Constructor => "in a constructor, while it was being mapped",
            Self::Handshake => "in the handshake",
            Self::Init => "in init",
            Self::SelfTest => "in self_test",
            Self::DropState => "while its state was being dropped",
            Self::Destructor => "in a destructor, while it was being unmapped",
            Self::End => "at the end",
        }
    }
}

impl Refusal {
    pub fn new(reason: Reason) -> Self {
        let Reason { code, detail, hint } = reason;
        Self { code: code.text().to_owned(), detail, hint }
    }

    pub fn into_reason(self) -> Reason {
        let code = Code::parse(&self.code).unwrap_or(Code::Vet);
        Reason::new(code, self.detail, self.hint)
    }
}
