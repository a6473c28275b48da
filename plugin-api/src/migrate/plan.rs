//! [`Plan`]: what must change so that state in one shape becomes state in another. Pure data.
//!
//! A plan is a graph of *pairs*: an old type, a new type, and how a value of the one becomes a
//! value of the other. Types that contain themselves make pairs that refer to themselves.
//!
//! Terms of a plan: a value *fits* when the new type can hold it. What does not fit is *set aside*:
//! kept, invisible, back when its schema comes back. So is the *rest*, the fields that the new type
//! no longer has.

mod alike;
mod draft;
mod fields;
mod number;
mod refused;
mod settle;

use crate::migrate::lineage::{FunctionIndex, Lineage};
use crate::schema::{Schema, TypeIndex};

pub(crate) use self::draft::Draft;
pub use self::refused::{Refused, Why};

/// Index of a pair in [`Plan::pairs`].
pub type PairIndex = u32;

/// How state in one schema becomes state in another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The word for it.
    pub kind: PlanKind,
    /// The pair of the two state roots.
    pub root: PairIndex,
    /// The pair of the two session types.
    pub session: PairIndex,
    /// All pairs. Each couple of types is there once.
    pub pairs: Vec<Pair>,
}

/// The word for a plan: `migration` in what `use` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlanKind {
    /// The schemas are the same: nothing is done at all.
    Adopt,
    /// Derived from names; no code of the author runs but the defaults of new fields.
    ByName,
    /// Conversions of the author run.
    ByFunction,
}

/// An old type, a new type, and how a value of the one becomes a value of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Index in the old schema.
    pub old: TypeIndex,
    /// Index in the new schema.
    pub new: TypeIndex,
    /// Size and alignment of an old value.
    pub old_size: Size,
    /// Size and alignment of a new value.
    pub new_size: Size,
    /// How the value is changed.
    pub how: How,
    /// Whether every old value fits. If not, converting one must be able to answer "does not fit".
    pub fits: bool,
    /// Whether every old value that fits keeps all its bytes, and every new value is an old one: as where
    /// an enum only loses variants. The entries of a hash map of such values stay where they are.
    pub in_place: bool,
}

/// Bytes a value takes, and its alignment in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Bytes.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
}

/// How a value is changed. The old value's bytes are moved out of, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// The bytes are moved. Whatever hangs below stays where it is and needs no visit.
    Same,
    /// A number of another width or sign. What the new one cannot hold exactly does not fit.
    Number {
        /// The old number.
        from: Number,
        /// The new number.
        to: Number,
    },
    /// A struct, field by field. `()` counts as a struct without fields.
    Struct(Fields),
    /// An enum: one arm per old variant, in the order of the old tags, which count from 0.
    Enum(Vec<Arm>),
    /// A `T` becomes `Some(T)`: tag 1, then the value at the new [`Pair::new_size`]'s alignment.
    IntoOption(PairIndex),
    /// `Some(T)` becomes a `T`. `None` does not fit.
    OutOfOption(PairIndex),
    /// A `T` moves into a block of its own on the state heap.
    IntoBox(PairIndex),
    /// A `T` moves out of its block, which is freed.
    OutOfBox(PairIndex),
    /// An `Option`, with what is inside.
    Option(PairIndex),
    /// A `Box`, with what is inside; the block is replaced.
    Box(PairIndex),
    /// An array: so many elements. It fits when all of them do.
    Array {
        /// Element to element.
        element: PairIndex,
        /// How many.
        count: u32,
    },
    /// A `Vec`, all elements at once. An element that does not fit is set aside, the others close
    /// up.
    Vec(PairIndex),
    /// A `VecDeque`; as `Vec`.
    VecDeque(PairIndex),
    /// A `HashMap`: the keys stay, the values convert unit by unit, later. An entry whose value
    /// does not fit is set aside, so the map itself always fits.
    HashMap(PairIndex),
    /// A `BTreeMap`; as `HashMap`, but leaf by leaf, and only where [`Plan::keeps_all`] holds of the
    /// values: whole otherwise.
    BTreeMap(PairIndex),
    /// A conversion of the author: a [`ConvertFn`](crate::migrate::lineage::ConvertFn), which reads
    /// the old value and leaves it. It always fits; one that panics counts as "does not fit".
    Function {
        /// Whose image has it: the one that is left, or the one that comes.
        image: Image,
        /// Its number there.
        index: FunctionIndex,
    },
}

