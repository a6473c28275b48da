//! What a switch would do to the state: the plan, in the words of admins and CI, and what it takes
//! to be allowed.

use std::collections::VecDeque;
use std::sync::Arc;

use hotshell_plugin_api::migrate::compare::{Back, Change, Comparison, Cost, Kept, Row};
use hotshell_plugin_api::migrate::plan::{Plan, PlanKind, Refused};
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::generation::Shape;
use crate::options::Options;

/// A version, as one side of a comparison.
#[derive(Debug, Clone)]
pub struct Version {
    /// `kv 1.0.0 (generation 1)`, or without a generation where there is none.
    pub title: String,
    /// Plugin name.
    pub plugin: String,
    /// The shape of its state.
    pub shape: Shape,
}

/// What becomes of the state on the way from one version to another. There is a way.
#[derive(Debug, Clone)]
pub struct Migration {
    /// What an engine follows.
    pub plan: Arc<Plan>,
    /// Field by field.
    pub fields: Vec<Field>,
    /// Why there is no way back, if there is none.
    pub one_way: Option<Error>,
    kept: Kept,
    from: String,
    to: String,
}

/// What becomes of a field. A row of the table, and its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Path from the root: `state.names[].born`.
    pub path: String,
    /// What it is before; null when it is new.
    pub old: Option<String>,
    /// What it is after; null when it is left behind.
    pub new: Option<String>,
    /// `adopt`, `by-name`, `by-function`, `refused`.
    pub how: String,
    /// Whether every old value fits; what does not is set aside.
    pub fits: bool,
    /// `yes`, `what-fits`, `by-function`, `set-aside`, `returns`, `none`.
    pub way_back: String,
    /// `constant`, `lazy`, `session`, `whole`.
    pub cost: String,
}

impl Migration {
    /// Compares two versions, field by field; and the way, if there is one. O(pairs of types).
    pub fn compare(from: &Version, to: &Version) -> (Vec<Field>, Result<Self>) {
        let Comparison { plan, back, rows } = Comparison::of(from.shape.side(), to.shape.side());
        let fields: Vec<Field> = rows.into_iter().map(Field::from).collect();
        let migration = plan.map(|plan| Self {
            kept: Kept::by(&plan, &from.shape.schema),
            plan: Arc::new(plan),
            fields: fields.clone(),
            one_way: back.err().map(|refused| refused_error(to, from, &refused)),
            from: from.title.clone(),
            to: to.title.clone(),
        });
        (fields, migration.map_err(|refused| refused_error(from, to, &refused)))
    }

    /// The way from one version to another.
    ///
    /// # Errors
    /// `SCHEMA`, with the first field that cannot be taken over.
    pub fn between(from: &Version, to: &Version) -> Result<Self> {
        Self::compare(from, to).1
    }

    /// `adopt`, `by-name`, `by-function`: the `migration` of the outside contract.
    pub fn word(&self) -> &'static str {
        match self.plan.kind {
            PlanKind::Adopt => "adopt",
            PlanKind::ByName => "by-name",
            PlanKind::ByFunction => "by-function",
        }
    }

    /// Refuses a plan that leaves most of the state behind, unless that is meant.
    ///
    /// # Errors
    /// `OTHERPLUGIN`.
    pub fn keeps_most(&self, replace_plugin: bool) -> Result<()> {
        let Kept { kept, of, collections } = self.kept;
        let what = if collections { "with collections " } else { "" };
        if replace_plugin || !self.kept.is_little() {
            return Ok(());
        }
        Err(Error::new(
            Code::OtherPlugin,
            format!("{} would set aside most of the state of {}", self.to, self.from),
            format!("{kept} of its {of} fields {what}would be taken over"),
            "is it the right file? --replace-plugin if it is; a renamed field wants \
             #[state(was = \"OLD\")]",
        ))
    }

    /// Refuses a plan that the options do not allow.
    ///
    /// # Errors
    /// `OTHERPLUGIN` when most of the state would be set aside, `ONEWAY` when there is no way back,
    /// and nobody said that this is meant.
    pub fn allowed(&self, options: &Options) -> Result<()> {
        self.keeps_most(options.replace_plugin)?;
        match &self.one_way {
            Some(why) if !options.one_way => Err(Error::new(
                Code::OneWay,
                format!("there would be no way back from {} to {}", self.to, self.from),
                why.detail.clone(),
                format!("{}; or --one-way: then no rollback and no automatic undo", why.hint),
            )),
            _ => Ok(()),
        }
    }

    /// Paths of what is set aside as a whole: fields and variants that the new version has not.
    pub fn sets_aside(&self) -> Vec<String> {
        let left = self.fields.iter().filter(|field| field.new.is_none());
        left.map(|field| field.path.clone()).collect()
    }

    /// Paths of what may have values that the new version cannot hold: those are set aside.
    pub fn may_not_fit(&self) -> Vec<String> {
        let left = self.fields.iter().filter(|field| !field.fits && field.new.is_some());
        left.map(|field| field.path.clone()).collect()
    }
}

/// The ways that were asked for last, so that a `use` between two warm generations compares nothing.
#[derive(Debug, Default)]
pub struct Ways(VecDeque<(Shape, Shape, Migration)>);

impl Ways {
    const MOST: usize = 16;

    /// The way between these two, if it is known. Each load has shapes of its own.
    pub fn find(&self, from: &Shape, to: &Shape) -> Option<Migration> {
        let same = |a: &Shape, b: &Shape| Arc::ptr_eq(&a.schema, &b.schema);
        let mut known = self.0.iter();
        known.find(|(a, b, _)| same(a, from) && same(b, to)).map(|(.., way)| way.clone())
    }

    /// Keeps a way, and forgets the oldest one.
    pub fn keep(&mut self, from: Shape, to: Shape, way: Migration) {
        self.0.truncate(Self::MOST - 1);
        self.0.push_front((from, to, way));
    }
}

fn refused_error(from: &Version, to: &Version, refused: &Refused) -> Error {
    let Refused { path, old, new, why } = refused;
    let reason = why.reason();
    Error::new(
        Code::Schema,
        format!("{} cannot take over the state of {}", to.title, from.title),
        format!("{path}: {} has {old}, {} has {new}; {reason}", from.title, to.title),
        why.next(),
    )
}

impl From<Row> for Field {
    fn from(row: Row) -> Self {
        let how = match row.change {
            Change::Adopt => "adopt",
            Change::ByName => "by-name",
            Change::ByFunction => "by-function",
            Change::Refused => "refused",
        };
        let way_back = match row.back {
            Back::Whole => "yes",
            Back::IfItFits => "what-fits",
            Back::ByFunction => "by-function",
            Back::SetAside => "set-aside",
            Back::Returns => "returns",
            Back::None => "none",
        };
        let cost = match row.cost {
            Cost::Constant => "constant",
            Cost::Lazy => "lazy",
            Cost::Session => "session",
            Cost::Whole => "whole",
        };
        let Row { path, old, new, fits, .. } = row;
        let [how, way_back, cost] = [how, way_back, cost].map(str::to_owned);
        Self { path, old, new, how, fits, way_back, cost }
    }
}

#[cfg(test)]
#[path = "migration_tests.rs"]
mod tests;
