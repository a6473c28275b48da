//! [`Comparison`]: two versions side by side, field by field, for people and for CI.

mod rows;

use std::fmt;

use super::plan::{Draft, How, Plan, Refused, Side};
use crate::schema::{Kind, Schema, TypeIndex};

/// What becomes of the state between two versions, and on the way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The plan, or the first refusal.
    pub plan: Result<Plan, Refused>,
    /// The plan of the way back, or why there is none.
    pub back: Result<Plan, Refused>,
    /// Field by field, in the order of the new version's fields; what is left behind after them.
    pub rows: Vec<Row>,
}

/// What becomes of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Path from the root: `state.names[].born`.
    pub path: String,
    /// What the old version has there: a type, with its name where that was another one.
    pub old: Option<String>,
    /// What the new version has there.
    pub new: Option<String>,
    /// How it changes.
    pub change: Change,
    /// Whether every old value fits. What does not is set aside; a field of the root or of a
    /// session starts with its default then.
    pub fits: bool,
    /// What the way back does with it.
    pub back: Back,
    /// When the work is done, and how much it is.
    pub cost: Cost,
}

/// How a field changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is taken over as it is, with all that hangs below.
    Adopt,
    /// By its name.
    ByName,
    /// By the author's function.
    ByFunction,
    /// It cannot be taken over.
    Refused,
}

/// What the way back does with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// Every value goes back.
    Whole,
    /// Values that the old version can hold go back; the others are set aside.
    IfItFits,
    /// The author's function.
    ByFunction,
    /// The old version has no such thing: it is set aside, and there again when this one comes
    /// back.
    SetAside,
    /// It was set aside on the way here, and is there again.
    Returns,
    /// There is no way back.
    None,
}

/// What a change costs, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// The same, however much state there is.
    Constant,
    /// Each entry of a hash map when it is touched first, the rest in slices between calls.
    Lazy,
    /// Each session when it is touched first.
    Session,
    /// All elements of a list, or entries of a tree, at once, while nobody is served.
    Whole,
}

impl Comparison {
    /// Compares two versions. O(pairs of types).
    pub fn of(old: Side<'_>, new: Side<'_>) -> Self {
        let (up, back) = (Draft::between(old, new), Draft::between(new, old));
        let rows = rows::rows(&up, &back);
        let (plan, back) = (up.finish(), back.finish());
        Self { plan, back, rows }
    }

    /// Whether there is a plan and no way back.
    pub fn one_way(&self) -> bool {
        self.plan.is_ok() && self.back.is_err()
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Adopt => "adopt",
            Self::ByName => "by name",
            Self::ByFunction => "by function",
            Self::Refused => "refused",
        })
    }
}

impl fmt::Display for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Whole => "yes",
            Self::IfItFits => "what fits",
            Self::ByFunction => "by function",
            Self::SetAside => "set aside",
            Self::Returns => "returns",
            Self::None => "none",
        })
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Constant => "O(1)",
            Self::Lazy => "lazy O(n)",
            Self::Session => "O(1) per session",
            Self::Whole => "O(n) whole",
        })
    }
}

/// How much of the old root a plan takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Fields that are taken over.
    pub kept: usize,
    /// Fields that there are.
    pub of: usize,
    /// Whether only fields with collections were counted.
    pub collections: bool,
}

impl Kept {
    /// Counts the fields of the old root. Where some of them hold collections only those count:
    /// they are where the state is. A root that is no struct counts as one field that is kept.
    pub fn by(plan: &Plan, old: &Schema) -> Self {
        let How::Struct(fields) = &plan.pair(plan.root).how else {
            return Self { kept: 1, of: 1, collections: false };
        };
        let kept: Vec<TypeIndex> =
            fields.moves.iter().map(|step| plan.pair(step.pair).old).collect();
        let left: Vec<TypeIndex> = fields.removed.iter().map(|removed| removed.old).collect();
        let heavy = |list: &[TypeIndex]| list.iter().filter(|&&ty| collects(old, ty)).count();
        match (heavy(&kept), heavy(&left)) {
            (0, 0) => Self { kept: kept.len(), of: kept.len() + left.len(), collections: false },
            (kept, left) => Self { kept, of: kept + left, collections: true },
        }
    }

    /// Whether less than half is taken over.
    pub fn is_little(self) -> bool {
        self.kept * 2 < self.of
    }
}

/// Whether a value of this type holds a collection of many values, at any depth.
fn collects(schema: &Schema, ty: TypeIndex) -> bool {
    let mut seen = vec![false; schema.types.len()];
    let mut next = vec![ty];
    while let Some(ty) = next.pop() {
        if std::mem::replace(&mut seen[ty as usize], true) {
            continue;
        }
        let def = &schema.types[ty as usize];
        match def.kind {
            Kind::Vec | Kind::VecDeque | Kind::HashMap | Kind::HashSet | Kind::BTreeMap => {
                return true;
            }
            _ => {}
        }
        let variants = def.variants.iter().flat_map(|variant| &variant.fields);
        next.extend(def.fields.iter().chain(variants).map(|field| field.ty));
        next.extend(&def.args);
    }
    false
}