/// One of the two images that a plan speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// The version that wrote the state.
    Old,
    /// The version that takes it over.
    New,
}

/// A kind of number: an integer or float of `size` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// `u8` to `u128`.
    Unsigned(u32),
    /// `i8` to `i128`.
    Signed(u32),
    /// `f32` or `f64`.
    Float(u32),
}

/// How the fields of a struct, or of a variant, become those of another.
///
/// Structs inside structs are taken apart where their fields move in or out; offsets count from the
/// start of the outermost value of the pair (for a variant: of the enum, tag included). Bytes of
/// the new value that neither a move nor a fill writes are padding: zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// Old fields that the new value has, in the order of their new offsets.
    pub moves: Vec<Move>,
    /// New fields that start with their default, in the order of their offsets.
    pub fills: Vec<Fill>,
    /// Old fields that the new value does not have, in the order of their offsets: the rest.
    pub removed: Vec<Removed>,
}

/// A field that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Its name in the old value: `born`, or `place.floor` within a struct that is taken apart.
    pub old_name: String,
    /// Its name in the new value.
    pub new_name: String,
    /// Offset in the old value.
    pub from: u32,
    /// Offset in the new value.
    pub to: u32,
    /// How its value changes.
    pub pair: PairIndex,
    /// The field's default in the new image: what a root or session, which cannot be absent,
    /// starts with where the old value does not fit. `None` where the field has no default or
    /// where everything fits.
    pub fallback: Option<FunctionIndex>,
}

/// A field that starts with its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// Its name in the new value.
    pub name: String,
    /// Offset in the new value.
    pub to: u32,
    /// The field's type in the new schema.
    pub new: TypeIndex,
    /// A [`DefaultFn`](crate::migrate::lineage::DefaultFn) of the new image.
    pub default: FunctionIndex,
}

/// A field that is left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Its name in the old value.
    pub name: String,
    /// Offset in the old value.
    pub from: u32,
    /// The field's type in the old schema.
    pub old: TypeIndex,
}

/// What becomes of an old variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// The old tag.
    pub old: u8,
    /// The new variant; `None` when there is none, and the value does not fit.
    pub new: Option<ArmTo>,
}

/// The new side of an [`Arm`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmTo {
    /// The new tag, one byte at offset 0.
    pub tag: u8,
    /// The variant's fields.
    pub fields: Fields,
}

/// One of the two versions between which a plan is made.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The shape of its state.
    pub schema: &'a Schema,
    /// What it knows of the versions before it.
    pub lineage: &'a Lineage,
}

impl Plan {
    /// The plan that turns state of `from` into state of `to`.
    ///
    /// It does not matter which of the two is the newer: what either knows of the other is used,
    /// forwards or backwards. O(pairs of types), which is no more than the types of the one times
    /// those of the other.
    ///
    /// # Errors
    /// [`Refused`] names the first place that cannot be taken over.
    pub fn between(from: Side<'_>, to: Side<'_>) -> Result<Self, Refused> {
        draft::Draft::between(from, to).finish()
    }

    /// A pair by its index.
    pub fn pair(&self, index: PairIndex) -> &Pair {
        &self.pairs[index as usize]
    }

    /// A pair and all those that are met below it, each once.
    pub fn reach(&self, pair: PairIndex) -> Vec<PairIndex> {
        settle::reach(&self.pairs, pair)
    }

    /// Whether every value of a pair survives, whatever happens: all fit, and no function runs that may
    /// panic. Trees of such values are converted leaf by leaf, later.
    pub fn keeps_all(&self, pair: PairIndex) -> bool {
        settle::keeps_all(&self.pairs, pair)
    }

    /// Whether something may be left of a value of a pair: a field that is removed, or what does not fit.
    pub fn leaves_something(&self, pair: PairIndex) -> bool {
        settle::leaves_something(&self.pairs, pair)
    }

    /// Whether a function of the author runs when sessions are converted.
    pub fn runs_functions_on_sessions(&self) -> bool {
        let by_function = |&pair: &PairIndex| matches!(self.pair(pair).how, How::Function { .. });
        self.reach(self.session).iter().any(by_function)
    }

    /// Whether the state root's bytes can serve as they are: nothing at all needs to be converted.
    pub fn keeps_root(&self) -> bool {
        self.pair(self.root).how == How::Same
    }

    /// Whether the sessions' bytes can serve as they are.
    pub fn keeps_sessions(&self) -> bool {
        self.pair(self.session).how == How::Same
    }
}
