//! Goal: a plan says exactly what must change between two versions, or names what cannot. Method:
//! two versions of the same types, as `#[state]` makes them, in modules `v1` and `v2`; plans are
//! told in words by `tell`.

#![allow(dead_code, reason = "the types are looked at, not used")]

mod compare;
mod functions;
mod refusals;
mod shapes;
mod tell;

use hotshell_plugin_api::migrate::lineage::{Functions, Lineage};
use hotshell_plugin_api::migrate::plan::{Plan, Refused, Side};
use hotshell_plugin_api::schema::Schema;
use hotshell_plugin_api::state::StateType;

/// What the host knows of a version.
struct Version {
    schema: Schema,
    lineage: Lineage,
    functions: Functions,
}

impl Version {
    fn of<Root: StateType, Session: StateType + Default>() -> Self {
        let (lineage, functions) = Lineage::of::<Root, Session>();
        Self { schema: Schema::of::<Root, Session>(), lineage, functions }
    }

    fn side(&self) -> Side<'_> {
        Side { schema: &self.schema, lineage: &self.lineage }
    }

    fn plan_to(&self, to: &Version) -> Result<Plan, Refused> {
        Plan::between(self.side(), to.side())
    }
}

/// The plan from one state root to another, in words.
fn told<Old: StateType, New: StateType>() -> String {
    let (old, new) = (Version::of::<Old, ()>(), Version::of::<New, ()>());
    tell::tell(&old.schema, &new.schema, &old.plan_to(&new).expect("there is a plan"))
}

fn refused<Old: StateType, New: StateType>() -> Refused {
    Version::of::<Old, ()>().plan_to(&Version::of::<New, ()>()).expect_err("there is no plan")
}
