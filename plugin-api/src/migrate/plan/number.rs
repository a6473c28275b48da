//! Which numbers become which, and which of those always fit.

use super::Number;
use crate::schema::{Kind, TypeDef};

impl Number {
    /// The number that a type is; `None` for all other types.
    pub fn of(def: &TypeDef) -> Option<Self> {
        match def.kind {
            Kind::Unsigned => Some(Self::Unsigned(def.size)),
            Kind::Signed => Some(Self::Signed(def.size)),
            Kind::Float => Some(Self::Float(def.size)),
            _ => None,
        }
    }

    /// Whether a value may become a `to`: integers become integers and floats floats. From one to
    /// the other is a change of meaning, which takes a conversion.
    pub fn becomes(self, to: Self) -> bool {
        matches!(self, Self::Float(_)) == matches!(to, Self::Float(_))
    }

    /// Whether every value is exactly one of `to`.
    pub fn fits(self, to: Self) -> bool {
        match (self, to) {
            (Self::Unsigned(a), Self::Unsigned(b))
            | (Self::Signed(a), Self::Signed(b))
            | (Self::Float(a), Self::Float(b)) => a <= b,
            (Self::Unsigned(a), Self::Signed(b)) => a < b,
            _ => false,
        }
    }
}
