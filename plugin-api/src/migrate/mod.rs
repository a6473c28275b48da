//! How state changes its shape between two versions of a plugin.
//!
//! [`plan`] says what must change, as data: it is made from the two schemas and from what the two
//! images say of themselves ([`lineage`]). Whoever changes the state follows the plan and decides
//! nothing. The way back is a plan too: the same two schemas, the other way round.

pub mod aside;
pub mod change;
pub mod compare;
pub mod convert;
pub mod drains;
pub mod lineage;
pub mod marks;
pub mod plan;
pub mod returns;
pub mod table;
pub mod trail;
pub mod trees;
