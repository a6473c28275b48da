//! [`Refused`]: the first place that a plan cannot take over, with both sides and a next step.

use std::fmt;

/// Why two schemas have no plan, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Path from the root: `state.names[].born`, `session.user`, `state.by_id<key>`.
    pub path: String,
    /// What the old schema has there.
    pub old: String,
    /// What the new schema has there.
    pub new: String,
    /// The reason.
    pub why: Why,
}

/// The reason of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nothing turns the one type into the other by name.
    Type,
    /// Two `#[state]` types with different names, and neither says that it was the other.
    Name,
    /// The key of a map or set would change, and with it where each entry lies.
    Key,
    /// The schema number changed and the layout did not: the same bytes mean something else.
    Meaning,
    /// The author's conversion leads here from the other side only.
    OneWay,
    /// A new field has nothing to start with.
    NoDefault,
    /// Two formats of a collection, from two versions of the plugin interface.
    Format,
}

impl Why {
    /// The reason in words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Type => "the one does not become the other by name",
            Self::Name => "the type has another name",
            Self::Key => "the key of a map cannot change",
            Self::Meaning => {
                "the schema number changed and the layout did not, so the meaning changed"
            }
            Self::OneWay => "the conversion between them has no way back",
            Self::NoDefault => "the new field has no default to start with",
            Self::Format => "the collection has another format",
        }
    }

    /// What the author can do about it.
    pub const fn next(self) -> &'static str {
        match self {
            Self::Type | Self::Meaning => {
                "convert it by function: #[state(from = OLD, with = up, back = down)] on the type \
                 or on one that contains it"
            }
            Self::OneWay => "write back = FUNCTION beside the conversion's with = FUNCTION",
            Self::Name => {
                "if it is the same type under a new name, write #[state(was = \"OLD\")] on it"
            }
            Self::Key => {
                "keep the key type as it is, and add a second map under a new field if need be"
            }
            Self::NoDefault => {
                "write #[state(default = EXPR)] on the field, or implement Default for its type"
            }
            Self::Format => "build both versions against the same hotshell-plugin-api",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} | {}: {}", self.path, self.old, self.new, self.why.reason())
    }
}

impl std::error::Error for Refused {}
