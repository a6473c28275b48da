//! The verdict of `check`: what a file is, and how the state that serves would be taken over.

use std::path::PathBuf;

use serde::Serialize;

use crate::control::Checked;
use crate::error::{Code, Error, Result};
use crate::generation::{Artifact, Shape};

/// What a file is compared with.
#[derive(Debug, Clone)]
pub struct Serving {
    /// `kv 1.0.0 (generation 1)`.
    pub title: String,
    /// Plugin name.
    pub plugin: String,
    /// The shape of the state.
    pub shape: Shape,
}

/// The answer of `check`.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct Verdict {
    pub path: PathBuf,
    pub plugin: String,
    pub version: String,
    pub digest: String,
    pub target: String,
    pub abi_version: u32,
    pub api_version: String,
    pub schema: u32,
    pub size: u64,
    /// What it was compared with; null when there was nothing to compare with.
    pub against: Option<String>,
    /// How its state would be taken over; null when it was not compared.
    pub migration: Option<&'static str>,
    /// What no load would refuse, but an admin may want to know.
    pub warnings: Vec<String>,
    /// Whether there would be no way back.
    pub one_way: bool,
}

impl Verdict {
    /// The verdict on a file, compared with what serves, if it is the same plugin.
    ///
    /// # Errors
    /// `SCHEMA` when the state could not be taken over.
    pub fn new(checked: &Checked, serving: Option<&Serving>) -> Result<Self> {
        let artifact = &checked.artifact;
        let same = serving.filter(|serving| serving.plugin == artifact.plugin);
        if let Some(serving) = same {
            fits(serving, artifact, &checked.shape)?;
        }
        let Artifact { path, plugin, version, digest, target, api_version, .. } = artifact.clone();
        Ok(Self {
            path,
            plugin,
            version,
            digest,
            target,
            abi_version: artifact.abi_version,
            api_version,
            schema: artifact.schema,
            size: artifact.size,
            against: same.map(|serving| serving.title.clone()),
            migration: same.map(|_| "adopt"),
            warnings: checked.warnings.clone(),
            one_way: false,
        })
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let (abi, api) = (self.abi_version, &self.api_version);
        let mut lines = vec![
            format!("{} {} is sound", self.plugin, self.version),
            format!("  file      {}", self.path.display()),
            format!("  digest    {}", self.digest),
            format!("  target    {}, {} bytes", self.target, self.size),
            format!("  boundary  version {abi}, hotshell-plugin-api {api}"),
            format!("  schema    {}", self.schema),
        ];
        if let (Some(against), Some(migration)) = (&self.against, self.migration) {
            lines.push(format!("  plan      {migration}, from {against}"));
        }
        lines.extend(self.warnings.iter().map(|warning| format!("  warning   {warning}")));
        lines
    }
}

/// Whether an artifact can take over the state that serves.
///
/// # Errors
/// `SCHEMA`, with the first difference.
pub fn fits(serving: &Serving, artifact: &Artifact, shape: &Shape) -> Result<()> {
    let Some(difference) = serving.shape.schema.first_difference(&shape.schema) else {
        return Ok(());
    };
    let Artifact { plugin, version, .. } = artifact;
    Err(Error::new(
        Code::Schema,
        format!("{plugin} {version} cannot take over the state of {}", serving.title),
        format!("they differ at {difference} (active | new)"),
        "keep the #[state] types as the active version has them, or start a server of its own",
    ))
}
