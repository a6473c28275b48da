//! The verdict of `check`: what a file is, and how the state of another version would be taken
//! over.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::control::Checked;
use crate::error::{Code, Error, Result};
use crate::generation::Artifact;
use crate::limits::STOP_ELEMENTS_MAX;
use crate::migration::{Field, Migration, Version};
use crate::options::Options;
use crate::render;

/// The answer of `check`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the outside contract")]
pub struct Verdict {
    /// Why it would be refused; there only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
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
    /// How its state would be taken over; null when it was not compared, or would be refused.
    pub migration: Option<String>,
    /// Field by field; empty when it was not compared.
    pub fields: Vec<Field>,
    /// What no load would refuse, but an admin may want to know.
    pub warnings: Vec<String>,
    /// Whether there would be no way back.
    pub one_way: bool,
    /// Why not; null when there is one.
    pub one_way_because: Option<String>,
}

impl Verdict {
    /// The verdict on a file that is compared with nothing.
    pub fn alone(checked: &Checked) -> Self {
        let Artifact { path, plugin, version, digest, target, api_version, .. } =
            checked.artifact.clone();
        Self {
            error: None,
            path,
            plugin,
            version,
            digest,
            target,
            abi_version: checked.artifact.abi_version,
            api_version,
            schema: checked.artifact.schema,
            size: checked.artifact.size,
            against: None,
            migration: None,
            fields: Vec::new(),
            warnings: checked.warnings.clone(),
            one_way: false,
            one_way_because: None,
        }
    }

    /// The verdict on a file that is to take over the state of another version.
    pub fn against(checked: &Checked, old: &Version, options: &Options) -> Self {
        let new = checked.version();
        let alone = Self { against: Some(old.title.clone()), ..Self::alone(checked) };
        if let Err(other) = same_plugin(old, &new, options) {
            return Self { error: Some(other), ..alone };
        }
        let (fields, migration) = Migration::compare(old, &new);
        let alone = Self { fields, ..alone };
        let kept = |way: Migration| way.keeps_most(options.replace_plugin).map(|()| way);
        match migration.and_then(kept) {
            Err(error) => Self { error: Some(error), ..alone },
            Ok(way) => Self {
                migration: Some(way.word().to_owned()),
                one_way: way.one_way.is_some(),
                one_way_because: way.one_way.map(|why| why.detail),
                ..alone
            },
        }
    }

    /// The verdict, unless it is that the file would be refused.
    ///
    /// # Errors
    /// `SCHEMA`, `OTHERPLUGIN`.
    pub fn accepted(self) -> Result<Self> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    /// What is converted while nobody is served, forth or back, and above which size that must be meant.
    fn stop(&self) -> Option<String> {
        let whole = self.fields.iter().filter(|field| field.cost == "whole");
        // Up to the collection: `state.log[].text` is of `state.log[]`.
        let part = |path: &str| path.find("[]").map_or(path.len(), |at| at + 2);
        let mut paths: Vec<&str> = whole.map(|field| &field.path[..part(&field.path)]).collect();
        paths.dedup();
        (!paths.is_empty() && self.migration.is_some()).then(|| {
            format!(
                "  stop      O(n) for {}; over {STOP_ELEMENTS_MAX} in all want --allow-stop",
                paths.join(" ")
            )
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
        if let Some(against) = &self.against {
            let plan = self.migration.as_deref().unwrap_or("refused");
            lines.push(format!("  plan      {plan}, from {against}"));
            match &self.one_way_because {
                Some(why) => lines.push(format!("  way back  none: {why}")),
                None if self.migration.is_some() => lines.push("  way back  yes".to_owned()),
                None => {}
            }
            lines.extend(self.stop());
        }
        lines.extend(self.warnings.iter().map(|warning| format!("  warning   {warning}")));
        if !self.fields.is_empty() {
            lines.push(String::new());
            lines.extend(render::fields(&self.fields));
        }
        lines
    }
}

/// Refuses a plugin of another name, unless that is meant.
///
/// # Errors
/// `OTHERPLUGIN`.
fn same_plugin(old: &Version, new: &Version, options: &Options) -> Result<()> {
    if old.plugin == new.plugin || options.replace_plugin {
        return Ok(());
    }
    let detail = format!("it holds plugin '{}', and {} is to be followed", new.plugin, old.title);
    let hint = "check the path; --replace-plugin if another plugin is what you want";
    Err(Error::new(Code::OtherPlugin, format!("{} is another plugin", new.title), detail, hint))
}
